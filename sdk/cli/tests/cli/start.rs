//! `raincheck start`.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn a_start_prints_the_status_url_alone_on_stdout() {
    let server = server([succeeded()]).await;

    let run = run(&server.uri(), &["start", "countdown", "--input", r#"{"seconds": 3}"#]).await;

    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.out, format!("{}\n", status_url(&server)));
    assert!(run.err.contains(&format!("raincheck wait '{}'", status_url(&server))), "{run:?}");
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.body_json::<Value>().unwrap(), json!({"seconds": 3}));
    assert_eq!(request.headers["authorization"], format!("Bearer {KEY}").as_str());
}

#[tokio::test]
async fn a_start_that_waits_shows_its_way_on_stderr_and_the_output_on_stdout() {
    let running = with(with(view("Running"), "customStatus", "Shortlisting"), "percentComplete", 40);
    let server = server([answer(202, running.clone()), answer(202, running), succeeded()]).await;

    let run = run(&server.uri(), &["start", "countdown", "--wait"]).await;

    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json(), json!({"outcome": "Approved"}));
    assert_eq!(run.err, "NotStarted\nRunning · Shortlisting · 40%\nSucceeded\n");
}

#[tokio::test]
async fn scripts_get_one_document() {
    let server = server([succeeded()]).await;

    let started = run(&server.uri(), &["start", "countdown", "--json"]).await;
    let waited = run(&server.uri(), &["--json", "start", "countdown", "--wait"]).await;

    assert_eq!(started.json()["statusUrl"], status_url(&server));
    assert_eq!(started.json()["status"], "NotStarted");
    assert_eq!(waited.json()["status"], "Succeeded");
    assert_eq!(waited.json()["output"]["outcome"], "Approved");
}

#[tokio::test]
async fn input_comes_from_a_file_from_stdin_or_is_an_empty_object() {
    let server = server([succeeded()]).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(br#"{"from": "file"}"#).unwrap();

    run(&server.uri(), &["start", "countdown", "--input", file.path().to_str().unwrap()]).await;
    run_with_stdin(&server.uri(), &["start", "countdown", "--input", "-"], r#"{"from": "stdin"}"#).await;
    run(&server.uri(), &["start", "countdown"]).await;

    let requests = server.received_requests().await.unwrap();
    let bodies: Vec<Value> = requests.iter().map(|request| request.body_json().unwrap()).collect();
    assert_eq!(bodies, [json!({"from": "file"}), json!({"from": "stdin"}), json!({})]);
}

#[tokio::test]
async fn a_key_and_rights_go_to_the_server() {
    let server = server([succeeded()]).await;
    let args = ["start", "countdown", "--idempotency-key", "k-1", "--links", "cancel,event:decision"];

    let run = run(&server.uri(), &args).await;

    assert_eq!(run.code, 0, "{run:?}");
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.headers["idempotency-key"], "k-1");
    assert_eq!(request.url.query_pairs().next().unwrap().1, "cancel,event:decision");
}
