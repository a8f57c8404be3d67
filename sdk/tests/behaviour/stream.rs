//! Updates that a raincheck server tells by itself, and what becomes of them where it does not.

use raincheck::{Operation, Status};
use serde_json::json;
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

const MONITOR: &str = "/v1/actions/countdown/operations/op-1/status";
const EVENTS: &str = "/v1/actions/countdown/operations/op-1/events";

/// An event with a view that is so far.
fn event(id: &str, percent: u8) -> String {
    let view = with(view("Running"), "percentComplete", percent);
    format!("event: status\nid: {id}\ndata: {view}\n\n")
}

fn stream(events: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(format!("retry: 1\n{events}: bye\n\n"), "text/event-stream")
}

fn monitored(view: serde_json::Value) -> ResponseTemplate {
    done(view).insert_header("retry-after", "0")
}

/// A server that has both a status URL and a monitor, as ours have.
async fn server() -> MockServer {
    let server = MockServer::start().await;
    let monitor = format!("{}{MONITOR}?token={TOKEN}", server.uri());
    starts(&server, [accepted(&server, "0").insert_header("operation-location", monitor)]).await;
    server
}

/// What is seen, from the first status to the last.
async fn seen(server: &MockServer) -> Vec<(Status, Option<u8>)> {
    let mut operation: Operation<u32> = client(server).start("countdown", &()).await.unwrap();
    let mut seen = Vec::new();
    let mut updates = operation.updates();
    while let Some(view) = updates.next().await {
        let view = view.unwrap();
        seen.push((view.status, view.percent_complete));
    }
    let sent = server.received_requests().await.unwrap().len();
    assert_eq!(operation.await.unwrap(), 7, "the outcome is there");
    assert_eq!(server.received_requests().await.unwrap().len(), sent, "and nothing is asked for it");
    seen
}

/// The `Last-Event-ID` of each request for the stream.
async fn opened(server: &MockServer) -> Vec<Option<String>> {
    let requests = server.received_requests().await.unwrap();
    let streams = requests.iter().filter(|request| request.url.path().ends_with("/events"));
    streams
        .inspect(|request| assert_eq!(request.url.query(), Some(&*format!("token={TOKEN}"))))
        .map(|request| header(request, "last-event-id"))
        .collect()
}

#[tokio::test]
async fn each_event_is_an_update_and_a_stream_that_breaks_off_is_taken_up_again() {
    let server = server().await;
    let last = event("c", 90) + &format!("event: status\nid: d\ndata: {}\n\n", view("Succeeded"));
    answers(&server, "GET", EVENTS, [stream(&(event("a", 10) + &event("b", 50))), stream(&last)]).await;
    let between = monitored(with(view("Running"), "percentComplete", 70)).insert_header("etag", "W/\"b2\"");
    let end = monitored(with(view("Succeeded"), "output", 7));
    answers(&server, "GET", MONITOR, [between, end]).await;

    let seen = seen(&server).await;

    use Status::{NotStarted, Running, Succeeded};
    let running = [10, 50, 70, 90].map(|percent| (Running, Some(percent)));
    assert_eq!(seen[0], (NotStarted, None));
    assert_eq!(seen[1..5], running);
    assert_eq!(seen[5..], [(Succeeded, None)]);
    assert_eq!(opened(&server).await, [None, Some("b2".to_owned())]);
}

#[tokio::test]
async fn a_server_that_has_no_stream_for_it_is_asked_for_one_once_and_then_polled() {
    let other = ResponseTemplate::new(200).set_body_json(json!({ "events": [] }));
    let silent = ResponseTemplate::new(200).set_body_raw(": nothing\n\n", "text/event-stream");
    for (refusal, asked) in [
        (ResponseTemplate::new(404), 1),
        (ResponseTemplate::new(405), 1),
        (ResponseTemplate::new(429).insert_header("retry-after", "60"), 1),
        (ResponseTemplate::new(503), 1),
        (other, 1),
        (silent, 1),
    ] {
        let server = server().await;
        answers(&server, "GET", EVENTS, [refusal]).await;
        let at_work = || monitored(view("Running"));
        let end = monitored(with(view("Succeeded"), "output", 7));
        answers(&server, "GET", MONITOR, [at_work(), at_work(), end]).await;

        assert_eq!(seen(&server).await.len(), 4);

        assert_eq!(opened(&server).await.len(), asked);
    }
}

#[tokio::test]
async fn a_server_that_is_not_known_to_be_raincheck_is_asked_for_no_stream() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [running("0"), succeeded(7)]).await;

    seen(&server).await;

    assert!(opened(&server).await.is_empty());
}

#[tokio::test]
async fn a_failure_in_a_stream_has_its_reason() {
    let server = server().await;
    let failed = view("Failed");
    answers(&server, "GET", EVENTS, [stream(&format!("event: status\nid: a\ndata: {failed}\n\n"))]).await;
    answers(&server, "GET", MONITOR, [monitored(failed)]).await;
    let reason = ResponseTemplate::new(422).set_body_json(with(
        problem(422, "no-luck", "it was not to be"),
        "operation",
        view("Failed"),
    ));
    polls(&server, [reason]).await;
    let mut operation: Operation<u32> = client(&server).start("countdown", &()).await.unwrap();

    let mut updates = operation.updates();
    while let Some(view) = updates.next().await {
        view.unwrap();
    }

    let error = operation.await.unwrap_err();
    assert_eq!(error.problem().map(|problem| problem.code.as_str()), Some("no-luck"));
}
