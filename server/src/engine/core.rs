//! The state of a run: the commands that its handler waits for, and what was decided but is not on the disk yet.

use std::collections::{HashMap, HashSet, VecDeque};
use std::task::{Poll, Waker};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

use super::timers::TimerKey;
use crate::Json;
use crate::action::Failure;
use crate::action::port::{Command, Turn};
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

/// A place in the queue for a permit.
pub(super) type Queued = BoxFuture<'static, Option<OwnedSemaphorePermit>>;

/// The state of a run. Everything that happens to it happens under one short lock.
pub(super) struct Core {
    /// What an earlier run learned, while this one has not been told all of it. Most operations never need it.
    pub(super) replay: Option<Box<Replay>>,
    pub(super) slots: Vec<Option<Slot>>,
    /// Events that came and were not taken: (sequence, name, body), by arrival.
    pub(super) events: VecDeque<(u64, String, Json)>,
    pub(super) cancel: Cancel,
    /// The handler is being told of the cancel.
    telling: bool,
    /// Nothing is decided while the handler is told something: it has to rest first, as it will in a replay.
    pub(super) holding: bool,
    /// The command that has a result which the handler is told next.
    pub(super) decided: Option<usize>,
    /// The commands that have to look again, because nothing could be decided when they did.
    asking: VecDeque<usize>,
    /// Who is to be told of a cancel, and who was. Most operations never need it.
    pub(super) canceling: Option<Box<Canceling>>,
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
    /// Its place in the queue for its first permit, until the driver takes it.
    pub(super) turn: Option<Queued>,
    /// The run has ended: what is still out there of it, in tasks that a step has spawned, is told to stop.
    pub(super) over: bool,
    /// No new steps: the process is going down.
    pub(super) draining: bool,
    /// Why the operation cannot go on, for operators.
    pub(super) fatal: Option<Box<Fatal>>,
}

/// Who is to be told of a cancel, and who was.
#[derive(Default)]
pub(super) struct Canceling {
    /// Steps that run, and what they have spawned.
    pub(super) waiting: Vec<Waker>,
    /// The children that nobody waits for any more: their branch was dropped.
    pub(super) left: Vec<OperationId>,
    /// The children to which it was passed on.
    pub(super) children: Vec<OperationId>,
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
    /// The handler may have the result.
    pub(super) told: bool,
    /// It has to look again once something can be decided.
    asks: bool,
    /// What a step's attempt or a child gave: no result before it is decided that it is.
    pub(super) proposed: Option<Result<Json, Failure>>,
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
    pub(super) const fn new(id: CommandId, command: Command, phase: Phase, after: usize) -> Self {
        Self {
            id,
            command,
            phase,
            result: None,
            told: false,
            asks: false,
            proposed: None,
            canceled: false,
            after,
            waker: None,
            timer: None,
        }
    }

    /// The handler is told `result`.
    pub(super) fn tell(&mut self, result: Result<Option<Json>, Failure>) {
        self.result = Some(result);
        self.told = true;
        self.wake();
    }

    /// Where it is while nothing is decided: a running attempt goes on, but nothing comes of it yet.
    pub(super) const fn poll_held(&self) -> Poll<Turn> {
        match self.phase {
            Phase::Running { .. } if self.proposed.is_none() => Poll::Ready(Turn::Run),
            _ => Poll::Pending,
        }
    }

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
            telling: false,
            holding: true,
            decided: None,
            asking: VecDeque::new(),
            canceling: None,
            fresh: Vec::new(),
            entries,
            durable: entries,
            published: None,
            flush: None,
            flush_due: false,
            permit: None,
            wants_permit: false,
            turn: None,
            over: false,
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

    /// Every command looks again, once the handler has been told what it is being told.
    pub(super) fn ask_all(&mut self) {
        self.holding = true;
        self.asking = (0..self.slots.len()).collect();
        self.slots.iter_mut().flatten().for_each(|slot| slot.asks = true);
    }

    /// The command in `slot` found that nothing can be decided now.
    pub(super) fn ask(&mut self, place: usize, slot: &mut Slot) {
        if !std::mem::replace(&mut slot.asks, true) {
            self.asking.push_back(place);
        }
    }

    /// The handler rests: tells it what was decided, or lets one command more decide something. One at a time: whatever
    /// else the handler does with a result is done before there is another one, in the first run as in a replay. False
    /// if there is nothing to tell and nobody to ask.
    pub(super) fn go_on(&mut self) -> bool {
        if let Some(slot) = self.decided.take().and_then(|place| self.slots.get_mut(place)?.as_mut()) {
            slot.told = true;
            slot.wake();
            return true;
        }
        if self.telling {
            let untold = |slot: &&mut Slot| slot.canceled && !slot.is_step() && !slot.told;
            if let Some(slot) = self.slots.iter_mut().flatten().find(untold) {
                slot.tell(Err(Failure::canceled()));
                return true;
            }
            self.telling = false;
        }
        if self.replay.is_some() {
            return false;
        }
        self.holding = false;
        while let Some(place) = self.asking.pop_front() {
            if let Some(Some(slot)) = self.slots.get_mut(place)
                && std::mem::take(&mut slot.asks)
            {
                slot.wake();
                return true;
            }
        }
        // It may wait for long now.
        self.asking.shrink_to_fit();
        false
    }

    /// Tells running steps that the operation was asked to stop, or that the run is over.
    pub(super) fn wake_canceled(&mut self) {
        if let Some(canceling) = &mut self.canceling {
            canceling.waiting.drain(..).for_each(Waker::wake);
        }
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

    /// The handler is told of the cancel: what it awaits at this point returns `Canceled`, one command after the other,
    /// before anything else happens. A running step may go on until `grace`; it ends with an entry of its own.
    pub(super) fn observe_cancel(&mut self, grace: Timestamp) {
        self.cancel = Cancel::Observed(grace);
        self.telling = true;
        self.slots.iter_mut().flatten().for_each(|slot| slot.canceled = true);
        self.ask_all();
        self.wake_canceled();
    }

    /// The children of `parent`, those that are waited for and those that were left. Those of an earlier run may be under
    /// way although this one has not got to them; one that nobody has started is not there to be told anything.
    pub(super) fn children(&self, parent: OperationId) -> Vec<OperationId> {
        let waiting = self.slots.iter().flatten();
        waiting
            .filter(|slot| matches!(slot.command, Command::Child { .. }))
            .map(|slot| parent.child(&slot.id))
            .chain(self.canceling.iter().flat_map(|canceling| canceling.left.iter().copied()))
            .collect()
    }
}
