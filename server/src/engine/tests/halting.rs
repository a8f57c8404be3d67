//! A store that stops or fails where a test says, so that a test can be in between.

use std::collections::HashMap;

use super::*;
use crate::journal::Record;
use crate::store::feed::{Feed, FeedPage, FeedPlace};
use crate::store::{
    Accepted, Answer, Appended, Candidate, Change, Claim, Claimed, EventKey, Filter, Listener, NewOperation,
    Place as ListPlace, Signal, Signaled, StoreError, Swept,
};

/// A place in a call of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    BeforeAccept,
    AfterAccept,
    BeforeAppend,
    BeforeHistory,
    BeforeSignal,
    AfterSignal,
    AfterClaim,
}

/// What happens to the next call that gets to a place.
enum Fate {
    Halt(Gate),
    Fail,
    Fence,
}

/// Passes everything on to a store.
pub(super) struct Halting {
    store: Arc<SqliteStore>,
    fates: Mutex<HashMap<Place, Fate>>,
}

impl Halting {
    pub(super) fn new(store: Arc<SqliteStore>) -> Self {
        Self { store, fates: Mutex::default() }
    }

    /// The next call that gets to `place` waits at the gate.
    pub(super) fn halt(&self, place: Place) -> Gate {
        let gate = Gate::closed();
        self.fates.lock().unwrap().insert(place, Fate::Halt(gate.clone()));
        gate
    }

    /// The next call that gets to `place` fails.
    pub(super) fn fail(&self, place: Place) {
        self.fates.lock().unwrap().insert(place, Fate::Fail);
    }

    /// The next append finds that somebody else runs the operation.
    pub(super) fn fence(&self) {
        self.fates.lock().unwrap().insert(Place::BeforeAppend, Fate::Fence);
    }

    async fn pass(&self, place: Place) -> Result<(), StoreError> {
        let fate = self.fates.lock().unwrap().remove(&place);
        match fate {
            None | Some(Fate::Fence) => Ok(()),
            Some(Fate::Halt(gate)) => {
                gate.pass().await;
                Ok(())
            }
            Some(Fate::Fail) => Err(StoreError::Database(Arc::new(std::io::Error::other("on purpose")))),
        }
    }
}

impl Store for Halting {
    fn accept(&self, new: NewOperation) -> Answer<'_, Accepted> {
        Box::pin(async move {
            self.pass(Place::BeforeAccept).await?;
            let accepted = self.store.accept(new).await?;
            self.pass(Place::AfterAccept).await?;
            Ok(accepted)
        })
    }

    fn foresee(&self, candidate: Candidate) -> Answer<'_, Option<Accepted>> {
        self.store.foresee(candidate)
    }

    fn foresee_event(
        &self,
        id: OperationId,
        once: Option<EventKey>,
        waiting: u64,
    ) -> Answer<'_, Option<Signaled>> {
        self.store.foresee_event(id, once, waiting)
    }

    fn append(&self, claim: Claim, change: Change) -> Answer<'_, Appended> {
        let fate = self.fates.lock().unwrap().remove(&Place::BeforeAppend);
        let gate = match fate {
            None | Some(Fate::Fail) => return self.store.append(claim, change),
            Some(Fate::Fence) => return Box::pin(std::future::ready(Ok(Appended::Fenced))),
            Some(Fate::Halt(gate)) => gate,
        };
        // What was handed over is written, whether its caller waits or not.
        let (written, answer) = tokio::sync::oneshot::channel();
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            gate.pass().await;
            let _ = written.send(store.append(claim, change).await);
        });
        Box::pin(async move { answer.await.unwrap_or(Err(StoreError::Closed)) })
    }

    fn signal(&self, id: OperationId, signal: Signal, now: Timestamp) -> Answer<'_, Signaled> {
        Box::pin(async move {
            self.pass(Place::BeforeSignal).await?;
            let signaled = self.store.signal(id, signal, now).await?;
            self.pass(Place::AfterSignal).await?;
            Ok(signaled)
        })
    }

    fn read(&self, id: OperationId) -> Answer<'_, Option<Found>> {
        self.store.read(id)
    }

    fn history(&self, id: OperationId, after: Option<u64>, max: usize) -> Answer<'_, Vec<Record>> {
        Box::pin(async move {
            self.pass(Place::BeforeHistory).await?;
            self.store.history(id, after, max).await
        })
    }

    fn claim(&self, actions: &[Arc<str>], max: usize) -> Answer<'_, Vec<Claimed>> {
        let claimed = self.store.claim(actions, max);
        Box::pin(async move {
            let claimed = claimed.await?;
            self.pass(Place::AfterClaim).await?;
            Ok(claimed)
        })
    }

    fn finished(&self, feed: Feed, after: FeedPlace, max: usize) -> Answer<'_, FeedPage> {
        self.store.finished(feed, after, max)
    }

    fn feed_end(&self) -> Answer<'_, FeedPlace> {
        self.store.feed_end()
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.store.listen(listener);
    }

    fn list(&self, filter: Filter, before: Option<ListPlace>, max: usize) -> Answer<'_, Vec<Arc<Operation>>> {
        self.store.list(filter, before, max)
    }

    fn active(&self) -> Answer<'_, Vec<(Arc<str>, u64)>> {
        self.store.active()
    }

    fn sweep(&self, now: Timestamp, max: usize) -> Answer<'_, Swept> {
        self.store.sweep(now, max)
    }

    fn close(&self) -> Answer<'_, ()> {
        self.store.close()
    }
}
