//! Azure's own clients for long-running operations, unchanged, against the real server: each sees every end rightly, on
//! each road that it knows, and keeps to the pace that the server asks for.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{Answer, Launch, PATIENCE, ServerProcess, skip};

/// What a client saw of one operation.
#[derive(Debug, Deserialize)]
struct Seen {
    /// Which header it followed.
    road: String,
    /// How the operation was to end.
    end: String,
    id: String,
    status: String,
    output: Option<Value>,
    code: Option<String>,
    message: Option<String>,
}

impl Seen {
    /// Whether its error has that text; JavaScript's has the code in its message.
    fn says(&self, text: &str) -> bool {
        self.code.as_deref() == Some(text)
            || self.message.as_deref().is_some_and(|message| message.contains(text))
    }
}

/// The words of a client: for a success, a failure, a cancel, and for a cancel that it sees at `Location`, where the
/// status of HTTP is all that it looks at.
struct Words {
    succeeded: &'static str,
    failed: &'static str,
    canceled: &'static str,
    canceled_at_location: &'static str,
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A server whose log tells every request.
async fn server() -> (Launch, ServerProcess) {
    let launch = Launch::new().config("[log]\nformat = \"json\"\nfilter = \"raincheck_server=debug\"\n");
    let server = launch.start().await;
    (launch, server)
}

/// How often the log has a read of that operation.
fn polls(log: &str, id: &str) -> usize {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let polls = lines.filter(|line| {
        line["message"] == "answered"
            && line["method"] == "GET"
            && line["path"].as_str().is_some_and(|path| path.contains(id))
    });
    polls.count()
}

/// Lets a client follow operations to each end on each of `roads`, and looks at what it saw.
async fn follow(client: &mut Command, roads: &[&str], words: &Words) {
    let (launch, server) = server().await;
    let running =
        client.arg(server.url("")).env("RAINCHECK_KEY", &server.key).stdin(Stdio::null()).kill_on_drop(true);

    let output = timeout(PATIENCE, running.output()).await.expect("it ends in time").expect("it runs");

    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");
    println!("{text}");
    let seen: Vec<Seen> = text.lines().map(|line| serde_json::from_str(line).expect("what it saw")).collect();
    assert_eq!(seen.len(), roads.len() * 3, "{text}");
    for one in &seen {
        let at_location = one.road == "location";
        match &*one.end {
            "succeeds" => {
                assert_eq!(one.status, words.succeeded, "{one:?}");
                assert_eq!(one.output, Some(json!({ "steps": 5 })), "{one:?}");
            }
            "fails" => {
                assert_eq!(one.status, words.failed, "{one:?}");
                assert!(
                    one.says("out-of-paper") && one.says("the countdown failed, as it was asked to"),
                    "{one:?}"
                );
            }
            _ => {
                let canceled = if at_location { words.canceled_at_location } else { words.canceled };
                assert_eq!(one.status, canceled, "{one:?}");
                assert!(one.says("canceled"), "{one:?}");
            }
        }
        if one.end == "is-canceled" {
            continue;
        }
        // The server asks for a second, in an operation of four and a half. Less would be many polls, and the client's own
        // pace too few; a busy machine may delay one or two.
        let polls = polls(&launch.log(), &one.id);
        let monitor = server.url(&format!("/v1/actions/countdown/operations/{}/status", one.id));
        let lasted = Answer::to(server.http.get(monitor).bearer_auth(&server.key)).await.lasted();
        assert!(polls >= 3, "{polls} polls in {lasted} s: {one:?}");
        assert!((polls as f64) <= lasted + 4.0, "{polls} polls in {lasted} s: {one:?}");
    }
}

#[tokio::test]
async fn azure_core_for_python_sees_every_end_on_both_roads() {
    let python = file("../target/venv/bin/python");
    let installed = Command::new(&python).args(["-c", "import azure.core"]).output().await;
    if !installed.is_ok_and(|output| output.status.success()) {
        return skip("azure-core for Python", "it is not installed in target/venv; `tests/run` does that");
    }
    let words = Words {
        succeeded: "Succeeded",
        failed: "Failed",
        canceled: "Canceled",
        canceled_at_location: "Failed",
    };

    let mut client = Command::new(python);
    client.arg(file("azure/python/follow.py"));
    follow(&mut client, &["operation-location", "location"], &words).await;
}

#[tokio::test]
async fn core_lro_for_javascript_sees_every_end_on_both_roads() {
    let folder = file("azure/node");
    if !folder.join("node_modules").exists() {
        return skip(
            "@azure/core-lro",
            "it is not installed; `tests/run` does that, and so does `npm install` in tests/azure/node",
        );
    }
    let words = Words {
        succeeded: "succeeded",
        failed: "failed",
        canceled: "canceled",
        canceled_at_location: "failed",
    };

    let mut client = Command::new("node");
    client.arg("follow.mjs").current_dir(folder);
    follow(&mut client, &["operation-location", "location"], &words).await;
}

#[tokio::test]
async fn azure_core_for_rust_sees_every_end() {
    let program = file("../target/azure-rust/debug/azure-follow");
    if !program.exists() {
        return skip("azure_core for Rust", "its program is not built; `tests/run` does that");
    }
    let words = Words {
        succeeded: "Succeeded",
        failed: "Failed",
        canceled: "Canceled",
        canceled_at_location: "Canceled",
    };

    follow(&mut Command::new(program), &["operation-location"], &words).await;
}

#[test]
fn the_documentation_shows_the_status_monitor_that_is_tested() {
    let read = |path| std::fs::read_to_string(file(path)).expect("a file");
    let (program, page) = (read("azure/rust/src/main.rs"), read("../docs/azure-clients.md"));

    let (_, rest) = program.split_once("// docs: begin status-monitor\n").expect("its begin");
    let (shown, _) = rest.split_once("// docs: end status-monitor").expect("its end");

    assert!(page.contains(&format!("```rust\n{shown}```\n")), "{shown}");
}
