//! Deliveries as rows. Those of one receiver share a lane, so that one that is slow is in nobody's way.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::StoreError;
use super::reader::{Query, Session};
use super::row::{integer, milliseconds, timestamp};
use crate::delivery::{Delivery, DeliveryId, DeliveryState, Receiver};
use crate::operation::{Operation, OperationId};
use crate::store::subscriptions::{DeliveryFilter, DeliveryPlace, Due, Owed, Settled};
use crate::subscription::{SecretUrl, SubscriptionId};

const COLUMNS: &str = "id, operation, subscription, url, state, attempts, created_at, due_at, error";

const EXPECTING: i64 = 0;
const WAITING: i64 = 1;
const DEAD: i64 = 2;

/// How long dead deliveries are kept, in milliseconds: 30 days. Those of a lane are looked through when one is added.
const KEPT: i64 = 30 * 24 * 3_600_000;

/// Writes the callback of an operation that is being accepted.
pub(super) fn expect(
    connection: &Connection,
    operation: &Operation,
    url: &SecretUrl,
) -> rusqlite::Result<()> {
    let lane = format!("{}\n{}", operation.caller, url.host());
    connection
        .prepare_cached(
            "INSERT INTO delivery (id, lane, operation, url, state, attempts, created_at, due_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?6)",
        )?
        .execute(params![
            DeliveryId::to_callback(operation.id).as_bytes(),
            lane.as_bytes(),
            operation.id.as_bytes(),
            url.reveal(),
            EXPECTING,
            milliseconds(operation.created_at),
        ])?;
    Ok(())
}

/// The callback of an operation that has ended is due.
pub(super) fn expected(connection: &Connection, operation: &Operation) -> rusqlite::Result<()> {
    let ended_at = milliseconds(operation.finished_at.unwrap_or(operation.updated_at));
    connection
        .prepare_cached(
            "UPDATE delivery SET state = ?2, created_at = ?3, due_at = ?3 WHERE id = ?1 AND state = ?4",
        )?
        .execute(params![DeliveryId::to_callback(operation.id).as_bytes(), WAITING, ended_at, EXPECTING])?;
    Ok(())
}

/// The operations that have a callback and have not ended.
pub(super) fn expecting(connection: &Connection) -> rusqlite::Result<Vec<OperationId>> {
    connection
        .prepare("SELECT operation FROM delivery WHERE state = ?1")?
        .query_map([EXPECTING], |row| Ok(OperationId::from_bytes(row.get(0)?)))?
        .collect()
}

pub(super) fn owe(connection: &Connection, owed: &Owed, most: u64) -> Result<bool, StoreError> {
    let Owed { to, from, until, ends, now } = owed;
    if !ends.is_empty() {
        let waiting: i64 = connection
            .prepare_cached("SELECT COUNT(*) FROM delivery WHERE lane = ?1 AND state = ?2")?
            .query_row(params![to.as_bytes(), WAITING], |row| row.get(0))?;
        if waiting >= integer(most) {
            return Ok(false);
        }
    }
    let moved = connection
        .prepare_cached(
            "UPDATE subscription SET place = ?3 WHERE id = ?1 AND place = ?2 AND disabled_at IS NULL",
        )?
        .execute(params![to.as_bytes(), integer(from.number()), integer(until.number())])?;
    if moved == 0 {
        return Ok(false);
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO delivery (id, lane, operation, subscription, state, attempts, created_at, due_at) \
         VALUES (?1, ?2, ?3, ?2, ?4, 0, ?5, ?5) ON CONFLICT (id) DO NOTHING",
    )?;
    for operation in ends {
        let id = DeliveryId::to_subscription(*to, *operation);
        insert.execute(params![
            id.as_bytes(),
            to.as_bytes(),
            operation.as_bytes(),
            WAITING,
            milliseconds(*now)
        ])?;
    }
    Ok(true)
}

pub(super) fn settle(connection: &Connection, id: DeliveryId, settled: &Settled) -> Result<(), StoreError> {
    match settled {
        Settled::Delivered => {
            connection.prepare_cached("DELETE FROM delivery WHERE id = ?1")?.execute([id.as_bytes()])?;
        }
        Settled::Failed { again_at, error } => {
            connection
                .prepare_cached(
                    "UPDATE delivery SET attempts = attempts + 1, due_at = ?2, error = ?3 \
                     WHERE id = ?1 AND state = ?4",
                )?
                .execute(params![id.as_bytes(), milliseconds(*again_at), error, WAITING])?;
        }
        Settled::Postponed { until } => {
            connection
                .prepare_cached("UPDATE delivery SET due_at = ?2 WHERE id = ?1 AND state = ?3")?
                .execute(params![id.as_bytes(), milliseconds(*until), WAITING])?;
        }
        Settled::Dead { at, error } => {
            connection
                .prepare_cached(
                    "UPDATE delivery SET state = ?2, attempts = attempts + 1, due_at = ?3, error = ?4 \
                     WHERE id = ?1 AND state = ?5",
                )?
                .execute(params![id.as_bytes(), DEAD, milliseconds(*at), error, WAITING])?;
            connection
                .prepare_cached(
                    "DELETE FROM delivery WHERE state = ?2 AND due_at < ?3 \
                     AND lane = (SELECT lane FROM delivery WHERE id = ?1)",
                )?
                .execute(params![id.as_bytes(), DEAD, milliseconds(*at) - KEPT])?;
        }
    }
    Ok(())
}

pub(super) fn replay(connection: &Connection, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
    let replayed = connection
        .prepare_cached(
            "UPDATE delivery SET state = ?2, attempts = 0, due_at = ?3, error = NULL WHERE id = ?1 AND state = ?4 \
             AND (subscription IS NULL \
                  OR subscription IN (SELECT id FROM subscription WHERE disabled_at IS NULL))",
        )?
        .execute(params![id.as_bytes(), WAITING, milliseconds(now), DEAD])?;
    Ok(replayed == 1)
}

/// What was owed to `earlier` is owed to `later`. The ids stay: receivers may know them.
pub(super) fn hand_over(
    connection: &Connection,
    earlier: SubscriptionId,
    later: SubscriptionId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE delivery SET subscription = ?2, lane = ?2 WHERE state IN (?3, ?4) AND lane = ?1",
        )?
        .execute(params![earlier.as_bytes(), later.as_bytes(), WAITING, DEAD])?;
    Ok(())
}

pub(super) fn forget(connection: &Connection, subscription: SubscriptionId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM delivery WHERE state IN (?2, ?3) AND lane = ?1")?
        .execute(params![subscription.as_bytes(), WAITING, DEAD])?;
    Ok(())
}

pub(super) fn give_up(
    connection: &Connection,
    subscription: SubscriptionId,
    at: Timestamp,
    reason: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE delivery SET state = ?2, due_at = ?3, error = ?4 WHERE lane = ?1 AND state = ?5",
        )?
        .execute(params![subscription.as_bytes(), DEAD, milliseconds(at), reason, WAITING])?;
    Ok(())
}

/// [`SubscriptionStore::due`](crate::store::subscriptions::SubscriptionStore::due).
pub(super) struct FindDue {
    pub(super) now: Timestamp,
    pub(super) each: usize,
}

impl Query for FindDue {
    type Answer = Due;
    // A callback is due as soon as the end of its operation is committed, and its operation is read next.
    const AHEAD: bool = true;

    fn run(&self, session: &Session<'_>) -> Result<Due, StoreError> {
        let now = milliseconds(self.now);
        let mut due = Due::default();
        let sql =
            format!("SELECT {COLUMNS} FROM delivery WHERE state = ?1 AND lane = ?2 ORDER BY due_at LIMIT ?3");
        // One step down the index for each lane, however much waits in it.
        let mut last: Vec<u8> = Vec::new();
        while let Some(lane) = next_lane(session.connection, &last)? {
            session.refresh()?;
            let mut statement = session.connection.prepare_cached(&sql)?;
            // One more than may be tried, which tells when to look again.
            let mut rows = statement.query(params![WAITING, lane, integer(self.each + 1)])?;
            let mut found = 0;
            while let Some(row) = rows.next()? {
                let delivery = delivery(row)?;
                if milliseconds(delivery.due_at) > now {
                    due.next = Some(due.next.map_or(delivery.due_at, |next| next.min(delivery.due_at)));
                    break;
                }
                if found < self.each {
                    found += 1;
                    due.deliveries.push(delivery);
                }
            }
            last = lane;
        }
        Ok(due)
    }
}

fn next_lane(connection: &Connection, after: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT MIN(lane) FROM delivery WHERE state = ?1 AND lane > ?2")?
        .query_row(params![WAITING, after], |row| row.get(0))
}

/// [`SubscriptionStore::deliveries`](crate::store::subscriptions::SubscriptionStore::deliveries).
pub(super) struct List {
    pub(super) filter: DeliveryFilter,
    pub(super) before: Option<DeliveryPlace>,
    pub(super) max: usize,
}

impl Query for List {
    type Answer = Vec<Delivery>;
    const AHEAD: bool = false;

    fn run(&self, session: &Session<'_>) -> Result<Vec<Delivery>, StoreError> {
        let Self { filter: DeliveryFilter { state, subscription }, before, max } = self;
        let sql = format!(
            "SELECT {COLUMNS} FROM delivery WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR lane = ?2) \
             AND (?3 IS NULL OR (created_at, id) < (?3, ?4)) ORDER BY created_at DESC, id DESC LIMIT ?5"
        );
        let mut statement = session.connection.prepare_cached(&sql)?;
        let listed = statement.query_map(
            params![
                state.map(number),
                subscription.map(|id| *id.as_bytes()),
                before.map(|place| milliseconds(place.created_at)),
                before.map(|place| *place.id.as_bytes()),
                integer(*max),
            ],
            delivery,
        )?;
        Ok(listed.collect::<Result<_, _>>()?)
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let subscription = row.get::<_, Option<[u8; 16]>>(2)?;
    let receiver = match subscription {
        Some(id) => Receiver::Subscription(SubscriptionId::from_bytes(id)),
        None => Receiver::Callback(SecretUrl::new(row.get_ref(3)?.as_str()?)),
    };
    Ok(Delivery {
        id: DeliveryId::from_bytes(row.get(0)?),
        operation: OperationId::from_bytes(row.get(1)?),
        receiver,
        state: state(row.get(4)?)?,
        attempts: row.get(5)?,
        created_at: timestamp(row.get(6)?)?,
        due_at: timestamp(row.get(7)?)?,
        error: row.get(8)?,
    })
}

const fn number(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Expecting => EXPECTING,
        DeliveryState::Waiting => WAITING,
        DeliveryState::Dead => DEAD,
    }
}

fn state(number: i64) -> rusqlite::Result<DeliveryState> {
    Ok(match number {
        EXPECTING => DeliveryState::Expecting,
        WAITING => DeliveryState::Waiting,
        DEAD => DeliveryState::Dead,
        _ => return Err(rusqlite::Error::IntegralValueOutOfRange(4, number)),
    })
}
