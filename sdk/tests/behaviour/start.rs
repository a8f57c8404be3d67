//! Starting: what is sent, what is repeated, and what the answers mean.

use std::time::Duration;

use raincheck::{Operation, Status};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

#[tokio::test]
async fn a_start_gives_an_operation_that_is_awaited_for_its_output() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [running("0"), succeeded("done")]).await;

    let operation: Operation<String> =
        client(&server).start("countdown", &json!({"seconds": 3})).await.unwrap();

    assert_eq!(operation.id(), Some("op-1"));
    assert_eq!(operation.view().unwrap().status, Status::NotStarted);
    assert_eq!(operation.await.unwrap(), "done");
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].body_json::<Value>().unwrap(), json!({"seconds": 3}));
    assert_eq!(header(&requests[0], "authorization").unwrap(), format!("Bearer {KEY}"));
    assert_eq!(header(&requests[0], "prefer"), None);
    assert_eq!(requests[1].url.query().unwrap(), format!("token={TOKEN}"));
}

#[tokio::test]
async fn a_start_is_repeated_with_the_same_generated_key() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "0");
    starts(&server, [busy.clone(), ResponseTemplate::new(429), accepted(&server, "0")]).await;

    let start = client(&server).start::<Value>("countdown", &());
    let key = start.key().to_owned();
    let _operation = start.await.unwrap();

    let requests = server.received_requests().await.unwrap();
    let keys: Vec<_> = requests.iter().map(|request| header(request, "idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), 3);
    assert!(key.len() == 36 && keys.iter().all(|sent| *sent == key), "{keys:?}");
}

#[tokio::test]
async fn two_starts_have_different_keys() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    let client = client(&server);

    let _one: Operation<Value> = client.start("countdown", &()).await.unwrap();
    let _two: Operation<Value> = client.start("countdown", &()).await.unwrap();

    let requests = server.received_requests().await.unwrap();
    assert_ne!(header(&requests[0], "idempotency-key"), header(&requests[1], "idempotency-key"));
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_sent_again() {
    let answer = raw_answer(202, "location: /v1/x\r\n", &view("NotStarted"));
    let url = raw(vec![String::new(), answer]).await;

    let operation: Operation<Value> = builder(url).build().unwrap().start("countdown", &()).await.unwrap();

    assert_eq!(operation.id(), Some("op-1"));
}

#[tokio::test]
async fn attempts_end_and_the_last_answer_is_the_error() {
    let server = MockServer::start().await;
    let busy =
        ResponseTemplate::new(503).set_body_json(problem(503, "draining", "This process is shutting down."));
    starts(&server, [busy]).await;

    let error = client(&server).start::<Value>("countdown", &()).await.unwrap_err();

    assert!(error.is_unavailable() && !error.is_refused());
    assert_eq!(error.problem().unwrap().code, "draining");
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn options_of_a_start_are_sent() {
    let server = MockServer::start().await;
    let body = with(view("NotStarted"), "links", json!({"cancel": "http://h/c?token=1"}));
    starts(&server, [accepted(&server, "0").set_body_json(body)]).await;

    let operation: Operation<Value> = client(&server)
        .start("countdown", &())
        .idempotency_key("travel-117")
        .links(["cancel", "event:decision"])
        .prefer_wait(Duration::from_millis(2_900))
        .await
        .unwrap();

    let request = &server.received_requests().await.unwrap()[0];
    let links: Vec<_> = request.url.query_pairs().into_owned().collect();
    assert_eq!(links, [("links".to_owned(), "cancel,event:decision".to_owned())]);
    assert_eq!(header(request, "idempotency-key").unwrap(), "travel-117");
    assert_eq!(header(request, "prefer").unwrap(), "wait=2");
    assert_eq!(operation.links()["cancel"], "http://h/c?token=1");
}

#[tokio::test]
async fn a_start_that_ended_in_time_is_never_polled() {
    let server = MockServer::start().await;
    starts(&server, [succeeded(7).insert_header("location", status_url(&server))]).await;

    let output = client(&server).start::<u32>("countdown", &()).await.unwrap().await.unwrap();

    assert_eq!(output, 7);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_start_that_failed_in_time_is_accepted_and_the_operation_failed() {
    let server = MockServer::start().await;
    let failed = with(problem(422, "talk-too-long", "Too long."), "operation", view("Failed"));
    let answer =
        ResponseTemplate::new(422).insert_header("location", status_url(&server)).set_body_json(failed);
    starts(&server, [answer]).await;

    let operation = client(&server).start::<u32>("countdown", &()).await.unwrap();

    assert_eq!(operation.view().unwrap().status, Status::Failed);
    assert!(operation.await.unwrap_err().is_failed());
}

#[tokio::test]
async fn a_refused_start_says_which_member_does_not_fit() {
    let server = MockServer::start().await;
    let errors = json!([{"pointer": "/seconds", "detail": "expected a number"}]);
    let body = with(problem(422, "invalid-input", "The input does not fit."), "errors", errors);
    starts(&server, [ResponseTemplate::new(422).set_body_json(body)]).await;

    let error = client(&server).start::<Value>("countdown", &()).await.unwrap_err();

    assert!(error.is_refused() && !error.is_failed());
    assert_eq!(
        error.to_string(),
        "the server refused with 422: The input does not fit. (invalid-input); /seconds: expected a number"
    );
    assert!(error.token().is_none());
}

#[tokio::test]
async fn a_202_without_a_location_cannot_be_followed() {
    let server = MockServer::start().await;
    starts(&server, [running("0")]).await;

    let error = client(&server).start::<Value>("countdown", &()).await.unwrap_err();

    assert!(error.is_unexpected() && error.to_string().contains("no usable Location"), "{error}");
}

#[tokio::test]
async fn keys_and_urls_that_cannot_be_sent_are_refused_before_anything_is_sent() {
    let server = MockServer::start().await;

    let long = client(&server).start::<Value>("countdown", &()).idempotency_key("x".repeat(256)).await;
    let spaced = client(&server).start::<Value>("countdown", &()).idempotency_key("a b").await;

    assert!(long.unwrap_err().is_usage() && spaced.unwrap_err().is_usage());
    assert!(builder("example.org".into()).build().unwrap_err().is_usage());
    assert!(builder("ftp://example.org".into()).build().unwrap_err().is_usage());
    assert!(builder(server.uri()).api_key("a\nb").build().unwrap_err().is_usage());
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_connect_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);

    let error = builder(url).build().unwrap().start::<Value>("countdown", &()).await.unwrap_err();

    assert!(error.is_connect() && error.is_transport(), "{error:?}");
}
