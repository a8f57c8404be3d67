//! Outcomes: how each end of an operation reaches the caller.

use std::error::Error as _;

use raincheck::{Error, Status};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

async fn outcome<T: serde::de::DeserializeOwned + Send + 'static>(
    answer: ResponseTemplate,
) -> Result<T, Error> {
    let server = MockServer::start().await;
    polls(&server, [answer]).await;
    client(&server).attach_url::<T>(&status_url(&server)).unwrap().await
}

#[tokio::test]
async fn a_failed_operation_is_an_error_with_its_problem_and_view() {
    let failed =
        with(view("Failed"), "error", json!({"code": "approval-timeout", "message": "Nobody answered."}));
    let body = with(problem(422, "approval-timeout", "Nobody answered."), "operation", failed);

    let error = outcome::<Value>(ResponseTemplate::new(422).set_body_json(body)).await.unwrap_err();

    assert!(error.is_failed() && !error.is_refused() && !error.is_canceled());
    assert_eq!(error.problem().unwrap().code, "approval-timeout");
    assert_eq!(error.view().unwrap().status, Status::Failed);
    assert_eq!(error.status(), Some(422));
    assert!(error.token().is_some());
}

#[tokio::test]
async fn a_canceled_operation_is_an_error_of_its_own() {
    let body = with(problem(409, "terminated", "Ended by an operator."), "operation", view("Canceled"));

    let error = outcome::<Value>(ResponseTemplate::new(409).set_body_json(body)).await.unwrap_err();

    assert!(error.is_canceled() && !error.is_failed());
    assert_eq!(error.to_string(), "the operation was canceled: Ended by an operator. (terminated)");
}

#[tokio::test]
async fn gone_unauthorized_and_unknown_are_told_apart() {
    let gone = problem(410, "operation-gone", "Its retention is over.");

    let gone = outcome::<Value>(ResponseTemplate::new(410).set_body_json(gone)).await.unwrap_err();
    let unauthorized = outcome::<Value>(ResponseTemplate::new(401)).await.unwrap_err();
    let unknown = outcome::<Value>(ResponseTemplate::new(404)).await.unwrap_err();

    assert!(gone.is_gone() && gone.is_refused());
    assert_eq!(gone.problem().unwrap().code, "operation-gone");
    assert!(unauthorized.is_unauthorized() && unauthorized.is_refused());
    assert!(unknown.is_not_found() && !unknown.is_gone());
}

#[tokio::test]
async fn an_output_of_another_shape_is_a_decode_error_that_keeps_the_view() {
    let error = outcome::<u32>(succeeded("words")).await.unwrap_err();

    assert!(error.is_decode());
    assert!(error.source().unwrap().to_string().contains("expected u32"), "{error:?}");
    assert_eq!(error.view().unwrap().json::<raincheck::StatusView>().unwrap().output, Some(json!("words")));
}

#[tokio::test]
async fn an_output_that_is_absent_is_a_unit() {
    outcome::<()>(ResponseTemplate::new(200).set_body_json(view("Succeeded"))).await.unwrap();
}

#[tokio::test]
async fn a_page_in_place_of_a_status_is_a_decode_error() {
    let error = outcome::<Value>(ResponseTemplate::new(200).set_body_string("<html>sign in</html>")).await;

    assert!(error.unwrap_err().is_decode());
}

#[test]
fn errors_travel_like_any_other() {
    fn travels<T: std::error::Error + Send + Sync + 'static>() {}
    travels::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}
