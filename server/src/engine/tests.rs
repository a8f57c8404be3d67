//! What a handler may rely on, whatever happens to the process: the conformance suite of an engine.

mod cancel;
mod children;
mod crash;
mod events;
mod follow;
mod halting;
mod left_children;
mod limits;
mod race;
mod steps;
mod storm;
mod time;
mod wild;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::mpsc;

use self::halting::{Halting, Place};
use super::{Engine, HandlerLimits, Parts};
use crate::action::{Action, Actions, Registry};
use crate::journal::{Entry, Record};
use crate::operation::{Operation, OperationId, State};
use crate::operations::{Limits, Operations, Start, Started};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Found, Store};
use crate::watch::Watchers;
use crate::{Clock, Json, ManualClock};

/// A disk, a clock, and the world outside, which outlive a process.
struct World {
    directory: TempDir,
    clock: ManualClock,
    effects: Effects,
}

/// What steps have done to the world outside.
#[derive(Clone, Default)]
struct Effects(Arc<Mutex<BTreeMap<String, u32>>>);

impl Effects {
    fn happen(&self, name: impl Into<String>) {
        *self.0.lock().unwrap().entry(name.into()).or_default() += 1;
    }

    fn count(&self, name: &str) -> u32 {
        self.0.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    fn total(&self) -> u32 {
        self.0.lock().unwrap().values().sum()
    }
}

/// A place where a step stops until it is let through, and tells that it got there.
#[derive(Clone)]
struct Gate {
    reached: mpsc::UnboundedSender<()>,
    arrivals: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>>,
    open: Arc<tokio::sync::Semaphore>,
}

impl Gate {
    fn closed() -> Self {
        let (reached, arrivals) = mpsc::unbounded_channel();
        Self {
            reached,
            arrivals: Arc::new(tokio::sync::Mutex::new(arrivals)),
            open: Arc::new(tokio::sync::Semaphore::new(0)),
        }
    }

    async fn pass(&self) {
        let _ = self.reached.send(());
        self.open.acquire().await.unwrap().forget();
    }

    async fn reached(&self) {
        self.arrivals.lock().await.recv().await.unwrap();
    }

    fn open(&self) {
        self.open.add_permits(10_000);
    }
}

/// A process of raincheck, without its HTTP.
struct Process {
    engine: Engine,
    store: Arc<SqliteStore>,
    /// The same store, as the engine sees it.
    halting: Arc<Halting>,
    operations: Arc<Operations>,
    clock: ManualClock,
}

impl World {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            clock: ManualClock::at("2026-11-24T08:00:00Z".parse().unwrap()),
            effects: Effects::default(),
        }
    }

    /// Starts a process that knows these actions.
    async fn boot(&self, register: impl FnOnce(&mut Registry)) -> Process {
        self.boot_with(HandlerLimits::default(), register).await
    }

    async fn boot_with(&self, limits: HandlerLimits, register: impl FnOnce(&mut Registry)) -> Process {
        let process = self.load(limits, register);
        process.engine.recover().await.unwrap();
        process
    }

    /// A process that has not taken up anything yet.
    fn load(&self, limits: HandlerLimits, register: impl FnOnce(&mut Registry)) -> Process {
        let mut registry = Registry::default();
        register(&mut registry);
        let registry = Arc::new(Actions::new(registry));
        let store = Arc::new(SqliteStore::open(SqliteOptions::new(self.directory.path())).unwrap());
        let halting = Arc::new(Halting::new(store.clone()));
        let watchers = Watchers::default();
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let engine = Engine::new(Parts {
            store: halting.clone(),
            actions: registry.clone(),
            watchers: watchers.clone(),
            clock: clock.clone(),
            event_url: Box::new(|operation, name| format!("https://example.com/{}/{name}", operation.id)),
            limits,
        })
        .unwrap();
        let operations =
            Operations::new(store.clone(), engine.clone(), registry, watchers, clock, Limits::default(), 1);
        Process { engine, store, halting, operations: Arc::new(operations), clock: self.clock.clone() }
    }
}

impl Process {
    /// The process is gone, in the middle of whatever it did.
    async fn crash(self) {
        self.engine.owner.stop();
        self.store.close().await.unwrap();
    }

    async fn start<A: Action>(&self, input: impl serde::Serialize) -> OperationId {
        let action = self.operations.registry().find(A::NAME).unwrap().clone();
        let start = Start {
            caller: "tester".into(),
            input: Json::of(&input).unwrap(),
            idempotency: None,
            tracking_id: None,
            traceparent: None,
            callback: None,
        };
        match self.operations.start(&action, start).await.unwrap() {
            Started::New(operation) => operation.id,
            Started::Replayed(_) => unreachable!("there is no idempotency key"),
        }
    }

    async fn read(&self, id: OperationId) -> Arc<Operation> {
        match self.operations.read(id).await.unwrap() {
            Some(Found::Operation(operation)) => operation,
            other => panic!("{id}: {other:?}"),
        }
    }

    /// Waits until the operation is as it should be. The clock stands still meanwhile.
    async fn until(&self, id: OperationId, enough: impl Fn(&Operation) -> bool) -> Arc<Operation> {
        let waiting = self.operations.wait(id, Timestamp::MAX, enough);
        match tokio::time::timeout(Duration::from_secs(20), waiting).await {
            Ok(Ok(Some(Found::Operation(operation)))) => operation,
            other => panic!("{id}: {other:?}; {:#?}", self.read(id).await),
        }
    }

    async fn ended(&self, id: OperationId) -> Arc<Operation> {
        self.until(id, |operation| operation.state.is_terminal()).await
    }

    async fn output<T: serde::de::DeserializeOwned>(&self, id: OperationId) -> T {
        let ended = self.ended(id).await;
        assert_eq!(ended.state, State::Succeeded, "{:?}", ended.problem);
        ended.output.as_ref().unwrap().read().unwrap()
    }

    async fn journal(&self, id: OperationId) -> Vec<Entry> {
        let records = self.operations.journal(id, None, 1_000).await.unwrap();
        records.into_iter().map(|Record { entry, .. }| entry).collect()
    }

    /// Waits until the journal is as it should be. Journal entries make no noise, so this asks again and again.
    async fn until_journal(&self, id: OperationId, enough: impl Fn(&[Entry]) -> bool) {
        let waiting = async {
            while !enough(&self.journal(id).await) {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), waiting).await.is_err() {
            panic!("{id}: {:#?}", self.journal(id).await);
        }
    }

    /// Waits until the clock has that many sleepers who wait for this engine's timers, then moves it.
    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// Registers an action with the shortest retention that a test wants.
fn register<A: Action>(registry: &mut Registry, action: A) {
    registry.register(action, Duration::ZERO).unwrap();
}
