//! What the cases are made of: operations, changes, times, and a listener that can be waited for.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::Json;
use crate::journal::{Completion, Entry, Record};
use crate::operation::{Operation, OperationId, Origin, Outcome, Problem, Published};
use crate::store::{
    Accepted, ActiveLimits, Appended, Change, Claim, EventKey, Found, Idempotency, Listener, NewOperation,
    Signal, Store,
};

pub(super) const ACTION: &str = "work";
pub(super) const DEADLINE: i64 = 1_000_000;
pub(super) const RETENTION: i64 = 60_000;
pub(super) const NO_LIMITS: ActiveLimits =
    ActiveLimits { total: u64::MAX, action: u64::MAX, caller: u64::MAX };

/// A time: milliseconds after the cases begin.
pub(in crate::store) fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).expect("in range")
}

/// An operation that is accepted at `now`.
pub(in crate::store) fn new(now: i64) -> NewOperation {
    let now = at(now);
    NewOperation {
        operation: Operation::accepted(Origin {
            id: OperationId::new(now),
            action: ACTION.into(),
            version: 3,
            caller: "somebody".into(),
            parent: None,
            created_at: now,
            deadline: now + Duration::from_millis(DEADLINE.unsigned_abs()),
            retention: Duration::from_millis(RETENTION.unsigned_abs()),
            link_key: 7,
            tracking_id: Some("track".into()),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        }),
        input: json("input"),
        idempotency: None,
        callback: None,
        limits: NO_LIMITS,
    }
}

/// What never changes of an operation that is not accepted yet.
pub(in crate::store) fn origin(new: &mut NewOperation) -> &mut Origin {
    Arc::make_mut(&mut new.operation.origin)
}

pub(super) fn idempotency(key: u8, content: u8) -> Option<Idempotency> {
    Some(Idempotency { key: [key; 32], former: Vec::new(), content: [content; 32], since: None })
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Json {
    Json::of(value).expect("it has a JSON form")
}

pub(super) fn step(name: &str) -> Entry {
    Entry::Step { command: format!("/step:{name}:0"), attempts: 1, result: Completion::Value(json(name)) }
}

pub(super) fn event(name: &str) -> Entry {
    Entry::Event { name: name.to_owned(), body: json(name) }
}

/// The signal of such an event.
pub(super) fn send(name: &str, once: Option<(u8, u8)>, waiting: u64) -> Signal {
    let once = once.map(|(key, content)| EventKey { key: [key; 32], content: [content; 32] });
    Signal::Event { name: name.to_owned(), body: json(name), once, waiting }
}

pub(super) fn entries(now: i64, entries: &[Entry]) -> Change {
    Change { entries: entries.to_vec(), published: None, outcome: None, now: at(now) }
}

pub(super) fn published(now: i64, custom_status: &str, percent: u8) -> Change {
    let published = Published { custom_status: Some(json(custom_status)), percent: Some(percent) };
    Change { published: Some(published), ..entries(now, &[]) }
}

pub(super) fn end(now: i64, outcome: Outcome) -> Change {
    Change { outcome: Some(outcome), ..entries(now, &[]) }
}

pub(super) fn succeeded() -> Outcome {
    Outcome::Succeeded(json("output"))
}

pub(super) fn problem(code: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        message: code.to_owned(),
        http_status: 422,
        details: Some(json("details")),
    }
}

pub(super) async fn accept(store: &impl Store, new: NewOperation) -> (Arc<Operation>, Claim) {
    match store.accept(new).await {
        Ok(Accepted::New(operation, claim)) => (operation, claim),
        other => panic!("not accepted: {other:?}"),
    }
}

pub(super) async fn append(store: &impl Store, claim: Claim, change: Change) {
    assert_eq!(store.append(claim, change).await.expect("the store works"), Appended::Done);
}

pub(super) async fn read(store: &impl Store, id: OperationId) -> Arc<Operation> {
    match store.read(id).await {
        Ok(Some(Found::Operation(operation))) => operation,
        other => panic!("not there: {other:?}"),
    }
}

pub(super) async fn history(store: &impl Store, id: OperationId) -> Vec<Record> {
    store.history(id, None, usize::MAX).await.expect("the store works")
}

/// What is in a journal after its first entry.
pub(super) async fn entries_of(store: &impl Store, id: OperationId) -> Vec<Entry> {
    let history = history(store, id).await;
    for (index, record) in history.iter().enumerate() {
        assert_eq!(record.sequence, index as u64, "no gaps");
    }
    assert!(matches!(history.first().map(|record| &record.entry), Some(Entry::Accepted { .. })));
    history.into_iter().skip(1).map(|record| record.entry).collect()
}

/// What a listener heard.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Changed(Arc<Operation>),
    Signaled(OperationId),
    Due(Timestamp),
}

/// A listener that passes on what it hears.
struct Ear(mpsc::UnboundedSender<Heard>);

impl Listener for Ear {
    fn changed(&self, operation: &Arc<Operation>) {
        let _ = self.0.send(Heard::Changed(Arc::clone(operation)));
    }

    fn signaled(&self, id: OperationId) {
        let _ = self.0.send(Heard::Signaled(id));
    }

    fn due(&self, at: Timestamp) {
        let _ = self.0.send(Heard::Due(at));
    }
}

pub(super) fn listen(store: &impl Store) -> mpsc::UnboundedReceiver<Heard> {
    let (sender, receiver) = mpsc::unbounded_channel();
    store.listen(Arc::new(Ear(sender)));
    receiver
}

/// Waits until something is heard that is looked for.
pub(super) async fn hear<T>(
    heard: &mut mpsc::UnboundedReceiver<Heard>,
    mut wanted: impl FnMut(Heard) -> Option<T>,
) -> T {
    let search = async {
        while let Some(heard) = heard.recv().await {
            if let Some(found) = wanted(heard) {
                return found;
            }
        }
        panic!("the store dropped its listener");
    };
    // Far longer than any store needs: only so that a lost hint fails instead of hanging.
    tokio::time::timeout(Duration::from_secs(30), search).await.expect("the listener hears of it")
}
