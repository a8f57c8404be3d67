//! What a driver sends to the store: what was decided, the pending status, the end.

use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use futures_util::future::BoxFuture;

use super::drive::{Driver, Ended};
use crate::store::{Appended, Change, StoreError};

/// A change on its way to the disk.
pub(super) struct Append {
    /// How many entries are durable after it.
    entries: usize,
    /// Whether it is the end.
    last: bool,
    pub(super) answer: BoxFuture<'static, Result<Appended, StoreError>>,
}

impl Driver {
    pub(super) fn poll_append(&mut self, task: &mut Task<'_>) -> Poll<Ended> {
        let Some(append) = &mut self.append else { return Poll::Pending };
        let appended = ready!(append.answer.as_mut().poll(task));
        let Append { entries, last, .. } = *append;
        self.append = None;
        match appended {
            Ok(Appended::Done) if last => Poll::Ready(Ended::Finished),
            Ok(Appended::Done) => {
                let mut core = self.run.core();
                core.durable = entries;
                core.wake_waiting();
                Poll::Pending
            }
            Ok(Appended::AlreadyFinished) => Poll::Ready(Ended::Stopped),
            Ok(Appended::Fenced) => Poll::Ready(Ended::Fenced),
            Err(error) => Poll::Ready(Ended::Failed(error)),
        }
    }

    /// Sends what was decided, and the pending status and the end with it. One change at a time: what is decided while
    /// it is on its way goes with the next one. True if it is durable already.
    pub(super) fn flush(&mut self, task: &mut Task<'_>) -> Poll<Ended> {
        if self.append.is_some() {
            return Poll::Pending;
        }
        let outcome = self.outcome.take().map(|outcome| *outcome);
        let (entries, count, published) = {
            let mut core = self.run.core();
            let drains = core.draining && core.published.is_some();
            if core.fresh.is_empty() && !core.flush_due && !drains && outcome.is_none() {
                return Poll::Pending;
            }
            let published = self.run.take_published(&mut core);
            (std::mem::take(&mut core.fresh), core.entries, published)
        };
        if entries.is_empty() && published.is_none() && outcome.is_none() {
            return Poll::Pending;
        }
        let (store, claim) = (Arc::clone(&self.run.engine.store), self.run.claim());
        let last = outcome.is_some();
        let change = Change { entries, published, outcome, now: self.run.engine.clock.now() };
        let answer = Box::pin(async move { store.append(claim, change).await });
        self.append = Some(Append { entries: count, last, answer });
        self.poll_append(task)
    }

    /// Whether the process may go down, as far as this run is concerned.
    pub(super) fn is_drained(&self) -> bool {
        let core = self.run.core();
        core.draining && core.fresh.is_empty() && self.append.is_none() && !core.has_step(true)
    }
}
