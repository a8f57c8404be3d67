//! The one place that knows the HTTP library: sends a request, reads the answer, keeps credentials on the
//! origins that they are for, and every URL out of the errors.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use raincheck_openapi::headers;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect;
use url::Url;

use crate::answer::{Answer, Observed};
use crate::limit::Limiter;
use crate::trace::Watched;
use crate::trust::{Carried, Trust};
use crate::{Error, address};

pub(crate) use reqwest::header::{HeaderMap, HeaderName};
pub(crate) use reqwest::{Client as HttpClient, Method, Request, RequestBuilder, Response};

/// No answer is read beyond this. An output has at most 16 MiB by the contract; the rest is room for its
/// envelope.
pub(crate) const MAX_BODY: usize = 32 * 1024 * 1024;

pub(crate) struct Transport {
    http: HttpClient,
    /// For origins that no credential may go to, if `http` is the caller's own: who knows what it adds to a
    /// request by itself, or where it follows a redirect to.
    strangers: Option<OnceLock<HttpClient>>,
    pub(crate) trust: Trust,
    /// Nobody else is asked.
    trusted_only: bool,
    credentials: HeaderMap,
    /// Added to the query of every URL on a trusted origin that does not have it.
    query: Vec<(String, String)>,
    pub(crate) limiter: Limiter,
    /// Answers in place of a server, so that whole sequences can be tried without sockets and real time.
    #[cfg(test)]
    pub(crate) script: OnceLock<Script>,
}

#[cfg(test)]
pub(crate) type Script =
    Box<dyn Fn(Request) -> futures_util::future::BoxFuture<'static, Result<Answer, Error>> + Send + Sync>;

/// What a transport is made of.
pub(crate) struct Parts {
    pub(crate) http: Option<HttpClient>,
    pub(crate) cookies: bool,
    pub(crate) trust: Trust,
    pub(crate) trusted_only: bool,
    pub(crate) credentials: HeaderMap,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) limiter: Limiter,
}

impl Transport {
    pub(crate) fn new(parts: Parts) -> Result<Self, Error> {
        let Parts { http, cookies, trust, trusted_only, credentials, query, limiter } = parts;
        let strangers = http.is_some().then(OnceLock::new);
        let http = http.map_or_else(|| plain(cookies), Ok)?;
        Ok(Self {
            http,
            strangers,
            trust,
            trusted_only,
            credentials,
            query,
            limiter,
            #[cfg(test)]
            script: OnceLock::new(),
        })
    }

    /// The beginning of a caller's own request, to be sent by this client.
    ///
    /// # Errors
    /// If the method is none that HTTP can carry, or the URL is not an absolute http or https URL.
    pub(crate) fn compose(&self, method: &str, url: &str) -> Result<RequestBuilder, Error> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::usage("the method has characters that are not allowed in one"))?;
        Ok(self.http.request(method, address::parse(url)?))
    }

    /// A request with whatever its URL may see.
    pub(crate) fn request(&self, method: Method, url: &Url, carried: Option<&Carried>) -> Request {
        let mut request = Request::new(method, url.clone());
        if let Some(carried) = carried
            && let Some(headers) = &carried.headers
            && self.trust.covers_carried(carried, url)
        {
            *request.headers_mut() = (**headers).clone();
        }
        self.entitle(&mut request);
        request
    }

    /// Adds what the client sends to origins that it trusts. What the request has already stays.
    pub(crate) fn entitle(&self, request: &mut Request) {
        if (self.credentials.is_empty() && self.query.is_empty()) || !self.trust.covers(request.url()) {
            return;
        }
        for (name, value) in &self.credentials {
            if !request.headers().contains_key(name) {
                request.headers_mut().insert(name.clone(), value.clone());
            }
        }
        for (name, value) in &self.query {
            if !request.url().query_pairs().any(|(known, _)| known == name.as_str()) {
                request.url_mut().query_pairs_mut().append_pair(name, value);
            }
        }
    }

    /// Sends one request and reads the whole answer, within `limit`.
    ///
    /// The request is handed over before the first await, so that the future has no room for it.
    pub(crate) fn ask<'a>(
        &'a self,
        request: Request,
        carried: Option<&'a Carried>,
        limit: Duration,
    ) -> impl Future<Output = Observed> + Send + use<'a> {
        let watched = Watched::of(&request);
        let answered = tokio::time::timeout(limit, self.exchange(request, carried));
        // Not an async block, which would hold what it awaits twice.
        watched.watch(answered.map(|answered| match answered {
            Ok(Ok(answer)) => Observed::Answer(answer),
            Ok(Err(error)) => Observed::Lost(error),
            Err(elapsed) => Observed::Lost(Error::transport(false).because(elapsed)),
        }))
    }

    fn exchange<'a>(
        &'a self,
        request: Request,
        carried: Option<&'a Carried>,
    ) -> impl Future<Output = Result<Box<Answer>, Error>> + Send + use<'a> {
        #[cfg(test)]
        let scripted = self.script.get().map(|script| script(request.try_clone().expect("no stream")));
        let sent = self.http_for(request.url(), carried).map(|http| http.execute(request));
        async move {
            #[cfg(test)]
            if let Some(scripted) = scripted {
                return scripted.await.map(Box::new);
            }
            read(sent?).await
        }
    }

    /// Sends one request and gives its answer as soon as the head is there, for a body that has no end.
    pub(crate) async fn open(&self, request: Request, carried: Option<&Carried>) -> Result<Response, Error> {
        #[cfg(test)]
        if self.script.get().is_some() {
            return Err(Error::transport(true));
        }
        self.http_for(request.url(), carried)?.execute(request).await.map_err(lost)
    }

    fn http_for<'a>(&'a self, url: &Url, carried: Option<&'a Carried>) -> Result<&'a HttpClient, Error> {
        if let Some(carried) = carried
            && self.trust.covers_carried(carried, url)
        {
            return Ok(&carried.http);
        }
        if self.trusted_only && !self.trust.covers(url) {
            return Err(Error::unexpected("it leads to an origin that is not trusted"));
        }
        match &self.strangers {
            Some(strangers) if !self.trust.covers(url) => match strangers.get() {
                Some(http) => Ok(http),
                None => plain(false).map(|http| strangers.get_or_init(|| http)),
            },
            _ => Ok(&self.http),
        }
    }
}

/// A client that follows no redirects: the steps decide about those, so that no credential travels along.
fn plain(cookies: bool) -> Result<HttpClient, Error> {
    let builder = HttpClient::builder()
        .redirect(redirect::Policy::none())
        // A value that is static costs no reference count for each copy of the headers.
        .user_agent(HeaderValue::from_static(concat!("raincheck/", env!("CARGO_PKG_VERSION"))));
    #[cfg(feature = "cookies")]
    let builder = builder.cookie_store(cookies);
    #[cfg(not(feature = "cookies"))]
    let _ = cookies;
    builder.build().map_err(|cause| Error::usage("the HTTP client cannot be set up").because(cause))
}

async fn read(sent: impl Future<Output = Result<Response, reqwest::Error>>) -> Result<Box<Answer>, Error> {
    let mut response = sent.await.map_err(lost)?;
    // One chunk as a rule, which is then the body as it is.
    let mut body = Bytes::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Error::unexpected("it is larger than 32 MiB").with_status(response.status().as_u16()));
        }
        body = if body.is_empty() { chunk } else { joined(body, &chunk) };
    }
    Ok(Box::new(Answer {
        // Where the answer came from: a caller's own client may have followed a redirect.
        asked: response.url().clone(),
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body,
    }))
}

fn joined(body: Bytes, chunk: &[u8]) -> Bytes {
    // Grows in place: after the first time nobody else holds it.
    let mut body = BytesMut::from(body);
    body.extend_from_slice(chunk);
    body.freeze()
}

/// A request builder's parts. Its own client stays with it.
pub(crate) fn split(request: RequestBuilder) -> (HttpClient, Result<Request, Error>) {
    let (http, request) = request.build_split();
    // The cause may repeat the URL, but not with `without_url`.
    let bad =
        |cause: reqwest::Error| Error::usage("the request cannot be built").because(cause.without_url());
    (http, request.map_err(bad))
}

/// Adds a JSON body.
pub(crate) fn set_json(request: &mut Request, body: Vec<u8>) {
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(body.into());
}

/// Sets a header of this crate's own making.
pub(crate) fn set_header(request: &mut Request, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers_mut().insert(name, value);
    }
}

/// A text as the value of a header, if one can carry it.
pub(crate) fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

/// Asks the server to hold its answer for so many seconds at most; zero for not at all.
pub(crate) fn set_hold(request: &mut Request, hold: Duration) {
    if !hold.is_zero() {
        set_header(request, headers::PREFER, &format!("wait={}", hold.as_secs()));
    }
}

/// The header of an API key or JWT.
pub(crate) fn bearer(key: &str) -> Result<(HeaderName, HeaderValue), Error> {
    // The cause would repeat the key, so it is left out.
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.trim()))
        .map_err(|_| Error::usage("the API key has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}

/// A header of the caller's, whose value may be a secret.
pub(crate) fn secret_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let name = HeaderName::try_from(name)
        .map_err(|_| Error::usage("the name of a header has characters that are not allowed there"))?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| Error::usage("the value of a header has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Why there is no answer. Only a transport error is worth another try.
fn lost(cause: reqwest::Error) -> Error {
    let error = match &cause {
        cause if cause.is_builder() => Error::unexpected("it leads to a URL that cannot be asked for"),
        cause if cause.is_redirect() => Error::unexpected("redirects that lead in a circle"),
        cause => Error::transport(cause.is_connect()),
    };
    error.because(cause.without_url())
}
