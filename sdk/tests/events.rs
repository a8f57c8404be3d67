//! What the client tells to logs, and what it keeps to itself. A program of its own, because an event that a thread
//! without a listener meets first stays silent for the listeners of other threads.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should fail where it stands")]

#[expect(dead_code, reason = "it is shared with the other tests, which need more of it")]
#[path = "behaviour/support.rs"]
mod support;

use std::fmt::{Debug, Write as _};
use std::io;
use std::sync::{Arc, Mutex};

use raincheck::Operation;
use raincheck::test_kit::{Answer, Server};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::FmtSpan;
use wiremock::{MockServer, ResponseTemplate};

use support::*;

/// One listener at a time.
static LISTENING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn one_operation() {
    let answers = [Answer::running(), Answer::unavailable(), Answer::succeeded("secret-output")];
    let server = Server::with(answers).await;
    let operation: Operation<String> = server.client().start("submit-talk", &"secret-input").await.unwrap();
    operation.await.unwrap();
}

#[tokio::test]
async fn events_and_spans_name_the_operation_and_the_host_and_no_secret() {
    let _alone = LISTENING.lock().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    one_operation().await;

    let text: String = log.text().lines().filter(|line| line.contains("raincheck")).collect();
    for told in [
        "still at work",
        "poll failed",
        "ended",
        "operation.id=",
        "server.address=\"127.0.0.1\"",
        "status_code=503",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    for secret in ["token-of-a-test", "rck_test", "secret-input", "secret-output", "/operations/"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

/// Writes down every event and span of whatever library.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<String>>);

impl Visit for Listener {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0.lock().unwrap(), "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
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
    let _alone = LISTENING.lock().await;
    let listener = Listener::default();
    let _listening = tracing::subscriber::set_default(listener.clone());
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
