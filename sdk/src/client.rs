//! The client: one server, its credentials, one set of habits, shared by all its operations.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use url::Url;

use crate::answer::{Answer, Observed};
use crate::management::Operations;
use crate::pace::{Deadline, random};
use crate::step::Policy;
use crate::trace::debug;
use crate::transport::{Request, RequestBuilder, Transport, set_hold};
use crate::trust::Carried;
use crate::{
    ClientBuilder, Error, Finished, Operation, OperationRequest, ResumeToken, Start, Subscribe, Trigger,
    TriggerState, address, subscription,
};

/// A client of one server. Cheap to clone; clones share connections, limits and settings.
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

/// One request that is not a poll, and how it may be repeated.
pub(crate) struct Sending {
    pub(crate) request: Request,
    pub(crate) carried: Option<Arc<Carried>>,
    pub(crate) hold: Duration,
    pub(crate) repeat: Repeat,
}

impl Sending {
    /// The request to be sent now, and whether it could be sent once more: a body that streams cannot.
    fn next(&mut self) -> (Request, bool) {
        match self.request.try_clone() {
            Some(request) => (request, true),
            None => {
                let spent = Request::new(self.request.method().clone(), self.request.url().clone());
                (std::mem::replace(&mut self.request, spent), false)
            }
        }
    }
}

/// What came of sending a request once.
enum Attempt {
    Answered(Box<Answer>),
    Again(Duration),
    Failed(Error),
}

/// When a request may be sent again although its effect is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Always: a repetition has no effect of its own.
    Safely,
    /// Only if the server cannot have acted on it.
    IfUntouched,
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

    /// Sends any request to any server; awaited, it gives an [`Operation`] once the server has accepted it.
    ///
    /// The request is sent by the HTTP client that it was built with, and with this client's credentials if
    /// it goes to a trusted origin. The operation shares this client's limits and settings. Build the HTTP
    /// client with `redirect::Policy::none()`, for the reasons that [`ClientBuilder::http`] tells.
    ///
    /// ```no_run
    /// # async fn run(client: raincheck::Client, http: reqwest::Client) -> Result<(), raincheck::Error> {
    /// let restart = http.post("https://api.example/machines/7/restart?api-version=2026-01-01");
    /// let () = client.operation(restart).await?.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn operation<T>(&self, request: RequestBuilder) -> OperationRequest<T> {
        OperationRequest::new(Some(self.clone()), request)
    }

    /// Begins a request that this client's own connections send; it takes headers and a body, and goes to
    /// [`operation`](Self::operation).
    ///
    /// Nothing but the method and the URL is in it. The client's credentials are added when it is sent, if it
    /// goes to a trusted origin.
    ///
    /// ```no_run
    /// # async fn run(client: raincheck::Client) -> Result<(), raincheck::Error> {
    /// let create = client
    ///     .request("PUT", "https://api.example/sites/7?api-version=2026-01-01")?
    ///     .header("content-type", "application/json")
    ///     .body(r#"{"location": "Perth"}"#);
    /// let site: serde_json::Value = client.operation(create).await?.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_usage`] if the method is none that HTTP can carry, or the URL is not an absolute http or
    /// https URL. What is wrong with a header shows when the request is sent.
    pub fn request(&self, method: &str, url: &str) -> Result<RequestBuilder, Error> {
        self.0.transport.compose(method, url)
    }

    /// Follows an operation again that was started before, perhaps by another process. Nothing is sent yet.
    ///
    /// The credentials are this client's; the token has none.
    pub fn attach<T>(&self, token: ResumeToken) -> Operation<T> {
        Operation::attached(self.clone(), token)
    }

    /// Follows the operation with this status URL. Nothing is sent yet.
    ///
    /// The URL carries its own right; the client's API key goes along only to its own origin. Without a token
    /// each answer is taken for what it looks like; [`ResumeToken::with_dialect`] says it for certain.
    ///
    /// # Errors
    /// [`Error::is_usage`] if it is not an absolute http or https URL.
    pub fn attach_url<T>(&self, url: &str) -> Result<Operation<T>, Error> {
        Ok(self.attach(ResumeToken::from_url(url)?))
    }

    /// Follows what ends of an action; awaited, it gives a [`Trigger`] that tells everything that ends from
    /// then on.
    ///
    /// `T` is the action's output. Each end comes once, with the state to store after it. See [`Finished`]
    /// for its options.
    pub fn finished<T>(&self, action: &str) -> Finished<T> {
        Finished::new(self.clone(), action)
    }

    /// Follows the polling trigger at this URL, of any API that keeps to the contract of Logic Apps: 202
    /// while there is nothing new, 200 with what is, `Location` for the URL to ask next. Nothing is sent
    /// yet.
    ///
    /// `T` is what one item is read as. A list has as many items, anything else is one. Where such a
    /// trigger begins is its API's decision; as a rule, with what is new after the first poll.
    ///
    /// # Errors
    /// [`Error::is_usage`] if it is not an absolute http or https URL.
    pub fn trigger<T>(&self, url: &str) -> Result<Trigger<T>, Error> {
        Ok(self.attach_trigger(TriggerState::new(address::parse(url)?)))
    }

    /// Goes on with a trigger where somebody was, perhaps another process. Nothing is sent yet.
    ///
    /// `T` is what one item is read as, [`StatusView`](crate::StatusView) for what
    /// [`finished`](Self::finished) tells. The credentials are this client's; the state has none.
    pub fn attach_trigger<T>(&self, state: TriggerState) -> Trigger<T> {
        Trigger::new(self.clone(), state)
    }

    /// Asks the server to send everything that ends of an action to `url`, from now on; awaited, it gives a
    /// [`Subscription`](crate::Subscription). See [`Subscribe`] for its options, and the module `webhook`
    /// for the receiving end.
    pub fn subscribe(&self, action: &str, url: &str) -> Subscribe {
        Subscribe::new(self.clone(), action, url)
    }

    /// Ends a subscription by its [link](crate::Subscription::link); one that has ended already stays so.
    ///
    /// # Errors
    /// [`Error::is_usage`] if the link is no URL; [`Error::is_refused`] if it is none of a subscription;
    /// [`Error::is_unavailable`] or [`Error::is_transport`] once the attempts are used up.
    ///
    /// # Cancel safety
    /// If the future is dropped, the server may have heard of it or not; asking again does no harm.
    pub async fn unsubscribe(&self, link: &str) -> Result<(), Error> {
        subscription::unsubscribe(self, link).await
    }

    /// The operator's view, if this client was built for the URL of a server's *management* listener.
    #[must_use]
    pub fn operations(&self) -> Operations {
        Operations::new(self.clone())
    }

    /// Waits for the turn of a request; `None` if the deadline passes first.
    pub(crate) async fn enter(&self, url: &Url, deadline: Option<Deadline>) -> Option<SemaphorePermit<'_>> {
        let limiter = &self.0.transport.limiter;
        if let Some(permit) = limiter.enter_at_once() {
            return Some(permit);
        }
        match deadline {
            // Boxed like all that is rare, so that those who wait in line are small.
            Some(deadline) => Box::pin(tokio::time::timeout_at(deadline.at, limiter.enter(url))).await.ok(),
            None => Some(limiter.enter(url).await),
        }
    }

    /// Sends a request until it has an answer that is not a temporary one, as far as it may be repeated.
    pub(crate) async fn call(
        &self,
        sending: &mut Sending,
        deadline: Option<Deadline>,
    ) -> Result<Box<Answer>, Error> {
        let mut failures = 0;
        loop {
            let Some(permit) = self.enter(sending.request.url(), deadline).await else {
                return Err(Error::timeout(deadline.map_or(Duration::ZERO, |deadline| deadline.patience)));
            };
            match Box::pin(self.attempt(sending, failures, permit, deadline)).await {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(pause) => Box::pin(pause_for(pause)).await,
            }
            failures += 1;
        }
    }

    async fn attempt(
        &self,
        sending: &mut Sending,
        failures: u32,
        permit: SemaphorePermit<'_>,
        deadline: Option<Deadline>,
    ) -> Attempt {
        let policy = &self.0.policy;
        let (request, repeatable) = sending.next();
        let observed = self.ask(request, sending.carried.as_deref(), sending.hold, deadline).await;
        // Others may go while this one pauses.
        drop(permit);
        let allowed = repeatable && sending.repeat.allows(&observed);
        let (error, hint) = match observed {
            Observed::Answer(answer) if answer.is_temporary() => {
                (answer.refusal(), answer.hint(SystemTime::now))
            }
            Observed::Answer(answer) => return Attempt::Answered(answer),
            // It would be the same every time.
            Observed::Lost(error) if !error.is_transport() => return Attempt::Failed(error),
            Observed::Lost(error) => (error, None),
        };
        let pause = policy.retry.after_failure(hint, failures, random()).min(policy.max_pause);
        if let Some(deadline) = deadline {
            let remaining = deadline.remaining(Instant::now());
            if remaining.is_zero() {
                return Attempt::Failed(Error::timeout(deadline.patience).because(error));
            }
            if pause >= remaining {
                return Attempt::Failed(error);
            }
        }
        if failures + 1 >= policy.retry.attempts || !allowed {
            return Attempt::Failed(error);
        }
        debug!(failures = failures + 1, pause_ms = pause.as_millis() as u64, error = %error, "request failed, sent again");
        Attempt::Again(pause)
    }

    /// Sends one request, bounded by the request timeout and the deadline. It must have its turn.
    pub(crate) fn ask<'a>(
        &'a self,
        mut request: Request,
        carried: Option<&'a Carried>,
        mut hold: Duration,
        deadline: Option<Deadline>,
    ) -> impl Future<Output = Observed> + Send + use<'a> {
        let mut limit = self.0.request_timeout.saturating_add(hold);
        if let Some(deadline) = deadline {
            let remaining = deadline.remaining(Instant::now());
            // A held answer must come back before the patience ends, or it is lost together with what it
            // says.
            hold = hold.min(whole_seconds(remaining.saturating_sub(Duration::from_secs(1))));
            limit = limit.min(remaining);
        }
        set_hold(&mut request, hold);
        self.0.transport.ask(request, carried, limit)
    }
}

impl Repeat {
    fn allows(self, seen: &Observed) -> bool {
        match (self, seen) {
            (Self::Safely, _) => true,
            // RFC 9110: a 408 has not been read to its end, a 429 and a 503 have been turned away.
            (Self::IfUntouched, Observed::Answer(answer)) => matches!(answer.status, 408 | 429 | 503),
            (Self::IfUntouched, Observed::Lost(error)) => error.is_connect(),
        }
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
