//! Giving out operations that nobody runs, with their journals.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::params_from_iter;

use super::StoreError;
use super::live::{Live, NOBODY, Tail};
use super::row;
use super::writer::{Tx, Write};
use crate::journal::Record;
use crate::operation::{OperationId, Published, State};
use crate::store::{Claim, Claimed};

/// How many journals one statement reads: a statement for each costs more than its rows.
const JOURNALS: usize = 256;

/// [`Store::claim`](crate::store::Store::claim).
pub(super) struct Take {
    pub(super) actions: Vec<Arc<str>>,
    pub(super) max: usize,
}

impl Write for Take {
    type Answer = Vec<Claimed>;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<Claimed>, StoreError> {
        let mut claimed = Vec::with_capacity(self.max.min(tx.memory.unowned_count()));
        let mut strangers = Vec::new();
        let mut after = None;
        // Those that cannot be read stay where they are: they must not keep the later ones from their turn.
        while claimed.len() < self.max {
            let wanted = JOURNALS.min(self.max - claimed.len());
            let mut ids = Vec::with_capacity(wanted);
            for live in tx.memory.unowned_after(after) {
                after = Some(live.operation.id);
                if self.actions.contains(&live.operation.action) {
                    ids.push(live.operation.id);
                    if ids.len() == wanted {
                        break;
                    }
                } else if live.operation.state == State::NotStarted {
                    strangers.push(live.clone());
                }
            }
            if ids.is_empty() {
                break;
            }
            let mut journals = journals(tx, &ids)?;
            for id in ids {
                let history = journals.remove(&id).unwrap_or(Ok(Vec::new()));
                let Some(live) = tx.memory.get(id) else { continue };
                match history {
                    Ok(history) => claimed.push(take(tx, live.clone(), history)),
                    // It stays until a release that can read it, or until its deadline.
                    Err(error) => tracing::error!(operation.id = %id, %error, "cannot resume an operation"),
                }
            }
        }
        show_running(tx, strangers)?;
        Ok(claimed)
    }
}

/// [`Store::active`](crate::store::Store::active).
pub(super) struct CountActive;

impl Write for CountActive {
    type Answer = Vec<(Arc<str>, u64)>;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, StoreError> {
        Ok(tx.memory.active_by_action())
    }
}

// An operation whose action is unknown waits for a process that knows it, and shows as running meanwhile.
fn show_running(tx: &mut Tx<'_>, strangers: Vec<Live>) -> Result<(), StoreError> {
    for mut live in strangers {
        let operation = Arc::make_mut(&mut live.operation);
        operation.publish(Published::default(), operation.updated_at);
        row::update(tx.connection, operation)?;
        tx.memory.change(live);
    }
    Ok(())
}

fn take(tx: &mut Tx<'_>, mut live: Live, history: Vec<Record>) -> Claimed {
    let operation = Arc::clone(&live.operation);
    let claim = Claim { operation: operation.id, run: tx.memory.next_run() };
    let mut tail = Tail { next: 0, waiting: 0 };
    for record in &history {
        tail.add(&record.entry);
    }
    live.run = claim.run;
    live.tail = Some(tail);
    tx.memory.put(operation.id, Some(live));
    Claimed { operation, claim, history }
}

type Journals = HashMap<OperationId, Result<Vec<Record>, StoreError>>;

fn journals(tx: &Tx<'_>, ids: &[OperationId]) -> Result<Journals, StoreError> {
    // The last chunk binds its last id again and again, so that one statement fits all.
    let bound = (0..JOURNALS).filter_map(|index| ids.get(index).or(ids.last()));
    let sql = format!(
        "SELECT operation, sequence, at, entry FROM journal WHERE operation IN ({}) ORDER BY operation, sequence",
        vec!["?"; JOURNALS].join(",")
    );
    let mut statement = tx.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(bound.map(OperationId::as_bytes)))?;
    let mut journals = Journals::with_capacity(ids.len());
    while let Some(row) = rows.next()? {
        let id = OperationId::from_bytes(row.get(0)?);
        let journal = journals.entry(id).or_insert_with(|| Ok(Vec::new()));
        if let Ok(records) = journal {
            match row::record(row, 1, id) {
                Ok(record) => records.push(record),
                Err(error) => *journal = Err(error),
            }
        }
    }
    Ok(journals)
}

/// Takes all active operations away from those who run them.
pub(super) struct DisownAll;

impl Write for DisownAll {
    type Answer = ();

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for id in tx.memory.ids() {
            if let Some(live) = tx.memory.get(id).cloned() {
                tx.memory.put(id, Some(Live { run: NOBODY, ..live }));
            }
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::super::{SqliteOptions, SqliteStore};
    use super::*;
    use crate::store::conformance::sample;
    use crate::store::{Accepted, Store};

    /// Makes the journal of an operation unreadable.
    struct Damage(OperationId);

    impl Write for Damage {
        type Answer = ();

        fn apply(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
            tx.connection
                .execute("UPDATE journal SET entry = x'ff' WHERE operation = ?1", [self.0.as_bytes()])?;
            Ok(())
        }
    }

    #[tokio::test]
    async fn operations_that_cannot_be_read_do_not_hold_up_those_after_them() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();
        let mut ids = Vec::new();
        for now in 0..6 {
            let Accepted::New(operation, _) = store.accept(sample::new(now)).await.unwrap() else {
                panic!("not accepted")
            };
            ids.push(operation.id);
        }
        for damaged in [0, 1, 2, 4] {
            store.write(Damage(ids[damaged])).await.unwrap();
        }
        store.disown_all().await.unwrap();

        let action = [sample::new(0).operation.action.clone()];
        let mut claimed = Vec::new();
        loop {
            let next = store.claim(&action, 1).await.unwrap();
            assert!(next.len() <= 1);
            let Some(next) = next.first() else { break };
            claimed.push(next.operation.id);
        }

        assert_eq!(claimed, [ids[3], ids[5]]);
    }
}
