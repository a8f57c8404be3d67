//! The SDK at both ends: it subscribes, and reads what the real server sends.

use std::time::SystemTime;

use raincheck::webhook::{Delivery, Event, Secret, verify};
use raincheck::{DeliveryFormat, Outcome};
use serde::Deserialize;
use serde_json::json;

use super::{end, server};
use crate::harness::Receiver;

#[derive(Debug, PartialEq, Deserialize)]
struct Countdown {
    steps: u32,
}

#[tokio::test]
async fn what_the_server_sends_is_verified_and_read_in_each_form_and_is_what_listen_would_send() {
    let server = server().await;
    let client = server.client();
    for format in
        [DeliveryFormat::CloudeventsStructured, DeliveryFormat::CloudeventsBinary, DeliveryFormat::View]
    {
        let receiver = Receiver::start().await;
        let told = client.subscribe("countdown", &receiver.url()).format(format).await.unwrap();
        let secret: Secret = told.secret().parse().unwrap();
        let id = end(&server).await;

        let sent = receiver.until(|received| !received.is_empty()).await.remove(0);
        let header = |name: &str| sent.headers.get(name).and_then(|value| value.to_str().ok());
        let body = sent.body.as_bytes();
        let event: Event<Countdown> = verify(header, body, [&secret], SystemTime::now()).unwrap();

        assert_eq!((&event.operation.id, event.operation.output), (&id, Some(Countdown { steps: 1 })));
        assert_eq!(event.cloud_event.is_some(), format != DeliveryFormat::View);
        let whole: Event = verify(header, body, [&secret], SystemTime::now()).unwrap();
        let made = Delivery::new(&event.id, &server.url(""), &whole.operation, format);
        assert_eq!(String::from_utf8_lossy(made.body()), sent.body);
        for (name, value) in made.headers(&secret, event.sent_at) {
            assert_eq!(header(name), Some(&*value), "{name}");
        }
        client.unsubscribe(told.link()).await.unwrap();
    }
}

#[tokio::test]
async fn a_subscription_of_the_sdk_ends_by_its_link_without_a_key_and_stays_ended() {
    let server = server().await;
    let receiver = Receiver::start().await;
    let wish = server.client().subscribe("countdown", &receiver.url());
    let told = wish.outcomes([Outcome::Failed]).of_everybody().await.unwrap();
    let at = format!("/v1/subscriptions/{}", told.view().id);
    let seen = server.get(&at).await.json();
    let stranger = raincheck::Client::builder(server.url("")).build().unwrap();

    stranger.unsubscribe(told.link()).await.unwrap();

    assert_eq!((&seen["outcomes"], &seen["scope"]), (&json!(["Failed"]), &json!("all")));
    assert_eq!(server.get(&at).await.status, 404);
    stranger.unsubscribe(told.link()).await.unwrap();
}

#[tokio::test]
async fn a_url_that_the_server_may_not_call_is_refused_with_what_to_mend() {
    let server = server().await;

    let error = server.client().subscribe("countdown", "http://10.0.0.1/hooks").await.unwrap_err();

    assert!(error.is_refused(), "{error:?}");
    let fields = &error.problem().unwrap().errors;
    assert_eq!(fields.first().and_then(|field| field.pointer.as_deref()), Some("/url"), "{error:?}");
}
