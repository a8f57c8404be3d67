//! The webhook trigger and the webhook action of workflows, as their documentation describes them.

use std::path::Path;

use serde_json::{Value, json};

use super::{end, until_deliveries};
use crate::callers::{Gateway, Webhook};
use crate::harness::{Receiver, TestServer};

const GATEWAY: &str = "https://europe-001.gw.example/apim/raincheck/1a2b";

async fn server() -> TestServer {
    TestServer::with_config(|config| {
        super::loopback(config);
        config.trusted_gateways = vec!["https://*.gw.example/apim".parse().expect("a gateway")];
    })
    .await
}

/// The gateway of the connector as it is committed.
fn gateway(server: &TestServer) -> Gateway {
    let definition =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/connector/apiDefinition.swagger.json");
    let definition = std::fs::read_to_string(definition).expect("a definition").parse().expect("JSON");
    Gateway::new(GATEWAY, &server.url(""), &server.key, &definition)
}

fn trigger(server: &TestServer, flow: &Receiver) -> Webhook {
    Webhook {
        http: server.http.clone(),
        gateway: Some(gateway(server)),
        url: format!("{GATEWAY}/v1/subscriptions"),
        headers: Vec::new(),
        body: json!({ "action": "countdown", "url": flow.url(), "format": "view" }),
        loses_the_first_answer: false,
    }
}

#[tokio::test]
async fn a_flow_runs_for_each_end_from_when_it_is_turned_on_until_it_is_turned_off() {
    let server = server().await;
    let flow = Receiver::start().await;
    end(&server).await;
    for loses_the_first_answer in [false, true] {
        let already = flow.received().len();
        let on = Webhook { loses_the_first_answer, ..trigger(&server, &flow) }.subscribe().await;
        assert!(on.location.as_ref().is_some_and(|location| location.starts_with(GATEWAY)), "{on:?}");

        let mut ids = [end(&server).await, end(&server).await];
        ids.sort();

        let runs = flow.until(|received| received.len() == already + 2).await.split_off(already);
        let mut told: Vec<_> = runs.iter().map(|run| run.json()["id"].clone()).collect();
        told.sort_by_key(Value::to_string);
        assert_eq!(told, ids.map(Value::from));
        assert_eq!(on.unsubscribe().await, 204);
        assert_eq!(
            on.unsubscribe().await,
            410,
            "the answer was lost, so it is asked again, and that is the end"
        );
        end(&server).await;
        until_deliveries(&server, "", <[Value]>::is_empty).await;
        assert_eq!(flow.received().len(), already + 2);
    }
}

#[tokio::test]
async fn a_flow_that_is_saved_again_misses_nothing_whichever_request_comes_first() {
    let server = server().await;
    let flow = Receiver::start().await;
    let trigger = trigger(&server, &flow);
    let first = trigger.subscribe().await;

    let second = trigger.subscribe().await;
    first.unsubscribe().await;
    let id = end(&server).await;

    let runs = flow.until(|received| !received.is_empty()).await;
    assert_eq!(runs[0].json()["id"], json!(id));
    assert_eq!(second.unsubscribe().await, 204);
}

#[tokio::test]
async fn a_flow_whose_gateway_is_not_trusted_ends_its_subscription_directly() {
    let server = super::server().await;
    let flow = Receiver::start().await;

    let on = trigger(&server, &flow).subscribe().await;

    assert!(on.location.as_ref().is_some_and(|location| location.starts_with(&server.url("/v1"))), "{on:?}");
    assert_eq!(on.unsubscribe().await, 204);
}

#[tokio::test]
async fn a_webhook_action_waits_until_it_is_called_back_and_has_the_outcome() {
    let server = server().await;
    let run = Receiver::start().await;
    // "subscribe": {"method": "POST", "headers": {"X-Callback-Url": "@{listCallbackUrl()}", …}, …}
    let headers = [
        ("X-Callback-Url".to_owned(), run.url()),
        ("Authorization".to_owned(), format!("Bearer {}", server.key)),
        ("Idempotency-Key".to_owned(), "run-1/wait".to_owned()),
    ];
    let action = Webhook {
        http: server.http.clone(),
        gateway: None,
        url: server.url("/v1/actions/countdown"),
        headers: headers.into(),
        body: json!({ "seconds": 0.2, "steps": 2 }),
        loses_the_first_answer: true,
    };

    let accepted = action.subscribe().await;

    let outcome = run.until(|received| !received.is_empty()).await.remove(0).json();
    assert_eq!(outcome["id"], accepted.body["id"]);
    assert_eq!((&outcome["status"], &outcome["output"]), (&json!("Succeeded"), &json!({ "steps": 2 })));
    until_deliveries(&server, "", <[Value]>::is_empty).await;
    assert_eq!(run.received().len(), 1);
}
