//! [`finished`](crate::store::Store::finished) and [`feed_end`](crate::store::Store::feed_end).

use std::sync::Arc;

use futures_util::future::join_all;

use super::Factory;
use super::sample::{
    ACTION, Heard, RETENTION, accept, append, at, end, hear, listen, new, origin, problem, read, succeeded,
};
use crate::operation::{OperationId, Outcome, State};
use crate::store::feed::{Feed, FeedPlace};
use crate::store::{Appended, NewOperation, Signal, Store};

/// However they ended; as every reader sees them; each exactly once in pages of any size.
pub async fn whatever_ends_is_in_the_feed_in_the_order_of_the_commits(factory: &impl Factory) {
    let store = factory.open().await;
    let mut ended = Vec::new();
    let mut late = new(0);
    origin(&mut late).deadline = at(30);
    let (late, _) = accept(&*store, late).await;
    for now in 1..=3 {
        let (operation, claim) = accept(&*store, new(now)).await;
        append(&*store, claim, end(10 - now, succeeded())).await;
        ended.push(operation.id);
        let again = store.append(claim, end(20, Outcome::Failed(problem("failed")))).await;
        assert_eq!(again.expect("the store works"), Appended::AlreadyFinished);
    }
    let (terminated, _) = accept(&*store, new(4)).await;
    let outcome = Outcome::Canceled(problem("terminated"));
    store.signal(terminated.id, Signal::End(outcome), at(5)).await.expect("the store works");
    accept(&*store, new(5)).await;
    store.sweep(at(30), 10).await.expect("the store works");
    ended.extend([terminated.id, late.id]);

    for size in 1..=ended.len() + 1 {
        assert_eq!(ids(&*store, Feed::default(), FeedPlace::START, size).await, ended, "pages of {size}");
    }
    let page = store.finished(Feed::default(), FeedPlace::START, 100).await.expect("the store works");
    for finished in &page.finished {
        assert_eq!(finished.operation, read(&*store, finished.operation.id).await);
    }
    assert!(page.finished.is_sorted_by(|a, b| a.place < b.place));
    assert_eq!((page.next, page.more), (page.finished[4].place, false));
}

/// Whoever begins at the end misses nothing that ends later, and is told nothing of what ended before.
pub async fn the_end_of_the_feed_is_between_what_has_ended_and_what_will(factory: &impl Factory) {
    let store = factory.open().await;
    assert_eq!(store.feed_end().await.expect("the store works"), FeedPlace::START);
    for now in 1..=50 {
        let (operation, claim) = accept(&*store, new(now)).await;
        let before = store.feed_end().await.expect("the store works");
        append(&*store, claim, end(now, succeeded())).await;
        read(&*store, operation.id).await;
        let after = store.feed_end().await.expect("the store works");

        assert_eq!(ids(&*store, Feed::default(), before, 9).await, [operation.id]);
        assert!(ids(&*store, Feed::default(), after, 9).await.is_empty());
    }
}

/// By action, by caller, by outcome; and the place moves on past what is let through to nobody.
pub async fn a_feed_has_only_what_it_lets_through(factory: &impl Factory) {
    let store = factory.open().await;
    let mut all = Vec::new();
    for number in 0..24_usize {
        let mut new = new(number as i64);
        origin(&mut new).action = ["work", "rest"][number % 2].into();
        origin(&mut new).caller = ["somebody", "another"][number / 2 % 2].into();
        let outcome = match number % 3 {
            0 => succeeded(),
            1 => Outcome::Failed(problem("failed")),
            _ => Outcome::Canceled(problem("canceled")),
        };
        let (operation, claim) = accept(&*store, new).await;
        append(&*store, claim, end(100, outcome)).await;
        all.push(read(&*store, operation.id).await);
    }
    let some = |action: &[&str], caller: Option<&str>, outcomes: &[State]| Feed {
        actions: action.iter().map(|action| Arc::from(*action)).collect(),
        caller: caller.map(Arc::from),
        outcomes: outcomes.to_vec(),
    };
    for feed in [
        some(&["work"], None, &[]),
        some(&["rest", "work", "unknown", "work"], None, &[]),
        some(&[], Some("another"), &[]),
        some(&[], None, &[State::Failed, State::Canceled]),
        some(&["rest"], Some("somebody"), &[State::Succeeded]),
    ] {
        let lets = |operation: &crate::operation::Operation| {
            (feed.actions.is_empty() || feed.actions.contains(&operation.action))
                && feed.caller.as_ref().is_none_or(|caller| *caller == operation.caller)
                && (feed.outcomes.is_empty() || feed.outcomes.contains(&operation.state))
        };
        let expected: Vec<_> =
            all.iter().filter(|operation| lets(operation)).map(|operation| operation.id).collect();
        for size in [1, 2, 100] {
            assert_eq!(ids(&*store, feed.clone(), FeedPlace::START, size).await, expected, "{feed:?}");
        }
    }
    let nobody = some(&["work"], Some("nobody"), &[]);
    let past = store.finished(nobody.clone(), FeedPlace::START, 1).await.expect("the store works");
    assert!(past.finished.is_empty() && past.next > FeedPlace::START && !past.more, "{past:?}");
    let still = store.finished(nobody, past.next, 1).await.expect("the store works");
    assert_eq!(still, past);
}

/// A reader that follows while several end at once sees each end once, in the order in which all readers see them.
pub async fn nothing_is_lost_or_doubled_while_many_end_at_once(factory: &impl Factory) {
    const EACH: usize = 100;
    let store = factory.open().await;
    let ending = join_all((0..3).map(async |_| {
        for now in 0..EACH {
            let (_, claim) = accept(&*store, new(now as i64)).await;
            append(&*store, claim, end(7, succeeded())).await;
        }
    }));
    let following = join_all([1, 3, 100].map(async |size| {
        let (mut seen, mut place) = (Vec::new(), FeedPlace::START);
        while seen.len() < 3 * EACH {
            let page = store.finished(Feed::default(), place, size).await.expect("the store works");
            place = page.next;
            seen.extend(page.finished.into_iter().map(|finished| finished.operation.id));
            tokio::task::yield_now().await;
        }
        seen
    }));

    let (_, seen) = tokio::join!(ending, following);

    assert_eq!(ids(&*store, Feed::default(), FeedPlace::START, 100).await, seen[0]);
    assert!(seen.iter().all(|other| *other == seen[0]));
    let mut once = seen[0].clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), 3 * EACH);
}

/// What is purged leaves the feed, and whoever kept an older place goes on with the oldest that is there.
pub async fn what_is_no_longer_kept_is_in_no_feed(factory: &impl Factory) {
    let store = factory.open().await;
    let mut ended = Vec::new();
    for now in [0, 1, 2] {
        let (operation, claim) = accept(&*store, new(now)).await;
        append(&*store, claim, end(now, succeeded())).await;
        ended.push(operation.id);
    }
    let first = store.finished(Feed::default(), FeedPlace::START, 1).await.expect("the store works").next;

    store.sweep(at(1 + RETENTION), 10).await.expect("the store works");

    assert_eq!(ids(&*store, Feed::default(), FeedPlace::START, 10).await, ended[2..]);
    assert_eq!(ids(&*store, Feed::default(), first, 10).await, ended[2..]);
}

/// Also when everything was purged meanwhile.
pub async fn a_place_is_good_after_a_restart(factory: &impl Factory) {
    let store = factory.open().await;
    let finish = async |store: &_, now| {
        let (operation, claim) = accept(store, new(now)).await;
        append(store, claim, end(now, succeeded())).await;
        operation.id
    };
    let first = finish(&*store, 0).await;
    let place = store.feed_end().await.expect("the store works");
    let second = finish(&*store, 1).await;
    drop(store);

    let store = factory.open().await;
    assert_eq!(ids(&*store, Feed::default(), FeedPlace::START, 10).await, [first, second]);
    assert_eq!(ids(&*store, Feed::default(), place, 10).await, [second]);
    let end = store.feed_end().await.expect("the store works");
    assert!(ids(&*store, Feed::default(), end, 10).await.is_empty());
    store.sweep(at(1 + RETENTION), 10).await.expect("the store works");
    drop(store);

    let store = factory.open().await;
    let third = finish(&*store, 2 + RETENTION).await;
    assert_eq!(ids(&*store, Feed::default(), end, 10).await, [third]);
}

/// It goes on with whatever ends from then on.
pub async fn a_place_of_another_store_is_the_end(factory: &impl Factory) {
    let store = factory.open().await;
    let (_, claim) = accept(&*store, new(0)).await;
    append(&*store, claim, end(1, succeeded())).await;
    let strange = FeedPlace::from_number(u64::MAX);

    let page = store.finished(Feed::default(), strange, 9).await.expect("the store works");

    assert!(page.finished.is_empty() && !page.more, "{page:?}");
    assert_eq!(page.next, store.feed_end().await.expect("the store works"));
}

/// Whoever looks at the feed after the hint finds the end there, of whatever action.
pub async fn an_end_is_told_to_the_listener_once_it_is_in_the_feed(factory: &impl Factory) {
    let store = factory.open().await;
    let mut heard = listen(&*store);
    for now in 0..50 {
        let mut new: NewOperation = new(now);
        origin(&mut new).action = if now % 2 == 0 { ACTION.into() } else { "rest".into() };
        let (operation, claim) = accept(&*store, new).await;
        let before = store.feed_end().await.expect("the store works");
        let call = store.append(claim, end(now, succeeded()));
        hear(&mut heard, |heard| match heard {
            Heard::Changed(changed) if changed.id == operation.id && changed.state.is_terminal() => Some(()),
            _ => None,
        })
        .await;

        let feed = Feed { actions: vec![operation.action.clone()], ..Feed::default() };
        assert_eq!(ids(&*store, feed, before, 9).await, [operation.id]);
        call.await.expect("the store works");
    }
}

/// What a feed has after a place, read in pages of a size.
async fn ids(store: &impl Store, feed: Feed, after: FeedPlace, size: usize) -> Vec<OperationId> {
    let (mut ids, mut place) = (Vec::new(), after);
    loop {
        let page = store.finished(feed.clone(), place, size).await.expect("the store works");
        assert!(page.finished.len() <= size && page.next >= place, "{page:?}");
        place = page.next;
        ids.extend(page.finished.into_iter().map(|finished| finished.operation.id));
        if !page.more {
            return ids;
        }
    }
}
