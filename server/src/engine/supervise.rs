//! One operation from the start of its task to its end, over the failures of the store.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use super::drive::{Driver, Ended};
use super::run::Run;
use super::{Inner, LONGEST_STORE_PAUSE, STORE_PAUSE, replay};
use crate::Json;
use crate::clock::after;
use crate::journal::Record;
use crate::operation::OperationId;
use crate::store::{Found, StoreError};

/// The task of a run. A future of its own, and not an async function: those keep a place for everything that they
/// might need, and many operations wait.
struct Supervised(Option<Driver>);

impl Future for Supervised {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<()> {
        let Some(driver) = &mut self.0 else { return Poll::Ready(()) };
        let ended = ready!(Pin::new(&mut *driver).poll(task));
        let run = Arc::clone(&driver.run);
        // What the handler holds goes before anybody hears of the end.
        self.0 = None;
        let (engine, id) = (&run.engine, run.operation.id);
        if let Ended::Failed(error) = ended {
            tracing::error!(operation.id = %id, %error, "the store failed; the operation will be run again");
            engine.handlers.spawn(Arc::clone(engine).supervise_again(Arc::clone(&run)));
        } else {
            engine.forget(id);
        }
        Poll::Ready(())
    }
}

impl Inner {
    /// Runs an operation to its end. When the store fails, it is run again from what the store has, later.
    pub(super) fn supervise(&self, driver: Driver) {
        self.handlers.spawn(Supervised(Some(driver)));
    }

    async fn supervise_again(self: Arc<Self>, run: Arc<Run>) {
        match self.again(&run).await {
            Some(next) => self.supervise(next),
            None => self.forget(run.operation.id),
        }
    }

    fn forget(&self, id: OperationId) {
        let mut runs = self.runs();
        runs.remove(&id);
        self.counted(&runs);
    }

    /// The next run of an operation, once the store can be read. `None` if there is nothing to go on with.
    async fn again(self: &Arc<Self>, run: &Arc<Run>) -> Option<Driver> {
        let mut pause = STORE_PAUSE;
        loop {
            self.clock.sleep_until(after(self.clock.now(), pause)).await;
            pause = (pause * 2).min(LONGEST_STORE_PAUSE);
            match self.reread(run).await {
                Ok(again) => return again.map(|(run, input, seen)| Driver::new(run, input, seen)),
                Err(error) => {
                    tracing::error!(operation.id = %run.operation.id, %error, retry_in = ?pause, "the store still fails");
                }
            }
        }
    }

    /// The same claim, with the journal as it is on disk. `None` if there is nothing to go on with.
    async fn reread(
        self: &Arc<Self>,
        run: &Arc<Run>,
    ) -> Result<Option<(Arc<Run>, Json, Option<u64>)>, StoreError> {
        let id = run.operation.id;
        let operation = match self.store.read(id).await? {
            Some(Found::Operation(operation)) if !operation.state.is_terminal() => operation,
            _ => return Ok(None),
        };
        let mut history = Vec::new();
        loop {
            let after = history.last().map(|record: &Record| record.sequence);
            let page = self.store.history(id, after, 1_000).await?;
            let is_last = page.len() < 1_000;
            history.extend(page);
            if is_last {
                break;
            }
        }
        let seen = history.last().map(|record| record.sequence);
        let Some((core, input)) = replay::resume(history) else { return Ok(None) };
        Ok(Some((self.begin(Arc::clone(&run.action), operation, run.claim(), core), input, seen)))
    }
}
