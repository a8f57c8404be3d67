//! Servers that answer by a script.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use raincheck::{Client, ClientBuilder, Error, Operation, RetryPolicy};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub(crate) const KEY: &str = "rck_key-that-stays-home";
pub(crate) const TOKEN: &str = "token-that-is-a-secret";
pub(crate) const STATUS_PATH: &str = "/v1/actions/countdown/operations/op-1";

/// A view of the operation that all these servers run.
pub(crate) fn view(status: &str) -> Value {
    json!({
        "id": "op-1", "action": "countdown", "status": status,
        "createdAt": "2026-11-24T08:00:00.000Z", "updatedAt": "2026-11-24T08:00:01.000Z",
        "deadline": "2026-12-01T08:00:00.000Z",
    })
}

pub(crate) fn with(mut view: Value, name: &str, value: impl Into<Value>) -> Value {
    view[name] = value.into();
    view
}

pub(crate) fn running(retry_after: &str) -> ResponseTemplate {
    ResponseTemplate::new(202).insert_header("retry-after", retry_after).set_body_json(view("Running"))
}

pub(crate) fn accepted(server: &MockServer, retry_after: &str) -> ResponseTemplate {
    running(retry_after).insert_header("location", status_url(server)).set_body_json(view("NotStarted"))
}

pub(crate) fn succeeded(output: impl Into<Value>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(with(view("Succeeded"), "output", output))
}

pub(crate) fn problem(status: u16, code: &str, detail: &str) -> Value {
    json!({
        "type": format!("http://h/problems/{code}"), "title": "Title", "status": status, "detail": detail,
        "instance": STATUS_PATH, "code": code, "requestId": "req-1", "error": {"code": code, "message": detail},
    })
}

pub(crate) fn status_url(server: &MockServer) -> String {
    format!("{}{STATUS_PATH}?token={TOKEN}", server.uri())
}

/// Answers in this order; the last one is repeated.
pub(crate) struct Script(Vec<ResponseTemplate>, AtomicUsize);

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = ResponseTemplate>) -> Self {
        Self(answers.into_iter().collect(), AtomicUsize::new(0))
    }
}

impl Respond for Script {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let turn = self.1.fetch_add(1, Ordering::SeqCst);
        self.0[turn.min(self.0.len() - 1)].clone()
    }
}

/// Mounts the polls of the one operation.
pub(crate) async fn polls(server: &MockServer, answers: impl IntoIterator<Item = ResponseTemplate>) {
    Mock::given(method("GET")).and(path(STATUS_PATH)).respond_with(Script::new(answers)).mount(server).await;
}

/// Mounts the start of the one action.
pub(crate) async fn starts(server: &MockServer, answers: impl IntoIterator<Item = ResponseTemplate>) {
    Mock::given(method("POST"))
        .and(path("/v1/actions/countdown"))
        .respond_with(Script::new(answers))
        .mount(server)
        .await;
}

/// A client in a hurry: its back-off takes milliseconds.
pub(crate) fn builder(url: String) -> ClientBuilder {
    let quick = RetryPolicy::new()
        .attempts(3)
        .first_pause(Duration::from_millis(2))
        .max_pause(Duration::from_millis(5));
    Client::builder(url).api_key(KEY).retry(quick)
}

pub(crate) fn client(server: &MockServer) -> Client {
    builder(server.uri()).build().unwrap()
}

pub(crate) fn header(request: &Request, name: &str) -> Option<String> {
    request.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

/// A server below HTTP: each connection gets the next text, and an empty text hangs up on it.
pub(crate) async fn raw(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

/// An answer for [`raw`], complete with its length.
pub(crate) fn raw_answer(status: u16, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// Mounts one URL of a server that is not ours.
pub(crate) async fn answers(
    server: &MockServer,
    verb: &str,
    at: &str,
    answers: impl IntoIterator<Item = ResponseTemplate>,
) {
    Mock::given(method(verb)).and(path(at)).respond_with(Script::new(answers)).mount(server).await;
}

/// A 202 that leads there at once.
pub(crate) fn located(location: &str) -> ResponseTemplate {
    ResponseTemplate::new(202).insert_header("location", location).insert_header("retry-after", "0")
}

/// A 200 with this body.
pub(crate) fn done(body: impl Into<Value>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body.into())
}

/// Starts an operation of a server that is not ours, at `/start`.
pub(crate) async fn begin<T: Send + 'static>(
    client: &Client,
    server: &MockServer,
) -> Result<Operation<T>, Error> {
    client.operation(reqwest::Client::new().post(format!("{}/start", server.uri()))).await
}
