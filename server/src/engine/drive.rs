//! The driver of one run: polls the handler, replays what an earlier run learned, and sends what it decides to the store.
//!
//! One rule keeps replay honest: a result is handed over only when the handler rests, one at a time, in the order of the
//! journal. While a handler runs for the first time that order is simply the order in which its results come.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as Task, Poll, Waker, ready};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::core::{Cancel, Fatal, Queued};
use super::outcome;
use super::replay::replay;
use super::run::Run;
use super::send::Append;
use crate::Json;
use crate::action::Failure;
use crate::action::port::Port;
use crate::clock::after;
use crate::journal::{Entry, Record};
use crate::operation::{Outcome, Problem, Published};
use crate::store::StoreError;

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The operation has its outcome.
    Finished,
    /// The operation ended from outside.
    Stopped,
    /// Somebody else runs the operation now, and its children go on with it.
    Fenced,
    /// The process goes down; the operation goes on in another.
    Drained,
    /// The store failed; what was not written is to be done again.
    Failed(StoreError),
}

/// A handler that does not give way for longer than this is reported: it holds up others on its thread.
const BLOCKING: Duration = Duration::from_millis(100);

/// How many signals are fetched at a time.
const INTAKE: usize = 256;

type Handler = Pin<Box<dyn Future<Output = Result<Json, Failure>> + Send>>;

pub(super) struct Driver {
    pub(super) run: Arc<Run>,
    handler: Option<Handler>,
    /// A new operation of an action with a limit: nothing of it runs before it has a permit.
    waits_for_its_turn: bool,
    pub(super) append: Option<Append>,
    /// Boxed as all that most operations do without while they wait.
    pub(super) outcome: Option<Box<Outcome>>,
    intake: Option<BoxFuture<'static, Result<Vec<Record>, StoreError>>>,
    permit: Option<Queued>,
    /// Up to which entry the journal was read.
    seen: Option<u64>,
    /// The store failed: nothing more is done, but what was sent is waited for.
    failed: Option<Box<StoreError>>,
}

impl Future for Driver {
    type Output = Ended;

    /// Runs the handler until there is nothing more to do here.
    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Ended> {
        if self.failed.is_none() {
            match ready!(self.drive(task)) {
                Ended::Failed(error) => self.failed = Some(Box::new(error)),
                Ended::Stopped => {
                    self.run.cancel_children(&mut self.run.core());
                    return Poll::Ready(Ended::Stopped);
                }
                ended => return Poll::Ready(ended),
            }
        }
        // What is on its way to the disk gets there, or not: the next run must know which when it reads the journal.
        if let Some(append) = &mut self.append {
            let _ = ready!(append.answer.as_mut().poll(task));
            self.append = None;
        }
        Poll::Ready(self.failed.take().map_or(Ended::Stopped, |error| Ended::Failed(*error)))
    }
}

impl Driver {
    pub(super) fn new(run: Arc<Run>, input: Json, seen: Option<u64>) -> Self {
        let handler = run.action.run(run.clone(), input);
        let waits_for_its_turn = run.is_first && run.engine.is_limited(run.action.name());
        let mut permit = None;
        if waits_for_its_turn {
            let mut core = run.core();
            core.wants_permit = true;
            permit = core.turn.take();
        } else if run.is_first {
            run.publish(Published::default());
        }
        Self {
            waits_for_its_turn,
            run,
            handler: Some(handler),
            append: None,
            outcome: None,
            intake: None,
            permit,
            seen,
            failed: None,
        }
    }

    fn drive(&mut self, task: &mut Task<'_>) -> Poll<Ended> {
        self.run.bell.begin(task);
        loop {
            if let Poll::Ready(ended) = self.work() {
                return Poll::Ready(ended);
            }
            if self.run.bell.rest() {
                return Poll::Pending;
            }
        }
    }

    /// Does what there is to do. Pending: it rests until the bell rings.
    fn work(&mut self) -> Poll<Ended> {
        let waker = Waker::from(Arc::clone(&self.run));
        let task = &mut Task::from_waker(&waker);
        loop {
            self.run.bell.rung();
            if self.run.ended.load(Ordering::Acquire) {
                return Poll::Ready(Ended::Stopped);
            }
            if let Poll::Ready(ended) = self.poll_append(task) {
                return Poll::Ready(ended);
            }
            if let Err(error) = self.poll_intake(task) {
                return Poll::Ready(Ended::Failed(error));
            }
            self.poll_permit(task);
            self.poll_handler(task);
            if self.run.bell.rung() || self.go_on() || self.replay_next() || self.observe_cancel() {
                continue;
            }
            self.give_up_if_fatal();
            self.release_permit();
            if let Poll::Ready(ended) = self.flush(task) {
                return Poll::Ready(ended);
            }
            if self.run.bell.rung() {
                continue;
            }
            return if self.is_drained() { Poll::Ready(Ended::Drained) } else { Poll::Pending };
        }
    }

    /// Fetches events and cancels that were written from outside.
    fn poll_intake(&mut self, task: &mut Task<'_>) -> Result<(), StoreError> {
        loop {
            if self.intake.is_none() && self.run.signaled.swap(false, Ordering::AcqRel) {
                let (store, id, seen) =
                    (Arc::clone(&self.run.engine.store), self.run.operation.id, self.seen);
                self.intake = Some(Box::pin(async move { store.history(id, seen, INTAKE).await }));
            }
            let Some(intake) = &mut self.intake else { return Ok(()) };
            let Poll::Ready(records) = intake.as_mut().poll(task) else { return Ok(()) };
            self.intake = None;
            let records = records?;
            if records.len() == INTAKE {
                self.run.signaled.store(true, Ordering::Release);
            }
            self.seen = records.last().map(|record| record.sequence).or(self.seen);
            self.run.absorb(records);
        }
    }

    fn poll_permit(&mut self, task: &mut Task<'_>) {
        if self.permit.is_none() {
            if !self.run.core().wants_permit {
                return;
            }
            self.permit = self.run.engine.permit(self.run.action.name());
        }
        let permit = match &mut self.permit {
            Some(permit) => match permit.as_mut().poll(task) {
                Poll::Ready(permit) => permit,
                Poll::Pending => return,
            },
            // The action has no limit any more.
            None => None,
        };
        self.permit = None;
        {
            let mut core = self.run.core();
            core.permit = permit;
            core.wants_permit = false;
            core.wake_waiting();
        }
        if std::mem::take(&mut self.waits_for_its_turn) {
            self.run.publish(Published::default());
        }
    }

    fn poll_handler(&mut self, task: &mut Task<'_>) {
        // Its turn may never come before a cancel or a deadline does: those need no permit.
        let Some(handler) = self.handler.as_mut().filter(|_| !self.waits_for_its_turn) else { return };
        let began = Instant::now();
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(task)));
        let took = began.elapsed();
        if took >= BLOCKING {
            tracing::warn!(
                operation.id = %self.run.operation.id, action = %self.run.operation.action, duration_ms = took.as_millis(),
                "the handler blocked its thread; blocking work belongs into spawn_blocking"
            );
        }
        let outcome = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => {
                let left = self.run.core().next_replayed();
                match left {
                    None => outcome::of(&self.run, result),
                    Some(entry) => outcome::mismatch(
                        &self.run,
                        &format!("the handler ended, but its journal goes on with {entry}"),
                    ),
                }
            }
            Err(_) => {
                // The panic hook has told the message to the log.
                tracing::error!(
                    operation.id = %self.run.operation.id, action = %self.run.operation.action, "the handler panicked"
                );
                Outcome::Failed(outcome::internal())
            }
        };
        self.finish(outcome);
    }

    /// The handler is done: its last results and its end are one change.
    fn finish(&mut self, outcome: Outcome) {
        self.drop_handler();
        self.run.core().replay = None;
        self.outcome = Some(Box::new(outcome));
    }

    /// What a handler holds is the user's, and may panic when it is dropped before its time.
    fn drop_handler(&mut self) {
        let handler = self.handler.take();
        if std::panic::catch_unwind(AssertUnwindSafe(|| drop(handler))).is_err() {
            tracing::error!(
                operation.id = %self.run.operation.id, action = %self.run.operation.action, "the handler panicked as it was dropped"
            );
        }
    }

    /// Hands over the next result of an earlier run. The handler rests, so whoever gets it is waiting for it by now.
    fn replay_next(&mut self) -> bool {
        if self.handler.is_none() {
            return false;
        }
        let reason = {
            let mut core = self.run.core();
            let Some(mut rest) = core.replay.take() else { return false };
            let Some(entry) = rest.entries.pop_front() else { return false };
            let replayed = replay(&self.run, &mut core, &rest, entry);
            if rest.entries.is_empty() {
                // From here on it is live: what waited for its turn may go.
                core.ask_all();
            } else {
                core.replay = Some(rest);
            }
            match replayed {
                Ok(()) => return true,
                Err(reason) => reason,
            }
        };
        let outcome = outcome::mismatch(&self.run, &reason);
        self.finish(outcome);
        true
    }

    fn go_on(&self) -> bool {
        self.run.core().go_on()
    }

    fn observe_cancel(&mut self) -> bool {
        let mut core = self.run.core();
        if core.cancel != Cancel::Requested || self.handler.is_none() {
            return false;
        }
        if std::mem::take(&mut self.waits_for_its_turn) {
            // Nothing of it has run, so there is nothing to clean up.
            drop(core);
            self.permit = None;
            self.finish(outcome::canceled());
            return true;
        }
        let grace = after(self.run.engine.clock.now(), self.run.action.settings().cancel_grace);
        self.run.record(&mut core, Entry::CancelObserved);
        core.observe_cancel(grace);
        self.run.cancel_children(&mut core);
        true
    }

    fn give_up_if_fatal(&mut self) {
        let fatal = self.run.core().fatal.take().map(|fatal| *fatal);
        let outcome = match fatal {
            None => return,
            Some(Fatal::Mismatch(reason)) => outcome::mismatch(&self.run, &reason),
            Some(Fatal::JournalTooLong) => {
                let mut core = self.run.core();
                // What does not fit is not written; its effects are lost with the operation.
                core.entries -= core.fresh.len();
                core.fresh.clear();
                let limit = self.run.engine.limits.journal_entries;
                Outcome::Failed(Problem {
                    code: "journal-too-long".to_owned(),
                    message: format!("the operation has more than {limit} journal entries"),
                    http_status: 422,
                    details: None,
                })
            }
        };
        self.finish(outcome);
    }

    fn release_permit(&self) {
        let mut core = self.run.core();
        if core.permit.is_some() && !core.has_step(false) {
            core.permit = None;
        }
    }
}

impl Drop for Driver {
    /// However a run ends: its commands hold wakers, and those hold the run.
    fn drop(&mut self) {
        self.drop_handler();
        self.run.clear();
    }
}
