//! What the writer knows of every active operation, so that it decides without asking the database.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;

use crate::operation::{Operation, OperationId};
use crate::store::feed::FeedPlace;
use crate::store::{ActiveLimits, Claim};

/// An active operation.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) operation: Arc<Operation>,
    /// Who may append; [`NOBODY`] until somebody claims it. One process has the directory, so that runs need not
    /// survive it.
    pub(super) run: u64,
    /// Unknown until it is needed: no journal is read for an operation that only waits for its deadline.
    pub(super) tail: Option<Tail>,
    /// Whether somebody is to be called back at its end.
    pub(super) callback: bool,
}

/// The run of an operation that nobody runs.
pub(super) const NOBODY: u64 = 0;

/// The end of a journal.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    /// The sequence of the next entry.
    pub(super) next: u64,
    /// How many events wait to be taken.
    pub(super) waiting: u64,
}

/// All active operations, with what this batch changed of them.
#[derive(Default)]
pub(super) struct Memory {
    live: HashMap<OperationId, Live>,
    unowned: BTreeSet<OperationId>,
    // Also where the one copy of each name is.
    actions: HashMap<Arc<str>, u64>,
    callers: HashMap<Arc<str>, u64>,
    runs: u64,
    undo: Vec<(OperationId, Option<Live>)>,
    pub(super) news: News,
    earliest: Option<Timestamp>,
    // Where the feed ends: with this batch, and without it.
    feed_end: FeedPlace,
    committed_end: FeedPlace,
}

/// What a batch changed and others will want to know once it is committed.
#[derive(Default)]
pub(super) struct News {
    /// Operations as they are now, and whether pollers see a difference.
    pub(super) operations: HashMap<OperationId, (Arc<Operation>, bool)>,
    pub(super) signaled: Vec<OperationId>,
    pub(super) purged: Vec<OperationId>,
    pub(super) due: Option<Timestamp>,
    pub(super) feed_end: FeedPlace,
    /// Whether a callback has become due.
    pub(super) owed: bool,
}

impl Memory {
    /// What a store has whose feed ends there, without its operations.
    pub(super) fn new(feed_end: FeedPlace) -> Self {
        Self { feed_end, committed_end: feed_end, ..Self::default() }
    }

    /// Takes an operation that the store has from before.
    pub(super) fn load(&mut self, operation: Operation) -> Arc<Operation> {
        let operation = self.share(operation);
        self.set(
            operation.id,
            Some(Live { operation: Arc::clone(&operation), run: NOBODY, tail: None, callback: false }),
        );
        operation
    }

    /// Somebody is to be called back at the end of an operation that the store has from before.
    pub(super) fn expect_callback(&mut self, id: OperationId) {
        if let Some(live) = self.live.get_mut(&id) {
            live.callback = true;
        }
    }

    pub(super) fn active(&self) -> usize {
        self.live.len()
    }

    pub(super) fn get(&self, id: OperationId) -> Option<&Live> {
        self.live.get(&id)
    }

    pub(super) fn ids(&self) -> Vec<OperationId> {
        self.live.keys().copied().collect()
    }

    /// How many operations nobody runs.
    pub(super) fn unowned_count(&self) -> usize {
        self.unowned.len()
    }

    /// Those that nobody runs, oldest first, from the one after `after` on.
    pub(super) fn unowned_after(&self, after: Option<OperationId>) -> impl Iterator<Item = &Live> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.unowned.range((begin, Bound::Unbounded)).filter_map(|id| self.live.get(id))
    }

    pub(super) fn is_full(&self, action: &str, caller: &str, limits: ActiveLimits) -> bool {
        let count = |counts: &HashMap<Arc<str>, u64>, name| counts.get(name).copied().unwrap_or(0);
        self.live.len() as u64 >= limits.total
            || count(&self.actions, action) >= limits.action
            || count(&self.callers, caller) >= limits.caller
    }

    pub(super) fn active_by_action(&self) -> Vec<(Arc<str>, u64)> {
        let active = self.actions.iter().filter(|(_, count)| **count > 0);
        active.map(|(action, count)| (Arc::clone(action), *count)).collect()
    }

    pub(super) fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    /// The operation with the store's own copies of its action's and its caller's name.
    pub(super) fn share(&self, mut operation: Operation) -> Arc<Operation> {
        let known = |names: &HashMap<Arc<str>, u64>, name: &Arc<str>| {
            let (known, _) = names.get_key_value(name).filter(|(known, _)| !Arc::ptr_eq(known, name))?;
            Some(Arc::clone(known))
        };
        if let Some(action) = known(&self.actions, &operation.action) {
            Arc::make_mut(&mut operation.origin).action = action;
        }
        if let Some(caller) = known(&self.callers, &operation.caller) {
            Arc::make_mut(&mut operation.origin).caller = caller;
        }
        Arc::new(operation)
    }

    /// Changes an operation, or takes it out, until [`roll_back`](Self::roll_back).
    pub(super) fn put(&mut self, id: OperationId, live: Option<Live>) {
        let before = self.set(id, live);
        self.undo.push((id, before));
    }

    /// Puts a new state of an operation, and takes the operation out if it has ended.
    pub(super) fn change(&mut self, live: Live) {
        let operation = Arc::clone(&live.operation);
        let id = operation.id;
        let ended = operation.state.is_terminal();
        if ended {
            self.due(operation.due_at());
        }
        self.news.operations.insert(id, (operation, true));
        self.put(id, (!ended).then_some(live));
    }

    /// A new operation: shown, but no change that anybody could wait for.
    pub(super) fn add(&mut self, operation: Arc<Operation>, callback: bool) -> Claim {
        let claim = Claim { operation: operation.id, run: self.next_run() };
        self.due(operation.due_at());
        self.news.operations.insert(operation.id, (Arc::clone(&operation), false));
        let tail = Some(Tail { next: 1, waiting: 0 });
        self.put(operation.id, Some(Live { operation, run: claim.run, tail, callback }));
        claim
    }

    /// A place for one end more, after all others.
    ///
    /// It has the time and a number in it: a place that somebody kept is before what ends later, also when the feed was
    /// emptied meanwhile, or the store was restored from a copy.
    pub(super) fn next_place(&mut self, now: Timestamp) -> FeedPlace {
        // A signed integer holds this until the last time there is.
        let by_time = now.as_millisecond().max(0).unsigned_abs() << 15;
        self.feed_end = FeedPlace::from_number(by_time.max(self.feed_end.number() + 1));
        self.feed_end
    }

    fn due(&mut self, at: Timestamp) {
        if self.news.due.is_none_or(|due| at < due) {
            self.news.due = Some(at);
        }
    }

    /// Knows, from a sweep, when the next thing is due.
    pub(super) fn expect(&mut self, next: Option<Timestamp>) {
        self.earliest = next;
        self.news.due = None;
    }

    /// The batch is committed: hands out what is new.
    pub(super) fn commit(&mut self) -> News {
        self.undo.clear();
        let mut news = std::mem::take(&mut self.news);
        // Only what is earlier than all that is known is worth a wake-up.
        news.due = news.due.filter(|due| self.earliest.is_none_or(|earliest| *due < earliest));
        self.earliest = news.due.or(self.earliest);
        self.committed_end = self.feed_end;
        news.feed_end = self.feed_end;
        news
    }

    /// The batch is not committed: everything is as it was before it.
    pub(super) fn roll_back(&mut self) {
        self.news = News::default();
        self.feed_end = self.committed_end;
        while let Some((id, live)) = self.undo.pop() {
            self.set(id, live);
        }
    }

    fn set(&mut self, id: OperationId, live: Option<Live>) -> Option<Live> {
        if let Some(live) = &live {
            count(&mut self.actions, &live.operation.action);
            count(&mut self.callers, &live.operation.caller);
            if live.run == NOBODY {
                self.unowned.insert(id);
            } else {
                self.unowned.remove(&id);
            }
        } else {
            self.unowned.remove(&id);
        }
        let before = match live {
            Some(live) => self.live.insert(id, live),
            None => self.live.remove(&id),
        };
        if let Some(before) = &before {
            uncount(&mut self.actions, &before.operation.action);
            uncount(&mut self.callers, &before.operation.caller);
        }
        before
    }
}

fn count(counts: &mut HashMap<Arc<str>, u64>, name: &Arc<str>) {
    *counts.entry(Arc::clone(name)).or_default() += 1;
}

fn uncount(counts: &mut HashMap<Arc<str>, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}
