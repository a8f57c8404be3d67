//! What the server may call by itself.

use std::time::Duration;

use serde::Deserialize;

use super::check::Range;
use super::units;
use crate::outbound::Allowed;

/// What the server may call by itself: webhooks, and whatever actions send.
///
/// Without exceptions, that is https to public addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundConfig {
    /// What may be called although it is not on the public internet.
    #[serde(deserialize_with = "units::list")]
    pub allow: Vec<Allowed>,
    /// Allows plain HTTP, to what `allow` names only.
    pub allow_plain_http: bool,
    /// How long a connection may take, TLS included.
    #[serde(deserialize_with = "units::duration")]
    pub connect_time: Duration,
    /// How long a request may take, from the first byte to the end of its answer.
    #[serde(deserialize_with = "units::duration")]
    pub total_time: Duration,
    /// Bytes of an answer's body.
    #[serde(deserialize_with = "units::bytes")]
    pub answer: u64,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            allow_plain_http: false,
            connect_time: Duration::from_secs(5),
            total_time: Duration::from_secs(30),
            answer: 1 << 20,
        }
    }
}

impl OutboundConfig {
    pub(super) fn ranges(&self) -> [(&'static str, Range); 3] {
        let (least, most) = (Duration::from_millis(10), Duration::from_secs(600));
        // Without `..`: a new key has to say what it may be.
        let Self { allow: _, allow_plain_http: _, connect_time, total_time, answer } = self;
        [
            ("outbound.connect_time", Range::Time(*connect_time, least, most)),
            ("outbound.total_time", Range::Time(*total_time, least, most)),
            ("outbound.answer", Range::Bytes(*answer, 1 << 10, 64 << 20)),
        ]
    }
}
