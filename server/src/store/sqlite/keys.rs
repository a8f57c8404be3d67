//! API keys and secrets.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::open::{connect, prepare};
use super::reader::{Query, Session};
use super::row::{milliseconds, timestamp};
use super::{OpenError, SqliteOptions, StoreError};
use crate::store::Answer;
use crate::store::keys::{KeyStore, StoredKey};

/// Only the keys of a store, beside a server that may be running on it.
pub struct SqliteKeys(Mutex<Connection>);

impl SqliteKeys {
    pub(super) fn open(options: &SqliteOptions) -> Result<Self, OpenError> {
        prepare(&options.directory)?;
        Ok(Self(Mutex::new(connect(options)?)))
    }

    // In place: for a command that has nothing else to do meanwhile.
    fn answer<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Answer<'_, T> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(std::future::ready(run(&connection)))
    }
}

impl KeyStore for SqliteKeys {
    fn keys(&self) -> Answer<'_, Vec<StoredKey>> {
        self.answer(all)
    }

    fn add_key(&self, key: StoredKey) -> Answer<'_, bool> {
        self.answer(|connection| add(connection, &key))
    }

    fn revoke_keys(&self, name: &str, now: Timestamp) -> Answer<'_, usize> {
        self.answer(|connection| revoke(connection, name, now))
    }

    fn link_secrets(&self) -> Answer<'_, Vec<(u32, [u8; 32])>> {
        self.answer(link_secrets)
    }

    fn content_secret(&self) -> Answer<'_, [u8; 32]> {
        self.answer(content_secret)
    }
}

/// [`KeyStore::keys`].
pub(super) struct AllKeys;

impl Query for AllKeys {
    type Answer = Vec<StoredKey>;
    const AHEAD: bool = false;

    fn run(&self, session: &Session<'_>) -> Result<Self::Answer, StoreError> {
        all(session.connection)
    }
}

fn all(connection: &Connection) -> Result<Vec<StoredKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT hash, name, roles, actions, created_at, revoked_at FROM api_key ORDER BY created_at, name",
    )?;
    let keys = statement.query_map([], |row| {
        Ok(StoredKey {
            hash: row.get(0)?,
            name: row.get(1)?,
            roles: words(&row.get::<_, String>(2)?),
            actions: words(&row.get::<_, String>(3)?),
            created_at: timestamp(row.get(4)?)?,
            revoked_at: row.get::<_, Option<_>>(5)?.map(timestamp).transpose()?,
        })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

pub(super) fn add(connection: &Connection, key: &StoredKey) -> Result<bool, StoreError> {
    let StoredKey { hash, name, roles, actions, created_at, revoked_at } = key;
    let added = connection
        .prepare_cached(
            "INSERT INTO api_key (hash, name, roles, actions, created_at, revoked_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            hash,
            name,
            roles.join(" "),
            actions.join(" "),
            milliseconds(*created_at),
            revoked_at.map(milliseconds),
        ]);
    match added {
        Ok(_) => Ok(true),
        // The name, or the key itself.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn revoke(connection: &Connection, name: &str, now: Timestamp) -> Result<usize, StoreError> {
    Ok(connection
        .prepare_cached("UPDATE api_key SET revoked_at = ?2 WHERE name = ?1 AND revoked_at IS NULL")?
        .execute(params![name, milliseconds(now)])?)
}

pub(super) fn link_secrets(connection: &Connection) -> Result<Vec<(u32, [u8; 32])>, StoreError> {
    secret(connection, "link")?;
    let mut statement = connection
        .prepare_cached("SELECT number, secret FROM secret WHERE purpose = 'link' ORDER BY number")?;
    let secrets = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(secrets.collect::<Result<_, _>>()?)
}

pub(super) fn content_secret(connection: &Connection) -> Result<[u8; 32], StoreError> {
    secret(connection, "content")
}

/// The first secret for `purpose`, made if there is none. One statement decides, so that processes agree.
fn secret(connection: &Connection, purpose: &str) -> Result<[u8; 32], StoreError> {
    let mut read =
        connection.prepare_cached("SELECT secret FROM secret WHERE purpose = ?1 ORDER BY number LIMIT 1")?;
    if let Some(secret) = read.query_row([purpose], |row| row.get(0)).optional()? {
        return Ok(secret);
    }
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(|error| StoreError::Database(std::sync::Arc::new(error)))?;
    connection
        .prepare_cached(
            "INSERT INTO secret (purpose, number, secret) VALUES (?1, 1, ?2) \
             ON CONFLICT (purpose, number) DO NOTHING",
        )?
        .execute(params![purpose, fresh])?;
    Ok(read.query_row([purpose], |row| row.get(0))?)
}

/// Roles and action names have no spaces.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
