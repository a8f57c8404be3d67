//! What falls due by itself.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::StoreError;
use super::feed;
use super::row::{self, ACTIVE, ENDED, TOMBSTONE, integer, milliseconds};
use super::writer::{Tx, Write};
use crate::operation::{OperationId, Outcome, Problem};
use crate::store::Swept;

/// [`Store::sweep`](crate::store::Store::sweep).
pub(super) struct Sweep {
    pub(super) now: Timestamp,
    pub(super) max: usize,
}

impl Write for Sweep {
    type Answer = Swept;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Swept, StoreError> {
        let Self { now, max } = *self;
        let mut left = max;
        let mut due = |tx: &Tx<'_>, phase| {
            let ids = due(tx.connection, phase, now, left)?;
            left -= ids.len();
            Ok::<_, StoreError>(ids)
        };
        let mut swept = Swept::default();
        for id in due(tx, ACTIVE)? {
            swept.ended += usize::from(end(tx, id, now)?);
        }
        for id in due(tx, ENDED)? {
            row::bury(tx.connection, id)?;
            tx.memory.news.purged.push(id);
            swept.purged += 1;
        }
        for id in due(tx, TOMBSTONE)? {
            row::forget(tx.connection, id)?;
            swept.forgotten += 1;
        }
        swept.next = next(tx.connection)?;
        tx.memory.expect(swept.next);
        Ok(swept)
    }
}

fn end(tx: &mut Tx<'_>, id: OperationId, now: Timestamp) -> Result<bool, StoreError> {
    let Some(live) = tx.memory.get(id) else { return Ok(false) };
    let mut live = live.clone();
    let problem = Problem {
        code: "deadline-exceeded".to_owned(),
        message: "the operation did not end before its deadline".to_owned(),
        http_status: 422,
        details: None,
    };
    Arc::make_mut(&mut live.operation).finish(Outcome::Failed(problem), now);
    feed::finish(tx, &live)?;
    tx.memory.change(live);
    tx.memory.news.signaled.push(id);
    Ok(true)
}

fn due(
    connection: &Connection,
    phase: i64,
    now: Timestamp,
    max: usize,
) -> rusqlite::Result<Vec<OperationId>> {
    connection
        .prepare_cached(
            "SELECT id FROM operation WHERE phase = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?3",
        )?
        .query_map(params![phase, milliseconds(now), integer(max)], |row| {
            Ok(OperationId::from_bytes(row.get(0)?))
        })?
        .collect()
}

fn next(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached("SELECT MIN(due_at) FROM operation WHERE phase = ?1")?;
    let mut next = None;
    for phase in [ACTIVE, ENDED, TOMBSTONE] {
        let due: Option<i64> = statement.query_row([phase], |row| row.get(0))?;
        // A tombstone may be kept beyond the last time there is.
        let due = due.map(|due| Timestamp::from_millisecond(due).unwrap_or(Timestamp::MAX));
        next = [next, due].into_iter().flatten().min();
    }
    Ok(next)
}
