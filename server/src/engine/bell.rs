//! The bell that wakes a driver: heard while it rests, only noted while it works.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context as Task;

use futures_util::task::AtomicWaker;

/// Wakes the driver's task, but not while it is at work anyway.
#[derive(Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    working: AtomicBool,
    task: AtomicWaker,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        if !self.working.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }

    /// The driver begins to work.
    pub(super) fn begin(&self, task: &Task<'_>) {
        self.task.register(task.waker());
        self.working.store(true, Ordering::SeqCst);
    }

    /// Whether there is more to do than was known when this was last asked.
    pub(super) fn rung(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }

    /// The driver wants to rest; false if it was rung meanwhile and must go on.
    pub(super) fn rest(&self) -> bool {
        self.working.store(false, Ordering::SeqCst);
        if self.rung.load(Ordering::SeqCst) {
            self.working.store(true, Ordering::SeqCst);
            return false;
        }
        true
    }
}
