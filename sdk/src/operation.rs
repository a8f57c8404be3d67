//! One accepted operation: awaited, watched, polled by hand, canceled, or kept for later.

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use raincheck_openapi::Status;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::answer::{Answer, Observed};
use crate::client::{Repeat, Sending};
use crate::dialect::Course;
use crate::pace::{Deadline, in_a_while};
use crate::recognise::{Begin, Begun};
use crate::step::{Ended, Step};
use crate::transport::Method;
use crate::trust::Carried;
use crate::view::Words;
use crate::{Client, Dialect, Error, ResumeToken, Updates, View, trace};

/// An operation at a server, with an output of type `T`. With `()` any output will do.
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
    /// What the request that started it brought along for the polls.
    pub(crate) carried: Option<Arc<Carried>>,
    pub(crate) course: Box<Course>,
    pub(crate) id: Option<Box<str>>,
    links: BTreeMap<String, String>,
    pub(crate) view: Option<Box<View>>,
    /// Its view is in `view`.
    pub(crate) ended: Option<(Ended, Box<Answer>)>,
    pub(crate) deadline: Option<Deadline>,
    /// Not to be polled before this; `None` for at once.
    pub(crate) due: Option<Instant>,
    /// The version of the last view, if the server has told one.
    pub(crate) etag: Option<Box<str>>,
    /// Whether the server may know `Prefer: wait`.
    pub(crate) holds: bool,
    /// Answers in a row that gave no pace.
    pub(crate) silent: u32,
    /// Polls in a row that failed.
    pub(crate) failures: u32,
    /// Nothing has been seen yet at the place that is asked next, and an answer of this very run has named it.
    pub(crate) fresh: bool,
    /// The last poll before the deadline has been sent.
    pub(crate) looked_last: bool,
    output: PhantomData<fn() -> T>,
}

impl<T> Operation<T> {
    fn new(client: Client, course: Course, deadline: Option<Deadline>) -> Self {
        Self {
            client,
            carried: None,
            course: Box::new(course),
            id: None,
            links: BTreeMap::new(),
            view: None,
            ended: None,
            deadline,
            due: None,
            etag: None,
            holds: true,
            silent: 0,
            failures: 0,
            fresh: false,
            looked_last: false,
            output: PhantomData,
        }
    }

    /// An operation that the first answer has shown to be accepted.
    pub(crate) fn begun(
        client: Client,
        carried: Option<Arc<Carried>>,
        begun: Begun,
        answer: Box<Answer>,
        deadline: Option<Deadline>,
        links: BTreeMap<String, String>,
    ) -> Self {
        let Begun { course, step } = begun;
        let mut operation = Self { carried, links, ..Self::new(client, course, deadline) };
        operation.learn(&answer);
        match step {
            Begin::AtWork(again) => {
                operation.go_on(again);
                operation.fresh = true;
            }
            Begin::Ended(ended) => operation.end(ended, answer),
        }
        operation
    }

    pub(crate) fn attached(client: Client, token: ResumeToken) -> Self {
        let (course, id) = token.into_parts();
        let deadline = client.0.patience.map(|patience| Deadline::new(patience, Instant::now()));
        Self { id: id.map(Into::into), ..Self::new(client, course, deadline) }
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
    pub fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    /// The status that the last answer has shown. A server that only says 202 says `Running`.
    #[must_use]
    pub fn status(&self) -> Status {
        match (&self.ended, &self.view) {
            (Some((ended, _)), _) => ended.status,
            (None, Some(view)) => view.status,
            (None, None) => Status::Running,
        }
    }

    /// How the server tells how the operation stands; `None` if that is taken from each answer anew.
    #[must_use]
    pub fn dialect(&self) -> Option<Dialect> {
        self.course.dialect
    }

    /// The last answer, once the operation has ended: whatever has the result, or tells why there is none.
    #[must_use]
    pub fn last_answer(&self) -> Option<LastAnswer<'_>> {
        self.ended.as_ref().map(|(_, answer)| LastAnswer(answer))
    }

    /// The links that the start asked for, by right. Each URL is a secret: whoever has it has the right.
    #[must_use]
    pub fn links(&self) -> &BTreeMap<String, String> {
        &self.links
    }

    /// What to keep in order to follow the operation again later, with [`Client::attach`].
    #[must_use]
    pub fn token(&self) -> ResumeToken {
        ResumeToken::new((*self.course).clone(), self.id.as_deref().map(str::to_owned))
    }

    /// How long the server wants to be left alone until the next poll. Zero once the operation has ended.
    #[must_use]
    pub fn pause(&self) -> Duration {
        match self.due {
            Some(due) if !self.has_ended() => due.saturating_duration_since(Instant::now()),
            _ => Duration::ZERO,
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
        loop {
            if self.ended.is_some() {
                return Ok(self.status());
            }
            let (step, seen) = Box::pin(self.look(false)).await;
            let retried = matches!(step, Step::Retry { .. });
            let fetch = matches!(step, Step::Fetch { .. });
            let lost = match (&seen, retried) {
                (Observed::Answer(answer), true) => Some(answer.refusal()),
                _ => None,
            };
            let seen = self.take(step, seen)?;
            if let Some(error) = lost.or(seen) {
                let error = self.expired(Instant::now()).unwrap_or(error);
                return Err(self.signed(error));
            }
            // It has succeeded, and the result is one request away.
            if !fetch {
                return Ok(self.status());
            }
        }
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
    /// Uses the `cancel` link of the start or Durable Functions' `terminatePostUri` if there is one, else a
    /// DELETE of the status URL, with whatever credentials that may see. Await the operation afterwards to see
    /// how it ended: it may still succeed. The deadline does not count here, so that an operation can be
    /// canceled because of it.
    ///
    /// # Errors
    /// [`Error::is_usage`] if there is no such URL: a DELETE of a resource that is its own status would delete
    /// it, and a success whose result is still to be fetched cannot be canceled.
    /// [`Error::is_refused`] if the caller may not cancel it, or if it has already succeeded or failed (409,
    /// `already-terminal`); [`Error::is_unavailable`] or [`Error::is_transport`] once the attempts are used
    /// up.
    ///
    /// # Cancel safety
    /// If the future is dropped, the server may have heard of it or not; canceling again does no harm.
    pub async fn cancel(&mut self) -> Result<Status, Error> {
        let (method, url) = self.way_to_cancel().map_err(|error| self.signed(error))?;
        let carried = self.carried.clone();
        let request = self.client.0.transport.request(method, &url, carried.as_deref());
        let mut sending = Sending { request, carried, hold: Duration::ZERO, repeat: Repeat::Safely };
        let answer = self.client.call(&mut sending, None).await.map_err(|error| self.signed(error))?;
        if !answer.is_success() {
            return Err(self.signed(answer.refusal()));
        }
        let told = answer.members().and_then(|body| body.view(Words::Monitor));
        if let Some(id) = told.as_ref().and_then(|view| view.id.as_deref()) {
            self.id = Some(id.into());
        }
        // A server that tells no status has only taken the wish.
        let status = told.map_or(Status::Canceling, |view| view.status);
        // What it waits for has changed by our own doing, so the pace that was asked for before is out of
        // date.
        self.due = self.due.min(in_a_while(self.client.0.policy.retry.first_pause));
        Ok(status)
    }
}

impl<T> Operation<T> {
    fn way_to_cancel(&self) -> Result<(Method, Url), Error> {
        if let Some(link) = self.links.get("cancel") {
            // Like a Location: seen through the gateway, and never from https to http.
            let url = self.client.0.policy.routes.resolve(self.course.url(), link);
            let url = url.ok_or_else(|| Error::usage("the server's link for canceling cannot be used"))?;
            return Ok((Method::DELETE, url));
        }
        if let Some(url) = &self.course.terminate {
            return Ok((Method::POST, terminate(url)));
        }
        let url = self.course.operation_url();
        let url = url.ok_or_else(|| Error::usage("there is no URL that would cancel this operation"))?;
        Ok((Method::DELETE, url.clone()))
    }
}

/// The URL of Durable Functions that ends an orchestration, which has a place for a reason.
fn terminate(url: &Url) -> Url {
    let mut terminate = url.clone();
    let pairs = url.query_pairs().filter(|(name, _)| name != "reason");
    let pairs: Vec<_> = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    terminate.query_pairs_mut().clear().extend_pairs(pairs).append_pair("reason", "canceled by its caller");
    terminate
}

impl<T: DeserializeOwned> Operation<T> {
    fn finish(self) -> impl Future<Output = Result<T, Error>> + Send {
        let mut operation = self;
        // A block in place of an `async fn`: that would keep the operation twice.
        async move {
            // First of all: a result that is there beats every deadline.
            while operation.ended.is_none() {
                operation.advance().await?;
            }
            operation.outcome()
        }
    }

    /// The outcome of an operation that has ended.
    pub(crate) fn outcome(&self) -> Result<T, Error> {
        let Some((ended, answer)) = &self.ended else {
            return Err(self.signed(Error::usage("the operation has not ended yet")));
        };
        match ended.error() {
            Some(error) => Err(self.signed(error)),
            None => read(ended.output(answer))
                .map_err(|cause| self.signed(Error::decode(cause).with_status(ended.code))),
        }
    }
}

/// Reads a result. Whoever asks for `()` wants to know that it succeeded, whatever the server says beside that.
fn read<T: DeserializeOwned>(output: &[u8]) -> Result<T, serde_json::Error> {
    let read = serde_json::from_slice(output);
    if size_of::<T>() == 0 { read.or_else(|_| serde_json::from_slice(b"null")) } else { read }
}

/// The answer with which an operation ended, or which refused it, as it came.
#[derive(Clone, Copy)]
pub struct LastAnswer<'a>(pub(crate) &'a Answer);

impl<'a> LastAnswer<'a> {
    /// Its HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// A header of it; `None` if it is not there or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.0.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.0.body
    }
}

impl fmt::Debug for LastAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor body: each may hold a secret.
        f.debug_struct("LastAnswer").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for Operation<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let id = self.id.clone();
        Box::pin(trace::operation(id.as_deref(), self.finish()))
    }
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("id", &self.id)
            .field("status", &self.status())
            .field("dialect", &self.course.dialect)
            .finish_non_exhaustive()
    }
}
