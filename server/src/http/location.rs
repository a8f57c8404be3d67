//! Where this server is for whoever asked: the base of every URL in an answer. Pure.
//!
//! From what a trusted gateway says; else from the configured `public_url`; else from what a trusted proxy says; else
//! from the connection's own address. The gateway comes first because its callers have no credential for any other
//! address: a URL of our own would be asked without one.
//! Never from `Host` alone: whoever sends a request chooses that, and a `Location` made of it would send the next
//! request, with its token, to a place of the sender's choice.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::uri::Authority;
use tokio::time::Instant;
use url::Url;

use super::gateway;
use super::patience::Busy;
use super::settings::HttpSettings;

/// A connection: its two ends, its age, and how far its current request is.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    base: String,
    peer: IpAddr,
    pub(crate) opened: Instant,
    pub(crate) busy: Busy,
}

impl Connection {
    /// A cleartext connection from `peer` to `local`, opened now.
    pub(crate) fn plain(local: SocketAddr, peer: SocketAddr) -> Self {
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        let (opened, busy) = (Instant::now(), Busy::default());
        Self { base: format!("http://{local}"), peer: peer.ip().to_canonical(), opened, busy }
    }
}

/// The base of the server's URLs, without a slash at its end.
pub(crate) fn base<'a>(
    settings: &HttpSettings,
    public_url: Option<&'a str>,
    connection: &'a Connection,
    headers: &HeaderMap,
) -> Cow<'a, str> {
    if let Some(prefix) = gateway::prefix(&settings.trusted_gateways, headers) {
        return Cow::Owned(prefix);
    }
    if let Some(public_url) = public_url {
        return Cow::Borrowed(public_url);
    }
    if settings.trusted_proxies.iter().any(|net| net.contains(&connection.peer))
        && let Some(forwarded) = forwarded(headers)
    {
        return Cow::Owned(forwarded);
    }
    Cow::Borrowed(&connection.base)
}

/// The text of a configured base: no query, no fragment, no slash at its end.
pub(crate) fn base_of(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// What a trusted proxy says about the URL that was asked for: `Forwarded` (RFC 7239), else `X-Forwarded-*`.
///
/// The last value counts: the proxy next to us wrote that one, those before it may come from anybody.
fn forwarded(headers: &HeaderMap) -> Option<String> {
    // Never some of each: a proxy that writes the one passes on the other as whoever sent it chose.
    let (scheme, host, port) = match last(headers, "forwarded") {
        Some(element) => (parameter(element, "proto"), parameter(element, "host")?, None),
        None => (
            last(headers, "x-forwarded-proto"),
            last(headers, "x-forwarded-host")?,
            last(headers, "x-forwarded-port"),
        ),
    };
    let scheme = scheme.unwrap_or("http").to_ascii_lowercase();
    if !matches!(&*scheme, "http" | "https") || host.contains('@') {
        return None;
    }
    let authority: Authority = host.parse().ok()?;
    let port = match port.and_then(|port| port.parse::<u16>().ok()) {
        Some(port) if authority.port().is_none() && !is_default(&scheme, port) => format!(":{port}"),
        _ => String::new(),
    };
    Some(format!("{scheme}://{authority}{port}"))
}

fn is_default(scheme: &str, port: u16) -> bool {
    matches!((scheme, port), ("http", 80) | ("https", 443))
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).into_iter().next_back()?.to_str().ok()?;
    Some(line.rsplit(',').next().unwrap_or(line).trim()).filter(|value| !value.is_empty())
}

fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn base_for(public_url: Option<&str>, trusted: &str, headers: &[(&'static str, &'static str)]) -> String {
        let connection =
            Connection::plain("127.0.0.1:8080".parse().unwrap(), "10.0.0.7:50000".parse().unwrap());
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let settings = HttpSettings {
            trusted_proxies: trusted.split_whitespace().map(|net| net.parse().unwrap()).collect(),
            trusted_gateways: vec!["https://gw.example".parse().unwrap()],
            ..HttpSettings::default()
        };
        base(&settings, public_url, &connection, &headers).into_owned()
    }

    #[test]
    fn the_configured_url_counts_before_everything() {
        let headers = [("x-forwarded-host", "evil.example"), ("host", "evil.example")];

        assert_eq!(base_for(Some("https://a.example/rc"), "10.0.0.0/8", &headers), "https://a.example/rc");
        assert_eq!(base_of(&"https://a.example/rc/?x#y".parse().unwrap()), "https://a.example/rc");
        assert_eq!(base_of(&"https://a.example".parse().unwrap()), "https://a.example");
    }

    #[test]
    fn a_trusted_gateway_counts_before_the_configured_url() {
        let gateway = ("x-ms-apim-referrer-prefix", "https://gw.example/apim/rc");
        let other = ("x-ms-apim-referrer-prefix", "https://evil.example/apim/rc");

        let public_url = Some("https://a.example");
        assert_eq!(base_for(public_url, "", &[gateway]), "https://gw.example/apim/rc");
        assert_eq!(base_for(public_url, "", &[other]), "https://a.example");
        assert_eq!(base_for(public_url, "", &[gateway, other]), "https://a.example");
        assert_eq!(base_for(None, "", &[other]), "http://127.0.0.1:8080");
    }

    #[test]
    fn the_host_header_never_counts() {
        assert_eq!(base_for(None, "", &[("host", "evil.example")]), "http://127.0.0.1:8080");
        assert_eq!(base_for(None, "10.0.0.0/8", &[("host", "evil.example")]), "http://127.0.0.1:8080");
        let proto_only = [("host", "evil.example"), ("x-forwarded-proto", "https")];
        assert_eq!(base_for(None, "10.0.0.0/8", &proto_only), "http://127.0.0.1:8080");
    }

    #[test]
    fn what_strangers_forward_does_not_count() {
        let headers = [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example;proto=https")];

        assert_eq!(base_for(None, "192.168.0.0/16", &headers), "http://127.0.0.1:8080");
    }

    #[test]
    fn the_value_that_the_trusted_proxy_wrote_is_the_last() {
        let x = [("x-forwarded-host", "evil.example, a.example"), ("x-forwarded-proto", "http, https")];
        assert_eq!(base_for(None, "10.0.0.7/32", &x), "https://a.example");

        let forwarded = [(
            "forwarded",
            "for=1.2.3.4;host=evil.example, for=5.6.7.8; Proto=HTTPS; host=\"a.example:8443\"",
        )];
        assert_eq!(base_for(None, "10.0.0.7/32", &forwarded), "https://a.example:8443");

        let port =
            [("x-forwarded-host", "a.example"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "8443")];
        assert_eq!(base_for(None, "10.0.0.7/32", &port), "https://a.example:8443");
        let both = [("forwarded", "host=a.example;proto=https"), ("x-forwarded-port", "666")];
        assert_eq!(base_for(None, "10.0.0.7/32", &both), "https://a.example");
    }

    #[test]
    fn a_forwarded_host_that_is_none_is_ignored() {
        for host in ["user@a.example", "a.example/path", "a b", ""] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-host", HeaderValue::from_static(host));
            assert_eq!(forwarded(&headers), None, "{host}");
        }
    }

    #[test]
    fn an_ipv6_address_is_written_as_urls_want_it() {
        let connection = Connection::plain("[::1]:80".parse().unwrap(), "[::1]:5".parse().unwrap());
        assert_eq!(base(&HttpSettings::default(), None, &connection, &HeaderMap::new()), "http://[::1]:80");

        let mapped = Connection::plain("[::ffff:127.0.0.1]:80".parse().unwrap(), "[::1]:5".parse().unwrap());
        assert_eq!(base(&HttpSettings::default(), None, &mapped, &HeaderMap::new()), "http://127.0.0.1:80");
    }
}
