//! [`SubscriptionStore`]: subscriptions, and what is owed to whom.

use std::sync::Arc;

use super::Factory;
use super::sample::{accept, append, at, end, new, succeeded};
use crate::delivery::{Delivery, DeliveryId, DeliveryState, Receiver};
use crate::operation::{OperationId, State};
use crate::store::feed::FeedPlace;
use crate::store::subscriptions::{
    DeliveryFilter, DeliveryPlace, Owed, Settled, Subscribed, SubscriptionChange, SubscriptionStore,
};
use crate::store::{Accepted, NewOperation, Store};
use crate::subscription::{Disabled, Format, SecretUrl, SigningSecret, Subscription, SubscriptionId};

const URL: &str = "https://hooks.example/secret";

fn subscription(number: u8) -> Subscription {
    Subscription {
        id: SubscriptionId::from_bytes([number; 16]),
        caller: "somebody".into(),
        action: "work".into(),
        everybodys: number.is_multiple_of(2),
        outcomes: vec![State::Failed],
        format: Format::Binary,
        url: SecretUrl::new(&format!("{URL}/{number}")),
        secret: SigningSecret::from_bytes(vec![number; 32]),
        former_secret: Some((SigningSecret::from_bytes(vec![9; 24]), at(9))),
        link_key: 7,
        created_at: at(i64::from(number)),
        place: FeedPlace::from_number(10),
        failing_since: None,
        disabled: None,
    }
}

async fn subscribe(store: &impl SubscriptionStore, new: Subscription) -> Subscription {
    match store.subscribe(new, 10).await.expect("the store works") {
        Subscribed::New(made) | Subscribed::InPlaceOf(_, made) => *made,
        Subscribed::Full => panic!("there is room"),
    }
}

/// Owes the subscription so many ends, each moving it on by one.
async fn owe(store: &impl SubscriptionStore, to: &Subscription, ends: &[OperationId], now: i64) {
    for (step, end) in (0..).zip(ends) {
        let from = FeedPlace::from_number(10 + step);
        let until = FeedPlace::from_number(11 + step);
        let owed = Owed { to: to.id, from, until, ends: vec![*end], now: at(now) };
        assert!(store.owe(owed, 100).await.expect("the store works"));
    }
}

fn operations<const N: usize>() -> [OperationId; N] {
    std::array::from_fn(|index| OperationId::from_bytes([index as u8; 16]))
}

async fn due(store: &impl SubscriptionStore, now: i64, each: usize) -> Vec<Delivery> {
    store.due(at(now), each).await.expect("the store works").deliveries
}

async fn listed(store: &impl SubscriptionStore, state: DeliveryState) -> Vec<DeliveryId> {
    let filter = DeliveryFilter { state: Some(state), subscription: None };
    let listed = store.deliveries(filter, None, 100).await.expect("the store works");
    listed.iter().map(|delivery| delivery.id).collect()
}

/// Every part of it, also for the next process.
pub async fn a_subscription_is_stored_as_it_was_made(factory: &impl Factory) {
    let store = factory.open().await;
    let plain = Subscription { former_secret: None, outcomes: vec![], ..subscription(2) };
    subscribe(&*store, subscription(1)).await;
    subscribe(&*store, plain.clone()).await;
    drop(store);

    let store = factory.open().await;
    assert_eq!(store.subscriptions().await.expect("the store works"), [subscription(1), plain]);
    assert!(store.unsubscribe(subscription(1).id).await.expect("the store works"));
    assert!(!store.unsubscribe(subscription(1).id).await.expect("the store works"));
    assert_eq!(store.subscriptions().await.expect("the store works").len(), 1);
}

/// With its place in the feed and what it is owed; and without counting twice.
pub async fn the_same_subscription_again_takes_the_place_of_the_first(factory: &impl Factory) {
    let store = factory.open().await;
    let first = subscribe(&*store, subscription(1)).await;
    let ends = operations::<2>();
    owe(&*store, &first, &ends, 5).await;
    let dead = DeliveryId::to_subscription(first.id, ends[1]);
    store.settle(dead, Settled::Dead { at: at(6), error: "no".into() }).await.expect("the store works");

    let again = Subscription { id: SubscriptionId::from_bytes([5; 16]), ..subscription(1) };
    let answer = store.subscribe(again.clone(), 1).await.expect("the store works");

    let Subscribed::InPlaceOf(replaced, made) = answer else { panic!("{answer:?}") };
    assert_eq!(replaced, first.id);
    assert_eq!(*made, Subscription { place: FeedPlace::from_number(12), ..again });
    let waiting = due(&*store, 10, 9).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].receiver, Receiver::Subscription(made.id));
    assert_eq!(waiting[0].id, DeliveryId::to_subscription(first.id, ends[0]), "receivers may know it");
    assert!(store.replay(dead, at(9)).await.expect("the store works"));
    let full = store.subscribe(subscription(2), 1).await.expect("the store works");
    assert_eq!(full, Subscribed::Full);
}

/// All or nothing, once, and only as much as may wait.
pub async fn ends_are_owed_once_and_only_from_where_a_subscription_is(factory: &impl Factory) {
    let store = factory.open().await;
    let one = subscribe(&*store, subscription(1)).await;
    let ends = operations::<3>();
    let owed = |from, until, ends: &[OperationId]| Owed {
        to: one.id,
        from: FeedPlace::from_number(from),
        until: FeedPlace::from_number(until),
        ends: ends.to_vec(),
        now: at(1),
    };
    let owe = async |owed, most| store.owe(owed, most).await.expect("the store works");

    assert!(owe(owed(10, 12, &ends[..2]), 2).await);
    assert!(!owe(owed(10, 12, &ends[..2]), 9).await, "it has moved on");
    assert!(!owe(owed(12, 13, &ends[2..]), 2).await, "as many wait as may");
    assert!(owe(owed(12, 14, &[]), 2).await, "what it is not told of takes no room");
    assert!(owe(owed(14, 15, &ends[2..]), 3).await);
    assert_eq!(due(&*store, 1, 9).await.len(), 3);

    let disabled = Disabled { at: at(3), reason: "no".into() };
    store.change(one.id, SubscriptionChange::Disable(disabled)).await.expect("the store works");
    assert!(!owe(owed(15, 16, &ends[2..]), 9).await, "it is told nothing");
    store.unsubscribe(one.id).await.expect("the store works");
    assert!(!owe(owed(15, 16, &ends[2..]), 9).await, "it is gone");
}

/// So that one who has many, or is slow, is in nobody's way.
pub async fn what_is_due_is_found_receiver_by_receiver(factory: &impl Factory) {
    let store = factory.open().await;
    let (one, two) = (subscribe(&*store, subscription(1)).await, subscribe(&*store, subscription(2)).await);
    let ends = operations::<4>();
    owe(&*store, &one, &ends, 5).await;
    owe(&*store, &two, &ends[..1], 8).await;

    let early = store.due(at(6), 2).await.expect("the store works");
    assert_eq!(early.deliveries.len(), 2);
    assert!(early.deliveries.iter().all(|one_of| one_of.receiver == Receiver::Subscription(one.id)));
    assert_eq!(early.next, Some(at(8)));
    let later = store.due(at(8), 2).await.expect("the store works");
    assert_eq!((later.deliveries.len(), later.next), (3, None));
    assert!(store.due(at(4), 9).await.expect("the store works").deliveries.is_empty());
}

/// It waits, dies, comes back, arrives.
pub async fn an_attempt_leaves_what_it_came_to(factory: &impl Factory) {
    let store = factory.open().await;
    let one = subscribe(&*store, subscription(1)).await;
    let ends = operations::<1>();
    owe(&*store, &one, &ends, 5).await;
    let id = DeliveryId::to_subscription(one.id, ends[0]);
    let settle = async |settled| store.settle(id, settled).await.expect("the store works");
    let only = async || {
        let all = store.deliveries(DeliveryFilter::default(), None, 9).await.expect("the store works");
        all.into_iter().next().expect("it is there")
    };

    settle(Settled::Failed { again_at: at(20), error: "busy".into() }).await;
    settle(Settled::Postponed { until: at(30) }).await;
    let failed = only().await;
    assert_eq!((failed.attempts, failed.due_at, failed.error.as_deref()), (1, at(30), Some("busy")));
    assert!(due(&*store, 29, 9).await.is_empty());
    assert!(!store.replay(id, at(31)).await.expect("the store works"), "it is not dead");

    settle(Settled::Dead { at: at(31), error: "no".into() }).await;
    let dead = only().await;
    assert_eq!((dead.state, dead.attempts, dead.error.as_deref()), (DeliveryState::Dead, 2, Some("no")));
    assert!(due(&*store, 99, 9).await.is_empty());
    // What comes too late changes nothing.
    settle(Settled::Failed { again_at: at(32), error: "late".into() }).await;
    assert_eq!(only().await, dead);

    assert!(store.replay(id, at(40)).await.expect("the store works"));
    assert_eq!(due(&*store, 40, 9).await[0].attempts, 0);
    settle(Settled::Delivered).await;
    assert!(store.deliveries(DeliveryFilter::default(), None, 9).await.expect("the store works").is_empty());
    assert!(!store.replay(id, at(41)).await.expect("the store works"));
}

/// And nothing comes back to one that is disabled.
pub async fn a_change_is_what_the_subscription_is_from_then_on(factory: &impl Factory) {
    let store = factory.open().await;
    let one = subscribe(&*store, subscription(1)).await;
    let ends = operations::<1>();
    owe(&*store, &one, &ends, 5).await;
    let change =
        async |change| store.change(one.id, change).await.expect("the store works").expect("it is there");

    let secret = SigningSecret::from_bytes(vec![3; 32]);
    let changed = change(SubscriptionChange::Secret { secret: secret.clone(), former_until: at(50) }).await;
    assert_eq!((&changed.secret, &changed.former_secret), (&secret, &Some((one.secret.clone(), at(50)))));
    assert_eq!(change(SubscriptionChange::Failing(Some(at(6)))).await.failing_since, Some(at(6)));
    let disabled = Disabled { at: at(7), reason: "it is gone".into() };
    assert_eq!(change(SubscriptionChange::Disable(disabled.clone())).await.disabled, Some(disabled));
    let id = DeliveryId::to_subscription(one.id, ends[0]);
    assert_eq!(listed(&*store, DeliveryState::Dead).await, [id]);
    assert!(!store.replay(id, at(8)).await.expect("the store works"));

    let enabled = change(SubscriptionChange::Enable).await;
    assert_eq!((&enabled.disabled, enabled.failing_since), (&None, None));
    assert!(store.replay(id, at(8)).await.expect("the store works"));
    assert_eq!(store.subscriptions().await.expect("the store works"), [enabled]);
    let nobody = store.change(SubscriptionId::from_bytes([8; 16]), SubscriptionChange::Enable).await;
    assert_eq!(nobody.expect("the store works"), None);
}

/// From the start of its operation, through a restart, to its end.
pub async fn a_callback_is_accepted_with_its_operation_and_due_with_its_end(factory: &impl Factory) {
    let store = factory.open().await;
    let url = SecretUrl::new(URL);
    let with = NewOperation { callback: Some(url.clone()), ..new(1) };
    let (operation, _) = accept(&*store, with.clone()).await;
    let (other, claim) = accept(&*store, new(2)).await;
    append(&*store, claim, end(3, succeeded())).await;
    // Again, it is a replay.
    let again = store.accept(with).await.expect("the store works");
    assert!(matches!(again, Accepted::Replayed(_)));
    let id = DeliveryId::to_callback(operation.id);
    assert_eq!(listed(&*store, DeliveryState::Expecting).await, [id]);
    assert!(due(&*store, 100, 9).await.is_empty());
    drop(store);

    let store = factory.open().await;
    let claimed = store.claim(&["work".into()], 9).await.expect("the store works");
    append(&*store, claimed[0].claim, end(7, succeeded())).await;

    let due = due(&*store, 7, 9).await;
    assert_eq!(due.len(), 1, "nobody is told of {}", other.id);
    assert_eq!((due[0].id, due[0].operation), (id, operation.id));
    assert_eq!((&due[0].receiver, due[0].created_at), (&Receiver::Callback(url), at(7)));
}

/// Newest first, in pages that together have each once.
pub async fn deliveries_are_listed_in_pages(factory: &impl Factory) {
    let store: Arc<_> = factory.open().await;
    let (one, two) = (subscribe(&*store, subscription(1)).await, subscribe(&*store, subscription(2)).await);
    let ends = operations::<3>();
    owe(&*store, &one, &ends, 5).await;
    owe(&*store, &two, &ends[..2], 8).await;

    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = store.deliveries(DeliveryFilter::default(), before, 2).await.expect("the store works");
        let Some(last) = page.last() else { break };
        before = Some(DeliveryPlace::of(last));
        all.extend(page);
    }
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by(|a, b| DeliveryPlace::of(a) > DeliveryPlace::of(b)));
    let of_two = DeliveryFilter { state: Some(DeliveryState::Waiting), subscription: Some(two.id) };
    assert_eq!(store.deliveries(of_two, None, 9).await.expect("the store works").len(), 2);
}
