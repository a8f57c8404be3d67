//! What a handler gets: the only way to await, so that everything it learns is journaled.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::port::{Command, Port, Ticket, Turn};
use super::step::{Step, StepContext};
use super::{Action, Failure};
use crate::Json;
use crate::journal::CommandId;
use crate::operation::{OperationId, Published};

/// A handler's side of its operation.
///
/// Methods that wait are journaled commands; after a crash they return what they returned before. `S` is the custom
/// status of the action.
///
/// Concurrency comes from [`all`](Self::all) and [`race`](Self::race) only: with other combinators a second run could
/// hand results to the wrong branch.
pub struct Context<S> {
    port: Arc<dyn Port>,
    path: String,
    occurrences: HashMap<Box<str>, u32>,
    random: Option<Box<ChaCha8Rng>>,
    status: PhantomData<fn(S)>,
}

impl<S> Context<S> {
    /// A context for a handler, or one of its branches, on top of `port`. `path` is empty for the handler itself.
    #[must_use]
    pub fn new(port: Arc<dyn Port>, path: String) -> Self {
        Self { port, path, occurrences: HashMap::new(), random: None, status: PhantomData }
    }

    /// The operation that the handler works on.
    #[must_use]
    pub fn operation(&self) -> OperationId {
        self.port.operation()
    }

    /// Does something that touches the world, and remembers its result.
    ///
    /// `work` runs **at least once**: if the process dies before the result is durable, it runs again; to make a
    /// repetition harmless, give [`StepContext::idempotency_key`] to whatever it calls. Its result is durable before
    /// anything that may depend on it starts. Results are at most 1 MiB of JSON. A retryable failure is tried again as
    /// the policy says: [`Step::retry`].
    ///
    /// The name must be the same whenever the handler runs again.
    ///
    /// # Errors
    /// The failure of the last attempt, or [`Failure::canceled`] if the operation was asked to stop.
    pub fn step<'a, F, Fut, T, E>(&'a mut self, name: &str, work: F) -> Step<'a, S, F>
    where
        F: Fn(StepContext<S>) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Serialize + DeserializeOwned,
        E: Into<Failure>,
    {
        let id = self.next_id("step", name);
        Step::new(self, id, work)
    }

    /// Waits, across restarts: what is kept is the time at which the wait is over.
    ///
    /// # Errors
    /// [`Failure::canceled`] if the operation was asked to stop.
    pub async fn sleep(&mut self, duration: Duration) -> Result<(), Failure> {
        if duration.is_zero() {
            return Ok(());
        }
        self.command("", Command::Sleep(duration)).await.map(drop)
    }

    /// Takes the next event of that name, waiting for it up to `timeout` (`None`: until the deadline). `Ok(None)` if
    /// it did not come. Events that came before are kept, first in first out.
    ///
    /// # Errors
    /// [`Failure::canceled`] if the operation was asked to stop; `unreadable-event` if its body is no `T`.
    pub async fn event<T: DeserializeOwned>(
        &mut self,
        name: &str,
        timeout: Option<Duration>,
    ) -> Result<Option<T>, Failure> {
        let command = Command::Event { name: name.to_owned(), timeout };
        match self.command(name, command).await? {
            None => Ok(None),
            Some(body) => body.read().map(Some).map_err(|error| {
                Failure::new("unreadable-event", "an event does not have the expected form")
                    .with_source(error)
            }),
        }
    }

    /// Runs another action as an operation of its own, and waits for its output.
    ///
    /// A cancel, a termination and the deadline of this operation go down to it. Nothing else does: if its branch loses a
    /// [`race`](Self::race) or is dropped by [`all`](Self::all), or if this operation fails, the child runs on to its own
    /// end, and nobody hears of that. A child that shall not be alone needs an end of its own, such as a sleep in a race.
    ///
    /// # Errors
    /// The child's failure; `child-failed` if that has one of the server's own codes; [`Failure::canceled`].
    pub async fn child<A: Action>(&mut self, input: &A::Input) -> Result<A::Output, Failure>
    where
        A::Input: Serialize,
        A::Output: DeserializeOwned,
    {
        let input = Json::of(input)?;
        let output = self.command(A::NAME, Command::Child { action: A::NAME.to_owned(), input }).await?;
        read(output)
    }

    /// The time, the same whenever the handler runs again.
    ///
    /// # Errors
    /// If the operation is being ended.
    pub async fn now(&mut self) -> Result<Timestamp, Failure> {
        let time = self.command("", Command::Now).await?;
        read(time)
    }

    /// Random numbers, the same whenever the handler runs again. Not for secrets: the seed is the operation's id.
    pub fn random(&mut self) -> &mut ChaCha8Rng {
        let seed = || Sha256::new().chain_update(self.port.operation().as_bytes()).chain_update(&self.path);
        self.random.get_or_insert_with(|| Box::new(ChaCha8Rng::from_seed(seed().finalize().into())))
    }

    /// Publishes a custom status. The last one stands; readers see it within a second, and sooner when they wait.
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

    /// Whether the operation was asked to stop, and an await of this handler has been told.
    #[must_use]
    pub fn canceled(&self) -> bool {
        self.port.poll_canceled(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    /// A URL that lets whoever has it send event `name` to this operation: for a mail, never for a status.
    ///
    /// # Errors
    /// `undeclared-event` if the action does not declare it.
    pub fn event_url(&self, name: &str) -> Result<String, Failure> {
        self.port.event_url(name)
    }

    /// The same URL, leading to one of the event's [choices](crate::EventSettings::choice): its page offers that one
    /// first. The choice is made on the page, not by the link.
    ///
    /// # Errors
    /// `undeclared-event` if the action does not declare the event.
    pub fn choice_url(&self, event: &str, choice: &str) -> Result<String, Failure> {
        Ok(format!("{}&choice={choice}", self.event_url(event)?))
    }

    /// The id of the next command of that kind and name: unique in this branch, and the same in every run.
    pub(crate) fn next_id(&mut self, kind: &str, name: &str) -> CommandId {
        let label = format!(
            "{}/{kind}:{}",
            self.path,
            name.replace('%', "%25").replace('/', "%2F").replace(':', "%3A")
        );
        if let Some(occurrence) = self.occurrences.get_mut(&*label) {
            let id = format!("{label}:{occurrence}");
            *occurrence += 1;
            return id;
        }
        let id = format!("{label}:0");
        self.occurrences.insert(label.into(), 1);
        id
    }

    pub(crate) fn port(&self) -> &Arc<dyn Port> {
        &self.port
    }

    fn command(&mut self, name: &str, command: Command) -> Awaited {
        let id = self.next_id(command.kind(), name);
        Awaited(Issued::new(&self.port, id, command))
    }
}

/// The result of an issued command, later. No async function, which would keep the command until then as well.
struct Awaited(Issued);

impl Future for Awaited {
    type Output = Result<Option<Json>, Failure>;

    fn poll(mut self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        match self.0.poll(task) {
            Poll::Ready(Turn::Done(result)) => Poll::Ready(result),
            // Only steps are run here, and a step is not awaited this way.
            Poll::Ready(Turn::Run) | Poll::Pending => Poll::Pending,
        }
    }
}

/// An issued command that is abandoned when its future is dropped.
pub(crate) struct Issued {
    port: Arc<dyn Port>,
    ticket: Ticket,
    done: bool,
}

impl Issued {
    pub(crate) fn new(port: &Arc<dyn Port>, id: CommandId, command: Command) -> Self {
        Self { port: Arc::clone(port), ticket: port.issue(id, command), done: false }
    }

    pub(crate) fn poll(&mut self, task: &mut std::task::Context<'_>) -> Poll<Turn> {
        let turn = self.port.poll(self.ticket, task);
        if matches!(turn, Poll::Ready(Turn::Done(_))) {
            self.done = true;
        }
        turn
    }

    pub(crate) fn propose(&self, result: Result<Json, Failure>) {
        self.port.propose(self.ticket, result);
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        if !self.done {
            self.port.abandon(self.ticket);
        }
    }
}

pub(crate) fn publish_status<S: Serialize>(port: &dyn Port, status: &S) {
    match Json::of(status) {
        Ok(json) => port.publish(Published { custom_status: Some(json), percent: None }),
        Err(error) => {
            tracing::error!(operation.id = %port.operation(), %error, "a custom status has no JSON form; it is not shown");
        }
    }
}

/// Reads a journaled value; `None` stands for null.
pub(crate) fn read<T: DeserializeOwned>(value: Option<Json>) -> Result<T, Failure> {
    let text = value.as_ref().map_or("null", Json::get);
    serde_json::from_str(text).map_err(|error| {
        Failure::new("unreadable-result", "a recorded result does not have the expected form")
            .with_source(error)
    })
}
