//! Where a request goes: a URL that may be called as far as it tells by itself. Its path and query are secret.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::OutboundConfig;
use super::address::special;
use super::error::Refused;

/// A URL that the server may call, as far as the URL tells by itself: its scheme, no credentials, and a public
/// address if it names one. What a name leads to is checked at every connection.
///
/// Such URLs are secrets (a Logic App's callback URL is a key), so it shows its origin only.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    /// Reads a URL and checks it.
    pub(super) fn check(text: &str, config: &OutboundConfig) -> Result<Self, Refused> {
        let mut url = Url::parse(text).map_err(|_| Refused::NotAUrl)?;
        let (Some(host), Some(port), "http" | "https") =
            (url.host(), url.port_or_known_default(), url.scheme())
        else {
            return Err(Refused::NotAUrl);
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        let allowed = config.allow.iter().any(|allowed| allowed.covers(&host, port));
        if url.scheme() == "http" && !(allowed && config.allow_plain_http) {
            return Err(Refused::PlainHttp { host: host.to_string() });
        }
        let literal = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if let Some(address) = literal.filter(|_| !allowed)
            && let Some(special) = special(address)
        {
            return Err(Refused::Address { name: None, address, special });
        }
        // It is for whoever shows an answer, and no part of a request.
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// Whether an operator has named this very host (and port), so that its addresses need no check.
    pub(super) fn is_named(&self, config: &OutboundConfig) -> bool {
        let port = self.0.port_or_known_default().unwrap_or_default();
        self.0.host().is_some_and(|host| config.allow.iter().any(|allowed| allowed.covers(&host, port)))
    }

    /// Its host, which is no secret.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The whole URL: a secret.
    #[must_use]
    pub fn reveal(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self}/..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::address::Special;

    fn config(allow: &[&str]) -> OutboundConfig {
        let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
        OutboundConfig { allow, allow_plain_http: true, ..OutboundConfig::default() }
    }

    fn check(url: &str) -> Result<Target, Refused> {
        Target::check(url, &OutboundConfig::default())
    }

    #[test]
    fn a_public_url_over_https_may_be_called() {
        let target = check("https://prod-12.westeurope.logic.azure.com/workflows/1?sig=secret#here").unwrap();

        let all = "https://prod-12.westeurope.logic.azure.com/workflows/1?sig=secret";
        assert_eq!(target.reveal().as_str(), all);
        assert_eq!(target.to_string(), "https://prod-12.westeurope.logic.azure.com");
        assert_eq!(format!("{target:?}"), "Target(https://prod-12.westeurope.logic.azure.com/..)");
    }

    #[test]
    fn every_spelling_of_an_address_is_checked() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "2130706433",
            "017700000001",
            "127.0.0.1.",
            "１２７.0.0.1",
            "%31%32%37.0.0.1",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[2002:7f00:1::]",
            "[2001:0:7f00:1::]",
            "10.0.0.1",
            "169.254.169.254",
            "0",
            "0.0.0.0",
            "[fe80::1]",
            "[fd00::1]",
            "168.63.129.16",
        ] {
            let refused = check(&format!("https://{host}/"));
            assert!(matches!(refused, Err(Refused::Address { .. })), "{host}: {refused:?}");
        }
    }

    #[test]
    fn what_is_not_https_is_refused() {
        assert_eq!(
            check("http://api.example/").unwrap_err(),
            Refused::PlainHttp { host: "api.example".into() }
        );
        for url in ["", "/relative", "//api.example/", "ftp://api.example", "file:///etc/passwd", "https:///"]
        {
            assert_eq!(check(url).unwrap_err(), Refused::NotAUrl, "{url}");
        }
        assert_eq!(check("https://me:pw@api.example/").unwrap_err(), Refused::Credentials);
        assert_eq!(check("https://me@api.example/").unwrap_err(), Refused::Credentials);
    }

    #[test]
    fn an_exception_opens_what_it_names_and_nothing_else() {
        let config = config(&["127.0.0.1:9000", "10.0.0.0/8", "internal.example"]);
        let check = |url| Target::check(url, &config);

        for url in ["http://127.0.0.1:9000/", "https://10.1.2.3/", "http://internal.example/"] {
            assert!(check(url).unwrap().is_named(&config), "{url}");
        }
        assert!(!check("https://api.example/").unwrap().is_named(&config));
        assert!(matches!(check("http://api.example/"), Err(Refused::PlainHttp { .. })));
        assert!(matches!(check("http://127.0.0.1:9001/"), Err(Refused::PlainHttp { .. })));
        let loopback = |refused| matches!(refused, Err(Refused::Address { special: Special::Loopback, .. }));
        assert!(loopback(check("https://127.0.0.1:9001/")));
    }

    #[test]
    fn an_exception_alone_allows_no_plain_http() {
        let config = OutboundConfig { allow_plain_http: false, ..config(&["10.0.0.0/8"]) };

        assert!(matches!(Target::check("http://10.0.0.1/", &config), Err(Refused::PlainHttp { .. })));
    }
}
