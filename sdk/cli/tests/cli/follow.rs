//! `raincheck status`, `wait` and `cancel`.

use std::io::{BufRead, BufReader};
use std::process::Command;

use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn the_status_of_a_running_operation_is_printed_with_exit_0() {
    let server = server([answer(202, with(view("Running"), "customStatus", "Selection"))]).await;

    let run = run(&server.uri(), &["status", &status_url(&server)]).await;

    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("status     Running\ndetail     Selection\n"), "{run:?}");
}

#[tokio::test]
async fn the_status_of_a_failed_operation_is_printed_with_exit_1() {
    let failed = with(view("Failed"), "error", json!({"code": "no-luck", "message": "It rained."}));
    let body = with(problem(422, "no-luck", "It rained."), "operation", failed);
    let server = server([answer(422, body)]).await;

    let text = run(&server.uri(), &["status", &status_url(&server)]).await;
    let json = run(&server.uri(), &["status", &status_url(&server), "--json"]).await;

    assert_eq!((text.code, json.code), (1, 1), "{text:?}");
    assert!(text.out.contains("It rained. (no-luck)"), "{text:?}");
    assert_eq!(json.json()["error"]["code"], "no-luck");
}

#[tokio::test]
async fn a_wait_prints_the_output() {
    let server = server([answer(202, view("Running")), succeeded()]).await;

    let run = run(&server.uri(), &["wait", &status_url(&server), "--timeout", "1m"]).await;

    assert_eq!((run.code, run.json()), (0, json!({"outcome": "Approved"})), "{run:?}");
}

#[tokio::test]
async fn a_cancel_prints_the_status_that_follows() {
    let server = server([succeeded()]).await;
    on(&server, "DELETE", STATUS_PATH, answer(202, json!({"id": "op-1", "status": "Canceling"}))).await;

    let text = run(&server.uri(), &["cancel", &status_url(&server)]).await;
    let json = run(&server.uri(), &["cancel", &status_url(&server), "--json"]).await;

    assert_eq!((text.code, text.out.as_str()), (0, "Canceling\n"), "{text:?}");
    assert_eq!(json.json(), json!({"id": "op-1", "status": "Canceling"}));
}

#[tokio::test]
async fn an_interrupted_wait_says_how_to_go_on_and_cancels_nothing() {
    let server = server([answer(202, view("Running")).insert_header("retry-after", "600")]).await;
    let mut child = command(&server.uri()).args(["wait", &status_url(&server)]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first status on stderr says that it waits now.
    let (child, lines) = tokio::task::spawn_blocking(move || {
        assert_eq!(lines.next().unwrap().unwrap(), "Running");
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        (child.wait().unwrap(), lines.map(Result::unwrap).collect::<Vec<_>>())
    })
    .await
    .unwrap();

    assert_eq!(child.code(), Some(130));
    assert_eq!(lines, [format!("not ended yet; go on with: raincheck wait '{}'", status_url(&server))]);
    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| request.method.as_str() == "GET"));
}
