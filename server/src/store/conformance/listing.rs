//! [`list`](crate::store::Store::list).

use super::Factory;
use super::sample::{NO_LIMITS, accept, append, at, end, new, origin, problem, published, read, succeeded};
use crate::operation::{OperationId, Outcome, State};
use crate::store::{Filter, Store};

async fn list(
    store: &impl Store,
    filter: Filter,
    before: Option<OperationId>,
    max: usize,
) -> Vec<OperationId> {
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
        accepted.push(accept(&*store, new(now)).await.0.id);
    }
    accepted.reverse();

    assert_eq!(list(&*store, Filter::default(), None, 100).await, accepted);
    assert_eq!(list(&*store, Filter::default(), None, 4).await, accepted[..4]);
    assert_eq!(list(&*store, Filter::default(), Some(accepted[3]), 4).await, accepted[4..8]);
    assert_eq!(list(&*store, Filter::default(), Some(accepted[7]), 4).await, accepted[8..]);
    assert_eq!(list(&*store, Filter::default(), Some(accepted[9]), 4).await, []);
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
        (Filter { action: Some("other".to_owned()), ..any() }, vec![other]),
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
        (Filter { action: Some("none".to_owned()), ..any() }, vec![]),
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
        before = Some(*last);
        seen.extend(page);
        let round = seen.len();
        accept(&*store, new(100 + round as i64)).await;
        append(&*store, accepted[round % 40].1, published(200, "changed", 1)).await;
        append(&*store, accepted[(round + 20) % 40].1, end(300, succeeded())).await;
    }

    let expected: Vec<OperationId> = accepted.iter().rev().map(|(operation, _)| operation.id).collect();
    assert_eq!(seen, expected);
}
