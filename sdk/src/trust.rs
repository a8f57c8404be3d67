//! Who may see a credential: the origins that it was given for, and nobody else.

use url::Url;

use crate::address::Origin;
use crate::transport::{HeaderMap, HttpClient, Request};

/// Headers of a start that say something about its body or only about that one request. All the others, such
/// as a credential or a client's own request id, go along with the polls.
const OF_THE_START: [&str; 26] = [
    "accept-encoding",
    "connection",
    "content-digest",
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "digest",
    "expect",
    "host",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "prefer",
    "range",
    "repeatability-first-sent",
    "repeatability-request-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // A poll would do again what the start did.
    "x-http-method-override",
];

/// The origins that a client's credentials may go to.
pub(crate) struct Trust {
    pub(crate) home: Origin,
    /// Allowed by the caller, for the client's credentials and for those of a request alike.
    pub(crate) others: Vec<Origin>,
}

impl Trust {
    /// Whether the client's own credentials may go there.
    pub(crate) fn covers(&self, url: &Url) -> bool {
        self.home.has(url) || self.allows(url)
    }

    fn allows(&self, url: &Url) -> bool {
        self.others.iter().any(|other| other.has(url))
    }

    /// Whether what a request carried may go there.
    pub(crate) fn covers_carried(&self, carried: &Carried, url: &Url) -> bool {
        carried.origin.has(url) || self.allows(url)
    }
}

/// What a caller's own request brings along for the polls of its operation.
pub(crate) struct Carried {
    pub(crate) http: HttpClient,
    /// Boxed, since most requests carry nothing and many operations wait.
    pub(crate) headers: Option<Box<HeaderMap>>,
    origin: Origin,
}

impl Carried {
    pub(crate) fn of(http: HttpClient, request: &Request) -> Self {
        let mut headers = request.headers().clone();
        if !headers.is_empty() {
            for name in OF_THE_START {
                headers.remove(name);
            }
        }
        let headers = (!headers.is_empty()).then(|| Box::new(headers));
        Self { http, headers, origin: Origin::of(request.url()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_goes_along_and_what_belongs_to_the_body_does_not() {
        let http = HttpClient::new();
        let request = http
            .post("http://h/a")
            .header("x-api-key", "secret")
            .header("x-ms-client-request-id", "7")
            .header("idempotency-key", "k")
            .header("prefer", "respond-async")
            .json(&1)
            .build()
            .unwrap();

        let carried = Carried::of(http, &request);

        let names: Vec<_> = carried.headers.as_ref().unwrap().keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["x-api-key", "x-ms-client-request-id"]);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let url = |text: &str| Url::parse(text).unwrap();
        let trust = Trust {
            home: Origin::of(&url("https://h/a")),
            others: vec![Origin::of(&url("https://friend:8443"))],
        };

        assert!(trust.covers(&url("https://h:443/b")));
        assert!(trust.covers(&url("https://friend:8443/b")));
        for other in
            ["http://h/a", "https://h:444/a", "https://h.evil/a", "https://evil/h", "https://friend/b"]
        {
            assert!(!trust.covers(&url(other)), "{other}");
        }
    }
}
