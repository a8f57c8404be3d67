//! The contract's rows about starts, over real HTTP.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, TestServer};

const COUNTDOWN: &str = "/v1/actions/countdown";
const APPROVAL: &str = "/v1/actions/request-approval";

#[tokio::test]
async fn an_accepted_operation_can_be_read_at_once_a_thousand_times_in_parallel() {
    let server = TestServer::start().await;
    let start = async || {
        let accepted = server.post(COUNTDOWN, json!({ "seconds": 0, "steps": 1 })).await;
        assert_eq!(accepted.status, 202, "{accepted:?}");
        server.get_bare(&accepted.location()).await.status
    };

    for _ in 0..10 {
        let statuses = join_all((0..100).map(|_| start())).await;
        assert!(statuses.iter().all(|status| matches!(status, 200 | 202)), "{statuses:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn two_hundred_starts_with_one_key_are_one_operation_with_one_location() {
    let server = TestServer::start().await;
    let body = json!({ "subject": "once" });

    let starts = (0..200).map(|_| server.post_with(APPROVAL, &[("idempotency-key", "once")], body.clone()));
    let answers = join_all(starts).await;

    assert!(answers.iter().all(|answer| answer.status == 202));
    let locations: BTreeSet<_> = answers.iter().map(Answer::location).collect();
    assert_eq!(locations.len(), 1);
    let bodies: BTreeSet<_> = answers.iter().map(|answer| &answer.text).collect();
    assert_eq!(bodies.len(), 1);
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
    assert_eq!(replayed, 199);
}

#[tokio::test]
async fn the_first_answer_names_status_monitor_and_pace() {
    let server = TestServer::start().await;

    let accepted = server.post(APPROVAL, json!({ "subject": "x" })).await;

    let (url, token) =
        accepted.location().split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(url.starts_with(&server.url("/v1/actions/request-approval/operations/")), "{url}");
    assert!(accepted.location().len() < 256);
    assert_eq!(accepted.header("operation-location"), format!("{url}/status?{token}"));
    assert!(accepted.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert_eq!(accepted.json()["status"], "NotStarted");
    assert_eq!(accepted.header("cache-control"), "no-store");
    assert_eq!(accepted.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn the_host_header_does_not_move_the_location() {
    let server = TestServer::start().await;
    let request = server.http.post(server.url(APPROVAL)).bearer_auth(&server.key);

    let accepted = Answer::to(
        request
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("forwarded", "host=evil.example;proto=https")
            .json(&json!({ "subject": "x" })),
    )
    .await;

    assert!(accepted.location().starts_with(&server.url("/")), "{accepted:?}");
}

#[tokio::test]
async fn a_start_that_waits_gives_what_its_location_gives() {
    let server = TestServer::start().await;

    for (fail, status) in [(None, 200), (Some("out-of-fuel"), 422)] {
        let mut input = json!({ "seconds": 0, "steps": 1 });
        if let Some(fail) = fail {
            input["fail"] = json!(fail);
        }
        let started = server.post_with(COUNTDOWN, &[("prefer", "wait=20")], input).await;
        assert_eq!(started.status, status, "{started:?}");
        assert!(started.header("preference-applied").starts_with("wait="), "{started:?}");
        let polled = server.get_bare(&started.location()).await;
        assert_eq!(polled.status, status);
        let view = |answer: &Answer| match fail {
            None => answer.json(),
            Some(_) => answer.json()["operation"].clone(),
        };
        assert_eq!(view(&started), view(&polled));
    }
}

#[tokio::test]
async fn links_are_for_those_who_may_and_in_no_other_answer() {
    let server = TestServer::start().await;
    let linked = format!("{APPROVAL}?links=event:decision");

    let accepted = server.post(&linked, json!({ "subject": "x" })).await;

    let link = accepted.json()["links"]["event:decision"].as_str().unwrap().to_owned();
    assert!(!server.get_bare(&accepted.location()).await.text.contains("links"));
    let sent = Answer::to(server.http.post(&link).json(&json!({ "approved": true }))).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    assert_eq!(server.ended(&accepted.location()).await.view().output, Some(json!({ "approved": true })));
    let refused =
        server.post(&format!("{COUNTDOWN}?links=event:decision"), json!({ "seconds": 0, "steps": 1 })).await;
    assert_eq!((refused.status, &*refused.code()), (403, "forbidden"));
}

#[tokio::test]
async fn a_caller_who_hangs_up_after_the_start_changes_nothing() {
    let server = TestServer::start().await;
    let request = server.http.request(Method::POST, server.url(COUNTDOWN)).bearer_auth(&server.key);
    let request = request
        .header("prefer", "wait=30")
        .header("idempotency-key", "gone")
        .json(&json!({ "seconds": 0.2, "steps": 2 }));

    let hung_up = tokio::time::timeout(std::time::Duration::from_millis(100), request.send()).await;

    assert!(hung_up.is_err(), "it was held");
    let again = [("idempotency-key", "gone")];
    let replayed = server.post_with(COUNTDOWN, &again, json!({ "seconds": 0.2, "steps": 2 })).await;
    assert_eq!(replayed.header("idempotent-replayed"), "true", "{replayed:?}");
    assert_eq!(server.ended(&replayed.location()).await.status, 200);
}
