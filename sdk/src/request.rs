//! Any request to any server, sent as the start of an operation.

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::answer::names;
use crate::client::{Repeat, Sending, whole_seconds};
use crate::pace::Deadline;
use crate::recognise::{Asked, recognise};
use crate::step::Moment;
use crate::transport::{HttpClient, Method, Request, RequestBuilder, split};
use crate::trust::Carried;
use crate::{Client, Dialect, Error, FinalStateVia, Operation, ResumeToken};

/// Sends any request to any server as the start of an operation, without a [`Client`] of its own.
///
/// What the request carries beside its body (a credential, `x-ms-client-request-id`) goes along with the
/// polls to its own origin, and nowhere else. That holds for the default headers of the HTTP client as well if
/// it is built with `redirect::Policy::none()`; otherwise it follows redirects by itself, and takes along all
/// of them that it does not know to be secrets. Use [`Client::operation`] for limits over many operations, for
/// status URLs on further trusted origins, and for everything else in [`ClientBuilder`](crate::ClientBuilder).
///
/// ```no_run
/// # async fn run(http: reqwest::Client, site: serde_json::Value) -> Result<(), raincheck::Error> {
/// let create = http.put("https://api.example/sites/7?api-version=2026-01-01").bearer_auth("…").json(&site);
/// let site: serde_json::Value = raincheck::operation(create).await?.await?;
/// # Ok(())
/// # }
/// ```
pub fn operation<T>(request: RequestBuilder) -> OperationRequest<T> {
    OperationRequest::new(None, request)
}

/// A request that is about to be sent; await it to get the [`Operation`].
///
/// A GET, PUT, DELETE and the like is sent again when its answer is lost or is a 408, 429 or 5xx. Anything
/// else, such as a POST, only when the server cannot have acted on it (no connection, 408, 429, 503), unless
/// it has an `Idempotency-Key` or `Repeatability-Request-ID`, or [`repeatable`](Self::repeatable) says that
/// it may.
///
/// # Errors
/// [`Error::is_refused`] if the server does not accept it, [`Error::is_unavailable`] or
/// [`Error::is_transport`] once the attempts are used up, [`Error::is_timeout`] if the deadline passes first,
/// [`Error::is_unexpected`] if the answer leads nowhere, [`Error::is_usage`] if the request cannot be built.
/// An operation that has failed with its first answer is no error here, but of the [`Operation`].
///
/// # Cancel safety
/// If the future is dropped, the server may have accepted the request or not.
#[must_use = "a request is sent only when it is awaited"]
pub struct OperationRequest<T> {
    client: Option<Client>,
    http: HttpClient,
    request: Result<Request, Error>,
    dialect: Option<Dialect>,
    final_state_via: Option<FinalStateVia>,
    repeatable: bool,
    hold: Duration,
    patience: Option<Duration>,
    output: PhantomData<fn() -> T>,
}

impl<T> OperationRequest<T> {
    pub(crate) fn new(client: Option<Client>, request: RequestBuilder) -> Self {
        let (http, request) = split(request);
        let patience = client.as_ref().and_then(|client| client.0.patience);
        Self {
            client,
            http,
            request,
            dialect: None,
            final_state_via: None,
            repeatable: false,
            hold: Duration::ZERO,
            patience,
            output: PhantomData,
        }
    }

    /// Says how the server tells how the operation stands, instead of taking it from the first answer.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Says where the result is, instead of the [rule](FinalStateVia).
    pub fn final_state_via(mut self, via: FinalStateVia) -> Self {
        self.final_state_via = Some(via);
        self
    }

    /// Promises that sending this request twice has the effect of once, so that it is sent again when the
    /// answer is lost or is a 5xx, whatever its method.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Lets a server that knows `Prefer: wait` hold its first answer for this long at most; default: not at
    /// all.
    pub fn prefer_wait(mut self, wait: Duration) -> Self {
        self.hold = whole_seconds(wait);
        self
    }

    /// How long this operation may take, from its start, in place of the client's
    /// [`timeout`](crate::ClientBuilder::timeout).
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Follows an operation again that this request has started before, perhaps in another process. Nothing
    /// is sent for it: the polls carry the credentials that this request would have brought along.
    ///
    /// ```no_run
    /// # async fn run(client: raincheck::Client, stored: String) -> Result<(), Box<dyn std::error::Error>> {
    /// let restart = client.request("POST", "https://api.example/restart")?.header("x-api-key", "…");
    /// let () = client.operation(restart).attach(serde_json::from_str(&stored)?)?.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_usage`] if the request cannot be built.
    pub fn attach(self, token: ResumeToken) -> Result<Operation<T>, Error> {
        let request = self.request?;
        let client = client_of(self.client, &request, &self.http)?;
        let carried = Arc::new(Carried::of(self.http, &request));
        let deadline = self.patience.map(|patience| Deadline::new(patience, Instant::now()));
        let mut operation = client.attach(token);
        operation.carried = Some(carried);
        operation.deadline = deadline;
        Ok(operation)
    }

    /// Makes all that can be made before the first await, so that the future holds nothing twice.
    fn prepare(self) -> Result<Prepared, Error> {
        let mut request = self.request?;
        let client = client_of(self.client, &request, &self.http)?;
        let carried = Arc::new(Carried::of(self.http, &request));
        client.0.transport.entitle(&mut request);
        let safely = self.repeatable || is_repeatable(&request);
        let repeat = if safely { Repeat::Safely } else { Repeat::IfUntouched };
        Ok(Prepared {
            client,
            carried,
            request,
            repeat,
            hold: self.hold,
            dialect: self.dialect,
            final_state_via: self.final_state_via,
            deadline: self.patience.map(|patience| Deadline::new(patience, Instant::now())),
        })
    }
}

/// A request that is ready to be sent.
struct Prepared {
    client: Client,
    carried: Arc<Carried>,
    request: Request,
    repeat: Repeat,
    hold: Duration,
    dialect: Option<Dialect>,
    final_state_via: Option<FinalStateVia>,
    deadline: Option<Deadline>,
}

impl Prepared {
    fn send<T>(self) -> impl Future<Output = Result<Operation<T>, Error>> + Send {
        let Self { client, carried, request, repeat, hold, dialect, final_state_via, deadline } = self;
        let mut sending = Sending { request, carried: Some(carried), hold, repeat };
        // A block in place of an `async fn`: that would keep its arguments and its variables.
        async move {
            let answer = client.call(&mut sending, deadline).await?;
            let Sending { request, carried, .. } = sending;
            let asked = Asked { method: request.method(), url: request.url(), dialect, final_state_via };
            let begun = recognise(&answer, &asked, &client.0.policy, &Moment::now(0, 0))?;
            Ok(Operation::begun(client, carried, begun, answer, deadline, BTreeMap::new()))
        }
    }
}

/// The client that was given, or one of the request's own.
fn client_of(given: Option<Client>, request: &Request, http: &HttpClient) -> Result<Client, Error> {
    given.map_or_else(|| Client::builder(request.url().as_str()).http(http.clone()).build(), Ok)
}

/// Whether HTTP or the request itself says that sending it twice has the effect of once.
fn is_repeatable(request: &Request) -> bool {
    let keyed = [names::IDEMPOTENCY_KEY, names::REPEATABILITY_REQUEST_ID];
    request.method().is_idempotent() || keyed.iter().any(|name| request.headers().contains_key(name))
}

impl<T: Send + 'static> IntoFuture for OperationRequest<T> {
    type Output = Result<Operation<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        match self.prepare() {
            Ok(prepared) => Box::pin(prepared.send()),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl<T> fmt::Debug for OperationRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method: Option<&Method> = self.request.as_ref().ok().map(Request::method);
        f.debug_struct("OperationRequest").field("method", &method).finish_non_exhaustive()
    }
}
