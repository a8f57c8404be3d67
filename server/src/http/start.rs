//! `POST /v1/actions/{action}`: accept, and say where the answer will be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderValue, StatusCode, header};
use raincheck_openapi::{ProblemCode, headers};
use serde::Serialize;
use tracing::info;
use warp::reply::Response;

use super::access::kept;
use super::body::{self, BodyLimits, Input};
use super::call::Call;
use super::problem::Problem;
use super::view::{self, View};
use super::{App, prefer, shield, status, subscriptions};
use crate::Json;
use crate::action::Registered;
use crate::auth::Caller;
use crate::capability::Right;
use crate::clock::after;
use crate::content::idempotency_key;
use crate::operation::{Operation, State};
use crate::operations::{Start, StartError, Started};
use crate::store::{Found, Idempotency};
use crate::subscription::SecretUrl;

/// Accepts an operation, or answers again for one that its idempotency key has started already.
pub(crate) async fn start<B: Buf, E>(
    action: String,
    call: Arc<Call>,
    app: Arc<App>,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<Response, Problem> {
    let action = find(&app, &action)?;
    let caller = app.caller(&call).await?.ok_or_else(Problem::unauthenticated)?;
    let rights = permitted(&call, &caller, &action)?;
    let callback = callback(&app, &call)?;
    let limits = &app.settings.limits;
    let body = body::read(&call, body, BodyLimits { bytes: limits.body, time: limits.body_time }).await?;
    let key = idempotency_header(&call)?;
    let secret = &app.content_secret;
    let origin = if key.is_none() { shield::origin(&call, &action) } else { None };
    let wanted = (key.is_some() || origin.is_some()).then_some(secret);
    let Input { content, value } = Input::read(&call, body, wanted, |input| action.validate(input));
    let idempotency = match (key, origin, content) {
        (Some(key), _, Some(content)) => {
            let under = |name: &str| secret.start_key(caller.name(), name, &key);
            let former = action.settings().aliases.iter().map(|name| under(name)).collect();
            Some(Idempotency { key: under(action.name()), former, content, since: None })
        }
        (None, Some(origin), Some(content)) => {
            shield::key(&origin, &caller, &action, content, secret, app.operations.now())
        }
        _ => None,
    };
    let (operation, replayed) = accept(&app, &call, &caller, &action, value, idempotency, callback).await?;

    let (operation, held) = wait(&app, &call, &caller, operation).await?;
    let accepted = Accepted { app: &app, call: &call, rights: &rights, replayed };
    Ok(accepted.answer(operation, held))
}

/// The action of that name.
///
/// # Errors
/// 404 if there is none.
pub(crate) fn find(app: &App, action: &str) -> Result<Arc<Registered>, Problem> {
    let found = app.operations.action(action);
    found.ok_or_else(|| Problem::new(ProblemCode::UnknownAction, "this server has no action of that name"))
}

// Which further links the caller asks for. Checked before anything is accepted.
fn permitted(call: &Call, caller: &Caller, action: &Registered) -> Result<Vec<Right>, Problem> {
    let forbidden = |detail: String| Err(Problem::new(ProblemCode::Forbidden, detail));
    // A key that was made for the action under a name that it had is still a key for it.
    if !action.names().any(|name| caller.may_start(name)) {
        return forbidden(format!("the key may not start `{}`", action.name()));
    }
    let callers = &action.settings().callers;
    if !callers.is_empty() && !callers.iter().any(|name| **name == **caller.name()) {
        return forbidden(format!("`{}` may be started by certain callers only", action.name()));
    }
    let asked = call.parameter("links").unwrap_or_default();
    let mut rights = Vec::new();
    for word in asked.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.parse() {
            Ok(right) if action.settings().caller_links.iter().any(|allowed| allowed == word) => {
                rights.push(right)
            }
            _ => return forbidden(format!("`{}` gives its callers no such link", action.name())),
        }
    }
    Ok(rights)
}

// Where the caller wants to be told of the end. In a header: a query ends up in the logs of those on the way.
fn callback(app: &App, call: &Call) -> Result<Option<SecretUrl>, Problem> {
    let mut lines = call.headers.get_all(headers::CALLBACK_URL).into_iter();
    let refused = |detail: &'static str| Err(Problem::new(ProblemCode::InvalidCallbackUrl, detail));
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return refused("there are two X-Callback-Url headers");
    }
    // What is no text is no URL.
    match subscriptions::receiver(app, call, line.to_str().unwrap_or_default()) {
        Ok(url) => Ok(Some(url)),
        Err(expected) => refused(expected),
    }
}

/// The idempotency key of a request.
///
/// # Errors
/// 400 if there are two, or it is not usable.
pub(crate) fn idempotency_header(call: &Call) -> Result<Option<String>, Problem> {
    let mut lines = call.headers.get_all(headers::IDEMPOTENCY_KEY).into_iter();
    let refused = |detail: &'static str| Problem::new(ProblemCode::InvalidIdempotencyKey, detail);
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(refused("there are two Idempotency-Key headers"));
    }
    let key = idempotency_key(line.as_bytes());
    key.map(|key| Some(key.into_owned())).ok_or_else(|| refused("use 1 to 255 visible ASCII characters"))
}

// The operation, and whether its key had started it before.
async fn accept(
    app: &App,
    call: &Call,
    caller: &Caller,
    action: &Arc<Registered>,
    input: Result<Json, Problem>,
    idempotency: Option<Idempotency>,
    callback: Option<SecretUrl>,
) -> Result<(Arc<Operation>, bool), Problem> {
    // The key comes before the limits, and both before the body: what was accepted once stays accepted, and whoever
    // finds no room hears that first. The store decides all of it at once for a start that can be taken.
    let foresee = async |refusal: Problem| {
        let foreseen = app.operations.foresee(action, caller.name(), idempotency.clone()).await;
        match foreseen.map_err(refused(app, action))? {
            Some(found) => Ok((kept(found)?, true)),
            None => Err(refusal),
        }
    };
    let input = match input {
        Ok(input) => input,
        Err(refusal) => return foresee(refusal).await,
    };
    let start = Start {
        caller: Arc::clone(caller.name()),
        input,
        idempotency: idempotency.clone(),
        tracking_id: call.note(headers::CLIENT_TRACKING_ID),
        traceparent: call.note(headers::TRACEPARENT),
        callback,
    };
    match app.operations.start(action, start).await {
        Ok(Started::New(operation)) => {
            if operation.tracking_id.is_some() || operation.traceparent.is_some() {
                info!(
                    request.id = call.id(),
                    operation.id = %operation.id,
                    client_tracking_id = operation.tracking_id.as_deref(),
                    traceparent = operation.traceparent.as_deref(),
                    "an operation of a traced run was accepted"
                );
            }
            Ok((operation, false))
        }
        Ok(Started::Replayed(found)) => Ok((kept(found)?, true)),
        Err(StartError::Draining) => foresee(refused(app, action)(StartError::Draining)).await,
        Err(error) => Err(refused(app, action)(error)),
    }
}

fn refused<'a>(app: &'a App, action: &'a Registered) -> impl Fn(StartError) -> Problem + 'a {
    move |error| match error {
        StartError::KeyReused => key_reused(),
        StartError::Full => {
            let seconds = app.paced(action.name());
            Problem::new(ProblemCode::TooManyActive, "the limit of operations that have not ended is reached")
                .with_retry_after(seconds.max(1))
        }
        StartError::Draining => Problem::draining(),
        StartError::Store(error) => error.into(),
    }
}

/// The answer to a key that stands for other content.
pub(crate) fn key_reused() -> Problem {
    Problem::new(ProblemCode::IdempotencyKeyReused, "the Idempotency-Key was used for another body")
}

/// Says that the request was recognised as a repetition and changed nothing.
pub(crate) fn say_replayed(answer: &mut Response) {
    answer.headers_mut().insert(headers::IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
}

// Holds the answer until the operation ends, if that is wished for; an answer that was held shows it as it is then.
async fn wait(
    app: &App,
    call: &Call,
    caller: &Caller,
    operation: Arc<Operation>,
) -> Result<(Arc<Operation>, Option<u64>), Problem> {
    let Some(seconds) = prefer::wait(&call.headers, app.settings.wait_cap) else {
        return Ok((operation, None));
    };
    if operation.state.is_terminal() {
        return Ok((operation, Some(seconds)));
    }
    let Some(_hold) = app.hold(caller.name()) else {
        return Ok((operation, None));
    };
    let limit = after(app.operations.now(), Duration::from_secs(seconds));
    let found = app.operations.wait(operation.id, limit, |now| now.state.is_terminal()).await;
    // It is accepted, whatever happens now; so a store that fails, or a key that was revoked meanwhile, gets the 202.
    let still =
        app.caller(call).await.is_ok_and(|still| still.is_some_and(|still| still.name() == caller.name()));
    match found {
        Ok(Some(Found::Operation(now))) if still => Ok((now, Some(seconds))),
        _ => Ok((operation, None)),
    }
}

/// An accepted start on its way out.
struct Accepted<'a> {
    app: &'a App,
    call: &'a Call,
    rights: &'a [Right],
    replayed: bool,
}

/// The members of [`raincheck_openapi::Accepted`].
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    view: View<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<String, String>,
}

impl Accepted<'_> {
    fn answer(&self, operation: Arc<Operation>, held: Option<u64>) -> Response {
        let Self { app, call, rights: _, replayed } = *self;
        let base = app.base(call);
        let token = app.signer.sign(&operation, &Right::Status);
        let location = status::url(&base, &operation, "", token.reveal());
        let monitor = status::url(&base, &operation, "/status", token.reveal());

        let mut answer = match held {
            Some(_) if operation.state.is_terminal() => {
                let succeeded = operation.state == State::Succeeded;
                let mut answer = status::outcome(Arc::clone(&operation), None);
                if succeeded && !self.rights.is_empty() {
                    *answer.body_mut() = self.body(&base, &operation, View::new).into();
                }
                status::applied(&mut answer, held);
                answer
            }
            Some(_) => status::running(
                app,
                StatusCode::ACCEPTED,
                self.body(&base, &operation, View::new),
                &operation,
                held,
            ),
            None => self.as_accepted(&base, &operation),
        };
        let headers = answer.headers_mut();
        headers.insert(header::LOCATION, location);
        headers.insert(headers::OPERATION_LOCATION, monitor);
        if replayed {
            say_replayed(&mut answer);
        }
        answer
    }

    fn as_accepted(&self, base: &str, operation: &Operation) -> Response {
        let body = self.body(base, operation, View::as_accepted);
        let mut answer = status::running(self.app, StatusCode::ACCEPTED, body, operation, None);
        if self.replayed && operation.state.is_terminal() {
            // The outcome is there to be fetched.
            let seconds = self.app.soon(&operation.action);
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        answer
    }

    fn body<'b>(
        &self,
        base: &str,
        operation: &'b Operation,
        view: impl Fn(&'b Operation) -> View<'b>,
    ) -> bytes::Bytes {
        let view = view(operation);
        if self.rights.is_empty() {
            return view::json(&view);
        }
        let links = self
            .rights
            .iter()
            .map(|right| (right.to_string(), self.app.signer.link_url(base, operation, right)));
        view::json(&Body { view, links: links.collect() })
    }
}
