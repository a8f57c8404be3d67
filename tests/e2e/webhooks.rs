//! Webhooks: what receivers are sent, whatever they do, and whatever becomes of the server.

mod addresses;
mod callbacks;
mod lifecycle;
mod logic_apps;
mod receivers;
mod restarts;
mod sdk;

use std::time::Duration;

use raincheck_server::config::Config;
use serde_json::{Value, json};

use crate::harness::{Answer, Receiver, TestServer};

/// A server that may call receivers on loopback, and is quick to try again.
async fn server() -> TestServer {
    TestServer::with_config(loopback).await
}

fn loopback(config: &mut Config) {
    config.outbound.allow = vec!["127.0.0.1".parse().expect("an address")];
    config.outbound.allow_plain_http = true;
    config.outbound.total_time = Duration::from_millis(500);
    config.webhooks.pauses = vec![Duration::from_millis(20); 20];
}

async fn subscribe(server: &TestServer, receiver: &Receiver, more: Value) -> Answer {
    let mut body = json!({ "action": "countdown", "url": receiver.url() });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let answer = server.post("/v1/subscriptions", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// Starts a countdown, and waits until it has ended; its id.
async fn end(server: &TestServer) -> String {
    let held = [("prefer", "wait=30")];
    let answer = server.post_with("/v1/actions/countdown", &held, json!({ "seconds": 0, "steps": 1 })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.view().id
}

/// The deliveries that an operator sees.
async fn deliveries(server: &TestServer, query: &str) -> Vec<Value> {
    let page = server.get(&server.admin(&format!("/admin/v1/deliveries{query}"))).await;
    page.json()["deliveries"].as_array().expect("a page").clone()
}

/// Waits until an operator sees what is enough.
async fn until_deliveries(server: &TestServer, query: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let waiting = async {
        loop {
            let seen = deliveries(server, query).await;
            if enough(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, waiting).await.expect("it gets there")
}
