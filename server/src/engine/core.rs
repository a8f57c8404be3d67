//! The state of a run: the commands that its handler waits for, and what was decided but is not on the disk yet.

use std::collections::{HashMap, HashSet, VecDeque};
use std::task::Waker;

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

use super::timers::TimerKey;
use crate::Json;
use crate::action::Failure;
use crate::action::port::Command;
use crate::journal::{CommandId, Entry};
use crate::operation::{OperationId, Published};

/// How far a cancel has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    /// It is in the journal; the handler has not been told.
    Requested,
    /// The handler was told; steps that run then may go on until this time.
    Observed(Timestamp),
}

/// The state of a run. Everything that happens to it happens under one short lock.
pub(super) struct Core {
    /// What an earlier run learned, while this one has not been told all of it. Most operations never need it.
    pub(super) replay: Option<Box<Replay>>,
    pub(super) slots: Vec<Option<Slot>>,
    /// Events that came and were not taken: (sequence, name, body), by arrival.
    pub(super) events: VecDeque<(u64, String, Json)>,
    pub(super) cancel: Cancel,
    pub(super) cancel_wakers: Vec<Waker>,
    /// Entries that were decided, but not sent to the store yet.
    pub(super) fresh: Vec<Entry>,
    /// How many entries the journal has, fresh ones included, and how many of them are durable.
    pub(super) entries: usize,
    pub(super) durable: usize,
    pub(super) published: Option<Published>,
    pub(super) flush: Option<TimerKey>,
    pub(super) flush_due: bool,
    pub(super) permit: Option<OwnedSemaphorePermit>,
    pub(super) wants_permit: bool,
    /// No new steps: the process is going down.
    pub(super) draining: bool,
    /// Why the operation cannot go on, for operators.
    pub(super) fatal: Option<Fatal>,
}

/// What an earlier run learned.
#[derive(Default)]
pub(super) struct Replay {
    /// The entries that this run has not been told yet.
    pub(super) entries: VecDeque<Entry>,
    /// When its waits are over, and who won its races: needed as soon as the command is issued again.
    pub(super) timers: HashMap<CommandId, Timestamp>,
    pub(super) races: HashMap<CommandId, u32>,
    /// The commands that this run has issued so far.
    pub(super) issued: HashSet<CommandId>,
}

/// Why an operation cannot go on.
#[derive(Debug, Clone)]
pub(super) enum Fatal {
    /// The handler does not do what its journal says it did.
    Mismatch(String),
    /// The journal has as many entries as it may have.
    JournalTooLong,
}

/// An issued command.
pub(super) struct Slot {
    pub(super) id: CommandId,
    pub(super) command: Command,
    pub(super) phase: Phase,
    pub(super) result: Option<Result<Option<Json>, Failure>>,
    /// A cancel was observed while it was pending.
    pub(super) canceled: bool,
    /// It may depend on this many entries: it touches the world only when they are durable.
    pub(super) after: usize,
    pub(super) waker: Option<Waker>,
    pub(super) timer: Option<TimerKey>,
}

pub(super) enum Phase {
    /// Nothing has happened yet.
    Issued,
    /// It waits for a time.
    Until(Timestamp),
    /// A step's attempt is running, until this time at most.
    Running { attempt: u32, ends: Option<Timestamp> },
    /// A step's attempt failed; the next one starts at this time.
    Retrying { failures: u32, at: Timestamp },
    /// A child operation is under way; the task waits for its end.
    Child(OperationId, AbortHandle),
}

impl Slot {
    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    const fn is_step(&self) -> bool {
        matches!(self.command, Command::Step(_))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Phase::Child(_, watching) = &self.phase {
            watching.abort();
        }
    }
}

impl Core {
    /// The state of a run of an operation whose journal has that many entries, and that has `learned` all that.
    pub(super) fn new(
        learned: VecDeque<Entry>,
        events: VecDeque<(u64, String, Json)>,
        entries: usize,
    ) -> Self {
        let mut replay = Replay::default();
        for entry in &learned {
            match entry {
                Entry::Timer { command, until } => drop(replay.timers.insert(command.clone(), *until)),
                Entry::Race { command, winner } => drop(replay.races.insert(command.clone(), *winner)),
                _ => {}
            }
        }
        replay.entries = learned;
        Self {
            replay: (!replay.entries.is_empty()).then(|| Box::new(replay)),
            slots: Vec::new(),
            events,
            cancel: Cancel::No,
            cancel_wakers: Vec::new(),
            fresh: Vec::new(),
            entries,
            durable: entries,
            published: None,
            flush: None,
            flush_due: false,
            permit: None,
            wants_permit: false,
            draining: false,
            fatal: None,
        }
    }

    pub(super) fn slot_of(&mut self, command: &str) -> Option<&mut Slot> {
        self.slots.iter_mut().flatten().find(|slot| slot.id == command)
    }

    /// Whether a step is running, or about to.
    pub(super) fn has_step(&self, running_only: bool) -> bool {
        self.slots.iter().flatten().any(|slot| {
            slot.is_step()
                && (matches!(slot.phase, Phase::Running { .. })
                    || !running_only && matches!(slot.phase, Phase::Issued) && slot.result.is_none())
        })
    }

    /// What comes next in the journal of an earlier run.
    pub(super) fn next_replayed(&self) -> Option<String> {
        self.replay.as_ref()?.entries.front().map(|entry| entry.command().unwrap_or("a cancel").to_owned())
    }

    /// Replay is over: every command looks for itself now.
    pub(super) fn wake_all(&mut self) {
        self.slots.iter_mut().flatten().for_each(Slot::wake);
    }

    /// Tells every command that could not start before to look again.
    pub(super) fn wake_waiting(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            if matches!(slot.phase, Phase::Issued | Phase::Retrying { .. }) {
                slot.wake();
            }
        }
    }

    /// An event came: whoever waits for one looks again.
    pub(super) fn wake_events(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            if matches!(slot.command, Command::Event { .. }) {
                slot.wake();
            }
        }
    }

    /// The handler is told of the cancel, now: what it awaits at this point returns `Canceled`. A running step may go
    /// on until `grace`; it ends with an entry of its own.
    pub(super) fn observe_cancel(&mut self, grace: Timestamp) {
        self.cancel = Cancel::Observed(grace);
        for slot in self.slots.iter_mut().flatten() {
            slot.canceled = true;
            if !slot.is_step() {
                slot.result = Some(Err(Failure::canceled()));
            }
            slot.wake();
        }
        self.cancel_wakers.drain(..).for_each(Waker::wake);
    }

    pub(super) fn children(&self) -> Vec<OperationId> {
        let child = |slot: &Slot| match slot.phase {
            Phase::Child(id, _) => Some(id),
            _ => None,
        };
        self.slots.iter().flatten().filter_map(child).collect()
    }
}
