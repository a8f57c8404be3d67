//! The one place that knows the HTTP library: sends a request, takes the answer apart, and keeps the API key
//! on its origin and every URL out of the errors.

use std::time::Duration;

use raincheck_openapi::headers;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use reqwest::redirect;
use url::{Origin, Url};

use crate::address;
use crate::answer::{Answer, Observed};
use crate::error::Error;
use crate::pace::Hints;

pub(crate) use reqwest::{Client as HttpClient, Method};

/// No answer is read beyond this. An output has at most 16 MiB by the contract; the rest is room for its
/// envelope.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// One request to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Option<&'a [u8]>,
    /// How long the server may hold its answer (`Prefer: wait`); whole seconds, zero for not at all.
    pub(crate) hold: Duration,
}

pub(crate) struct Transport {
    http: HttpClient,
    origin: Origin,
    authorization: Option<HeaderValue>,
}

impl Transport {
    /// Without a client of the caller's own, one that follows no redirects: the steps decide about those, so
    /// that no credential travels along by itself.
    pub(crate) fn new(http: Option<HttpClient>, base: &Url, api_key: Option<&str>) -> Result<Self, Error> {
        let http = match http {
            Some(http) => http,
            None => HttpClient::builder()
                .redirect(redirect::Policy::none())
                .user_agent(concat!("raincheck/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|cause| Error::usage("the HTTP client cannot be set up").because(cause))?,
        };
        let authorization = api_key.map(bearer).transpose()?;
        Ok(Self { http, origin: base.origin(), authorization })
    }

    /// Sends one request and reads the whole answer, within `limit`.
    pub(crate) async fn ask(&self, ask: Ask<'_>, limit: Duration) -> Observed {
        match tokio::time::timeout(limit, self.exchange(ask)).await {
            Ok(Ok(answer)) => Observed::Answer(Box::new(answer)),
            Ok(Err(error)) => Observed::Lost(error),
            Err(elapsed) => Observed::Lost(Error::transport(false).because(elapsed)),
        }
    }

    async fn exchange(&self, ask: Ask<'_>) -> Result<Answer, Error> {
        let mut request = self.http.request(ask.method.clone(), ask.url.clone());
        if let Some(key) = &self.authorization
            && address::same_origin(&self.origin, ask.url)
        {
            request = request.header(AUTHORIZATION, key.clone());
        }
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        if !ask.hold.is_zero() {
            request = request.header(headers::PREFER, format!("wait={}", ask.hold.as_secs()));
        }
        if let Some(body) = ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Error::transport(false).because("the answer is larger than 32 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        let text = |name: &str| text(response.headers(), name);
        Ok(Answer {
            // Where the answer came from: a caller's own client may have followed a redirect.
            asked: response.url().clone(),
            status,
            location: text("location"),
            operation_location: text(headers::OPERATION_LOCATION),
            hints: Hints {
                retry_after_ms: text("retry-after-ms"),
                x_ms_retry_after_ms: text("x-ms-retry-after-ms"),
                retry_after: text(headers::RETRY_AFTER),
                date: text(DATE.as_str()),
            },
            body,
        })
    }
}

fn bearer(key: &str) -> Result<HeaderValue, Error> {
    // The cause would repeat the key, so it is left out.
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.trim()))
        .map_err(|_| Error::usage("the API key has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    // Servers send UTF-8 in `Location` at times; reading it loses nothing.
    headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).map(str::to_owned)
}

fn lost(cause: reqwest::Error) -> Error {
    Error::transport(cause.is_connect()).because(cause.without_url())
}
