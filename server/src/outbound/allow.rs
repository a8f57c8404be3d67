//! The exceptions of an operator: what may be called although it is not on the public internet.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

/// One of them: an address, a network or a host name, the first and the last with a port or with any.
///
/// ```
/// use raincheck_server::outbound::Allowed;
///
/// for text in ["10.0.0.0/8", "192.168.1.5", "127.0.0.1:9000", "[::1]:9000", "internal.example"] {
///     text.parse::<Allowed>()?;
/// }
/// assert!("*.example".parse::<Allowed>().is_err());
/// # Ok::<(), raincheck_server::outbound::NotAllowed>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    who: Who,
    /// `None`: any.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Network(IpNet),
    /// As URLs spell it: in lower case.
    Name(String),
}

/// A text that names nothing that could be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "allowed: a network (10.0.0.0/8), an address (192.168.1.5, 127.0.0.1:9000, [::1]:9000) or a host name \
     (internal.example, internal.example:8443)"
)]
pub struct NotAllowed;

impl Allowed {
    /// Whether it covers `address` whatever the port: the check of a name's addresses knows none.
    pub(super) fn covers_address(&self, address: IpAddr) -> bool {
        self.port.is_none() && self.has(address)
    }

    /// Whether it covers what a URL leads to.
    pub(super) fn covers(&self, host: &Host<&str>, port: u16) -> bool {
        let named = match (&self.who, host) {
            (Who::Name(name), Host::Domain(host)) => name == host,
            (_, Host::Ipv4(address)) => self.has(IpAddr::V4(*address)),
            (_, Host::Ipv6(address)) => self.has(IpAddr::V6(*address)),
            (Who::Network(_), Host::Domain(_)) => false,
        };
        named && self.port.is_none_or(|allowed| allowed == port)
    }

    fn has(&self, address: IpAddr) -> bool {
        matches!(&self.who, Who::Network(network) if network.contains(&address))
    }
}

impl FromStr for Allowed {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        let network = |address: IpAddr| Who::Network(IpNet::from(address));
        if let Ok(found) = text.parse::<IpNet>() {
            return Ok(Self { who: Who::Network(found), port: None });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { who: network(address), port: None });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { who: network(address.ip()), port: Some(address.port()) });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| NotAllowed)?)),
            None => (text, None),
        };
        match Host::parse(name) {
            // A star would be a letter like any other, and mislead whoever wrote it.
            Ok(Host::Domain(name)) if !name.contains('*') => Ok(Self { who: Who::Name(name), port }),
            _ => Err(NotAllowed),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.who, self.port) {
            (Who::Name(name), None) => write!(f, "{name}"),
            (Who::Name(name), Some(port)) => write!(f, "{name}:{port}"),
            (Who::Network(network), None) => write!(f, "{network}"),
            (Who::Network(network), Some(port)) => write!(f, "{}", SocketAddr::new(network.addr(), port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(allowed: &str, url: &str) -> bool {
        let url = url::Url::parse(url).unwrap();
        let allowed: Allowed = allowed.parse().unwrap();
        allowed.covers(&url.host().unwrap(), url.port_or_known_default().unwrap())
    }

    #[test]
    fn networks_cover_their_addresses_on_every_port() {
        assert!(covers("10.0.0.0/8", "https://10.200.0.1"));
        assert!(covers("10.0.0.0/8", "http://10.0.0.1:9"));
        assert!(covers("fd00::/8", "https://[fd00::1]"));
        assert!(!covers("10.0.0.0/8", "https://11.0.0.1"));
        assert!(!covers("10.0.0.0/8", "https://[::ffff:10.0.0.1]"), "the form that hides it is not meant");
        assert!(!covers("10.0.0.0/8", "https://host.example"));
    }

    #[test]
    fn a_port_narrows_an_address_and_a_name() {
        assert!(covers("127.0.0.1:9000", "http://127.0.0.1:9000/"));
        assert!(!covers("127.0.0.1:9000", "http://127.0.0.1:9001/"));
        assert!(covers("[::1]:9000", "http://[::1]:9000/"));
        assert!(covers("internal.example:443", "https://internal.example/"));
        assert!(!covers("internal.example:443", "https://internal.example:8443/"));
        assert!(covers("internal.example", "https://INTERNAL.example:8443/"));
    }

    #[test]
    fn a_name_covers_neither_what_is_below_it_nor_what_begins_with_it() {
        for url in ["https://a.internal.example", "https://internal.example.evil.example", "https://example"]
        {
            assert!(!covers("internal.example", url), "{url}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in
            ["", "*", "*.example", "https://a.example", "a.example/path", "10.0.0.0/8:80", "a b", "a:b"]
        {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }
}
