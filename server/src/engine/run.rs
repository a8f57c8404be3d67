//! One run of a handler: what its context, its driver, the timers and the signals share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Wake};

use jiff::Timestamp;

use super::Inner;
use super::bell::Bell;
use super::core::{Core, Fatal, Phase, Slot};
use super::timers::Alarm;
use crate::Json;
use crate::action::port::{Ticket, Turn};
use crate::action::{Failure, Registered};
use crate::journal::Entry;
use crate::operation::{Operation, OperationId, Origin, Published, State};
use crate::store::Claim;

/// What the handler's context (through [`Port`]), the driver, the timers and the signals share.
pub(crate) struct Run {
    pub(super) engine: Arc<Inner>,
    pub(super) action: Arc<Registered>,
    pub(super) operation: Arc<Origin>,
    /// Nothing of the operation has run before.
    pub(super) is_first: bool,
    /// The number of its claim.
    number: u64,
    pub(super) bell: Bell,
    /// An event or a cancel was written; the driver fetches it.
    pub(super) signaled: AtomicBool,
    /// The operation ended from outside; the driver stops.
    pub(super) ended: AtomicBool,
    core: Mutex<Core>,
    pub(super) this: Weak<Self>,
}

impl Run {
    pub(super) fn new(
        engine: Arc<Inner>,
        action: Arc<Registered>,
        operation: &Operation,
        claim: Claim,
        core: Core,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            engine,
            action,
            operation: Arc::clone(&operation.origin),
            is_first: operation.state == State::NotStarted,
            number: claim.run,
            bell: Bell::default(),
            signaled: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            core: Mutex::new(core),
            this: this.clone(),
        })
    }

    /// The right to run the operation.
    pub(super) fn claim(&self) -> Claim {
        Claim { operation: self.operation.id, run: self.number }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        // A handler's panic is caught outside; no code of ours panics under this lock.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A timer is due.
    pub(super) fn alarm(&self, alarm: Alarm) {
        let mut core = self.core();
        match alarm {
            Alarm::Command(Ticket(place)) => {
                if let Some(Some(slot)) = core.slots.get_mut(place) {
                    slot.timer = None;
                    slot.wake();
                }
            }
            Alarm::Flush => {
                core.flush = None;
                core.flush_due = true;
                drop(core);
                self.bell.ring();
            }
        }
    }

    /// A pending status is to be shown by then.
    pub(super) fn flush_by(&self, core: &mut Core, due: Timestamp) {
        if core.flush.is_some_and(|flush| flush.due() <= due) {
            return;
        }
        if let Some(later) = core.flush.take() {
            self.engine.timers.cancel(later);
        }
        core.flush = Some(self.engine.timers.set(due, self.this.clone(), Alarm::Flush));
    }

    /// What is pending goes with the next append.
    pub(super) fn take_published(&self, core: &mut Core) -> Option<Published> {
        if let Some(flush) = core.flush.take() {
            self.engine.timers.cancel(flush);
        }
        core.flush_due = false;
        core.published.take()
    }

    /// Records `entry`: it is on its way to the disk when the driver rests.
    pub(super) fn record(&self, core: &mut Core, entry: Entry) {
        core.entries += 1;
        if core.entries > self.engine.limits.journal_entries {
            core.fatal.get_or_insert(Box::new(Fatal::JournalTooLong));
        }
        core.fresh.push(entry);
    }

    /// The child of a command has ended.
    pub(super) fn child_ended(
        &self,
        Ticket(place): Ticket,
        child: OperationId,
        result: Result<Json, Failure>,
    ) {
        if let Some(Some(slot)) = self.core().slots.get_mut(place)
            && matches!(slot.phase, Phase::Child(id, _) if id == child)
        {
            slot.proposed = Some(result);
            slot.wake();
        }
    }

    /// Drops all commands, so that nothing keeps this run alive but its owner.
    pub(super) fn clear(&self) {
        let slots = {
            let mut core = self.core();
            let _ = self.take_published(&mut core);
            core.over = true;
            core.wake_canceled();
            core.permit = None;
            std::mem::take(&mut core.slots)
        };
        for slot in slots.iter().flatten() {
            self.cancel_timer(slot);
        }
    }

    pub(super) fn cancel_timer(&self, slot: &Slot) {
        if let Some(timer) = slot.timer {
            self.engine.timers.cancel(timer);
        }
    }

    pub(super) fn set_timer(&self, slot: &mut Slot, ticket: Ticket, due: Timestamp) {
        if slot.timer.is_none_or(|timer| timer.due() != due) {
            self.cancel_timer(slot);
            slot.timer = Some(self.engine.timers.set(due, self.this.clone(), Alarm::Command(ticket)));
        }
    }

    pub(super) fn done(
        &self,
        core: &mut Core,
        Ticket(place): Ticket,
        result: Result<Option<Json>, Failure>,
    ) -> Poll<Turn> {
        if let Some(slot) = core.slots[place].take() {
            self.cancel_timer(&slot);
        }
        while core.slots.last().is_some_and(Option::is_none) {
            core.slots.pop();
        }
        Poll::Ready(Turn::Done(result))
    }
}

impl Wake for Run {
    fn wake(self: Arc<Self>) {
        self.bell.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bell.ring();
    }
}
