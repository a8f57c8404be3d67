//! Timers: one task that sleeps until the next due time, and wakes whoever it is for.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::run::Run;
use crate::action::port::Ticket;
use crate::clock::Clock;

/// What a timer is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Alarm {
    /// A command has something to do.
    Command(Ticket),
    /// A pending status is to be shown.
    Flush,
}

/// Names a timer, to cancel it: when it is due, in milliseconds, and which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey(i64, NonZeroU64);

impl TimerKey {
    /// When it is due.
    pub(crate) fn due(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::MAX)
    }
}

type Queue = BTreeMap<TimerKey, (Weak<Run>, Alarm)>;

/// All timers of an engine. They are not durable: what they wake for is in the journal.
#[derive(Default)]
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    serial: AtomicU64,
    earlier: Notify,
}

impl Timers {
    /// Sets a timer.
    pub(crate) fn set(&self, due: Timestamp, run: Weak<Run>, alarm: Alarm) -> TimerKey {
        let serial = NonZeroU64::MIN.saturating_add(self.serial.fetch_add(1, Ordering::Relaxed));
        let key = TimerKey(due.as_millisecond(), serial);
        let mut queue = self.lock();
        queue.insert(key, (run, alarm));
        if queue.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.earlier.notify_one();
        }
        key
    }

    /// Forgets a timer.
    pub(crate) fn cancel(&self, key: TimerKey) {
        self.lock().remove(&key);
    }

    /// Fires timers as they fall due, for ever.
    pub(crate) async fn run(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            let next = self.lock().first_key_value().map(|(key, _)| key.due());
            match next {
                None => self.earlier.notified().await,
                Some(due) => tokio::select! {
                    () = clock.sleep_until(due) => self.fire(clock.now()),
                    () = self.earlier.notified() => {}
                },
            }
        }
    }

    fn fire(&self, now: Timestamp) {
        let due = {
            let mut queue = self.lock();
            let later = queue.split_off(&TimerKey(now.as_millisecond(), NonZeroU64::MAX));
            std::mem::replace(&mut *queue, later)
        };
        for (run, alarm) in due.into_values() {
            if let Some(run) = run.upgrade() {
                run.alarm(alarm);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing in here can be left half done by a panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
