//! The clock: time as an argument, so that tests decide what time it is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

/// Tells the time and waits for one.
pub trait Clock: Send + Sync + 'static {
    /// The time now, in whole milliseconds: what is stored and what is shown are then the same.
    fn now(&self) -> Timestamp;

    /// Ends once [`now`](Self::now) is `due` or later.
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()>;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// A machine's clock may be set while a timer waits; no timer is late by more than this after that.
const LONGEST_NAP: Duration = Duration::from_secs(3600);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        whole_milliseconds(Timestamp::now())
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            loop {
                let left = until(SystemClock.now(), due);
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_NAP)).await;
            }
        })
    }
}

/// A clock that stands still until it is told to go on.
///
/// ```
/// use std::time::Duration;
/// use raincheck_server::{Clock, ManualClock};
///
/// let clock = ManualClock::at("2026-11-24T08:00:00Z".parse()?);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().to_string(), "2026-11-24T08:01:00Z");
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<watch::Sender<Timestamp>>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(whole_milliseconds(now))))
    }

    /// Moves the clock forward; everything that waited for a time until then wakes.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = after(*now, by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let mut changes = self.0.subscribe();
        Box::pin(async move {
            // The sender is gone only when the clock is; a clock that no longer moves never gets there.
            if changes.wait_for(|now| *now >= due).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// `time + duration`, or the last time there is.
#[must_use]
pub(crate) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    whole_milliseconds(time.saturating_add(duration).unwrap_or(Timestamp::MAX))
}

/// `time - duration`, or the first time there is.
#[must_use]
pub(crate) fn before(time: Timestamp, duration: Duration) -> Timestamp {
    whole_milliseconds(time.saturating_sub(duration).unwrap_or(Timestamp::MIN))
}

/// How long it is from `now` until `due`; zero if that is past.
#[must_use]
pub(crate) fn until(now: Timestamp, due: Timestamp) -> Duration {
    due.duration_since(now).try_into().unwrap_or(Duration::ZERO)
}

fn whole_milliseconds(time: Timestamp) -> Timestamp {
    // What is cut off cannot lead out of the range: both its ends are whole.
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_sleep_on_a_manual_clock_ends_when_the_clock_gets_there() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let mut sleep = clock.sleep_until(Timestamp::from_millisecond(1_000).unwrap());
        clock.advance(Duration::from_millis(999));
        assert!((&mut sleep).now_or_never().is_none());

        clock.advance(Duration::from_millis(1));

        sleep.await;
    }

    #[test]
    fn times_are_whole_milliseconds() {
        let nanosecond = Duration::from_nanos(1);

        assert_eq!(SystemClock.now().subsec_nanosecond() % 1_000_000, 0);
        assert_eq!(after(Timestamp::UNIX_EPOCH, nanosecond), Timestamp::UNIX_EPOCH);
        // The last time that there is stays in the range.
        assert_eq!(after(Timestamp::MAX, nanosecond).as_millisecond(), Timestamp::MAX.as_millisecond());
    }

    #[test]
    fn what_is_past_is_no_time_away() {
        assert_eq!(until(Timestamp::MAX, Timestamp::MIN), Duration::ZERO);
    }
}
