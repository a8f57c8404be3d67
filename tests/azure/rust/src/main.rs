//! Azure's Rust client (`azure_core`, `Poller`) against a server: `azure-follow BASE_URL`, with the key in
//! `RAINCHECK_KEY`. It follows one operation for each end, all at a time, and prints what it saw of each as a line of
//! JSON.

use azure_core::http::headers::{HeaderName, RETRY_AFTER};
use azure_core::http::poller::{
    Poller, PollerContinuation, PollerOptions, PollerResult, PollerState, PollerStatus, StatusMonitor,
    get_retry_after,
};
use azure_core::http::{ClientOptions, JsonFormat, Method, Pipeline, RawResponse, Request, Response, Url};
use azure_core::json;
use futures::TryStreamExt;
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};

// docs: begin status-monitor
/// The status view, as the poller looks at it.
#[derive(Debug, Clone, Deserialize)]
struct View {
    id: String,
    status: String,
    output: Option<Value>,
    error: Option<Error>,
}

#[derive(Debug, Clone, Deserialize)]
struct Error {
    code: String,
    message: String,
}

impl StatusMonitor for View {
    type Output = View;
    type Format = JsonFormat;

    // `azure_core` knows one word for all that is under way; to it, `Running` would be an end that it does not know.
    fn status(&self) -> PollerStatus {
        match &*self.status {
            "NotStarted" | "Running" | "Canceling" => PollerStatus::InProgress,
            ended => PollerStatus::from(ended),
        }
    }
}
// docs: end status-monitor

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");
const LOCATION: HeaderName = HeaderName::from_static("location");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn request(url: Url, method: Method) -> Request {
    let mut request = Request::new(url, method);
    request.insert_header(API_KEY, std::env::var("RAINCHECK_KEY").unwrap_or_default());
    request
}

fn begin(pipeline: Pipeline, start: Url, input: Value) -> Poller<View> {
    let poll = move |state: PollerState, options: PollerOptions<'static>| {
        let (pipeline, start, input) = (pipeline.clone(), start.clone(), input.clone());
        Box::pin(async move {
            let mut request = match &state {
                PollerState::Initial => {
                    let mut request = request(start, Method::Post);
                    request.insert_header(CONTENT_TYPE, "application/json");
                    request.set_body(input.to_string());
                    request
                }
                PollerState::More(PollerContinuation::Links { next_link, .. }) => {
                    request(next_link.clone(), Method::Get)
                }
                PollerState::More(_) => unreachable!("there is no other yet"),
            };
            let answer = pipeline.send(&options.context, &mut request, None).await?;
            let (status, headers, body) = answer.deconstruct();
            let view: View = json::from_json(&body)?;
            let next_link = match &state {
                PollerState::More(PollerContinuation::Links { next_link, .. }) => next_link.clone(),
                _ => headers.get_str(&OPERATION_LOCATION)?.parse()?,
            };
            let retry_after = get_retry_after(&headers, &[RETRY_AFTER], &options);
            let response: Response<View> =
                RawResponse::from_bytes(status, headers.clone(), body.clone()).into();
            Ok(match view.status() {
                PollerStatus::InProgress => {
                    let continuation = PollerContinuation::Links { next_link, final_link: None };
                    PollerResult::InProgress { response, retry_after, continuation }
                }
                PollerStatus::Succeeded => PollerResult::Succeeded {
                    response,
                    target: Box::new(move || {
                        Box::pin(async move { Ok(RawResponse::from_bytes(status, headers, body).into()) })
                    }),
                },
                _ => PollerResult::Done { response },
            })
        }) as _
    };
    Poller::new(poll, None)
}

async fn follow(base: Url, end: &str, input: Value) -> Fallible<Value> {
    let pipeline = Pipeline::new(None, None, ClientOptions::default(), Vec::new(), Vec::new(), None);
    let mut poller = begin(pipeline.clone(), base.join("v1/actions/countdown")?, input);
    let mut last = None;
    while let Some(response) = poller.try_next().await? {
        if last.is_none() && end == "is-canceled" {
            let location = response.headers().get_str(&LOCATION)?.parse()?;
            pipeline.send(&Default::default(), &mut request(location, Method::Delete), None).await?;
        }
        last = Some(response.into_model()?);
    }
    let view: View = last.ok_or("the poller ended without an answer")?;
    let error = view.error.clone();
    Ok(json!({
        "road": "operation-location",
        "end": end,
        "id": view.id,
        "status": format!("{:?}", view.status()),
        "output": view.output,
        "code": error.as_ref().map(|error| &error.code),
        "message": error.as_ref().map(|error| &error.message),
    }))
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let base: Url = std::env::args().nth(1).ok_or("usage: azure-follow BASE_URL")?.parse()?;
    let ends = [
        ("succeeds", json!({ "seconds": 4.5, "steps": 5 })),
        ("fails", json!({ "seconds": 4.5, "steps": 5, "fail": "out-of-paper" })),
        ("is-canceled", json!({ "seconds": 60, "steps": 5 })),
    ];
    let seen = try_join_all(ends.map(|(end, input)| follow(base.clone(), end, input))).await?;
    seen.iter().for_each(|line| println!("{line}"));
    Ok(())
}
