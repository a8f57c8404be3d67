//! What a run writes.

use std::sync::Arc;

use jiff::Timestamp;

use super::StoreError;
use super::feed;
use super::live::{Live, Tail};
use super::row;
use super::writer::{Tx, Write};
use crate::journal::{Completion, Entry};
use crate::operation::{OperationId, Outcome};
use crate::store::{Appended, Change, Claim};

/// [`Store::append`](crate::store::Store::append).
pub(super) struct Append {
    pub(super) claim: Claim,
    pub(super) change: Change,
}

impl Write for Append {
    type Answer = Appended;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Appended, StoreError> {
        let Claim { operation: id, run } = self.claim;
        let Change { entries, published, outcome, now } = &self.change;
        // All active operations are in memory.
        let Some(live) = tx.memory.get(id) else { return Ok(Appended::AlreadyFinished) };
        if live.run != run {
            return Ok(Appended::Fenced);
        }
        let mut live = live.clone();
        for entry in entries {
            journal(tx, &mut live, entry, *now)?;
        }
        if published.is_none() && outcome.is_none() {
            tx.memory.put(id, Some(live));
            return Ok(Appended::Done);
        }
        let operation = Arc::make_mut(&mut live.operation);
        if let Some(published) = published {
            operation.publish(published.clone(), *now);
        }
        if let Some(outcome) = outcome {
            operation.finish(outcome.clone(), *now);
        }
        if outcome.is_some() {
            feed::finish(tx, &live)?;
        } else {
            row::update(tx.connection, operation)?;
        }
        tx.memory.change(live);
        Ok(Appended::Done)
    }

    fn size(&self) -> usize {
        let results = self.change.entries.iter().map(|entry| match entry {
            Entry::Step { result: Completion::Value(value), .. }
            | Entry::ChildEnded { result: Completion::Value(value), .. } => value.get().len(),
            _ => 0,
        });
        let output = match &self.change.outcome {
            Some(Outcome::Succeeded(output)) => output.get().len(),
            _ => 0,
        };
        results.sum::<usize>() + output
    }
}

/// Adds an entry to the journal of an operation.
pub(super) fn journal(tx: &Tx<'_>, live: &mut Live, entry: &Entry, now: Timestamp) -> Result<(), StoreError> {
    let id = live.operation.id;
    let mut tail = tail(tx, live)?;
    row::insert_entry(tx.connection, id, tail.next, now, entry)?;
    tail.add(entry);
    live.tail = Some(tail);
    Ok(())
}

/// The end of an operation's journal, read if it is not known yet.
pub(super) fn tail(tx: &Tx<'_>, live: &Live) -> Result<Tail, StoreError> {
    match live.tail {
        Some(tail) => Ok(tail),
        None => read_tail(tx, live.operation.id),
    }
}

fn read_tail(tx: &Tx<'_>, id: OperationId) -> Result<Tail, StoreError> {
    let mut statement = tx
        .connection
        .prepare_cached("SELECT sequence, at, entry FROM journal WHERE operation = ?1 ORDER BY sequence")?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut tail = Tail { next: 0, waiting: 0 };
    while let Some(row) = rows.next()? {
        tail.add(&row::record(row, 0, id)?.entry);
    }
    Ok(tail)
}

impl Tail {
    /// Counts one entry more.
    pub(super) fn add(&mut self, entry: &Entry) {
        self.next += 1;
        match entry {
            Entry::Event { .. } => self.waiting += 1,
            Entry::Taken { .. } => self.waiting = self.waiting.saturating_sub(1),
            _ => {}
        }
    }
}
