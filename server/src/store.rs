//! The port to whatever keeps operations. What each call returns is durable once it has returned.
//!
//! [`sqlite`] is the store inside; `conformance` (with the feature of that name) is the suite that every store passes,
//! and the port's real documentation.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use self::feed::{Feed, FeedPage, FeedPlace};
use crate::Json;
use crate::journal::{Entry, Record};
use crate::operation::{Operation, OperationId, Outcome, Published, State, Tombstone};
use crate::subscription::SecretUrl;

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod feed;
pub mod keys;
pub mod sqlite;
pub mod subscriptions;

/// What a store answers, later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Keeps operations and their journals.
///
/// Every write is conditional on the operation not having ended, so that an end, once seen, stays. No call has to be
/// awaited to take effect: a caller that drops the future may find the write done or not done, never half done.
pub trait Store: Send + Sync + 'static {
    /// Accepts a new operation together with its idempotency key, and gives it to this process.
    ///
    /// Once this returns [`Accepted::New`], the operation survives a crash and every reader finds it; before that,
    /// the caller must treat it as never accepted. Of many calls with one idempotency key, one is new.
    /// The same id again is a replay too, so that the call can be repeated.
    fn accept(&self, new: NewOperation) -> Answer<'_, Accepted>;

    /// What [`accept`](Self::accept) would answer instead of accepting such an operation now, without accepting it:
    /// [`Accepted::Replayed`], [`Accepted::KeyReused`], [`Accepted::Full`], or nothing.
    fn foresee(&self, candidate: Candidate) -> Answer<'_, Option<Accepted>>;

    /// Writes what a run has to say: its journal entries, its published status, its end; all or nothing.
    ///
    /// Appends of one claim are committed in the order of the calls. Once this returns [`Appended::Done`], the change
    /// is durable, and readers see it.
    fn append(&self, claim: Claim, change: Change) -> Answer<'_, Appended>;

    /// Tells an operation something from outside; from any process, whoever runs it.
    ///
    /// Once this returns, the signal is durable, and the owner will hear of it.
    fn signal(&self, id: OperationId, signal: Signal, now: Timestamp) -> Answer<'_, Signaled>;

    /// What [`signal`](Self::signal) would answer instead of writing such an event now, without writing it: anything but
    /// [`Signaled::Done`], or nothing. `waiting` is as in [`Signal::Event`].
    fn foresee_event(
        &self,
        id: OperationId,
        once: Option<EventKey>,
        waiting: u64,
    ) -> Answer<'_, Option<Signaled>>;

    /// The operation as it is now: never older than anything that any reader has been shown.
    fn read(&self, id: OperationId) -> Answer<'_, Option<Found>>;

    /// Up to `max` entries of a journal with a sequence above `after` (`None`: from the start), in order of commit.
    fn history(&self, id: OperationId, after: Option<u64>, max: usize) -> Answer<'_, Vec<Record>>;

    /// Takes up to `max` operations that nobody runs and that belong to one of `actions`, oldest first, with their
    /// whole journals. From now on, claims on them that were given earlier are fenced.
    ///
    /// An operation whose action is in no process's list waits, and shows `Running` once a claim has found fewer than
    /// `max`.
    fn claim(&self, actions: &[Arc<str>], max: usize) -> Answer<'_, Vec<Claimed>>;

    /// Whom to tell after a commit. Hints only: they may be lost or doubled, and come after the change is readable.
    /// Called before anything else; whoever is named hears everything.
    fn listen(&self, listener: Arc<dyn Listener>);

    /// Up to `max` operations that `filter` lets through, newest first, from after the place `before`.
    fn list(&self, filter: Filter, before: Option<Place>, max: usize) -> Answer<'_, Vec<Arc<Operation>>>;

    /// Up to `max` of what has ended and `feed` lets through, from after the place `after`, in the order of the commits:
    /// with the place that each page ends at, all pages together have each end exactly once.
    ///
    /// A page may have fewer than `max` although there is more: a store looks at so many ends at a time, and gives so
    /// many bytes. What is no longer kept is in no feed; an older place goes on with the oldest end that is kept, and
    /// one that is [past the end](Self::feed_end) (of another store, or of a time before this one was restored) at
    /// the end.
    fn finished(&self, feed: Feed, after: FeedPlace, max: usize) -> Answer<'_, FeedPage>;

    /// The place after everything that has ended: everything that a reader has been shown, and nothing that will end.
    fn feed_end(&self) -> Answer<'_, FeedPlace>;

    /// How many operations of each action are accepted and not ended; of actions that nobody knows, too.
    fn active(&self) -> Answer<'_, Vec<(Arc<str>, u64)>>;

    /// What an operator should look after, in a sentence each. Nothing, nearly always; never waits.
    fn complaints(&self) -> Vec<String> {
        Vec::new()
    }

    /// Does up to `max` of what is due by now: ends operations past their deadline, turns those past their
    /// retention into tombstones, and forgets tombstones. Says when to come back.
    fn sweep(&self, now: Timestamp, max: usize) -> Answer<'_, Swept>;

    /// Ends everything that is under way, makes it durable, and lets go of the data.
    fn close(&self) -> Answer<'_, ()>;
}

/// An operation to accept.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// Its first state. Its id begins with the time of its acceptance, unless it has a parent.
    pub operation: Operation,
    /// What the caller gave; the journal's first entry.
    pub input: Json,
    /// The caller's idempotency key.
    pub idempotency: Option<Idempotency>,
    /// How many operations may be active.
    pub limits: ActiveLimits,
    /// Who is told of its end.
    pub callback: Option<SecretUrl>,
}

/// What decides whether an operation would be accepted, except for its input.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The action that would be started.
    pub action: Arc<str>,
    /// Who would start it.
    pub caller: Arc<str>,
    /// The caller's idempotency key.
    pub idempotency: Option<Idempotency>,
    /// How many operations may be active.
    pub limits: ActiveLimits,
}

/// An idempotency key with its scope, and the content that it stands for; both hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// A hash over caller, action and key.
    pub key: [u8; 32],
    /// The same over the names that the action had. They may be bound from then; only `key` is bound from now on.
    pub former: Vec<[u8; 32]>,
    /// A keyed hash over the content, its order and spaces ignored.
    pub content: [u8; 32],
    /// An operation that was accepted before this no longer counts, and gives the key up to a new one. `None`: it counts
    /// for as long as it is kept.
    pub since: Option<Timestamp>,
}

/// How many operations may be accepted and not ended, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveLimits {
    /// In the whole store.
    pub total: u64,
    /// Of the action.
    pub action: u64,
    /// Of the caller.
    pub caller: u64,
}

/// The answer to an accept.
#[derive(Debug, Clone)]
pub enum Accepted {
    /// Accepted now, and this process runs it.
    New(Arc<Operation>, Claim),
    /// Accepted before, with the same key and content: the operation as it is now.
    Replayed(Found),
    /// The key stands for other content.
    KeyReused,
    /// A limit of active operations is reached.
    Full,
}

/// The right to run an operation, until somebody else claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The operation.
    pub operation: OperationId,
    /// Which run of it this is; opaque.
    pub run: u64,
}

/// What one append changes.
#[derive(Debug, Clone)]
pub struct Change {
    /// New journal entries.
    pub entries: Vec<Entry>,
    /// A new custom status or progress. `Some`, even if empty, also makes the operation `Running`.
    pub published: Option<Published>,
    /// The end.
    pub outcome: Option<Outcome>,
    /// When this is said.
    pub now: Timestamp,
}

/// The answer to an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable and readable.
    Done,
    /// Somebody else runs the operation now; nothing was written.
    Fenced,
    /// The operation has ended; nothing was written.
    AlreadyFinished,
}

/// Something to tell an operation.
#[derive(Debug, Clone)]
pub enum Signal {
    /// An event.
    Event {
        /// Its name.
        name: String,
        /// Its body.
        body: Json,
        /// By what it is recognised when it comes again.
        once: Option<EventKey>,
        /// How many events may wait to be taken, at most.
        waiting: u64,
    },
    /// A request to stop.
    Cancel,
    /// An end, at once: a deadline or an operator's termination.
    End(Outcome),
}

/// By what an event is recognised when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventKey {
    /// The key, within the operation.
    pub key: [u8; 32],
    /// A hash of the body.
    pub content: [u8; 32],
}

/// The answer to a signal.
#[derive(Debug, Clone)]
pub enum Signaled {
    /// Done: the operation as it is now.
    Done(Arc<Operation>),
    /// The event came before and nothing was done again: the operation as it is now.
    Repeated(Arc<Operation>),
    /// The operation had ended before.
    AlreadyFinished(Arc<Operation>),
    /// The event's key stands for another body.
    KeyReused,
    /// Too many events wait to be taken.
    TooManyEvents,
    /// There is no such operation.
    NotFound,
}

/// What a read finds.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The operation.
    Operation(Arc<Operation>),
    /// It is gone, but not forgotten.
    Gone(Arc<Tombstone>),
}

/// An operation to go on with.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The operation.
    pub operation: Arc<Operation>,
    /// The right to run it.
    pub claim: Claim,
    /// Its journal, from the first entry.
    pub history: Vec<Record>,
}

/// Hears what was committed. Called on the store's own thread: must return at once.
pub trait Listener: Send + Sync + 'static {
    /// What a poll of this operation shows has changed. If it has ended, the feed has grown by it.
    fn changed(&self, operation: &Arc<Operation>);
    /// An event or a cancel was written for this operation, or an end from outside.
    fn signaled(&self, id: OperationId);
    /// Something new falls due at this time.
    fn due(&self, at: Timestamp);
    /// A callback has become due.
    fn owed(&self) {}
}

/// Which operations to list. An absent part lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of one of these actions; of any, if there is none.
    pub actions: Vec<String>,
    /// In this state.
    pub state: Option<State>,
    /// Started by this caller.
    pub caller: Option<String>,
    /// With this tracking id.
    pub tracking_id: Option<String>,
    /// With this trace context.
    pub traceparent: Option<String>,
    /// Accepted at this time or later.
    pub created_from: Option<Timestamp>,
    /// Accepted before this time.
    pub created_before: Option<Timestamp>,
    /// Changed at this time or later.
    pub updated_from: Option<Timestamp>,
    /// Changed before this time.
    pub updated_before: Option<Timestamp>,
}

/// The place of an operation in listings: by the time of its acceptance, then by its id. It never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was accepted. Not what its id says: a child's begins with the time of its parent.
    pub created_at: Timestamp,
    /// Its name.
    pub id: OperationId,
}

impl Place {
    /// The place of that operation.
    #[must_use]
    pub fn of(operation: &Operation) -> Self {
        Self { created_at: operation.created_at, id: operation.id }
    }
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many operations it ended by their deadline.
    pub ended: usize,
    /// How many it turned into tombstones.
    pub purged: usize,
    /// How many tombstones it forgot.
    pub forgotten: usize,
    /// When the next thing is due; in the past if `max` was reached. `None`: nothing ever, as it stands.
    pub next: Option<Timestamp>,
}

/// The store cannot do it now, or cannot read what it has.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store is closed, or its writer has stopped.
    #[error("the store is closed")]
    Closed,
    /// The database refused.
    #[error("the database refused: {0}")]
    Database(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// Something stored cannot be read.
    #[error("the stored data of operation {id} cannot be read: {reason}")]
    Unreadable {
        /// The operation.
        id: OperationId,
        /// Why.
        reason: String,
    },
}
