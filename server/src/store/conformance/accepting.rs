//! [`accept`](crate::store::Store::accept).

use std::sync::Arc;

use futures_util::future::join_all;

use super::Factory;
use super::sample::{
    ACTION, NO_LIMITS, RETENTION, accept, append, at, end, history, idempotency, json, new, origin, read,
    succeeded,
};
use crate::journal::Entry;
use crate::operation::Origin;
use crate::store::{Accepted, ActiveLimits, Candidate, Found, Idempotency, NewOperation, Store};

/// Once accepted, an operation is what every reader finds, and its journal begins with its input.
pub async fn an_accepted_operation_is_readable_at_once(factory: &impl Factory) {
    let store = factory.open().await;
    let new = new(1);

    let (operation, claim) = accept(&*store, new.clone()).await;

    assert_eq!(*operation, new.operation);
    assert_eq!(claim.operation, operation.id);
    assert_eq!(*read(&*store, operation.id).await, new.operation);
    let history = history(&*store, operation.id).await;
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].sequence, history[0].at), (0, at(1)));
    assert_eq!(history[0].entry, Entry::Accepted { input: json("input") });
}

/// The call can be repeated: the second one starts nothing, whether the operation still runs or has ended.
pub async fn the_same_id_again_is_a_replay(factory: &impl Factory) {
    let store = factory.open().await;
    let new = new(1);
    let (operation, claim) = accept(&*store, new.clone()).await;

    let again = store.accept(new.clone()).await.expect("the store works");
    assert_replayed(&again, &new);
    append(&*store, claim, end(2, succeeded())).await;
    let with_key = NewOperation { idempotency: idempotency(9, 9), ..new.clone() };
    let after_the_end = store.accept(with_key).await.expect("the store works");

    assert_replayed(&after_the_end, &new);
    assert_eq!(history(&*store, operation.id).await.len(), 1);
}

/// The key finds the first operation as it is now.
pub async fn the_same_key_and_content_again_is_a_replay(factory: &impl Factory) {
    let store = factory.open().await;
    let first = NewOperation { idempotency: idempotency(1, 1), ..new(1) };
    let (_, claim) = accept(&*store, first.clone()).await;
    append(&*store, claim, end(2, succeeded())).await;
    let second = NewOperation { idempotency: idempotency(1, 1), ..new(3) };

    let answer = store.accept(second.clone()).await.expect("the store works");

    assert_replayed(&answer, &first);
    let Accepted::Replayed(Found::Operation(found)) = answer else { unreachable!("checked above") };
    assert!(found.state.is_terminal());
    assert_eq!(store.read(second.operation.id).await.expect("the store works"), None);
}

/// An action that was renamed still knows its keys, and binds none under an old name.
pub async fn a_key_that_was_bound_under_a_former_name_is_a_replay(factory: &impl Factory) {
    let store = factory.open().await;
    let (bound, _) = accept(&*store, NewOperation { idempotency: idempotency(1, 1), ..new(1) }).await;
    let renamed = |content| {
        let now = idempotency(2, content).expect("it is one");
        Some(Idempotency { former: vec![[7; 32], [1; 32]], ..now })
    };

    for (content, is_same) in [(1, true), (2, false)] {
        let again = NewOperation { idempotency: renamed(content), ..new(3) };
        let answers = [
            Some(store.accept(again.clone()).await.expect("the store works")),
            foresee(&*store, renamed(content), NO_LIMITS).await,
        ];
        for answer in answers {
            match answer {
                Some(Accepted::Replayed(Found::Operation(found))) if is_same => {
                    assert_eq!(found.id, bound.id)
                }
                Some(Accepted::KeyReused) if !is_same => {}
                other => panic!("content {content}: {other:?}"),
            }
        }
    }
    // Nothing was bound by being asked.
    accept(&*store, NewOperation { idempotency: idempotency(2, 2), ..new(4) }).await;
    accept(&*store, NewOperation { idempotency: idempotency(7, 2), ..new(5) }).await;
}

/// However many callers send one key at once, one operation starts, and everybody is told of it.
pub async fn one_of_many_concurrent_accepts_with_one_key_is_new(factory: &impl Factory) {
    let store = factory.open().await;
    let calls = (0..200).map(|index| {
        let store = Arc::clone(&store);
        let new = NewOperation { idempotency: idempotency(1, 1), ..new(index) };
        tokio::spawn(async move { store.accept(new).await })
    });

    let answers = join_all(calls).await;

    let mut started = Vec::new();
    let mut replayed = Vec::new();
    for answer in answers {
        match answer.expect("no call panics").expect("the store works") {
            Accepted::New(operation, _) => started.push(operation.id),
            Accepted::Replayed(Found::Operation(operation)) => replayed.push(operation.id),
            other => panic!("neither new nor replayed: {other:?}"),
        }
    }
    assert_eq!(started.len(), 1);
    assert_eq!(replayed, vec![started[0]; 199]);
}

/// Another body under the same key is the caller's mistake, and starts nothing.
pub async fn a_key_with_other_content_is_refused(factory: &impl Factory) {
    let store = factory.open().await;
    accept(&*store, NewOperation { idempotency: idempotency(1, 1), ..new(1) }).await;
    let other = NewOperation { idempotency: idempotency(1, 2), ..new(2) };

    let answer = store.accept(other.clone()).await.expect("the store works");

    assert!(matches!(answer, Accepted::KeyReused), "{answer:?}");
    assert_eq!(store.read(other.operation.id).await.expect("the store works"), None);
}

/// A start that was refused leaves its key free, for other content too.
pub async fn a_key_is_bound_only_by_an_accepted_start(factory: &impl Factory) {
    let store = factory.open().await;
    let full = ActiveLimits { total: 0, ..NO_LIMITS };
    let refused = NewOperation { idempotency: idempotency(1, 1), limits: full, ..new(1) };
    let answer = store.accept(refused.clone()).await.expect("the store works");
    assert!(matches!(answer, Accepted::Full), "{answer:?}");
    assert_eq!(store.read(refused.operation.id).await.expect("the store works"), None);

    accept(&*store, NewOperation { idempotency: idempotency(1, 2), ..new(2) }).await;
}

/// In the store, of the action, of the caller; an operation that ends makes room.
pub async fn every_limit_counts_active_operations(factory: &impl Factory) {
    let store = factory.open().await;
    let by = |action: &str, caller: &str, limits| {
        let mut new = NewOperation { limits, ..new(1) };
        origin(&mut new).action = action.into();
        origin(&mut new).caller = caller.into();
        new
    };
    let (_, claim) = accept(&*store, by("a", "me", NO_LIMITS)).await;
    accept(&*store, by("b", "you", NO_LIMITS)).await;

    for (action, caller, limits, full) in [
        ("c", "her", ActiveLimits { total: 2, ..NO_LIMITS }, true),
        ("a", "her", ActiveLimits { action: 1, ..NO_LIMITS }, true),
        ("c", "me", ActiveLimits { caller: 1, ..NO_LIMITS }, true),
        ("c", "me", ActiveLimits { total: 3, action: 1, caller: 2 }, false),
    ] {
        let answer = store.accept(by(action, caller, limits)).await.expect("the store works");
        assert_eq!(matches!(answer, Accepted::Full), full, "{action} {caller} {answer:?}");
    }
    append(&*store, claim, end(2, succeeded())).await;

    accept(&*store, by("a", "her", ActiveLimits { total: 3, action: 1, caller: 1 })).await;
}

/// Whoever was told "accepted" is told so again, also when nothing new is accepted.
pub async fn a_replay_comes_before_the_limits(factory: &impl Factory) {
    let store = factory.open().await;
    let full = ActiveLimits { total: 1, action: 1, caller: 1 };
    let first = NewOperation { idempotency: idempotency(1, 1), limits: full, ..new(1) };
    accept(&*store, first.clone()).await;

    let second = NewOperation { idempotency: idempotency(1, 1), limits: full, ..new(2) };
    assert_replayed(&store.accept(second).await.expect("the store works"), &first);
    let other = NewOperation { idempotency: idempotency(1, 2), limits: full, ..new(3) };
    let answer = store.accept(other).await.expect("the store works");
    assert!(matches!(answer, Accepted::KeyReused), "{answer:?}");
    let third = NewOperation { idempotency: idempotency(2, 2), limits: full, ..new(4) };
    let answer = store.accept(third).await.expect("the store works");
    assert!(matches!(answer, Accepted::Full), "{answer:?}");
}

/// What it stands for; nothing, if no accepted start has bound it.
pub async fn a_key_can_be_asked_without_accepting_anything(factory: &impl Factory) {
    let store = factory.open().await;
    let ask = async |key, content| foresee(&*store, idempotency(key, content), NO_LIMITS).await;
    let first = NewOperation { idempotency: idempotency(1, 1), ..new(1) };
    assert!(ask(1, 1).await.is_none());
    accept(&*store, first.clone()).await;

    let same = ask(1, 1).await.expect("the key is bound");
    let other = ask(1, 2).await;

    assert_replayed(&same, &first);
    assert!(matches!(other, Some(Accepted::KeyReused)), "{other:?}");
    assert!(ask(2, 1).await.is_none());
}

/// Each limit by itself; a key that is bound comes first here, too.
pub async fn room_can_be_asked_for_without_accepting_anything(factory: &impl Factory) {
    let store = factory.open().await;
    let first = NewOperation { idempotency: idempotency(1, 1), ..new(1) };
    accept(&*store, first.clone()).await;

    for limits in [
        ActiveLimits { total: 1, ..NO_LIMITS },
        ActiveLimits { action: 1, ..NO_LIMITS },
        ActiveLimits { caller: 1, ..NO_LIMITS },
    ] {
        let full = foresee(&*store, idempotency(2, 1), limits).await;
        assert!(matches!(full, Some(Accepted::Full)), "{full:?}");
        let replay = foresee(&*store, idempotency(1, 1), limits).await.expect("the key is bound");
        assert_replayed(&replay, &first);
    }
    assert!(foresee(&*store, None, ActiveLimits { total: 2, action: 2, caller: 2 }).await.is_none());
}

/// A key may count for a while only; the next operation has it then, and keeps it when the first one is forgotten.
pub async fn a_key_that_counts_for_a_while_is_given_up_after_it(factory: &impl Factory) {
    let store = factory.open().await;
    let since = |time| idempotency(1, 1).map(|key| Idempotency { since: Some(at(time)), ..key });
    let first = NewOperation { idempotency: since(0), ..new(1) };
    let (_, claim) = accept(&*store, first.clone()).await;

    let soon = NewOperation { idempotency: since(1), ..new(2) };
    assert_replayed(&store.accept(soon).await.expect("the store works"), &first);
    let late = NewOperation { idempotency: since(2), ..new(3) };
    assert!(foresee(&*store, since(2), NO_LIMITS).await.is_none());
    accept(&*store, late.clone()).await;
    assert_replayed(
        &store.accept(NewOperation { idempotency: since(2), ..new(4) }).await.expect("works"),
        &late,
    );

    append(&*store, claim, end(5, succeeded())).await;
    for _ in 0..2 {
        store.sweep(at(5 + 2 * RETENTION), 10).await.expect("the store works");
    }
    assert_eq!(store.read(first.operation.id).await.expect("the store works"), None);
    assert_replayed(
        &store.accept(NewOperation { idempotency: since(2), ..new(6) }).await.expect("works"),
        &late,
    );
}

async fn foresee(
    store: &impl Store,
    idempotency: Option<Idempotency>,
    limits: ActiveLimits,
) -> Option<Accepted> {
    let Origin { action, caller, .. } = (*new(1).operation.origin).clone();
    store.foresee(Candidate { action, caller, idempotency, limits }).await.expect("the store works")
}

fn assert_replayed(answer: &Accepted, first: &NewOperation) {
    match answer {
        Accepted::Replayed(Found::Operation(found)) => {
            assert_eq!(found.id, first.operation.id);
            assert_eq!(&*found.action, ACTION);
        }
        other => panic!("not replayed: {other:?}"),
    }
}
