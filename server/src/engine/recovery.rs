//! Taking over: what an earlier process left is ended if it is overdue, and run if it is not.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinHandle;

use super::drive::Driver;
use super::{CLAIM, Engine, Inner, replay};
use crate::journal::Record;
use crate::operation::Operation;
use crate::store::{Claim, Claimed, StoreError};

impl Engine {
    /// Ends what is overdue, then takes up everything that an earlier process left, before anything is served.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn recover(&self) -> Result<usize, StoreError> {
        let inner = &self.inner;
        inner.recovering.store(true, Ordering::Relaxed);
        let recovered = self.take_over().await;
        let mut runs = inner.runs();
        inner.recovering.store(false, Ordering::Relaxed);
        runs.retain(|_, running| running.run.is_some() || running.accepting > 0);
        inner.counted(&runs);
        recovered
    }

    async fn take_over(&self) -> Result<usize, StoreError> {
        let inner = &self.inner;
        inner.sweeper.catch_up(&*inner.store, inner.clock.now()).await?;
        let actions = inner.actions.now().names();
        let mut recovered = 0;
        let mut beginning = None;
        loop {
            let claimed = inner.store.claim(&actions, CLAIM).await?;
            // One batch after the other, so that those who queue do so in the order of their acceptance; the store
            // reads the next one meanwhile.
            if let Some(beginning) = beginning.take() {
                done(beginning).await?;
            }
            if claimed.is_empty() {
                return Ok(recovered);
            }
            recovered += claimed.len();
            // Begun there, they are run there: no thread has to wake another for each of them.
            beginning = Some(inner.handlers.spawn(Arc::clone(inner).go_on_with(claimed)));
        }
    }
}

impl Inner {
    async fn go_on_with(self: Arc<Self>, claimed: Vec<Claimed>) -> Result<(), StoreError> {
        for Claimed { operation, claim, history } in claimed {
            self.go_on(Arc::clone(&operation), claim, history);
            self.catch_up_cancel(&operation).await?;
        }
        Ok(())
    }

    /// Goes on with what an earlier run left.
    fn go_on(self: &Arc<Self>, operation: Arc<Operation>, claim: Claim, history: Vec<Record>) {
        let seen = history.last().map(|record| record.sequence);
        let (Some(action), Some((core, input))) =
            (self.actions.find(&operation.action), replay::resume(history))
        else {
            tracing::error!(operation.id = %operation.id, "the operation has no input in its journal; it waits for its deadline");
            return;
        };
        let run = self.begin(action, operation, claim, core);
        self.supervise(Driver::new(run, input, seen));
    }
}

/// Waits for a batch. Its task ends early only with its runtime.
async fn done(batch: JoinHandle<Result<(), StoreError>>) -> Result<(), StoreError> {
    batch.await.unwrap_or(Err(StoreError::Closed))
}
