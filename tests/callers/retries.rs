//! Which answers an engine asks for again, and when.

use std::time::Duration;

/// A retry policy with pauses that grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    retries: u32,
    scale: Duration,
    least: Duration,
    most: Duration,
}

impl RetryPolicy {
    /// §1.3 default policy (Logic Apps) [D]: exponential, 4 retries, scale 7.5 s, capped at 5 to 45 s.
    pub(crate) const LOGIC_APPS: Self = Self {
        retries: 4,
        scale: Duration::from_millis(7_500),
        least: Duration::from_secs(5),
        most: Duration::from_secs(45),
    };

    /// §1.3 default policy (Power Automate) [D]: Medium and High, 8 retries, scale 7 s, up to about 15 minutes.
    pub(crate) const POWER_AUTOMATE: Self = Self {
        retries: 8,
        scale: Duration::from_secs(7),
        least: Duration::from_secs(5),
        most: Duration::from_secs(15 * 60),
    };

    /// §1.3 policy bounds [D]: one of the types is `none`.
    pub(crate) const NONE: Self = Self { retries: 0, ..Self::LOGIC_APPS };

    /// The pause before the next attempt, after `failed` of them; none if there is no next one.
    pub(crate) fn pause(&self, failed: u32) -> Option<Duration> {
        let grown = self.scale.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
        (failed <= self.retries).then(|| grown.clamp(self.least, self.most))
    }
}

/// §1.3 what is retried [D]: 408, 429 and all 5xx (and connection failures); any other 4xx is final at once.
pub(crate) fn is_retried(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

#[test]
fn pauses_grow_between_their_bounds_until_the_policy_is_used_up() {
    let pauses: Vec<_> = (1..).map_while(|failed| RetryPolicy::LOGIC_APPS.pause(failed)).collect();
    assert_eq!(pauses, [7_500, 15_000, 30_000, 45_000].map(Duration::from_millis));

    assert_eq!((1..).map_while(|failed| RetryPolicy::POWER_AUTOMATE.pause(failed)).count(), 8);
    assert_eq!(RetryPolicy::NONE.pause(1), None);
}
