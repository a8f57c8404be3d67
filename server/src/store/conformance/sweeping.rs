//! [`sweep`](crate::store::Store::sweep).

use std::time::Duration;

use super::Factory;
use super::sample::{
    DEADLINE, Heard, RETENTION, accept, append, at, end, hear, history, idempotency, listen, new, origin,
    read, send, succeeded,
};
use crate::operation::{State, Tombstone};
use crate::store::{Accepted, Filter, Found, NewOperation, Signal, Signaled, Store, Swept};

/// Even if no process knows its action; its owner, if there is one, hears of it.
pub async fn a_deadline_ends_an_operation_that_nobody_runs(factory: &impl Factory) {
    let store = factory.open().await;
    let mut heard = listen(&*store);
    let (operation, _) = accept(&*store, new(0)).await;
    factory.stop_owner(&store).await;

    let swept = store.sweep(at(DEADLINE), 10).await.expect("the store works");

    assert_eq!((swept.ended, swept.purged, swept.forgotten), (1, 0, 0));
    assert_eq!(swept.next, Some(at(DEADLINE + RETENTION)));
    let ended = read(&*store, operation.id).await;
    assert_eq!((ended.state, ended.finished_at), (State::Failed, Some(at(DEADLINE))));
    let problem = ended.problem.as_ref().expect("it failed");
    assert_eq!((problem.code.as_str(), problem.http_status), ("deadline-exceeded", 422));
    hear(&mut heard, |heard| (heard == Heard::Signaled(operation.id)).then_some(())).await;
}

/// A sweep says when the next thing is due.
pub async fn what_is_not_due_stays(factory: &impl Factory) {
    let store = factory.open().await;
    assert_eq!(store.sweep(at(0), 10).await.expect("the store works"), Swept::default());
    let (active, _) = accept(&*store, new(0)).await;
    let (ended, claim) = accept(&*store, new(1)).await;
    append(&*store, claim, end(2, succeeded())).await;

    let swept = store.sweep(at(RETENTION + 1), 10).await.expect("the store works");

    assert_eq!(swept, Swept { next: Some(at(RETENTION + 2)), ..Swept::default() });
    assert_eq!(read(&*store, active.id).await.state, State::NotStarted);
    assert_eq!(read(&*store, ended.id).await.state, State::Succeeded);
}

/// A tombstone says that the operation is gone, for as long again as its retention; it has no journal, takes no
/// signals and is in no listing.
pub async fn retention_is_followed_by_a_tombstone_and_then_nothing(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(0)).await;
    let id = operation.id;
    store.signal(id, send("decision", Some((1, 1)), 9), at(1)).await.expect("the store works");
    append(&*store, claim, end(5, succeeded())).await;

    let purged = store.sweep(at(5 + RETENTION), 10).await.expect("the store works");
    let gone = store.read(id).await.expect("the store works");
    let journal = history(&*store, id).await;
    let signaled = store.signal(id, Signal::Cancel, at(5 + RETENTION)).await.expect("the store works");
    let listed = store.list(Filter::default(), None, 10).await.expect("the store works");
    let early = store.sweep(at(4 + 2 * RETENTION), 10).await.expect("the store works");
    let forgotten = store.sweep(at(5 + 2 * RETENTION), 10).await.expect("the store works");

    assert_eq!((purged.purged, purged.next), (1, Some(at(5 + 2 * RETENTION))));
    let tombstone =
        Tombstone { id, action: operation.action.clone(), caller: operation.caller.clone(), link_key: 7 };
    assert_eq!(gone, Some(Found::Gone(tombstone.into())));
    assert_eq!(journal, []);
    assert!(matches!(signaled, Signaled::NotFound), "{signaled:?}");
    assert_eq!(listed, []);
    assert_eq!(early.forgotten, 0);
    assert_eq!((forgotten.forgotten, forgotten.next), (1, None));
    assert_eq!(store.read(id).await.expect("the store works"), None);
}

/// And is free after it.
pub async fn a_key_is_remembered_through_the_tombstone(factory: &impl Factory) {
    let store = factory.open().await;
    let first = NewOperation { idempotency: idempotency(1, 1), ..new(0) };
    let (operation, claim) = accept(&*store, first).await;
    append(&*store, claim, end(0, succeeded())).await;
    let again = async |now, content| {
        let again = NewOperation { idempotency: idempotency(1, content), ..new(now) };
        store.accept(again).await.expect("the store works")
    };

    store.sweep(at(RETENTION), 10).await.expect("the store works");
    let replayed = again(RETENTION, 1).await;
    let reused = again(RETENTION, 2).await;
    store.sweep(at(2 * RETENTION), 10).await.expect("the store works");
    let free = again(2 * RETENTION, 2).await;

    assert!(matches!(replayed, Accepted::Replayed(Found::Gone(gone)) if gone.id == operation.id));
    assert!(matches!(reused, Accepted::KeyReused), "{reused:?}");
    assert!(matches!(free, Accepted::New(..)), "{free:?}");
}

/// What is left over is due at once.
pub async fn a_sweep_does_no_more_than_it_is_told(factory: &impl Factory) {
    let store = factory.open().await;
    for now in 0..5 {
        accept(&*store, new(now)).await;
    }
    let now = at(DEADLINE + 10);

    let mut ended = Vec::new();
    loop {
        let swept = store.sweep(now, 2).await.expect("the store works");
        ended.push(swept.ended);
        if swept.next.is_none_or(|next| next > now) {
            break;
        }
    }

    assert_eq!(ended, [2, 2, 1]);
}

/// So that whoever sleeps until the next sweep wakes up for it.
pub async fn something_due_earlier_is_told_to_the_listener(factory: &impl Factory) {
    let store = factory.open().await;
    let mut heard = listen(&*store);
    let due = |heard| if let Heard::Due(at) = heard { Some(at) } else { None };
    let mut short = new(0);
    origin(&mut short).deadline = at(10);
    let mut brief = new(0);
    origin(&mut brief).retention = Duration::from_millis(1);

    accept(&*store, new(0)).await;
    assert_eq!(hear(&mut heard, due).await, at(DEADLINE));
    accept(&*store, short).await;
    assert_eq!(hear(&mut heard, due).await, at(10));
    let (_, claim) = accept(&*store, brief).await;
    append(&*store, claim, end(1, succeeded())).await;

    hear(&mut heard, |heard| due(heard).filter(|due| *due == at(2))).await;
}
