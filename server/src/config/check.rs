//! What a configuration may be.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use url::{Host, Url};

use super::Config;
use super::mistake::{ConfigError, Mistake, Origin};
use super::units::{show_bytes, show_duration};
use crate::http::LONGEST_WAIT;

/// A value with the least and the most that it may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Range {
    Bytes(u64, u64, u64),
    Count(u64, u64, u64),
    Time(Duration, Duration, Duration),
}

const SECOND: Duration = Duration::from_secs(1);

impl Config {
    /// Whether a server can be run with it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with what is allowed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mistakes = self.mistakes();
        if mistakes.is_empty() {
            return Ok(());
        }
        let mistakes = mistakes.into_iter();
        let mistakes =
            mistakes.map(|(key, problem)| Mistake { origin: Origin::Program, key: key.into(), problem });
        Err(ConfigError::Mistakes(mistakes.collect()))
    }

    /// What is wrong, by key.
    pub(super) fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = self.address_mistakes();
        let range = |(key, range): (&'static str, Range)| Some((key, range.mistake()?));
        mistakes.extend(self.times().into_iter().filter_map(range));
        mistakes.extend(self.limits.ranges().into_iter().filter_map(range));
        mistakes.extend(self.outbound.ranges().into_iter().filter_map(range));
        mistakes.extend(self.webhooks.ranges().into_iter().filter_map(range));
        let polling = &self.polling;
        for (key, value) in [
            ("polling.shortest_retry_after", polling.shortest_retry_after),
            ("polling.longest_retry_after", polling.longest_retry_after),
            ("polling.trigger_retry_after", polling.trigger_retry_after),
        ] {
            if value.subsec_nanos() != 0 {
                mistakes.push((key, "must be whole seconds, as Retry-After is".to_owned()));
            }
        }
        if polling.shortest_retry_after > polling.longest_retry_after {
            let longest = show_duration(polling.longest_retry_after);
            let problem = format!("is more than `polling.longest_retry_after` ({longest})");
            mistakes.push(("polling.shortest_retry_after", problem));
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log.filter) {
            let problem =
                format!("{error}; allowed: a level (error, warn, info, debug, trace) or `target=level`, …");
            mistakes.push(("log.filter", problem));
        }
        mistakes.extend(self.connector.mistakes());
        mistakes.extend(self.samples.request_approval.mistakes());
        for (key, desk) in self.samples.submit_talk.desks() {
            if !(0.0..=1.0).contains(&desk.odds) {
                mistakes
                    .push((key, format!("odds = {} is not allowed; allowed: from 0.0 to 1.0", desk.odds)));
            }
            if desk.takes > Duration::from_secs(24 * 3600) {
                let takes = show_duration(desk.takes);
                mistakes.push((key, format!("takes = \"{takes}\" is not allowed; allowed: up to 1d")));
            }
        }
        mistakes
    }

    fn times(&self) -> [(&'static str, Range); 7] {
        let day = SECOND * 24 * 3600;
        let polling = &self.polling;
        [
            ("drain_time", Range::Time(self.drain_time, Duration::ZERO, SECOND * 3600)),
            ("shortest_retention", Range::Time(self.shortest_retention, Duration::ZERO, day * 90)),
            ("polling.longest_wait", Range::Time(polling.longest_wait, Duration::ZERO, LONGEST_WAIT)),
            (
                "polling.shortest_retry_after",
                Range::Time(polling.shortest_retry_after, Duration::ZERO, SECOND * 3600),
            ),
            (
                "polling.longest_retry_after",
                Range::Time(polling.longest_retry_after, Duration::ZERO, SECOND * 3600),
            ),
            // Proxies give up on a silent connection after a minute or so.
            ("polling.heartbeat", Range::Time(polling.heartbeat, SECOND, SECOND * 300)),
            ("polling.trigger_retry_after", Range::Time(polling.trigger_retry_after, SECOND, SECOND * 3600)),
        ]
    }

    /// Callers are handed secrets in URLs, so those must not travel where they can be read, and must lead here.
    fn address_mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        match &self.public_url {
            Some(url) => mistakes
                .extend(public_url_mistake(url, self.allow_plain_http).map(|what| ("public_url", what))),
            None if !is_loopback(self.listen) => mistakes.push((
                "public_url",
                format!(
                    "is required, because `listen` ({}) is not on loopback: Location must say where callers \
                     reach this server, such as \"https://raincheck.example.com\"",
                    self.listen
                ),
            )),
            None => {}
        }
        for (key, address) in [("listen", self.listen), ("admin_listen", self.admin_listen)] {
            if !is_loopback(address) && !self.allow_plain_http && self.trusted_proxies.is_empty() {
                mistakes.push((
                    key,
                    format!(
                        "{address} is not on loopback, and plain HTTP can be overheard there; set \
                         `trusted_proxies` to the proxies that speak HTTPS for this server, or allow it with \
                         `allow_plain_http`"
                    ),
                ));
            }
        }
        for origin in &self.cors_origins {
            // Whoever can change a page on its way would call with the page's key.
            let plain = origin.url().scheme() == "http" && !host_is_loopback(origin.url());
            if plain && !self.allow_plain_http {
                let problem = format!(
                    "{origin} is plain HTTP; allowed: https, or http together with `allow_plain_http`"
                );
                mistakes.push(("cors_origins", problem));
            }
        }
        if self.listen == self.admin_listen && self.listen.port() != 0 {
            mistakes.push((
                "admin_listen",
                format!("{} is taken by `listen`; give it another port", self.listen),
            ));
        }
        mistakes
    }
}

fn public_url_mistake(url: &Url, allow_plain_http: bool) -> Option<String> {
    let problem = match url.scheme() {
        "https" => None,
        // What does not leave the machine cannot be overheard.
        "http" if allow_plain_http || host_is_loopback(url) => None,
        "http" => Some("is plain HTTP; allowed: https, or http together with `allow_plain_http`"),
        _ => Some("is not a web address; allowed: https://HOST[:PORT][/PATH]"),
    };
    let extra = !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some();
    problem
        .or_else(|| {
            extra.then_some("has more than an address and a path; allowed: https://HOST[:PORT][/PATH]")
        })
        .map(str::to_owned)
}

fn host_is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

impl Range {
    fn mistake(self) -> Option<String> {
        let (fits, value, least, most) = match self {
            Self::Bytes(value, least, most) => {
                ((least..=most).contains(&value), show_bytes(value), show_bytes(least), show_bytes(most))
            }
            Self::Count(value, least, most) => {
                ((least..=most).contains(&value), value.to_string(), least.to_string(), most.to_string())
            }
            Self::Time(value, least, most) => (
                (least..=most).contains(&value),
                show_duration(value),
                show_duration(least),
                show_duration(most),
            ),
        };
        (!fits).then(|| format!("{value} is not allowed; allowed: from {least} to {most}"))
    }
}
