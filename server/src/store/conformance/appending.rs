//! [`append`](crate::store::Store::append).

use std::sync::Arc;

use futures_util::future::join_all;

use super::Factory;
use super::sample::{
    DEADLINE, accept, append, at, end, entries, entries_of, json, new, problem, published, read, step,
    succeeded,
};
use crate::operation::{Operation, Outcome, Published, State};
use crate::store::{Appended, Change, Claim, Signal, Signaled, Store};

/// A run need not wait for one append before the next one.
pub async fn appends_are_committed_in_the_order_of_the_calls(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    let written: Vec<_> = (0..100).map(|index| step(&index.to_string())).collect();

    let calls: Vec<_> =
        written.iter().map(|entry| store.append(claim, entries(2, std::slice::from_ref(entry)))).collect();
    // The futures are polled from the last to the first.
    for answer in join_all(calls.into_iter().rev()).await {
        assert_eq!(answer.expect("the store works"), Appended::Done);
    }

    assert_eq!(entries_of(&*store, operation.id).await, written);
}

/// One append is one commit: nobody sees a part of it.
pub async fn entries_a_status_and_the_end_appear_together(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    let change = Change {
        entries: vec![step("a"), step("b")],
        outcome: Some(succeeded()),
        ..published(5, "last", 50)
    };

    append(&*store, claim, change).await;

    let expected = Operation {
        state: State::Succeeded,
        custom_status: Some(json("last")),
        percent: Some(100),
        updated_at: at(5),
        finished_at: Some(at(5)),
        output: Some(json("output")),
        ..Operation::clone(&operation)
    };
    assert_eq!(*read(&*store, operation.id).await, expected);
    assert_eq!(entries_of(&*store, operation.id).await, [step("a"), step("b")]);
}

/// By whom it was claimed since, or because it has ended.
pub async fn an_append_that_is_refused_writes_nothing(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    let change =
        Change { entries: vec![step("late")], outcome: Some(succeeded()), ..published(5, "late", 50) };

    let stranger = Claim { run: claim.run.wrapping_add(1), ..claim };
    let fenced = store.append(stranger, change.clone()).await.expect("the store works");
    let before = read(&*store, operation.id).await;
    append(&*store, claim, end(6, Outcome::Failed(problem("first")))).await;
    let finished = store.append(claim, change).await.expect("the store works");

    assert_eq!((fenced, finished), (Appended::Fenced, Appended::AlreadyFinished));
    assert_eq!(*before, *operation);
    assert_eq!(read(&*store, operation.id).await.problem.as_deref(), Some(&problem("first")));
    assert_eq!(entries_of(&*store, operation.id).await, []);
}

/// The last one wins, and an empty one starts the operation.
pub async fn a_published_status_is_what_readers_see(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    let only_running = Change { published: Some(Published::default()), ..entries(2, &[]) };

    append(&*store, claim, only_running).await;
    let running = read(&*store, operation.id).await;
    append(&*store, claim, published(3, "one", 10)).await;
    append(&*store, claim, published(4, "two", 20)).await;

    assert_eq!((running.state, &running.custom_status), (State::Running, &None));
    let shown = read(&*store, operation.id).await;
    assert_eq!((shown.state, shown.percent, shown.updated_at), (State::Running, Some(20), at(4)));
    assert_eq!(shown.custom_status, Some(json("two")));
}

/// Not even when the machine's clock does.
pub async fn a_time_that_readers_saw_never_goes_back(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    append(&*store, claim, published(500, "one", 10)).await;

    append(&*store, claim, published(300, "two", 20)).await;
    assert_eq!(read(&*store, operation.id).await.updated_at, at(500));
    append(&*store, claim, end(200, succeeded())).await;

    let ended = read(&*store, operation.id).await;
    assert_eq!((ended.updated_at, ended.finished_at), (at(500), Some(at(500))));
}

/// Never half done: a status without the entry that was written with it.
pub async fn a_call_that_is_dropped_is_done_or_not_done(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;

    for index in 0..50 {
        let change = Change { entries: vec![step(&index.to_string())], ..published(2, "dropped", index) };
        drop(store.append(claim, change));
    }
    append(&*store, claim, entries(3, &[step("last")])).await;

    let written = entries_of(&*store, operation.id).await;
    let last_dropped = (0..50).rev().find(|index| written.contains(&step(&index.to_string())));
    assert_eq!(read(&*store, operation.id).await.percent, last_dropped);
    assert_eq!(written.last(), Some(&step("last")));
}

/// The handler, a cancel that ends it, an operator, and the deadline, all at once: the first one stands, only that
/// one is told so, and every reader sees the same end.
pub async fn of_concurrent_ends_one_stands_and_all_agree(factory: &impl Factory) {
    let store = factory.open().await;
    for round in 0..30 {
        let (operation, claim) = accept(&*store, new(round)).await;
        let id = operation.id;
        let spawn = |call: usize| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let ended = |signaled| matches!(signaled, Signaled::Done(_));
                let terminated = Signal::End(Outcome::Canceled(problem("terminated")));
                let now = DEADLINE + round;
                match call {
                    0 => store.append(claim, end(now, succeeded())).await.map(|done| done == Appended::Done),
                    1 => store.signal(id, terminated, at(now)).await.map(ended),
                    2 => store.sweep(at(now), 100).await.map(|swept| swept.ended == 1),
                    _ => store.signal(id, Signal::Cancel, at(now)).await.map(|_| false),
                }
            })
        };

        let winners: Vec<bool> = join_all((0..4).map(spawn))
            .await
            .into_iter()
            .map(|won| won.expect("no panic").expect("works"))
            .collect();

        assert_eq!(winners.iter().filter(|won| **won).count(), 1, "{winners:?}");
        let ended = read(&*store, id).await;
        let code = ended.problem.as_ref().map(|problem| problem.code.as_str());
        match winners.iter().position(|won| *won) {
            Some(0) => assert_eq!((ended.state, code), (State::Succeeded, None)),
            Some(1) => assert_eq!((ended.state, code), (State::Canceled, Some("terminated"))),
            _ => assert_eq!((ended.state, code), (State::Failed, Some("deadline-exceeded"))),
        }
        let answer = store.signal(id, Signal::Cancel, at(DEADLINE * 2)).await.expect("the store works");
        assert!(matches!(answer, Signaled::AlreadyFinished(again) if again == ended));
    }
}
