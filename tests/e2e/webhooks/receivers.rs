//! What receivers are sent, and what their answers lead to.

use serde_json::{Value, json};

use super::{deliveries, end, server, subscribe, until_deliveries};
use crate::harness::{PATIENCE, Reaction, Receiver, TestServer};

#[tokio::test]
async fn a_subscriber_is_told_of_an_end_in_the_form_it_wants() {
    let server = server().await;
    let receivers = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    for (receiver, format) in receivers.iter().zip(["cloudevents-structured", "cloudevents-binary", "view"]) {
        subscribe(&server, receiver, json!({ "format": format })).await;
    }

    let id = end(&server).await;

    let mut sent = Vec::new();
    for receiver in &receivers {
        sent.push(receiver.until(|received| !received.is_empty()).await.remove(0));
    }
    let monitor = server.get(&format!("/v1/actions/countdown/operations/{id}/status")).await.json();
    let source = server.url("/v1/actions/countdown");
    let [structured, binary, view] = sent.try_into().expect("three");
    let event = structured.json();
    assert_eq!(event["data"], monitor, "the status view, and nothing more");
    let attributes = json!({
        "specversion": "1.0", "id": structured.header("webhook-id"), "source": source,
        "type": "raincheck.operation.succeeded", "subject": id, "time": monitor["finishedAt"],
        "datacontenttype": "application/json", "data": monitor,
    });
    assert_eq!(event, attributes);
    assert_eq!(structured.header("content-type"), "application/cloudevents+json");
    assert_eq!(binary.json(), monitor);
    for (name, value) in attributes.as_object().expect("an object").iter().filter(|(name, _)| *name != "data")
    {
        match &**name {
            "datacontenttype" => assert_eq!(binary.header("content-type"), value),
            "id" => assert_eq!(binary.header("ce-id"), binary.header("webhook-id")),
            name => assert_eq!(binary.header(&format!("ce-{name}")), value),
        }
    }
    assert_eq!((view.json(), view.header("content-type")), (monitor, "application/json"));
    assert_eq!((&*view.method, &*view.path), ("POST", "/tell-nobody-path?sig=tell-nobody-query"));
}

#[tokio::test]
async fn the_reference_implementation_takes_the_signatures_of_both_secrets() {
    let server = server().await;
    let receiver = Receiver::start().await;
    let made = subscribe(&server, &receiver, json!({})).await.json();
    let first = made["secret"].as_str().expect("a secret").to_owned();
    end(&server).await;
    receiver.until(|received| received.len() == 1).await;

    let path = format!("/v1/subscriptions/{}/secret", made["id"].as_str().expect("an id"));
    let changed = server.post(&path, json!({})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let second = changed.json()["secret"].as_str().expect("a secret").to_owned();
    end(&server).await;

    let received = receiver.until(|received| received.len() == 2).await;
    let takes = |secret: &str, index: usize| {
        let reference = standardwebhooks::Webhook::new(secret).expect("a secret");
        reference.verify(received[index].body.as_bytes(), &received[index].headers).is_ok()
    };
    assert_ne!(first, second);
    assert_eq!((takes(&first, 0), takes(&second, 0)), (true, false));
    assert_eq!((takes(&first, 1), takes(&second, 1)), (true, true));
    assert_eq!(received[1].header("webhook-signature").split(' ').count(), 2);
}

#[tokio::test]
async fn a_receiver_that_fails_in_every_way_gets_it_in_the_end() {
    let server = server().await;
    let receiver = Receiver::with([
        Reaction::Answers(500, ""),
        Reaction::Hangs,
        Reaction::Resets,
        Reaction::Answers(429, "retry-after: 1"),
        Reaction::Answers(408, ""),
        Reaction::Answers(503, ""),
    ])
    .await;
    subscribe(&server, &receiver, json!({})).await;

    let id = end(&server).await;

    let received = receiver.until(|received| received.len() == 7).await;
    for attempt in &received {
        assert_eq!(attempt.json()["subject"], json!(id));
        assert_eq!(
            attempt.header("webhook-id"),
            received[0].header("webhook-id"),
            "one name for all attempts"
        );
    }
    let times: Vec<i64> =
        received.iter().map(|sent| sent.header("webhook-timestamp").parse().expect("seconds")).collect();
    assert!(times[4] > times[3], "it asked to be left alone for a second: {times:?}");
    until_deliveries(&server, "", <[Value]>::is_empty).await;
    assert_eq!(receiver.received().len(), 7);
}

#[tokio::test]
async fn what_a_receiver_refuses_is_dead_until_an_operator_replays_it() {
    let server = server().await;
    let elsewhere = Receiver::start().await;
    let there = format!("location: {}", elsewhere.url());
    let receiver = Receiver::with([Reaction::Answers(301, there.leak()), Reaction::Answers(400, "")]).await;
    let id = subscribe(&server, &receiver, json!({})).await.json()["id"].clone();
    let ids = [end(&server).await, end(&server).await];

    let dead = until_deliveries(&server, "?state=dead", |dead| dead.len() == 2).await;

    for delivery in &dead {
        assert_eq!((&delivery["subscription"], &delivery["host"]), (&id, &json!("127.0.0.1")));
        assert_eq!((&delivery["attempts"], &delivery["state"]), (&json!(1), &json!("dead")));
        let error = delivery["error"].as_str().expect("a reason");
        assert!(["127.0.0.1 answered 301", "127.0.0.1 answered 400"].contains(&error), "{error}");
        assert!(!delivery.to_string().contains("tell-nobody"));
        let path = format!("/admin/v1/deliveries/{}/replay", delivery["id"].as_str().expect("an id"));
        assert_eq!(server.post(&server.admin(&path), json!({})).await.status, 202);
    }
    let received = receiver.until(|received| received.len() == 4).await;
    for id in ids {
        let attempts = received.iter().filter(|sent| sent.json()["subject"] == json!(id));
        assert_eq!(attempts.count(), 2, "{id}");
    }
    until_deliveries(&server, "", <[Value]>::is_empty).await;
    let again = format!("/admin/v1/deliveries/{}/replay", dead[0]["id"].as_str().expect("an id"));
    assert_eq!(server.post(&server.admin(&again), json!({})).await.status, 404, "it has arrived");
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_gone_ends_its_subscription_until_it_is_enabled() {
    let server = server().await;
    let receiver = Receiver::with([Reaction::Answers(410, "")]).await;
    let id = subscribe(&server, &receiver, json!({})).await.json()["id"].as_str().expect("an id").to_owned();
    end(&server).await;
    until_deliveries(&server, "?state=dead", |dead| dead.len() == 1).await;

    let disabled = async {
        loop {
            let view = server.get(&format!("/v1/subscriptions/{id}")).await.json();
            if view["disabledAt"].is_string() {
                return view;
            }
            tokio::task::yield_now().await;
        }
    };
    let view = tokio::time::timeout(PATIENCE, disabled).await.expect("it is disabled");
    assert_eq!(view["disabledReason"], "its receiver answered 410 (Gone)");
    let missed = end(&server).await;
    assert_eq!(deliveries(&server, "?state=waiting").await, Vec::<Value>::new());
    let enable = server.admin(&format!("/admin/v1/subscriptions/{id}/enable"));
    assert_eq!(server.post(&enable, json!({})).await.status, 200);

    let received = receiver.until(|received| received.len() == 2).await;
    assert_eq!(received[1].json()["subject"], json!(missed), "it goes on where it was");
}

#[tokio::test]
async fn a_slow_receiver_delays_nobody_else() {
    let server = TestServer::with_config(|config| {
        super::loopback(config);
        // Longer than the test is ever waited for: what hangs, hangs.
        config.outbound.total_time = PATIENCE * 10;
    })
    .await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.otherwise(Reaction::Hangs);
    subscribe(&server, &slow, json!({})).await;
    subscribe(&server, &quick, json!({})).await;
    let callback = [("x-callback-url", &*quick.url())];

    for _ in 0..30 {
        let input = json!({ "seconds": 0, "steps": 1 });
        assert_eq!(server.post_with("/v1/actions/countdown", &callback, input).await.status, 202);
    }

    quick.until(|received| received.len() == 60).await;
    let left = until_deliveries(&server, "", |left| left.len() == 30).await;
    assert!(left.iter().all(|delivery| delivery["attempts"] == 0), "{left:?}");
    let received = slow.received();
    assert!((1..=8).contains(&received.len()), "it is sent no more before it has answered");
}
