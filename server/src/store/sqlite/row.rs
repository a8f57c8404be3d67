//! Operations as rows, and back.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use crate::Json;
use crate::journal::{Entry, Record};
use crate::operation::{Operation, OperationId, Origin, State, Tombstone};
use crate::store::Found;
use crate::store::feed::FeedPlace;

/// What the next thing is that falls due for an operation.
pub(super) const ACTIVE: i64 = 0;
pub(super) const ENDED: i64 = 1;
pub(super) const TOMBSTONE: i64 = 2;

macro_rules! columns {
    () => {
        "id, phase, action, version, caller, parent, state, custom_status, percent, created_at, updated_at, \
         finished_at, deadline, retention, output, problem, link_key, tracking_id, traceparent"
    };
}
pub(super) use columns;

/// Adds an operation. Returns false, and adds nothing, if there is one of that id.
pub(super) fn insert(
    connection: &Connection,
    operation: &Operation,
    idempotency: Option<&[u8; 32]>,
) -> rusqlite::Result<bool> {
    let due_at = milliseconds(operation.due_at());
    let Operation { origin, state, custom_status, percent, updated_at, finished_at, output, problem } =
        operation;
    let Origin {
        id,
        action,
        version,
        caller,
        parent,
        created_at,
        deadline,
        retention,
        link_key,
        tracking_id,
        traceparent,
    } = &**origin;
    let added = connection
        .prepare_cached(concat!(
            "INSERT INTO operation (due_at, idempotency, ",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21) \
             ON CONFLICT (id) DO NOTHING"
        ))?
        .execute(params![
            due_at,
            idempotency,
            id.as_bytes(),
            if state.is_terminal() { ENDED } else { ACTIVE },
            action,
            version,
            caller,
            parent.as_ref().map(OperationId::as_bytes),
            number(*state),
            custom_status.as_ref().map(Json::get),
            percent,
            milliseconds(*created_at),
            milliseconds(*updated_at),
            finished_at.map(milliseconds),
            milliseconds(*deadline),
            integer(retention.as_millis()),
            output.as_ref().map(Json::get),
            problem.as_deref().map(text),
            link_key,
            tracking_id,
            traceparent,
        ])?;
    Ok(added == 1)
}

/// Writes what may have changed of an active operation: without touching the index of what is due.
pub(super) fn update(connection: &Connection, operation: &Operation) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE operation SET state = ?2, custom_status = ?3, percent = ?4, updated_at = ?5 WHERE id = ?1",
        )?
        .execute(params![
            operation.id.as_bytes(),
            number(operation.state),
            operation.custom_status.as_ref().map(Json::get),
            operation.percent,
            milliseconds(operation.updated_at),
        ])?;
    Ok(())
}

/// Writes the end of an operation, which has that place in the feed.
pub(super) fn finish(
    connection: &Connection,
    operation: &Operation,
    place: FeedPlace,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE operation SET phase = ?2, due_at = ?3, state = ?4, custom_status = ?5, percent = ?6, \
             updated_at = ?7, finished_at = ?8, output = ?9, problem = ?10, place = ?11 WHERE id = ?1",
        )?
        .execute(params![
            operation.id.as_bytes(),
            ENDED,
            milliseconds(operation.due_at()),
            number(operation.state),
            operation.custom_status.as_ref().map(Json::get),
            operation.percent,
            milliseconds(operation.updated_at),
            operation.finished_at.map(milliseconds),
            operation.output.as_ref().map(Json::get),
            operation.problem.as_deref().map(text),
            integer(place.number()),
        ])?;
    Ok(())
}

/// Leaves of an ended operation what a tombstone says, and takes it out of the feed.
pub(super) fn bury(connection: &Connection, id: OperationId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE operation SET phase = ?2, due_at = due_at + retention, custom_status = NULL, percent = NULL, \
             output = NULL, problem = NULL, tracking_id = NULL, traceparent = NULL, place = NULL WHERE id = ?1",
        )?
        .execute(params![id.as_bytes(), TOMBSTONE])?;
    connection.prepare_cached("DELETE FROM journal WHERE operation = ?1")?.execute([id.as_bytes()])?;
    connection.prepare_cached("DELETE FROM event_key WHERE operation = ?1")?.execute([id.as_bytes()])?;
    Ok(())
}

/// Removes a tombstone, and the idempotency key with it.
pub(super) fn forget(connection: &Connection, id: OperationId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE operation = ?1 AND key = (SELECT idempotency FROM operation WHERE id = ?1)",
        )?
        .execute([id.as_bytes()])?;
    connection.prepare_cached("DELETE FROM operation WHERE id = ?1")?.execute([id.as_bytes()])?;
    Ok(())
}

/// The operation or what is left of it.
pub(super) fn find(connection: &Connection, id: OperationId) -> Result<Option<Found>, StoreError> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM operation WHERE id = ?1"))?
        .query_row([id.as_bytes()], |row| Ok(found(row)))
        .optional()?
        .transpose()
}

/// Calls `each` for every active operation.
pub(super) fn each_active(
    connection: &Connection,
    mut each: impl FnMut(Operation),
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare(concat!("SELECT ", columns!(), " FROM operation WHERE phase = ?1"))?;
    let mut rows = statement.query([ACTIVE])?;
    while let Some(row) = rows.next()? {
        each(operation(row)?);
    }
    Ok(())
}

fn found(row: &Row<'_>) -> Result<Found, StoreError> {
    if row.get::<_, i64>(1)? == TOMBSTONE {
        Ok(Found::Gone(Arc::new(Tombstone {
            id: OperationId::from_bytes(row.get(0)?),
            action: row.get(2)?,
            caller: row.get(4)?,
            link_key: row.get(16)?,
        })))
    } else {
        Ok(Found::Operation(Arc::new(operation(row)?)))
    }
}

/// The operation in a row of `columns!()`.
pub(super) fn operation(row: &Row<'_>) -> Result<Operation, StoreError> {
    let id = OperationId::from_bytes(row.get(0)?);
    read(row, id).map_err(|error| StoreError::Unreadable { id, reason: error.to_string() })
}

fn read(row: &Row<'_>, id: OperationId) -> rusqlite::Result<Operation> {
    let origin = Origin {
        id,
        action: row.get(2)?,
        version: row.get(3)?,
        caller: row.get(4)?,
        parent: row.get::<_, Option<_>>(5)?.map(OperationId::from_bytes),
        created_at: timestamp(row.get(9)?)?,
        deadline: timestamp(row.get(12)?)?,
        retention: Duration::from_millis(row.get::<_, i64>(13)?.unsigned_abs()),
        link_key: row.get(16)?,
        tracking_id: row.get(17)?,
        traceparent: row.get(18)?,
    };
    Ok(Operation {
        origin: Arc::new(origin),
        state: state(row.get(6)?)?,
        custom_status: json(row, 7)?,
        percent: row.get(8)?,
        updated_at: timestamp(row.get(10)?)?,
        finished_at: row.get::<_, Option<_>>(11)?.map(timestamp).transpose()?,
        output: json(row, 14)?,
        problem: row
            .get_ref(15)?
            .as_str_or_null()?
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| unreadable(15, error))?,
    })
}

/// Adds a journal entry.
pub(super) fn insert_entry(
    connection: &Connection,
    id: OperationId,
    sequence: u64,
    at: Timestamp,
    entry: &Entry,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO journal (operation, sequence, at, entry) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id.as_bytes(), integer(sequence), milliseconds(at), entry.encode()])?;
    Ok(())
}

/// The record of `id` in columns `first..` of a row: sequence, time, entry.
pub(super) fn record(row: &Row<'_>, first: usize, id: OperationId) -> Result<Record, StoreError> {
    let unreadable = |error: &dyn StdError| StoreError::Unreadable { id, reason: error.to_string() };
    let sequence = row.get::<_, i64>(first)?;
    Ok(Record {
        sequence: sequence.unsigned_abs(),
        at: timestamp(row.get(first + 1)?).map_err(|error| unreadable(&error))?,
        entry: Entry::decode(row.get_ref(first + 2)?.as_blob().map_err(|error| unreadable(&error))?)
            .map_err(|error| unreadable(&error))?,
    })
}

pub(super) fn milliseconds(time: Timestamp) -> i64 {
    time.as_millisecond()
}

pub(super) fn timestamp(milliseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(|error| unreadable(0, error))
}

/// SQLite's integers are signed; nothing that is counted here comes near the limit.
pub(super) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(super) const fn number(state: State) -> i64 {
    match state {
        State::NotStarted => 0,
        State::Running => 1,
        State::Canceling => 2,
        State::Succeeded => 3,
        State::Failed => 4,
        State::Canceled => 5,
    }
}

/// A set of states, as one number.
pub(super) fn mask(states: &[State]) -> i64 {
    states.iter().fold(0, |mask, state| mask | 1 << number(*state))
}

fn state(number: i64) -> rusqlite::Result<State> {
    Ok(match number {
        0 => State::NotStarted,
        1 => State::Running,
        2 => State::Canceling,
        3 => State::Succeeded,
        4 => State::Failed,
        5 => State::Canceled,
        _ => return Err(rusqlite::Error::IntegralValueOutOfRange(6, number)),
    })
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Json>> {
    row.get::<_, Option<String>>(column)?
        .map(Json::parse)
        .transpose()
        .map_err(|error| unreadable(column, error))
}

fn text(problem: &crate::operation::Problem) -> String {
    serde_json::to_string(problem).expect("a problem is strings, a number and JSON")
}

fn unreadable(column: usize, error: impl StdError + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, Box::new(error))
}
