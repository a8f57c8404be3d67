//! The feed: an index over the operations that have ended, in which each end gets its place when it is written.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use super::deliveries;
use super::live::Live;
use super::reader::{Query, Session};
use super::row::{self, ENDED, columns, integer};
use super::writer::Tx;
use crate::Json;
use crate::operation::{Operation, OperationId};
use crate::store::feed::{Feed, FeedPage, FeedPlace, Finished};

/// How many ends one page looks at, whatever it lets through.
const ROWS: usize = 1_000;
/// How many of an action are read at a time, at least.
const FEWEST_ROWS: usize = 16;
/// A page that has more than this is full: outputs may be large.
const BYTES: usize = 4 << 20;

/// Writes the end of an operation.
pub(super) fn finish(tx: &mut Tx<'_>, live: &Live) -> Result<(), StoreError> {
    let operation = &live.operation;
    // Readers see all ends of a transaction at once, and one transaction after the other: the order of the writes is
    // the order of the commits.
    let place = tx.memory.next_place(operation.finished_at.unwrap_or(operation.updated_at));
    if live.callback {
        deliveries::expected(tx.connection, operation)?;
        tx.memory.news.owed = true;
    }
    Ok(row::finish(tx.connection, operation, place)?)
}

/// The place after the last end that is kept.
pub(super) fn end(connection: &Connection) -> rusqlite::Result<FeedPlace> {
    let mut last = connection.prepare(
        "SELECT MAX(place) FROM operation INDEXED BY operation_feed WHERE action = ?1 AND place IS NOT NULL",
    )?;
    let mut end = FeedPlace::START;
    for action in actions(connection)? {
        if let Some(place) = last.query_row([action], |row| row.get::<_, Option<i64>>(0))? {
            end = end.max(place_of(place));
        }
    }
    Ok(end)
}

/// [`Store::finished`](crate::store::Store::finished).
pub(super) struct Read {
    pub(super) feed: Feed,
    pub(super) after: FeedPlace,
    pub(super) max: usize,
}

impl Query for Read {
    type Answer = FeedPage;
    const AHEAD: bool = true;

    fn run(&self, session: &Session<'_>) -> Result<FeedPage, StoreError> {
        let mut page = FeedPage { finished: Vec::new(), next: self.after, more: false };
        let (mut looked, mut bytes) = (0, 0);
        // A few rows first: mostly they fill the page, or there are no more.
        let mut share = (self.max + 1).clamp(FEWEST_ROWS, ROWS);
        loop {
            let (rows, cut) = self.rows(session.connection, page.next, share)?;
            looked += rows.len();
            for (place, id) in rows {
                // An end stays what it is, and one that is purged meanwhile is no longer in the feed.
                session.refresh()?;
                if let Some(operation) = self.ended(session.connection, id)? {
                    if page.finished.len() == self.max || bytes > BYTES {
                        page.more = true;
                        return Ok(page);
                    }
                    bytes += size(&operation);
                    page.finished.push(Finished { place, operation: Arc::new(operation) });
                }
                page.next = place;
            }
            page.more = cut;
            if !cut || looked >= ROWS {
                return Ok(page);
            }
            share = (share * 2).min(ROWS);
        }
    }
}

impl Read {
    /// The ends to look at, in order: of each action no more than its share. And whether there are others after them.
    fn rows(
        &self,
        connection: &Connection,
        after: FeedPlace,
        share: usize,
    ) -> Result<(Vec<(FeedPlace, OperationId)>, bool), StoreError> {
        let all;
        let actions = match &*self.feed.actions {
            [] => {
                all = actions(connection)?;
                &all
            }
            some => some,
        };
        let share = share.min(ROWS / actions.len().max(1)).max(FEWEST_ROWS);
        let mut statement = connection.prepare_cached(
            "SELECT place, id FROM operation INDEXED BY operation_feed WHERE action = ?1 AND place > ?2 \
             ORDER BY place LIMIT ?3",
        )?;
        let mut rows = Vec::new();
        // What was seen of every action: one that has more than its share says how far.
        let mut horizon = None;
        for action in actions {
            let before = rows.len();
            let mut found = statement.query(params![action, integer(after.number()), integer(share)])?;
            while let Some(row) = found.next()? {
                rows.push((place_of(row.get(0)?), OperationId::from_bytes(row.get(1)?)));
            }
            if rows.len() - before == share
                && let Some((last, _)) = rows.last()
            {
                horizon = Some(horizon.map_or(*last, |horizon: FeedPlace| horizon.min(*last)));
            }
        }
        rows.retain(|(place, _)| horizon.is_none_or(|horizon| *place <= horizon));
        rows.sort_unstable();
        // An action may be named twice.
        rows.dedup();
        Ok((rows, horizon.is_some()))
    }

    /// The operation, if the feed lets it through.
    fn ended(&self, connection: &Connection, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let outcomes = row::mask(&self.feed.outcomes);
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM operation WHERE id = ?1 AND phase = ?2 AND (?3 IS NULL OR caller = ?3) \
             AND (?4 = 0 OR (1 << state) & ?4)"
        );
        connection
            .prepare_cached(sql)?
            .query_row(params![id.as_bytes(), ENDED, self.feed.caller, outcomes], |row| {
                Ok(row::operation(row))
            })
            .optional()?
            .transpose()
    }
}

/// The actions of which there are ends: one step down the tree for each, however many ends there are.
fn actions(connection: &Connection) -> rusqlite::Result<Vec<Arc<str>>> {
    connection
        .prepare_cached(
            "WITH RECURSIVE known (action) AS (
                SELECT MIN(action) FROM operation INDEXED BY operation_feed WHERE place IS NOT NULL
                UNION ALL
                SELECT (
                    SELECT MIN(action) FROM operation INDEXED BY operation_feed
                    WHERE place IS NOT NULL AND action > known.action
                ) FROM known WHERE known.action IS NOT NULL
            ) SELECT action FROM known WHERE action IS NOT NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// A place as it is stored.
pub(super) fn place_of(number: i64) -> FeedPlace {
    FeedPlace::from_number(number.unsigned_abs())
}

fn size(operation: &Operation) -> usize {
    let texts = [&operation.output, &operation.custom_status].into_iter().flatten();
    texts.map(|text: &Json| text.get().len()).sum()
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::operation::Outcome;
    use crate::store::conformance::sample;
    use crate::store::sqlite::{SqliteOptions, SqliteStore};
    use crate::store::{Accepted, Change, Store};

    async fn end(store: &SqliteStore, now: i64, action: &str, caller: &str, output: &str) -> OperationId {
        let mut new = sample::new(now);
        sample::origin(&mut new).action = action.into();
        sample::origin(&mut new).caller = caller.into();
        let Accepted::New(operation, claim) = store.accept(new).await.expect("the store works") else {
            panic!("not accepted")
        };
        let outcome = Some(Outcome::Succeeded(Json::of(output).expect("it is JSON")));
        let change = Change { entries: vec![], published: None, outcome, now: sample::at(now) };
        store.append(claim, change).await.expect("the store works");
        operation.id
    }

    #[tokio::test]
    async fn a_page_looks_at_so_many_ends_and_goes_on_where_it_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();
        join_all((0..2 * ROWS + 10).map(|_| end(&store, 1, "work", "another", ""))).await;
        let own = end(&store, 2, "work", "somebody", "").await;
        join_all((0..50).map(|_| end(&store, 3, "rest", "another", ""))).await;
        let feed = Feed { caller: Some("somebody".into()), ..Feed::default() };

        for actions in [vec![], vec![Arc::from("work")], vec![Arc::from("rest"), Arc::from("work")]] {
            let feed = Feed { actions, ..feed.clone() };
            let first = store.finished(feed.clone(), FeedPlace::START, 5).await.unwrap();
            assert!(first.finished.is_empty() && first.more, "{first:?}");
            let (mut page, mut pages) = (first, 1);
            while page.finished.is_empty() {
                assert!(page.more);
                page = store.finished(feed.clone(), page.next, 5).await.unwrap();
                pages += 1;
            }

            assert_eq!(page.finished[0].operation.id, own);
            assert!(pages <= 4, "{pages} pages");
        }
    }

    #[tokio::test]
    async fn a_page_of_large_outputs_is_full_early() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();
        let large = "x".repeat(BYTES / 2);
        for now in 0..5 {
            end(&store, now, "work", "somebody", &large).await;
        }

        let page = store.finished(Feed::default(), FeedPlace::START, 100).await.unwrap();

        assert_eq!((page.finished.len(), page.more), (2, true));
    }
}
