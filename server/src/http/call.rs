//! One request, as handlers see it: everything but its body.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, header};
use raincheck_openapi::headers;
use url::form_urlencoded;

use super::dice;
use super::location::{self, Connection};
use super::settings::HttpSettings;

/// A request without its body.
pub(crate) struct Call {
    pub(crate) method: Method,
    uri: http::Uri,
    pub(crate) headers: HeaderMap,
    connection: Arc<Connection>,
    id: String,
}

impl Call {
    pub(crate) fn new(parts: Parts, connection: Arc<Connection>) -> Self {
        let Parts { method, uri, headers, .. } = parts;
        Self { method, uri, headers, connection, id: format!("{:016x}", dice::number()) }
    }

    /// The id of the request, for its caller and for the log.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The path, without the query, which may have a token in it.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(crate) const fn uri(&self) -> &http::Uri {
        &self.uri
    }

    /// The connection that it came by.
    pub(crate) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The base of the URLs in its answer.
    pub(crate) fn base<'a>(
        &'a self,
        settings: &'a HttpSettings,
        public_url: Option<&'a str>,
    ) -> Cow<'a, str> {
        location::base(settings, public_url, &self.connection, &self.headers)
    }

    /// The first value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        self.all(name).next()
    }

    /// All values of a query parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.parameters().filter_map(move |(key, value)| (key == name).then_some(value))
    }

    fn parameters(&self) -> form_urlencoded::Parse<'_> {
        form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes())
    }

    /// The token of a link. Two of them are no credential: which one is meant would be a guess.
    pub(crate) fn token(&self) -> Option<Cow<'_, str>> {
        let mut tokens = self.all("token");
        let token = tokens.next()?;
        tokens.next().is_none().then_some(token)
    }

    /// The API key, from `Authorization: Bearer` or `X-API-Key`. Two different ones are no credential.
    pub(crate) fn key(&self) -> Option<&str> {
        let bearer = self.headers.get_all(header::AUTHORIZATION).into_iter().filter_map(|line| {
            let (scheme, key) = line.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let plain = self.headers.get_all(headers::API_KEY).into_iter().filter_map(|line| line.to_str().ok());
        let mut keys = bearer.chain(plain.map(str::trim));
        let key = keys.next()?;
        keys.all(|other| other == key).then_some(key)
    }

    /// Whether it comes from a browser that would show a page.
    pub(crate) fn accepts_html(&self) -> bool {
        let accept = self.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    }

    /// The value of a header that is kept for operators: short and printable, or it is not kept.
    pub(crate) fn note(&self, name: &str) -> Option<Arc<str>> {
        let value = self.headers.get(name)?.to_str().ok()?.trim();
        (1..=LONGEST_NOTE).contains(&value.len()).then(|| value.into())
    }
}

/// How long a tracking id or a trace context may be.
const LONGEST_NOTE: usize = 256;

/// A connection that tests make up.
#[cfg(test)]
pub(crate) fn loopback() -> Arc<Connection> {
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 8080));
    Arc::new(Connection::plain(local, local))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn call(uri: &str, headers: &[(&str, &str)]) -> Call {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Call::new(request.body(()).unwrap().into_parts().0, loopback())
    }

    #[test]
    fn two_tokens_are_no_credential() {
        assert_eq!(call("/x?api-version=1&token=a", &[]).token().as_deref(), Some("a"));
        assert_eq!(call("/x?token=a&token=a", &[]).token(), None);
        assert_eq!(call("/x?token=a&%74oken=b", &[]).token(), None);
        assert_eq!(call("/x", &[]).token(), None);
    }

    #[test]
    fn a_key_comes_in_either_header_and_two_different_ones_are_none() {
        assert_eq!(call("/", &[("authorization", "bearer  rck_a")]).key(), Some("rck_a"));
        assert_eq!(call("/", &[("x-api-key", "rck_a")]).key(), Some("rck_a"));
        assert_eq!(
            call("/", &[("x-api-key", "rck_a"), ("authorization", "Bearer rck_a")]).key(),
            Some("rck_a")
        );
        assert_eq!(call("/", &[("x-api-key", "rck_a"), ("authorization", "Bearer rck_b")]).key(), None);
        assert_eq!(call("/", &[("x-api-key", "rck_a"), ("x-api-key", "rck_b")]).key(), None);
        assert_eq!(call("/", &[("authorization", "Basic rck_a")]).key(), None);
    }

    #[test]
    fn a_note_is_short_and_printable() {
        let long = "x".repeat(257);
        let call = call("/", &[("a", " run 7 "), ("b", &long), ("c", "é")]);

        assert_eq!(call.note("a").as_deref(), Some("run 7"));
        assert_eq!((call.note("b"), call.note("c"), call.note("d")), (None, None, None));
    }
}
