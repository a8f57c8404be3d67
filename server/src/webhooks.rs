//! Tells receivers of what has ended: subscriptions, which follow the feed, and callbacks, which a start has named.
//!
//! Nothing here is on the way of an operation. Its end is in the feed (and a callback is due) in the transaction that
//! ends it; everything else happens afterwards, from the store, so that a crash forgets nothing: what a subscription
//! has not been owed yet is after its place in the feed, and what is owed has a row until it has arrived. So each
//! delivery arrives at least once.
//!
//! Reading order: this file (the use cases), `dispatch` (what is owed, and when it is tried), `attempt` (one request and
//! what its answer means).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use crate::action::Actions;
use crate::auth::{Authenticator, Caller};
use crate::clock::{Clock, after};
use crate::delivery::{Delivery, DeliveryId};
use crate::operation::{Operation, OperationId, State};
use crate::outbound::{Outbound, Refused};
use crate::store::subscriptions::{
    DeliveryFilter, DeliveryPlace, Subscribed, SubscriptionChange, SubscriptionStore,
};
use crate::store::{Listener, Store, StoreError};
use crate::subscription::{Format, SecretUrl, SigningSecret, Subscription, SubscriptionId};

mod attempt;
mod dispatch;
#[cfg(test)]
mod tests;

/// What an operator decides about deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebhookSettings {
    /// The pauses after the first failed attempt, the second, and so on; after the last one, a delivery is dead.
    pub(crate) pauses: Vec<Duration>,
    /// How long every delivery may have failed before a subscription is disabled.
    pub(crate) patience: Duration,
    /// How many subscriptions there may be.
    pub(crate) most: u64,
}

/// How long a secret that was changed still signs: until then, receivers must know the new one.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// What is sent to a receiver.
pub(crate) struct Payload {
    /// What it is, and in what form.
    pub(crate) headers: HeaderMap,
    /// The body, which is signed.
    pub(crate) body: Bytes,
}

/// Puts an end into a form: the delivery's id, the form, the operation as it is called now.
pub(crate) type Present = Box<dyn Fn(DeliveryId, Format, &Operation) -> Payload + Send + Sync>;

/// What webhooks work with.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) subscriptions: Arc<dyn SubscriptionStore>,
    pub(crate) actions: Arc<Actions>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) outbound: Outbound,
    pub(crate) present: Present,
    pub(crate) settings: WebhookSettings,
    /// The key that signs links to new subscriptions.
    pub(crate) link_key: u32,
}

/// Subscriptions, and what is owed to receivers. Dropped, it stops as by a crash.
pub(crate) struct Webhooks {
    inner: Arc<Inner>,
    dispatcher: AbortHandle,
}

struct Inner {
    parts: Parts,
    /// Rings when there is something to look at.
    bell: Notify,
    known: Mutex<Known>,
    /// Places for requests to each host; gone when nobody holds one.
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// How long until something is tried again that the store could not read or write.
const PAUSE: Duration = Duration::from_secs(5);

/// What is in memory, so that an end that interests nobody costs no query.
#[derive(Default)]
struct Known {
    subscriptions: HashMap<SubscriptionId, Arc<Subscription>>,
    /// By the name that their action had when they were made: it has others later.
    of_action: HashMap<Arc<str>, BTreeSet<SubscriptionId>>,
    /// Those for which there is something new in the feed.
    behind: BTreeSet<SubscriptionId>,
    /// Those that asked to be left alone until then.
    paused: HashMap<SubscriptionId, Timestamp>,
}

/// What a subscriber asks for.
#[derive(Debug, Clone)]
pub(crate) struct Subscribe {
    pub(crate) caller: Arc<str>,
    pub(crate) action: Arc<str>,
    pub(crate) everybodys: bool,
    pub(crate) outcomes: Vec<State>,
    pub(crate) format: Format,
    pub(crate) url: SecretUrl,
    pub(crate) secret: SigningSecret,
}

impl Webhooks {
    /// Reads the subscriptions, and goes on where the last process stopped.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn start(parts: Parts) -> Result<Self, StoreError> {
        let inner =
            Arc::new(Inner { parts, bell: Notify::new(), known: Mutex::default(), hosts: Mutex::default() });
        // First, so that no end falls between what is read now and what is heard later.
        inner.parts.store.listen(Arc::new(Ears(Arc::downgrade(&inner))));
        for subscription in inner.parts.subscriptions.subscriptions().await? {
            let id = subscription.id;
            inner.keep(subscription);
            inner.known().behind.insert(id);
        }
        let dispatcher = tokio::spawn(dispatch::run(Arc::clone(&inner))).abort_handle();
        Ok(Self { inner, dispatcher })
    }

    /// A URL that may be sent to, as far as it tells by itself.
    ///
    /// # Errors
    /// Which rule forbids it; for operators.
    pub(crate) fn url(&self, url: &str) -> Result<SecretUrl, Refused> {
        self.inner.parts.outbound.target(url).map(|_| SecretUrl::new(url))
    }

    /// Makes a subscription to everything that ends from now on, in place of an earlier one with the same URL.
    /// `None`: there are too many.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn subscribe(&self, wish: Subscribe) -> Result<Option<Arc<Subscription>>, StoreError> {
        let Inner { parts, .. } = &*self.inner;
        let Subscribe { caller, action, everybodys, outcomes, format, url, secret } = wish;
        let now = parts.clock.now();
        let new = Subscription {
            id: SubscriptionId::new(now),
            caller,
            action,
            everybodys,
            outcomes,
            format,
            url,
            secret,
            former_secret: None,
            link_key: parts.link_key,
            created_at: now,
            place: parts.store.feed_end().await?,
            failing_since: None,
            disabled: None,
        };
        let made = match parts.subscriptions.subscribe(new, parts.settings.most).await? {
            Subscribed::New(made) => made,
            Subscribed::InPlaceOf(earlier, made) => {
                self.inner.forget(earlier);
                made
            }
            Subscribed::Full => return Ok(None),
        };
        let id = made.id;
        let made = self.inner.keep(*made);
        // Something may have ended before this was in memory.
        self.inner.look_at(id);
        Ok(Some(made))
    }

    /// The subscription of that name.
    pub(crate) fn find(&self, id: SubscriptionId) -> Option<Arc<Subscription>> {
        self.inner.find(id)
    }

    /// All subscriptions, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Subscription>> {
        let mut all: Vec<_> = self.inner.known().subscriptions.values().cloned().collect();
        all.sort_by_key(|subscription| subscription.id);
        all
    }

    /// Ends a subscription, with what is owed to it. Returns false if there was none.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn unsubscribe(&self, id: SubscriptionId) -> Result<bool, StoreError> {
        let removed = self.inner.parts.subscriptions.unsubscribe(id).await?;
        self.inner.forget(id);
        Ok(removed)
    }

    /// Changes a subscription's secret. For a day, the former one signs as well.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn change_secret(
        &self,
        id: SubscriptionId,
        secret: SigningSecret,
    ) -> Result<Option<Arc<Subscription>>, StoreError> {
        let former_until = after(self.inner.parts.clock.now(), OVERLAP);
        self.inner.change(id, SubscriptionChange::Secret { secret, former_until }).await
    }

    /// Tells a disabled subscription again, from where it was.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn enable(&self, id: SubscriptionId) -> Result<Option<Arc<Subscription>>, StoreError> {
        let enabled = self.inner.change(id, SubscriptionChange::Enable).await?;
        self.inner.look_at(id);
        Ok(enabled)
    }

    /// A page of deliveries, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<DeliveryPlace>,
        max: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.inner.parts.subscriptions.deliveries(filter, before, max).await
    }

    /// Tries a dead delivery again, as if it were new. Returns false if it is not dead, or nobody is there to take it.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn replay(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let Inner { parts, bell, .. } = &*self.inner;
        let replayed = parts.subscriptions.replay(id, parts.clock.now()).await?;
        bell.notify_one();
        Ok(replayed)
    }

    /// Sends nothing more. What is under way may have arrived; it is sent again by the next process.
    pub(crate) fn stop(&self) {
        self.dispatcher.abort();
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Inner {
    fn find(&self, id: SubscriptionId) -> Option<Arc<Subscription>> {
        self.known().subscriptions.get(&id).cloned()
    }

    async fn change(
        &self,
        id: SubscriptionId,
        change: SubscriptionChange,
    ) -> Result<Option<Arc<Subscription>>, StoreError> {
        Ok(self.parts.subscriptions.change(id, change).await?.map(|changed| self.keep(changed)))
    }

    fn keep(&self, mut subscription: Subscription) -> Arc<Subscription> {
        let mut known = self.known();
        // It may have moved on since this was read; it never goes back.
        let place = known.subscriptions.get(&subscription.id).map_or(subscription.place, |known| known.place);
        subscription.place = subscription.place.max(place);
        let subscription = Arc::new(subscription);
        known.of_action.entry(Arc::clone(&subscription.action)).or_default().insert(subscription.id);
        known.subscriptions.insert(subscription.id, Arc::clone(&subscription));
        subscription
    }

    fn forget(&self, id: SubscriptionId) {
        let mut known = self.known();
        known.subscriptions.remove(&id);
        known.behind.remove(&id);
        known.paused.remove(&id);
        known.of_action.retain(|_, ids| {
            ids.remove(&id);
            !ids.is_empty()
        });
    }

    /// There may be something new for that subscription.
    fn look_at(&self, id: SubscriptionId) {
        self.known().behind.insert(id);
        self.bell.notify_one();
    }

    /// An operation has ended. On the store's own thread.
    fn ended(&self, operation: &Operation) {
        let mut known = self.known();
        let Known { subscriptions, of_action, behind, paused: _ } = &mut *known;
        // By far the most servers have none.
        if of_action.is_empty() {
            return;
        }
        let registry = self.parts.actions.now();
        let told = |id: &&SubscriptionId| {
            subscriptions.get(id).is_some_and(|one| one.is_told_of(&operation.caller, operation.state))
        };
        let before = behind.len();
        for name in registry.names_of(&operation.action) {
            behind.extend(of_action.get(&name).into_iter().flatten().filter(told));
        }
        if behind.len() > before {
            self.bell.notify_one();
        }
    }

    /// Whether its owner may still be told: keys that were revoked take their subscriptions with them.
    async fn is_permitted(&self, subscription: &Subscription) -> Result<bool, StoreError> {
        let action = self.parts.actions.find(&subscription.action);
        let may = |caller: &Caller| {
            let starts = || match &action {
                Some(action) => action.names().any(|name| caller.may_start(name)),
                None => caller.may_start(&subscription.action),
            };
            caller.may_observe() || (!subscription.everybodys && starts())
        };
        let owner = self.parts.authenticator.named(&subscription.caller).await?;
        Ok(owner.is_some_and(|owner| may(&owner)))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing in here can be left half done by a panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears what the store has committed.
struct Ears(Weak<Inner>);

impl Listener for Ears {
    fn changed(&self, operation: &Arc<Operation>) {
        if operation.state.is_terminal()
            && let Some(inner) = self.0.upgrade()
        {
            inner.ended(operation);
        }
    }

    fn signaled(&self, _id: OperationId) {}

    fn due(&self, _at: Timestamp) {}

    fn owed(&self) {
        if let Some(inner) = self.0.upgrade() {
            inner.bell.notify_one();
        }
    }
}
