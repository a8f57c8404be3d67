//! What an operation is told from outside.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::append::{journal, tail};
use super::feed;
use super::row;
use super::writer::{Tx, Write};
use crate::journal::Entry;
use crate::operation::{Operation, OperationId, State};
use crate::store::{EventKey, Found, Signal, Signaled};

/// [`Store::signal`](crate::store::Store::signal).
pub(super) struct Tell {
    pub(super) id: OperationId,
    pub(super) signal: Signal,
    pub(super) now: Timestamp,
}

impl Write for Tell {
    type Answer = Signaled;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Signaled, StoreError> {
        let Self { id, signal, now } = self;
        let id = *id;
        if let Signal::Event { once, waiting, .. } = signal
            && let Some(refused) = refused(tx, id, once.as_ref(), *waiting)?
        {
            return Ok(refused);
        }
        let Some(live) = tx.memory.get(id) else {
            return Ok(found(tx, id)?.map_or(Signaled::NotFound, Signaled::AlreadyFinished));
        };
        let mut live = live.clone();
        match signal {
            Signal::Event { name, body, once, waiting: _ } => {
                if let Some(EventKey { key, content }) = once {
                    tx.connection
                        .prepare_cached(
                            "INSERT INTO event_key (operation, key, content) VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![id.as_bytes(), key, content])?;
                }
                let entry = Entry::Event { name: name.clone(), body: body.clone() };
                journal(tx, &mut live, &entry, *now)?;
                let operation = Arc::clone(&live.operation);
                tx.memory.put(id, Some(live));
                tx.memory.news.signaled.push(id);
                return Ok(Signaled::Done(operation));
            }
            Signal::Cancel if live.operation.state == State::Canceling => {
                return Ok(Signaled::Done(live.operation));
            }
            Signal::Cancel => {
                journal(tx, &mut live, &Entry::CancelRequested, *now)?;
                Arc::make_mut(&mut live.operation).cancel(*now);
                row::update(tx.connection, &live.operation)?;
            }
            Signal::End(outcome) => {
                Arc::make_mut(&mut live.operation).finish(outcome.clone(), *now);
                feed::finish(tx, &live)?;
            }
        }
        let operation = Arc::clone(&live.operation);
        tx.memory.change(live);
        tx.memory.news.signaled.push(id);
        Ok(Signaled::Done(operation))
    }

    fn size(&self) -> usize {
        match &self.signal {
            Signal::Event { body, .. } => body.get().len(),
            Signal::Cancel | Signal::End(_) => 0,
        }
    }
}

/// [`Store::foresee_event`](crate::store::Store::foresee_event). Asked of the writer, so that it sees what is being written.
pub(super) struct Foresee {
    pub(super) id: OperationId,
    pub(super) once: Option<EventKey>,
    pub(super) waiting: u64,
}

impl Write for Foresee {
    type Answer = Option<Signaled>;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<Signaled>, StoreError> {
        refused(tx, self.id, self.once.as_ref(), self.waiting)
    }
}

/// The answer to an event that is not to be written.
fn refused(
    tx: &Tx<'_>,
    id: OperationId,
    once: Option<&EventKey>,
    waiting: u64,
) -> Result<Option<Signaled>, StoreError> {
    // A repeated event is recognised also when the first one has ended the operation meanwhile.
    if let Some(once) = once
        && let Some(content) = earlier(tx.connection, id, once)?
    {
        if content != once.content {
            return Ok(Some(Signaled::KeyReused));
        }
        return Ok(Some(found(tx, id)?.map_or(Signaled::NotFound, Signaled::Repeated)));
    }
    let Some(live) = tx.memory.get(id) else {
        return Ok(Some(found(tx, id)?.map_or(Signaled::NotFound, Signaled::AlreadyFinished)));
    };
    Ok((tail(tx, live)?.waiting >= waiting).then_some(Signaled::TooManyEvents))
}

/// The content of an earlier event with this key.
fn earlier(connection: &Connection, id: OperationId, once: &EventKey) -> rusqlite::Result<Option<[u8; 32]>> {
    connection
        .prepare_cached("SELECT content FROM event_key WHERE operation = ?1 AND key = ?2")?
        .query_row(params![id.as_bytes(), once.key], |row| row.get(0))
        .optional()
}

fn found(tx: &Tx<'_>, id: OperationId) -> Result<Option<Arc<Operation>>, StoreError> {
    if let Some(live) = tx.memory.get(id) {
        return Ok(Some(Arc::clone(&live.operation)));
    }
    match row::find(tx.connection, id)? {
        Some(Found::Operation(operation)) => Ok(Some(operation)),
        Some(Found::Gone(_)) | None => Ok(None),
    }
}
