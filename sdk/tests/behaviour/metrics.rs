//! What the client counts.

use metrics_exporter_prometheus::PrometheusBuilder;
use raincheck::Operation;
use raincheck::test_kit::{Answer, Server};

async fn one_operation() {
    let server =
        Server::with([Answer::running(), Answer::unavailable(), Answer::succeeded("secret-output")]).await;
    let operation: Operation<String> = server.client().start("submit-talk", &"secret-input").await.unwrap();
    operation.await.unwrap();
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
