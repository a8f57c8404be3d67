//! The actions as they are now: a running server may get others.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{Registered, Registry};
use crate::operation::Operation;

/// The actions as they are now. Reading them costs no lock: every poll does.
#[derive(Default)]
pub(crate) struct Actions(ArcSwap<Registry>);

impl Actions {
    pub(crate) fn new(registry: Registry) -> Self {
        Self(ArcSwap::from_pointee(registry))
    }

    /// All of them.
    pub(crate) fn now(&self) -> Guard<Arc<Registry>> {
        self.0.load()
    }

    /// The action that has that name, or had it.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Registered>> {
        self.now().find(name).cloned()
    }

    /// Gives an operation the name that its action has now.
    pub(crate) fn name_as_now(&self, operation: &mut Arc<Operation>) {
        if let Some(name) = self.now().renamed(&operation.action) {
            Arc::make_mut(&mut Arc::make_mut(operation).origin).action = Arc::clone(name);
        }
    }

    /// From now on, these are all.
    pub(crate) fn replace(&self, registry: Registry) {
        self.0.store(Arc::new(registry));
    }
}
