//! What work tells while it runs: how far it is, and its custom status.

use serde_json::Value;

use super::schema::Schema;
use crate::action::StepContext;

/// What may be shown as a custom status.
pub(super) struct Status(Schema);

impl Status {
    pub(super) const fn new(schema: Schema) -> Self {
        Self(schema)
    }

    /// Where a step's work tells how far it is.
    pub(super) fn reports(&self, step: &StepContext<Value>) -> Reports {
        Reports { step: step.clone(), status: self.0.clone() }
    }
}

/// Where work tells how far it is.
#[derive(Clone)]
pub(super) struct Reports {
    step: StepContext<Value>,
    status: Schema,
}

impl Reports {
    /// Shows a custom status, if it is one of the action's.
    pub(super) fn status(&self, status: Value) {
        if self.status.fits(&status) {
            self.step.custom_status(status);
        } else {
            tracing::warn!(
                operation.id = %self.step.operation(), errors = ?self.status.errors(&status),
                "a custom status does not fit the `status` of the action; it is not shown"
            );
        }
    }

    /// Shows a progress, in percent.
    pub(super) fn progress(&self, percent: f64) {
        if percent.is_finite() {
            self.step.progress(percent.clamp(0.0, 100.0).floor() as u8);
        }
    }
}
