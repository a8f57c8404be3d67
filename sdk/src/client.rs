//! The client: one server, one credential, one set of habits, shared by all its operations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tracing::debug;
use url::Url;

use crate::answer::{Answer, Observed};
use crate::management::Operations;
use crate::pace::Deadline;
use crate::step::{Moment, Policy};
use crate::transport::{Ask, Transport};
use crate::{ClientBuilder, Error, Operation, ResumeToken, Start};

/// A client of one server. Cheap to clone; clones share connections and settings.
///
/// ```no_run
/// # async fn run() -> Result<(), raincheck::Error> {
/// let client = raincheck::Client::builder("https://api.example").api_key("rck_…").build()?;
/// let outcome: String = client.start("countdown", &serde_json::json!({"seconds": 3})).await?.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) base: Url,
    pub(crate) transport: Transport,
    pub(crate) policy: Policy,
    pub(crate) patience: Option<Duration>,
    pub(crate) request_timeout: Duration,
    pub(crate) hold: Duration,
}

impl Client {
    /// Describes a client of the server at `url`, such as `https://api.example` or `http://127.0.0.1:8080`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    /// Starts an action with an input; awaited, it gives an [`Operation`] once the server has accepted it.
    ///
    /// `T` is the action's output. The start carries an `Idempotency-Key`, so it is sent again safely if the
    /// answer is lost. See [`Start`] for its options.
    pub fn start<T>(&self, action: &str, input: &(impl Serialize + ?Sized)) -> Start<T> {
        Start::new(self.clone(), action, input)
    }

    /// Follows an operation again that was started before, perhaps by another process. Nothing is sent yet.
    pub fn attach<T>(&self, token: ResumeToken) -> Operation<T> {
        Operation::attached(self.clone(), token)
    }

    /// Follows the operation with this status URL. Nothing is sent yet.
    ///
    /// The URL carries its own right; the client's API key goes along only to its own origin.
    ///
    /// # Errors
    /// [`Error::is_usage`] if it is not an absolute http or https URL.
    pub fn attach_url<T>(&self, url: &str) -> Result<Operation<T>, Error> {
        Ok(self.attach(ResumeToken::from_url(url)?))
    }

    /// The operator's view, if this client was built for the URL of a server's *management* listener.
    #[must_use]
    pub fn operations(&self) -> Operations {
        Operations::new(self.clone())
    }

    /// Sends a request that may be repeated safely, until it has an answer that is not a temporary one.
    pub(crate) async fn call(&self, ask: Ask<'_>, deadline: Option<Deadline>) -> Result<Answer, Error> {
        let policy = &self.0.policy;
        let mut failures = 0;
        loop {
            let observed = self.ask(ask, deadline).await;
            let moment = Moment::now(0, failures);
            let (error, hint) = match observed {
                Observed::Answer(answer) if answer.is_temporary() => {
                    (answer.refusal(), answer.hints.pause(moment.wall))
                }
                Observed::Answer(answer) => return Ok(*answer),
                Observed::Lost(error) => (error, None),
            };
            failures += 1;
            let pause = policy.retry.after_failure(hint, failures - 1, moment.random).min(policy.max_pause);
            if let Some(deadline) = deadline {
                let remaining = deadline.remaining(Instant::now());
                if remaining.is_zero() {
                    return Err(Error::timeout(deadline.patience).because(error));
                }
                if pause >= remaining {
                    return Err(error);
                }
            }
            if failures >= policy.retry.attempts {
                return Err(error);
            }
            debug!(failures, pause_ms = pause.as_millis(), error = %error, "request failed and is sent again");
            pause_for(pause).await;
        }
    }

    /// Sends one request, bounded by the request timeout and the deadline.
    pub(crate) async fn ask(&self, mut ask: Ask<'_>, deadline: Option<Deadline>) -> Observed {
        let mut limit = self.0.request_timeout.saturating_add(ask.hold);
        if let Some(deadline) = deadline {
            let remaining = deadline.remaining(Instant::now());
            // A held answer must come back before the patience ends, or it is lost together with what it
            // says.
            ask.hold = ask.hold.min(whole_seconds(remaining.saturating_sub(Duration::from_secs(1))));
            limit = limit.min(remaining);
        }
        self.0.transport.ask(ask, limit).await
    }
}

pub(crate) fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

/// Sleeps, but not for zero: the timer would take more than a millisecond for that.
pub(crate) async fn pause_for(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

pub(crate) async fn pause_until(at: Instant) {
    pause_for(at.saturating_duration_since(Instant::now())).await;
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("origin", &self.0.base.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}
