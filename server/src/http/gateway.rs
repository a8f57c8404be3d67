//! Gateways in front of this server whose word about their own address counts. Pure.
//!
//! A connector gateway says in `X-MS-APIM-Referrer-Prefix` under which URL it is reached, path and all. Whoever sends a
//! request can write that header, and a `Location` made of it would send the next request, with its token, to a place
//! of the sender's choice. So it counts only if it lies within a configured gateway.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;
use raincheck_openapi::headers;
use url::{Host, Url};

/// A gateway, or a family of them: `https://host[:port][/path]` or `https://*.suffix[:port][/path]`.
///
/// ```
/// use raincheck_server::http::TrustedGateway;
///
/// let gateway: TrustedGateway = "https://*.azure-apim.net/apim".parse()?;
/// assert!(gateway.covers("https://europe-001.azure-apim.net/apim/raincheck/1a2b"));
/// assert!(!gateway.covers("https://europe-001.azure-apim.net/apimposter"));
/// # Ok::<(), raincheck_server::http::NotAGateway>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedGateway {
    name: Name,
    port: u16,
    path: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Exact(Host<String>),
    /// With its dot in front.
    Below(String),
}

/// A text that names no gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "allowed: https://HOST[:PORT][/PATH], or https://*.SUFFIX[:PORT][/PATH] with a suffix of two labels or more"
)]
pub struct NotAGateway;

/// The longest prefix that counts: with what comes behind it, a status URL stays below the 2 KB that callers take.
const LONGEST_PREFIX: usize = 1024;

impl TrustedGateway {
    /// Whether `prefix` lies within it: the same origin, and the same first segments of the path.
    #[must_use]
    pub fn covers(&self, prefix: &str) -> bool {
        Prefix::read(prefix).is_some_and(|prefix| self.has(&prefix))
    }

    fn has(&self, prefix: &Prefix) -> bool {
        let host = prefix.url.host();
        let named = match (&self.name, &host) {
            (Name::Exact(name), Some(host)) => *name == host.to_owned(),
            (Name::Below(suffix), Some(Host::Domain(host))) => {
                host.strip_suffix(&**suffix).is_some_and(|below| below.split('.').all(is_label))
            }
            _ => false,
        };
        named
            && prefix.url.port_or_known_default() == Some(self.port)
            && prefix.segments().take(self.path.len()).eq(self.path.iter().map(String::as_str))
    }
}

impl FromStr for TrustedGateway {
    type Err = NotAGateway;

    fn from_str(text: &str) -> Result<Self, NotAGateway> {
        // The star is no part of a URL's grammar; the rest of the text is.
        let (text, is_family) = match text.strip_prefix("https://*.") {
            Some(rest) => (format!("https://{rest}"), true),
            None => (text.to_owned(), false),
        };
        // Elsewhere it would be a letter like any other, and mislead whoever wrote it.
        let prefix = Prefix::read(&text).filter(|_| !text.contains('*')).ok_or(NotAGateway)?;
        let name = match prefix.url.host().ok_or(NotAGateway)?.to_owned() {
            // Below a suffix of one label is half of the internet.
            Host::Domain(suffix) if is_family && suffix.contains('.') && suffix.split('.').all(is_label) => {
                Name::Below(format!(".{suffix}"))
            }
            _ if is_family => return Err(NotAGateway),
            host => Name::Exact(host),
        };
        let port = prefix.url.port_or_known_default().ok_or(NotAGateway)?;
        Ok(Self { name, port, path: prefix.segments().map(str::to_owned).collect() })
    }
}

impl fmt::Display for TrustedGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Exact(host) => write!(f, "https://{host}")?,
            Name::Below(suffix) => write!(f, "https://*{suffix}")?,
        }
        if self.port != 443 {
            write!(f, ":{}", self.port)?;
        }
        self.path.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

/// The base that the gateway in front says it has, if it is one of `trusted`; without a slash at its end.
pub(crate) fn prefix(trusted: &[TrustedGateway], headers: &HeaderMap) -> Option<String> {
    if trusted.is_empty() {
        return None;
    }
    let mut lines = headers.get_all(headers::APIM_REFERRER_PREFIX).into_iter();
    let line = lines.next()?;
    if lines.next().is_some() {
        // One of them is not the gateway's, and which one is would be a guess.
        return None;
    }
    let prefix = Prefix::read(line.to_str().ok()?)?;
    trusted.iter().any(|gateway| gateway.has(&prefix)).then(|| prefix.base())
}

/// An `https` URL of nothing but an origin and a plain path.
struct Prefix {
    url: Url,
}

impl Prefix {
    /// Reads it strictly: a parser that mends a text (`\` to `/`, `%2e%2e` to the folder above, a tab to nothing)
    /// would compare another URL than the one that somebody else's parser makes of the same text.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        if text.len() > LONGEST_PREFIX {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
        if !authority.bytes().all(plain) {
            return None;
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if !path.is_empty() && !path[1..].split('/').all(is_segment) {
            return None;
        }
        let authority = authority.to_ascii_lowercase();
        let said = format!("https://{}{path}", authority.strip_suffix(":443").unwrap_or(&authority));
        let url: Url = said.parse().ok()?;
        // Nothing was mended: `127.1`, `:0443` and the like are one thing to this parser and another to the next.
        let as_said = url.as_str().trim_end_matches('/') == said;
        let named = url.domain().is_none_or(|name| name.split('.').all(is_label));
        (as_said && named).then_some(Self { url })
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.url.path().split('/').filter(|segment| !segment.is_empty())
    }

    fn base(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

// Without `%`: what an escape stands for, and whether it is undone once or twice, each proxy decides for itself.
fn is_segment(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(&byte);
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
}

#[cfg(test)]
mod tests;
