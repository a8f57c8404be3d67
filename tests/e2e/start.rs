//! What is accepted is there: at once, once, and to its end.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Answer, Launch, ServerProcess, TestServer};

#[tokio::test]
async fn a_started_operation_is_followed_to_its_end() {
    let server = TestServer::start().await;

    let accepted = server.post("/v1/actions/countdown", json!({ "seconds": 0, "steps": 3 })).await;

    assert_eq!(accepted.status, 202, "{accepted:?}");
    assert!(accepted.header("retry-after").parse::<u32>().unwrap() >= 1);
    let ended = server.ended(&accepted.location()).await;
    assert_eq!(ended.status, 200, "{ended:?}");
    assert_eq!(ended.view().output, Some(json!({ "steps": 3 })));
    server.stop().await;
}

#[tokio::test]
async fn the_real_server_does_the_same() {
    let server = ServerProcess::start().await;

    let countdown = json!({ "seconds": 0, "steps": 3 });
    let operation = server.client().start::<serde_json::Value>("countdown", &countdown);
    let output = operation.await.unwrap().await.unwrap();

    assert_eq!(output, json!({ "steps": 3 }));
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn a_key_made_beside_a_running_server_is_taken() {
    let server = TestServer::start().await;

    let key = server.key_with(&["start"], "flow").await;

    let started = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(key);
    let answer = Answer::to(started.json(&json!({ "seconds": 0, "steps": 1 }))).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn a_key_stands_for_its_operation_after_a_restart_as_well() {
    let launch = Launch::new().env("RAINCHECK_PUBLIC_URL", "https://raincheck.test");
    let input = json!({ "seconds": 0, "steps": 1 });
    let start = async |server: &ServerProcess| {
        let start = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(&server.key);
        Answer::to(start.header("idempotency-key", "one").json(&input)).await
    };
    let server = launch.start().await;
    let first = start(&server).await;
    server.kill9().await;

    let second = start(&launch.start().await).await;

    assert_eq!((second.status, second.header("idempotent-replayed")), (202, "true"));
    assert_eq!(second.location(), first.location());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_sent_twice_is_not_counted_as_running() {
    let server = ServerProcess::start().await;
    let start = async |key: String| {
        let start = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(&server.key);
        let start = start.header("idempotency-key", key).header("prefer", "wait=10");
        assert_eq!(Answer::to(start.json(&json!({ "seconds": 0, "steps": 1 }))).await.status, 200);
    };
    let idle = async || {
        let metrics = Answer::to(server.http.get(server.admin("/metrics")).bearer_auth(&server.key)).await;
        metrics.text.lines().any(|line| line == "raincheck_operations_running 0")
    };
    start("again".to_owned()).await;

    for round in 0..50 {
        // Repetitions come in while another operation begins and ends.
        let repetitions = join_all((0..8).map(|_| start("again".to_owned())));
        tokio::join!(repetitions, start(round.to_string()));

        let settled = async {
            while !idle().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), settled).await.expect("nothing runs any more");
    }
}
