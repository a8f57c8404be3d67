//! Hears what the store has committed, and tells whoever waits for it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use jiff::Timestamp;

use super::Inner;
use crate::clock;
use crate::operation::{Operation, OperationId, State};
use crate::store::Listener;

/// Hears what the store has committed.
pub(super) struct Ears(pub(super) Weak<Inner>);

impl Listener for Ears {
    fn changed(&self, operation: &Arc<Operation>) {
        let Some(inner) = self.0.upgrade() else { return };
        inner.watchers.changed(operation.id);
        if !operation.state.is_terminal() {
            return;
        }
        let action = &operation.action;
        inner.watchers.feed_grew(inner.actions.now().renamed(action).unwrap_or(action));
        told(operation);
        inner.heard(operation.id, |running| {
            running.ended = true;
            if let Some(run) = &running.run {
                run.stop();
            }
        });
    }

    fn signaled(&self, id: OperationId) {
        let Some(inner) = self.0.upgrade() else { return };
        inner.heard(id, |running| {
            running.signaled = true;
            if let Some(run) = &running.run {
                run.signaled.store(true, Ordering::Release);
                run.bell.ring();
            }
        });
    }

    fn due(&self, at: Timestamp) {
        if let Some(inner) = self.0.upgrade() {
            inner.sweeper.due(at);
        }
    }
}

/// Tells metrics and log of an end.
fn told(operation: &Operation) {
    let outcome = match operation.state {
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        _ => "canceled",
    };
    let action = &operation.action;
    metrics::counter!("raincheck_operations_ended_total", "action" => Arc::clone(action), "outcome" => outcome)
        .increment(1);
    let took = clock::until(operation.created_at, operation.updated_at);
    metrics::histogram!("raincheck_operation_duration_seconds", "action" => Arc::clone(action))
        .record(took.as_secs_f64());
    let code = operation.problem.as_ref().map(|problem| problem.code.as_str());
    tracing::debug!(
        operation.id = %operation.id, action = %action, duration_ms = took.as_millis(), failure.code = code,
        "operation {outcome}"
    );
}
