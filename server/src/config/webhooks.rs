//! How ends are told to receivers.

use std::time::Duration;

use serde::Deserialize;

use super::check::Range;
use super::units;

/// How ends are told to receivers; where they may be, [`OutboundConfig`](super::OutboundConfig) says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    /// The pauses after the first failed attempt, the second, and so on. After the last one, a delivery is dead.
    #[serde(deserialize_with = "units::durations")]
    pub pauses: Vec<Duration>,
    /// How long every delivery to a subscription may fail before it is disabled.
    #[serde(deserialize_with = "units::duration")]
    pub patience: Duration,
    /// How many subscriptions there may be.
    pub subscriptions: u64,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self {
            // 22 hours in all: less than the shortest retention, so that what is owed is still there to be told.
            pauses: vec![
                Duration::from_secs(5),
                Duration::from_secs(30),
                MINUTE * 2,
                MINUTE * 10,
                MINUTE * 30,
                HOUR,
                HOUR * 2,
                HOUR * 4,
                HOUR * 6,
                HOUR * 8,
            ],
            patience: HOUR * 72,
            subscriptions: 10_000,
        }
    }
}

impl WebhooksConfig {
    pub(super) fn ranges(&self) -> [(&'static str, Range); 4] {
        // Without `..`: a new key has to say what it may be.
        let Self { pauses, patience, subscriptions } = self;
        let longest = pauses.iter().max().copied().unwrap_or_default();
        [
            ("webhooks.pauses", Range::Count(pauses.len() as u64, 0, 50)),
            ("webhooks.pauses", Range::Time(longest, Duration::ZERO, HOUR * 24)),
            ("webhooks.patience", Range::Time(*patience, Duration::ZERO, HOUR * 24 * 90)),
            ("webhooks.subscriptions", Range::Count(*subscriptions, 0, 100_000)),
        ]
    }
}
