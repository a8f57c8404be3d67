//! The management API: what operators see and do, on a listener of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderValue, StatusCode, header};
use raincheck_openapi::management::{Links, MintLinks};
use raincheck_openapi::{InvalidField, ProblemCode};
use warp::reply::{Reply, Response};

use super::access::{kept, require};
use super::body::{self, BodyLimits, Input};
use super::call::Call;
use super::problem::Problem;
use super::status::json;
use super::view::{self, Reference};
use super::{App, cancel as cancelling, events};
use crate::action::fit;
use crate::auth::Caller;
use crate::capability::Right;
use crate::journal::Entry;
use crate::operation::Operation;
use crate::store::{Found, Signaled};

mod list;
mod views;
pub(crate) mod webhooks;

pub(crate) use list::list;
use list::page_size;
use views::{Detail, Page, Recorded};

/// The most that one page of a journal has.
const PAGE: usize = 200;

/// One operation with its input.
pub(crate) async fn show(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    let caller = require(&app, &call, Caller::may_observe).await?;
    let operation = find(&app, &id, &caller).await?;
    let first = app.operations.journal(operation.id, None, 1).await?;
    let input = first.first().and_then(|record| match &record.entry {
        Entry::Accepted { input } => Some(input),
        _ => None,
    });
    Ok(json(StatusCode::OK, view::json(&Detail::new(&operation, input))))
}

/// A page of an operation's journal.
pub(crate) async fn journal(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    let caller = require(&app, &call, Caller::may_observe).await?;
    let operation = find(&app, &id, &caller).await?;
    let after = match call.parameter("after") {
        Some(text) => Some(text.parse().map_err(|_| unusable("after", "a sequence number"))?),
        None => None,
    };
    let mut records = app.operations.journal(operation.id, after, PAGE + 1).await?;
    let more = records.len() > PAGE;
    records.truncate(PAGE);
    let next = records.last().filter(|_| more).map(|last| last.sequence);
    let entries = records.iter().map(Recorded::new).collect();
    Ok(json(StatusCode::OK, view::json(&Page { entries, next })))
}

/// Asks an operation to stop.
pub(crate) async fn cancel(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    let caller = require(&app, &call, Caller::may_operate).await?;
    let operation = find(&app, &id, &caller).await?;
    cancelling::request(&app, operation.id).await
}

/// Ends an operation at once.
pub(crate) async fn terminate(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    let caller = require(&app, &call, Caller::may_operate).await?;
    let operation = find(&app, &id, &caller).await?;
    match app.operations.terminate(operation.id).await? {
        Signaled::Done(operation) | Signaled::Repeated(operation) => {
            Ok(json(StatusCode::OK, view::json(&Reference::new(&operation))))
        }
        Signaled::AlreadyFinished(operation) => Err(Problem::already_terminal(&operation)),
        Signaled::NotFound | Signaled::KeyReused | Signaled::TooManyEvents => Err(Problem::not_found()),
    }
}

/// Sends an event to an operation.
pub(crate) async fn send_event<B: Buf, E>(
    id: String,
    name: String,
    call: Arc<Call>,
    app: Arc<App>,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<Response, Problem> {
    let caller = require(&app, &call, Caller::may_operate).await?;
    let operation = find(&app, &id, &caller).await?;
    events::deliver(&app, &call, &operation, &name, None, body).await
}

/// Makes links to an operation.
pub(crate) async fn links<B: Buf, E>(
    id: String,
    call: Arc<Call>,
    app: Arc<App>,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<Response, Problem> {
    let caller = require(&app, &call, Caller::may_operate).await?;
    let operation = find(&app, &id, &caller).await?;
    let limits = &app.settings.limits;
    let body = body::read(&call, body, BodyLimits { bytes: limits.body, time: limits.body_time }).await?;
    let asked = Input::read(&call, body, None, fit::<MintLinks>).value?;
    let MintLinks { rights } = asked.read().map_err(|error| Problem::internal().caused_by(error))?;
    // The public listener is where links lead, and this request came to another one.
    let mut links = BTreeMap::new();
    for (index, word) in rights.into_iter().enumerate() {
        let right = right(&app, &operation, index, &word)?;
        links.insert(word, app.signer.link_url(&app.links_base, &operation, &right));
    }
    Ok(json(StatusCode::OK, view::json(&Links { links })))
}

fn right(app: &App, operation: &Operation, index: usize, word: &str) -> Result<Right, Problem> {
    let right = word.parse().map_err(|_| {
        let expected = "expected `status`, `cancel` or `event:NAME`";
        Problem::invalid(vec![InvalidField::member(format!("/rights/{index}"), expected)])
    })?;
    if let Right::Event(name) = &right {
        let registry = app.operations.registry();
        let action = registry.find(&operation.action);
        if action.and_then(|action| action.settings().find_event(name)).is_none() {
            return Err(Problem::new(ProblemCode::UnknownEvent, "the action declares no event of that name"));
        }
    }
    Ok(right)
}

/// What the server measures, in Prometheus' text format.
pub(crate) async fn metrics(call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    require(&app, &call, Caller::may_observe).await?;
    let mut answer = (app.metrics)().into_response();
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
    Ok(answer)
}

/// Whether this process can take work: it does not drain, and its store answers. Operations of actions that nobody
/// here knows are no reason to stay away, but the operator should hear of them, as of what the store complains of.
pub(crate) async fn ready(app: Arc<App>) -> Result<Response, Problem> {
    if app.operations.is_draining() {
        return Err(Problem::draining());
    }
    let unknown = app.operations.of_unknown_actions().await?;
    let waiting =
        unknown.iter().map(|(action, count)| format!("{count} operations wait for action {action}\n"));
    let complaints = app.operations.complaints().into_iter().map(|complaint| complaint + "\n");
    let text: String = std::iter::once("ready\n".to_owned()).chain(waiting).chain(complaints).collect();
    Ok(text.into_response())
}

// What is left of an operation that is gone is for its owner; to operators it is not there, as on the public listener.
async fn find(app: &App, id: &str, caller: &Caller) -> Result<Arc<Operation>, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    match app.operations.read(id).await? {
        Some(Found::Gone(tombstone)) if tombstone.caller != *caller.name() => Err(Problem::not_found()),
        Some(found) => kept(found),
        None => Err(Problem::not_found()),
    }
}

fn unusable(name: &str, expected: &str) -> Problem {
    Problem::invalid(vec![InvalidField::parameter(name, format!("expected {expected}"))])
}
