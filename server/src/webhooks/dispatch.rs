//! What is owed, and when it is tried. One task; it sleeps until something has ended or falls due.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::{Inner, PAUSE};
use crate::clock::after;
use crate::delivery::DeliveryId;
use crate::store::StoreError;
use crate::store::feed::Feed;
use crate::store::subscriptions::Owed;
use crate::subscription::{Subscription, SubscriptionId};

/// How many requests one receiver has at a time. It is not sent more before it has answered, and others do not wait.
const EACH: usize = 8;

/// How many deliveries to one subscription may wait; what ends after that is left in the feed until some are through.
const MOST_WAITING: u64 = 1_000;

/// How many ends are looked at in one go.
const PAGE: usize = 200;

/// Dispatches, for ever. When it is dropped, so is what is under way.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut attempts = JoinSet::new();
    let mut under_way = HashSet::new();
    loop {
        let next = match round(&inner, &mut attempts, &mut under_way).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, retry_in = ?PAUSE, "deliveries cannot be read or written");
                Some(after(inner.parts.clock.now(), PAUSE))
            }
        };
        let mut alarm = inner.parts.clock.sleep_until(next.unwrap_or(Timestamp::MAX));
        tokio::select! {
            () = inner.bell.notified() => {}
            () = &mut alarm => {}
            Some(ended) = attempts.join_next() => settled(ended, &mut under_way),
        }
        while let Some(ended) = attempts.try_join_next() {
            settled(ended, &mut under_way);
        }
    }
}

fn settled(ended: Result<DeliveryId, tokio::task::JoinError>, under_way: &mut HashSet<DeliveryId>) {
    match ended {
        Ok(id) => {
            under_way.remove(&id);
        }
        Err(error) => tracing::error!(%error, "a delivery was broken off; it stays until a restart"),
    }
}

/// Owes what has ended, and tries what is due. Says when something else falls due.
async fn round(
    inner: &Arc<Inner>,
    attempts: &mut JoinSet<DeliveryId>,
    under_way: &mut HashSet<DeliveryId>,
) -> Result<Option<Timestamp>, StoreError> {
    let behind = std::mem::take(&mut inner.known().behind);
    let mut left = behind.clone();
    for id in behind {
        if let Err(error) = catch_up(inner, id).await {
            // Those that were not looked at yet are still to be.
            inner.known().behind.extend(left);
            return Err(error);
        }
        left.remove(&id);
    }
    let due = inner.parts.subscriptions.due(inner.parts.clock.now(), EACH).await?;
    for delivery in due.deliveries {
        // What is under way waits in the store like everything else, so that a crash finds it there.
        if under_way.insert(delivery.id) {
            let inner = Arc::clone(inner);
            attempts.spawn(async move { inner.attempt(delivery).await });
        }
    }
    Ok(due.next)
}

/// Follows the feed for one subscription, as far as there is room for what it is owed.
async fn catch_up(inner: &Inner, id: SubscriptionId) -> Result<(), StoreError> {
    let Some(mut subscription) = inner.find(id) else { return Ok(()) };
    if subscription.disabled.is_some() {
        return Ok(());
    }
    if !inner.is_permitted(&subscription).await? {
        // Once for each end that it is not told of.
        tracing::debug!(
            subscription.id = %id, caller = &*subscription.caller,
            "a subscription waits: no key of its caller has the right any more"
        );
        return Ok(());
    }
    let feed = feed(inner, &subscription);
    loop {
        let page = inner.parts.store.finished(feed.clone(), subscription.place, PAGE).await?;
        if page.next == subscription.place {
            return Ok(());
        }
        let owed = Owed {
            to: id,
            from: subscription.place,
            until: page.next,
            ends: page.finished.iter().map(|end| end.operation.id).collect(),
            now: inner.parts.clock.now(),
        };
        if !inner.parts.subscriptions.owe(owed, MOST_WAITING).await? {
            return Ok(());
        }
        match inner.moved(id, page.next) {
            Some(moved) if page.more => subscription = moved,
            _ => return Ok(()),
        }
    }
}

fn feed(inner: &Inner, subscription: &Subscription) -> Feed {
    Feed {
        actions: inner.parts.actions.now().names_of(&subscription.action),
        caller: (!subscription.everybodys).then(|| Arc::clone(&subscription.caller)),
        outcomes: subscription.outcomes.clone(),
    }
}

impl Inner {
    /// Remembers where a subscription is in the feed.
    fn moved(&self, id: SubscriptionId, place: crate::store::feed::FeedPlace) -> Option<Arc<Subscription>> {
        let mut known = self.known();
        let subscription = known.subscriptions.get_mut(&id)?;
        Arc::make_mut(subscription).place = place;
        Some(Arc::clone(subscription))
    }
}
