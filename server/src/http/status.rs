//! The status of an operation: at its `Location`, and as a monitor.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use raincheck_openapi::headers;
use warp::reply::{Reply, Response};

use super::access::{Admitted, admit};
use super::call::Call;
use super::problem::Problem;
use super::view::{self, View};
use super::{App, dice, prefer};
use crate::action::{Pace, Settings};
use crate::auth::Caller;
use crate::capability::Right;
use crate::clock::after;
use crate::operation::{Operation, Origin, State};
use crate::retry_after;

/// `GET /v1/actions/{action}/operations/{id}`: 202 while it runs, then 200 or the 4xx of its end.
pub(crate) async fn show(
    action: String,
    id: String,
    call: Arc<Call>,
    app: Arc<App>,
) -> Result<Response, Problem> {
    let seen = see(&app, &call, &action, &id, Until::Progress).await?;
    let Seen { admitted: Admitted { operation, token, caller: _ }, held } = seen;
    if operation.state.is_terminal() {
        let mut answer = outcome(operation, Some(&call.headers));
        applied(&mut answer, held);
        return Ok(answer);
    }
    let base = app.base(&call);
    let token = token.unwrap_or_else(|| app.signer.sign(&operation, &Right::Status).reveal().to_owned());
    let mut answer =
        running(&app, StatusCode::ACCEPTED, view::json(&View::new(&operation)), &operation, held);
    answer.headers_mut().insert(header::LOCATION, url(&base, &operation, "", &token));
    Ok(answer)
}

/// `GET …/{id}/status`: always 200, whatever became of it; 304 to whoever has seen this view.
pub(crate) async fn monitor(
    action: String,
    id: String,
    call: Arc<Call>,
    app: Arc<App>,
) -> Result<Response, Problem> {
    let Seen { admitted, held } = see(&app, &call, &action, &id, Until::OtherView).await?;
    let operation = admitted.operation;
    let view = view::json(&View::new(&operation));
    let etag = view::etag(&view);
    let seen_before = view::none_match(&call.headers, &etag);
    let (status, body) =
        if seen_before { (StatusCode::NOT_MODIFIED, Bytes::new()) } else { (StatusCode::OK, view) };
    let mut answer = if operation.state.is_terminal() {
        let mut answer = json(status, body);
        applied(&mut answer, held);
        answer
    } else {
        running(&app, status, body, &operation, held)
    };
    answer.headers_mut().insert(header::ETAG, etag);
    Ok(answer)
}

/// The answer of an operation that has ended: 200 with its view, or the problem that it ended with.
///
/// `asked` are the headers of the poll, which may name the view; a start has none that count.
pub(crate) fn outcome(operation: Arc<Operation>, asked: Option<&HeaderMap>) -> Response {
    if operation.state != State::Succeeded {
        return Problem::ended(operation).into_response();
    }
    let view = view::json(&View::new(&operation));
    let etag = view::etag(&view);
    let mut answer = if asked.is_some_and(|headers| view::none_match(headers, &etag)) {
        json(StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        json(StatusCode::OK, view)
    };
    answer.headers_mut().insert(header::ETAG, etag);
    answer
}

/// An answer with a view of an operation that has not ended, and with the time to ask again.
pub(crate) fn running(
    app: &App,
    status: StatusCode,
    body: Bytes,
    operation: &Operation,
    held: Option<u64>,
) -> Response {
    let action = &operation.action;
    let seconds = if held.is_some() { app.soon(action) } else { app.paced(action) };
    let mut answer = json(status, body);
    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    applied(&mut answer, held);
    answer
}

/// An answer with this JSON; a 304 has none.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response {
    let is_there = status != StatusCode::NOT_MODIFIED;
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    if is_there {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    answer
}

/// The URL of an operation, with `token`, as a header.
pub(crate) fn url(base: &str, operation: &Operation, suffix: &str, token: &str) -> HeaderValue {
    let Origin { id, action, .. } = &*operation.origin;
    let url = format!("{base}/v1/actions/{action}/operations/{id}{suffix}?token={token}");
    HeaderValue::from_maybe_shared(Bytes::from(url)).expect("a URL is visible ASCII")
}

/// Says that the wish to be held was honoured.
pub(crate) fn applied(answer: &mut Response, held: Option<u64>) {
    if let Some(seconds) = held
        && let Ok(value) = HeaderValue::try_from(format!("wait={seconds}"))
    {
        answer.headers_mut().insert(headers::PREFERENCE_APPLIED, value);
    }
}

struct Seen {
    admitted: Admitted,
    /// The seconds for which the answer might have been held, if the wish was honoured.
    held: Option<u64>,
}

/// What a held answer waits for.
#[derive(Clone, Copy)]
enum Until {
    /// Status, custom status or progress differ from those at arrival.
    Progress,
    /// The view differs from the one that the caller names, if it names one; else as above.
    OtherView,
}

// Rights are checked at arrival, and again before an answer that was held: a key may have been revoked meanwhile.
async fn see(app: &App, call: &Call, action: &str, id: &str, until: Until) -> Result<Seen, Problem> {
    let admitted = admit(app, call, action, id, &Right::Status, may_see).await?;
    let Some(seconds) = prefer::wait(&call.headers, app.settings.wait_cap) else {
        return Ok(Seen { admitted, held: None });
    };
    if admitted.operation.state.is_terminal() {
        return Ok(Seen { admitted, held: Some(seconds) });
    }
    let Some(_hold) = app.hold(admitted.account()) else {
        return Ok(Seen { admitted, held: None });
    };
    let before = Arc::clone(&admitted.operation);
    let known = match until {
        Until::OtherView => known_view(call, &before),
        Until::Progress => None,
    };
    let differs = |now: &Operation| match (&known, until) {
        (Some(known), _) => view::etag(&view::json(&View::new(now))) != *known,
        // Names a view, but not the one that there was: it differs already.
        (None, Until::OtherView) if call.headers.contains_key(header::IF_NONE_MATCH) => true,
        (None, _) => {
            (now.state, &now.custom_status, now.percent)
                != (before.state, &before.custom_status, before.percent)
        }
    };
    let limit = after(app.operations.now(), Duration::from_secs(seconds));
    app.operations.wait(before.id, limit, |now| now.state.is_terminal() || differs(now)).await?;
    let admitted = admit(app, call, action, id, &Right::Status, may_see).await?;
    Ok(Seen { admitted, held: Some(seconds) })
}

fn known_view(call: &Call, operation: &Operation) -> Option<HeaderValue> {
    if !call.headers.contains_key(header::IF_NONE_MATCH) {
        return None;
    }
    let etag = view::etag(&view::json(&View::new(operation)));
    view::none_match(&call.headers, &etag).then_some(etag)
}

pub(crate) fn may_see(caller: &Caller, operation: &Operation) -> bool {
    caller.may_observe() || *caller.name() == operation.caller
}

impl App {
    /// When to ask again about an operation of `action`.
    pub(crate) fn paced(&self, action: &str) -> u32 {
        retry_after::paced(self.pace(action), self.retry_after, dice::throw())
    }

    /// The same when there is something to see soon.
    pub(crate) fn soon(&self, action: &str) -> u32 {
        retry_after::soon(self.pace(action), self.retry_after)
    }

    // The pace of an action that is no longer registered is the usual one.
    fn pace(&self, action: &str) -> Pace {
        match self.operations.registry().find(action) {
            Some(action) => action.settings().pace,
            None => Settings::default().pace,
        }
    }

    /// A place for an answer that is held, unless there is none or the server is going down.
    pub(crate) fn hold(&self, account: &Arc<str>) -> Option<super::hold::Hold> {
        if self.operations.is_draining() { None } else { self.holds.hold(account) }
    }
}
