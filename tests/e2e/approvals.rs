//! A person decides: told by a message, reminded, through the links of that message; or nobody does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use warp::Filter as _;
use warp::http::StatusCode;

use crate::harness::{Launch, PATIENCE, ServerProcess};

/// Whatever takes messages.
struct Receiver {
    address: String,
    messages: mpsc::UnboundedReceiver<(Option<String>, Value)>,
    /// What it answers to the next message only; 200 to all others.
    next: Arc<AtomicU16>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let (tell, messages) = mpsc::unbounded_channel();
        let next = Arc::new(AtomicU16::new(200));
        let status = Arc::clone(&next);
        let hook = warp::post()
            .and(warp::path!("hook" / "secret-of-the-hook"))
            .and(warp::header::optional("authorization"))
            .and(warp::body::json())
            .map(move |key: Option<String>, message: Value| {
                let status = status.swap(200, Ordering::Relaxed);
                // The test may have ended.
                let _ = tell.send((key, message));
                warp::reply::with_status("", StatusCode::from_u16(status).expect("a status"))
            });
        tokio::spawn(warp::serve(hook).incoming(listener).run());
        Self { address, messages, next }
    }

    async fn message(&mut self) -> (Option<String>, Value) {
        timeout(PATIENCE, self.messages.recv()).await.expect("a message in time").expect("it runs")
    }

    /// A server that tells it.
    fn told_by(&self, approval: &str) -> Launch {
        let address = &self.address;
        let config = format!(
            "[outbound]\nallow = [\"{address}\"]\nallow_plain_http = true\n[samples.request_approval]\n{approval}"
        );
        Launch::new()
            .config(&config)
            .env("RAINCHECK_APPROVAL_URL", format!("http://{address}/hook/secret-of-the-hook"))
    }
}

async fn start(server: &ServerProcess, input: Value) -> String {
    let request = server.http.post(server.url("/v1/actions/request-approval")).bearer_auth(&server.key);
    let answer = request.json(&input).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    answer.headers()["location"].to_str().expect("a URL").to_owned()
}

/// The end of the operation: status, and body.
async fn end(server: &ServerProcess, location: &str) -> (u16, Value) {
    let ended = async {
        loop {
            let answer =
                server.http.get(location).header("prefer", "wait=10").send().await.expect("an answer");
            if answer.status() != 202 {
                return (answer.status().as_u16(), answer.json().await.expect("JSON"));
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("it ends")
}

#[tokio::test]
async fn a_message_is_sent_until_it_is_taken_and_its_link_leads_to_the_decision() {
    let mut receiver = Receiver::start().await;
    receiver.next.store(503, Ordering::Relaxed);
    let launch = receiver.told_by("notify = \"slack\"").env("RAINCHECK_APPROVAL_KEY", "key-of-the-hook");
    let server = launch.start().await;
    let location = start(&server, json!({ "subject": "Travel <b>" })).await;

    let refused = receiver.message().await;
    let taken = receiver.message().await;
    assert_eq!(refused, taken);
    let (key, message) = taken;
    assert_eq!(key.as_deref(), Some("Bearer key-of-the-hook"));
    let text = message["text"].as_str().expect("a text");
    assert!(text.contains("Travel &lt;b&gt;"), "{text}");
    let link = |label: &str| {
        let (before, _) = text.split_once(&format!("|{label}>")).expect("a link");
        before.rsplit_once('<').expect("a link").1.to_owned()
    };
    let page = server.http.get(link("Approve")).header("accept", "text/html").send().await.expect("a page");
    assert!(page.text().await.expect("text").contains("Travel &lt;b&gt;"));
    let form = server.http.post(link("Reject")).header("accept", "text/html");
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("choice=reject");
    let chosen = form.send().await.expect("a page");
    assert_eq!(chosen.status(), 202);

    let (status, view) = end(&server, &location).await;
    assert_eq!((status, &view["output"]), (200, &json!({ "approved": false })));
    let log = launch.log();
    assert!(log.contains("notification-failed") && log.contains("503"), "{log}");
    let token = link("Approve").split_once("token=").expect("a token").1.to_owned();
    for secret in ["secret-of-the-hook", "key-of-the-hook", &token[..32]] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn who_does_not_decide_is_reminded_and_in_the_end_time_is_up() {
    let mut receiver = Receiver::start().await;
    let launch = receiver.told_by(
        "notify = \"json\"\nremind_after = \"200ms\"\ntemplate = '{\"to\": [\"{subject}\"], \"at\": \"{page}\"}'\n",
    );
    let server = launch.start().await;
    let location = start(&server, json!({ "subject": "\"quoted\"", "timeoutSeconds": 1 })).await;

    let (_, first) = receiver.message().await;
    let (_, second) = receiver.message().await;

    assert_eq!(first, second);
    assert_eq!(first["to"], json!(["\"quoted\""]));
    let (status, problem) = end(&server, &location).await;
    assert_eq!((status, &problem["code"]), (422, &json!("approval-timeout")));
    assert_eq!(problem["operation"]["customStatus"], "Waiting for a decision, after a reminder");
    let late = server.http.get(first["at"].as_str().expect("a URL")).send().await.expect("a page");
    assert!(late.text().await.expect("text").contains("ended before it was answered"));
}

#[tokio::test]
async fn a_message_that_is_refused_for_good_ends_the_operation() {
    let receiver = Receiver::start().await;
    receiver.next.store(403, Ordering::Relaxed);
    let server = receiver.told_by("notify = \"slack\"").start().await;

    let location = start(&server, json!({ "subject": "x" })).await;

    let (status, problem) = end(&server, &location).await;
    assert_eq!((status, &problem["code"]), (424, &json!("notification-failed")));
}
