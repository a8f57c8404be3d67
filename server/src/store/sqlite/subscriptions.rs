//! Subscriptions as rows, and what changes them.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use super::deliveries;
use super::feed::place_of;
use super::reader::{Query, Session};
use super::row::{self, integer, milliseconds, timestamp};
use crate::operation::State;
use crate::store::subscriptions::{Subscribed, SubscriptionChange};
use crate::subscription::{Disabled, Format, SecretUrl, SigningSecret, Subscription, SubscriptionId};

const COLUMNS: &str = "id, caller, action, everybodys, outcomes, format, url, secret, former_secret, former_until, \
                       link_key, created_at, place, failing_since, disabled_at, reason";

/// [`SubscriptionStore::subscriptions`](crate::store::subscriptions::SubscriptionStore::subscriptions).
pub(super) struct All;

impl Query for All {
    type Answer = Vec<Subscription>;
    const AHEAD: bool = false;

    fn run(&self, session: &Session<'_>) -> Result<Vec<Subscription>, StoreError> {
        let mut statement =
            session.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM subscription ORDER BY id"))?;
        let all = statement.query_map([], subscription)?;
        Ok(all.collect::<Result<_, _>>()?)
    }
}

pub(super) fn find(connection: &Connection, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM subscription WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id.as_bytes()], subscription).optional()?)
}

pub(super) fn subscribe(
    connection: &Connection,
    new: &Subscription,
    most: u64,
) -> Result<Subscribed, StoreError> {
    let earlier = connection
        .prepare_cached(
            "SELECT id, place FROM subscription WHERE caller = ?1 AND action = ?2 AND url = ?3 AND id <> ?4",
        )?
        .query_row(params![new.caller, new.action, new.url.reveal(), new.id.as_bytes()], |row| {
            Ok((SubscriptionId::from_bytes(row.get(0)?), row.get(1)?))
        })
        .optional()?;
    let Some((earlier, place)) = earlier else {
        let count: i64 = connection
            .prepare_cached("SELECT COUNT(*) FROM subscription")?
            .query_row([], |row| row.get(0))?;
        if count >= integer(most) {
            return Ok(Subscribed::Full);
        }
        insert(connection, new)?;
        return Ok(Subscribed::New(Box::new(new.clone())));
    };
    let new = Subscription { place: place_of(place), ..new.clone() };
    connection.prepare_cached("DELETE FROM subscription WHERE id = ?1")?.execute([earlier.as_bytes()])?;
    insert(connection, &new)?;
    deliveries::hand_over(connection, earlier, new.id)?;
    Ok(Subscribed::InPlaceOf(earlier, Box::new(new)))
}

fn insert(connection: &Connection, new: &Subscription) -> rusqlite::Result<()> {
    let Subscription {
        id,
        caller,
        action,
        everybodys,
        outcomes,
        format,
        url,
        secret,
        former_secret,
        link_key,
        created_at,
        place,
        failing_since,
        disabled,
    } = new;
    let sql = format!(
        "INSERT INTO subscription ({COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
    );
    connection.prepare_cached(&sql)?.execute(params![
        id.as_bytes(),
        caller,
        action,
        everybodys,
        row::mask(outcomes),
        format_number(*format),
        url.reveal(),
        secret.as_bytes(),
        former_secret.as_ref().map(|(secret, _)| secret.as_bytes()),
        former_secret.as_ref().map(|(_, until)| milliseconds(*until)),
        link_key,
        milliseconds(*created_at),
        integer(place.number()),
        failing_since.map(milliseconds),
        disabled.as_ref().map(|disabled| milliseconds(disabled.at)),
        disabled.as_ref().map(|disabled| &disabled.reason),
    ])?;
    Ok(())
}

pub(super) fn unsubscribe(connection: &Connection, id: SubscriptionId) -> Result<bool, StoreError> {
    let removed =
        connection.prepare_cached("DELETE FROM subscription WHERE id = ?1")?.execute([id.as_bytes()])?;
    deliveries::forget(connection, id)?;
    Ok(removed == 1)
}

pub(super) fn change(
    connection: &Connection,
    id: SubscriptionId,
    change: &SubscriptionChange,
) -> Result<Option<Subscription>, StoreError> {
    let bytes = id.as_bytes();
    match change {
        SubscriptionChange::Secret { secret, former_until } => connection
            .prepare_cached(
                "UPDATE subscription SET former_secret = secret, former_until = ?3, secret = ?2 WHERE id = ?1",
            )?
            .execute(params![bytes, secret.as_bytes(), milliseconds(*former_until)])?,
        SubscriptionChange::Failing(since) => connection
            .prepare_cached("UPDATE subscription SET failing_since = ?2 WHERE id = ?1")?
            .execute(params![bytes, since.map(milliseconds)])?,
        SubscriptionChange::Disable(Disabled { at, reason }) => {
            deliveries::give_up(connection, id, *at, reason)?;
            connection
                .prepare_cached("UPDATE subscription SET disabled_at = ?2, reason = ?3 WHERE id = ?1")?
                .execute(params![bytes, milliseconds(*at), reason])?
        }
        SubscriptionChange::Enable => connection
            .prepare_cached(
                "UPDATE subscription SET disabled_at = NULL, reason = NULL, failing_since = NULL WHERE id = ?1",
            )?
            .execute([bytes])?,
    };
    find(connection, id)
}

fn subscription(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    let outcomes: i64 = row.get(4)?;
    let former = (row.get::<_, Option<Vec<u8>>>(8)?, row.get::<_, Option<i64>>(9)?);
    let disabled = (row.get::<_, Option<i64>>(14)?, row.get::<_, Option<String>>(15)?);
    Ok(Subscription {
        id: SubscriptionId::from_bytes(row.get(0)?),
        caller: row.get(1)?,
        action: row.get(2)?,
        everybodys: row.get(3)?,
        outcomes: ENDS.into_iter().filter(|state| outcomes & row::mask(&[*state]) != 0).collect(),
        format: format_of(row.get(5)?)?,
        url: SecretUrl::new(&row.get::<_, Arc<str>>(6)?),
        secret: SigningSecret::from_bytes(row.get(7)?),
        former_secret: match former {
            (Some(secret), Some(until)) => Some((SigningSecret::from_bytes(secret), timestamp(until)?)),
            _ => None,
        },
        link_key: row.get(10)?,
        created_at: timestamp(row.get(11)?)?,
        place: place_of(row.get(12)?),
        failing_since: row.get::<_, Option<_>>(13)?.map(timestamp).transpose()?,
        disabled: match disabled {
            (Some(at), reason) => Some(Disabled { at: timestamp(at)?, reason: reason.unwrap_or_default() }),
            _ => None,
        },
    })
}

const ENDS: [State; 3] = [State::Succeeded, State::Failed, State::Canceled];

const fn format_number(format: Format) -> i64 {
    match format {
        Format::Structured => 0,
        Format::Binary => 1,
        Format::View => 2,
    }
}

fn format_of(number: i64) -> rusqlite::Result<Format> {
    let known = Format::ALL.into_iter().find(|format| format_number(*format) == number);
    known.ok_or(rusqlite::Error::IntegralValueOutOfRange(5, number))
}
