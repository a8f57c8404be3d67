//! `raincheck ops`.

use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

const OPERATIONS: &str = "/admin/v1/operations";

fn summary() -> Value {
    with(with(view("Running"), "caller", "conference"), "customStatus", "Selection")
}

#[tokio::test]
async fn a_list_is_a_table_or_a_document() {
    let server = MockServer::start().await;
    let page = json!({"operations": [summary()], "next": "page-2"});
    on(&server, "GET", OPERATIONS, answer(200, page)).await;

    let text = run(&server.uri(), &["ops", "list", "--action", "countdown", "--status", "running"]).await;
    let since =
        ["ops", "list", "--created-after", "2026-11-24T09:00:00+01:00", "--limit", "5", "--caller", "me"];
    run(&server.uri(), &since).await;
    let json = run(&server.uri(), &["ops", "list", "--json"]).await;

    let lines: Vec<_> = text.out.lines().collect();
    assert_eq!(
        lines[0], "ID    ACTION     STATUS   CREATED                   CALLER      DETAIL",
        "{text:?}"
    );
    assert_eq!(lines[1], "op-1  countdown  Running  2026-11-24T08:00:00.000Z  conference  Selection");
    assert!(text.err.contains("--cursor 'page-2'"), "{text:?}");
    assert_eq!(json.json()["operations"][0]["caller"], "conference");
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].url.query().unwrap(), "action=countdown&status=Running");
    assert_eq!(requests[1].url.query().unwrap(), "caller=me&createdAfter=2026-11-24T08%3A00%3A00Z&limit=5");
}

#[tokio::test]
async fn an_operation_is_shown_with_its_input() {
    let server = MockServer::start().await;
    let detail = with(with(summary(), "actionVersion", 2), "input", json!({"seconds": 3}));
    on(&server, "GET", &format!("{OPERATIONS}/op-1"), answer(200, detail)).await;

    let text = run(&server.uri(), &["ops", "show", "op-1"]).await;
    let json = run(&server.uri(), &["ops", "show", "op-1", "--json"]).await;

    assert!(text.out.contains("input      {\"seconds\":3}"), "{text:?}");
    assert_eq!(json.json()["input"]["seconds"], 3);
}

#[tokio::test]
async fn a_journal_is_a_table_of_its_entries() {
    let server = MockServer::start().await;
    let entry =
        json!({"sequence": 0, "at": "2026-11-24T08:00:00.000Z", "entry": {"step": {"command": "moderate"}}});
    let journal = json!({"entries": [entry], "next": 0});
    on(&server, "GET", &format!("{OPERATIONS}/op-1/journal"), answer(200, journal)).await;

    let text = run(&server.uri(), &["ops", "journal", "op-1"]).await;

    assert!(
        text.out.contains("0  2026-11-24T08:00:00.000Z  {\"step\":{\"command\":\"moderate\"}}"),
        "{text:?}"
    );
    assert!(text.err.contains("--after 0"), "{text:?}");
}

#[tokio::test]
async fn commands_print_the_status_that_follows() {
    let server = MockServer::start().await;
    let reference = |status: &str| answer(202, json!({"id": "op-1", "status": status}));
    let at = |what: &str| format!("{OPERATIONS}/op-1{what}");
    on(&server, "POST", &at("/cancel"), reference("Canceling")).await;
    on(&server, "POST", &at("/terminate"), reference("Canceled")).await;
    on(&server, "POST", &at("/events/decision"), reference("Running")).await;
    on(&server, "DELETE", &at(""), ResponseTemplate::new(204)).await;

    let cancel = run(&server.uri(), &["ops", "cancel", "op-1"]).await;
    let terminate = run(&server.uri(), &["ops", "terminate", "op-1", "--json"]).await;
    let event =
        run(&server.uri(), &["ops", "send-event", "op-1", "decision", "--data", r#"{"approved": true}"#])
            .await;
    let purge = run(&server.uri(), &["ops", "purge", "op-1"]).await;

    assert_eq!((cancel.code, cancel.out.as_str()), (0, "Canceling\n"), "{cancel:?}");
    assert_eq!(terminate.json()["status"], "Canceled");
    assert_eq!((event.code, event.out.as_str()), (0, "Running\n"), "{event:?}");
    assert_eq!((purge.code, purge.out.as_str()), (0, "purged\n"), "{purge:?}");
    let requests = server.received_requests().await.unwrap();
    let body: Value = requests[2].body_json().unwrap();
    assert_eq!(body, json!({"approved": true}));
}

#[tokio::test]
async fn links_are_printed_by_right() {
    let server = MockServer::start().await;
    let made = json!({"links": {"event:decision": "http://h/e?token=1"}});
    on(&server, "POST", &format!("{OPERATIONS}/op-1/links"), answer(200, made)).await;

    let run = run(&server.uri(), &["ops", "links", "op-1", "event:decision"]).await;

    assert_eq!(run.out, "event:decision  http://h/e?token=1\n", "{run:?}");
}

#[tokio::test]
async fn an_operation_that_is_not_there_exits_with_5_and_a_hint() {
    let server = MockServer::start().await;

    let run = run(&server.uri(), &["ops", "show", "nothing"]).await;

    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.err.contains("--admin-url"), "{run:?}");
}
