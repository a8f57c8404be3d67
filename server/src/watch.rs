//! Who waits for which operation to change: held requests, and handlers that wait for a child.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::operation::OperationId;

/// The operations that somebody watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchers(Arc<Mutex<HashMap<OperationId, watch::Sender<()>>>>);

/// Watches one operation, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    id: OperationId,
    changes: watch::Receiver<()>,
    watchers: Watchers,
}

impl Watchers {
    /// Watches `id` from now on: subscribe first, then read, then wait, and no change is missed.
    #[must_use]
    pub(crate) fn watch(&self, id: OperationId) -> Watch {
        let changes = self.lock().entry(id).or_default().subscribe();
        Watch { id, changes, watchers: self.clone() }
    }

    /// Whether anybody watches `id`.
    #[must_use]
    pub(crate) fn is_watched(&self, id: OperationId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Wakes those who watch `id`.
    pub(crate) fn changed(&self, id: OperationId) {
        if let Some(sender) = self.lock().get(&id) {
            sender.send_replace(());
        }
    }

    /// Wakes everyone: something may have been missed, or it is time to go.
    pub(crate) fn all_changed(&self) {
        for sender in self.lock().values() {
            sender.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, watch::Sender<()>>> {
        // Nothing in here can be left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Ends at the next change after the last call, or after [`Watchers::watch`].
    ///
    /// # Cancel safety
    /// No change is lost when it is dropped.
    pub(crate) async fn changed(&mut self) {
        // The sender lives as long as this watch is in the map, and only this watch's drop takes it out.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watchers = self.watchers.lock();
        if watchers.get(&self.id).is_some_and(|sender| sender.receiver_count() == 1) {
            watchers.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_between_watching_and_waiting_is_not_missed() {
        let watchers = Watchers::default();
        let id = OperationId::new(jiff::Timestamp::UNIX_EPOCH);
        let mut watch = watchers.watch(id);

        watchers.changed(id);

        watch.changed().await;
    }

    #[test]
    fn nothing_is_kept_for_operations_that_nobody_watches() {
        let watchers = Watchers::default();
        let id = OperationId::new(jiff::Timestamp::UNIX_EPOCH);
        let first = watchers.watch(id);
        let second = watchers.watch(id);

        drop(first);
        assert!(watchers.is_watched(id));
        drop(second);

        assert!(!watchers.is_watched(id));
    }
}
