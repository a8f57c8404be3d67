//! When to ask next: what the server's hints say, and the back-off when it says nothing.

use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::answer::{Answer, names};

/// Failed polls in a row that may be repeated without a pause if the server asks for that. After them the
/// back-off is a floor, so that a server that fails fast and says `Retry-After: 0` is not hammered.
pub(crate) const FREE_RETRIES: u32 = 3;

/// As long as makes sense. The clock cannot hold every duration that a caller may give, and would panic.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The moment after a pause.
pub(crate) fn after(now: Instant, pause: Duration) -> Instant {
    now + pause.min(CENTURY)
}

/// The moment after a pause from now on; `None` if there is none, and then the clock is not asked.
pub(crate) fn in_a_while(pause: Duration) -> Option<Instant> {
    (!pause.is_zero()).then(|| after(Instant::now(), pause))
}

/// The headers of one answer that say when to come back, as they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints<'a> {
    retry_after_ms: Option<&'a str>,
    x_ms_retry_after_ms: Option<&'a str>,
    retry_after: Option<&'a str>,
    date: Option<&'a str>,
}

impl<'a> Hints<'a> {
    pub(crate) fn of(answer: &'a Answer) -> Self {
        let retry_after = answer.header(&names::RETRY_AFTER);
        // Seconds, as a rule, are counted from now.
        let is_date = retry_after.is_some_and(|text| whole_number(text).is_none());
        Self {
            retry_after_ms: answer.header(&names::RETRY_AFTER_MS),
            x_ms_retry_after_ms: answer.header(&names::X_MS_RETRY_AFTER_MS),
            retry_after,
            date: is_date.then(|| answer.header(&names::DATE)).flatten(),
        }
    }

    /// The pause that the server asked for. `None` if it asked for none that can be understood: absent,
    /// negative, garbage, or a date that has passed.
    pub(crate) fn pause(&self, clock: impl FnOnce() -> SystemTime) -> Option<Duration> {
        let milliseconds = [self.retry_after_ms, self.x_ms_retry_after_ms];
        milliseconds
            .into_iter()
            .flatten()
            .find_map(|text| whole_number(text).map(Duration::from_millis))
            .or_else(|| self.retry_after.and_then(|text| self.seconds_or_date(text, clock)))
    }

    fn seconds_or_date(&self, text: &str, clock: impl FnOnce() -> SystemTime) -> Option<Duration> {
        if let Some(seconds) = whole_number(text) {
            return Some(Duration::from_secs(seconds));
        }
        let at = httpdate::parse_http_date(text.trim()).ok()?;
        // The server's own clock, if it sent it: then a client whose clock is wrong still pauses as long as
        // asked.
        let now =
            self.date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or_else(clock);
        at.duration_since(now).ok()
    }
}

/// Digits only; a number too large to hold is as good as the largest, since every pause is clamped.
fn whole_number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// How requests are repeated that got no usable answer: a lost connection, a timeout, 408, 429 or 5xx (but
/// not 501 and 505, which would be the same every time).
///
/// Starts, cancels and management calls give up after [`attempts`](Self::attempts). Polls never do: a failed
/// poll says nothing about the operation, so only the deadline ends them. The same growing pauses, with
/// jitter, are used between polls when a server sends no `Retry-After`.
///
/// ```
/// use std::time::Duration;
/// let policy = raincheck::RetryPolicy::new().attempts(8).max_pause(Duration::from_secs(10));
/// ```
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    pub(crate) attempts: u32,
    pub(crate) first_pause: Duration,
    pub(crate) max_pause: Duration,
}

impl RetryPolicy {
    /// Five attempts, with pauses that double from half a second up to thirty.
    #[must_use]
    pub fn new() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(500), max_pause: Duration::from_secs(30) }
    }

    /// How often a request other than a poll is sent at most; at least once.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The first pause; each further one is twice as long.
    #[must_use]
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// The longest pause of the back-off.
    #[must_use]
    pub fn max_pause(mut self, pause: Duration) -> Self {
        self.max_pause = pause;
        self
    }

    /// The pause after `count` silent or failed answers in a row, between half and all of its nominal length.
    pub(crate) fn back_off(&self, count: u32, random: f64) -> Duration {
        let nominal = self.first_pause.saturating_mul(1 << count.min(20)).min(self.max_pause).min(CENTURY);
        nominal / 2 + nominal.mul_f64(random.clamp(0.0, 1.0)) / 2
    }

    /// The pause before a failed request is sent again: the server's hint if there is one.
    pub(crate) fn after_failure(&self, hint: Option<Duration>, count: u32, random: f64) -> Duration {
        match hint {
            Some(pause) if count < FREE_RETRIES => pause,
            Some(pause) => pause.max(self.back_off(count, random)),
            None => self.back_off(count, random),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// A number between 0 and 1 for jitter. It needs no quality, only to differ between clients and calls, which
/// the standard library's hash seeds already do.
pub(crate) fn random() -> f64 {
    let bits = std::hash::RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The end of the caller's patience: one moment that bounds every request and every pause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) patience: Duration,
}

impl Deadline {
    pub(crate) fn new(patience: Duration, now: Instant) -> Self {
        Self { at: after(now, patience), patience }
    }

    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }

    /// When to ask a last time if the server's pace leads past the deadline: late, but with time for an
    /// answer.
    pub(crate) fn last_look(&self) -> Instant {
        self.at - (self.patience / 4).min(Duration::from_secs(1))
    }
}

/// When the next poll is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// At this moment. If it is the `last`, the deadline lies before the pause that the server asked for: the
    /// client asks once more all the same, because a result that is there must win against the timeout.
    Ask { at: Instant, last: bool },
    /// Not at all: this long was the caller's patience.
    Expired(Duration),
}

/// Decides between the server's pace and the caller's deadline.
pub(crate) fn plan(due: Instant, deadline: Option<&Deadline>, looked_last: bool, now: Instant) -> Plan {
    let due = due.max(now);
    let Some(deadline) = deadline else { return Plan::Ask { at: due, last: false } };
    if looked_last || now >= deadline.at {
        return Plan::Expired(deadline.patience);
    }
    let last_look = deadline.last_look();
    if due <= last_look {
        Plan::Ask { at: due, last: false }
    } else {
        Plan::Ask { at: last_look.max(now), last: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(text: &str) -> Hints<'_> {
        Hints { retry_after: Some(text), ..Hints::default() }
    }

    const WALL: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn seconds_dates_and_milliseconds_are_understood() {
        let dated = Hints {
            date: Some("Sun, 06 Nov 1994 08:49:37 GMT"),
            ..retry_after("Sun, 06 Nov 1994 08:49:40 GMT")
        };
        let exact = Hints { retry_after_ms: Some("250"), ..retry_after("1") };
        let azure = Hints { x_ms_retry_after_ms: Some("70"), ..retry_after("1") };

        assert_eq!(retry_after("7").pause(|| WALL), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("0").pause(|| WALL), Some(Duration::ZERO));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:09 GMT").pause(|| WALL), Some(Duration::from_secs(9)));
        assert_eq!(dated.pause(|| WALL), Some(Duration::from_secs(3)));
        assert_eq!(exact.pause(|| WALL), Some(Duration::from_millis(250)));
        assert_eq!(azure.pause(|| WALL), Some(Duration::from_millis(70)));
    }

    #[test]
    fn negative_past_and_garbled_hints_are_no_hints() {
        let tomorrow = WALL + Duration::from_secs(86_400);

        for text in ["-5", "", "soon", "1e9", "NaN", "٣"] {
            assert_eq!(retry_after(text).pause(|| WALL), None, "{text:?}");
        }
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:09 GMT").pause(|| tomorrow), None);
    }

    #[test]
    fn a_number_too_large_to_hold_is_a_very_long_pause() {
        assert!(retry_after("99999999999999999999999").pause(|| WALL) > Some(Duration::from_secs(1 << 40)));
    }

    #[test]
    fn back_off_doubles_up_to_its_limit_and_jitters_within_half() {
        let policy =
            RetryPolicy::new().first_pause(Duration::from_secs(1)).max_pause(Duration::from_secs(10));

        assert_eq!(policy.back_off(0, 1.0), Duration::from_secs(1));
        assert_eq!(policy.back_off(2, 1.0), Duration::from_secs(4));
        assert_eq!(policy.back_off(2, 0.0), Duration::from_secs(2));
        assert_eq!(policy.back_off(u32::MAX, 1.0), Duration::from_secs(10));
    }

    #[test]
    fn settings_without_an_end_do_not_overflow_the_clock() {
        let policy = RetryPolicy::new().first_pause(Duration::MAX).max_pause(Duration::MAX);
        let now = Instant::now();

        assert_eq!(policy.back_off(u32::MAX, 1.0), CENTURY);
        assert_eq!(after(now, Duration::MAX), now + CENTURY);
        assert_eq!(Deadline::new(Duration::MAX, now).at, now + CENTURY);
    }

    #[test]
    fn a_server_that_keeps_failing_with_zero_pauses_is_not_hammered() {
        let policy = RetryPolicy::new();

        assert_eq!(policy.after_failure(Some(Duration::ZERO), 0, 0.5), Duration::ZERO);
        assert!(policy.after_failure(Some(Duration::ZERO), 3, 0.5) > Duration::from_secs(1));
    }

    #[test]
    fn random_numbers_lie_between_zero_and_one_and_differ() {
        let (one, other) = (random(), random());

        assert!((0.0..1.0).contains(&one) && (0.0..1.0).contains(&other));
        assert!(one.to_bits() != other.to_bits());
    }

    #[test]
    fn a_pause_past_the_deadline_becomes_one_last_look_before_it() {
        let now = Instant::now();
        let deadline = Deadline::new(Duration::from_secs(30), now);
        let due = now + Duration::from_secs(600);

        let first = plan(due, Some(&deadline), false, now);
        let second = plan(due, Some(&deadline), true, now + Duration::from_secs(29));

        assert_eq!(first, Plan::Ask { at: now + Duration::from_secs(29), last: true });
        assert_eq!(second, Plan::Expired(Duration::from_secs(30)));
    }

    #[test]
    fn without_a_deadline_the_server_alone_sets_the_pace() {
        let now = Instant::now();
        let due = now + Duration::from_secs(600);

        assert_eq!(plan(due, None, false, now), Plan::Ask { at: due, last: false });
    }
}
