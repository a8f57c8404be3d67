//! Accepting an operation.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::deliveries;
use super::row;
use super::writer::{Tx, Write};
use crate::journal::Entry;
use crate::operation::OperationId;
use crate::store::{Accepted, Candidate, Found, Idempotency, NewOperation};

impl Write for NewOperation {
    type Answer = Accepted;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Accepted, StoreError> {
        let Self { operation, input, idempotency, limits, callback } = self;
        let id = operation.id;
        if let Some(live) = tx.memory.get(id) {
            return Ok(Accepted::Replayed(Found::Operation(live.operation.clone())));
        }
        // A replay is answered even when nothing new is accepted, so the key comes before the limits.
        let full = tx.memory.is_full(&operation.action, &operation.caller, *limits);
        if let Some(idempotency) = idempotency
            && let Some(accepted) = replay_former(tx.connection, idempotency)?
        {
            return Ok(accepted);
        }
        if let Some(idempotency) = idempotency
            && (full || !remember(tx.connection, idempotency, id)?)
            && let Some(accepted) = replay(tx.connection, &idempotency.key, idempotency)?
        {
            return Ok(accepted);
        }
        if full {
            return Ok(row::find(tx.connection, id)?.map_or(Accepted::Full, Accepted::Replayed));
        }
        let operation = tx.memory.share(operation.clone());
        let key = idempotency.as_ref().map(|idempotency| &idempotency.key);
        if !row::insert(tx.connection, &operation, key)? {
            // The same call again after the operation has ended, or one with another key: that one is not bound.
            if let Some(key) = key {
                tx.connection
                    .prepare_cached("DELETE FROM idempotency WHERE key = ?1 AND operation = ?2")?
                    .execute(params![key, id.as_bytes()])?;
            }
            return Ok(row::find(tx.connection, id)?.map_or(Accepted::Full, Accepted::Replayed));
        }
        row::insert_entry(
            tx.connection,
            id,
            0,
            operation.created_at,
            &Entry::Accepted { input: input.clone() },
        )?;
        if let Some(url) = callback {
            deliveries::expect(tx.connection, &operation, url)?;
        }
        let claim = tx.memory.add(operation.clone(), callback.is_some());
        Ok(Accepted::New(operation, claim))
    }

    fn size(&self) -> usize {
        self.input.get().len()
    }
}

/// Asked of the writer, so that it sees what is being accepted.
impl Write for Candidate {
    type Answer = Option<Accepted>;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<Accepted>, StoreError> {
        let Self { action, caller, idempotency, limits } = self;
        if let Some(idempotency) = idempotency {
            if let Some(accepted) = replay_former(tx.connection, idempotency)? {
                return Ok(Some(accepted));
            }
            if let Some(accepted) = replay(tx.connection, &idempotency.key, idempotency)? {
                return Ok(Some(accepted));
            }
        }
        Ok(tx.memory.is_full(action, caller, *limits).then_some(Accepted::Full))
    }
}

/// Binds a key to an operation. Returns false if it is bound already.
fn remember(
    connection: &Connection,
    idempotency: &Idempotency,
    operation: OperationId,
) -> rusqlite::Result<bool> {
    let Idempotency { key, former: _, content, since } = idempotency;
    if let Some(since) = since
        && bound(connection, key)?.is_some_and(|(_, operation)| operation.accepted_at() < *since)
    {
        connection.prepare_cached("DELETE FROM idempotency WHERE key = ?1")?.execute([key])?;
    }
    let added = connection
        .prepare_cached(
            "INSERT INTO idempotency (key, content, operation) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING",
        )?
        .execute(params![key, content, operation.as_bytes()])?;
    Ok(added == 1)
}

/// What the key answers if it is bound under a name that the action had.
fn replay_former(connection: &Connection, idempotency: &Idempotency) -> Result<Option<Accepted>, StoreError> {
    for key in &idempotency.former {
        if let Some(accepted) = replay(connection, key, idempotency)? {
            return Ok(Some(accepted));
        }
    }
    Ok(None)
}

/// The content and the operation that a key is bound to.
fn bound(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<Option<([u8; 32], OperationId)>> {
    connection
        .prepare_cached("SELECT content, operation FROM idempotency WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, OperationId::from_bytes(row.get(1)?))))
        .optional()
}

/// What a key that is bound answers.
fn replay(
    connection: &Connection,
    key: &[u8; 32],
    idempotency: &Idempotency,
) -> Result<Option<Accepted>, StoreError> {
    let Some((content, operation)) = bound(connection, key)? else { return Ok(None) };
    if idempotency.since.is_some_and(|since| operation.accepted_at() < since) {
        return Ok(None);
    }
    if content != idempotency.content {
        return Ok(Some(Accepted::KeyReused));
    }
    Ok(row::find(connection, operation)?.map(Accepted::Replayed))
}
