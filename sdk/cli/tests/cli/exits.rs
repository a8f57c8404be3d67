//! Exit codes, and what is said with them.

use std::time::Duration;

use serde_json::json;
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

#[tokio::test]
async fn a_failed_operation_exits_with_1_and_its_reason() {
    let failed = with(view("Failed"), "error", json!({"code": "no-luck", "message": "It rained."}));
    let body = with(problem(422, "no-luck", "It rained."), "operation", failed);
    let server = server([answer(422, body)]).await;

    let text = run(&server.uri(), &["start", "countdown", "--wait"]).await;
    let json = run(&server.uri(), &["start", "countdown", "--wait", "--json"]).await;

    assert_eq!((text.code, text.out.as_str()), (1, ""), "{text:?}");
    assert!(text.err.ends_with("raincheck: the operation failed: It rained. (no-luck)\n"), "{text:?}");
    assert_eq!((json.code, &json.json()["status"]), (1, &json!("Failed")));
}

#[tokio::test]
async fn a_canceled_operation_exits_with_1() {
    let body = with(problem(409, "operation-canceled", "Somebody asked."), "operation", view("Canceled"));
    let server = server([answer(409, body)]).await;

    let run = run(&server.uri(), &["wait", &status_url(&server)]).await;

    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("the operation was canceled"), "{run:?}");
}

#[tokio::test]
async fn wrong_usage_exits_with_2_and_sends_nothing() {
    let server = server([succeeded()]).await;
    for args in [
        &["start"][..],
        &["start", "countdown", "--input", "{broken"],
        &["start", "countdown", "--input", "no-such-file.json"],
        &["start", "countdown", "--timeout", "soon"],
        &["start", "countdown", "--idempotency-key", "a b"],
        &["wait", "not-a-url"],
        &["ops", "list", "--status", "Sleeping"],
        &["dance"],
    ] {
        let run = run(&server.uri(), args).await;

        assert_eq!(run.code, 2, "{args:?} {run:?}");
        assert!(!run.err.is_empty(), "{args:?}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_timeout_exits_with_3_and_says_how_to_go_on() {
    let server = server([answer(202, view("Running")).insert_header("retry-after", "600")]).await;
    let args = ["start", "countdown", "--wait", "--timeout", "1s"];

    let run = run(&server.uri(), &args).await;

    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains("did not end within 1s and goes on at the server"), "{run:?}");
    assert!(run.err.contains(&format!("raincheck wait '{}'", status_url(&server))), "{run:?}");
}

#[tokio::test]
async fn a_timeout_for_scripts_is_the_last_view_with_exit_3() {
    let server = server([answer(202, view("Running")).insert_header("retry-after", "600")]).await;
    let args = ["wait", &status_url(&server), "--timeout", "1s", "--json"];

    let run = run(&server.uri(), &args).await;

    assert_eq!((run.code, &run.json()["status"]), (3, &json!("Running")), "{run:?}");
}

#[tokio::test]
async fn a_server_that_hangs_exits_with_3_once_the_time_is_over() {
    let server = server([succeeded().set_delay(Duration::from_secs(60))]).await;

    let run = run(&server.uri(), &["wait", &status_url(&server), "--timeout", "1s"]).await;

    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains(&format!("raincheck wait '{}'", status_url(&server))), "{run:?}");
}

#[tokio::test]
async fn a_start_without_an_answer_says_how_to_repeat_it_safely() {
    let server = MockServer::start().await;
    let late = answer(202, view("NotStarted")).set_delay(Duration::from_secs(60));
    on(&server, "POST", "/v1/actions/countdown", late).await;

    let run = run(&server.uri(), &["start", "countdown", "--timeout", "1s"]).await;

    let key =
        server.received_requests().await.unwrap()[0].headers["idempotency-key"].to_str().unwrap().to_owned();
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains(&format!("--idempotency-key {key}")), "{run:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_exits_with_4_and_a_hint() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);

    let waited = run(&url, &["wait", &format!("{url}/x?token=t")]).await;
    let json = run(&url, &["status", &format!("{url}/x?token=t"), "--json"]).await;

    assert_eq!(waited.code, 4, "{waited:?}");
    assert!(waited.err.contains("no connection to the server") && waited.err.contains("--url"), "{waited:?}");
    assert!(!waited.err.contains("not ended yet"), "{waited:?}");
    assert_eq!((json.code, &json.json()["error"]["code"]), (4, &json!("unreachable")));
}

#[tokio::test]
async fn a_refusal_exits_with_5_and_the_problem() {
    let server = MockServer::start().await;
    let refusal = answer(401, problem(401, "unauthenticated", "The key is not known."));
    on(&server, "POST", "/v1/actions/countdown", refusal).await;

    let text = run(&server.uri(), &["start", "countdown"]).await;
    let json = run(&server.uri(), &["start", "countdown", "--json"]).await;
    let gone = run(&server.uri(), &["wait", &status_url(&server)]).await;

    assert_eq!(text.code, 5, "{text:?}");
    assert!(
        text.err.contains("The key is not known. (unauthenticated)") && text.err.contains("--api-key"),
        "{text:?}"
    );
    assert_eq!((json.code, &json.json()["code"]), (5, &json!("unauthenticated")));
    assert_eq!(gone.code, 5, "{gone:?}");
}

#[tokio::test]
async fn the_key_is_not_sent_to_a_status_url_elsewhere() {
    let (home, abroad) = (MockServer::start().await, server([succeeded()]).await);

    let run = run(&home.uri(), &["wait", &status_url(&abroad)]).await;

    assert_eq!(run.code, 0, "{run:?}");
    assert!(!abroad.received_requests().await.unwrap()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_first_poll_that_finds_the_server_busy_is_no_reason_to_give_up() {
    let server = server([ResponseTemplate::new(503).insert_header("retry-after", "0"), succeeded()]).await;

    let run = run(&server.uri(), &["wait", &status_url(&server)]).await;

    assert_eq!(run.code, 0, "{run:?}");
}

#[tokio::test]
async fn a_server_cannot_steer_the_terminal() {
    let server = server([answer(202, with(view("Running"), "customStatus", "\u{1b}[2J")), succeeded()]).await;

    let run = run(&server.uri(), &["wait", &status_url(&server)]).await;

    assert!(!run.err.contains('\u{1b}'), "{run:?}");
}

#[tokio::test]
async fn help_has_examples_and_never_the_key() {
    let help = tokio::time::timeout(Duration::from_secs(20), run("http://h", &["--help"])).await.unwrap();

    assert_eq!(help.code, 0);
    assert!(help.out.contains("Examples:") && help.out.contains("Exit codes:"), "{help:?}");
    assert!(!help.out.contains(KEY), "{help:?}");
}
