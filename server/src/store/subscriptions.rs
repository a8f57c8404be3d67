//! The third port: who is told of what has ended, and what is still owed to whom.

use jiff::Timestamp;

use super::Answer;
use super::feed::FeedPlace;
use crate::delivery::{Delivery, DeliveryId, DeliveryState};
use crate::operation::OperationId;
use crate::subscription::{Disabled, SigningSecret, Subscription, SubscriptionId};

/// Keeps subscriptions and deliveries. What a call has answered is durable.
///
/// A callback is a delivery from the start of its operation on: it is accepted in one transaction with the operation
/// ([`NewOperation::callback`](super::NewOperation::callback)), and becomes due in one with its end.
pub trait SubscriptionStore: Send + Sync + 'static {
    /// All subscriptions.
    fn subscriptions(&self) -> Answer<'_, Vec<Subscription>>;

    /// Adds a subscription, unless there are `most` already.
    ///
    /// It takes the place of an earlier one of the same caller, action and URL: it goes on where that one was in the
    /// feed, and takes over what was owed to it. So a request that is repeated because its answer was lost leaves one
    /// subscription, and whoever then ends the earlier one does not end this one.
    fn subscribe(&self, new: Subscription, most: u64) -> Answer<'_, Subscribed>;

    /// Removes a subscription and what was owed to it. Returns false if there was none.
    fn unsubscribe(&self, id: SubscriptionId) -> Answer<'_, bool>;

    /// Changes a subscription; what it is then. `None` if there is none.
    fn change(&self, id: SubscriptionId, change: SubscriptionChange) -> Answer<'_, Option<Subscription>>;

    /// Moves a subscription from one place of the feed to a later one, and owes it the ends in between: all or nothing,
    /// and nothing unless it is at `from`. Returns false then, and also if `most` of its deliveries wait already.
    fn owe(&self, owed: Owed, most: u64) -> Answer<'_, bool>;

    /// For each receiver, up to `each` of the deliveries that wait and are due by now, the earliest first; and when the
    /// next one is due that is not due yet.
    fn due(&self, now: Timestamp, each: usize) -> Answer<'_, Due>;

    /// Writes what became of an attempt. Does nothing if there is no such delivery any more.
    fn settle(&self, id: DeliveryId, settled: Settled) -> Answer<'_, ()>;

    /// Up to `max` deliveries, newest first, from after `before`.
    fn deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<DeliveryPlace>,
        max: usize,
    ) -> Answer<'_, Vec<Delivery>>;

    /// Makes a dead delivery due now, with all its attempts before it. Returns false if it is not dead, or its
    /// subscription is disabled or gone.
    fn replay(&self, id: DeliveryId, now: Timestamp) -> Answer<'_, bool>;
}

/// The answer to [`SubscriptionStore::subscribe`].
#[derive(Debug, Clone, PartialEq)]
pub enum Subscribed {
    /// It is there.
    New(Box<Subscription>),
    /// It is there, in place of that one.
    InPlaceOf(SubscriptionId, Box<Subscription>),
    /// There are too many.
    Full,
}

/// What may change of a subscription.
#[derive(Debug, Clone)]
pub enum SubscriptionChange {
    /// Another secret; the one before it signs as well until then.
    Secret {
        /// The new one.
        secret: SigningSecret,
        /// How long the old one signs.
        former_until: Timestamp,
    },
    /// Since when every delivery has failed, if so.
    Failing(Option<Timestamp>),
    /// It is told nothing any more; what waits for it is given up.
    Disable(Disabled),
    /// It is told again, from where it was.
    Enable,
}

/// What [`SubscriptionStore::owe`] writes.
#[derive(Debug, Clone)]
pub struct Owed {
    /// To whom.
    pub to: SubscriptionId,
    /// Where it is in the feed.
    pub from: FeedPlace,
    /// Where it goes.
    pub until: FeedPlace,
    /// The ends that it is owed.
    pub ends: Vec<OperationId>,
    /// When.
    pub now: Timestamp,
}

/// What is due.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Due {
    /// Deliveries to try.
    pub deliveries: Vec<Delivery>,
    /// When the next one is due; `None`: none, as it stands.
    pub next: Option<Timestamp>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// It has arrived.
    Delivered,
    /// It has failed, and is tried again at that time.
    Failed {
        /// When.
        again_at: Timestamp,
        /// What happened.
        error: String,
    },
    /// It was not tried, and is at that time.
    Postponed {
        /// When.
        until: Timestamp,
    },
    /// It is given up.
    Dead {
        /// Now.
        at: Timestamp,
        /// Why.
        error: String,
    },
}

/// Which deliveries to list. An absent part lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// That stand like this.
    pub state: Option<DeliveryState>,
    /// To this subscription.
    pub subscription: Option<SubscriptionId>,
}

/// The place of a delivery in listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryPlace {
    /// Since when it is owed.
    pub created_at: Timestamp,
    /// Its name.
    pub id: DeliveryId,
}

impl DeliveryPlace {
    /// The place of that delivery.
    #[must_use]
    pub const fn of(delivery: &Delivery) -> Self {
        Self { created_at: delivery.created_at, id: delivery.id }
    }
}
