use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::super::view::tests::operation;
use super::*;
use crate::operation::{Outcome, Problem as Ending};

async fn completed(problem: Problem) -> (Response, Value) {
    let mut answer = problem.clone().into_response();
    let at = Occurrence {
        base: "https://a.example",
        instance: "/v1/actions/countdown",
        request_id: "r1",
        media_type: "application/problem+json",
    };
    problem.complete(&mut answer, &at);
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let value = serde_json::from_slice(&bytes).unwrap();
    (http::Response::from_parts(parts, Vec::new().into()), value)
}

fn ended(state: State, code: &str, http_status: u16) -> Arc<Operation> {
    let mut operation = operation();
    let problem = Ending {
        code: code.into(),
        message: "no seats".into(),
        http_status,
        details: Some(crate::Json::of("x").unwrap()),
    };
    let outcome =
        if state == State::Canceled { Outcome::Canceled(problem) } else { Outcome::Failed(problem) };
    operation.finish(outcome, operation.updated_at);
    Arc::new(operation)
}

#[tokio::test]
async fn a_problem_says_what_where_and_how_to_find_it_in_the_log() {
    let (answer, body) = completed(Problem::not_found()).await;

    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(
        body,
        json!({
            "type": "https://a.example/problems/not-found", "title": "Not found", "status": 404,
            "detail": "there is no such operation", "instance": "/v1/actions/countdown",
            "code": "not-found", "requestId": "r1",
            "error": {"code": "not-found", "message": "there is no such operation"},
        })
    );
}

#[tokio::test]
async fn a_failed_operation_is_its_own_problem_with_its_view() {
    let (answer, body) = completed(Problem::ended(ended(State::Failed, "sold-out", 424))).await;

    assert_eq!(answer.status(), 424);
    assert_eq!(body["type"], "https://a.example/problems/operation-failed");
    assert_eq!(
        (&body["code"], &body["detail"], &body["status"]),
        (&json!("sold-out"), &json!("no seats"), &json!(424))
    );
    assert_eq!(body["error"], json!({"code": "sold-out", "message": "no seats"}));
    assert_eq!(body["operation"]["status"], "Failed");
    assert!(!body.to_string().contains("details"));
    assert!(answer.headers().get(header::RETRY_AFTER).is_none());
    serde_json::from_value::<raincheck_openapi::Problem>(body).unwrap();
}

#[tokio::test]
async fn a_canceled_operation_is_409_and_no_operation_is_ever_5xx() {
    let (canceled, body) = completed(Problem::ended(ended(State::Canceled, "terminated", 409))).await;
    assert_eq!((canceled.status().as_u16(), &body["code"]), (409, &json!("terminated")));
    assert_eq!(body["type"], "https://a.example/problems/operation-canceled");

    let (damaged, _) = completed(Problem::ended(ended(State::Failed, "x", 500))).await;
    assert_eq!(damaged.status(), 422);
}

#[tokio::test]
async fn a_store_that_fails_is_503_with_a_time_to_come_back_and_without_its_text() {
    let error = StoreError::Database(Arc::new(std::io::Error::other("password=hunter2")));

    let (answer, body) = completed(error.into()).await;

    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    assert!(!body.to_string().contains("hunter2"));
}

#[tokio::test]
async fn without_a_credential_the_answer_says_which_kind_is_wanted() {
    let (answer, _) = completed(Problem::unauthenticated()).await;

    assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"raincheck\"");
}
