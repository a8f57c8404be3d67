//! Secrets: the key stays on its origin, and neither key nor status URL is ever printed.

use std::error::Error as _;
use std::time::Duration;

use raincheck::{Error, Operation};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

#[tokio::test]
async fn the_key_is_not_sent_to_a_location_on_another_origin() {
    let (home, abroad) = (MockServer::start().await, MockServer::start().await);
    starts(&home, [accepted(&abroad, "0")]).await;
    polls(&abroad, [running("0"), succeeded(1)]).await;

    let output = client(&home).start::<u32>("countdown", &()).await.unwrap().await.unwrap();

    assert_eq!(output, 1);
    let requests = abroad.received_requests().await.unwrap();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(header(&request, "authorization"), None);
        assert!(request.headers.values().all(|value| !value.to_str().unwrap().contains(KEY)));
    }
}

#[tokio::test]
async fn the_key_is_not_sent_along_a_redirect_to_another_origin() {
    let (home, abroad) = (MockServer::start().await, MockServer::start().await);
    polls(&home, [ResponseTemplate::new(303).insert_header("location", status_url(&abroad))]).await;
    polls(&abroad, [succeeded(1)]).await;

    client(&home).attach_url::<u32>(&status_url(&home)).unwrap().await.unwrap();

    assert!(header(&home.received_requests().await.unwrap()[0], "authorization").is_some());
    assert_eq!(header(&abroad.received_requests().await.unwrap()[0], "authorization"), None);
}

#[tokio::test]
async fn the_key_is_not_sent_when_canceling_elsewhere() {
    let (home, abroad) = (MockServer::start().await, MockServer::start().await);
    let mut operation: Operation<Value> = client(&home).attach_url(&status_url(&abroad)).unwrap();

    let _ = operation.cancel().await;

    assert_eq!(header(&abroad.received_requests().await.unwrap()[0], "authorization"), None);
}

/// Everything that a log could get of an error.
fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {:?} {:?}", error.token(), error.problem());
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(" {inner} {inner:?}"));
        cause = inner.source();
    }
    text
}

#[tokio::test]
async fn no_error_shows_a_token_a_status_url_or_a_key() {
    let server = MockServer::start().await;
    let echo = problem(404, "not-found", &format!("no such page: {}", status_url(&server)));
    let failed = with(problem(422, "bad-luck", "It rained."), "operation", view("Failed"));
    let mut errors = Vec::new();
    for answer in [
        ResponseTemplate::new(404).set_body_json(echo),
        ResponseTemplate::new(422).set_body_json(failed),
        ResponseTemplate::new(410),
        ResponseTemplate::new(200).set_body_string(status_url(&server)),
        ResponseTemplate::new(302).insert_header("location", "http://["),
        running("600").insert_header("location", status_url(&server)),
    ] {
        server.reset().await;
        polls(&server, [answer]).await;
        let operation: Operation<Value> = client(&server).attach_url(&status_url(&server)).unwrap();
        errors.push(operation.timeout(Duration::from_millis(100)).await.unwrap_err());
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/x?token={TOKEN}", listener.local_addr().unwrap());
    drop(listener);
    errors.push(client(&server).attach_url::<Value>(&nobody).unwrap().poll().await.unwrap_err());
    errors.push(client(&server).attach_url::<Value>(&format!("no url {TOKEN}")).unwrap_err());
    errors.push(
        builder(server.uri())
            .api_key(format!("{KEY}\n"))
            .api_key(format!("{KEY}\u{7f}"))
            .build()
            .unwrap_err(),
    );

    for error in &errors {
        let text = printed(error).replace("token=…", "");
        assert!(!text.contains(TOKEN) && !text.contains(KEY) && !text.contains("token="), "{text}");
    }
    assert_eq!(errors.len(), 9);
}

#[tokio::test]
async fn no_value_shows_a_secret_in_debug() {
    let server = MockServer::start().await;
    let body = with(view("NotStarted"), "links", json!({"cancel": status_url(&server)}));
    starts(&server, [accepted(&server, "0").set_body_json(body)]).await;
    let client = client(&server);
    let start = client.start::<Value>("countdown", &());

    let text = format!("{:?} {client:?} {start:?}", builder(server.uri()));
    let mut operation = start.await.unwrap();
    let text = format!("{text} {operation:?} {:?}", operation.token());
    let text = format!("{text} {:?}", operation.updates());

    assert!(!text.contains(TOKEN) && !text.contains(KEY), "{text}");
}

#[tokio::test]
async fn a_status_url_that_a_server_repeats_is_hidden_however_short_its_token() {
    let server = MockServer::start().await;
    let url = format!("{}{STATUS_PATH}?t=s3c", server.uri());
    let told = format!("see {url} for more");
    let error = json!({"code": "no-luck", "message": told});
    let failed = with(view("Failed"), "error", error.clone());
    let problem = with(problem(409, "terminated", &told), "operation", view("Canceled"));
    let mut errors = Vec::new();
    for answer in [
        ResponseTemplate::new(200).set_body_json(failed),
        ResponseTemplate::new(200).set_body_json(json!({"status": "Failed", "error": error})),
        ResponseTemplate::new(409).set_body_json(problem),
        ResponseTemplate::new(401).set_body_json(json!({"message": told})),
        succeeded(told.clone()),
    ] {
        server.reset().await;
        polls(&server, [answer]).await;
        errors.push(client(&server).attach_url::<u32>(&url).unwrap().await.unwrap_err());
    }

    for error in &errors {
        assert!(!printed(error).contains("s3c"), "{}", printed(error));
    }
}

#[cfg(feature = "tracing")]
mod events {
    use std::fmt::{Debug, Write};
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Writes down every event and span of whatever library.
    #[derive(Clone, Default)]
    struct Listener(Arc<Mutex<String>>);

    impl Visit for Listener {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0.lock().unwrap(), "{field}={value:?} ").unwrap();
        }
    }

    impl Subscriber for Listener {
        fn enabled(&self, what: &Metadata<'_>) -> bool {
            !what.target().starts_with("wiremock")
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            span.record(&mut self.clone());
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, values: &Record<'_>) {
            values.record(&mut self.clone());
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn no_event_tells_a_url_a_token_or_a_key() {
        let listener = Listener::default();
        // For all threads: events that another thread meets first would be switched off for this one too. So
        // whatever the other tests do at the same time is checked as well.
        tracing::subscriber::set_global_default(listener.clone()).unwrap();
        let server = MockServer::start().await;
        let busy = problem(503, "draining", &format!("not now: {}", status_url(&server)));
        let busy = ResponseTemplate::new(503).set_body_json(busy).insert_header("retry-after", "0");
        starts(&server, [busy.clone(), accepted(&server, "0")]).await;
        polls(&server, [busy, running("0"), succeeded(1)]).await;

        client(&server).start::<u32>("countdown", &()).await.unwrap().await.unwrap();

        let heard = listener.0.lock().unwrap().clone();
        assert!(heard.contains("still at work") && heard.contains("sent again"), "{heard}");
        assert!(!heard.contains(KEY) && !heard.contains(TOKEN), "{heard}");
    }
}
