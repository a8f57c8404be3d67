//! azure_core's `Poller`. It knows no protocol: each service's crate brings a callback like the one below.
//!
//! What it cannot do, as far as it matters here:
//! * `Retry-After: 0` is read, but then slept for, and a sleep of nothing ends with the runtime's next tick, about a
//!   millisecond later. That is time, not CPU.
//! * Its own interval, for answers without Retry-After, must be a second or more: less panics. The server here always
//!   sends Retry-After, so that the default of 30 seconds stays.
//! * It has no limit of requests in flight; the callback brings one.
//!
//! Its pipeline adds a request id and a user agent to every request, here as in every service's crate.

use std::sync::Arc;

use azure_core::error::CheckSuccessOptions;
use azure_core::http::headers::{HeaderName, RETRY_AFTER, RETRY_AFTER_MS, X_MS_RETRY_AFTER_MS};
use azure_core::http::poller::{
    Poller, PollerContinuation, PollerResult, PollerState, PollerStatus, StatusMonitor, get_retry_after,
};
use azure_core::http::{
    ClientOptions, JsonFormat, Method, Pipeline, PipelineSendOptions, RawResponse, Request, Response,
    Transport, Url,
};
use measure::Subject;
use serde::Deserialize;
use tokio::sync::Semaphore;

const LOCATION: HeaderName = HeaderName::from_static("location");
const RETRY_HEADERS: [HeaderName; 3] = [X_MS_RETRY_AFTER_MS, RETRY_AFTER_MS, RETRY_AFTER];

/// A status monitor; its last one holds the result.
#[derive(Deserialize)]
struct Monitor {
    status: String,
}

#[derive(Deserialize)]
struct Output {
    result: u32,
}

impl StatusMonitor for Monitor {
    type Output = Output;
    type Format = JsonFormat;

    fn status(&self) -> PollerStatus {
        match self.status.as_str() {
            // Azure's own services say `InProgress`.
            "Running" => PollerStatus::InProgress,
            other => other.into(),
        }
    }
}

pub struct Azure {
    pipeline: Pipeline,
    url: Url,
    places: Arc<Semaphore>,
}

impl Azure {
    fn begin(&self, seconds: u32, asleep: fn()) -> Poller<Monitor> {
        let (pipeline, base, places) = (self.pipeline.clone(), self.url.clone(), self.places.clone());
        Poller::new(
            move |state, options| {
                let mut request = match state {
                    PollerState::Initial => {
                        Request::new(address(&base, &format!("/start/{seconds}")), Method::Post)
                    }
                    PollerState::More(PollerContinuation::Links { next_link, .. }) => {
                        Request::new(next_link, Method::Get)
                    }
                    PollerState::More(_) => unreachable!("links are all that it is given"),
                };
                request.insert_header("accept", "application/json");
                let (pipeline, base, places) = (pipeline.clone(), base.clone(), places.clone());
                Box::pin(async move {
                    let answer = {
                        let _place = places.acquire().await.expect("never closed");
                        let success = CheckSuccessOptions { success_codes: &[200, 202] };
                        let checks = PipelineSendOptions { check_success: success, ..Default::default() };
                        // Boxed only now: callers that wait for a place should not hold room for a request.
                        Box::pin(pipeline.send(&options.context, &mut request, Some(checks))).await?
                    };
                    let (status, headers, body) = answer.deconstruct();
                    let retry_after = get_retry_after(&headers, &RETRY_HEADERS, &options);
                    let location = headers.get_optional_string(&LOCATION);
                    let monitor: Monitor = azure_core::json::from_json(&body)?;
                    let response = |body| RawResponse::from_bytes(status, headers, body);
                    match monitor.status() {
                        PollerStatus::InProgress => {
                            let next_link = address(&base, &location.expect("a location"));
                            let continuation = PollerContinuation::Links { next_link, final_link: None };
                            // A status is yielded only after the sleep, so this is the last chance to tell.
                            asleep();
                            Ok(PollerResult::InProgress {
                                response: Response::from(response(body)),
                                retry_after,
                                continuation,
                            })
                        }
                        PollerStatus::Succeeded => {
                            let last = response(body.clone());
                            Ok(PollerResult::Succeeded {
                                response: Response::from(last.clone()),
                                target: Box::new(move || Box::pin(async move { Ok(last.into()) })),
                            })
                        }
                        _ => Ok(PollerResult::Done { response: Response::from(response(body)) }),
                    }
                })
            },
            None,
        )
    }

    async fn follow(&self, seconds: u32, asleep: fn()) {
        let output = self.begin(seconds, asleep).await.expect("a result").into_model().expect("a body");
        assert_eq!(output.result, 42);
    }
}

impl Subject for Azure {
    const NAME: &'static str = "azure_core Poller";

    fn new(url: String, in_flight: usize) -> Self {
        let transport = Transport::new(Arc::new(reqwest::Client::new()));
        let options = ClientOptions { transport: Some(transport), ..Default::default() };
        let pipeline = Pipeline::new(Some("peers"), Some("0.0.0"), options, Vec::new(), Vec::new(), None);
        Self { pipeline, url: url.parse().expect("a URL"), places: Arc::new(Semaphore::new(in_flight)) }
    }

    async fn operation(&self) {
        self.follow(0, || ()).await;
    }

    async fn waiting(&self, asleep: fn()) {
        self.follow(3600, asleep).await;
    }
}

fn address(base: &Url, path: &str) -> Url {
    base.join(path).expect("a path")
}
