//! What a handler's context asks of its run.

use std::task::{Context as Task, Poll};

use super::core::{Cancel, Fatal, Phase, Slot};
use super::run::Run;
use crate::Json;
use crate::action::Failure;
use crate::action::port::{Command, Port, Ticket, Turn};
use crate::journal::{CommandId, Entry};
use crate::operation::{OperationId, Published};

impl Port for Run {
    fn operation(&self) -> OperationId {
        self.operation.id
    }

    fn issue(&self, id: CommandId, command: Command) -> Ticket {
        let mut core = self.core();
        if let Command::Race(winner) = command {
            match core.replay.as_mut().and_then(|replay| replay.races.remove(&id)) {
                None => self.record(&mut core, Entry::Race { command: id, winner }),
                Some(known) if known == winner => {}
                Some(known) => {
                    let reason = format!("race {id} was won by branch {known} before, and by {winner} now");
                    core.fatal.get_or_insert(Box::new(Fatal::Mismatch(reason)));
                }
            }
            return Ticket(usize::MAX);
        }
        let mut phase = Phase::Issued;
        if let Some(replay) = &mut core.replay {
            if let Some(until) = replay.timers.remove(&id) {
                phase = Phase::Until(until);
            }
            replay.issued.insert(id.clone());
        }
        let after = core.entries;
        let slot = Slot::new(id, command, phase, after);
        let place = core.slots.iter().position(Option::is_none).unwrap_or(core.slots.len());
        if place == core.slots.len() {
            // Most handlers wait for one thing at a time, and many handlers wait. Those that fan out grow as usual.
            if core.slots.is_empty() {
                core.slots.reserve_exact(1);
            }
            core.slots.push(None);
        }
        core.slots[place] = Some(slot);
        Ticket(place)
    }

    fn poll(&self, ticket: Ticket, task: &mut Task<'_>) -> Poll<Turn> {
        let mut core = self.core();
        let Some(mut slot) = core.slots.get_mut(ticket.0).and_then(Option::take) else {
            return Poll::Pending;
        };
        if let Some(result) = slot.result.take_if(|_| slot.told) {
            core.slots[ticket.0] = Some(slot);
            return self.done(&mut core, ticket, result);
        }
        let mut turn = Poll::Pending;
        if slot.result.is_none() && core.replay.is_none() {
            if core.holding {
                core.ask(ticket.0, &mut slot);
                turn = slot.poll_held();
            } else {
                turn = self.poll_live(&mut core, ticket, &mut slot);
            }
            if slot.result.is_some() {
                // The handler has it when it rests.
                core.holding = true;
                core.decided = Some(ticket.0);
            }
        }
        if slot.waker.as_ref().is_none_or(|waker| !waker.will_wake(task.waker())) {
            slot.waker = Some(task.waker().clone());
        }
        core.slots[ticket.0] = Some(slot);
        turn
    }

    fn propose(&self, ticket: Ticket, result: Result<Json, Failure>) {
        if let Some(Some(slot)) = self.core().slots.get_mut(ticket.0) {
            slot.proposed = Some(result);
        }
    }

    fn abandon(&self, ticket: Ticket) {
        let mut core = self.core();
        if let Some(Some(slot)) = core.slots.get(ticket.0) {
            if matches!(slot.command, Command::Child { .. }) {
                // It runs on, and a cancel of this operation is for it, too.
                let child = self.operation.id.child(&slot.id);
                core.canceling.get_or_insert_default().left.push(child);
            }
            let _ = self.done(&mut core, ticket, Ok(None));
        }
    }

    fn publish(&self, published: Published) {
        if published
            .custom_status
            .as_ref()
            .is_some_and(|json| json.get().len() > self.engine.limits.status_bytes)
        {
            tracing::error!(
                operation.id = %self.operation.id, limit = self.engine.limits.status_bytes,
                "a custom status is larger than the limit; it is not shown"
            );
            return;
        }
        let mut core = self.core();
        if core.replay.is_some() {
            return;
        }
        let pending = core.published.get_or_insert_default();
        if published.custom_status.is_some() {
            pending.custom_status = published.custom_status;
        }
        if published.percent.is_some() {
            pending.percent = published.percent;
        }
        let due = self.engine.flush_time(self.operation.id);
        self.flush_by(&mut core, due);
    }

    fn poll_canceled(&self, task: &mut Task<'_>) -> Poll<()> {
        let mut core = self.core();
        if core.over || matches!(core.cancel, Cancel::Observed(_)) {
            return Poll::Ready(());
        }
        let waiting = &mut core.canceling.get_or_insert_default().waiting;
        if !waiting.iter().any(|waker| waker.will_wake(task.waker())) {
            waiting.push(task.waker().clone());
        }
        Poll::Pending
    }

    fn event_url(&self, name: &str) -> Result<String, Failure> {
        if self.action.settings().find_event(name).is_none() {
            return Err(Failure::new("undeclared-event", "the action does not declare this event"));
        }
        Ok((self.engine.event_url)(&self.operation, name))
    }
}
