//! Polling: where the client asks, and what it does when a poll goes wrong.

use std::future::IntoFuture;

use futures_util::TryStreamExt;
use raincheck::{Operation, ResumeToken, Status};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

#[tokio::test]
async fn a_relative_location_is_resolved_against_the_url_that_was_asked() {
    let server = MockServer::start().await;
    starts(&server, [running("0").insert_header("location", "countdown/operations/op-1?token=a")]).await;
    let moved = running("0").insert_header("location", "?token=b");
    Mock::given(path(STATUS_PATH)).and(query_param("token", "a")).respond_with(moved).mount(&server).await;
    Mock::given(path(STATUS_PATH))
        .and(query_param("token", "b"))
        .respond_with(succeeded(1))
        .mount(&server)
        .await;

    let output = client(&server).start::<u32>("countdown", &()).await.unwrap().await.unwrap();

    assert_eq!(output, 1);
}

#[tokio::test]
async fn the_newest_location_counts() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [running("0").insert_header("location", "/elsewhere?token=new")]).await;
    Mock::given(path("/elsewhere"))
        .respond_with(Script::new([running("0"), succeeded(1)]))
        .mount(&server)
        .await;
    let mut operation: Operation<u32> = client(&server).start("countdown", &()).await.unwrap();

    operation.poll().await.unwrap();

    assert_eq!(operation.token().url(), format!("{}/elsewhere?token=new", server.uri()));
    assert_eq!(operation.await.unwrap(), 1);
}

#[tokio::test]
async fn failed_polls_are_asked_again_and_never_end_the_operation() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    let failures = [503, 500, 429, 408, 502, 504, 503, 503].map(ResponseTemplate::new);
    polls(&server, failures.into_iter().chain([running("0"), succeeded("at last")])).await;

    let output = client(&server).start::<String>("countdown", &()).await.unwrap().await.unwrap();

    assert_eq!(output, "at last");
}

#[tokio::test]
async fn connections_that_break_while_polling_are_made_again() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{\"id\":".to_owned();
    let done = raw_answer(200, "", &with(view("Succeeded"), "output", 4));
    let url = raw(vec![String::new(), half, String::new(), done]).await;

    let operation: Operation<u32> = builder(url.clone()).build().unwrap().attach_url(&url).unwrap();

    assert_eq!(operation.await.unwrap(), 4);
}

#[tokio::test]
async fn a_redirected_poll_is_followed_and_a_circle_is_not() {
    let server = MockServer::start().await;
    let to = |target: &str| ResponseTemplate::new(307).insert_header("location", target);
    polls(&server, [to("/result")]).await;
    Mock::given(path("/result")).respond_with(succeeded(3)).mount(&server).await;
    Mock::given(path("/circle")).respond_with(to("/circle")).mount(&server).await;
    let client = client(&server);

    let output: u32 = client.attach_url(&status_url(&server)).unwrap().await.unwrap();
    let error = client.attach_url::<u32>(&format!("{}/circle", server.uri())).unwrap().await.unwrap_err();

    assert_eq!(output, 3);
    assert!(error.to_string().contains("circle"), "{error}");
}

#[tokio::test]
async fn a_poll_by_hand_asks_once_and_tells_its_own_failure() {
    let server = MockServer::start().await;
    polls(&server, [ResponseTemplate::new(503), running("30"), succeeded(1)]).await;
    let mut operation: Operation<u32> = client(&server).attach_url(&status_url(&server)).unwrap();

    let failed = operation.poll().await.unwrap_err();
    let running = operation.poll().await.unwrap();
    let pause = operation.pause();
    let ended = operation.poll().await.unwrap();
    let again = operation.poll().await.unwrap();

    assert!(failed.is_unavailable() && failed.token().is_some());
    assert_eq!(running, Status::Running);
    assert!(pause.as_secs() > 20);
    assert_eq!((ended, again), (Status::Succeeded, Status::Succeeded));
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn every_poll_is_an_update_and_the_last_status_is_the_last_one() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    let at = |percent| running("0").set_body_json(with(view("Running"), "percentComplete", percent));
    polls(&server, [at(10), at(10), ResponseTemplate::new(503), at(20), succeeded("out")]).await;
    let mut operation: Operation<String> = client(&server).start("countdown", &()).await.unwrap();

    let mut seen = Vec::new();
    let mut updates = operation.updates();
    while let Some(view) = updates.next().await {
        let view = view.unwrap();
        seen.push((view.status, view.percent_complete));
    }

    use Status::{NotStarted, Running, Succeeded};
    let half_way = [(Running, Some(10)), (Running, Some(10)), (Running, Some(20))];
    assert_eq!(seen[0], (NotStarted, None));
    assert_eq!(seen[1..4], half_way);
    assert_eq!(seen[4..], [(Succeeded, None)]);
    let polls_before = server.received_requests().await.unwrap().len();
    assert_eq!(operation.await.unwrap(), "out");
    assert_eq!(server.received_requests().await.unwrap().len(), polls_before);
}

#[tokio::test]
async fn updates_are_a_stream_for_combinators() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [running("0"), succeeded(1)]).await;
    let mut operation: Operation<u32> = client(&server).start("countdown", &()).await.unwrap();

    let statuses: Vec<_> =
        operation.updates().into_stream().map_ok(|view| view.status).try_collect().await.unwrap();

    assert_eq!(statuses, [Status::NotStarted, Status::Running, Status::Succeeded]);
}

#[tokio::test]
async fn operations_and_their_futures_move_between_threads() {
    fn moves<T: Send>(value: T) -> T {
        value
    }
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [succeeded(1)]).await;
    let client = client(&server);

    let mut operation: Operation<u32> = moves(client.start("countdown", &()).into_future()).await.unwrap();
    moves(operation.poll()).await.unwrap();
    moves(operation.updates().next()).await.unwrap().unwrap();
    let output = tokio::spawn(operation.into_future()).await.unwrap().unwrap();

    assert_eq!(output, 1);
}

#[tokio::test]
async fn a_status_word_of_tomorrow_is_unknown_and_not_an_error() {
    let server = MockServer::start().await;
    polls(&server, [running("0").set_body_json(view("Hibernating")), succeeded(1)]).await;
    let mut operation: Operation<u32> = client(&server).attach_url(&status_url(&server)).unwrap();

    assert_eq!(operation.poll().await.unwrap(), Status::Unknown);
    assert_eq!(operation.await.unwrap(), 1);
}

#[tokio::test]
async fn the_status_monitor_can_be_followed_too() {
    let server = MockServer::start().await;
    let still = ResponseTemplate::new(200).insert_header("retry-after", "0").set_body_json(view("Running"));
    let failed = with(view("Failed"), "error", json!({"code": "no-luck", "message": "It rained."}));
    polls(&server, [still, ResponseTemplate::new(200).set_body_json(failed)]).await;

    let error = client(&server).attach_url::<Value>(&status_url(&server)).unwrap().await.unwrap_err();

    assert!(error.is_failed());
    assert_eq!(error.to_string(), "the operation failed: It rained. (no-luck)");
}

#[tokio::test]
async fn an_operation_is_resumed_from_a_stored_token() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [running("0"), succeeded("resumed")]).await;
    let operation: Operation<String> = client(&server).start("countdown", &()).await.unwrap();

    let stored = serde_json::to_string(&operation.token()).unwrap();
    drop(operation);
    let token: ResumeToken = serde_json::from_str(&stored).unwrap();
    let resumed: Operation<String> = client(&server).attach(token);

    assert_eq!(resumed.id(), Some("op-1"));
    assert_eq!(resumed.await.unwrap(), "resumed");
}

#[tokio::test]
async fn a_cancel_goes_to_the_status_url_with_the_key() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(202).set_body_json(json!({"id": "op-1", "status": "Canceling"}));
    Mock::given(method("DELETE")).and(path(STATUS_PATH)).respond_with(answer).mount(&server).await;
    let mut operation: Operation<Value> = client(&server).attach_url(&status_url(&server)).unwrap();

    let status = operation.cancel().await.unwrap();

    assert_eq!(status, Status::Canceling);
    let request = &server.received_requests().await.unwrap()[0];
    assert!(header(request, "authorization").is_some() && request.url.query().unwrap().contains(TOKEN));
}

#[tokio::test]
async fn a_cancel_prefers_the_link_that_the_start_asked_for() {
    let server = MockServer::start().await;
    let link = format!("{}{STATUS_PATH}?token=may-cancel", server.uri());
    let body = with(view("NotStarted"), "links", json!({"cancel": link}));
    starts(&server, [accepted(&server, "60").set_body_json(body)]).await;
    let answer = ResponseTemplate::new(200).set_body_json(json!({"id": "op-1", "status": "Canceled"}));
    Mock::given(method("DELETE"))
        .and(query_param("token", "may-cancel"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let mut operation: Operation<Value> =
        client(&server).start("countdown", &()).links(["cancel"]).await.unwrap();

    assert_eq!(operation.cancel().await.unwrap(), Status::Canceled);
    assert!(operation.pause().as_secs() < 1);
}

#[tokio::test]
async fn a_cancel_that_came_too_late_is_refused() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(409).set_body_json(problem(409, "already-terminal", "It has ended."));
    Mock::given(method("DELETE")).respond_with(answer).mount(&server).await;
    let mut operation: Operation<Value> = client(&server).attach_url(&status_url(&server)).unwrap();

    let error = operation.cancel().await.unwrap_err();

    assert!(error.is_refused() && !error.is_canceled());
    assert_eq!(error.problem().unwrap().code, "already-terminal");
}
