//! Listings, newest first: what callers have started by their ids, children by an index, and both merged.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::StoreError;
use super::reader::{Query, Session};
use super::row::{self, TOMBSTONE, columns, integer, milliseconds, number};
use crate::operation::Operation;
use crate::store::{Filter, Place};

/// How many rows one query looks at: a filter that lets little through must not hold a transaction open for long.
const ROWS: i64 = 5_000;

/// [`Store::list`](crate::store::Store::list).
pub(super) struct List {
    pub(super) filter: Filter,
    pub(super) before: Option<Place>,
    pub(super) max: usize,
}

/// A query for the operations of a range of keys that the filter lets through.
macro_rules! scan {
    ($range:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM operation WHERE ",
            $range,
            " AND created_at <= :before_at AND created_at >= :end_at AND phase < :tombstone \
             AND (:actions IS NULL OR action IN (SELECT value FROM json_each(:actions))) \
             AND (:state IS NULL OR state = :state) \
             AND (:caller IS NULL OR caller = :caller) \
             AND (:tracking_id IS NULL OR tracking_id = :tracking_id) \
             AND (:traceparent IS NULL OR traceparent = :traceparent) \
             AND (:created_from IS NULL OR created_at >= :created_from) \
             AND (:created_before IS NULL OR created_at < :created_before) \
             AND (:updated_from IS NULL OR updated_at >= :updated_from) \
             AND (:updated_before IS NULL OR updated_at < :updated_before) \
             ORDER BY ",
            $order,
            " LIMIT :max"
        )
    };
}
impl Query for List {
    type Answer = Vec<Arc<Operation>>;
    const AHEAD: bool = true;

    fn run(&self, session: &Session<'_>) -> Result<Self::Answer, StoreError> {
        let mut listed = Vec::new();
        let mut before = self.before.map_or(Key::NEWEST, Key::of);
        while listed.len() < self.max {
            let end = end(session.connection, before)?;
            let part = self.part(session.connection, before, end.unwrap_or(Key::OLDEST))?;
            listed.extend(part.into_iter().take(self.max - listed.len()));
            let Some(end) = end else { break };
            before = end;
            // Places never change, so the next part fits whatever happens in between.
            session.refresh()?;
        }
        Ok(listed)
    }
}

impl List {
    /// The matches from `end` to before `before`, at least as many as are wanted if there are.
    fn part(
        &self,
        connection: &Connection,
        before: Key,
        end: Key,
    ) -> Result<Vec<Arc<Operation>>, StoreError> {
        let bounds = Key { id: before.bound(), ..before }..Key { id: end.bound(), ..end };
        let mut part = self.scan(
            connection,
            scan!("parent IS NULL AND id < :before AND id >= :end", "id DESC"),
            bounds,
        )?;
        part.extend(self.scan(
            connection,
            scan!(
                "parent IS NOT NULL AND (created_at, id) < (:before_at, :before) AND (created_at, id) >= (:end_at, :end)",
                "created_at DESC, id DESC"
            ),
            before..end,
        )?);
        part.sort_by_key(|operation| std::cmp::Reverse(Place::of(operation)));
        Ok(part)
    }

    fn scan(
        &self,
        connection: &Connection,
        sql: &str,
        keys: Range<Key>,
    ) -> Result<Vec<Arc<Operation>>, StoreError> {
        let Filter {
            actions,
            state,
            caller,
            tracking_id,
            traceparent,
            created_from,
            created_before,
            updated_from,
            updated_before,
        } = &self.filter;
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(named_params! {
            ":before_at": keys.start.at,
            ":before": keys.start.id,
            ":end_at": keys.end.at,
            ":end": keys.end.id,
            ":tombstone": TOMBSTONE,
            ":actions": (!actions.is_empty()).then(|| serde_json::Value::from(actions.as_slice()).to_string()),
            ":state": state.map(number),
            ":caller": caller,
            ":tracking_id": tracking_id,
            ":traceparent": traceparent,
            ":created_from": created_from.map(milliseconds),
            ":created_before": created_before.map(milliseconds),
            ":updated_from": updated_from.map(milliseconds),
            ":updated_before": updated_before.map(milliseconds),
            ":max": integer(self.max),
        })?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Arc::new(row::operation(row)?));
        }
        Ok(found)
    }
}

/// The last of the rows that a part from `before` looks at; none if it looks at all that are left.
fn end(connection: &Connection, before: Key) -> rusqlite::Result<Option<Key>> {
    let own = connection
        .prepare_cached("SELECT id FROM operation WHERE id < ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2")?
        .query_row(params![before.bound(), ROWS - 1], |row| row.get(0).map(Key::of_own))
        .optional()?;
    let child = connection
        .prepare_cached(
            "SELECT created_at, id FROM operation WHERE parent IS NOT NULL AND (created_at, id) < (?1, ?2) \
             ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?3",
        )?
        .query_row(params![before.at, before.id, ROWS - 1], |row| {
            Ok(Key { at: row.get(0)?, id: row.get(1)? })
        })
        .optional()?;
    Ok(own.max(child))
}

/// A [`Place`] as it is stored, and as it compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: i64,
    id: [u8; 16],
}

impl Key {
    const NEWEST: Self = Self { at: i64::MAX, id: [0xff; 16] };
    const OLDEST: Self = Self { at: i64::MIN, id: [0; 16] };

    fn of(Place { created_at, id }: Place) -> Self {
        Self { at: milliseconds(created_at), id: *id.as_bytes() }
    }

    /// The key of an operation that is no child: its id begins with its time.
    fn of_own(id: [u8; 16]) -> Self {
        let mut at = [0; 8];
        at[2..].copy_from_slice(&id[..6]);
        Self { at: i64::from_be_bytes(at), id }
    }

    /// Those of the operations that are no children are below this key whose ids are below this one.
    fn bound(self) -> [u8; 16] {
        let first = match Self::of_own(self.id).at.cmp(&self.at) {
            Ordering::Equal => return self.id,
            Ordering::Less => self.at,
            Ordering::Greater => self.at.saturating_add(1),
        };
        let mut bound = [0; 16];
        match first.to_be_bytes() {
            [0, 0, time @ ..] => bound[..6].copy_from_slice(&time),
            _ if first < 0 => {}
            // Later than any id can say.
            _ => bound = [0xff; 16],
        }
        bound
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use futures_util::future::join_all;
    use jiff::Timestamp;

    use super::super::{SqliteOptions, SqliteStore};
    use super::ROWS;
    use crate::store::conformance::sample;
    use crate::store::{Filter, Store};

    #[tokio::test]
    async fn a_filter_finds_its_own_among_more_rows_than_one_query_looks_at() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();
        let parent = sample::new(0).operation.id;
        let rare = |number: i64| number % (ROWS / 2) == 7 || number % (ROWS / 2) == 8;
        let starts = (0..4 * ROWS + 10).map(|number| {
            let mut new = sample::new(number);
            if number % 2 == 1 {
                let child = sample::origin(&mut new);
                child.id = parent.child(&number.to_string());
                child.parent = Some(parent);
            }
            sample::origin(&mut new).caller = if rare(number) { "rare" } else { "frequent" }.into();
            store.accept(new)
        });
        join_all(starts).await;

        let filter = Filter { caller: Some("rare".to_owned()), ..Filter::default() };
        let listed = store.list(filter, None, 100).await.unwrap();

        let found: Vec<Timestamp> = listed.iter().map(|operation| operation.created_at).collect();
        let expected: Vec<_> =
            (0..4 * ROWS + 10).rev().filter(|number| rare(*number)).map(sample::at).collect();
        assert_eq!(found, expected);
    }
}
