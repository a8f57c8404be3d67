//! Runs operations: each handler is a task on a runtime of its own, with a journal that lets another run go on where
//! this one stopped.
//!
//! Reading order: `recovery` and `supervise` (an operation from its start to its end), `run` and `core` (the state of
//! one run), `port` and `commands` (what its handler may ask, and the rules of that), `drive` and `send` (polls the
//! handler and sends what was decided to the store), `outcome` (how it ended), `replay` (hands over what an earlier
//! run learned), `children`, `timers`, `sweeper` (ends what is overdue), `ears` (hears the store).

mod bell;
mod children;
mod commands;
mod core;
mod drive;
mod ears;
mod outcome;
mod permits;
mod port;
mod recovery;
mod replay;
mod run;
mod send;
mod supervise;
mod sweeper;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use self::core::{Core, Queued};
use self::drive::Driver;
use self::ears::Ears;
use self::permits::Permits;
use self::run::Run;
use self::sweeper::Sweeper;
use self::timers::Timers;
use crate::Json;
use crate::action::{Actions, Registered, Registry};
use crate::clock::{Clock, after};
use crate::operation::{Operation, OperationId, Origin, State};
use crate::store::{Accepted, Claim, NewOperation, Store, StoreError};
use crate::watch::Watchers;

/// Makes the URL that lets its holder send an event to an operation.
pub(crate) type EventUrl = Box<dyn Fn(&Origin, &str) -> String + Send + Sync>;

/// Sizes that a handler may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandlerLimits {
    /// Bytes of an output or of a step's result.
    pub(crate) result_bytes: usize,
    /// Bytes of a custom status.
    pub(crate) status_bytes: usize,
    /// Entries of a journal.
    pub(crate) journal_entries: usize,
}

impl Default for HandlerLimits {
    fn default() -> Self {
        Self { result_bytes: 1 << 20, status_bytes: 16 << 10, journal_entries: 10_000 }
    }
}

/// A pending status is shown this soon while somebody waits for it, and this late when nobody does.
const FLUSH_SOON: Duration = Duration::from_millis(50);
const FLUSH_LATE: Duration = Duration::from_secs(1);

/// How many operations are taken over at a time: few enough that what is read of them is still in the processor's cache
/// when they are run.
const CLAIM: usize = 2_048;

/// After a failed write: how long until the store is tried again, at first and at most.
const STORE_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_STORE_PAUSE: Duration = Duration::from_secs(15);

/// Runs operations. When the last handle is dropped, everything stops where it is.
#[derive(Clone)]
pub(crate) struct Engine {
    inner: Arc<Inner>,
    owner: Arc<Owner>,
}

/// Owns what an engine has started.
struct Owner {
    inner: Arc<Inner>,
    /// Taken out to be shut down without blocking.
    handlers: Mutex<Option<Runtime>>,
    services: Vec<AbortHandle>,
}

impl Owner {
    fn stop(&self) {
        self.services.iter().for_each(AbortHandle::abort);
        let handlers = self.handlers.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handlers) = handlers {
            handlers.shutdown_background();
        }
        // Runs point back to the engine.
        let runs = std::mem::take(&mut *self.inner.runs());
        drop(runs);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) struct Inner {
    store: Arc<dyn Store>,
    actions: Arc<Actions>,
    watchers: Watchers,
    clock: Arc<dyn Clock>,
    event_url: EventUrl,
    limits: HandlerLimits,
    timers: Arc<Timers>,
    sweeper: Arc<Sweeper>,
    permits: Permits,
    runs: Mutex<HashMap<OperationId, Running>>,
    count: watch::Sender<usize>,
    /// The process is going down: what begins now, such as a start that was being accepted, runs no step any more.
    /// Changes under the lock of `runs`.
    draining: AtomicBool,
    /// Operations are being taken over: what is heard of any is noted. Changes under the lock of `runs`.
    recovering: AtomicBool,
    /// Where handlers run: a runtime of their own, so that one that blocks cannot hold up anything else.
    handlers: Handle,
    /// Where everything else runs: accepting, timers, the sweeper.
    services: Handle,
}

/// An operation that this process runs, or is about to.
#[derive(Default)]
struct Running {
    run: Option<Arc<Run>>,
    /// How many calls are accepting it: a call can be repeated before it is answered.
    accepting: u32,
    /// What was heard of it before it ran.
    signaled: bool,
    ended: bool,
}

/// What an engine works with.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) actions: Arc<Actions>,
    pub(crate) watchers: Watchers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) event_url: EventUrl,
    pub(crate) limits: HandlerLimits,
}

impl Engine {
    /// An engine with a runtime of its own for handlers; everything else runs on the current one.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub(crate) fn new(parts: Parts) -> std::io::Result<Self> {
        let handlers = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("raincheck-handler")
            .build()?;
        let services = Handle::current();
        let Parts { store, actions, watchers, clock, event_url, limits } = parts;
        let permits = Permits::of(&actions.now());
        let inner = Arc::new(Inner {
            actions,
            watchers,
            event_url,
            limits,
            timers: Arc::default(),
            sweeper: Arc::default(),
            permits,
            runs: Mutex::default(),
            count: watch::Sender::new(0),
            draining: AtomicBool::new(false),
            recovering: AtomicBool::new(false),
            handlers: handlers.handle().clone(),
            services,
            store,
            clock,
        });
        inner.store.listen(Arc::new(Ears(Arc::downgrade(&inner))));
        let timers = Arc::clone(&inner.timers).run(Arc::clone(&inner.clock));
        let sweeper = Arc::clone(&inner.sweeper).run(Arc::clone(&inner.store), Arc::clone(&inner.clock));
        let services =
            vec![inner.services.spawn(timers).abort_handle(), inner.services.spawn(sweeper).abort_handle()];
        let owner = Owner { inner: Arc::clone(&inner), handlers: Mutex::new(Some(handlers)), services };
        Ok(Self { inner, owner: Arc::new(owner) })
    }

    /// Accepts an operation and runs it: in a task of its own, so that a caller who hangs up changes nothing.
    ///
    /// # Errors
    /// The store's; nothing was accepted then.
    pub(crate) async fn submit(
        &self,
        action: Arc<Registered>,
        new: NewOperation,
    ) -> Result<Accepted, StoreError> {
        self.inner.submit(action, new).await
    }

    /// Goes by these actions from now on, and takes up what waited for those among them that were not known before. An
    /// operation that runs goes on with the action that it began with.
    ///
    /// # Errors
    /// If the store cannot be read; the actions are the new ones all the same.
    pub(crate) async fn follow(&self, registry: Registry) -> Result<usize, StoreError> {
        self.inner.permits.follow(&registry);
        self.inner.actions.replace(registry);
        self.recover().await
    }

    /// Shows a pending status of `id` soon: somebody waits for it.
    pub(crate) fn hurry(&self, id: OperationId) {
        let run = self.inner.runs().get(&id).and_then(|running| running.run.clone());
        if let Some(run) = run {
            let mut core = run.core();
            if core.published.is_some() {
                let soon = after(self.inner.clock.now(), FLUSH_SOON);
                run.flush_by(&mut core, soon);
            }
        }
    }

    /// How many operations this process runs.
    pub(crate) fn running(&self) -> usize {
        *self.inner.count.borrow()
    }

    /// Lets running steps end and their results be written, for as long as `patience`; starts nothing new. What has not
    /// ended goes on in the next process.
    pub(crate) async fn shut_down(&self, patience: Duration) {
        // Under the lock: each run is either among these, or begins with the flag up.
        let runs: Vec<_> = {
            let runs = self.inner.runs();
            self.inner.draining.store(true, Ordering::Release);
            runs.values().filter_map(|running| running.run.clone()).collect()
        };
        for run in &runs {
            run.core().draining = true;
            run.bell.ring();
        }
        drop(runs);
        let mut count = self.inner.count.subscribe();
        if tokio::time::timeout(patience, count.wait_for(|count| *count == 0)).await.is_err() {
            tracing::warn!(
                operations = self.running(),
                "steps are still running; they will run again after the restart"
            );
        }
        self.owner.stop();
    }
}

impl Inner {
    async fn submit(
        self: &Arc<Self>,
        action: Arc<Registered>,
        new: NewOperation,
    ) -> Result<Accepted, StoreError> {
        let (tell, told) = oneshot::channel();
        let inner = Arc::clone(self);
        self.services.spawn(async move {
            let (accepted, started) = inner.accept(action, new).await;
            if let Some((run, input)) = started {
                inner.supervise(Driver::new(run, input, None));
            }
            // Whoever asked may be gone.
            let _ = tell.send(accepted);
        });
        told.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Accepts, and takes note of the operation before anyone can send it a signal.
    async fn accept(
        self: &Arc<Self>,
        action: Arc<Registered>,
        new: NewOperation,
    ) -> (Result<Accepted, StoreError>, Option<(Arc<Run>, Json)>) {
        let id = new.operation.id;
        let input = new.input.clone();
        self.runs().entry(id).or_default().accepting += 1;
        let accepted = self.store.accept(new).await;
        let started = match &accepted {
            Ok(Accepted::New(operation, claim)) => {
                metrics::counter!("raincheck_operations_accepted_total", "action" => Arc::clone(action.name()))
                    .increment(1);
                let core = Core::new([].into(), [].into(), 1);
                Some((self.begin(action, Arc::clone(operation), *claim, core), input))
            }
            _ => None,
        };
        let mut runs = self.runs();
        if let Some(running) = runs.get_mut(&id) {
            running.accepting -= 1;
            // A replay of an operation that runs here, or is about to, must leave it there.
            if running.run.is_none() && running.accepting == 0 {
                runs.remove(&id);
                // Another run may have been counted while this was among them.
                self.counted(&runs);
            }
        }
        drop(runs);
        (accepted, started)
    }

    fn begin(
        self: &Arc<Self>,
        action: Arc<Registered>,
        operation: Arc<Operation>,
        claim: Claim,
        mut core: Core,
    ) -> Arc<Run> {
        let id = operation.id;
        if operation.state == State::NotStarted {
            // Here, and not when its task gets to run: tasks do not start in the order in which they were spawned.
            core.turn = self.permit(action.name());
        }
        let run = Run::new(Arc::clone(self), action, &operation, claim, core);
        let mut runs = self.runs();
        let running = runs.entry(id).or_default();
        run.signaled.store(running.signaled, Ordering::Release);
        run.ended.store(running.ended, Ordering::Release);
        run.core().draining = self.draining.load(Ordering::Acquire);
        running.run = Some(Arc::clone(&run));
        self.counted(&runs);
        drop(runs);
        run
    }

    /// Told under the lock, so that the last one told is the last one true. A recovery tells once, at its end.
    fn counted(&self, runs: &HashMap<OperationId, Running>) {
        if self.recovering.load(Ordering::Relaxed) {
            return;
        }
        metrics::gauge!("raincheck_operations_running").set(runs.len() as f64);
        self.count.send_replace(runs.len());
    }

    /// Takes note of what was heard of an operation that runs here, or is about to.
    fn heard(&self, id: OperationId, note: impl FnOnce(&mut Running)) {
        let mut runs = self.runs();
        if self.recovering.load(Ordering::Relaxed) {
            note(runs.entry(id).or_default());
        } else if let Some(running) = runs.get_mut(&id) {
            note(running);
        }
    }

    fn is_limited(&self, action: &str) -> bool {
        self.permits.is_limited(action)
    }

    /// The right to run a step of `action`, first come first served: its place in the queue is that of this call.
    fn permit(&self, action: &str) -> Option<Queued> {
        self.permits.queue(action)
    }

    /// When a status that is published now is to be shown.
    fn flush_time(&self, id: OperationId) -> Timestamp {
        let delay = if self.watchers.is_watched(id) { FLUSH_SOON } else { FLUSH_LATE };
        after(self.clock.now(), delay)
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<OperationId, Running>> {
        // Nothing in here can be left half done by a panic.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
