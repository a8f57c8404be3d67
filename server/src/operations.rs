//! The use cases: start, read, wait, cancel, send an event, list. On ports only: no HTTP, no SQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::Guard;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::Json;
use crate::action::{Actions, Registered, Registry};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::journal::Record;
use crate::operation::{Operation, OperationId, Origin, Outcome, Problem};
use crate::store::feed::{Feed, FeedPage, FeedPlace};
use crate::store::{
    Accepted, ActiveLimits, Candidate, EventKey, Filter, Found, Idempotency, NewOperation, Place, Signal,
    Signaled, Store, StoreError,
};
use crate::subscription::SecretUrl;
use crate::watch::{Watch, Watchers};

/// How many pages of a feed are looked through for one answer, if nothing in them is let through.
const MOST_PAGES: u32 = 20;

/// How many operations may be active, and how many events may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Active operations on this store.
    pub(crate) active: u64,
    /// Active operations of one caller.
    pub(crate) active_per_caller: u64,
    /// Events of one operation that were not taken yet.
    pub(crate) waiting_events: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { active: 1_000_000, active_per_caller: 100_000, waiting_events: 64 }
    }
}

/// The operations of a server.
pub(crate) struct Operations {
    store: Arc<dyn Store>,
    engine: Engine,
    actions: Arc<Actions>,
    watchers: Watchers,
    clock: Arc<dyn Clock>,
    limits: Limits,
    link_key: u32,
    draining: AtomicBool,
}

/// A request to start an action.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// Who asks.
    pub(crate) caller: Arc<str>,
    /// What the action gets.
    pub(crate) input: Json,
    /// The idempotency key, if there is one.
    pub(crate) idempotency: Option<Idempotency>,
    /// The caller's own id for the run.
    pub(crate) tracking_id: Option<Arc<str>>,
    /// The W3C trace context.
    pub(crate) traceparent: Option<Arc<str>>,
    /// Who is told of the end.
    pub(crate) callback: Option<SecretUrl>,
}

/// The answer to a start.
#[derive(Debug, Clone)]
pub(crate) enum Started {
    /// Accepted now. Durable, and readable at its status URL.
    New(Arc<Operation>),
    /// Accepted before: the operation as it is now.
    Replayed(Found),
}

/// Why a start was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StartError {
    /// The idempotency key stands for other content.
    #[error("the idempotency key was used for other content")]
    KeyReused,
    /// A limit of active operations is reached.
    #[error("too many active operations")]
    Full,
    /// The server is going down.
    #[error("the server is shutting down")]
    Draining,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Operations {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        engine: Engine,
        actions: Arc<Actions>,
        watchers: Watchers,
        clock: Arc<dyn Clock>,
        limits: Limits,
        link_key: u32,
    ) -> Self {
        let draining = AtomicBool::new(false);
        Self { store, engine, actions, watchers, clock, limits, link_key, draining }
    }

    /// The actions that can be started.
    #[must_use]
    pub(crate) fn registry(&self) -> Guard<Arc<Registry>> {
        self.actions.now()
    }

    /// The action that has that name, or had it.
    #[must_use]
    pub(crate) fn action(&self, name: &str) -> Option<Arc<Registered>> {
        self.actions.find(name)
    }

    /// The time.
    #[must_use]
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Ends once it is `at` or later.
    pub(crate) fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        self.clock.sleep_until(at)
    }

    /// Accepts an operation of `action`. Its input must have been [validated](Registered::validate).
    ///
    /// Once this returns, the operation is durable and readable, and it will run.
    ///
    /// # Errors
    /// Nothing was accepted then.
    ///
    /// # Cancel safety
    /// If the future is dropped, the operation may be accepted or not; if it is, it runs.
    pub(crate) async fn start(&self, action: &Arc<Registered>, start: Start) -> Result<Started, StartError> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(StartError::Draining);
        }
        let Start { caller, input, idempotency, tracking_id, traceparent, callback } = start;
        let now = self.clock.now();
        let origin = action.origin(OperationId::new(now), caller, self.link_key, now);
        let operation = Operation::accepted(Origin { tracking_id, traceparent, ..origin });
        let limits = self.active_limits(action);
        let new = NewOperation { operation, input, idempotency, limits, callback };
        match self.engine.submit(Arc::clone(action), new).await? {
            Accepted::New(operation, _) => Ok(Started::New(operation)),
            Accepted::Replayed(found) => Ok(Started::Replayed(self.as_named_now(found))),
            Accepted::KeyReused => Err(StartError::KeyReused),
            Accepted::Full => Err(StartError::Full),
        }
    }

    /// What a start of `action` would come to whose input cannot be taken: the operation that its idempotency key
    /// stands for, or what is said of the start before its input is.
    ///
    /// # Errors
    /// Every [`StartError`].
    pub(crate) async fn foresee(
        &self,
        action: &Registered,
        caller: &Arc<str>,
        idempotency: Option<Idempotency>,
    ) -> Result<Option<Found>, StartError> {
        let limits = self.active_limits(action);
        let (action, caller) = (Arc::clone(action.name()), Arc::clone(caller));
        match self.store.foresee(Candidate { action, caller, idempotency, limits }).await? {
            Some(Accepted::Replayed(found)) => Ok(Some(self.as_named_now(found))),
            Some(Accepted::KeyReused) => Err(StartError::KeyReused),
            _ if self.is_draining() => Err(StartError::Draining),
            Some(Accepted::Full) => Err(StartError::Full),
            Some(Accepted::New(..)) | None => Ok(None),
        }
    }

    /// The operation as it is now.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn read(&self, id: OperationId) -> Result<Option<Found>, StoreError> {
        Ok(self.store.read(id).await?.map(|found| self.as_named_now(found)))
    }

    /// The operation once `enough` says so of it, or as it is at `until`, or when the server drains.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn wait(
        &self,
        id: OperationId,
        until: Timestamp,
        enough: impl Fn(&Operation) -> bool,
    ) -> Result<Option<Found>, StoreError> {
        let mut watch = self.watch(id);
        let mut timeout = self.clock.sleep_until(until);
        loop {
            let found = self.read(id).await?;
            match &found {
                Some(Found::Operation(operation)) if !enough(operation) && !self.is_draining() => {}
                _ => return Ok(found),
            }
            tokio::select! {
                () = watch.changed() => {}
                () = &mut timeout => return self.read(id).await,
            }
        }
    }

    /// Where a feed ends now: what ends later comes after it.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub(crate) async fn feed_end(&self) -> Result<FeedPlace, StoreError> {
        self.store.feed_end().await
    }

    /// Up to `max` of what has ended of `action` after that place and `filter` lets through. If there is nothing, it
    /// waits for something until that time, or until the server drains. The names in `filter` do not count.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn finished(
        &self,
        action: &Registered,
        filter: Feed,
        mut after: FeedPlace,
        max: usize,
        until: Option<Timestamp>,
    ) -> Result<FeedPage, StoreError> {
        let feed = Feed { actions: action.names().map(Arc::from).collect(), ..filter };
        let held = |until| (self.watchers.watch_feed(action.name()), self.clock.sleep_until(until));
        let mut held = until.map(held);
        let mut looked = 0;
        loop {
            let mut page = self.store.finished(feed.clone(), after, max).await?;
            page.finished.iter_mut().for_each(|finished| self.actions.name_as_now(&mut finished.operation));
            after = page.next;
            looked += 1;
            if !page.finished.is_empty() || self.is_draining() {
                return Ok(page);
            }
            match &mut held {
                // What is not let through is passed by; only so much of it for one answer.
                _ if page.more && looked < MOST_PAGES => {}
                Some((watch, timeout)) if !page.more => tokio::select! {
                    () = watch.changed() => looked = 0,
                    () = timeout => return Ok(page),
                },
                _ => return Ok(page),
            }
        }
    }

    /// Asks an operation to stop.
    ///
    /// # Errors
    /// If the store fails; the request may then have been noted or not.
    pub(crate) async fn cancel(&self, id: OperationId) -> Result<Signaled, StoreError> {
        self.store.signal(id, Signal::Cancel, self.clock.now()).await
    }

    /// Ends an operation at once, without clean-up.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn terminate(&self, id: OperationId) -> Result<Signaled, StoreError> {
        let problem = Problem {
            code: "terminated".to_owned(),
            message: "the operation was terminated by an operator".to_owned(),
            http_status: 409,
            details: None,
        };
        self.store.signal(id, Signal::End(Outcome::Canceled(problem)), self.clock.now()).await
    }

    /// Sends an event. `once`: by what it is recognised when it comes again.
    ///
    /// # Errors
    /// If the store fails; with `once` it is safe to send it again.
    pub(crate) async fn send_event(
        &self,
        id: OperationId,
        name: &str,
        body: Json,
        once: Option<EventKey>,
    ) -> Result<Signaled, StoreError> {
        let signal = Signal::Event { name: name.to_owned(), body, once, waiting: self.limits.waiting_events };
        self.store.signal(id, signal, self.clock.now()).await
    }

    /// What is to be said of an event before its body is, if anything is: it came before, or it comes too late.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn foresee_event(
        &self,
        id: OperationId,
        once: Option<EventKey>,
    ) -> Result<Option<Signaled>, StoreError> {
        self.store.foresee_event(id, once, self.limits.waiting_events).await
    }

    /// A page of operations, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn list(
        &self,
        filter: Filter,
        before: Option<Place>,
        max: usize,
    ) -> Result<Vec<Arc<Operation>>, StoreError> {
        let mut listed = self.store.list(filter, before, max).await?;
        listed.iter_mut().for_each(|operation| self.actions.name_as_now(operation));
        Ok(listed)
    }

    /// A page of an operation's journal.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn journal(
        &self,
        id: OperationId,
        after: Option<u64>,
        max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.store.history(id, after, max).await
    }

    /// The actions of active operations that this process does not know, and how many wait for each.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub(crate) async fn of_unknown_actions(&self) -> Result<Vec<(Arc<str>, u64)>, StoreError> {
        let active = self.store.active().await?.into_iter();
        let registry = self.registry();
        Ok(active.filter(|(action, _)| registry.find(action).is_none()).collect())
    }

    /// What an operator should look after in the store, in a sentence each.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.store.complaints()
    }

    /// From now on nothing is accepted, and nobody is held.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.watchers.all_changed();
    }

    /// Whether the server is going down.
    #[must_use]
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    // The store keeps the name that the action had at acceptance; nothing outside is to see more than one name.
    fn as_named_now(&self, found: Found) -> Found {
        match found {
            Found::Operation(mut operation) => {
                self.actions.name_as_now(&mut operation);
                Found::Operation(operation)
            }
            Found::Gone(mut tombstone) => {
                if let Some(name) = self.registry().renamed(&tombstone.action) {
                    Arc::make_mut(&mut tombstone).action = Arc::clone(name);
                }
                Found::Gone(tombstone)
            }
        }
    }

    fn active_limits(&self, action: &Registered) -> ActiveLimits {
        ActiveLimits {
            total: self.limits.active,
            action: action.settings().max_active,
            caller: self.limits.active_per_caller,
        }
    }

    /// Watches an operation from now on. A status that is pending comes out sooner while somebody waits for it.
    pub(crate) fn watch(&self, id: OperationId) -> Watch<OperationId> {
        let watch = self.watchers.watch(id);
        self.engine.hurry(id);
        watch
    }
}
