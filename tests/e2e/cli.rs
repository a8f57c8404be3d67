//! The command line against a real server.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Setup, TestServer, binary};

/// What a command printed, and how it ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    error: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

async fn raincheck(server: &TestServer, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary("raincheck"));
    command
        .args(arguments)
        .env_clear()
        .env("RAINCHECK_URL", server.url(""))
        .env("RAINCHECK_ADMIN_URL", server.admin(""))
        .env("RAINCHECK_API_KEY", &server.key)
        .stdin(Stdio::null());
    let output = command.output().await.expect("the program");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), error: text(output.stderr) }
}

/// A server whose desks let everything through at once.
async fn quick() -> TestServer {
    let talk = |config: &mut raincheck_server::config::Config| {
        let desks = &mut config.samples.submit_talk;
        for desk in [&mut desks.moderation, &mut desks.shortlisting, &mut desks.selection] {
            desk.takes = std::time::Duration::from_millis(20);
            desk.decides = raincheck_server::config::DeskDecision::Accept;
        }
    };
    Setup::new().config(talk).start().await
}

fn talk() -> String {
    json!({
        "title": "Patience as a protocol",
        "description": "Why 202 is enough.",
        "track": "Integration",
        "speaker": { "name": "Ada", "email": "ada@example.com", "bio": "Waits.", "country": "Australia" }
    })
    .to_string()
}

#[tokio::test]
async fn start_and_wait_prints_the_output_and_exits_with_0() {
    let server = quick().await;

    let ran = raincheck(&server, &["start", "submit-talk", "--input", &talk(), "--wait", "--json"]).await;

    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("Approved"), "{ran:?}");
    assert!(!ran.out.contains(&server.key) && !ran.error.contains(&server.key));
}

#[tokio::test]
async fn a_started_operation_is_seen_waited_for_and_canceled_by_its_url() {
    let server = quick().await;
    let input = json!({ "subject": "a trip" }).to_string();

    let started = raincheck(&server, &["start", "request-approval", "--input", &input]).await;
    let url = started.out.trim().to_owned();
    assert_eq!(started.code, 0, "{started:?}");
    let status = raincheck(&server, &["status", &url, "--json"]).await;
    assert_eq!((status.code, &status.json()["action"]), (0, &json!("request-approval")), "{status:?}");
    let canceled = raincheck(&server, &["cancel", &url]).await;
    assert_eq!(canceled.code, 0, "{canceled:?}");

    let waited = raincheck(&server, &["wait", &url, "--timeout", "30s"]).await;

    assert_eq!(waited.code, 1, "{waited:?}");
    assert!(waited.error.contains("canceled"), "{waited:?}");
}

#[tokio::test]
async fn a_failed_operation_exits_with_1_and_says_why() {
    let server = quick().await;
    let input = json!({ "seconds": 0, "steps": 1, "fail": "no-luck" }).to_string();

    let ran = raincheck(&server, &["start", "countdown", "--input", &input, "--wait"]).await;

    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.error.contains("no-luck"), "{ran:?}");
}

#[tokio::test]
async fn a_wrong_usage_exits_with_2() {
    let server = quick().await;

    for arguments in [&["start"] as &[&str], &["start", "countdown", "--input", "{"], &["wait", "no-url"]] {
        let ran = raincheck(&server, arguments).await;
        assert_eq!(ran.code, 2, "{ran:?}");
    }
}

#[tokio::test]
async fn a_wait_that_runs_out_exits_with_3_and_the_operation_goes_on() {
    let server = quick().await;
    let input = json!({ "subject": "a trip" }).to_string();
    let arguments = ["start", "request-approval", "--input", &input, "--wait", "--timeout", "2s"];

    let ran = raincheck(&server, &arguments).await;

    assert_eq!(ran.code, 3, "{ran:?}");
    let list = raincheck(&server, &["ops", "list", "--status", "Running", "--json"]).await;
    assert_eq!(list.json()["operations"].as_array().map(Vec::len), Some(1), "{list:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_exits_with_4() {
    let server = quick().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");

    let ran = raincheck(&server, &["start", "countdown", "--url", &url, "--timeout", "2s"]).await;

    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.error.contains("RAINCHECK_URL"), "{ran:?}");
}

#[tokio::test]
async fn a_refusal_exits_with_5() {
    let server = quick().await;
    let wrong = json!({ "seconds": "many" }).to_string();

    let unknown = raincheck(&server, &["start", "no-such-action"]).await;
    let unfit = raincheck(&server, &["start", "countdown", "--input", &wrong]).await;
    let nobody = raincheck(&server, &["start", "countdown", "--api-key", "rck_no"]).await;

    for ran in [unknown, unfit, nobody] {
        assert_eq!(ran.code, 5, "{ran:?}");
    }
}

#[tokio::test]
async fn operators_list_show_send_events_and_terminate() {
    let server = quick().await;
    let started = server.post("/v1/actions/request-approval", json!({ "subject": "a trip" })).await;
    let id = started.view().id;

    let shown = raincheck(&server, &["ops", "show", &id, "--json"]).await;
    assert_eq!(shown.json()["input"]["subject"], "a trip", "{shown:?}");
    let yes = json!({ "approved": true }).to_string();
    let sent = raincheck(&server, &["ops", "send-event", &id, "decision", "--data", &yes]).await;
    assert_eq!(sent.code, 0, "{sent:?}");
    assert_eq!(server.ended(&started.location()).await.status, 200);
    let journal = raincheck(&server, &["ops", "journal", &id, "--json"]).await;
    assert!(journal.out.contains("decision"), "{journal:?}");

    let second = server.post("/v1/actions/request-approval", json!({ "subject": "another" })).await;
    let terminated = raincheck(&server, &["ops", "terminate", &second.view().id]).await;

    assert_eq!(terminated.code, 0, "{terminated:?}");
    assert_eq!(server.ended(&second.location()).await.code(), "terminated");
}
