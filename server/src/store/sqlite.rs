//! The store inside: SQLite in one directory, for one server process.
//!
//! One thread owns the connection that writes (`writer`): it takes everything that waits and commits it as one synced
//! transaction, so that the cost of a sync is shared, and nobody ever sees "database is locked". What an answer says
//! is durable, and what a reader sees is committed. Active and recently ended operations are read from memory.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::oneshot;

use self::reader::Query;
use self::shown::Shown;
use self::writer::{Write, plain};
use super::feed::{Feed, FeedPage, FeedPlace};
use super::keys::{KeyStore, StoredKey};
use super::subscriptions::{
    DeliveryFilter, DeliveryPlace, Due, Owed, Settled, Subscribed, SubscriptionChange, SubscriptionStore,
};
use super::{
    Accepted, Answer, Appended, Candidate, Change, Claim, Claimed, EventKey, Filter, Found, Listener,
    NewOperation, Place, Signal, Signaled, Store, StoreError, Swept,
};
use crate::delivery::{Delivery, DeliveryId};
use crate::journal::Record;
use crate::operation::{Operation, OperationId};
use crate::subscription::{Subscription, SubscriptionId};

mod accept;
mod append;
mod checkpoint;
mod claim;
mod deliveries;
mod feed;
mod gather;
mod keys;
mod list;
mod live;
mod open;
mod reader;
mod row;
mod schema;
mod shown;
mod signal;
mod subscriptions;
mod sweep;
mod writer;

pub use self::keys::SqliteKeys;
pub use self::open::OpenError;

/// What is called when the disk could not sync; see [`SqliteOptions::on_lost_sync`].
type LostSync = Arc<dyn Fn() + Send + Sync>;

/// The bytes of ended operations that are kept in memory, unless told otherwise: some 50,000 small ones.
const RECENT_BYTES: usize = 32 << 20;

/// Above this the WAL is worth a word to the operator: a busy writer leaves some 30 MiB between two checkpoints.
const LARGE_WAL: i64 = 256 << 20;

/// Where the store is, and how it behaves.
#[derive(Clone)]
pub struct SqliteOptions {
    directory: PathBuf,
    vfs: Option<String>,
    recent_bytes: usize,
    large_wal: i64,
    synced: bool,
    lost_sync: LostSync,
}

impl SqliteOptions {
    /// A store in `directory`, which is made if it is missing.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            vfs: None,
            recent_bytes: RECENT_BYTES,
            large_wal: LARGE_WAL,
            synced: true,
            lost_sync: Arc::new(|| std::process::abort()),
        }
    }

    /// Goes through the SQLite VFS of this name instead of the default one.
    #[must_use]
    pub fn vfs(mut self, name: impl Into<String>) -> Self {
        self.vfs = Some(name.into());
        self
    }

    /// Keeps up to about this many bytes of ended operations in memory, to answer polls from there.
    #[must_use]
    pub const fn recent_bytes(mut self, bytes: usize) -> Self {
        self.recent_bytes = bytes;
        self
    }

    /// Complains of a WAL of more than this many bytes. This is for tests.
    #[must_use]
    pub const fn large_wal(mut self, bytes: i64) -> Self {
        self.large_wal = bytes;
        self
    }

    /// Calls `hook` instead of aborting the process when a sync fails. The store is closed after that.
    ///
    /// A failed sync must stop the process: the kernel forgets what it could not write, so the next sync may succeed
    /// although the data is not there. Only a restart reads what is really on the disk. This is for tests.
    #[must_use]
    pub fn on_lost_sync(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.lost_sync = Arc::new(hook);
        self
    }

    /// Never syncs. Breaks every promise of the store; only for checking that a test notices that.
    #[doc(hidden)]
    #[must_use]
    pub const fn without_sync(mut self) -> Self {
        self.synced = false;
        self
    }
}

/// A store in one directory on the local disk, for one server process.
///
/// Dropping it ends its threads after what is under way; [`close`](Store::close) also tidies up the files.
pub struct SqliteStore {
    writes: mpsc::Sender<writer::Message>,
    reads: mpsc::Sender<reader::Message>,
    shown: Arc<Shown>,
    wal: Arc<checkpoint::WalLength>,
    large_wal: i64,
    // The last field: the thread ends when both senders are gone.
    _writer: Joined,
}

struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        // The last handle may be dropped by a listener, on the writer's own thread.
        if let Some(thread) =
            self.0.take().filter(|thread| thread.thread().id() != std::thread::current().id())
        {
            // A panic of that thread was reported by it.
            let _ = thread.join();
        }
    }
}

impl SqliteStore {
    /// Opens the store and makes what is missing. Blocks while it reads the active operations.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another server has it open; else if it cannot be read or made.
    pub fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        open::open(options)
    }

    /// Opens only the keys, also beside a running server.
    ///
    /// # Errors
    /// If the database cannot be read or made.
    pub fn open_keys(options: &SqliteOptions) -> Result<SqliteKeys, OpenError> {
        SqliteKeys::open(options)
    }

    /// Makes every active operation one that nobody runs, as if the process that ran them had stopped.
    ///
    /// The next [`claim`](Store::claim) gives them out again and fences all earlier claims. This is for tests.
    #[must_use]
    pub fn disown_all(&self) -> Answer<'_, ()> {
        self.write(claim::DisownAll)
    }

    fn write<W: Write>(&self, write: W) -> Answer<'static, W::Answer> {
        let (job, answer) = writer::job(write);
        // If the writer is gone, the job is dropped, and the answer says so.
        let _ = self.writes.send(job);
        answered(answer)
    }

    fn query<Q: Query>(&self, query: Q) -> Answer<'static, Q::Answer> {
        let (job, answer) = reader::job(query);
        let _ = self.reads.send(job);
        answered(answer)
    }
}

fn answered<T: Send + 'static>(answer: oneshot::Receiver<Result<T, StoreError>>) -> Answer<'static, T> {
    Box::pin(async move { answer.await.unwrap_or(Err(StoreError::Closed)) })
}

// What is to be written is handed over when the method is called, not when its future is polled: the order of the
// calls is the order of the commits. The queue has no bound of its own, since everything in it has a caller waiting
// for it, and callers are bounded by the limits on connections and active operations.
impl Store for SqliteStore {
    fn accept(&self, new: NewOperation) -> Answer<'_, Accepted> {
        self.write(new)
    }

    fn foresee(&self, candidate: Candidate) -> Answer<'_, Option<Accepted>> {
        self.write(candidate)
    }

    fn foresee_event(
        &self,
        id: OperationId,
        once: Option<EventKey>,
        waiting: u64,
    ) -> Answer<'_, Option<Signaled>> {
        self.write(signal::Foresee { id, once, waiting })
    }

    fn active(&self) -> Answer<'_, Vec<(Arc<str>, u64)>> {
        self.write(claim::CountActive)
    }

    fn append(&self, claim: Claim, change: Change) -> Answer<'_, Appended> {
        self.write(append::Append { claim, change })
    }

    fn signal(&self, id: OperationId, signal: Signal, now: Timestamp) -> Answer<'_, Signaled> {
        self.write(signal::Tell { id, signal, now })
    }

    fn read(&self, id: OperationId) -> Answer<'_, Option<Found>> {
        match self.shown.get(id) {
            Some(operation) => Box::pin(std::future::ready(Ok(Some(Found::Operation(operation))))),
            None => self.query(reader::Read { id }),
        }
    }

    fn history(&self, id: OperationId, after: Option<u64>, max: usize) -> Answer<'_, Vec<Record>> {
        self.query(reader::History { id, after, max })
    }

    fn claim(&self, actions: &[Arc<str>], max: usize) -> Answer<'_, Vec<Claimed>> {
        self.write(claim::Take { actions: actions.to_vec(), max })
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.shown.listen(listener);
    }

    fn list(&self, filter: Filter, before: Option<Place>, max: usize) -> Answer<'_, Vec<Arc<Operation>>> {
        self.query(list::List { filter, before, max })
    }

    fn finished(&self, feed: Feed, after: FeedPlace, max: usize) -> Answer<'_, FeedPage> {
        let end = self.shown.feed_end();
        self.query(feed::Read { feed, after: after.min(end), max })
    }

    fn feed_end(&self) -> Answer<'_, FeedPlace> {
        Box::pin(std::future::ready(Ok(self.shown.feed_end())))
    }

    fn complaints(&self) -> Vec<String> {
        self.wal.complaint(self.large_wal).into_iter().collect()
    }

    fn sweep(&self, now: Timestamp, max: usize) -> Answer<'_, Swept> {
        self.write(sweep::Sweep { now, max })
    }

    fn close(&self) -> Answer<'_, ()> {
        let (reply, answer) = oneshot::channel();
        let _ = self.writes.send(writer::Message::Close(reply));
        // Nobody answers if it is closed already, or being closed: the writer lets go of its queue at the very end.
        Box::pin(async move { answer.await.unwrap_or(Ok(())) })
    }
}

impl KeyStore for SqliteStore {
    fn keys(&self) -> Answer<'_, Vec<StoredKey>> {
        self.query(keys::AllKeys)
    }

    fn add_key(&self, key: StoredKey) -> Answer<'_, bool> {
        self.write(plain(move |connection| keys::add(connection, &key)))
    }

    fn revoke_keys(&self, name: &str, now: Timestamp) -> Answer<'_, usize> {
        let name = name.to_owned();
        self.write(plain(move |connection| keys::revoke(connection, &name, now)))
    }

    fn link_secrets(&self) -> Answer<'_, Vec<(u32, [u8; 32])>> {
        self.write(plain(keys::link_secrets))
    }

    fn content_secret(&self) -> Answer<'_, [u8; 32]> {
        self.write(plain(keys::content_secret))
    }
}

impl SubscriptionStore for SqliteStore {
    fn subscriptions(&self) -> Answer<'_, Vec<Subscription>> {
        self.query(subscriptions::All)
    }

    fn subscribe(&self, new: Subscription, most: u64) -> Answer<'_, Subscribed> {
        self.write(plain(move |connection| subscriptions::subscribe(connection, &new, most)))
    }

    fn unsubscribe(&self, id: SubscriptionId) -> Answer<'_, bool> {
        self.write(plain(move |connection| subscriptions::unsubscribe(connection, id)))
    }

    fn change(&self, id: SubscriptionId, change: SubscriptionChange) -> Answer<'_, Option<Subscription>> {
        self.write(plain(move |connection| subscriptions::change(connection, id, &change)))
    }

    fn owe(&self, owed: Owed, most: u64) -> Answer<'_, bool> {
        self.write(plain(move |connection| deliveries::owe(connection, &owed, most)))
    }

    fn due(&self, now: Timestamp, each: usize) -> Answer<'_, Due> {
        self.query(deliveries::FindDue { now, each })
    }

    fn settle(&self, id: DeliveryId, settled: Settled) -> Answer<'_, ()> {
        self.write(plain(move |connection| deliveries::settle(connection, id, &settled)))
    }

    fn deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<DeliveryPlace>,
        max: usize,
    ) -> Answer<'_, Vec<Delivery>> {
        self.query(deliveries::List { filter, before, max })
    }

    fn replay(&self, id: DeliveryId, now: Timestamp) -> Answer<'_, bool> {
        self.write(plain(move |connection| deliveries::replay(connection, id, now)))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}
