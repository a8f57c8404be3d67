//! Who waits for what to change: held requests and handlers that wait for a child, for an operation; held triggers,
//! for the feed of an action.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::operation::OperationId;

/// What somebody watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchers {
    operations: Watched<OperationId>,
    feeds: Watched<Arc<str>>,
}

/// Watches an operation or a feed, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch<K: Hash + Eq> {
    key: K,
    changes: watch::Receiver<()>,
    watched: Watched<K>,
}

#[derive(Debug)]
struct Watched<K>(Arc<Mutex<HashMap<K, watch::Sender<()>>>>);

impl Watchers {
    /// Watches an operation from now on: subscribe first, then read, then wait, and no change is missed.
    #[must_use]
    pub(crate) fn watch(&self, id: OperationId) -> Watch<OperationId> {
        self.operations.watch(id)
    }

    /// The same for what ends of an action, by the name that it has now.
    #[must_use]
    pub(crate) fn watch_feed(&self, action: &Arc<str>) -> Watch<Arc<str>> {
        self.feeds.watch(Arc::clone(action))
    }

    /// Whether anybody watches the operation.
    #[must_use]
    pub(crate) fn is_watched(&self, id: OperationId) -> bool {
        self.operations.lock().contains_key(&id)
    }

    /// Wakes those who watch the operation.
    pub(crate) fn changed(&self, id: OperationId) {
        self.operations.changed(&id);
    }

    /// Wakes those who watch the feed of the action.
    pub(crate) fn feed_grew(&self, action: &Arc<str>) {
        self.feeds.changed(action);
    }

    /// Wakes everyone: something may have been missed, or it is time to go.
    pub(crate) fn all_changed(&self) {
        self.operations.all_changed();
        self.feeds.all_changed();
    }
}

impl<K: Hash + Eq + Clone> Watched<K> {
    fn watch(&self, key: K) -> Watch<K> {
        let changes = self.lock().entry(key.clone()).or_default().subscribe();
        Watch { key, changes, watched: self.clone() }
    }
}

impl<K: Hash + Eq> Watched<K> {
    fn changed(&self, key: &K) {
        if let Some(sender) = self.lock().get(key) {
            sender.send_replace(());
        }
    }

    fn all_changed(&self) {
        for sender in self.lock().values() {
            sender.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, watch::Sender<()>>> {
        // Nothing in here can be left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Derived, these would ask the same of the keys.
impl<K> Clone for Watched<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Watched<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq> Watch<K> {
    /// Ends at the next change after the last call, or after it was made.
    ///
    /// # Cancel safety
    /// No change is lost when it is dropped.
    pub(crate) async fn changed(&mut self) {
        // The sender lives as long as this watch is in the map, and only this watch's drop takes it out.
        let _ = self.changes.changed().await;
    }
}

impl<K: Hash + Eq> Drop for Watch<K> {
    fn drop(&mut self) {
        let mut watched = self.watched.lock();
        if watched.get(&self.key).is_some_and(|sender| sender.receiver_count() == 1) {
            watched.remove(&self.key);
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
        let action = Arc::from("work");
        let (mut operation, mut feed) = (watchers.watch(id), watchers.watch_feed(&action));

        watchers.changed(id);
        watchers.feed_grew(&action);

        operation.changed().await;
        feed.changed().await;
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
