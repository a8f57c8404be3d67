//! A step: work that touches the world, run until it gives a result that is then remembered.

use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use futures_util::future::{BoxFuture, poll_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::context::{Issued, publish_status, read};
use super::port::{Command, Port, Turn};
use super::{Context, Failure, RetryPolicy};
use crate::Json;
use crate::journal::CommandId;
use crate::operation::{OperationId, Published};

/// A step that is about to run; await it.
#[must_use = "a step does nothing unless it is awaited"]
pub struct Step<'a, S, F> {
    context: &'a mut Context<S>,
    id: CommandId,
    work: F,
    retry: RetryPolicy,
}

impl<'a, S, F> Step<'a, S, F> {
    pub(crate) fn new(context: &'a mut Context<S>, id: CommandId, work: F) -> Self {
        Self { context, id, work, retry: RetryPolicy::default() }
    }

    /// Tries again as `policy` says, instead of the default (three attempts).
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }
}

impl<'a, S, F, Fut, T, E> IntoFuture for Step<'a, S, F>
where
    S: Send + 'static,
    F: Fn(StepContext<S>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: Serialize + DeserializeOwned + Send + 'a,
    E: Into<Failure>,
{
    type Output = Result<T, Failure>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { context, id, work, retry } = self;
        let port = Arc::clone(context.port());
        Box::pin(async move {
            let handle = StepContext { port: Arc::clone(&port), id: id.clone().into(), status: PhantomData };
            let mut step = Issued::new(&port, id, Command::Step(Box::new(retry)));
            let mut attempt = pin!(None);
            let result = poll_fn(move |task| {
                loop {
                    match step.poll(task) {
                        Poll::Ready(Turn::Done(result)) => return Poll::Ready(result),
                        Poll::Pending => {
                            attempt.set(None);
                            return Poll::Pending;
                        }
                        Poll::Ready(Turn::Run) => {
                            if attempt.is_none() {
                                attempt.set(Some(work(handle.clone())));
                            }
                            let Some(running) = attempt.as_mut().as_pin_mut() else { return Poll::Pending };
                            let result = ready!(running.poll(task)).map_err(Into::into);
                            attempt.set(None);
                            step.propose(result.and_then(|value| Json::of(&value).map_err(no_json)));
                        }
                    }
                }
            })
            .await?;
            read(result)
        })
    }
}

fn no_json(error: serde_json::Error) -> Failure {
    Failure::new("unreadable-result", "the result of a step has no JSON form").with_source(error)
}

/// What a step's work gets: cloneable, and good for as long as the attempt runs.
pub struct StepContext<S> {
    port: Arc<dyn Port>,
    id: Arc<str>,
    status: PhantomData<fn(S)>,
}

impl<S> Clone for StepContext<S> {
    fn clone(&self) -> Self {
        Self { port: Arc::clone(&self.port), id: Arc::clone(&self.id), status: PhantomData }
    }
}

impl<S> StepContext<S> {
    /// The operation that the step belongs to.
    #[must_use]
    pub fn operation(&self) -> OperationId {
        self.port.operation()
    }

    /// A key that is the same in every repetition of this step, and of no other step: give it to the service that the
    /// step calls, so that a repetition there is recognised.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let digest = Sha256::new()
            .chain_update(self.port.operation().as_bytes())
            .chain_update(self.id.as_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }

    /// Publishes a custom status.
    pub fn custom_status(&self, status: S)
    where
        S: Serialize,
    {
        publish_status(&*self.port, &status);
    }

    /// Publishes how far the operation is, 0 to 100 percent.
    pub fn progress(&self, percent: u8) {
        self.port.publish(Published { percent: Some(percent.min(100)), custom_status: None });
    }

    /// Ends once the operation was asked to stop; the step may then finish within the action's grace. Ends as well when
    /// the run is over, for tasks that a step has spawned and left.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub async fn canceled(&self) {
        poll_fn(|task| self.port.poll_canceled(task)).await;
    }
}
