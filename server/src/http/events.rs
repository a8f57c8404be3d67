//! `POST /v1/actions/{action}/operations/{id}/events/{name}`: tells an operation something that it waits for.

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use raincheck_openapi::ProblemCode;
use warp::reply::Response;

use super::App;
use super::access::admit;
use super::body::{self, BodyLimits, Input};
use super::call::Call;
use super::choices::{self, Link};
use super::problem::Problem;
use super::start::{idempotency_header, key_reused, say_replayed};
use super::status::json;
use super::view::{self, Reference};
use crate::auth::Caller;
use crate::capability::Right;
use crate::operation::Operation;
use crate::store::{EventKey, Signaled};

/// Sends an event; by its link, or by an operator.
pub(crate) async fn send<B: Buf, E>(
    action: String,
    id: String,
    name: String,
    call: Arc<Call>,
    app: Arc<App>,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<Response, Problem> {
    let right = Right::Event(name);
    let may = |caller: &Caller, _: &Operation| caller.may_operate();
    let sent = async {
        let admitted = admit(&app, &call, &action, &id, &right, may).await?;
        deliver(&app, &call, &admitted.operation, right.event(), admitted.token.as_deref(), body).await
    };
    sent.await.map_err(|problem| problem.for_reader(&call))
}

/// Sends an event for somebody who may. `token`: of the link that was used; it delivers once, unless the action
/// says that it may deliver many.
pub(crate) async fn deliver<B: Buf, E>(
    app: &App,
    call: &Call,
    operation: &Operation,
    name: &str,
    token: Option<&str>,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<Response, Problem> {
    let action = app.operations.action(&operation.action);
    let event = action.as_ref().and_then(|action| action.settings().find_event(name));
    let event = event.ok_or_else(Problem::unknown_event)?;
    let limits = &app.settings.limits;
    let body = body::read(call, body, BodyLimits { bytes: limits.event, time: limits.body_time }).await?;
    let key = idempotency_header(call)?;
    let secret = &app.content_secret;
    let (key, by_link) = match (key, token) {
        (Some(key), _) => (Some(secret.event_key(operation.id, name, &key)), false),
        (None, Some(token)) if !event.many => (Some(secret.event_link(operation.id, name, token)), true),
        (None, _) => (None, false),
    };
    let is_form = choices::is_form(call, event);
    let choice = is_form.then(|| choices::chosen(event, &body)).flatten();
    let Input { content, value } = match is_form {
        true => choices::input(event, choice, secret),
        false => Input::read(call, body, key.is_some().then_some(secret), &*event.check.0),
    };
    let once = key.zip(content).map(|(key, content)| EventKey { key, content });
    let signaled = match value {
        Ok(body) => app.operations.send_event(operation.id, name, body, once).await?,
        // What was delivered before, or comes too late, is told so whatever its body is.
        Err(refusal) => app.operations.foresee_event(operation.id, once).await?.ok_or(refusal)?,
    };
    if is_form && call.accepts_html() {
        let link = Link { operation, event, token: token.unwrap_or_default() };
        return choices::told(app, call, link, choice, signaled).await;
    }
    match signaled {
        Signaled::Done(operation) => Ok(taken(&operation)),
        Signaled::Repeated(operation) => {
            let mut answer = taken(&operation);
            say_replayed(&mut answer);
            Ok(answer)
        }
        Signaled::AlreadyFinished(operation) => Err(Problem::already_terminal(&operation)),
        Signaled::KeyReused if by_link => {
            Err(Problem::new(ProblemCode::EventAlreadySent, "the link has delivered another body already"))
        }
        Signaled::KeyReused => Err(key_reused()),
        Signaled::TooManyEvents => Err(Problem::too_many_events(app, operation)),
        Signaled::NotFound => Err(Problem::not_found()),
    }
}

fn taken(operation: &Operation) -> Response {
    json(StatusCode::ACCEPTED, view::json(&Reference::new(operation)))
}
