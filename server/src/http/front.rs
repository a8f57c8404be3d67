//! Where every request comes in and every answer goes out: limits, request id, problems, and what must never fail.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Request, header};
use hyper::body::Body;
use raincheck_openapi::{ProblemCode, headers};
use tower::Service as _;
use tracing::{debug, error};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};

use super::call::Call;
use super::location::Connection;
use super::problem::{Occurrence, Problem};
use super::settings::HttpLimits;
use super::{App, cors, routes};
use crate::causes::with_causes;

/// The answers of one listener.
#[derive(Clone)]
pub(crate) struct Front {
    app: Arc<App>,
    routes: BoxedFilter<(Response,)>,
    is_public: bool,
}

impl Front {
    /// The answers of the public listener.
    pub(crate) fn public(app: Arc<App>) -> Self {
        Self { routes: routes::public(&app), app, is_public: true }
    }

    /// The answers of the management listener.
    pub(crate) fn management(app: Arc<App>) -> Self {
        Self { routes: routes::management(&app), app, is_public: false }
    }

    /// The answer to one request. Whatever happens, there is one, and it has a request id.
    pub(crate) async fn answer<B>(&self, request: Request<B>, connection: Arc<Connection>) -> Response
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let call = Arc::new(Call::new(parts, connection));
        let mut answer = match check_head(&call, &self.app.settings.limits) {
            Err(problem) => problem.into_response(),
            Ok(()) => {
                // Routes see the method and the path; everything else is in the call, which no filter has to copy.
                let mut routed = Request::new(body);
                *routed.method_mut() = call.method.clone();
                *routed.uri_mut() = call.uri().clone();
                routed.extensions_mut().insert(Arc::clone(&call));
                let answering = warp::service(self.routes.clone()).call(routed);
                match AssertUnwindSafe(answering).catch_unwind().await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(impossible)) => match impossible {},
                    Err(_) => {
                        error!(request.id = call.id(), path = call.path(), "answering panicked");
                        Problem::internal().into_response()
                    }
                }
            }
        };
        self.finish(&mut answer, &call);
        answer
    }

    fn finish(&self, answer: &mut Response, call: &Call) {
        if let Some(problem) = answer.extensions_mut().remove::<Problem>() {
            if let Some(cause) = problem.cause() {
                error!(
                    request.id = call.id(),
                    path = call.path(),
                    error = with_causes(cause),
                    "a request could not be answered"
                );
            }
            // The pages about problems are on the public listener, whichever one was asked.
            let base =
                if self.is_public { self.app.base(call) } else { Cow::Borrowed(&*self.app.links_base) };
            problem.complete(
                answer,
                &Occurrence {
                    base: &base,
                    instance: call.path(),
                    request_id: call.id(),
                    media_type: self.app.settings.error_media_type.as_str(),
                },
            );
        }
        debug!(
            request.id = call.id(),
            method = %call.method,
            path = call.path(),
            status = answer.status().as_u16(),
            "answered"
        );
        if self.is_public {
            cors::admit(&self.app.settings.cors_origins, &call.method, &call.headers, answer);
        }
        let headers = answer.headers_mut();
        if let Ok(id) = HeaderValue::from_str(call.id()) {
            headers.insert(REQUEST_ID, id);
        }
        if ["/v1", "/admin"].iter().any(|root| is_below(call.path(), root)) {
            headers.insert(header::CACHE_CONTROL, NO_STORE);
            headers.insert(header::REFERRER_POLICY, NO_REFERRER);
        }
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static(headers::REQUEST_ID);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

// What hyper's own parser refuses (more than 100 lines, a head beyond its buffer) does not get here.
fn check_head(call: &Call, limits: &HttpLimits) -> Result<(), Problem> {
    let uri = call.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if uri > limits.uri {
        let detail = format!("the URL may have {} bytes", limits.uri);
        return Err(Problem::new(ProblemCode::UriTooLong, detail).closing());
    }
    // Four bytes stand around each line: colon, space, and its end.
    let bytes: usize = call.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if call.headers.len() > limits.headers || bytes > limits.header_bytes {
        let detail =
            format!("there may be {} header lines and {} bytes of them", limits.headers, limits.header_bytes);
        return Err(Problem::new(ProblemCode::HeadersTooLarge, detail).closing());
    }
    Ok(())
}

/// The call that the front put beside a request.
pub(crate) fn call() -> impl Filter<Extract = (Arc<Call>,), Error = warp::Rejection> + Copy {
    warp::ext::get::<Arc<Call>>()
}
