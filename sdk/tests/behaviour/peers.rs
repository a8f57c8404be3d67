//! Defects that clients of this kind have had, each by its symptom. Those that are not here have their tests
//! with the feature: progress that is one pause late in `pace`, keys sent abroad in `credentials`, no shared
//! limit in `many`, no model of a 303 in `foreign`.

use std::time::Duration;

use raincheck::{Client, Dialect, Operation, ResumeToken};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

/// The pause after a first answer with this header, with the usual settings.
async fn pause(name: &str, value: &str) -> Duration {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(202).insert_header("location", "/op").insert_header(name, value);
    answers(&server, "POST", "/start", [answer]).await;
    let client = Client::builder(server.uri()).build().unwrap();
    begin::<Value>(&client, &server).await.unwrap().pause()
}

#[tokio::test]
async fn retry_after_minus_five_does_not_panic_the_task() {
    let server = MockServer::start().await;
    let odd =
        || ResponseTemplate::new(202).insert_header("location", "/op").insert_header("retry-after", "-5");
    answers(&server, "POST", "/start", [odd()]).await;
    answers(&server, "GET", "/op", [odd(), done(7)]).await;
    let operation: Operation<u32> = begin(&client(&server), &server).await.unwrap();

    let task = tokio::spawn(async move { operation.await });

    assert_eq!(task.await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn retry_after_minus_five_and_thirty_days_become_no_hot_loop() {
    assert!(pause("retry-after", "-5").await > Duration::from_millis(100));
    assert!(pause("retry-after", "2592000").await > Duration::from_secs(590));
}

#[tokio::test]
async fn a_pause_under_a_second_does_not_panic_and_is_kept() {
    let short = pause("retry-after-ms", "900").await;

    assert!(short > Duration::from_millis(400) && short <= Duration::from_millis(900), "{short:?}");
}

#[tokio::test]
async fn retry_after_zero_is_neither_ignored_nor_taken_for_the_default() {
    assert_eq!(pause("retry-after", "0").await, Duration::ZERO);
}

#[tokio::test]
async fn retry_after_is_read_at_all() {
    assert!(pause("retry-after", "60").await > Duration::from_secs(50));
}

#[tokio::test]
async fn one_reset_while_polling_fails_neither_the_operation_nor_its_saved_token() {
    let url = raw(vec![String::new(), String::new(), raw_answer(200, "", &json!(7))]).await;
    let mut operation: Operation<u32> = builder(url.clone()).build().unwrap().attach_url(&url).unwrap();

    let reset = operation.poll().await.unwrap_err();
    let saved = serde_json::to_string(reset.token().unwrap()).unwrap();
    let token: ResumeToken = serde_json::from_str(&saved).unwrap();
    let resumed: Operation<u32> = builder(url).build().unwrap().attach(token);

    assert!(reset.is_transport());
    assert_eq!(resumed.await.unwrap(), 7);
}

#[tokio::test]
async fn an_answer_of_another_type_is_not_swallowed_and_taken_for_the_end() {
    for body in
        [json!({"status": 7}), json!({"status": null}), json!([]), json!("Succeeded"), json!(null), json!({})]
    {
        let server = MockServer::start().await;
        answers(&server, "GET", "/op", [done(body.clone())]).await;
        let token = ResumeToken::from_url(&format!("{}/op", server.uri())).unwrap();

        let token = token.with_dialect(Dialect::StatusMonitor);
        let outcome = client(&server).attach::<Value>(token).await;

        assert!(outcome.as_ref().is_err_and(|error| error.is_unexpected()), "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_limit_is_enforced_while_the_operation_runs() {
    let server = MockServer::start().await;
    answers(&server, "POST", "/start", [located("/op")]).await;
    answers(&server, "GET", "/op", [ResponseTemplate::new(202)]).await;
    let operation: Operation<Value> = begin(&client(&server), &server).await.unwrap();

    let error = operation.timeout(Duration::from_millis(100)).await.unwrap_err();

    assert!(error.is_timeout() && error.token().is_some());
}
