//! Logs to standard error, and metrics to be scraped. Both are the process's own, so only a `main` sets them
//! up.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::sync::Notify;
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
    /// Something in this process records metrics already.
    #[error("metrics are set up already")]
    Recorded,
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

/// How long samples may pile up before they are put into their buckets.
const TIDY: Duration = Duration::from_secs(60);

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    sampled: Arc<Notify>,
}

impl Metrics {
    /// Records metrics from now on.
    ///
    /// # Errors
    /// If something in this process records them already.
    pub fn set_up() -> Result<Self, TelemetryError> {
        // Histograms are kept as buckets: quantiles over samples cannot be added up over several servers.
        let recorder = PrometheusBuilder::new().set_buckets(&SECONDS)?.build_recorder();
        let metrics = Self { handle: recorder.handle(), sampled: Arc::default() };
        let watched = Watched { recorder, sampled: Arc::clone(&metrics.sampled) };
        metrics::set_global_recorder(watched).map_err(|_| TelemetryError::Recorded)?;
        describe();
        Ok(metrics)
    }

    /// All of them, in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Puts samples into their buckets once a minute, for as long as there are new ones. Rendering does that too; where
    /// nobody scrapes, they would pile up. While nothing happens, this does not wake the process.
    pub async fn keep_tidy(self) {
        tidy(&self.sampled, || self.handle.run_upkeep()).await;
    }
}

async fn tidy(sampled: &Notify, mut upkeep: impl FnMut()) {
    loop {
        sampled.notified().await;
        tokio::time::sleep(TIDY).await;
        upkeep();
    }
}

/// A recorder that tells of every sample of a histogram.
struct Watched {
    recorder: PrometheusRecorder,
    sampled: Arc<Notify>,
}

impl Recorder for Watched {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.recorder.describe_counter(name, unit, text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.recorder.describe_gauge(name, unit, text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.recorder.describe_histogram(name, unit, text);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.recorder.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.recorder.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let samples = self.recorder.register_histogram(key, metadata);
        Histogram::from_arc(Arc::new(Sampled { samples, sampled: Arc::clone(&self.sampled) }))
    }
}

/// A histogram that tells of every sample.
struct Sampled {
    samples: Histogram,
    sampled: Arc<Notify>,
}

impl HistogramFn for Sampled {
    fn record(&self, value: f64) {
        self.samples.record(value);
        self.sampled.notify_one();
    }
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
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
    describe_counter!("raincheck_deliveries_total", "Attempts to tell somebody of an end, by their outcome.");
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
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn what_is_recorded_is_rendered() {
        let recorder = PrometheusBuilder::new().set_buckets(&SECONDS).unwrap().build_recorder();
        let metrics = Metrics { handle: recorder.handle(), sampled: Arc::default() };
        let watched = Watched { recorder, sampled: Arc::clone(&metrics.sampled) };

        metrics::with_local_recorder(&watched, || {
            metrics::counter!("raincheck_starts_total").increment(3);
            metrics::histogram!("raincheck_request_seconds").record(0.002);
        });

        let text = metrics.render();
        assert!(text.contains("raincheck_starts_total 3"), "{text}");
        assert!(text.contains("raincheck_request_seconds_bucket{le=\"0.0025\"} 1"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn samples_are_tidied_once_a_minute_and_nobody_wakes_where_there_are_none() {
        let (sampled, tidied) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let (watched, count) = (Arc::clone(&sampled), Arc::clone(&tidied));
        tokio::spawn(async move {
            tidy(&watched, || {
                count.fetch_add(1, Ordering::SeqCst);
            })
            .await;
        });
        let tidied_after = async |pause| {
            tokio::time::sleep(pause).await;
            tidied.load(Ordering::SeqCst)
        };

        assert_eq!(tidied_after(TIDY * 100).await, 0);
        (0..1000).for_each(|_| sampled.notify_one());
        assert_eq!(tidied_after(TIDY / 2).await, 0);
        assert_eq!(tidied_after(TIDY).await, 1);
        // Once more, for what came after the first of them, and never again.
        assert_eq!(tidied_after(TIDY * 100).await, 2);
        assert_eq!(tidied_after(TIDY * 100).await, 2);
    }
}
