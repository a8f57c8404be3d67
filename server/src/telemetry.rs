//! Logs to standard error, and metrics to be scraped. Both are the process's own, so only a `main` sets them
//! up.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Why logs or metrics cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something in this process has set up logs before.
    #[error("logs are set up already: {0}")]
    Logs(#[from] tracing_subscriber::util::TryInitError),
    /// Something in this process has set up metrics before, or an option of theirs is wrong.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Sends logs to standard error, as `config` says.
///
/// # Errors
/// If the filter is not one, or logs are set up already.
pub fn set_up_logs(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => {
            // Colours are for people; a file or a collector gets none.
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colours).finish().try_init()?;
        }
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).finish().try_init()?,
    }
    Ok(())
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Records metrics from now on.
    ///
    /// # Errors
    /// If something in this process records them already.
    pub fn set_up() -> Result<Self, TelemetryError> {
        // Histograms are kept as buckets: quantiles over samples cannot be added up over several servers.
        let builder = PrometheusBuilder::new().set_buckets(&SECONDS)?;
        let metrics = Self(builder.install_recorder()?);
        describe();
        Ok(metrics)
    }

    /// All of them, in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Puts samples into their buckets. Rendering does that too; where nobody scrapes, they would pile up.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!("raincheck_operations_accepted_total", "Operations that this process has accepted.");
    describe_counter!("raincheck_operations_ended_total", "Operations that ended, by their outcome.");
    describe_gauge!(
        "raincheck_operations_running",
        "Operations that this process runs, waiting ones included."
    );
    describe_histogram!(
        "raincheck_operation_duration_seconds",
        Unit::Seconds,
        "From the acceptance of an operation to its end."
    );
    describe_counter!("raincheck_steps_total", "Steps that ended, by their outcome.");
    describe_counter!("raincheck_store_writes_total", "Writes to the store; many share one commit.");
    describe_histogram!(
        "raincheck_store_commit_duration_seconds",
        Unit::Seconds,
        "How long a commit took, with its sync."
    );
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics(..)")
    }
}

/// From an answer out of memory to a long hold.
const SECONDS: [f64; 14] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0, 100.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_rendered() {
        let recorder = PrometheusBuilder::new().set_buckets(&SECONDS).unwrap().build_recorder();
        let metrics = Metrics(recorder.handle());

        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("raincheck_starts_total").increment(3);
            metrics::histogram!("raincheck_request_seconds").record(0.002);
        });

        let text = metrics.render();
        assert!(text.contains("raincheck_starts_total 3"), "{text}");
        assert!(text.contains("raincheck_request_seconds_bucket{le=\"0.0025\"} 1"), "{text}");
    }
}
