//! The SDK against a real server.

use std::time::Duration;

use raincheck::{Client, Operation, ResumeToken, Status};
use serde_json::{Value, json};

use crate::harness::{Launch, ServerProcess, TestServer};

#[tokio::test]
async fn every_stage_of_an_operation_is_reported_before_its_output() {
    let server = TestServer::start().await;
    let countdown = json!({ "seconds": 0.6, "steps": 3 });
    let mut operation: Operation<Value> = server.client().start("countdown", &countdown).await.unwrap();

    let mut seen = Vec::new();
    let mut updates = operation.updates();
    while let Some(view) = updates.next().await {
        seen.push(view.unwrap());
    }

    assert_eq!(seen.last().map(|view| view.status), Some(Status::Succeeded));
    let percents: Vec<_> = seen.iter().filter_map(|view| view.percent_complete).collect();
    assert!(percents.is_sorted() && percents.last() == Some(&100), "{seen:?}");
    assert_eq!(operation.await.unwrap(), json!({ "steps": 3 }));
}

#[tokio::test]
async fn a_saved_token_finds_the_operation_without_a_key() {
    let server = TestServer::start().await;
    let countdown = json!({ "seconds": 0.3, "steps": 1 });
    let operation: Operation<Value> = server.client().start("countdown", &countdown).await.unwrap();
    let stored = serde_json::to_string(&operation.token()).unwrap();
    drop(operation);

    let stranger = Client::builder(server.url("")).build().unwrap();
    let token: ResumeToken = serde_json::from_str(&stored).unwrap();
    let output: Value = stranger.attach(token).await.unwrap();

    assert_eq!(output, json!({ "steps": 1 }));
}

#[tokio::test]
async fn a_canceled_operation_is_told_apart_from_a_failed_one() {
    let server = TestServer::start().await;
    let client = server.client();
    let long = json!({ "seconds": 60, "steps": 60 });
    let mut canceled: Operation<Value> = client.start("countdown", &long).await.unwrap();
    let unlucky = json!({ "seconds": 0, "steps": 1, "fail": "no-luck" });
    let failed: Operation<Value> = client.start("countdown", &unlucky).await.unwrap();

    canceled.cancel().await.unwrap();

    let error = canceled.await.unwrap_err();
    assert!(error.is_canceled() && !error.is_failed(), "{error:?}");
    let error = failed.await.unwrap_err();
    assert!(error.is_failed() && !error.is_canceled(), "{error:?}");
    assert_eq!(error.problem().map(|problem| problem.code.as_str()), Some("no-luck"));
}

#[tokio::test]
async fn the_same_start_twice_is_one_operation() {
    let server = TestServer::start().await;
    let client = server.client();
    let input = json!({ "seconds": 0, "steps": 1 });
    let start = async || {
        let start = client.start::<Value>("countdown", &input).idempotency_key("tuesday");
        start.await.unwrap()
    };

    let (first, second) = (start().await, start().await);

    assert_eq!(first.token(), second.token());
    assert_eq!(first.await.unwrap(), second.await.unwrap());
}

#[tokio::test]
async fn a_refusal_names_the_field() {
    let server = TestServer::start().await;

    let started =
        server.client().start::<Value>("countdown", &json!({ "seconds": 1, "steps": "many" })).await;

    let Err(error) = started else { panic!("accepted") };
    assert!(error.is_refused(), "{error:?}");
    let fields = &error.problem().unwrap().errors;
    assert_eq!(fields.first().and_then(|field| field.pointer.as_deref()), Some("/steps"), "{error:?}");
}

#[tokio::test]
async fn a_deadline_of_the_caller_leaves_a_token_to_go_on_with() {
    let server = TestServer::start().await;
    let input = json!({ "subject": "a trip" });
    let start = server.client().start::<Value>("request-approval", &input).timeout(Duration::from_secs(2));
    let operation = start.await.unwrap();
    let id = operation.id().unwrap().to_owned();

    let error = operation.await.unwrap_err();

    assert!(error.is_timeout(), "{error:?}");
    let token = error.token().unwrap().clone();
    let operations =
        raincheck::Client::builder(server.admin("")).api_key(&*server.key).build().unwrap().operations();
    operations.terminate(&id).await.unwrap();
    let later = server.client().attach::<Value>(token).await.unwrap_err();
    assert!(later.is_canceled(), "{later:?}");
}

#[tokio::test]
async fn a_waiting_client_does_not_notice_that_the_server_was_killed() {
    // The next server must be where the client looks for it: at the address of the first.
    let first = Launch::new();
    let server = first.start().await;
    let address = server.url("").trim_start_matches("http://").to_owned();
    let countdown = json!({ "seconds": 1.5, "steps": 3 });
    let operation: Operation<Value> = server.client().start("countdown", &countdown).await.unwrap();
    let waiting = tokio::spawn(async move { operation.await });

    tokio::time::sleep(Duration::from_millis(300)).await;
    server.kill9().await;
    let server: ServerProcess = first.env("RAINCHECK_LISTEN", address).start().await;

    assert_eq!(waiting.await.unwrap().unwrap(), json!({ "steps": 3 }));
    drop(server);
}
