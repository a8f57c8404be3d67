//! [`list`](crate::store::Store::list).

use std::sync::Arc;

use super::Factory;
use super::sample::{
    ACTION, NO_LIMITS, accept, append, at, end, new, origin, problem, published, read, succeeded,
};
use crate::operation::{Operation, OperationId, Outcome, State};
use crate::store::{Filter, Place, Store};

async fn list(store: &impl Store, filter: Filter, before: Option<Place>, max: usize) -> Vec<OperationId> {
    let listed = store.list(filter, before, max).await.expect("the store works");
    for operation in &listed {
        assert_eq!(*operation, read(store, operation.id).await);
    }
    listed.iter().map(|operation| operation.id).collect()
}

/// Each page begins where the last one ended.
pub async fn the_newest_come_first_in_pages(factory: &impl Factory) {
    let store = factory.open().await;
    let mut accepted = Vec::new();
    for now in 0..10 {
        accepted.push(accept(&*store, new(now)).await.0);
    }
    accepted.reverse();
    let place = |index: usize| Some(Place::of(&accepted[index]));
    let accepted: Vec<OperationId> = accepted.iter().map(|operation| operation.id).collect();

    assert_eq!(list(&*store, Filter::default(), None, 100).await, accepted);
    assert_eq!(list(&*store, Filter::default(), None, 4).await, accepted[..4]);
    assert_eq!(list(&*store, Filter::default(), place(3), 4).await, accepted[4..8]);
    assert_eq!(list(&*store, Filter::default(), place(7), 4).await, accepted[8..]);
    assert_eq!(list(&*store, Filter::default(), place(9), 4).await, []);
}

/// A child's id begins with its parent's time, and its place is that of its own. Those of one time are in the order of
/// their ids, also over the end of a page.
pub async fn children_are_among_those_of_their_own_time(factory: &impl Factory) {
    let store = factory.open().await;
    let mut accepted: Vec<Arc<Operation>> = Vec::new();
    for now in [0, 1, 1, 5, 5, 9] {
        accepted.push(accept(&*store, new(now)).await.0);
    }
    // One of them is as old as its parent, and the clock was set back before the last one began.
    for (parent, now) in [(0, 0), (0, 1), (0, 5), (1, 5), (0, 7), (5, 12), (5, 3)] {
        let mut child = new(now);
        origin(&mut child).id = accepted[parent].id.child(&format!("{now}"));
        origin(&mut child).parent = Some(accepted[parent].id);
        accepted.push(accept(&*store, child).await.0);
    }
    let mut expected: Vec<Place> = accepted.iter().map(|operation| Place::of(operation)).collect();
    expected.sort();
    expected.reverse();
    let ids: Vec<OperationId> = expected.iter().map(|place| place.id).collect();

    assert_eq!(list(&*store, Filter::default(), None, 100).await, ids);
    for (index, place) in expected.iter().enumerate() {
        assert_eq!(list(&*store, Filter::default(), Some(*place), 100).await, ids[index + 1..]);
        assert_eq!(
            list(&*store, Filter::default(), Some(*place), 1).await,
            ids[index + 1..].get(..1).unwrap_or(&[])
        );
    }
    let early = Filter { created_from: Some(at(1)), created_before: Some(at(6)), ..Filter::default() };
    let some = expected.iter().filter(|place| (at(1)..at(6)).contains(&place.created_at));
    assert_eq!(list(&*store, early, None, 100).await, some.map(|place| place.id).collect::<Vec<_>>());
}

/// Times are from a time on, and before a time.
pub async fn each_part_of_a_filter_lets_only_its_own_through(factory: &impl Factory) {
    let store = factory.open().await;
    let mut other = new(20);
    origin(&mut other).action = "other".into();
    origin(&mut other).caller = "you".into();
    origin(&mut other).tracking_id = Some("other".into());
    origin(&mut other).traceparent = Some("00-other".into());
    other.limits = NO_LIMITS;
    let (plain, _) = accept(&*store, new(10)).await;
    let (other, _) = accept(&*store, other).await;
    let (failed, claim) = accept(&*store, new(30)).await;
    append(&*store, claim, end(300, Outcome::Failed(problem("failed")))).await;
    let (plain, other, failed) = (plain.id, other.id, failed.id);

    let any = Filter::default;
    for (filter, expected) in [
        (any(), vec![failed, other, plain]),
        (Filter { actions: vec!["other".to_owned()], ..any() }, vec![other]),
        (
            Filter { actions: vec!["other".to_owned(), ACTION.to_owned()], ..any() },
            vec![failed, other, plain],
        ),
        (Filter { caller: Some("you".to_owned()), ..any() }, vec![other]),
        (Filter { tracking_id: Some("other".to_owned()), ..any() }, vec![other]),
        (Filter { traceparent: Some("00-other".to_owned()), ..any() }, vec![other]),
        (Filter { state: Some(State::Failed), ..any() }, vec![failed]),
        (Filter { state: Some(State::NotStarted), ..any() }, vec![other, plain]),
        (Filter { created_from: Some(at(20)), ..any() }, vec![failed, other]),
        (Filter { created_before: Some(at(20)), ..any() }, vec![plain]),
        (Filter { updated_from: Some(at(300)), ..any() }, vec![failed]),
        (Filter { updated_before: Some(at(300)), ..any() }, vec![other, plain]),
        (Filter { state: Some(State::NotStarted), created_from: Some(at(20)), ..any() }, vec![other]),
        (Filter { actions: vec!["none".to_owned()], ..any() }, vec![]),
    ] {
        assert_eq!(list(&*store, filter.clone(), None, 100).await, expected, "{filter:?}");
    }
}

/// What comes, changes and ends between two pages neither hides nor doubles anything else.
pub async fn pages_stay_exact_while_operations_change(factory: &impl Factory) {
    let store = factory.open().await;
    let mut accepted = Vec::new();
    for now in 0..40 {
        accepted.push(accept(&*store, new(now)).await);
    }
    let mut seen = Vec::new();

    let mut before = None;
    loop {
        let page = list(&*store, Filter::default(), before, 7).await;
        let Some(last) = page.last() else { break };
        let last = read(&*store, *last).await;
        before = Some(Place::of(&last));
        seen.extend(page);
        let round = seen.len();
        accept(&*store, new(100 + round as i64)).await;
        append(&*store, accepted[round % 40].1, published(200, "changed", 1)).await;
        append(&*store, accepted[(round + 20) % 40].1, end(300, succeeded())).await;
    }

    let expected: Vec<OperationId> = accepted.iter().rev().map(|(operation, _)| operation.id).collect();
    assert_eq!(seen, expected);
}
