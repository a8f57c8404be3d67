//! Pages of other origins: who may read our answers in a browser, and what of them (the Fetch standard's CORS).
//!
//! Only the configured origins, compared as the text that browsers send, and never with cookies or other credentials of
//! the browser's own: a page brings its key or its link along. A request without `Origin` is answered as if this were
//! not there.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;
use warp::reply::Response;

/// An origin whose pages may call the public API: `https://host[:port]`, as browsers write it.
///
/// ```
/// use raincheck_server::http::CorsOrigin;
///
/// let origin: CorsOrigin = "https://app.example.com".parse()?;
/// assert!("https://app.example.com/path".parse::<CorsOrigin>().is_err());
/// assert!("*".parse::<CorsOrigin>().is_err());
/// # Ok::<(), raincheck_server::http::NotAnOrigin>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsOrigin {
    url: Url,
    text: HeaderValue,
}

/// A text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("allowed: an origin as browsers write it, https://HOST[:PORT], without a path and without `*`")]
pub struct NotAnOrigin;

impl CorsOrigin {
    /// The origin as a URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }
}

impl FromStr for CorsOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let url: Url = text.parse().map_err(|_| NotAnOrigin)?;
        // A browser's `Origin` is in this form only, so that any other text would never match.
        let exact = matches!(url.scheme(), "http" | "https")
            && url.origin().ascii_serialization() == text
            && !text.contains('*');
        if !exact {
            return Err(NotAnOrigin);
        }
        Ok(Self { url, text: HeaderValue::from_str(text).map_err(|_| NotAnOrigin)? })
    }
}

impl fmt::Display for CorsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url.origin().ascii_serialization())
    }
}

/// What a page may read of an answer, besides what browsers always let it read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "location, operation-location, retry-after, etag, preference-applied, idempotent-replayed, x-request-id",
);

/// What a page may send: every header that this API looks at. A wildcard would leave out `Authorization`.
const SENDABLE: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-none-match, last-event-id, prefer, traceparent, x-api-key, x-ms-client-tracking-id",
);

/// How long a browser may remember a preflight: less than a start-up with another configuration would matter.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Lets the page read `answer`, if it may.
pub(crate) fn admit(origins: &[CorsOrigin], method: &Method, headers: &HeaderMap, answer: &mut Response) {
    if origins.is_empty() {
        return;
    }
    let mut lines = headers.get_all(header::ORIGIN).into_iter();
    let (Some(origin), None) = (lines.next(), lines.next()) else { return };
    let is_preflight =
        *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let allow = answer.headers().get(header::ALLOW).cloned();
    let to = answer.headers_mut();
    // A cache must not give one origin's answer to another.
    to.append(header::VARY, HeaderValue::from_static("origin"));
    if !origins.iter().any(|known| known.text == *origin) {
        return;
    }
    to.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if !is_preflight {
        to.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    } else if let Some(methods) = allow {
        to.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        to.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, SENDABLE);
        to.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_would_send() {
        for text in ["https://app.example.com", "https://app.example.com:8443", "http://localhost:3000"] {
            assert_eq!(text.parse::<CorsOrigin>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://app.example.com:443",
            "https://App.example.com",
            "https://me@app.example.com",
            "https://app.example.com?x",
            "file:///x",
            "ws://app.example.com",
        ] {
            assert_eq!(text.parse::<CorsOrigin>(), Err(NotAnOrigin), "{text}");
        }
    }
}
