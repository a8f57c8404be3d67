//! A start: the POST that asks for an operation, safe to send more than once.

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use raincheck_openapi::{Accepted, headers, paths};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::answer::Answer;
use crate::client::{Repeat, Sending, whole_seconds};
use crate::operation::Operation;
use crate::pace::Deadline;
use crate::recognise::{Asked, recognise};
use crate::step::Moment;
use crate::transport::{Method, set_header, set_json};
use crate::{Client, Error, address};

/// A start that is about to be sent; await it to get the [`Operation`].
///
/// Each start carries an `Idempotency-Key`, a fresh UUID unless [`idempotency_key`](Self::idempotency_key)
/// gives one. Therefore it is sent again without danger when an answer is lost or is 408, 429 or 5xx: the
/// server starts the action once. A key of your own extends that over a restart of your process.
///
/// ```no_run
/// # async fn run(client: raincheck::Client) -> Result<(), raincheck::Error> {
/// let operation: raincheck::Operation<serde_json::Value> = client
///     .start("request-approval", &serde_json::json!({"subject": "Travel"}))
///     .idempotency_key("travel-2026-117")
///     .links(["event:decision"])
///     .await?;
/// println!("give this to the approver: {}", operation.links()["event:decision"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::is_refused`] if the server does not accept it ([`problem`](Error::problem) says why),
/// [`Error::is_unavailable`] or [`Error::is_transport`] once the attempts are used up, [`Error::is_timeout`]
/// if the deadline passes first, [`Error::is_usage`] if the input or the key cannot be sent. An operation
/// that was accepted and has already failed is no error here, but of the [`Operation`].
///
/// # Cancel safety
/// If the future is dropped, the action may have been started or not. A repetition with the same idempotency
/// key finds out and starts nothing twice.
#[must_use = "a start is sent only when it is awaited"]
pub struct Start<T> {
    client: Client,
    action: String,
    body: Result<Vec<u8>, Error>,
    key: String,
    links: Vec<String>,
    hold: Duration,
    patience: Option<Duration>,
    output: PhantomData<fn() -> T>,
}

impl<T> Start<T> {
    pub(crate) fn new(client: Client, action: &str, input: &(impl Serialize + ?Sized)) -> Self {
        let body = serde_json::to_vec(input)
            .map_err(|cause| Error::usage("the input cannot be written as JSON").because(cause));
        let patience = client.0.patience;
        Self {
            client,
            action: action.to_owned(),
            body,
            key: Uuid::now_v7().to_string(),
            links: Vec::new(),
            hold: Duration::ZERO,
            patience,
            output: PhantomData,
        }
    }

    /// Names this start, so that repeating it, even from another process, starts nothing twice: 1 to 255
    /// visible ASCII characters, bound to the caller and the action.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// The idempotency key that this start will carry. Keep it before awaiting, to repeat the start after a
    /// crash.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Lets the server hold its answer until the operation ends, for this long at most; default: not at all.
    ///
    /// For actions that are quick as a rule: then the start brings the result along and there is no poll.
    /// Until the answer comes there is nothing to watch and no token to keep.
    pub fn prefer_wait(mut self, wait: Duration) -> Self {
        self.hold = whole_seconds(wait);
        self
    }

    /// Asks for links with further rights, such as `cancel` or `event:decision`; they are in
    /// [`Operation::links`]. The server refuses rights that the action does not allow to its callers.
    pub fn links<S: Into<String>>(mut self, rights: impl IntoIterator<Item = S>) -> Self {
        self.links.extend(rights.into_iter().map(Into::into));
        self
    }

    /// How long this operation may take, from now on, in place of the client's
    /// [`timeout`](crate::ClientBuilder::timeout).
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    async fn send(self) -> Result<Operation<T>, Error> {
        let deadline = self.patience.map(|patience| Deadline::new(patience, Instant::now()));
        if !is_key(&self.key) {
            return Err(Error::usage("an idempotency key has 1 to 255 visible ASCII characters"));
        }
        let mut url = address::join(&self.client.0.base, &paths::start(&self.action));
        if !self.links.is_empty() {
            url.query_pairs_mut().append_pair("links", &self.links.join(","));
        }
        let mut request = self.client.0.transport.request(Method::POST, &url, None);
        set_header(&mut request, headers::IDEMPOTENCY_KEY, &self.key);
        set_json(&mut request, self.body?);
        let mut sending = Sending { request, carried: None, hold: self.hold, repeat: Repeat::Safely };
        let answer = self.client.call(&mut sending, deadline).await?;
        let asked = Asked { method: &Method::POST, url: &url, dialect: None, final_state_via: None };
        let begun = recognise(&answer, &asked, &self.client.0.policy, &Moment::now(0, 0))?;
        let links = links(&answer);
        Ok(Operation::begun(self.client, None, begun, answer, deadline, links))
    }
}

fn is_key(key: &str) -> bool {
    (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

fn links(answer: &Answer) -> BTreeMap<String, String> {
    answer.json::<Accepted<Value, Value>>().ok().and_then(|accepted| accepted.links).unwrap_or_default()
}

impl<T: Send + 'static> IntoFuture for Start<T> {
    type Output = Result<Operation<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<T> fmt::Debug for Start<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("action", &self.action).finish_non_exhaustive()
    }
}
