//! The operator's side: every operation of a server, with its input and journal, on the management listener.
//!
//! ```no_run
//! # async fn run() -> Result<(), raincheck::Error> {
//! use raincheck::Status;
//! use raincheck::management::Filter;
//!
//! let admin = raincheck::Client::builder("http://127.0.0.1:8081").api_key("rck_…").build()?;
//! let page = admin.operations().list(&Filter::new().status(Status::Running)).await?;
//! for operation in page.operations {
//!     println!("{} {} by {}", operation.view.id, operation.view.action, operation.caller);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//! Every call gives [`Error::is_unauthorized`] if the key lacks the role (`observe` for reads, `operate` for
//! the rest), [`Error::is_not_found`] if there is no such operation, [`Error::is_refused`] for every other
//! no, [`Error::is_unavailable`] or [`Error::is_transport`] once the attempts are used up.
//!
//! # Cancel safety
//! Dropping the future of a read has no effect. That of a command may have been carried out or not; each can
//! be repeated, with the effect of one (an event only with the same idempotency key).

use std::time::Duration;

use raincheck_openapi::{headers, paths};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use crate::answer::Answer;
use crate::client::{Repeat, Sending};
use crate::transport::{Method, set_header, set_json};
use crate::{Client, Error, OperationReference, Status, address};

pub use raincheck_openapi::management::{
    JournalEntry, JournalPage, Links, MintLinks, OperationDetail, OperationPage, OperationSummary,
};

/// Which operations to list: all of them, newest first, unless narrowed.
#[derive(Debug, Clone, Default)]
pub struct Filter(Vec<(&'static str, String)>);

impl Filter {
    /// Every operation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those of this action.
    #[must_use]
    pub fn action(self, action: impl Into<String>) -> Self {
        self.with("action", action)
    }

    /// Only those that are in this status.
    #[must_use]
    pub fn status(self, status: Status) -> Self {
        self.with("status", status.as_str())
    }

    /// Only those that this caller started.
    #[must_use]
    pub fn caller(self, caller: impl Into<String>) -> Self {
        self.with("caller", caller)
    }

    /// Only those accepted at this time (RFC 3339) or later.
    #[must_use]
    pub fn created_after(self, time: impl Into<String>) -> Self {
        self.with("createdAfter", time)
    }

    /// Only those accepted before this time (RFC 3339).
    #[must_use]
    pub fn created_before(self, time: impl Into<String>) -> Self {
        self.with("createdBefore", time)
    }

    /// Only those whose status last changed at this time (RFC 3339) or later.
    #[must_use]
    pub fn updated_after(self, time: impl Into<String>) -> Self {
        self.with("updatedAfter", time)
    }

    /// Only those whose status last changed before this time (RFC 3339).
    #[must_use]
    pub fn updated_before(self, time: impl Into<String>) -> Self {
        self.with("updatedBefore", time)
    }

    /// Not more than this in one page.
    #[must_use]
    pub fn limit(self, limit: u32) -> Self {
        self.with("limit", limit.to_string())
    }

    /// The page that follows the one with this [`next`](OperationPage::next).
    #[must_use]
    pub fn cursor(self, next: impl Into<String>) -> Self {
        self.with("cursor", next)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.into()));
        self
    }
}

/// The operations of a server, from [`Client::operations`]. [The module](self) tells the errors of its calls.
#[derive(Debug, Clone)]
pub struct Operations {
    client: Client,
}

impl Operations {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// One page of operations, newest first.
    ///
    /// # Errors
    /// As [the module](self) says.
    pub async fn list(&self, filter: &Filter) -> Result<OperationPage, Error> {
        let mut url = self.url(paths::ADMIN_OPERATIONS);
        if !filter.0.is_empty() {
            url.query_pairs_mut().extend_pairs(&filter.0);
        }
        self.read(&url).await
    }

    /// One operation, with its input, timings, and what its failure says to operators.
    ///
    /// # Errors
    /// As [the module](self) says.
    pub async fn show(&self, id: &str) -> Result<OperationDetail, Error> {
        self.read(&self.of(id, "")).await
    }

    /// One page of an operation's journal, from the entry that follows `after`.
    ///
    /// # Errors
    /// As [the module](self) says.
    pub async fn journal(&self, id: &str, after: Option<u64>) -> Result<JournalPage, Error> {
        let mut url = self.of(id, "/journal");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", &after.to_string());
        }
        self.read(&url).await
    }

    /// Asks an operation to stop; it may still clean up.
    ///
    /// # Errors
    /// As [the module](self) says; 409 `already-terminal` if it has succeeded or failed.
    pub async fn cancel(&self, id: &str) -> Result<OperationReference, Error> {
        self.command(&self.of(id, "/cancel"), None).await
    }

    /// Ends an operation at once, as `Canceled` with the code `terminated`, without clean-up.
    ///
    /// # Errors
    /// As [the module](self) says; 409 `already-terminal` if it has ended.
    pub async fn terminate(&self, id: &str) -> Result<OperationReference, Error> {
        self.command(&self.of(id, "/terminate"), None).await
    }

    /// Sends an event to an operation. It waits there until the operation asks for it.
    ///
    /// Repetitions after a lost answer carry the same `Idempotency-Key`, so the event arrives once.
    ///
    /// # Errors
    /// As [the module](self) says; 404 `unknown-event` if the action declares no event of this name, 409
    /// `already-terminal` if the operation has ended, [`Error::is_usage`] if the payload is not JSON.
    pub async fn send_event(
        &self,
        id: &str,
        name: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<OperationReference, Error> {
        let body = json(payload)?;
        self.command(&self.of(id, &format!("/events/{name}")), Some(&body)).await
    }

    /// Makes one link for each right: `status`, `cancel`, `event:NAME`. Each URL is a secret.
    ///
    /// # Errors
    /// As [the module](self) says.
    pub async fn links<S: Into<String>>(
        &self,
        id: &str,
        rights: impl IntoIterator<Item = S>,
    ) -> Result<Links, Error> {
        let body = json(&MintLinks { rights: rights.into_iter().map(Into::into).collect() })?;
        let answer = self.send(&Method::POST, &self.of(id, "/links"), Some(&body)).await?;
        answer.json()
    }

    /// Removes an operation that has ended, before its retention is over.
    ///
    /// # Errors
    /// As [the module](self) says; 409 if it has not ended.
    pub async fn purge(&self, id: &str) -> Result<(), Error> {
        self.send(&Method::DELETE, &self.of(id, ""), None).await.map(drop)
    }

    fn url(&self, path: &str) -> Url {
        address::join(&self.client.0.base, path)
    }

    fn of(&self, id: &str, what: &str) -> Url {
        self.url(&format!("{}{what}", paths::admin_operation(id)))
    }

    async fn read<T: DeserializeOwned>(&self, url: &Url) -> Result<T, Error> {
        self.send(&Method::GET, url, None).await?.json()
    }

    async fn command(&self, url: &Url, body: Option<&[u8]>) -> Result<OperationReference, Error> {
        self.send(&Method::POST, url, body).await?.json()
    }

    async fn send(&self, method: &Method, url: &Url, body: Option<&[u8]>) -> Result<Answer, Error> {
        let mut request = self.client.0.transport.request(method.clone(), url, None);
        if *method == Method::POST {
            set_header(&mut request, headers::IDEMPOTENCY_KEY, &Uuid::now_v7().to_string());
        }
        if let Some(body) = body {
            set_json(&mut request, body.to_vec());
        }
        let mut sending = Sending { request, carried: None, hold: Duration::ZERO, repeat: Repeat::Safely };
        let answer = self.client.call(&mut sending, None).await?;
        if answer.is_success() { Ok(*answer) } else { Err(answer.refusal()) }
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value)
        .map_err(|cause| Error::usage("the payload cannot be written as JSON").because(cause))
}
