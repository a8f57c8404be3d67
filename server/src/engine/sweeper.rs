//! The sweeper: ends operations at their deadline and forgets what was kept long enough. Sleeps until the next due time.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::{Clock, after};
use crate::store::{Store, StoreError};

/// How much is done at a time: a batch holds the writer up for a few milliseconds.
const BATCH: usize = 500;

/// How long until the store is tried again after it failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Knows when the next thing is due.
pub(super) struct Sweeper {
    next: watch::Sender<Timestamp>,
}

impl Default for Sweeper {
    fn default() -> Self {
        Self { next: watch::Sender::new(Timestamp::MAX) }
    }
}

impl Sweeper {
    /// Something falls due at this time.
    pub(super) fn due(&self, at: Timestamp) {
        self.next.send_if_modified(|next| {
            let earlier = at < *next;
            if earlier {
                *next = at;
            }
            earlier
        });
    }

    /// Does everything that is due by `now`.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn catch_up(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        loop {
            self.next.send_replace(Timestamp::MAX);
            let swept = store.sweep(now, BATCH).await?;
            if swept.ended + swept.purged + swept.forgotten > 0 {
                tracing::info!(
                    ended = swept.ended,
                    purged = swept.purged,
                    forgotten = swept.forgotten,
                    "swept"
                );
            }
            if let Some(next) = swept.next {
                self.due(next);
            }
            if swept.next.is_none_or(|next| next > now) {
                return Ok(());
            }
        }
    }

    /// Sweeps as things fall due, for ever.
    pub(super) async fn run(self: Arc<Self>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
        let mut changes = self.next.subscribe();
        loop {
            let next = *changes.borrow_and_update();
            if next == Timestamp::MAX {
                // The sender lives in `self`.
                let _ = changes.changed().await;
                continue;
            }
            tokio::select! {
                () = clock.sleep_until(next) => {
                    if let Err(error) = self.catch_up(&*store, clock.now()).await {
                        tracing::error!(%error, retry_in = ?PAUSE, "sweeping failed");
                        self.due(after(clock.now(), PAUSE));
                    }
                }
                _ = changes.changed() => {}
            }
        }
    }
}
