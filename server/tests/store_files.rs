//! The files of the store inside: who may open them, and what happens when the disk does not obey.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use raincheck_server::operation::{Operation, Origin, Outcome};
use raincheck_server::store::conformance::power_loss::PowerLoss;
use raincheck_server::store::feed::{Feed, FeedPlace};
use raincheck_server::store::keys::{KeyStore, StoredKey};
use raincheck_server::store::sqlite::{OpenError, SqliteOptions, SqliteStore};
use raincheck_server::store::{
    Accepted, ActiveLimits, Change, Filter, Found, NewOperation, Store, StoreError,
};
use raincheck_server::{Json, OperationId};

#[test]
fn a_second_server_on_one_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();

    let Err(error) = SqliteStore::open(SqliteOptions::new(directory.path())) else { panic!("opened twice") };
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    assert!(error.to_string().contains("another raincheck server is running on"), "{error}");
    drop(first);

    assert!(SqliteStore::open(SqliteOptions::new(directory.path())).is_ok());
}

#[tokio::test]
async fn keys_change_beside_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(directory.path());
    let beside = SqliteStore::open_keys(&options).unwrap();
    let secret = beside.content_secret().await.unwrap();
    let server = SqliteStore::open(options).unwrap();
    let key = StoredKey {
        hash: [1; 32],
        name: "one".to_owned(),
        roles: vec!["start".to_owned()],
        actions: vec![],
        created_at: now(),
        revoked_at: None,
    };

    assert!(beside.add_key(key.clone()).await.unwrap());
    assert_eq!(server.keys().await.unwrap(), [key]);
    assert_eq!(beside.revoke_keys("one", now()).await.unwrap(), 1);

    assert_eq!(server.keys().await.unwrap()[0].revoked_at, Some(now()));
    assert_eq!(server.content_secret().await.unwrap(), secret);
}

#[test]
fn a_database_of_a_newer_release_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(SqliteOptions::new(directory.path())).unwrap());
    let database = rusqlite::Connection::open(directory.path().join("raincheck.db")).unwrap();
    database.pragma_update(None, "user_version", 7).unwrap();
    drop(database);

    let Err(error) = SqliteStore::open(SqliteOptions::new(directory.path())) else { panic!("opened") };

    assert_eq!(
        error.to_string(),
        "this database was written by a newer raincheck (schema 7; this one knows 4)"
    );
}

#[tokio::test]
async fn a_database_of_an_older_release_gets_what_it_has_not() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();
    let mut child = new();
    Arc::make_mut(&mut child.operation.origin).parent = Some(OperationId::new(now()));
    assert!(matches!(store.accept(child.clone()).await.unwrap(), Accepted::New(..)));
    store.close().await.unwrap();
    drop(store);
    let database = rusqlite::Connection::open(directory.path().join("raincheck.db")).unwrap();
    let older = "DROP TABLE subscription; DROP TABLE delivery; DROP INDEX operation_feed; ALTER TABLE operation DROP COLUMN place; DROP INDEX operation_child; \
                 PRAGMA user_version = 1";
    database.execute_batch(older).unwrap();
    drop(database);

    let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();

    let listed = store.list(Filter::default(), None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|operation| operation.id).collect::<Vec<_>>(), [child.operation.id]);
    let database = rusqlite::Connection::open(directory.path().join("raincheck.db")).unwrap();
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'operation_child'";
    assert_eq!(database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[tokio::test]
async fn what_ended_before_there_was_a_feed_is_not_in_it_and_goes_its_way() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();
    let end = async |store: &SqliteStore| {
        let new = new();
        let Ok(Accepted::New(operation, claim)) = store.accept(new).await else { panic!("not accepted") };
        let outcome = Some(Outcome::Succeeded(Json::of("output").unwrap()));
        let change = Change { entries: vec![], published: None, outcome, now: now() };
        store.append(claim, change).await.unwrap();
        operation.id
    };
    let before = end(&store).await;
    store.close().await.unwrap();
    drop(store);
    let database = rusqlite::Connection::open(directory.path().join("raincheck.db")).unwrap();
    let older = "DROP TABLE subscription; DROP TABLE delivery; DROP INDEX operation_feed; ALTER TABLE operation DROP COLUMN place; PRAGMA user_version = 2";
    database.execute_batch(older).unwrap();
    drop(database);

    let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();
    let after = end(&store).await;

    let page = store.finished(Feed::default(), FeedPlace::START, 10).await.unwrap();
    assert_eq!(page.finished.iter().map(|finished| finished.operation.id).collect::<Vec<_>>(), [after]);
    let swept = store.sweep(now() + Duration::from_secs(3600), 10).await.unwrap();
    assert_eq!(swept.purged, 2);
    assert!(matches!(store.read(before).await, Ok(Some(Found::Gone(_)))));
    let page = store.finished(Feed::default(), FeedPlace::START, 10).await.unwrap();
    assert!(page.finished.is_empty());
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("a").join("data");
    let _store = SqliteStore::open(SqliteOptions::new(&data)).unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode(data.clone()), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(path.clone()), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_full_disk_fails_what_is_written_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let power = PowerLoss::new();
    let store = SqliteStore::open(SqliteOptions::new(directory.path()).vfs(power.vfs())).unwrap();
    let before = new();
    assert!(matches!(store.accept(before.clone()).await, Ok(Accepted::New(..))));

    power.fill(true);
    let refused: Vec<_> = (0..20).map(|_| new()).collect();
    for answer in join_all(refused.iter().map(|new| store.accept(new.clone()))).await {
        assert!(matches!(answer, Err(StoreError::Database(_))), "{answer:?}");
    }
    for new in &refused {
        assert_eq!(store.read(new.operation.id).await.unwrap(), None);
    }
    assert!(matches!(store.read(before.operation.id).await, Ok(Some(Found::Operation(_)))));
    power.fill(false);

    // As if it had never been tried: nothing of it counts, and the same start is new.
    let limits = ActiveLimits { total: 2, action: 2, caller: 2 };
    let again = store.accept(NewOperation { limits, ..refused[0].clone() }).await;
    assert!(matches!(again, Ok(Accepted::New(..))), "{again:?}");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_failed_sync_stops_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let power = PowerLoss::new();
    let stopped = Arc::new(AtomicBool::new(false));
    let hook = Arc::clone(&stopped);
    let options = SqliteOptions::new(directory.path())
        .vfs(power.vfs())
        .on_lost_sync(move || hook.store(true, Ordering::SeqCst));
    let store = SqliteStore::open(options).unwrap();
    assert!(matches!(store.accept(new()).await, Ok(Accepted::New(..))));

    power.fail_syncs(true);
    let unsynced = new();
    let answer = store.accept(unsynced.clone()).await;

    assert!(matches!(answer, Err(StoreError::Database(_))), "{answer:?}");
    assert!(stopped.load(Ordering::SeqCst));
    assert!(matches!(store.accept(new()).await, Err(StoreError::Closed)));
}

fn new() -> NewOperation {
    NewOperation {
        operation: Operation::accepted(Origin {
            id: OperationId::new(now()),
            action: "work".into(),
            version: 1,
            caller: "somebody".into(),
            parent: None,
            created_at: now(),
            deadline: now() + Duration::from_secs(3600),
            retention: Duration::from_secs(3600),
            link_key: 1,
            tracking_id: None,
            traceparent: None,
        }),
        input: Json::of("input").unwrap(),
        idempotency: None,
        callback: None,
        limits: ActiveLimits { total: u64::MAX, action: u64::MAX, caller: u64::MAX },
    }
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000).unwrap()
}
