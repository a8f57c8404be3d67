//! What is said about the work as it goes on, if the caller wants to hear it: events and spans for `tracing`
//! (feature `tracing`), counts and durations for `metrics` (feature `metrics`). Never the path or query of a
//! URL, a header or a body: each may hold a secret.
//!
//! | metric | type | labels |
//! | --- | --- | --- |
//! | `raincheck_client_requests_total` | counter | `method`, `outcome`: `1xx` to `5xx`, or `lost` |
//! | `raincheck_client_request_seconds` | histogram | `method` |
//! | `raincheck_client_requests_in_flight` | gauge | |
//! | `raincheck_client_operations_total` | counter | `outcome`: `Succeeded`, `Failed`, `Canceled` |

use raincheck_openapi::Status;

use crate::answer::Observed;
use crate::transport::Request;

/// `tracing::debug!`, or nothing without the feature.
#[cfg(feature = "tracing")]
macro_rules! debug {
    ($($event:tt)*) => { tracing::debug!($($event)*) };
}

#[cfg(not(feature = "tracing"))]
macro_rules! debug {
    ($($event:tt)*) => {{}};
}

pub(crate) use debug;

/// What is told about one request; taken from it before it is handed over.
pub(crate) struct Watched {
    #[cfg(feature = "metrics")]
    method: &'static str,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Watched {
    pub(crate) fn of(request: &Request) -> Self {
        let _ = request;
        Self {
            #[cfg(feature = "metrics")]
            method: method(request),
            #[cfg(feature = "tracing")]
            span: spanned::request(request),
        }
    }

    /// Watches the request from its sending to the end of its answer.
    pub(crate) fn watch(
        self,
        answered: impl Future<Output = Observed> + Send,
    ) -> impl Future<Output = Observed> + Send {
        #[cfg(feature = "metrics")]
        let answered = counted::watch(self.method, answered);
        #[cfg(feature = "tracing")]
        let answered = spanned::watch(self.span, answered);
        answered
    }
}

/// Watches a wait for an operation.
pub(crate) fn operation<T, F: Future<Output = T> + Send>(
    id: Option<&str>,
    followed: F,
) -> impl Future<Output = T> + Send + use<T, F> {
    #[cfg(feature = "tracing")]
    let followed =
        tracing::Instrument::instrument(followed, tracing::debug_span!("operation", operation.id = id));
    let _ = id;
    followed
}

/// Counts the end of an operation.
pub(crate) fn ended(status: Status) {
    #[cfg(feature = "metrics")]
    metrics::counter!("raincheck_client_operations_total", "outcome" => status.as_str()).increment(1);
    let _ = status;
}

/// The method as a label, of which there must not be any number.
#[cfg(any(feature = "metrics", feature = "tracing"))]
fn method(request: &Request) -> &'static str {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.into_iter().find(|known| request.method().as_str() == *known).unwrap_or("OTHER")
}

#[cfg(feature = "tracing")]
mod spanned {
    use tracing::field::Empty;
    use tracing::{Instrument, Span, debug_span};

    use super::{Observed, Request};

    pub(super) fn request(request: &Request) -> Span {
        // The names are those of OpenTelemetry.
        debug_span!(
            "request",
            http.request.method = super::method(request),
            server.address = request.url().host_str(),
            server.port = request.url().port_or_known_default(),
            http.response.status_code = Empty,
        )
    }

    pub(super) fn watch(
        span: Span,
        answered: impl Future<Output = Observed> + Send,
    ) -> impl Future<Output = Observed> + Send {
        let record = span.clone();
        let answered = async move {
            let seen = answered.await;
            if let Observed::Answer(answer) = &seen {
                record.record("http.response.status_code", answer.status);
            }
            seen
        };
        answered.instrument(span)
    }
}

#[cfg(feature = "metrics")]
mod counted {
    use tokio::time::Instant;

    use super::Observed;

    /// A request that is on its way; dropped with it, answered or not.
    struct InFlight;

    impl InFlight {
        fn new() -> Self {
            metrics::gauge!("raincheck_client_requests_in_flight").increment(1.0);
            Self
        }
    }

    impl Drop for InFlight {
        fn drop(&mut self) {
            metrics::gauge!("raincheck_client_requests_in_flight").decrement(1.0);
        }
    }

    pub(super) async fn watch(
        method: &'static str,
        answered: impl Future<Output = Observed> + Send,
    ) -> Observed {
        let _in_flight = InFlight::new();
        let begin = Instant::now();
        let seen = answered.await;
        let outcome = match &seen {
            Observed::Lost(_) => "lost",
            Observed::Answer(answer) => match answer.status / 100 {
                1 => "1xx",
                2 => "2xx",
                3 => "3xx",
                4 => "4xx",
                _ => "5xx",
            },
        };
        metrics::counter!("raincheck_client_requests_total", "method" => method, "outcome" => outcome)
            .increment(1);
        metrics::histogram!("raincheck_client_request_seconds", "method" => method).record(begin.elapsed());
        seen
    }
}
