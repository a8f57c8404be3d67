//! [`signal`](crate::store::Store::signal).

use super::Factory;
use super::sample::{
    Heard, accept, append, at, end, entries, entries_of, event, hear, listen, new, problem, read, send,
    succeeded,
};
use crate::journal::Entry;
use crate::operation::{OperationId, Outcome, State};
use crate::store::{EventKey, Signal, Signaled, Store};

/// The owner is told, and finds the event in the journal.
pub async fn an_event_reaches_the_owner_and_the_journal(factory: &impl Factory) {
    let store = factory.open().await;
    let mut heard = listen(&*store);
    let (operation, _) = accept(&*store, new(1)).await;

    let answer = store.signal(operation.id, send("decision", None, 1), at(2)).await.expect("the store works");

    assert!(matches!(answer, Signaled::Done(now) if now == operation));
    hear(&mut heard, |heard| (heard == Heard::Signaled(operation.id)).then_some(())).await;
    assert_eq!(entries_of(&*store, operation.id).await, [event("decision")]);
}

/// Whatever would refuse the event, or recognise it; and nothing has happened.
pub async fn what_would_become_of_an_event_can_be_asked_without_writing_it(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    let ask = async |once: Option<(u8, u8)>, waiting| {
        let once = once.map(|(key, content)| EventKey { key: [key; 32], content: [content; 32] });
        store.foresee_event(operation.id, once, waiting).await.expect("the store works")
    };
    assert!(ask(Some((1, 1)), 1).await.is_none());
    assert_eq!(entries_of(&*store, operation.id).await, []);
    store.signal(operation.id, send("decision", Some((1, 1)), 1), at(2)).await.expect("the store works");

    assert!(matches!(ask(Some((1, 1)), 1).await, Some(Signaled::Repeated(_))));
    assert!(matches!(ask(Some((1, 2)), 1).await, Some(Signaled::KeyReused)));
    assert!(matches!(ask(Some((2, 1)), 1).await, Some(Signaled::TooManyEvents)));
    assert!(ask(None, 2).await.is_none());
    append(&*store, claim, end(3, succeeded())).await;

    assert!(matches!(ask(Some((1, 1)), 1).await, Some(Signaled::Repeated(_))));
    assert!(matches!(ask(None, 1).await, Some(Signaled::AlreadyFinished(_))));
    let unknown = store.foresee_event(OperationId::new(at(1)), None, 1).await.expect("the store works");
    assert!(matches!(unknown, Some(Signaled::NotFound)), "{unknown:?}");
}

/// The second one is recognised.
pub async fn an_event_that_comes_again_does_nothing_again(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, _) = accept(&*store, new(1)).await;

    // Also when the first one takes the last free place.
    let tell = async || {
        let signal = send("decision", Some((1, 1)), 1);
        store.signal(operation.id, signal, at(2)).await.expect("the store works")
    };
    assert!(matches!(tell().await, Signaled::Done(_)));
    assert!(matches!(tell().await, Signaled::Repeated(_)));
    assert!(matches!(tell().await, Signaled::Repeated(_)));

    assert_eq!(entries_of(&*store, operation.id).await, [event("decision")]);
}

/// The key is the operation's own: another one may use the same.
pub async fn an_event_key_with_another_body_is_refused(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, _) = accept(&*store, new(1)).await;
    let (other, _) = accept(&*store, new(2)).await;
    store.signal(operation.id, send("decision", Some((1, 1)), 9), at(2)).await.expect("the store works");

    let reused = store.signal(operation.id, send("other", Some((1, 2)), 9), at(3)).await.expect("works");
    let elsewhere = store.signal(other.id, send("other", Some((1, 2)), 9), at(3)).await.expect("works");

    assert!(matches!(reused, Signaled::KeyReused), "{reused:?}");
    assert!(matches!(elsewhere, Signaled::Done(_)), "{elsewhere:?}");
    assert_eq!(entries_of(&*store, operation.id).await, [event("decision")]);
}

/// A caller whose answer was lost learns that its event arrived, even if that event ended the operation.
pub async fn a_repeated_event_is_recognised_after_the_end(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    store.signal(operation.id, send("decision", Some((1, 1)), 9), at(2)).await.expect("the store works");
    append(&*store, claim, end(3, succeeded())).await;

    let again = store.signal(operation.id, send("decision", Some((1, 1)), 9), at(4)).await.expect("works");

    assert!(matches!(again, Signaled::Repeated(operation) if operation.state == State::Succeeded));
}

/// An event that the handler takes makes room.
pub async fn only_so_many_events_may_wait(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    let tell =
        async |name: &str| store.signal(operation.id, send(name, None, 2), at(2)).await.expect("works");

    assert!(matches!(tell("a").await, Signaled::Done(_)));
    assert!(matches!(tell("b").await, Signaled::Done(_)));
    assert!(matches!(tell("c").await, Signaled::TooManyEvents));
    let taken = Entry::Taken { command: "/event:a:0".to_owned(), event: 1 };
    append(&*store, claim, entries(3, std::slice::from_ref(&taken))).await;

    assert!(matches!(tell("d").await, Signaled::Done(_)));
    assert!(matches!(tell("e").await, Signaled::TooManyEvents));
    assert_eq!(entries_of(&*store, operation.id).await, [event("a"), event("b"), taken, event("d")]);
}

/// A cancel that comes again is answered in the same way.
pub async fn only_the_first_cancel_is_recorded(factory: &impl Factory) {
    let store = factory.open().await;
    let mut heard = listen(&*store);
    let (operation, _) = accept(&*store, new(1)).await;

    for now in [2, 3, 4] {
        let answer = store.signal(operation.id, Signal::Cancel, at(now)).await.expect("the store works");
        assert!(matches!(answer, Signaled::Done(now) if now.state == State::Canceling));
    }

    hear(&mut heard, |heard| (heard == Heard::Signaled(operation.id)).then_some(())).await;
    let shown = read(&*store, operation.id).await;
    assert_eq!((shown.state, shown.updated_at), (State::Canceling, at(2)));
    assert_eq!(entries_of(&*store, operation.id).await, [Entry::CancelRequested]);
}

/// A deadline or an operator ends an operation over its owner's head, and the owner hears of it.
pub async fn an_end_from_outside_stands(factory: &impl Factory) {
    let store = factory.open().await;
    let mut heard = listen(&*store);
    let (operation, claim) = accept(&*store, new(1)).await;
    let outcome = Outcome::Canceled(problem("terminated"));

    let answer = store.signal(operation.id, Signal::End(outcome), at(2)).await.expect("the store works");
    let late = store.append(claim, end(3, succeeded())).await.expect("the store works");

    let Signaled::Done(ended) = answer else { panic!("not ended: {answer:?}") };
    assert_eq!((ended.state, ended.finished_at), (State::Canceled, Some(at(2))));
    assert_eq!(ended.problem.as_deref(), Some(&problem("terminated")));
    assert_eq!(late, crate::store::Appended::AlreadyFinished);
    hear(&mut heard, |heard| (heard == Heard::Signaled(operation.id)).then_some(())).await;
    assert_eq!(read(&*store, operation.id).await, ended);
}

/// Whatever it is told.
pub async fn what_has_ended_hears_nothing(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    append(&*store, claim, end(2, succeeded())).await;
    let ended = read(&*store, operation.id).await;

    for signal in
        [send("decision", Some((1, 1)), 9), Signal::Cancel, Signal::End(Outcome::Failed(problem("late")))]
    {
        let answer = store.signal(operation.id, signal, at(3)).await.expect("the store works");
        assert!(matches!(answer, Signaled::AlreadyFinished(shown) if shown == ended));
    }

    assert_eq!(entries_of(&*store, operation.id).await, []);
    assert_eq!(read(&*store, operation.id).await, ended);
}

/// Whatever it is told.
pub async fn an_unknown_operation_is_not_found(factory: &impl Factory) {
    let store = factory.open().await;
    let id = OperationId::new(at(1));

    for signal in [send("decision", Some((1, 1)), 9), Signal::Cancel, Signal::End(succeeded())] {
        let answer = store.signal(id, signal, at(3)).await.expect("the store works");
        assert!(matches!(answer, Signaled::NotFound), "{answer:?}");
    }
}
