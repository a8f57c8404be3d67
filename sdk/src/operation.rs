//! One accepted operation: awaited, watched, polled by hand, canceled, or kept for later.

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use raincheck_openapi::{OperationReference, Status, StatusView};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::answer::Observed;
use crate::pace::Deadline;
use crate::step::{Ended, Step};
use crate::transport::{Ask, Method};
use crate::{Client, Error, ResumeToken, Updates, address};

/// An operation at a server, with an output of type `T`.
///
/// Await it for its output; or [watch](Self::updates) it and then await it; or [poll](Self::poll) it by hand;
/// or keep its [token](Self::token) and come back another day. Dropping it leaves the operation as it is.
///
/// ```no_run
/// # async fn run(client: raincheck::Client) -> Result<(), raincheck::Error> {
/// let mut operation: raincheck::Operation<String> = client.start("countdown", &[3]).await?;
/// let mut updates = operation.updates();
/// while let Some(view) = updates.next().await {
///     println!("{}", view?.status);
/// }
/// println!("{}", operation.await?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Awaited, it gives [`Error::is_failed`] or [`Error::is_canceled`] if the operation ended that way;
/// [`Error::is_timeout`] if the deadline passed first; [`Error::is_refused`] (as well [`Error::is_gone`], …)
/// if the server does not show it; [`Error::is_decode`] if the output is no `T`. Failed *polls* are no error:
/// they are repeated until the deadline, if there is one.
///
/// # Cancel safety
/// Dropping the future loses no result: the operation goes on at the server, and
/// [`Client::attach`] with its token follows it again.
#[must_use = "an operation is followed only when it is awaited or polled; keep its token to do that later"]
pub struct Operation<T> {
    pub(crate) client: Client,
    pub(crate) url: Url,
    pub(crate) id: Option<String>,
    links: BTreeMap<String, String>,
    pub(crate) view: Option<StatusView>,
    pub(crate) ended: Option<Box<Ended>>,
    pub(crate) deadline: Option<Deadline>,
    /// Not to be polled before this.
    pub(crate) due: Instant,
    /// Answers in a row that gave no pace.
    pub(crate) silent: u32,
    /// Polls in a row that failed.
    pub(crate) failures: u32,
    /// The last poll before the deadline has been sent.
    pub(crate) looked_last: bool,
    output: PhantomData<fn() -> T>,
}

impl<T> Operation<T> {
    pub(crate) fn new(
        client: Client,
        url: Url,
        deadline: Option<Deadline>,
        links: BTreeMap<String, String>,
    ) -> Self {
        Self {
            client,
            url,
            id: None,
            links,
            view: None,
            ended: None,
            deadline,
            due: Instant::now(),
            silent: 0,
            failures: 0,
            looked_last: false,
            output: PhantomData,
        }
    }

    pub(crate) fn attached(client: Client, token: ResumeToken) -> Self {
        let (url, id) = token.into_parts();
        let deadline = client.0.patience.map(|patience| Deadline::new(patience, Instant::now()));
        Self { id, ..Self::new(client, url, deadline, BTreeMap::new()) }
    }

    /// Bounds the time that following this operation may take, from now on.
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.deadline = Some(Deadline::new(patience, Instant::now()));
        self.looked_last = false;
        self
    }

    /// The operation's id, once an answer has shown it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The last status that an answer has shown.
    #[must_use]
    pub fn view(&self) -> Option<&StatusView> {
        self.view.as_ref()
    }

    /// The links that the start asked for, by right. Each URL is a secret: whoever has it has the right.
    #[must_use]
    pub fn links(&self) -> &BTreeMap<String, String> {
        &self.links
    }

    /// What to keep in order to follow the operation again later, with [`Client::attach`].
    #[must_use]
    pub fn token(&self) -> ResumeToken {
        ResumeToken::new(self.url.clone(), self.id.clone())
    }

    /// How long the server wants to be left alone until the next poll. Zero once the operation has ended.
    #[must_use]
    pub fn pause(&self) -> Duration {
        match self.ended {
            Some(_) => Duration::ZERO,
            None => self.due.saturating_duration_since(Instant::now()),
        }
    }

    /// Asks once, at once, and gives the status; [`view`](Self::view) has the rest.
    ///
    /// Leave [`pause`](Self::pause) between two polls. An operation that has ended is not asked for again.
    ///
    /// # Errors
    /// [`Error::is_transport`] or [`Error::is_unavailable`] if this poll failed: that says nothing about the
    /// operation, poll again. [`Error::is_timeout`] if the deadline has passed without an answer.
    /// [`Error::is_refused`] if the server does not show it. An operation that failed is a
    /// status here, not an error.
    ///
    /// # Cancel safety
    /// Nothing is lost: the next poll asks anew.
    pub async fn poll(&mut self) -> Result<Status, Error> {
        if let Some(ended) = &self.ended {
            return Ok(ended.view.status);
        }
        let (step, seen) = self.look(Duration::ZERO).await;
        let retried = matches!(step, Step::Retry { .. });
        self.take(step)?;
        if retried {
            let error = match seen {
                Observed::Answer(answer) => answer.refusal(),
                Observed::Lost(error) => error,
            };
            let error = self.expired(Instant::now()).unwrap_or(error);
            return Err(self.signed(error));
        }
        // A 202 without a view still says that the operation runs.
        Ok(self.view.as_ref().map_or(Status::Running, |view| view.status))
    }

    /// The status after each poll, reported as soon as it is known, beginning with the last one known.
    ///
    /// They come at the pace that the server asks for, failed polls are repeated, and they end after the last
    /// status, whether the operation succeeded or not. Then await the operation: it has the outcome and asks
    /// no more.
    pub fn updates(&mut self) -> Updates<'_, T> {
        Updates::new(self)
    }

    /// Asks the server to cancel the operation and gives its status: `Canceling` while it cleans up, or
    /// `Canceled`.
    ///
    /// Uses the `cancel` link of the start if there is one, else the status URL and the client's key. Await
    /// the operation afterwards to see how it ended: it may still succeed. The deadline does not count here,
    /// so that an operation can be canceled because of it.
    ///
    /// # Errors
    /// [`Error::is_refused`] if the caller may not cancel it, or if it has already succeeded or failed (409,
    /// `already-terminal`); [`Error::is_unavailable`] or [`Error::is_transport`] once the attempts are used
    /// up.
    ///
    /// # Cancel safety
    /// If the future is dropped, the server may have heard of it or not; canceling again does no harm.
    pub async fn cancel(&mut self) -> Result<Status, Error> {
        let url = match self.links.get("cancel") {
            Some(link) => address::parse(link)?,
            None => self.url.clone(),
        };
        let ask = Ask { method: &Method::DELETE, url: &url, headers: &[], body: None, hold: Duration::ZERO };
        let answer = self.client.call(ask, None).await.map_err(|error| self.signed(error))?;
        if !answer.is_success() {
            return Err(self.signed(answer.refusal()));
        }
        let OperationReference { id, status } = answer.json()?;
        self.id = Some(id);
        // What it waits for has changed by our own doing, so the pace that was asked for before is out of
        // date.
        self.due = self.due.min(Instant::now() + self.client.0.policy.retry.first_pause);
        Ok(status)
    }
}

impl<T: DeserializeOwned> Operation<T> {
    async fn finish(mut self) -> Result<T, Error> {
        let ended = loop {
            // Before anything else: a result that is there beats every deadline.
            if let Some(ended) = self.ended.take() {
                break ended;
            }
            self.advance().await?;
        };
        match ended.error() {
            Some(error) => Err(error.with_token(self.token())),
            // An output of `()` is absent or null on the wire.
            None => serde_json::from_value(ended.view.output.clone().unwrap_or(Value::Null))
                .map_err(|cause| self.signed(Error::decode(cause))),
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for Operation<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.finish())
    }
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.view.as_ref().map(|view| view.status);
        f.debug_struct("Operation").field("id", &self.id).field("status", &status).finish_non_exhaustive()
    }
}
