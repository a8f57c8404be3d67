//! How often, and how fast, a failed step is tried again. Policy as data; the decision is a pure function.

use std::time::Duration;

/// How often a step is tried, and how long to wait in between.
///
/// ```
/// use std::time::Duration;
/// use raincheck_server::RetryPolicy;
///
/// let patient = RetryPolicy::new(10).first(Duration::from_secs(5)).maximum(Duration::from_secs(600));
/// assert_eq!(patient.delay(1, 0.5), Some(Duration::from_secs(5)));
/// assert_eq!(patient.delay(10, 0.5), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    attempts: u32,
    first: Duration,
    factor: f64,
    maximum: Duration,
    jitter: f64,
    timeout: Option<Duration>,
}

impl Default for RetryPolicy {
    /// Three attempts, one second apart, then two; no time limit.
    fn default() -> Self {
        Self::new(3)
    }
}

impl RetryPolicy {
    /// Tries up to `attempts` times (at least once): after 1 s, then 2 s, 4 s …, at most 60 s, each ± 20 %.
    #[must_use]
    pub fn new(attempts: u32) -> Self {
        Self {
            attempts: attempts.max(1),
            first: Duration::from_secs(1),
            factor: 2.0,
            maximum: Duration::from_secs(60),
            jitter: 0.2,
            timeout: None,
        }
    }

    /// Tries once.
    #[must_use]
    pub fn never() -> Self {
        Self::new(1)
    }

    /// How long to wait after the first failure.
    #[must_use]
    pub const fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// By what the wait grows with each failure; at least 1.
    #[must_use]
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// How long to wait at most.
    #[must_use]
    pub const fn maximum(mut self, maximum: Duration) -> Self {
        self.maximum = maximum;
        self
    }

    /// The share, 0 to 1, by which a wait may be shorter or longer, so that many failures do not come back at once.
    #[must_use]
    pub const fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter.clamp(0.0, 1.0);
        self
    }

    /// How long one attempt may take. An attempt that takes longer is dropped and counts as a retryable failure.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long one attempt may take.
    #[must_use]
    pub const fn attempt_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long to wait after `failures` failures, or `None` if that was the last attempt. `dice` is in 0..1.
    #[must_use]
    pub fn delay(&self, failures: u32, dice: f64) -> Option<Duration> {
        if failures >= self.attempts {
            return None;
        }
        if self.first.is_zero() {
            return Some(Duration::ZERO);
        }
        let grown = self.first.as_secs_f64() * self.factor.powf(f64::from(failures.saturating_sub(1)));
        let capped = grown.min(self.maximum.as_secs_f64());
        let spread = 1.0 + self.jitter * (2.0 * dice - 1.0);
        Some(Duration::try_from_secs_f64(capped * spread).unwrap_or(self.maximum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_maximum() {
        let policy = RetryPolicy::new(10).maximum(Duration::from_secs(5));

        let waits: Vec<_> = (1..5).filter_map(|failures| policy.delay(failures, 0.5)).collect();

        assert_eq!(waits, [1, 2, 4, 5].map(Duration::from_secs));
    }

    #[test]
    fn jitter_spreads_a_wait_both_ways() {
        let policy = RetryPolicy::new(2).jitter(0.5);

        assert_eq!(policy.delay(1, 0.0), Some(Duration::from_millis(500)));
        assert_eq!(policy.delay(1, 1.0), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        assert_eq!(RetryPolicy::never().delay(1, 0.5), None);
        assert_eq!(RetryPolicy::new(0).delay(1, 0.5), None);
    }

    #[test]
    fn no_wait_stays_no_wait_however_often() {
        let policy = RetryPolicy::new(u32::MAX).first(Duration::ZERO);

        assert_eq!(policy.delay(1_000_000, 0.5), Some(Duration::ZERO));
    }

    #[test]
    fn absurd_figures_give_the_maximum_not_a_panic() {
        let policy = RetryPolicy::new(u32::MAX).factor(f64::MAX).maximum(Duration::MAX);

        assert!(policy.delay(1_000_000, 1.0).is_some());
    }
}
