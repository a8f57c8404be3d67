//! The tables, and how an older database gets them.

use rusqlite::{Connection, TransactionBehavior};

use super::open::OpenError;
use super::row::integer;

/// One step for each version of the schema. Steps that were released never change.
const STEPS: &[&str] = &[
    // `phase` is 0 while active, 1 once ended, 2 for a tombstone: what is due next, in one index with when. The same
    // index finds the active operations when the store opens. All other look-ups go by primary key, since every index
    // more is paid for by every start.
    "CREATE TABLE operation (
        id BLOB NOT NULL PRIMARY KEY,
        phase INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        action TEXT NOT NULL,
        version INTEGER NOT NULL,
        caller TEXT NOT NULL,
        parent BLOB,
        state INTEGER NOT NULL,
        custom_status TEXT,
        percent INTEGER,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        finished_at INTEGER,
        deadline INTEGER NOT NULL,
        retention INTEGER NOT NULL,
        output TEXT,
        problem TEXT,
        link_key INTEGER NOT NULL,
        tracking_id TEXT,
        traceparent TEXT,
        idempotency BLOB
    ) WITHOUT ROWID;
    CREATE INDEX operation_due ON operation (phase, due_at);
    CREATE TABLE journal (
        operation BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        at INTEGER NOT NULL,
        entry BLOB NOT NULL,
        PRIMARY KEY (operation, sequence)
    ) WITHOUT ROWID;
    CREATE TABLE idempotency (
        key BLOB NOT NULL PRIMARY KEY,
        content BLOB NOT NULL,
        operation BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE event_key (
        operation BLOB NOT NULL,
        key BLOB NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (operation, key)
    ) WITHOUT ROWID;
    CREATE TABLE api_key (
        hash BLOB NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        roles TEXT NOT NULL,
        actions TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        revoked_at INTEGER
    );
    CREATE UNIQUE INDEX api_key_name ON api_key (name) WHERE revoked_at IS NULL;
    CREATE TABLE secret (
        purpose TEXT NOT NULL,
        number INTEGER NOT NULL,
        secret BLOB NOT NULL,
        PRIMARY KEY (purpose, number)
    ) WITHOUT ROWID;",
    // Listings are by the time of acceptance. The id of an operation begins with that time, except for that of a child,
    // which begins with its parent's: only children need an index, and only they pay for one. It ends with the id.
    "CREATE INDEX operation_child ON operation (created_at) WHERE parent IS NOT NULL;",
    // The feed of what has ended: `place` is NULL until an operation ends, and again once it is purged, so the index has
    // what is in the feed, by action and in the order of the commits, and ends with the id. It is written by the very
    // statements that end and purge. What ended before this step is in no feed.
    "ALTER TABLE operation ADD COLUMN place INTEGER;
    CREATE INDEX operation_feed ON operation (action, place) WHERE place IS NOT NULL;",
    // Who is told of ends, and what is owed to whom. A delivery's `lane` is its receiver: what is due is found lane by
    // lane, and a lane that is full costs the others nothing. `state` is 0 while its operation runs (a callback),
    // 1 while it is to be tried, 2 once it was given up; what has arrived has no row.
    "CREATE TABLE subscription (
        id BLOB NOT NULL PRIMARY KEY,
        caller TEXT NOT NULL,
        action TEXT NOT NULL,
        everybodys INTEGER NOT NULL,
        outcomes INTEGER NOT NULL,
        format INTEGER NOT NULL,
        url TEXT NOT NULL,
        secret BLOB NOT NULL,
        former_secret BLOB,
        former_until INTEGER,
        link_key INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        place INTEGER NOT NULL,
        failing_since INTEGER,
        disabled_at INTEGER,
        reason TEXT
    ) WITHOUT ROWID;
    CREATE TABLE delivery (
        id BLOB NOT NULL PRIMARY KEY,
        lane BLOB NOT NULL,
        operation BLOB NOT NULL,
        subscription BLOB,
        url TEXT,
        state INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        error TEXT
    ) WITHOUT ROWID;
    CREATE INDEX delivery_lane ON delivery (state, lane, due_at);",
];

/// Brings the database to the schema of this release.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    if version(connection)? == STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again: another process may have been faster.
    let found = version(&transaction)?;
    for step in &STEPS[found..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", integer(STEPS.len()))?;
    Ok(transaction.commit()?)
}

fn version(connection: &Connection) -> Result<usize, OpenError> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    match usize::try_from(found) {
        Ok(found) if found <= STEPS.len() => Ok(found),
        _ => Err(OpenError::Newer { found, known: STEPS.len() }),
    }
}
