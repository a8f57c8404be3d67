//! The server against which Microsoft tests the clients that it generates: every scenario of a long-running
//! operation, followed by the SDK without being told its dialect.
//!
//! A scenario is right when the outcome is the expected one *and* the server has seen the last request that it
//! waits for (its coverage report).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use raincheck::{Client, FinalStateVia, RetryPolicy};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::harness::{PATIENCE, skip};

/// What the server wants to see on every request of its scenarios with custom headers.
const REQUEST_ID: (&str, &str) = ("x-ms-client-request-id", "9C4D50EE-2D56-4CD3-8152-34347DC9F2B0");

#[derive(Deserialize)]
struct Scenario {
    name: String,
    method: String,
    path: String,
    expect: Expected,
    final_state_via: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expected {
    Succeeds,
    Fails,
}

/// The test server, in a process of its own.
struct AutorestServer {
    url: String,
    process: Child,
}

impl AutorestServer {
    async fn start(folder: &Path) -> Self {
        let coverage = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new("node");
        command
            .args([
                "-r",
                "./loopback.cjs",
                "node_modules/@microsoft.azure/autorest.testserver/dist/cli/cli.js",
            ])
            .args(["run", "--port=0"])
            .arg(format!("--coverageDirectory={}", coverage.path().display()))
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut process = command.spawn().expect("node");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if let Some((_, url)) = line.split_once("listening on ") {
                    return url.to_owned();
                }
            }
            panic!("the test server ended before it listened");
        };
        let url = timeout(PATIENCE, listening).await.expect("a server that listens in time");
        // It must not stop at a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { url, process }
    }

    /// How often each scenario was seen to its end.
    async fn coverage(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for report in ["/report/azure", "/report/optional"] {
            let answer = reqwest::get(format!("{}{report}", self.url)).await.expect("a report");
            all.extend(answer.json::<BTreeMap<String, u64>>().await.expect("counts"));
        }
        all
    }
}

fn scenarios() -> Option<Vec<Scenario>> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/autorest-lro/scenarios.json");
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).expect("scenarios"))
}

/// Whether the operation of a scenario succeeded.
async fn follow(server: &str, scenario: &Scenario) -> Result<Value, raincheck::Error> {
    let quick = RetryPolicy::new().first_pause(Duration::from_millis(1)).max_pause(Duration::from_millis(5));
    let client = Client::builder(server).retry(quick).timeout(PATIENCE).build().expect("a client");
    let http = reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none());
    let http = http.build().expect("a client");
    let method = scenario.method.parse().expect("a method");
    let mut request =
        http.request(method, format!("{server}{}", scenario.path)).header(REQUEST_ID.0, REQUEST_ID.1);
    if scenario.method != "DELETE" {
        request = request.json(&json!({"location": "West US"}));
    }
    // Azure's own clients repeat a POST after a 500, and some of the scenarios wait for that.
    let mut request = client.operation::<Value>(request).repeatable();
    request = match scenario.final_state_via.as_deref() {
        None => request,
        Some("location") => request.final_state_via(FinalStateVia::Location),
        Some("azure-async-operation") => request.final_state_via(FinalStateVia::OperationLocation),
        Some(other) => panic!("final-state-via {other}"),
    };
    request.await?.await
}

#[tokio::test]
async fn all_scenarios_of_the_autorest_test_server_have_the_right_outcome() {
    let test = "the scenarios of the autorest test server";
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("autorest");
    let Some(scenarios) = scenarios() else {
        return skip(test, "their list is not there: ../shared/conformance/autorest-lro/scenarios.json");
    };
    if !folder.join("node_modules").exists() {
        return skip(
            test,
            "it is not installed; `tests/run` does that, and so does `npm install` in tests/autorest",
        );
    }
    let mut server = AutorestServer::start(&folder).await;
    let mut wrong = Vec::new();

    for scenario in &scenarios {
        let before = server.coverage().await;
        let outcome = follow(&server.url, scenario).await;
        let after = server.coverage().await;

        let expected = (scenario.expect == Expected::Succeeds) == outcome.is_ok();
        let name = scenario.name.trim_end_matches("(optional)");
        let seen = after.get(name) > before.get(name);
        if !expected || !seen {
            let outcome = outcome.map_or_else(|error| format!("{error:?}"), |value| value.to_string());
            wrong.push(format!("{} (seen to its end: {seen}): {outcome}", scenario.name));
        }
    }

    server.process.kill().await.expect("its end");
    assert_eq!(scenarios.len(), 83);
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), scenarios.len(), wrong.join("\n"));
}
