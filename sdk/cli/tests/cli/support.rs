//! Runs the binary, and servers for it to talk to.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub(crate) const STATUS_PATH: &str = "/v1/actions/countdown/operations/op-1";
pub(crate) const KEY: &str = "rck_key";

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

pub(crate) fn command(server: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raincheck"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RAINCHECK_")) {
        command.env_remove(name);
    }
    command
        .env("RAINCHECK_URL", server)
        .env("RAINCHECK_ADMIN_URL", server)
        .env("RAINCHECK_API_KEY", KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) async fn run(server: &str, args: &[&str]) -> Run {
    run_with_stdin(server, args, "").await
}

pub(crate) async fn run_with_stdin(server: &str, args: &[&str], stdin: &str) -> Run {
    let mut child = command(server).args(args).spawn().unwrap();
    // A run that fails early reads no stdin.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

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

pub(crate) fn answer(status: u16, body: Value) -> ResponseTemplate {
    let answer = ResponseTemplate::new(status).set_body_json(body);
    if status == 202 { answer.insert_header("retry-after", "0") } else { answer }
}

/// A bare 202: come to this place at once.
pub(crate) fn accepted(location: &str) -> ResponseTemplate {
    ResponseTemplate::new(202).insert_header("location", location).insert_header("retry-after", "0")
}

pub(crate) fn succeeded() -> ResponseTemplate {
    answer(200, with(view("Succeeded"), "output", json!({"outcome": "Approved"})))
}

pub(crate) fn problem(status: u16, code: &str, detail: &str) -> Value {
    json!({
        "type": format!("http://h/problems/{code}"), "title": "Title", "status": status, "detail": detail,
        "instance": STATUS_PATH, "code": code, "requestId": "req-1", "error": {"code": code, "message": detail},
    })
}

pub(crate) fn status_url(server: &MockServer) -> String {
    format!("{}{STATUS_PATH}?token=t", server.uri())
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

pub(crate) async fn polls(server: &MockServer, answers: impl IntoIterator<Item = ResponseTemplate>) {
    Mock::given(method("GET")).and(path(STATUS_PATH)).respond_with(Script::new(answers)).mount(server).await;
}

/// A server that accepts the start of `countdown` and then answers polls like this.
pub(crate) async fn server(answers: impl IntoIterator<Item = ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let accepted = answer(202, view("NotStarted")).insert_header("location", status_url(&server));
    Mock::given(method("POST"))
        .and(path("/v1/actions/countdown"))
        .respond_with(accepted)
        .mount(&server)
        .await;
    polls(&server, answers).await;
    server
}

/// Answers one method and path.
pub(crate) async fn on(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}
