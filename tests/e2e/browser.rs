//! Pages of other origins in a real browser: one whose origin is allowed starts an operation and follows it to the end;
//! another one gets nothing.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{PATIENCE, TestServer, skip};

const CHROMIUM: &str = "/usr/bin/chromium";

#[tokio::test]
async fn a_page_of_an_allowed_origin_follows_an_operation_and_another_page_gets_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    if !Path::new(CHROMIUM).exists() || !folder.join("node_modules").exists() {
        return skip(
            "CORS in a browser",
            "Chromium or playwright-core is not installed; `tests/run` does that",
        );
    }
    // Any page does: its origin is what counts, and the same machine under another name is another origin.
    let pages = TestServer::start().await;
    let allowed = pages.url("/healthz");
    let other = allowed.replace("127.0.0.1", "localhost");
    let origin = pages.url("").parse().expect("an origin");
    let server = TestServer::with_config(|config| config.cors_origins = vec![origin]).await;
    let mut node = Command::new("node");
    node.args(["cors.mjs", &server.url(""), &allowed, &other]).current_dir(folder);
    node.env("RAINCHECK_KEY", &server.key).env("CHROMIUM", CHROMIUM);

    let running = node.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, running).await.expect("it ends in time").expect("it runs");

    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");
    let seen: Vec<Value> = text.lines().map(|line| line.parse().expect("what a page saw")).collect();
    let [seen, refused] = seen.as_slice() else { panic!("{text}") };
    assert_eq!(seen["origin"], json!(pages.url("")));
    let path =
        format!("/v1/actions/countdown/operations/{}?token=", seen["view"]["id"].as_str().expect("an id"));
    assert!(seen["location"].as_str().expect("a URL").starts_with(&server.url(&path)), "{seen}");
    let statuses = seen["statuses"].as_array().expect("statuses");
    assert!(statuses.len() > 2 && statuses.last() == Some(&json!(200)), "{seen}");
    assert_eq!(seen["view"]["output"], json!({ "steps": 3 }));
    for what in ["start", "poll"] {
        assert!(refused[what].as_str().is_some_and(|error| error.contains("Failed to fetch")), "{refused}");
    }
    // The page that was refused has not started anything.
    let all = server.get(&server.admin("/admin/v1/operations")).await.json();
    assert_eq!(all["operations"].as_array().map(Vec::len), Some(1), "{all}");
}
