//! Callbacks: the URL that a start names is told of that operation's end.

use serde_json::{Value, json};

use super::{server, until_deliveries};
use crate::harness::{Reaction, Receiver};

#[tokio::test]
async fn a_callback_has_the_status_view_of_its_operation_however_that_ended() {
    let server = server().await;
    for (input, status) in [
        (json!({ "seconds": 0, "steps": 1 }), "Succeeded"),
        (json!({ "seconds": 0, "steps": 1, "fail": "no-luck" }), "Failed"),
    ] {
        let receiver = Receiver::with([Reaction::Answers(503, "")]).await;
        let headers = [("x-callback-url", &*receiver.url())];
        let started = server.post_with("/v1/actions/countdown", &headers, input).await;
        assert_eq!(started.status, 202, "{started:?}");

        let received = receiver.until(|received| received.len() == 2).await;

        let monitor = server.get_bare(started.header("operation-location")).await.json();
        assert_eq!((received[1].json(), monitor["status"].as_str()), (monitor.clone(), Some(status)));
        assert_eq!(received[1].header("webhook-signature"), "", "there is no secret to sign with");
        assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
        until_deliveries(&server, "", <[Value]>::is_empty).await;
    }
}

#[tokio::test]
async fn a_callback_is_expected_until_the_operation_ends_even_by_an_operator() {
    let server = server().await;
    let receiver = Receiver::start().await;
    let headers = [("x-callback-url", &*receiver.url())];
    let started = server.post_with("/v1/actions/request-approval", &headers, json!({ "subject": "x" })).await;
    let id = started.view().id;

    let expected = until_deliveries(&server, "?state=expecting", |all| all.len() == 1).await;
    assert_eq!((&expected[0]["operation"], &expected[0]["host"]), (&json!(id), &json!("127.0.0.1")));
    assert!(!expected[0].to_string().contains("tell-nobody"));
    let terminate = server.admin(&format!("/admin/v1/operations/{id}/terminate"));
    assert_eq!(server.post(&terminate, json!({})).await.status, 200);

    let received = receiver.until(|received| !received.is_empty()).await;
    assert_eq!(received[0].json()["error"]["code"], "terminated");
}

#[tokio::test]
async fn a_repeated_start_calls_back_once_and_to_the_first_url() {
    let server = server().await;
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let start = async |url: String| {
        let headers = [("x-callback-url", &*url), ("idempotency-key", "k")];
        server.post_with("/v1/actions/countdown", &headers, json!({ "seconds": 0, "steps": 1 })).await
    };

    let (accepted, replayed) = (start(first.url()).await, start(second.url()).await);

    assert_eq!((accepted.status, replayed.status), (202, 202));
    assert_eq!(replayed.header("idempotent-replayed"), "true");
    first.until(|received| received.len() == 1).await;
    until_deliveries(&server, "", <[Value]>::is_empty).await;
    assert!(second.received().is_empty());
}
