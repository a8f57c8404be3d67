//! Hears what the store has committed, and tells whoever waits for it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use jiff::Timestamp;

use super::Inner;
use crate::operation::{Operation, OperationId};
use crate::store::Listener;

/// Hears what the store has committed.
pub(super) struct Ears(pub(super) Weak<Inner>);

impl Listener for Ears {
    fn changed(&self, operation: &Arc<Operation>) {
        let Some(inner) = self.0.upgrade() else { return };
        inner.watchers.changed(operation.id);
        if operation.state.is_terminal()
            && let Some(running) = inner.runs().get_mut(&operation.id)
        {
            running.ended = true;
            if let Some(run) = &running.run {
                run.stop();
            }
        }
    }

    fn signaled(&self, id: OperationId) {
        let Some(inner) = self.0.upgrade() else { return };
        if let Some(running) = inner.runs().get_mut(&id) {
            running.signaled = true;
            if let Some(run) = &running.run {
                run.signaled.store(true, Ordering::Release);
                run.bell.ring();
            }
        }
    }

    fn due(&self, at: Timestamp) {
        if let Some(inner) = self.0.upgrade() {
            inner.sweeper.due(at);
        }
    }
}
