//! Listings.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::StoreError;
use super::reader::{Query, Session};
use super::row::{self, TOMBSTONE, columns, integer, milliseconds, number};
use crate::operation::{Operation, OperationId};
use crate::store::Filter;

/// How many rows one query looks at: a filter that lets little through must not hold a transaction open for long.
const ROWS: i64 = 5_000;

/// [`Store::list`](crate::store::Store::list).
pub(super) struct List {
    pub(super) filter: Filter,
    pub(super) before: Option<OperationId>,
    pub(super) max: usize,
}

impl Query for List {
    type Answer = Vec<Arc<Operation>>;
    const AHEAD: bool = true;

    fn run(&self, session: &Session<'_>) -> Result<Self::Answer, StoreError> {
        let mut listed = Vec::new();
        let mut before = self.before.map_or([0xff; 16], |before| *before.as_bytes());
        while listed.len() < self.max {
            let end = end(session.connection, before)?;
            self.scan(session.connection, before, end.unwrap_or_default(), &mut listed)?;
            let Some(end) = end else { break };
            before = end;
            // Ids never change, so the next part fits whatever happens in between.
            session.refresh()?;
        }
        Ok(listed)
    }
}

impl List {
    /// The matches from `end` to before `before`.
    fn scan(
        &self,
        connection: &Connection,
        before: [u8; 16],
        end: [u8; 16],
        listed: &mut Vec<Arc<Operation>>,
    ) -> Result<(), StoreError> {
        let Filter {
            action,
            state,
            caller,
            tracking_id,
            traceparent,
            created_from,
            created_before,
            updated_from,
            updated_before,
        } = &self.filter;
        let mut statement = connection.prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM operation WHERE id < :before AND id >= :end AND phase < :tombstone \
             AND (:action IS NULL OR action = :action) \
             AND (:state IS NULL OR state = :state) \
             AND (:caller IS NULL OR caller = :caller) \
             AND (:tracking_id IS NULL OR tracking_id = :tracking_id) \
             AND (:traceparent IS NULL OR traceparent = :traceparent) \
             AND (:created_from IS NULL OR created_at >= :created_from) \
             AND (:created_before IS NULL OR created_at < :created_before) \
             AND (:updated_from IS NULL OR updated_at >= :updated_from) \
             AND (:updated_before IS NULL OR updated_at < :updated_before) \
             ORDER BY id DESC LIMIT :left"
        ))?;
        let mut rows = statement.query(named_params! {
            ":before": before,
            ":end": end,
            ":tombstone": TOMBSTONE,
            ":action": action,
            ":state": state.map(number),
            ":caller": caller,
            ":tracking_id": tracking_id,
            ":traceparent": traceparent,
            ":created_from": created_from.map(milliseconds),
            ":created_before": created_before.map(milliseconds),
            ":updated_from": updated_from.map(milliseconds),
            ":updated_before": updated_before.map(milliseconds),
            ":left": integer(self.max - listed.len()),
        })?;
        while let Some(row) = rows.next()? {
            listed.push(Arc::new(row::operation(row)?));
        }
        Ok(())
    }
}

/// The last of the rows that a scan from `before` looks at; none if it looks at all that are left.
fn end(connection: &Connection, before: [u8; 16]) -> rusqlite::Result<Option<[u8; 16]>> {
    connection
        .prepare_cached("SELECT id FROM operation WHERE id < ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2")?
        .query_row(params![before, ROWS - 1], |row| row.get(0))
        .optional()
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
        let rare = |number: i64| number % (ROWS / 2) == 7;
        let starts = (0..2 * ROWS + 10).map(|number| {
            let mut new = sample::new(number);
            sample::origin(&mut new).caller = if rare(number) { "rare" } else { "frequent" }.into();
            store.accept(new)
        });
        join_all(starts).await;

        let filter = Filter { caller: Some("rare".to_owned()), ..Filter::default() };
        let listed = store.list(filter, None, 100).await.unwrap();

        let found: Vec<Timestamp> = listed.iter().map(|operation| operation.created_at).collect();
        let expected: Vec<_> =
            (0..2 * ROWS + 10).rev().filter(|number| rare(*number)).map(sample::at).collect();
        assert_eq!(found, expected);
    }
}
