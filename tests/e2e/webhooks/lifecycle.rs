//! Subscriptions: who may make them, what they are told of, and how they end.

use serde_json::{Value, json};

use super::{end, server, subscribe, until_deliveries};
use crate::harness::{Answer, Receiver};

#[tokio::test]
async fn the_link_of_a_subscription_ends_it_without_a_key() {
    let server = server().await;
    let receiver = Receiver::start().await;
    let location = subscribe(&server, &receiver, json!({})).await.location();
    assert!(location.starts_with(&server.url("/v1/subscriptions/")));

    let without = location.split('?').next().expect("a URL");
    assert_eq!(Answer::to(server.http.delete(without)).await.status, 401);
    assert_eq!(Answer::to(server.http.get(&location)).await.status, 401, "it shows nothing");
    assert_eq!(Answer::to(server.http.delete(&location)).await.status, 204);

    let again = Answer::to(server.http.delete(&location)).await;
    assert_eq!((again.status, &*again.code()), (410, "link-expired"));
    end(&server).await;
    until_deliveries(&server, "", <[Value]>::is_empty).await;
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn the_same_subscription_again_replaces_the_first_without_a_gap() {
    let server = server().await;
    let receiver = Receiver::start().await;
    let first = subscribe(&server, &receiver, json!({})).await;
    end(&server).await;
    receiver.until(|received| received.len() == 1).await;

    let second = subscribe(&server, &receiver, json!({ "format": "view" })).await;
    assert_ne!(first.json()["id"], second.json()["id"]);
    // In whichever order somebody subscribes again and ends the earlier one.
    assert_eq!(Answer::to(server.http.delete(first.location())).await.status, 410);
    let id = end(&server).await;

    let received = receiver.until(|received| received.len() == 2).await;
    assert_eq!(received[1].json()["id"], json!(id), "once, in the new form");
    let all = server.get(&server.admin("/admin/v1/subscriptions")).await.json();
    let all = all["subscriptions"].as_array().expect("a list");
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0]["id"], &all[0]["host"]), (&second.json()["id"], &json!("127.0.0.1")));
    assert!(!all[0].to_string().contains("tell-nobody") && all[0].get("secret").is_none());
}

#[tokio::test]
async fn a_subscriber_is_told_of_what_it_may_see_and_asked_for() {
    let server = server().await;
    let (own, all, failures) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let somebody = server.key_with(&["start"], "somebody").await;
    let as_somebody = |body: Value| {
        Answer::to(server.http.post(server.url("/v1/subscriptions")).bearer_auth(&somebody).json(&body))
    };
    let of_all = json!({ "action": "countdown", "url": all.url(), "scope": "all" });
    let refused = as_somebody(of_all.clone()).await;
    assert_eq!((refused.status, &*refused.code()), (403, "forbidden"));
    assert_eq!(as_somebody(json!({ "action": "countdown", "url": own.url() })).await.status, 201);
    subscribe(&server, &all, json!({ "scope": "all" })).await;
    subscribe(&server, &failures, json!({ "scope": "all", "outcomes": ["Failed"] })).await;

    let not_own = end(&server).await;
    let input = json!({ "seconds": 0, "steps": 1, "fail": "no-luck" });
    let start = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(&somebody).json(&input);
    let own_one = Answer::to(start).await.view().id;

    let all = all.until(|received| received.len() == 2).await;
    let own = own.until(|received| !received.is_empty()).await;
    let failures = failures.until(|received| !received.is_empty()).await;
    until_deliveries(&server, "", <[Value]>::is_empty).await;
    let subjects = |received: &[crate::harness::Received]| {
        let mut all: Vec<_> = received.iter().map(|sent| sent.json()["subject"].clone()).collect();
        all.sort_by_key(Value::to_string);
        all
    };
    let mut both = vec![json!(not_own), json!(own_one)];
    both.sort_by_key(Value::to_string);
    assert_eq!(subjects(&all), both);
    assert_eq!(subjects(&own), [json!(own_one)]);
    assert_eq!(subjects(&failures), [json!(own_one)]);
    assert_eq!(failures[0].json()["type"], "raincheck.operation.failed");
    assert_eq!(failures[0].json()["data"]["error"]["code"], "no-luck");
}

#[tokio::test]
async fn a_revoked_key_takes_its_subscriptions_with_it() {
    let server = server().await;
    let receiver = Receiver::start().await;
    let key = server.key_with(&["observe"], "watcher").await;
    let body = json!({ "action": "countdown", "url": receiver.url(), "scope": "all" });
    let made =
        Answer::to(server.http.post(server.url("/v1/subscriptions")).bearer_auth(&key).json(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    end(&server).await;
    receiver.until(|received| received.len() == 1).await;

    server.revoke("watcher", &key).await;
    let missed = end(&server).await;
    let other = Receiver::start().await;
    subscribe(&server, &other, json!({})).await;
    end(&server).await;
    other.until(|received| !received.is_empty()).await;
    assert_eq!(receiver.received().len(), 1);

    // Another key of the same name is the same caller, who is owed what it missed.
    server.key_with(&["observe"], "watcher").await;
    end(&server).await;
    let received = receiver.until(|received| received.len() == 4).await;
    assert!(received.iter().any(|sent| sent.json()["subject"] == json!(missed)));
}

#[tokio::test]
async fn only_its_owner_sees_a_subscription_and_changes_its_secret() {
    let server = server().await;
    let receiver = Receiver::start().await;
    let id = subscribe(&server, &receiver, json!({})).await.json()["id"].as_str().expect("an id").to_owned();
    let path = server.url(&format!("/v1/subscriptions/{id}"));
    let other = server.key_with(&["start"], "other").await;
    let observer = server.key_with(&["observe"], "observer").await;

    let view = server.get(&path).await;
    assert_eq!(view.status, 200);
    assert_eq!(view.json().get("secret"), None, "it is shown once");
    assert_eq!(Answer::to(server.http.get(&path).bearer_auth(&observer)).await.status, 200);
    for (key, method) in [(&other, "GET"), (&other, "DELETE"), (&observer, "DELETE")] {
        let request = server.http.request(method.parse().expect("a method"), &path).bearer_auth(key);
        assert_eq!(Answer::to(request).await.status, 404, "{method}");
    }
    let secret = server.http.post(format!("{path}/secret")).bearer_auth(&observer).json(&json!({}));
    assert_eq!(Answer::to(secret).await.status, 404);
    assert_eq!(Answer::to(server.http.delete(&path).bearer_auth(&server.key)).await.status, 204);
    assert_eq!(Answer::to(server.http.delete(&path).bearer_auth(&server.key)).await.status, 404);
}

#[tokio::test]
async fn there_are_only_so_many_subscriptions() {
    let server = crate::harness::TestServer::with_config(|config| {
        super::loopback(config);
        config.webhooks.subscriptions = 1;
    })
    .await;
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    subscribe(&server, &first, json!({})).await;

    let full = server.post("/v1/subscriptions", json!({ "action": "countdown", "url": second.url() })).await;

    assert_eq!((full.status, &*full.code()), (429, "too-many-subscriptions"));
    subscribe(&server, &first, json!({})).await;
}
