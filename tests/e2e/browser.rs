//! A real browser: pages of other origins, of which one is allowed; people who answer on the page of an event link; and an
//! `EventSource` that watches an operation.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{PATIENCE, TestServer, skip};

const CHROMIUM: &str = "/usr/bin/chromium";

/// Runs a script of `tests/browser`, if there is a browser, and gives the lines that it printed.
async fn run(script: &str, arguments: &[&str], server: &TestServer) -> Option<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    if !Path::new(CHROMIUM).exists() || !folder.join("node_modules").exists() {
        let what = format!("{script} in a browser");
        skip(&what, "Chromium or playwright-core is not installed; `tests/run` does that");
        return None;
    }
    let mut node = Command::new("node");
    node.arg(script).args(arguments).current_dir(folder);
    node.env("RAINCHECK_KEY", &server.key).env("CHROMIUM", CHROMIUM);

    let running = node.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, running).await.expect("it ends in time").expect("it runs");

    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");
    Some(text.lines().map(|line| line.parse().expect("a line of JSON")).collect())
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_follows_an_operation_and_another_page_gets_nothing() {
    // Any page does: its origin is what counts, and the same machine under another name is another origin.
    let pages = TestServer::start().await;
    let allowed = pages.url("/healthz");
    let other = allowed.replace("127.0.0.1", "localhost");
    let origin = pages.url("").parse().expect("an origin");
    let server = TestServer::with_config(|config| config.cors_origins = vec![origin]).await;

    let Some(seen) = run("cors.mjs", &[&server.url(""), &allowed, &other], &server).await else { return };

    let [seen, refused] = seen.as_slice() else { panic!("{seen:?}") };
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

#[tokio::test]
async fn a_person_opens_a_link_sees_what_is_asked_and_decides_once() {
    let server = TestServer::start().await;
    let asked = json!({ "subject": "Travel to the conference, 1,200 EUR" });
    let started = server.post("/v1/actions/request-approval?links=event:decision", asked).await;
    let link = started.json()["links"]["event:decision"].as_str().expect("a link").to_owned();
    let (approve, reject) = (format!("{link}&choice=approve"), format!("{link}&choice=reject"));
    // For whoever wants to look at them.
    let pictures = std::env::var("RAINCHECK_PICTURES").unwrap_or_default();

    let Some(seen) = run("approve.mjs", &[&approve, &reject, &pictures], &server).await else { return };

    let shown: Vec<_> = seen
        .iter()
        .map(|page| (page["name"].as_str().expect("a name"), page["status"].as_u64().expect("a status")))
        .collect();
    let expected = [("rejecting", 200), ("asked", 200), ("chosen", 202), ("again", 200), ("stranger", 401)];
    assert_eq!(shown, expected);
    assert_eq!(
        (&seen[0]["buttons"], &seen[1]["buttons"]),
        (&json!(["Reject", "Approve"]), &json!(["Approve", "Reject"]))
    );
    assert_eq!(seen[1]["text"], json!(["Travel to the conference, 1,200 EUR"]));
    for page in [&seen[2], &seen[3]] {
        assert_eq!(page["notice"], json!(["Recorded: Approve. You can close this page."]));
        assert_eq!(page["buttons"], json!([]));
    }
    assert!(!seen[4].to_string().contains("Travel"), "{seen:?}");
    // Nothing was blocked that the pages need: neither their style nor their form.
    assert!(
        seen.iter().all(|page| !page["complaints"].to_string().contains("Content Security Policy")),
        "{seen:?}"
    );
    assert_eq!(server.ended(&started.location()).await.json()["output"]["approved"], true);
}

#[tokio::test]
async fn an_event_source_shows_every_change_and_stops_when_there_is_no_more() {
    let server = TestServer::start().await;
    let start = "/v1/actions/request-approval?links=event:decision";
    let started = server.post(start, json!({ "subject": "x" })).await;
    let link = started.json()["links"]["event:decision"].as_str().expect("a link").to_owned();
    let stream = started.location().replace('?', "/events?");

    let Some(seen) = run("updates.mjs", &[&server.url("/healthz"), &stream, &link], &server).await else {
        return;
    };

    let views = seen[0]["views"].as_array().expect("views");
    assert!(views.len() >= 2 && views[0]["finishedAt"].is_null(), "{seen:?}");
    assert_eq!(views.last(), Some(&server.get(&started.location()).await.json()));
    assert_eq!(seen[0]["answers"], json!([200, 204]));
}
