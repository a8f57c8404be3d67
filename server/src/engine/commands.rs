//! The rules of each command: when it may start, when it is done, and what the journal says of it.

use std::task::Poll;
use std::time::Duration;

use super::core::{Cancel, Core, Phase, Slot};
use super::run::Run;
use crate::Json;
use crate::action::port::{Command, Ticket, Turn};
use crate::action::{Failure, FailureKind};
use crate::clock::after;
use crate::journal::{Completion, Entry};

impl Run {
    /// A step whose time is its own: it may start only when everything before it is durable.
    fn poll_step(&self, core: &mut Core, ticket: Ticket, slot: &mut Slot) -> Poll<Turn> {
        let now = self.engine.clock.now();
        if let Some(result) = slot.proposed.take()
            && let Phase::Running { attempt, .. } = slot.phase
        {
            self.attempt_ended(core, ticket, slot, attempt, result);
            return Poll::Pending;
        }
        let given_up = match (&slot.phase, core.cancel) {
            (Phase::Running { .. }, Cancel::Observed(grace)) if slot.canceled => now >= grace,
            _ => slot.canceled,
        };
        if given_up {
            self.record(core, Entry::Dropped { command: slot.id.clone() });
            slot.result = Some(Err(Failure::canceled()));
            return Poll::Pending;
        }
        let failures = match slot.phase {
            Phase::Running { attempt, ends: Some(ends) } if now >= ends => {
                let timeout = Failure::retryable("step-timeout", "a step of the operation took too long");
                self.attempt_ended(core, ticket, slot, attempt, Err(timeout));
                return Poll::Pending;
            }
            Phase::Running { ends, .. } => {
                let due = match core.cancel {
                    Cancel::Observed(grace) if slot.canceled => {
                        Some(ends.map_or(grace, |ends| ends.min(grace)))
                    }
                    _ => ends,
                };
                if let Some(due) = due {
                    self.set_timer(slot, ticket, due);
                }
                return Poll::Ready(Turn::Run);
            }
            Phase::Retrying { at, .. } if now < at => {
                self.set_timer(slot, ticket, at);
                return Poll::Pending;
            }
            Phase::Retrying { failures, .. } => failures,
            _ => 0,
        };
        if core.draining || core.durable < slot.after {
            return Poll::Pending;
        }
        if self.engine.is_limited(self.action.name()) && core.permit.is_none() {
            if !std::mem::replace(&mut core.wants_permit, true) {
                // The driver has looked for wishes before it polled the handler: it has to look again.
                self.bell.ring();
            }
            return Poll::Pending;
        }
        let ends = match &slot.command {
            Command::Step(policy) => policy.attempt_timeout().map(|timeout| after(now, timeout)),
            _ => None,
        };
        slot.phase = Phase::Running { attempt: failures + 1, ends };
        if let Some(ends) = ends {
            self.set_timer(slot, ticket, ends);
        }
        Poll::Ready(Turn::Run)
    }

    /// Decides what an attempt's result means: the step's result, or another attempt.
    pub(super) fn attempt_ended(
        &self,
        core: &mut Core,
        ticket: Ticket,
        slot: &mut Slot,
        attempt: u32,
        result: Result<Json, Failure>,
    ) {
        let limit = self.engine.limits.result_bytes;
        let result = result.and_then(|value| {
            if value.get().len() <= limit {
                return Ok(value);
            }
            Err(Failure::new("result-too-large", format!("a step gave more than {limit} bytes")))
        });
        if let (Err(failure), Command::Step(policy)) = (&result, &slot.command) {
            let again = (failure.kind() == FailureKind::Retryable && !slot.canceled)
                .then(|| policy.delay(attempt, dice()))
                .flatten()
                .map(|delay| delay.max(failure.pause()));
            tracing::warn!(
                operation.id = %self.operation.id, step.id = %slot.id, step.attempt = attempt, failure.code = failure.code(),
                failure.source = failure.source().map(tracing::field::display), retry_in = ?again,
                "step failed"
            );
            if let Some(delay) = again {
                let at = after(self.engine.clock.now(), delay);
                slot.phase = Phase::Retrying { failures: attempt, at };
                self.set_timer(slot, ticket, at);
                return;
            }
        }
        let outcome = if result.is_ok() { "succeeded" } else { "failed" };
        metrics::counter!("raincheck_steps_total", "action" => self.action.name().clone(), "outcome" => outcome)
            .increment(1);
        let result = result.map_err(Failure::into_final);
        let completion = match &result {
            Ok(value) => Completion::Value(value.clone()),
            Err(failure) => Completion::Failure(failure.clone()),
        };
        self.record(core, Entry::Step { command: slot.id.clone(), attempts: attempt, result: completion });
        slot.result = Some(result.map(Some));
    }

    fn poll_sleep(&self, core: &mut Core, ticket: Ticket, slot: &mut Slot, wait: Option<Duration>) -> bool {
        let Some(wait) = wait else { return false };
        let now = self.engine.clock.now();
        let until = match slot.phase {
            Phase::Until(until) => until,
            _ => {
                let until = after(now, wait);
                self.record(core, Entry::Timer { command: slot.id.clone(), until });
                slot.phase = Phase::Until(until);
                until
            }
        };
        if now < until {
            self.set_timer(slot, ticket, until);
            return false;
        }
        self.record(core, Entry::Fired { command: slot.id.clone() });
        true
    }

    /// Asks a command that has no result yet, outside replay.
    pub(super) fn poll_live(&self, core: &mut Core, ticket: Ticket, slot: &mut Slot) -> Poll<Turn> {
        if matches!(slot.command, Command::Step(_)) {
            return self.poll_step(core, ticket, slot);
        }
        match slot.command.clone() {
            Command::Step(_) => {}
            Command::Sleep(duration) => {
                if self.poll_sleep(core, ticket, slot, Some(duration)) {
                    slot.result = Some(Ok(None));
                }
            }
            Command::Event { name, timeout } => {
                let arrived = core.events.iter().position(|(_, event, _)| *event == name);
                if let Some((event, _, body)) = arrived.and_then(|place| core.events.remove(place)) {
                    self.record(core, Entry::Taken { command: slot.id.clone(), event });
                    slot.result = Some(Ok(Some(body)));
                } else if self.poll_sleep(core, ticket, slot, timeout) {
                    slot.result = Some(Ok(None));
                }
            }
            Command::Now => {
                let time = self.engine.clock.now();
                self.record(core, Entry::Now { command: slot.id.clone(), time });
                slot.result = Some(Json::of(&time).map(Some).map_err(Into::into));
            }
            Command::Child { action, input } => {
                if let (Phase::Child(child, _), Some(result)) = (&slot.phase, slot.proposed.take()) {
                    tracing::debug!(operation.id = %self.operation.id, child.id = %child, "child operation ended");
                    let completion = match &result {
                        Ok(value) => Completion::Value(value.clone()),
                        Err(failure) => Completion::Failure(failure.clone()),
                    };
                    self.record(core, Entry::ChildEnded { command: slot.id.clone(), result: completion });
                    slot.result = Some(result.map(Some));
                } else if matches!(slot.phase, Phase::Issued) && core.durable >= slot.after && !core.draining
                {
                    let child = self.operation.id.child(&slot.id);
                    if let Some(run) = self.this.upgrade() {
                        let task = self.engine.start_child(run, ticket, child, action, input);
                        slot.phase = Phase::Child(child, task);
                        self.record(core, Entry::Child { command: slot.id.clone(), operation: child });
                    }
                }
            }
            Command::Race(_) => slot.result = Some(Ok(None)),
        }
        Poll::Pending
    }
}

/// A number from 0 to 1, for jitter. Without entropy there is no jitter, which is no reason to fail.
fn dice() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}
