//! The scripted server, which has to be right for the tests of others to be worth anything.

use raincheck::test_kit::{Answer, Server};
use raincheck::{Dialect, Operation, Status};
use serde_json::{Value, json};

#[tokio::test]
async fn a_script_is_played_in_order_and_its_requests_are_counted() {
    let answers = [
        Answer::running().custom_status("Moderation").percent_complete(30),
        Answer::code(500),
        Answer::succeeded(json!({"outcome": "approved"})),
    ];
    let server = Server::with(answers).await;

    let mut operation: Operation<Value> = server.client().start("submit-talk", &()).await.unwrap();
    operation.poll().await.unwrap();
    let view = operation.view().unwrap().clone();
    let output = operation.await.unwrap();

    assert_eq!((view.action.as_deref(), view.percent_complete), (Some("submit-talk"), Some(30)));
    assert_eq!(view.custom_status, Some(json!("Moderation")));
    assert_eq!(output, json!({"outcome": "approved"}));
    assert_eq!((server.starts().await, server.polls().await), (1, 3));
}

#[tokio::test]
async fn a_failure_has_its_problem_and_a_cancel_is_obeyed() {
    let failing = Server::with([Answer::failed("too-long", "The talk is too long.")]).await;
    let running = Server::with([Answer::running().retry_after(60)]).await;

    let failed: Operation<Value> = failing.client().start("a", &()).await.unwrap();
    let failed = failed.await.unwrap_err();
    let mut canceled: Operation<Value> = running.client().start("a", &()).await.unwrap();
    canceled.cancel().await.unwrap();

    assert!(failed.is_failed());
    assert_eq!(failed.problem().unwrap().code, "too-long");
    assert!(running.was_canceled());
    assert_eq!(canceled.poll().await.unwrap(), Status::Canceled);
}

#[tokio::test]
async fn every_dialect_can_be_scripted() {
    let dialects = [Dialect::Location, Dialect::StatusMonitor, Dialect::DurableFunctions, Dialect::BodyState];
    for dialect in dialects {
        let server =
            Server::speaking(dialect, [Answer::running(), Answer::running(), Answer::succeeded(7)]).await;
        let http = reqwest::Client::new();

        let mut operation: Operation<Value> =
            server.client().operation(http.put(server.url("/machines/1"))).await.unwrap();
        let mut seen = Vec::new();
        let mut updates = operation.updates();
        while let Some(view) = updates.next().await {
            seen.push(view.unwrap().status);
        }

        assert_eq!(operation.dialect(), Some(dialect));
        assert_eq!(operation.status(), Status::Succeeded, "{dialect:?} {seen:?}");
        operation.await.unwrap();
    }
}

#[tokio::test]
async fn an_orchestration_can_be_terminated_through_the_script() {
    let server = Server::speaking(Dialect::DurableFunctions, [Answer::running()]).await;
    let http = reqwest::Client::new();

    let mut operation: Operation<Value> =
        server.client().operation(http.post(server.url("/start"))).await.unwrap();
    operation.cancel().await.unwrap();

    assert!(server.was_canceled());
    assert!(operation.await.unwrap_err().is_canceled());
    let cancel = &server.requests().await[1];
    assert_eq!(cancel.method.as_str(), "POST");
    assert!(cancel.url.query().unwrap().contains("reason=canceled"), "{}", cancel.url);
}
