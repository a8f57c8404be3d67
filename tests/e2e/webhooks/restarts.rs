//! `kill -9` between an end and its delivery: every delivery arrives at least once, and none is forgotten.

use std::collections::BTreeSet;

use rand::RngExt;
use serde_json::{Value, json};

use crate::harness::{Answer, Launch, Reaction, Received, Receiver, ServerProcess, chances, seed};

const CONFIG: &str = "[outbound]\nallow = [\"127.0.0.1\"]\nallow_plain_http = true\ntotal_time = \"300ms\"\n\
                      [webhooks]\npauses = [\"10ms\", \"50ms\", \"100ms\", \"200ms\", \"500ms\", \"1s\", \"1s\", \"1s\", \
                      \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\"]\n";

fn told_of(received: &[Received]) -> BTreeSet<String> {
    let id = |sent: &Received| {
        let body = sent.json();
        let id = body.get("subject").or(body.get("id")).and_then(Value::as_str);
        id.expect("an id").to_owned()
    };
    received.iter().map(id).collect()
}

async fn start(server: &ServerProcess, callback: &Receiver) -> Option<String> {
    let start = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(&server.key);
    let start = start.header("x-callback-url", callback.url()).json(&json!({ "seconds": 0, "steps": 1 }));
    // What was not answered may be accepted or not; only what was counts.
    let answer = Answer::try_to(start).await.ok()?;
    (answer.status == 202).then(|| answer.view().id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_forgets_no_delivery() {
    let mut chances = chances(seed());
    let launch = Launch::new().config(CONFIG);
    let (subscriber, callback) = (Receiver::start().await, Receiver::start().await);
    for receiver in [&subscriber, &callback] {
        receiver.otherwise(Reaction::Answers(500, ""));
    }
    let mut server = launch.start().await;
    let body = json!({ "action": "countdown", "url": subscriber.url() });
    let subscribe = server.http.post(server.url("/v1/subscriptions")).bearer_auth(&server.key).json(&body);
    assert_eq!(Answer::to(subscribe).await.status, 201);

    let mut accepted = BTreeSet::new();
    for round in 0..6 {
        let reaction = match round % 4 {
            0 => Reaction::Answers(500, ""),
            1 => Reaction::Hangs,
            2 => Reaction::Resets,
            _ => Reaction::Answers(200, ""),
        };
        subscriber.otherwise(reaction.clone());
        callback.otherwise(reaction);
        for _ in 0..10 {
            accepted.extend(start(&server, &callback).await);
        }
        // The one sleep that is meant: it decides what the kill meets.
        tokio::time::sleep(std::time::Duration::from_millis(chances.random_range(1..200))).await;
        server.kill9().await;
        server = launch.start().await;
    }
    for receiver in [&subscriber, &callback] {
        receiver.otherwise(Reaction::Answers(200, ""));
    }

    assert_eq!(accepted.len(), 60);
    for receiver in [&subscriber, &callback] {
        let received = receiver.until(|received| told_of(received).is_superset(&accepted)).await;
        // Receivers can tell what comes twice.
        let names: BTreeSet<_> = received.iter().map(|sent| sent.header("webhook-id").to_owned()).collect();
        assert_eq!(names.len(), told_of(&received).len());
    }
    let dead = server.http.get(server.admin("/admin/v1/deliveries?state=dead")).bearer_auth(&server.key);
    assert_eq!(Answer::to(dead).await.json()["deliveries"], json!([]));
}
