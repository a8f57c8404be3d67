use http::Method;

use super::super::location::Connection;
use super::*;
use raincheck_openapi::management::{JournalPage, Links, OperationDetail, OperationPage};

const OPERATIONS: &str = "/admin/v1/operations";

fn id(location: &str) -> String {
    parts(location).0.rsplit('/').next().unwrap().to_owned()
}

fn read<T: serde::de::DeserializeOwned>(answer: &Answer) -> T {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[tokio::test]
async fn a_list_pages_from_the_newest_with_an_opaque_cursor() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.insert(0, id(&world.countdown(r#"{"seconds":0,"steps":1}"#).await));
        world.clock.advance(Duration::from_millis(1));
    }

    let mut seen = Vec::new();
    let mut url = format!("{OPERATIONS}?limit=2");
    loop {
        let page: OperationPage = read(&world.admin(Method::GET, &url, "").await);
        assert!(page.operations.iter().all(|operation| operation.view.output.is_none()));
        seen.extend(page.operations.into_iter().map(|operation| operation.view.id));
        let Some(next) = page.next else { break };
        url = format!("{OPERATIONS}?limit=2&cursor={next}");
    }

    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_list_is_narrowed_by_its_filters() {
    let world = World::new().await;
    let headers = [("x-ms-client-tracking-id", "run-7"), ("traceparent", "00-7-7-01")];
    let started = world.post("/v1/actions/request-approval", &headers, r#"{"subject":"x"}"#).await;
    let running = id(started.header("location"));
    world.countdown(r#"{"seconds":0,"steps":1}"#).await;
    let ids = async |query: &str| {
        let page: OperationPage = read(&world.admin(Method::GET, &format!("{OPERATIONS}?{query}"), "").await);
        page.operations.into_iter().map(|operation| operation.view.id).collect::<Vec<_>>()
    };

    assert_eq!(ids("action=request-approval").await, [running.as_str()]);
    assert_eq!(ids("status=Succeeded").await.len(), 1);
    assert_eq!(ids("caller=nobody").await.len(), 0);
    assert_eq!(ids("clientTrackingId=run-7").await, [running.as_str()]);
    assert_eq!(ids("traceparent=00-7-7-01").await, [running.as_str()]);
    assert_eq!(ids("createdBefore=2026-11-24T00:00:00Z").await.len(), 0);
    assert_eq!(ids("createdFrom=2026-11-24T00:00:00Z").await.len(), 2);
    for query in ["status=running", "limit=0", "limit=201", "cursor=x", "createdFrom=yesterday"] {
        let answer = world.admin(Method::GET, &format!("{OPERATIONS}?{query}"), "").await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (422, "invalid-input"), "{query}");
        assert_eq!(answer.json()["errors"][0]["parameter"], query.split('=').next().unwrap());
        assert!(answer.json()["errors"][0].get("pointer").is_none(), "{answer:?}");
    }
}

#[tokio::test]
async fn an_operator_sees_the_input_and_the_journal() {
    let world = World::new().await;
    let headers = [("x-ms-client-tracking-id", "run-7"), ("prefer", "wait=9")];
    let started = world.post("/v1/actions/countdown", &headers, r#"{"seconds":0,"steps":2}"#).await;
    let url = format!("{OPERATIONS}/{}", id(started.header("location")));

    let detail: OperationDetail = read(&world.admin(Method::GET, &url, "").await);
    assert_eq!(detail.summary.caller, "environment");
    assert_eq!(detail.summary.client_tracking_id.as_deref(), Some("run-7"));
    assert_eq!(detail.input.unwrap()["steps"], 2);
    assert!(detail.summary.view.output.is_some());
    let journal: JournalPage = read(&world.admin(Method::GET, &format!("{url}/journal"), "").await);
    assert!(journal.entries.len() >= 3 && journal.next.is_none());
    assert_eq!(journal.entries[0].entry["accepted"]["input"]["steps"], 2);
    let rest: JournalPage = read(&world.admin(Method::GET, &format!("{url}/journal?after=0"), "").await);
    assert_eq!(rest.entries, journal.entries[1..]);
}

#[tokio::test]
async fn an_operator_ends_an_operation_at_once() {
    let world = World::new().await;
    let location = world.approval().await;
    let url = format!("{OPERATIONS}/{}/terminate", id(&location));

    let answer = world.admin(Method::POST, &url, "").await;

    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &"Canceled".into()));
    let status = world.get(&location).await;
    assert_eq!((status.status.as_u16(), &*status.code()), (409, "terminated"));
    assert_eq!(world.admin(Method::POST, &url, "").await.code(), "already-terminal");
}

#[tokio::test]
async fn an_operation_that_is_gone_is_410_for_its_owner_and_unknown_to_other_operators() {
    let world = World::new().await;
    let url = format!("{OPERATIONS}/{}", id(&world.countdown(r#"{"seconds":0,"steps":1}"#).await));
    let operator = world.key_with(&["operate"], "operator").await;
    world.clock.advance(Duration::from_secs(7 * 24 * 3600 + 1));
    world.store.sweep(world.clock.now(), 100).await.unwrap();

    let owner = world.admin(Method::GET, &url, "").await;
    let request = request(Method::GET, &url, &[("x-api-key", &operator)], "");
    let other = Answer::read(world.management.answer(request, loopback()).await).await;

    assert_eq!((owner.status.as_u16(), &*owner.code()), (410, "operation-gone"));
    assert_eq!((other.status.as_u16(), &*other.code()), (404, "not-found"));
}

#[tokio::test]
async fn an_operator_makes_links_that_work() {
    let world = World::new().await;
    let location = world.approval().await;
    let url = format!("{OPERATIONS}/{}/links", id(&location));

    let body = r#"{"rights":["status","cancel","event:decision"]}"#;
    let links: Links = read(&world.admin(Method::POST, &url, body).await);

    assert_eq!(links.links["status"], location);
    let sent = request(Method::POST, &links.links["event:decision"], &[], r#"{"approved":true}"#);
    assert_eq!(world.send(sent).await.status, 202);
    for (body, pointer) in [
        (r#"{"rights":["status","everything"]}"#, "/rights/1"),
        (r#"{"rights":["status",7]}"#, "/rights/1"),
        (r#"{"rights":"status"}"#, "/rights"),
        ("[]", ""),
    ] {
        let answer = world.admin(Method::POST, &url, body).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (422, "invalid-input"), "{body}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{answer:?}");
    }
    let other = world.admin(Method::POST, &url, r#"{"rights":["event:other"]}"#).await;
    assert_eq!((other.status.as_u16(), &*other.code()), (404, "unknown-event"));
    assert_eq!(world.admin(Method::POST, &url, "[").await.code(), "malformed-json");
}

#[tokio::test]
async fn an_operator_sends_events_and_cancels() {
    let world = World::new().await;
    let decided = world.approval().await;
    let canceled = world.approval().await;

    let event = format!("{OPERATIONS}/{}/events/decision", id(&decided));
    assert_eq!(world.admin(Method::POST, &event, r#"{"approved":true}"#).await.status, 202);
    let cancel = format!("{OPERATIONS}/{}/cancel", id(&canceled));
    assert!(world.admin(Method::POST, &cancel, "").await.status.is_success());

    world.until(&decided, |view| view["status"] == "Succeeded").await;
    world.until(&canceled, |view| view["status"] == "Canceled").await;
}

#[tokio::test]
async fn reads_need_observe_and_the_rest_operate() {
    let world = World::new().await;
    let url = format!("{OPERATIONS}/{}", id(&world.approval().await));
    let observer = world.key_with(&["observe"], "observer").await;
    let starter = world.key_with(&["start"], "starter").await;
    let ask = async |method: Method, url: &str, key: &str| {
        let request = request(method, url, &[("x-api-key", key)], "");
        Answer::read(world.management.answer(request, loopback()).await).await.status.as_u16()
    };
    let unknown = format!("{OPERATIONS}/0198f3a0-5c1e-7abc-8def-0123456789ab");

    for read in [OPERATIONS, &url, &format!("{url}/journal"), "/metrics"] {
        assert_eq!(ask(Method::GET, read, &observer).await, 200, "{read}");
        assert_eq!(ask(Method::GET, read, &starter).await, 404, "{read}");
        assert_eq!(ask(Method::GET, read, "").await, 401, "{read}");
    }
    for command in ["cancel", "terminate", "events/decision", "links"] {
        assert_eq!(ask(Method::POST, &format!("{url}/{command}"), &observer).await, 404, "{command}");
    }
    assert_eq!(ask(Method::GET, &unknown, &starter).await, 404);
    assert_eq!(ask(Method::GET, "/healthz", "").await, 200);
    assert_eq!(ask(Method::GET, "/readyz", "").await, 200);
    world.app.operations.drain();
    let draining = world.admin(Method::GET, "/readyz", "").await;
    assert_eq!((draining.status.as_u16(), &*draining.code()), (503, "draining"));
    assert!(draining.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn readiness_tells_of_a_wal_that_is_too_long() {
    let ready = async |large_wal| {
        let options = |options: SqliteOptions| options.large_wal(large_wal);
        let world = World::on(HttpSettings::default(), Limits::default(), options).await;
        world.approval().await;
        // Answered after the commit that is counted.
        world.store.active().await.unwrap();
        let answer = world.admin(Method::GET, "/readyz", "").await;
        assert_eq!(answer.status, 200);
        answer.text
    };

    assert_eq!(ready(256 << 20).await, "ready\n");
    assert!(ready(1).await.starts_with("ready\nthe store's WAL has "));
}

#[tokio::test]
async fn a_problem_of_this_listener_has_its_page_on_the_public_one() {
    let world = World::new().await;
    let connection = Connection::plain("127.0.0.1:8081".parse().unwrap(), "127.0.0.1:5".parse().unwrap());

    let request = request(Method::GET, OPERATIONS, &[], "");
    let answer = Answer::read(world.management.answer(request, Arc::new(connection)).await).await;

    let kind = answer.json()["type"].as_str().unwrap().to_owned();
    assert_eq!(kind, "http://127.0.0.1:8080/problems/unauthenticated");
    assert_eq!(world.get(&kind).await.status, 200);
}
