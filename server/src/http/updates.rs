//! `GET /v1/actions/{action}/operations/{id}/events`: the status on each change, as server-sent events (HTML standard,
//! §9.2), until the operation has ended.
//!
//! A reader that falls behind misses what lies between and gets the newest view: none is made before the one before it
//! has left, so nothing piles up. The stream ends with the operation; a browser's `EventSource` then asks again, with the
//! id of the view that it has, and a 204 tells it that there is no more.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{BoxStream, unfold};
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use raincheck_openapi::{ProblemCode, headers};
use tracing::warn;
use warp::reply::{Reply, Response};

use super::access::{Admitted, admit};
use super::call::Call;
use super::hold::Hold;
use super::location::Connection;
use super::problem::Problem;
use super::status::may_see;
use super::view::{self, View};
use super::{App, dice};
use crate::capability::{Right, Verdict};
use crate::clock::after;
use crate::operation::{Operation, OperationId};
use crate::store::{Found, StoreError};
use crate::watch::Watch;

/// The status of an operation on each change.
pub(crate) async fn stream(
    action: String,
    id: String,
    call: Arc<Call>,
    app: Arc<App>,
) -> Result<Response, Problem> {
    let admitted = admit(&app, &call, &action, &id, &Right::Status, may_see).await?;
    let operation = &admitted.operation;
    let newest = Update::of(operation);
    let known = call.headers.get(headers::LAST_EVENT_ID).is_some_and(|id| id.as_bytes() == newest.id);
    if operation.state.is_terminal() {
        return Ok(if known { StatusCode::NO_CONTENT.into_response() } else { events(newest.event()) });
    }
    if app.operations.is_draining() {
        return Err(Problem::draining());
    }
    let Some(place) = app.streams.hold(admitted.account()) else {
        let detail = "the limit of open streams is reached; the status URL answers all the same";
        let problem = Problem::new(ProblemCode::TooManyStreams, detail);
        return Err(problem.with_retry_after(app.paced(&operation.action).max(1)));
    };
    let retry = format!("retry: {}\n", RETRY_SHORTEST + dice::number() % RETRY_SPREAD);
    let limits = &app.settings.limits;
    let age = call.connection().opened.elapsed();
    let updates = Updates {
        first: Some(if known { retry + "\n" } else { retry + &newest.event() }),
        id: operation.id,
        known: newest.id,
        watch: app.operations.watch(operation.id),
        credential: Credential::of(&call, &admitted),
        ends: after(app.operations.now(), limits.connection_age.saturating_sub(age)),
        connection: Arc::clone(call.connection()),
        _place: place,
        app,
    };
    Ok(events(warp::reply::stream(Body::new(updates))))
}

/// When a reader shall come back whose stream broke off, in milliseconds: spread, because all of them break off together
/// when a process ends.
const RETRY_SHORTEST: u64 = 1_000;
const RETRY_SPREAD: u64 = 2_000;

fn events(body: impl Reply) -> Response {
    let mut answer = body.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Nginx, and what follows it, would collect events before it passes them on.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    answer
}

/// A view that may be sent.
struct Update {
    id: [u8; 22],
    view: Bytes,
}

impl Update {
    fn of(operation: &Operation) -> Self {
        let view = view::json(&View::new(operation));
        Self { id: view::version(&view), view }
    }

    fn event(&self) -> String {
        let id = String::from_utf8_lossy(&self.id);
        // JSON has line ends only between its words, where a space says the same; in an event, each ends a field.
        let view = String::from_utf8_lossy(&self.view).replace(['\n', '\r'], " ");
        format!("event: status\nid: {id}\ndata: {view}\n\n")
    }
}

/// A stream of updates that is open.
struct Updates {
    app: Arc<App>,
    first: Option<String>,
    id: OperationId,
    /// The view that the reader has.
    known: [u8; 22],
    watch: Watch<OperationId>,
    credential: Credential,
    ends: Timestamp,
    connection: Arc<Connection>,
    _place: Hold,
}

/// A thing to say in a stream, and whether it is the last.
struct Said {
    text: String,
    is_last: bool,
}

impl Updates {
    /// The next thing to say; `None` if the reader may not hear more.
    async fn next(&mut self) -> Option<Said> {
        if let Some(text) = self.first.take() {
            return Some(Said { text, is_last: false });
        }
        let operations = &self.app.operations;
        let heartbeat = after(operations.now(), self.app.settings.heartbeat);
        let mut silence = operations.sleep_until(heartbeat.min(self.ends));
        let mut is_silent = false;
        loop {
            poll_fn(|cx| self.connection.busy.poll_flowing(cx)).await;
            let operation = self.look().await?;
            let newest = Update::of(&operation);
            if newest.id != self.known {
                self.known = newest.id;
                return Some(Said { text: newest.event(), is_last: operation.state.is_terminal() });
            }
            if operations.is_draining() {
                return Some(Said { text: ": this process is shutting down\n\n".to_owned(), is_last: true });
            }
            if operations.now() >= self.ends {
                return Some(Said { text: ": this connection is too old\n\n".to_owned(), is_last: true });
            }
            if is_silent {
                return Some(Said { text: ":\n\n".to_owned(), is_last: false });
            }
            tokio::select! {
                () = self.watch.changed() => {}
                () = &mut silence => is_silent = true,
            }
        }
    }

    /// The operation as it is now, if the reader may still see it.
    async fn look(&self) -> Option<Arc<Operation>> {
        let read = async {
            match self.app.operations.read(self.id).await? {
                Some(Found::Operation(operation)) => {
                    let granted = self.credential.grants(&self.app, &operation).await?;
                    Ok::<_, StoreError>(granted.then_some(operation))
                }
                Some(Found::Gone(_)) | None => Ok(None),
            }
        };
        read.await.unwrap_or_else(|error| {
            warn!(operation.id = %self.id, %error, "a stream of updates ends: the store cannot be read");
            None
        })
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        // The connection may have other requests, and its idle time begins.
        self.connection.busy.end(false);
    }
}

/// By what a reader was let in, to be asked again before each thing that is said: a link ends, a key may be revoked.
enum Credential {
    Link(Box<str>),
    Key(Box<str>),
}

impl Credential {
    fn of(call: &Call, admitted: &Admitted) -> Self {
        match &admitted.token {
            Some(token) => Self::Link(token.as_str().into()),
            None => Self::Key(call.key().unwrap_or_default().into()),
        }
    }

    async fn grants(&self, app: &App, operation: &Operation) -> Result<bool, StoreError> {
        match self {
            Self::Link(token) => {
                let now = app.operations.now();
                Ok(app.signer.verify(token, operation.id, &Right::Status, now) == Verdict::Granted)
            }
            Self::Key(key) => {
                let caller = app.authenticator.authenticate(key).await?;
                Ok(caller.is_some_and(|caller| may_see(&caller, operation)))
            }
        }
    }
}

/// The body of a stream. warp wants bodies that threads could share, which futures are not; nobody ever waits for this
/// lock, because a body has one reader.
struct Body(Mutex<BoxStream<'static, Bytes>>);

impl Body {
    fn new(updates: Updates) -> Self {
        let said = unfold(Some(updates), async |updates| {
            let mut updates = updates?;
            let Said { text, is_last } = updates.next().await?;
            Some((Bytes::from(text), (!is_last).then_some(updates)))
        });
        Self(Mutex::new(Box::pin(said)))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let said = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        said.as_mut().poll_next(cx).map(|text| text.map(Ok))
    }
}
