//! google-cloud-lro's poller, with closures for start and query like those of the generated clients.
//!
//! What it cannot do, as far as it matters here:
//! * It never reads Retry-After: the client's own backoff decides. For an operation that is the smallest one it accepts,
//!   a nanosecond, and a sleep of a nanosecond ends with the runtime's next tick, about a millisecond later. That is
//!   time, not CPU. For a waiting operation it is the hour that the server asks for.
//! * It follows an operation's name and its `done`, not Location and status code; `mock` has paths for that, with as
//!   many requests and bytes.
//! * It has no limit of requests in flight; the stub brings one.

use std::sync::Arc;
use std::time::Duration;

use google_cloud_gax::Result;
use google_cloud_gax::error::Error;
use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::polling_error_policy::AlwaysContinue;
use google_cloud_lro::Poller;
use google_cloud_lro::internal::{Operation, new_poller};
use google_cloud_wkt::{Empty, Int32Value};
use measure::Subject;
use reqwest::RequestBuilder;
use tokio::sync::Semaphore;

/// What the generated clients share: their transport.
struct Stub {
    http: reqwest::Client,
    url: String,
    places: Semaphore,
}

impl Stub {
    async fn send(&self, request: RequestBuilder) -> Result<Operation<Int32Value, Empty>> {
        let _place = self.places.acquire().await.expect("never closed");
        // Boxed only now: callers that wait for a place should not hold room for a request.
        Box::pin(async {
            let answer =
                request.send().await.and_then(reqwest::Response::error_for_status).map_err(Error::io)?;
            answer.json().await.map(Operation::new).map_err(Error::deser)
        })
        .await
    }
}

pub struct Google {
    stub: Arc<Stub>,
    at_once: Arc<ExponentialBackoff>,
    in_an_hour: Arc<ExponentialBackoff>,
}

impl Google {
    fn poller(&self, seconds: u32, asleep: fn()) -> impl Poller<Int32Value, Empty> + use<> {
        let stub = self.stub.clone();
        let start = move || async move {
            let operation = stub.send(stub.http.post(format!("{}/begin/{seconds}", stub.url))).await;
            asleep();
            operation
        };
        let stub = self.stub.clone();
        let query = move |name| {
            let stub = stub.clone();
            async move { stub.send(stub.http.get(format!("{}/{name}", stub.url))).await }
        };
        let backoff = if seconds == 0 { &self.at_once } else { &self.in_an_hour };
        new_poller(Arc::new(AlwaysContinue), backoff.clone(), start, query)
    }

    async fn follow(&self, seconds: u32, asleep: fn()) {
        let result = self.poller(seconds, asleep).until_done().await.expect("a result");
        assert_eq!(result, 42);
    }
}

impl Subject for Google {
    const NAME: &'static str = "google-cloud-lro";

    fn new(url: String, in_flight: usize) -> Self {
        let backoff = |pause: Duration| {
            let builder =
                ExponentialBackoffBuilder::new().with_initial_delay(pause).with_maximum_delay(pause);
            Arc::new(builder.build().expect("a pause above zero"))
        };
        Self {
            stub: Arc::new(Stub { http: reqwest::Client::new(), url, places: Semaphore::new(in_flight) }),
            at_once: backoff(Duration::from_nanos(1)),
            in_an_hour: backoff(Duration::from_secs(3600)),
        }
    }

    async fn operation(&self) {
        self.follow(0, || ()).await;
    }

    async fn waiting(&self, asleep: fn()) {
        self.follow(3600, asleep).await;
    }
}
