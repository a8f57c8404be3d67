//! What the client tells to logs and metrics, and what it keeps to itself.

use std::io;
use std::sync::{Arc, Mutex};

use metrics_exporter_prometheus::PrometheusBuilder;
use raincheck::Operation;
use raincheck::test_kit::{Answer, Server};
use tracing_subscriber::fmt::format::FmtSpan;

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
    let server =
        Server::with([Answer::running(), Answer::unavailable(), Answer::succeeded("secret-output")]).await;
    let operation: Operation<String> = server.client().start("submit-talk", &"secret-input").await.unwrap();
    operation.await.unwrap();
}

#[tokio::test]
async fn events_and_spans_name_the_operation_and_the_host_and_no_secret() {
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

#[test]
fn requests_and_operations_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    metrics::with_local_recorder(&recorder, || runtime.block_on(one_operation()));

    let text = handle.render();
    for line in [
        "raincheck_client_requests_total{method=\"POST\",outcome=\"2xx\"} 1",
        "raincheck_client_requests_total{method=\"GET\",outcome=\"2xx\"} 2",
        "raincheck_client_requests_total{method=\"GET\",outcome=\"5xx\"} 1",
        "raincheck_client_operations_total{outcome=\"Succeeded\"} 1",
        "raincheck_client_requests_in_flight 0",
        "raincheck_client_request_seconds_count{method=\"GET\"} 3",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
