//! Replay: what an earlier run learned is handed to the commands of this one, entry by entry.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::core::{Cancel, Core, Replay};
use super::run::Run;
use crate::Json;
use crate::action::Failure;
use crate::clock::after;
use crate::journal::{Completion, Entry, Record};

/// The state of a run that goes on from `history`, and the input that it began with.
pub(super) fn resume(history: Vec<Record>) -> Option<(Core, Json)> {
    let count = history.len();
    let mut input = None;
    let mut events = VecDeque::new();
    let mut canceled = false;
    let mut learned = VecDeque::new();
    for Record { sequence, entry, .. } in history {
        match entry {
            Entry::Accepted { input: given } => input = Some(given),
            Entry::Event { name, body } => events.push_back((sequence, name, body)),
            Entry::CancelRequested => canceled = true,
            entry => learned.push_back(entry),
        }
    }
    let mut core = Core::new(learned, events, count);
    if canceled {
        core.cancel = Cancel::Requested;
    }
    Some((core, input?))
}

/// Hands `entry` to the command that it is about.
///
/// # Errors
/// Why it does not fit what the handler does in this run.
pub(super) fn replay(run: &Run, core: &mut Core, replay: &Replay, entry: Entry) -> Result<(), String> {
    let result = match entry {
        Entry::CancelObserved => {
            let grace = after(run.engine.clock.now(), run.action.settings().cancel_grace);
            core.observe_cancel(grace);
            run.cancel_children(core);
            return Ok(());
        }
        // These are no results: they were picked up when the command was issued.
        Entry::Race { command, .. } if replay.races.contains_key(&command) => {
            return Err(format!("its journal goes on with {command}, but there was no such race"));
        }
        Entry::Race { .. } => return Ok(()),
        Entry::Timer { command, .. } | Entry::Child { command, .. } if replay.issued.contains(&command) => {
            return Ok(());
        }
        Entry::Timer { command, .. } | Entry::Child { command, .. } => {
            return Err(not_issued(core, &command));
        }
        Entry::Fired { command } => (command, Ok(None)),
        Entry::Dropped { command } => (command, Err(Failure::canceled())),
        Entry::Step { command, result, .. } | Entry::ChildEnded { command, result } => {
            let result = match result {
                Completion::Value(value) => Ok(Some(value)),
                Completion::Failure(failure) => Err(failure),
            };
            (command, result)
        }
        Entry::Now { command, time } => (command, Json::of(&time).map(Some).map_err(Into::into)),
        Entry::Taken { command, event } => {
            let arrived = core.events.iter().position(|(sequence, ..)| *sequence == event);
            let body = arrived.and_then(|place| core.events.remove(place)).map(|(_, _, body)| body);
            let body =
                body.ok_or_else(|| format!("{command} took event {event}, which is not in the journal"))?;
            (command, Ok(Some(body)))
        }
        Entry::Accepted { .. } | Entry::Event { .. } | Entry::CancelRequested => return Ok(()),
    };
    let (command, result) = result;
    let Some(slot) = core.slot_of(&command) else { return Err(not_issued(core, &command)) };
    slot.tell(result);
    Ok(())
}

fn not_issued(core: &Core, command: &str) -> String {
    let waiting: Vec<_> = core.slots.iter().flatten().map(|slot| slot.id.as_str()).collect();
    format!("its journal goes on with {command}, but the handler waits for [{}]", waiting.join(", "))
}

impl Run {
    /// Takes up what was written from outside.
    pub(super) fn absorb(&self, records: Vec<Record>) {
        let mut core = self.core();
        for Record { sequence, entry, .. } in records {
            match entry {
                Entry::Event { name, body } => {
                    core.events.push_back((sequence, name, body));
                    core.wake_events();
                }
                Entry::CancelRequested if core.cancel == Cancel::No => core.cancel = Cancel::Requested,
                _ => {}
            }
        }
    }

    /// A cancel goes down to the children.
    pub(super) fn cancel_children(&self, core: &mut Core) {
        let children = core.children(self.operation.id);
        if children.is_empty() {
            return;
        }
        for child in &children {
            self.engine.cancel_child(*child);
        }
        core.canceling.get_or_insert_default().children.extend(children);
    }

    /// Stops the run: the operation has ended, or the process goes down.
    pub(super) fn stop(&self) {
        self.ended.store(true, Ordering::Release);
        self.bell.ring();
    }
}
