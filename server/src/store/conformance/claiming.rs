//! [`claim`](crate::store::Store::claim).

use std::sync::Arc;

use super::Factory;
use super::sample::{
    ACTION, accept, append, at, end, entries, entries_of, event, history, new, origin, read, send, step,
    succeeded,
};
use crate::operation::{OperationId, State};
use crate::store::{Appended, Claimed, NewOperation, Signal, Signaled, Store};

async fn claim(store: &impl Store, max: usize) -> Vec<Claimed> {
    store.claim(&[Arc::from("other"), Arc::from(ACTION)], max).await.expect("the store works")
}

fn ids(claimed: &[Claimed]) -> Vec<OperationId> {
    claimed.iter().map(|claimed| claimed.operation.id).collect()
}

/// Whoever goes on with an operation knows all that was committed.
pub async fn a_claim_has_the_whole_journal_in_order(factory: &impl Factory) {
    let store = factory.open().await;
    let (first, run) = accept(&*store, new(1)).await;
    let (second, _) = accept(&*store, new(2)).await;
    append(&*store, run, entries(3, &[step("a"), step("b")])).await;
    store.signal(first.id, send("decision", None, 9), at(4)).await.expect("the store works");
    append(&*store, run, entries(5, &[step("c")])).await;
    factory.stop_owner(&store).await;

    let claimed = claim(&*store, 10).await;

    assert_eq!(ids(&claimed), [first.id, second.id]);
    for claimed in &claimed {
        assert_eq!(claimed.history, history(&*store, claimed.operation.id).await);
        assert_eq!(claimed.claim.operation, claimed.operation.id);
    }
    assert_eq!(entries_of(&*store, first.id).await, [step("a"), step("b"), event("decision"), step("c")]);
}

/// And no more than asked for.
pub async fn the_oldest_come_first(factory: &impl Factory) {
    let store = factory.open().await;
    let mut accepted = Vec::new();
    for now in [3, 1, 5, 2, 4] {
        accepted.push(accept(&*store, new(now)).await.0.id);
    }
    factory.stop_owner(&store).await;
    accepted.sort_unstable();

    let first = claim(&*store, 2).await;
    let rest = claim(&*store, 10).await;

    assert_eq!(ids(&first), accepted[..2]);
    assert_eq!(ids(&rest), accepted[2..]);
}

/// Neither what was accepted here nor what was claimed.
pub async fn what_somebody_runs_is_not_given_out(factory: &impl Factory) {
    let store = factory.open().await;
    accept(&*store, new(1)).await;

    assert_eq!(ids(&claim(&*store, 10).await), []);
    factory.stop_owner(&store).await;
    assert_eq!(claim(&*store, 10).await.len(), 1);

    assert_eq!(ids(&claim(&*store, 10).await), []);
}

/// A run that was believed dead and is not cannot disturb the new one.
pub async fn a_new_claim_fences_the_earlier_one(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, earlier) = accept(&*store, new(1)).await;
    factory.stop_owner(&store).await;
    let later = claim(&*store, 10).await.remove(0).claim;

    let fenced = store.append(earlier, end(2, succeeded())).await.expect("the store works");
    append(&*store, later, entries(3, &[step("a")])).await;

    assert_eq!(fenced, Appended::Fenced);
    assert_ne!(earlier, later);
    assert!(!read(&*store, operation.id).await.state.is_terminal());
    assert_eq!(entries_of(&*store, operation.id).await, [step("a")]);
}

/// There is nothing to go on with.
pub async fn what_has_ended_is_not_given_out(factory: &impl Factory) {
    let store = factory.open().await;
    let (_, run) = accept(&*store, new(1)).await;
    let (canceling, _) = accept(&*store, new(2)).await;
    append(&*store, run, end(2, succeeded())).await;
    store.signal(canceling.id, Signal::Cancel, at(3)).await.expect("the store works");
    factory.stop_owner(&store).await;

    let claimed = claim(&*store, 10).await;

    assert_eq!(ids(&claimed), [canceling.id]);
    assert_eq!(claimed[0].operation.state, State::Canceling);
}

/// It is given out once a process knows its action, and has not gone back until then.
pub async fn an_operation_of_an_unknown_action_waits_and_shows_running(factory: &impl Factory) {
    let store = factory.open().await;
    let mut strange = new(1);
    origin(&mut strange).action = "strange".into();
    let (strange, _) = accept(&*store, strange).await;
    let (known, _) = accept(&*store, new(2)).await;
    factory.stop_owner(&store).await;

    let claimed = claim(&*store, 10).await;
    let waiting = read(&*store, strange.id).await;
    let later = store.claim(&["strange".into()], 10).await.expect("the store works");

    assert_eq!(ids(&claimed), [known.id]);
    assert_eq!(waiting.state, State::Running);
    assert_eq!(ids(&later), [strange.id]);
    assert_eq!(later[0].operation, waiting);
}

/// And what its next run writes comes after it.
pub async fn what_happens_while_nobody_runs_it_is_in_the_journal(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, run) = accept(&*store, NewOperation { ..new(1) }).await;
    append(&*store, run, entries(2, &[step("a")])).await;
    let id = operation.id;
    drop(store);
    let store = factory.open().await;
    factory.stop_owner(&store).await;

    let first = store.signal(id, send("decision", None, 1), at(3)).await.expect("the store works");
    let second = store.signal(id, send("decision", None, 1), at(3)).await.expect("the store works");
    let claimed = claim(&*store, 10).await.remove(0);
    append(&*store, claimed.claim, entries(4, &[step("b")])).await;

    assert!(matches!(first, Signaled::Done(_)), "{first:?}");
    assert!(matches!(second, Signaled::TooManyEvents), "{second:?}");
    assert_eq!(claimed.history.len(), 3);
    assert_eq!(entries_of(&*store, id).await, [step("a"), event("decision"), step("b")]);
}
