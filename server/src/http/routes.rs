//! The tables of routes, one line each, and what each path allows.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use raincheck_openapi::{ProblemCode, paths};
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};
use warp::{Filter, delete, get, head, path, post};

use super::call::Call;
use super::front::call;
use super::management::webhooks;
use super::problem::Problem;
use super::{
    App, cancel, choices, document, events, management, problems, start, status, subscriptions, trigger,
    updates,
};

/// The routes of the public listener.
#[rustfmt::skip]
pub(crate) fn public(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let at = || call().and(with(app));
    let show    = path!("v1" / "actions" / String / "operations" / String).and(read()).and(at()).then(status::show);
    let monitor = path!("v1" / "actions" / String / "operations" / String / "status").and(read()).and(at()).then(status::monitor);
    let start   = path!("v1" / "actions" / String).and(post()).and(at()).and(warp::body::stream()).then(start::start);
    let cancel  = path!("v1" / "actions" / String / "operations" / String).and(delete()).and(at()).then(cancel::cancel);
    let event   = path!("v1" / "actions" / String / "operations" / String / "events" / String).and(post()).and(at()).and(warp::body::stream()).then(events::send);
    let subscribe = path!("v1" / "subscriptions").and(post()).and(at()).and(warp::body::stream()).then(subscriptions::subscribe);
    let subscription = path!("v1" / "subscriptions" / String).and(read()).and(at()).then(subscriptions::show);
    let unsubscribe = path!("v1" / "subscriptions" / String).and(delete()).and(at()).then(subscriptions::unsubscribe);
    let secret  = path!("v1" / "subscriptions" / String / "secret").and(post()).and(at()).and(warp::body::stream()).then(subscriptions::change_secret);
    let updates = path!("v1" / "actions" / String / "operations" / String / "events").and(read()).and(at()).then(updates::stream);
    let page    = path!("v1" / "actions" / String / "operations" / String / "events" / String).and(read()).and(at()).then(choices::show);
    let finished = path!("v1" / "triggers" / String / "finished").and(read()).and(at()).then(trigger::finished);
    let problem = path!("problems" / String).and(read()).and(at()).then(problems::page);
    let health  = path!("healthz").and(read()).then(alive);
    let json    = path!("openapi.json").and(read()).and(at()).then(document::json);
    let docs    = path!("docs" / ..).and(warp::path::tail()).and(read()).and(at()).then(document::docs);

    // The polls come first: they are most of the traffic, and a route that does not match costs a rejection.
    let polls = show.or(monitor).unify().boxed();
    let rest = start.or(cancel).unify().or(event).unify().or(updates).unify().or(page).unify().or(finished).unify().boxed()
        .or(subscribe.or(subscription).unify().or(unsubscribe).unify().or(secret).unify().boxed()).unify()
        .or(problem.or(health).unify().or(json).unify().or(docs).unify().boxed()).unify();
    let routes = polls.or(rest).unify().map(reply);
    routes.or(otherwise(app, [PUBLIC, if app.settings.docs { DOCS } else { &[] }])).unify().boxed()
}

/// The routes of the management listener.
#[rustfmt::skip]
pub(crate) fn management(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let at = || call().and(with(app));
    let list      = path!("admin" / "v1" / "operations").and(read()).and(at()).then(management::list);
    let show      = path!("admin" / "v1" / "operations" / String).and(read()).and(at()).then(management::show);
    let journal   = path!("admin" / "v1" / "operations" / String / "journal").and(read()).and(at()).then(management::journal);
    let cancel    = path!("admin" / "v1" / "operations" / String / "cancel").and(post()).and(at()).then(management::cancel);
    let terminate = path!("admin" / "v1" / "operations" / String / "terminate").and(post()).and(at()).then(management::terminate);
    let event     = path!("admin" / "v1" / "operations" / String / "events" / String).and(post()).and(at()).and(warp::body::stream()).then(management::send_event);
    let links     = path!("admin" / "v1" / "operations" / String / "links").and(post()).and(at()).and(warp::body::stream()).then(management::links);
    let subscriptions = path!("admin" / "v1" / "subscriptions").and(read()).and(at()).then(webhooks::subscriptions);
    let enable    = path!("admin" / "v1" / "subscriptions" / String / "enable").and(post()).and(at()).then(webhooks::enable);
    let remove    = path!("admin" / "v1" / "subscriptions" / String).and(delete()).and(at()).then(webhooks::remove);
    let deliveries = path!("admin" / "v1" / "deliveries").and(read()).and(at()).then(webhooks::deliveries);
    let replay    = path!("admin" / "v1" / "deliveries" / String / "replay").and(post()).and(at()).then(webhooks::replay);
    let metrics   = path!("metrics").and(read()).and(at()).then(management::metrics);
    let ready     = path!("readyz").and(read()).and(with(app)).then(management::ready);
    let health    = path!("healthz").and(read()).then(alive);

    let reads = list.or(show).unify().or(journal).unify().boxed();
    let commands = cancel.or(terminate).unify().or(event).unify().or(links).unify().boxed();
    let probes = metrics.or(ready).unify().or(health).unify().boxed();
    let webhooks = subscriptions.or(enable).unify().or(remove).unify().or(deliveries).unify().or(replay).unify().boxed();
    let routes = reads.or(commands).unify().or(webhooks).unify().or(probes).unify().map(reply);
    routes.or(otherwise(app, [MANAGEMENT, &[]])).unify().boxed()
}

type Table = &'static [(&'static str, &'static str)];

/// The methods of each public path.
const PUBLIC: Table = &[
    (paths::START, "POST, OPTIONS"),
    (paths::OPERATION, "GET, HEAD, DELETE, OPTIONS"),
    (paths::MONITOR, READS),
    (paths::SUBSCRIPTIONS, "POST, OPTIONS"),
    (paths::SUBSCRIPTION, "GET, HEAD, DELETE, OPTIONS"),
    (paths::SUBSCRIPTION_SECRET, "POST, OPTIONS"),
    (paths::UPDATES, READS),
    (paths::EVENT, "GET, HEAD, POST, OPTIONS"),
    (paths::FINISHED, READS),
    (paths::PROBLEM, READS),
    ("/healthz", READS),
];

/// Those of the paths that can be switched off.
const DOCS: Table = &[(paths::DOCUMENT, READS), ("/docs", READS), ("/docs/{file}", READS)];

/// The methods of each management path.
const MANAGEMENT: Table = &[
    (paths::ADMIN_OPERATIONS, READS),
    ("/admin/v1/operations/{id}", READS),
    ("/admin/v1/operations/{id}/journal", READS),
    ("/admin/v1/operations/{id}/cancel", "POST, OPTIONS"),
    ("/admin/v1/operations/{id}/terminate", "POST, OPTIONS"),
    ("/admin/v1/operations/{id}/events/{name}", "POST, OPTIONS"),
    ("/admin/v1/operations/{id}/links", "POST, OPTIONS"),
    (paths::ADMIN_SUBSCRIPTIONS, READS),
    ("/admin/v1/subscriptions/{id}", "DELETE, OPTIONS"),
    ("/admin/v1/subscriptions/{id}/enable", "POST, OPTIONS"),
    (paths::ADMIN_DELIVERIES, READS),
    ("/admin/v1/deliveries/{id}/replay", "POST, OPTIONS"),
    ("/metrics", READS),
    ("/readyz", READS),
    ("/healthz", READS),
];

/// The methods of an event that people cannot answer on a page.
pub(crate) const EVENT_METHODS: &str = "POST, OPTIONS";

const READS: &str = "GET, HEAD, OPTIONS";

/// What no route has taken: `OPTIONS`, a method that the path does not have, a path that is none.
fn otherwise(
    app: &Arc<App>,
    tables: [Table; 2],
) -> impl Filter<Extract = (Response,), Error = warp::Rejection> + Clone + use<> {
    call().and(with(app)).map(move |call: Arc<Call>, app: Arc<App>| {
        let Some(mut allow) = allowed(&tables, call.path()) else {
            return Problem::new(ProblemCode::NotFound, "there is nothing at this path").into_response();
        };
        if is_event_without_page(&app, call.path()) {
            allow = EVENT_METHODS;
        }
        // An unknown action is an unknown path, whatever the method. What is below it is for the credential to say.
        if let Some(action) = action_at(call.path())
            && let Err(unknown) = start::find(&app, action)
        {
            return unknown.into_response();
        }
        if call.method == Method::OPTIONS {
            let mut answer = StatusCode::NO_CONTENT.into_response();
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
            return answer;
        }
        let detail = format!("{} is not for this path; it takes {allow}", call.method);
        Problem::new(ProblemCode::MethodNotAllowed, detail).with_allow(allow).into_response()
    })
}

/// The action that `path` starts or follows, if it is such a path.
fn action_at(path: &str) -> Option<&str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    [paths::START, paths::FINISHED]
        .into_iter()
        .find(|template| fits(template, path))
        .and_then(|_| path.split('/').nth(3))
}

/// Whether `path` is that of an event that people cannot answer on a page.
fn is_event_without_page(app: &App, path: &str) -> bool {
    let segments: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let ["", "v1", "actions", action, "operations", _, "events", name] = *segments else { return false };
    let action = app.operations.action(action);
    let event = action.as_ref().and_then(|action| action.settings().find_event(name));
    event.is_none_or(|event| event.choices.is_empty())
}

/// The methods that `path` has, if it is one.
fn allowed(tables: &[Table], path: &str) -> Option<&'static str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    tables.iter().copied().flatten().find(|(template, _)| fits(template, path)).map(|(_, allow)| *allow)
}

fn fits(template: &str, path: &str) -> bool {
    let (mut expected, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return true,
            (Some(word), Some(segment)) if word.starts_with('{') && !segment.is_empty() => {}
            (Some(word), Some(segment)) if word == segment => {}
            _ => return false,
        }
    }
}

fn read() -> impl Filter<Extract = (), Error = warp::Rejection> + Copy {
    get().or(head()).unify()
}

fn with(app: &Arc<App>) -> impl Filter<Extract = (Arc<App>,), Error = Infallible> + Clone + use<> {
    let app = Arc::clone(app);
    warp::any().map(move || Arc::clone(&app))
}

fn reply(answer: Result<Response, Problem>) -> Response {
    answer.into_response()
}

async fn alive() -> Result<Response, Problem> {
    Ok("ok".into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_its_template_segment_by_segment() {
        assert_eq!(allowed(&[PUBLIC], "/v1/actions/countdown"), Some("POST, OPTIONS"));
        assert_eq!(
            allowed(&[PUBLIC], "/v1/actions/countdown/operations/x"),
            Some("GET, HEAD, DELETE, OPTIONS")
        );
        assert_eq!(allowed(&[DOCS], "/docs/"), Some(READS));
        for path in
            ["/", "", "*", "/v1/actions", "/v1/actions//operations/x", "/v1/actions/a/b", "/healthz/x"]
        {
            assert_eq!(allowed(&[PUBLIC], path), None, "{path}");
        }
    }
}
