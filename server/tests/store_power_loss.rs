//! What was answered is on the disk, whenever the power goes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use raincheck_server::journal::{Completion, Entry, Record};
use raincheck_server::operation::{Operation, Origin, Outcome, State};
use raincheck_server::store::conformance::power_loss::{Image, PowerLoss};
use raincheck_server::store::feed::{Feed, FeedPlace};
use raincheck_server::store::sqlite::{SqliteOptions, SqliteStore};
use raincheck_server::store::{
    Accepted, ActiveLimits, Appended, Change, Claim, Found, Idempotency, NewOperation, Store, StoreError,
};
use raincheck_server::{Json, OperationId};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Enough to write through the WAL several times, checkpoints included.
const EVENTS: u64 = 6_000;
const CALLERS: usize = 8;

/// What a caller was told about an operation.
#[derive(Debug, Clone)]
struct Told {
    new: NewOperation,
    steps: u32,
    ended: bool,
}

type Ledger = Arc<Mutex<Vec<Told>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_answered_survives_a_power_cut() {
    for seed in 0..50 {
        assert_eq!(violations(seed, |options| options).await, Vec::<String>::new(), "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_sync_is_found_out() {
    for seed in 0..50 {
        if !violations(seed, SqliteOptions::without_sync).await.is_empty() {
            return;
        }
    }
    panic!("this test cannot find a lost sync");
}

/// Cuts the power at some moment under load, and tells which promises the rest breaks.
async fn violations(seed: u64, options: impl Fn(SqliteOptions) -> SqliteOptions) -> Vec<String> {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let power = PowerLoss::new();
    let store =
        Arc::new(SqliteStore::open(options(SqliteOptions::new(before.path()).vfs(power.vfs()))).unwrap());
    let ledger = Ledger::default();
    let stopped = Arc::new(AtomicBool::new(false));
    let events = ChaCha8Rng::seed_from_u64(seed).random_range(0..EVENTS);
    let (sender, cut) = tokio::sync::oneshot::channel();
    power.cut_after(events, seed, {
        let (ledger, stopped) = (Arc::clone(&ledger), Arc::clone(&stopped));
        move |image: Image| {
            stopped.store(true, Ordering::SeqCst);
            let _ = sender.send((image, ledger.lock().unwrap().clone()));
        }
    });

    let callers: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(call(Arc::clone(&store), Arc::clone(&ledger), Arc::clone(&stopped))))
        .collect();
    let (image, told) = cut.await.unwrap();
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    drop(store);

    image.restore_into(after.path()).unwrap();
    let recovered = match SqliteStore::open(SqliteOptions::new(after.path())) {
        Ok(recovered) => recovered,
        Err(error) => return vec![format!("cannot be opened: {error}")],
    };
    let mut violations = Vec::new();
    for told in &told {
        if let Err(violation) = check(&recovered, told).await {
            violations.push(violation);
        }
    }
    match ids_in_feed(&recovered).await {
        Ok(fed) => {
            let lost = told.iter().filter(|told| told.ended && !fed.contains(&told.new.operation.id));
            violations.extend(lost.map(|told| format!("{} is not in the feed", told.new.operation.id)));
        }
        Err(error) => violations.push(format!("the feed: {error}")),
    }
    // And it works.
    let answer = recovered.accept(new()).await;
    assert!(matches!(answer, Ok(Accepted::New(..))), "{answer:?}");
    violations
}

/// What is in the feed, each once.
async fn ids_in_feed(store: &SqliteStore) -> Result<HashSet<OperationId>, String> {
    let (mut ids, mut place) = (HashSet::new(), FeedPlace::START);
    loop {
        let page = store.finished(Feed::default(), place, 100).await.map_err(|error| error.to_string())?;
        for finished in &page.finished {
            if !ids.insert(finished.operation.id) {
                return Err(format!("{} is there twice", finished.operation.id));
            }
        }
        place = page.next;
        if !page.more {
            return Ok(ids);
        }
    }
}

async fn call(store: Arc<SqliteStore>, ledger: Ledger, stopped: Arc<AtomicBool>) {
    while !stopped.load(Ordering::SeqCst) {
        let new = new();
        let Ok(Accepted::New(_, claim)) = store.accept(new.clone()).await else { panic!("not accepted") };
        let place = {
            let mut ledger = ledger.lock().unwrap();
            ledger.push(Told { new, steps: 0, ended: false });
            ledger.len() - 1
        };
        for number in 0..3 {
            append(&store, claim, Change { entries: vec![step(number)], ..nothing() }).await;
            ledger.lock().unwrap()[place].steps += 1;
        }
        append(&store, claim, Change { outcome: Some(Outcome::Succeeded(text("done"))), ..nothing() }).await;
        ledger.lock().unwrap()[place].ended = true;
    }
}

async fn append(store: &SqliteStore, claim: Claim, change: Change) {
    assert_eq!(store.append(claim, change).await.unwrap(), Appended::Done);
}

async fn check(store: &SqliteStore, told: &Told) -> Result<(), String> {
    let Told { new, steps, ended } = told;
    let id = new.operation.id;
    let failed = |error: StoreError| format!("{id}: {error}");
    let operation = match store.read(id).await.map_err(failed)? {
        Some(Found::Operation(operation)) => operation,
        other => return Err(format!("{id} was accepted: {other:?}")),
    };
    let history = store.history(id, None, usize::MAX).await.map_err(failed)?;
    let expected = std::iter::once(Entry::Accepted { input: new.input.clone() }).chain((0..*steps).map(step));
    let found = |record: &Record| record.entry.clone();
    if !expected.eq(history.iter().take(*steps as usize + 1).map(found)) {
        return Err(format!("{id} had {steps} steps: {history:?}"));
    }
    if *ended && (operation.state, &operation.output) != (State::Succeeded, &Some(text("done"))) {
        return Err(format!("{id} had ended: {operation:?}"));
    }
    // What was committed together is there together, also if nobody was told of it.
    if operation.state.is_terminal() && history.len() != 4 {
        return Err(format!("{id} ended without its steps: {history:?}"));
    }
    let again = NewOperation { operation: fresh(), ..new.clone() };
    match store.accept(again).await.map_err(failed)? {
        Accepted::Replayed(Found::Operation(replayed)) if replayed.id == id => Ok(()),
        other => Err(format!("{id} had a key: {other:?}")),
    }
}

fn step(number: u32) -> Entry {
    Entry::Step {
        command: format!("/step:{number}:0"),
        attempts: 1,
        result: Completion::Value(text("result")),
    }
}

fn nothing() -> Change {
    Change { entries: vec![], published: None, outcome: None, now: now() }
}

fn new() -> NewOperation {
    let operation = fresh();
    let mut key = [0; 32];
    key[..16].copy_from_slice(operation.id.as_bytes());
    NewOperation {
        operation,
        input: text("input"),
        idempotency: Some(Idempotency { key, former: Vec::new(), content: key, since: None }),
        callback: None,
        limits: ActiveLimits { total: u64::MAX, action: u64::MAX, caller: u64::MAX },
    }
}

fn fresh() -> Operation {
    Operation::accepted(Origin {
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
    })
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000).unwrap()
}

fn text(text: &str) -> Json {
    Json::of(text).unwrap()
}
