//! A server for your tests that answers by a script (feature `test-kit`), built on [`wiremock`].
//!
//! ```
//! use raincheck::test_kit::{Answer, Server};
//! use raincheck::{Operation, Status};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), raincheck::Error> {
//! let server = Server::with([
//!     Answer::running().custom_status("Moderation"),
//!     Answer::unavailable(),
//!     Answer::succeeded("approved"),
//! ])
//! .await;
//!
//! let mut operation: Operation<String> = server.client().start("submit-talk", &()).await?;
//! assert_eq!(operation.poll().await?, Status::Running);
//! assert_eq!(operation.await?, "approved");
//! assert_eq!((server.starts().await, server.polls().await), (1, 3));
//! # Ok(())
//! # }
//! ```
//!
//! Every answer asks for a pause of zero unless [`Answer::retry_after`] says otherwise, so nothing waits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use raincheck_openapi::Status;
use serde::Serialize;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::{Client, Dialect, RetryPolicy};

const ID: &str = "019b0000-0000-7000-8000-000000000001";
const TOKEN: &str = "token-of-a-test";

/// What the server says to one poll.
#[derive(Debug, Clone)]
pub struct Answer {
    says: Says,
    custom_status: Option<Value>,
    percent_complete: Option<u8>,
    retry_after: u64,
}

#[derive(Debug, Clone)]
enum Says {
    Running,
    Succeeded(Value),
    Failed { code: String, message: String },
    Canceled,
    Code(u16),
}

impl Answer {
    fn new(says: Says) -> Self {
        Self { says, custom_status: None, percent_complete: None, retry_after: 0 }
    }

    /// The operation is still at work.
    #[must_use]
    pub fn running() -> Self {
        Self::new(Says::Running)
    }

    /// The operation has ended with this output.
    ///
    /// # Panics
    /// If the output cannot be written as JSON.
    #[must_use]
    pub fn succeeded(output: impl Serialize) -> Self {
        Self::new(Says::Succeeded(value(output)))
    }

    /// The operation has failed.
    #[must_use]
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Says::Failed { code: code.into(), message: message.into() })
    }

    /// The operation was canceled.
    #[must_use]
    pub fn canceled() -> Self {
        Self::new(Says::Canceled)
    }

    /// The server cannot serve just now: 503, which says nothing about the operation.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::code(503)
    }

    /// A bare answer with this HTTP status, such as 410 or 429.
    #[must_use]
    pub fn code(status: u16) -> Self {
        Self::new(Says::Code(status))
    }

    /// What the operation says about itself.
    ///
    /// # Panics
    /// If it cannot be written as JSON.
    #[must_use]
    pub fn custom_status(mut self, status: impl Serialize) -> Self {
        self.custom_status = Some(value(status));
        self
    }

    /// How far the operation is, from 0 to 100.
    #[must_use]
    pub fn percent_complete(mut self, percent: u8) -> Self {
        self.percent_complete = Some(percent);
        self
    }

    /// The pause to ask for before the next poll, in seconds; default 0.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = seconds;
        self
    }

    fn status(&self) -> Option<Status> {
        match self.says {
            Says::Running => Some(Status::Running),
            Says::Succeeded(_) => Some(Status::Succeeded),
            Says::Failed { .. } => Some(Status::Failed),
            Says::Canceled => Some(Status::Canceled),
            Says::Code(_) => None,
        }
    }
}

fn value(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("a value of a test can be written as JSON")
}

/// A server on a port of its own whose every start is accepted and whose polls are answered by a script; the
/// last answer is repeated. It ends when it is dropped.
pub struct Server {
    server: MockServer,
    script: Script,
}

impl Server {
    /// A raincheck server with this script.
    ///
    /// # Panics
    /// If the script is empty.
    pub async fn with(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start(None, answers).await
    }

    /// A server of another make, whose starts and polls speak this dialect.
    ///
    /// ```
    /// use raincheck::Dialect;
    /// use raincheck::test_kit::{Answer, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), raincheck::Error> {
    /// let answers = [Answer::running(), Answer::succeeded(7)];
    /// let server = Server::speaking(Dialect::StatusMonitor, answers).await;
    /// let http = reqwest::Client::new();
    /// let seven: u32 = raincheck::operation(http.post(server.url("/machines"))).await?.await?;
    /// assert_eq!(seven, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// If the script is empty.
    pub async fn speaking(dialect: Dialect, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start(Some(dialect), answers).await
    }

    async fn start(dialect: Option<Dialect>, answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Vec<Answer> = answers.into_iter().collect();
        assert!(!answers.is_empty(), "a script needs an answer");
        let server = MockServer::start().await;
        let script = Script(Arc::new(Play {
            dialect,
            answers,
            turn: AtomicUsize::new(0),
            canceled: AtomicBool::new(false),
            base: server.uri(),
        }));
        Mock::given(any()).respond_with(script.clone()).mount(&server).await;
        Self { server, script }
    }

    /// A URL of this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.uri())
    }

    /// A client of this server that repeats failed requests within milliseconds.
    ///
    /// # Panics
    /// If the system's TLS cannot be set up.
    #[must_use]
    pub fn client(&self) -> Client {
        let quick =
            RetryPolicy::new().first_pause(Duration::from_millis(1)).max_pause(Duration::from_millis(5));
        let client = Client::builder(self.server.uri()).api_key("rck_test").retry(quick);
        client.build().expect("the URL of a server that listens is a valid one")
    }

    /// How many starts have come.
    pub async fn starts(&self) -> usize {
        self.requests().await.iter().filter(|request| kind(request) == Kind::Start).count()
    }

    /// How many polls have come.
    pub async fn polls(&self) -> usize {
        self.requests().await.iter().filter(|request| kind(request) == Kind::Poll).count()
    }

    /// Whether somebody has asked to cancel the operation. From then on every poll says `Canceled`.
    #[must_use]
    pub fn was_canceled(&self) -> bool {
        self.script.0.canceled.load(Ordering::SeqCst)
    }

    /// Every request that has come, in order.
    pub async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap_or_default()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.server.uri()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Script(Arc<Play>);

struct Play {
    /// None for a raincheck server.
    dialect: Option<Dialect>,
    answers: Vec<Answer>,
    turn: AtomicUsize,
    canceled: AtomicBool,
    base: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Start,
    Poll,
    Cancel,
}

fn kind(request: &Request) -> Kind {
    let of_operation = request.url.path().contains(ID);
    match request.method.as_str() {
        "GET" | "HEAD" => Kind::Poll,
        "DELETE" if of_operation => Kind::Cancel,
        "POST" if of_operation => Kind::Cancel,
        _ => Kind::Start,
    }
}

impl Respond for Script {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let play = &self.0;
        match kind(request) {
            Kind::Start => play.accept(request.url.path()),
            Kind::Cancel => {
                play.canceled.store(true, Ordering::SeqCst);
                ResponseTemplate::new(202).set_body_json(json!({"id": ID, "status": "Canceling"}))
            }
            Kind::Poll if play.canceled.load(Ordering::SeqCst) => {
                play.answer(&Answer::canceled(), request.url.path())
            }
            Kind::Poll => {
                let turn = play.turn.fetch_add(1, Ordering::SeqCst);
                play.answer(&play.answers[turn.min(play.answers.len() - 1)], request.url.path())
            }
        }
    }
}

impl Play {
    fn accept(&self, path: &str) -> ResponseTemplate {
        let at = format!("{}{}/operations/{ID}?token={TOKEN}", self.base, path.trim_end_matches('/'));
        let monitor = at.replace("?token", "/status?token");
        let accepted =
            |body: Value| ResponseTemplate::new(202).insert_header("retry-after", "0").set_body_json(body);
        match self.dialect {
            None => accepted(self.view(&Answer::running(), "NotStarted", path))
                .insert_header("location", at)
                .insert_header("operation-location", monitor),
            Some(Dialect::StatusMonitor) => {
                accepted(json!({"status": "NotStarted"})).insert_header("operation-location", monitor)
            }
            Some(Dialect::BodyState) => {
                let body = json!({"properties": {"provisioningState": "Accepted"}});
                ResponseTemplate::new(201).insert_header("retry-after", "0").set_body_json(body)
            }
            Some(Dialect::DurableFunctions) => {
                let terminate = format!("{}/{ID}/terminate?reason={{text}}&code={TOKEN}", self.base);
                accepted(json!({"id": ID, "statusQueryGetUri": at, "terminatePostUri": terminate}))
                    .insert_header("location", at)
            }
            Some(Dialect::Location) => accepted(json!({})).insert_header("location", at),
        }
    }

    fn answer(&self, answer: &Answer, path: &str) -> ResponseTemplate {
        let Some(status) = answer.status() else {
            let Says::Code(code) = answer.says else { unreachable!("only a bare code has no status") };
            return ResponseTemplate::new(code).insert_header("retry-after", answer.retry_after.to_string());
        };
        let (code, body) = match self.dialect {
            None => self.ours(answer, status, path),
            Some(Dialect::StatusMonitor) => {
                (200, self.with_details(json!({"status": status}), answer, "result"))
            }
            Some(Dialect::BodyState) => (200, json!({"properties": {"provisioningState": status}})),
            Some(Dialect::DurableFunctions) => {
                let word = match status {
                    Status::Succeeded => "Completed",
                    Status::Canceled => "Terminated",
                    other => other.as_str(),
                };
                let code = if status.is_terminal() { 200 } else { 202 };
                (code, self.with_details(json!({"instanceId": ID, "runtimeStatus": word}), answer, "output"))
            }
            Some(Dialect::Location) => match &answer.says {
                Says::Succeeded(output) => (200, output.clone()),
                Says::Running => (202, json!({})),
                _ => (422, json!({"error": error(answer)})),
            },
        };
        let template = ResponseTemplate::new(code).set_body_json(body);
        if status.is_terminal() {
            return template;
        }
        template.insert_header("retry-after", answer.retry_after.to_string())
    }

    /// As the contract has it: the monitor says 200 to everything, the `Location` a 4xx to what did not succeed.
    fn ours(&self, answer: &Answer, status: Status, path: &str) -> (u16, Value) {
        let view = self.view(answer, status.as_str(), path);
        let (code, error) = match status {
            _ if path.ends_with("/status") => return (200, view),
            Status::Failed => (422, error(answer)),
            Status::Canceled => (409, error(answer)),
            Status::Succeeded => return (200, view),
            _ => return (202, view),
        };
        let problem = json!({
            "type": format!("{}/problems/operation-failed", self.base), "title": "The operation did not succeed",
            "status": code, "detail": error["message"], "code": error["code"], "instance": path,
            "requestId": "test", "error": error, "operation": view,
        });
        (code, problem)
    }

    fn view(&self, answer: &Answer, status: &str, path: &str) -> Value {
        let action = path.split('/').nth(3).unwrap_or("action");
        let view = json!({
            "id": ID, "action": action, "status": status, "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": "2026-01-01T00:00:00.000Z", "deadline": "2026-01-08T00:00:00.000Z",
        });
        self.with_details(view, answer, "output")
    }

    fn with_details(&self, mut body: Value, answer: &Answer, output: &str) -> Value {
        if let Some(custom) = &answer.custom_status {
            body["customStatus"] = custom.clone();
        }
        if let Some(percent) = answer.percent_complete {
            body["percentComplete"] = percent.into();
        }
        match &answer.says {
            Says::Succeeded(result) => body[output] = result.clone(),
            Says::Failed { .. } | Says::Canceled => body["error"] = error(answer),
            Says::Running | Says::Code(_) => {}
        }
        body
    }
}

fn error(answer: &Answer) -> Value {
    match &answer.says {
        Says::Failed { code, message } => json!({"code": code, "message": message}),
        _ => json!({"code": "operation-canceled", "message": "The operation was canceled."}),
    }
}
