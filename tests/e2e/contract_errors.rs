//! The contract's table of bad input, row by row, over real sockets.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Answer, TestServer};

const APPROVAL: &str = "/v1/actions/request-approval";

/// Sends bytes and reads everything until the server closes the connection.
async fn raw(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = connect(server).await;
    stream.write_all(bytes).await.expect("it listens");
    rest(&mut stream).await
}

async fn connect(server: &TestServer) -> TcpStream {
    let address = server.url("");
    TcpStream::connect(address.trim_start_matches("http://")).await.expect("it listens")
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is an end too.
    let reading = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut text)).await;
    drop(reading.expect("the server closes the connection"));
    String::from_utf8_lossy(&text).into_owned()
}

async fn post_text(server: &TestServer, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = server.http.post(server.url(APPROVAL)).bearer_auth(&server.key).body(body.to_owned());
    Answer::to(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test]
async fn every_row_that_a_caller_can_bring_about_has_its_status_and_code() {
    let server = TestServer::with_config(|config| config.limits.request_body = 1_000).await;
    let long = format!(r#"{{"subject":"{}"}}"#, "x".repeat(1_000));
    let json = ("content-type", "application/json");

    for (headers, body, status, code) in [
        (vec![json], "{\"subject\":", 400, "malformed-json"),
        (vec![json], "{\"subject\":\"x\",\"subject\":\"y\"}", 400, "malformed-json"),
        (vec![("content-type", "text/plain")], "{\"subject\":\"x\"}", 415, "unsupported-media-type"),
        (vec![json, ("content-encoding", "gzip")], "{}", 415, "unsupported-media-type"),
        (vec![json], "{\"subject\":7}", 422, "invalid-input"),
        (vec![json], long.as_str(), 413, "body-too-large"),
        (vec![json, ("idempotency-key", "two words")], "{\"subject\":\"x\"}", 400, "invalid-idempotency-key"),
    ] {
        let answer = post_text(&server, &headers, body).await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{body}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("retry-after"), "");
        assert_eq!(answer.json()["requestId"], answer.header("x-request-id"));
        assert!(answer.json().get("operation").is_none());
    }
    let listed = server.get(&server.admin("/admin/v1/operations")).await;
    assert_eq!(listed.json()["operations"], json!([]), "nothing was half done");
}

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_methods_405() {
    let server = TestServer::start().await;

    for (method, path, status, code) in [
        (Method::GET, "/", 404, "not-found"),
        (Method::GET, "/v1/actions", 404, "not-found"),
        (Method::POST, "/v1/actions/nothing", 404, "unknown-action"),
        (Method::PUT, "/v1/actions/countdown", 405, "method-not-allowed"),
        (Method::POST, "/openapi.json", 405, "method-not-allowed"),
    ] {
        let answer = Answer::to(server.http.request(method.clone(), server.url(path))).await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{method} {path}");
        assert_eq!(answer.header("allow").is_empty(), status == 404);
        let page = server.get_bare(answer.json()["type"].as_str().unwrap()).await;
        assert_eq!(page.status, 200, "the type leads to a page");
    }
}

#[tokio::test]
async fn too_many_active_operations_are_429_with_a_time_to_come_back() {
    let server = TestServer::with_config(|config| config.limits.active_operations = 1).await;
    let start = || server.post(APPROVAL, json!({ "subject": "x" }));
    assert_eq!(start().await.status, 202);

    let full = start().await;

    assert_eq!((full.status, &*full.code()), (429, "too-many-active"));
    assert!(full.header("retry-after").parse::<u32>().unwrap() >= 1);
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_refused_while_it_comes() {
    let server = TestServer::with_config(|config| config.limits.request_body = 100).await;
    let head = format!(
        "POST {APPROVAL} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        server.key
    );
    let chunk = format!("c8\r\n{}\r\n", "x".repeat(200));

    let answer = raw(&server, format!("{head}{chunk}").as_bytes()).await;

    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"limit\":100"), "{answer}");
}

#[tokio::test]
async fn a_body_of_a_byte_a_second_is_408_and_others_are_served_meanwhile() {
    let server = TestServer::with_config(|config| config.limits.body_time = Duration::from_millis(500)).await;
    let mut slow = connect(&server).await;
    let head = format!(
        "POST {APPROVAL} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 20\r\n\r\n{{",
        server.key
    );
    slow.write_all(head.as_bytes()).await.unwrap();

    assert_eq!(server.post(APPROVAL, json!({ "subject": "x" })).await.status, 202);

    let answer = rest(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let server =
        TestServer::with_config(|config| config.limits.header_time = Duration::from_millis(200)).await;

    assert_eq!(raw(&server, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow").await, "");
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_leaves_the_server_up() {
    let server = TestServer::start().await;
    let long = format!("GET /healthz?{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(10_000));
    let wide = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(40_000));
    let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(200));

    for (request, status) in [
        ("\x16\x03\x01\x02\r\n\r\n", "400"),
        ("GET\r\n\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nbad header\r\n\r\n", "400"),
        ("POST /v1/actions/countdown HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", "400"),
        (&long, "414"),
        (&wide, "431"),
        (&many, "431"),
    ] {
        let answer = raw(&server, request.as_bytes()).await;
        let shown: String = request.chars().take(60).collect();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
    }
    assert_eq!(server.get_bare("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_body_that_breaks_off_accepts_nothing() {
    let server = TestServer::start().await;
    let mut stream = connect(&server).await;
    let head = format!(
        "POST {APPROVAL} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 20\r\n\r\n{{",
        server.key
    );

    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    rest(&mut stream).await;

    let listed = server.get(&server.admin("/admin/v1/operations")).await;
    assert_eq!(listed.json()["operations"], json!([]));
}

#[tokio::test]
async fn idle_connections_leave_the_server_answering_others() {
    let server = TestServer::start().await;
    let mut idle = Vec::new();
    for _ in 0..500 {
        idle.push(connect(&server).await);
    }

    assert_eq!(server.get_bare("/healthz").await.status, 200);
}
