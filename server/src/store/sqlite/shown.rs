//! What readers see without asking the database: committed operations, active or ended not long ago.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use crate::operation::{Operation, OperationId, Origin};
use crate::store::Listener;
use crate::store::feed::FeedPlace;

/// Enough that readers on a few cores rarely meet the writer.
const SHARDS: usize = 64;

type Shard = RwLock<HashMap<OperationId, Arc<Operation>>>;

pub(super) struct Shown {
    shards: [Shard; SHARDS],
    listeners: RwLock<Vec<Arc<dyn Listener>>>,
    feed_end: AtomicU64,
    // How many commits have begun, and how many of them are shown: between the two, a query of the database sees
    // more than the map does.
    begun: AtomicU64,
    published: Mutex<u64>,
    publication: Condvar,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Shard::default()),
            listeners: RwLock::default(),
            feed_end: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            published: Mutex::new(0),
            publication: Condvar::new(),
        }
    }
}

impl Shown {
    pub(super) fn get(&self, id: OperationId) -> Option<Arc<Operation>> {
        self.shard(id).read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(super) fn show(&self, operation: Arc<Operation>) {
        let shard = self.shard(operation.id);
        shard.write().unwrap_or_else(PoisonError::into_inner).insert(operation.id, operation);
    }

    pub(super) fn hide(&self, id: OperationId) {
        self.shard(id).write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    pub(super) fn feed_end(&self) -> FeedPlace {
        FeedPlace::from_number(self.feed_end.load(Ordering::Acquire))
    }

    pub(super) fn show_feed_end(&self, place: FeedPlace) {
        self.feed_end.store(place.number(), Ordering::Release);
    }

    pub(super) fn listen(&self, listener: Arc<dyn Listener>) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    pub(super) fn each_listener(&self, tell: impl Fn(&dyn Listener)) {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(|listener| tell(&**listener));
    }

    /// A commit begins: queries may see it from now on.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// Everything up to the last [`begin`](Self::begin) is shown, or was rolled back.
    pub(super) fn published(&self) {
        *self.lock() = self.begun.load(Ordering::SeqCst);
        self.publication.notify_all();
    }

    /// Nothing will be shown any more: lets everybody go who waits for it.
    pub(super) fn end(&self) {
        *self.lock() = u64::MAX;
        self.publication.notify_all();
    }

    /// Waits until everything that a query may have seen by now is shown, so that nobody who is told of it reads
    /// something older afterwards.
    pub(super) fn catch_up(&self) {
        let begun = self.begun.load(Ordering::SeqCst);
        let published = self.lock();
        drop(self.publication.wait_while(published, |published| *published < begun));
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, id: OperationId) -> &Shard {
        // The last byte of an id is random.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }
}

/// Which ended operations are still in memory: the last ones to end, up to a number of bytes.
pub(super) struct Recent {
    queue: VecDeque<(OperationId, usize)>,
    bytes: usize,
    limit: usize,
}

impl Recent {
    pub(super) const fn new(limit: usize) -> Self {
        Self { queue: VecDeque::new(), bytes: 0, limit }
    }

    /// Remembers an operation that has just ended, and takes the oldest ones out of `shown` to make room.
    pub(super) fn add(&mut self, operation: &Operation, shown: &Shown) {
        let bytes = weight(operation);
        self.queue.push_back((operation.id, bytes));
        self.bytes += bytes;
        while self.bytes > self.limit
            && let Some((id, bytes)) = self.queue.pop_front()
        {
            self.bytes -= bytes;
            shown.hide(id);
        }
    }
}

fn weight(operation: &Operation) -> usize {
    let json =
        [&operation.output, &operation.custom_status].into_iter().flatten().map(|json| json.get().len());
    // What the maps and the small strings take beside.
    size_of::<Operation>() + size_of::<Origin>() + 256 + json.sum::<usize>()
}
