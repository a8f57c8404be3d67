//! What a process finds that starts after another one was killed.

use std::sync::Arc;

use super::Factory;
use super::sample::{
    ACTION, NO_LIMITS, RETENTION, accept, append, at, end, entries, history, idempotency, new, origin,
    problem, published, read, send, step, succeeded,
};
use crate::operation::Outcome;
use crate::store::{Accepted, ActiveLimits, Found, NewOperation, Signal, Signaled, Store, StoreError};

/// As every reader saw it, and with the same journal.
pub async fn an_active_operation_goes_on_where_it_was(factory: &impl Factory) {
    let store = factory.open().await;
    let mut child = new(1);
    origin(&mut child).parent = Some(child.operation.id.child("/child:work:0"));
    let (operation, run) = accept(&*store, child).await;
    append(&*store, run, published(2, "at work", 40)).await;
    append(&*store, run, entries(3, &[step("a")])).await;
    store.signal(operation.id, send("decision", Some((1, 1)), 9), at(4)).await.expect("the store works");
    store.signal(operation.id, Signal::Cancel, at(5)).await.expect("the store works");
    let before = (read(&*store, operation.id).await, history(&*store, operation.id).await);
    drop(store);

    let store = factory.open().await;

    assert_eq!((read(&*store, operation.id).await, history(&*store, operation.id).await), before);
    let claimed = store.claim(&[Arc::from(ACTION)], 10).await.expect("the store works");
    assert_eq!(claimed.len(), 1);
    assert_eq!((&claimed[0].operation, &claimed[0].history), (&before.0, &before.1));
    append(&*store, claimed[0].claim, entries(6, &[step("b")])).await;
    assert_eq!(history(&*store, operation.id).await.len(), before.1.len() + 1);
}

/// Output and error, to the letter.
pub async fn an_ended_operation_stays_as_it_was(factory: &impl Factory) {
    let store = factory.open().await;
    let mut before = Vec::new();
    for outcome in [succeeded(), Outcome::Failed(problem("failed")), Outcome::Canceled(problem("canceled"))] {
        let (operation, run) = accept(&*store, new(1)).await;
        append(&*store, run, end(2, outcome)).await;
        before.push(read(&*store, operation.id).await);
    }
    drop(store);

    let store = factory.open().await;

    for ended in before {
        assert_eq!(read(&*store, ended.id).await, ended);
        let canceled = store.signal(ended.id, Signal::Cancel, at(3)).await.expect("the store works");
        assert!(matches!(canceled, Signaled::AlreadyFinished(shown) if shown == ended));
    }
    assert!(store.claim(&[Arc::from(ACTION)], 10).await.expect("the store works").is_empty());
}

/// The keys of starts and of events.
pub async fn keys_are_remembered(factory: &impl Factory) {
    let store = factory.open().await;
    let start = |now, content| NewOperation { idempotency: idempotency(1, content), ..new(now) };
    let (operation, _) = accept(&*store, start(1, 1)).await;
    store.signal(operation.id, send("decision", Some((1, 1)), 9), at(2)).await.expect("the store works");
    drop(store);

    let store = factory.open().await;

    let replayed = store.accept(start(3, 1)).await.expect("the store works");
    assert!(matches!(replayed, Accepted::Replayed(Found::Operation(found)) if found == operation));
    assert!(matches!(store.accept(start(3, 2)).await, Ok(Accepted::KeyReused)));
    let event =
        async |content| store.signal(operation.id, send("decision", Some((1, content)), 9), at(3)).await;
    assert!(matches!(event(1).await, Ok(Signaled::Repeated(_))));
    assert!(matches!(event(2).await, Ok(Signaled::KeyReused)));
    assert_eq!(history(&*store, operation.id).await.len(), 2);
}

/// Also what nobody has claimed yet.
pub async fn limits_count_what_was_there_before(factory: &impl Factory) {
    let store = factory.open().await;
    accept(&*store, new(1)).await;
    let (_, ended) = accept(&*store, new(1)).await;
    append(&*store, ended, end(2, succeeded())).await;
    drop(store);

    let store = factory.open().await;

    for limits in [
        ActiveLimits { total: 1, ..NO_LIMITS },
        ActiveLimits { action: 1, ..NO_LIMITS },
        ActiveLimits { caller: 1, ..NO_LIMITS },
    ] {
        let answer = store.accept(NewOperation { limits, ..new(3) }).await.expect("the store works");
        assert!(matches!(answer, Accepted::Full), "{limits:?}: {answer:?}");
    }
    accept(&*store, NewOperation { limits: ActiveLimits { total: 2, action: 2, caller: 2 }, ..new(3) }).await;
}

/// Those of actions that nobody knows too.
pub async fn what_is_active_is_counted_by_action(factory: &impl Factory) {
    let store = factory.open().await;
    let mut strange = new(1);
    origin(&mut strange).action = "strange".into();
    accept(&*store, strange).await;
    accept(&*store, new(1)).await;
    accept(&*store, new(2)).await;
    let (_, ended) = accept(&*store, new(3)).await;
    append(&*store, ended, end(4, succeeded())).await;
    drop(store);

    let store = factory.open().await;

    let mut active = store.active().await.expect("the store works");
    active.sort();
    assert_eq!(active, [(Arc::from("strange"), 1), (Arc::from(ACTION), 2)]);
}

/// Until it is forgotten.
pub async fn a_tombstone_is_still_gone(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, run) = accept(&*store, new(0)).await;
    append(&*store, run, end(0, succeeded())).await;
    store.sweep(at(RETENTION), 10).await.expect("the store works");
    drop(store);

    let store = factory.open().await;

    assert!(matches!(store.read(operation.id).await, Ok(Some(Found::Gone(gone))) if gone.id == operation.id));
    let swept = store.sweep(at(2 * RETENTION), 10).await.expect("the store works");
    assert_eq!((swept.forgotten, swept.next), (1, None));
}

/// What was under way is durable; what comes later is refused; closing twice is closing once.
pub async fn nothing_is_possible_after_close(factory: &impl Factory) {
    let store = factory.open().await;
    let accepted = new(1);
    let under_way = store.accept(accepted.clone());

    store.close().await.expect("the store works");
    store.close().await.expect("it is closed");

    assert!(matches!(under_way.await, Ok(Accepted::New(..))));
    assert!(matches!(store.accept(new(2)).await, Err(StoreError::Closed)));
    drop(store);
    let store = factory.open().await;
    assert_eq!(*read(&*store, accepted.operation.id).await, accepted.operation);
}
