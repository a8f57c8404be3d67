//! Held polls of a monitor with tags: nothing that happens between two of them is missed.

use std::sync::Mutex;

use raincheck::Operation;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::*;

/// The version at which it has succeeded.
const LAST: u64 = 8;

/// A monitor that changes when nobody is looking: right after an answer, some of which say that nothing has.
struct Monitor {
    version: Mutex<u64>,
    /// After how many answers a change comes.
    patience: Mutex<u32>,
}

impl Respond for Monitor {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut version = self.version.lock().unwrap();
        let mut patience = self.patience.lock().unwrap();
        let tag = format!("W/\"v{version}\"");
        let status = if *version == LAST { "Succeeded" } else { "Running" };
        let view = with(with(view(status), "percentComplete", *version), "output", *version);
        let known = header(request, "if-none-match").as_deref() == Some(tag.as_str());
        let answer = if known {
            ResponseTemplate::new(304)
        } else {
            ResponseTemplate::new(200).insert_header("etag", tag.as_str()).set_body_json(view)
        };
        *patience = patience.checked_sub(1).unwrap_or_else(|| {
            *version = (*version + 1).min(LAST);
            u32::try_from(*version % 3).unwrap()
        });
        answer.insert_header("retry-after", "0").insert_header("preference-applied", "wait=1")
    }
}

#[tokio::test]
async fn every_change_between_two_held_polls_is_seen_once_and_in_order() {
    let server = MockServer::start().await;
    let start = accepted(&server, "0").insert_header("operation-location", "/monitor");
    starts(&server, [start]).await;
    let monitor = Monitor { version: Mutex::new(0), patience: Mutex::new(0) };
    Mock::given(method("GET")).and(path("/monitor")).respond_with(monitor).mount(&server).await;
    let mut operation: Operation<u64> = client(&server).start("countdown", &()).await.unwrap();

    let mut seen = Vec::new();
    let mut updates = operation.updates();
    while let Some(view) = updates.next().await {
        seen.extend(view.unwrap().percent_complete);
    }

    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(operation.await.unwrap(), LAST);
    let requests = server.received_requests().await.unwrap();
    // Before them the client has asked for a stream, which this server does not have.
    let polls: Vec<_> = requests.iter().filter(|request| request.url.path() == "/monitor").collect();
    assert!(polls.iter().all(|request| header(request, "prefer").as_deref() == Some("wait=20")));
    assert!(polls[1..].iter().all(|request| header(request, "if-none-match").is_some()));
}

#[tokio::test]
async fn the_tag_of_one_monitor_is_not_shown_to_the_next() {
    let server = MockServer::start().await;
    let tagged = |body: Value| done(body).insert_header("etag", "\"1\"").insert_header("retry-after", "0");
    let start = ResponseTemplate::new(202).insert_header("operation-location", "/one");
    answers(&server, "POST", "/start", [start]).await;
    let moved = tagged(json!({"status": "Running"})).insert_header("operation-location", "/two");
    answers(&server, "GET", "/one", [moved]).await;
    answers(&server, "GET", "/two", [tagged(json!({"status": "Succeeded", "result": 7}))]).await;

    let output: u32 = begin(&client(&server), &server).await.unwrap().await.unwrap();

    assert_eq!(output, 7);
    assert_eq!(header(&server.received_requests().await.unwrap()[2], "if-none-match"), None);
}

#[tokio::test]
async fn a_tag_is_shown_as_it_came_whatever_is_in_it() {
    let server = MockServer::start().await;
    let start = ResponseTemplate::new(202).insert_header("operation-location", "/op");
    answers(&server, "POST", "/start", [start]).await;
    let odd = done(json!({"status": "Running"}))
        .insert_header("etag", "\"grün\"")
        .insert_header("retry-after", "0");
    answers(&server, "GET", "/op", [odd, done(json!({"status": "Succeeded", "result": 7}))]).await;

    let output: u32 = begin(&client(&server), &server).await.unwrap().await.unwrap();

    assert_eq!(output, 7);
    let shown = server.received_requests().await.unwrap()[2].headers["if-none-match"].clone();
    assert_eq!(shown.as_bytes(), "\"grün\"".as_bytes());
}
