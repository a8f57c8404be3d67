//! Management: each call, its method, path and body.

use raincheck::Status;
use raincheck::management::Filter;
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header_exists, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

const OPERATION: &str = "/admin/v1/operations/op-1";

fn summary() -> Value {
    with(view("Running"), "caller", "conference")
}

fn reference(status: &str) -> ResponseTemplate {
    ResponseTemplate::new(202).set_body_json(json!({"id": "op-1", "status": status}))
}

#[tokio::test]
async fn a_list_is_filtered_and_paged() {
    let server = MockServer::start().await;
    let page = json!({"operations": [summary()], "next": "page-2"});
    Mock::given(method("GET"))
        .and(path("/admin/v1/operations"))
        .and(query_param("action", "countdown"))
        .and(query_param("status", "Running"))
        .and(query_param("caller", "conference"))
        .and(query_param("limit", "10"))
        .and(query_param("cursor", "page 1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(page))
        .mount(&server)
        .await;
    let filter = Filter::new().action("countdown").status(Status::Running).caller("conference");

    let page = client(&server).operations().list(&filter.limit(10).cursor("page 1")).await.unwrap();

    assert_eq!(page.operations[0].view.status, Status::Running);
    assert_eq!(page.operations[0].caller, "conference");
    assert_eq!(page.next.as_deref(), Some("page-2"));
}

#[tokio::test]
async fn an_operation_is_shown_with_its_input_and_journal() {
    let server = MockServer::start().await;
    let detail = with(with(summary(), "actionVersion", 2), "input", json!({"seconds": 3}));
    let journal =
        json!({"entries": [{"sequence": 4, "at": "2026-11-24T08:00:00.000Z", "entry": {"step": {}}}]});
    let get = |at: String| Mock::given(method("GET")).and(path(at));
    get(OPERATION.into()).respond_with(ResponseTemplate::new(200).set_body_json(detail)).mount(&server).await;
    get(format!("{OPERATION}/journal"))
        .and(query_param("after", "3"))
        .respond_with(ResponseTemplate::new(200).set_body_json(journal))
        .mount(&server)
        .await;
    let operations = client(&server).operations();

    let detail = operations.show("op-1").await.unwrap();
    let journal = operations.journal("op-1", Some(3)).await.unwrap();

    assert_eq!((detail.action_version, detail.input), (2, Some(json!({"seconds": 3}))));
    assert_eq!(journal.entries[0].sequence, 4);
}

#[tokio::test]
async fn commands_are_posted_to_their_paths() {
    let server = MockServer::start().await;
    let post = |at: &str| Mock::given(method("POST")).and(path(format!("{OPERATION}{at}")));
    post("/cancel").respond_with(reference("Canceling")).mount(&server).await;
    post("/terminate").respond_with(reference("Canceled")).mount(&server).await;
    post("/events/decision")
        .and(body_json(json!({"approved": true})))
        .and(header_exists("idempotency-key"))
        .respond_with(reference("Running"))
        .mount(&server)
        .await;
    Mock::given(method("DELETE"))
        .and(path(OPERATION))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let operations = client(&server).operations();

    assert_eq!(operations.cancel("op-1").await.unwrap().status, Status::Canceling);
    assert_eq!(operations.terminate("op-1").await.unwrap().status, Status::Canceled);
    let sent = operations.send_event("op-1", "decision", &json!({"approved": true})).await.unwrap();
    assert_eq!(sent.status, Status::Running);
    operations.purge("op-1").await.unwrap();
}

#[tokio::test]
async fn links_are_made_for_the_rights_that_were_asked_for() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(format!("{OPERATION}/links")))
        .and(body_json(json!({"rights": ["cancel", "event:decision"]})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"links": {"cancel": "http://h/c"}})))
        .mount(&server)
        .await;

    let made = client(&server).operations().links("op-1", ["cancel", "event:decision"]).await.unwrap();

    assert_eq!(made.links["cancel"], "http://h/c");
}

#[tokio::test]
async fn a_key_without_the_role_is_unauthorized() {
    let server = MockServer::start().await;
    let answer =
        ResponseTemplate::new(403).set_body_json(problem(403, "forbidden", "Needs the role operate."));
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;

    let error = client(&server).operations().cancel("op-1").await.unwrap_err();

    assert!(error.is_unauthorized());
    assert_eq!(error.to_string(), "the server refused with 403: Needs the role operate. (forbidden)");
}
