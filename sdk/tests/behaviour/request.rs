//! Requests of the caller's own: made by the client, sent, and taken up again.

use raincheck::{Operation, Status};
use serde_json::{Value, json};
use wiremock::matchers::{header as has_header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

/// A server that accepts `POST /restart` and answers 202 once before the result.
async fn restarts() -> MockServer {
    let server = MockServer::start().await;
    let accepted =
        ResponseTemplate::new(202).insert_header("location", "/work").insert_header("retry-after", "0");
    let bare = ResponseTemplate::new(202).insert_header("retry-after", "0");
    let done = ResponseTemplate::new(200).set_body_json(json!({"restarted": true}));
    Mock::given(method("POST")).and(path("/restart")).respond_with(accepted).mount(&server).await;
    Mock::given(method("GET"))
        .and(path("/work"))
        .and(has_header("x-api-key", "theirs"))
        .respond_with(Script::new([bare, done]))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_request_made_by_the_client_needs_no_http_library() {
    let server = restarts().await;
    let client = client(&server);

    let restart = client.request("POST", &format!("{}/restart", server.uri())).unwrap();
    let output: Value = client.operation(restart.header("x-api-key", "theirs")).await.unwrap().await.unwrap();

    assert_eq!(output, json!({"restarted": true}));
}

#[tokio::test]
async fn a_method_or_url_that_cannot_be_sent_is_wrong_usage() {
    let client = client(&MockServer::start().await);

    for (method, url) in [("GE T", "http://h/a"), ("", "http://h/a"), ("GET", "/a"), ("GET", "ftp://h/a")] {
        assert!(client.request(method, url).unwrap_err().is_usage(), "{method} {url}");
    }
}

#[tokio::test]
async fn an_operation_that_is_taken_up_again_carries_what_its_start_would_have() {
    let server = restarts().await;
    let client = client(&server);
    let restart = || {
        let request = client.request("POST", &format!("{}/restart", server.uri())).unwrap();
        client.operation::<Value>(request.header("x-api-key", "theirs").header("if-match", "1"))
    };
    let token = restart().await.unwrap().token();

    let output = restart().attach(token).unwrap().await.unwrap();

    assert_eq!(output, json!({"restarted": true}));
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.iter().filter(|request| request.method.as_str() == "POST").count(), 1);
    assert!(header(requests.last().unwrap(), "if-match").is_none());
}

#[tokio::test]
async fn each_turn_shows_a_status_even_if_the_server_tells_none() {
    let server = restarts().await;
    let client = client(&server);
    let restart = client.request("POST", &format!("{}/restart", server.uri())).unwrap();
    let mut operation: Operation<Value> =
        client.operation(restart.header("x-api-key", "theirs")).await.unwrap();

    let mut seen = Vec::new();
    while operation.last_answer().is_none() {
        seen.push(operation.advance().await.unwrap());
    }
    let after = operation.advance().await.unwrap();

    assert_eq!((seen, after), (vec![Status::Running, Status::Succeeded], Status::Succeeded));
}

#[tokio::test]
async fn the_answer_of_a_refusal_is_there_as_it_came() {
    let server = MockServer::start().await;
    let refusal =
        ResponseTemplate::new(403).insert_header("x-ms-request-id", "r-7").set_body_string("not today");
    Mock::given(path("/restart")).respond_with(refusal).mount(&server).await;
    let client = client(&server);
    let restart = client.request("POST", &format!("{}/restart", server.uri())).unwrap();

    let error = client.operation::<Value>(restart).await.unwrap_err();

    let answer = error.answer().unwrap();
    assert_eq!((answer.status(), answer.header("x-ms-request-id")), (403, Some("r-7")));
    assert_eq!(answer.body(), b"not today");
    assert!(!format!("{error:?}").contains("not today"));
}
