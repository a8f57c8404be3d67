//! One attempt at one delivery: a request, and what its answer means.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio::sync::Semaphore;

use super::{Inner, PAUSE, Payload};
use crate::causes::with_causes;
use crate::clock::{after, until};
use crate::delivery::{Delivery, DeliveryId, Receiver, Verdict, judge, next_attempt};
use crate::operation::Operation;
use crate::outbound::{Call, SendError};
use crate::store::subscriptions::{Settled, SubscriptionChange};
use crate::store::{Found, StoreError};
use crate::subscription::{Disabled, Format, SecretUrl, Subscription};

/// How many requests one host has at a time, from all its receivers.
const PER_HOST: usize = 64;

/// How long until a delivery is looked at again whose owner may not be told now.
const LONG_PAUSE: Duration = Duration::from_secs(3600);

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What came of a request.
enum Answered {
    /// An answer, or none, which is as good as "try again".
    As(Verdict, String),
    /// It may not be sent, and will not.
    Never(String),
}

impl Inner {
    /// Tries a delivery and writes what came of it. Gives back its name.
    pub(super) async fn attempt(self: Arc<Self>, delivery: Delivery) -> DeliveryId {
        let id = delivery.id;
        if let Err(error) = self.try_once(delivery).await {
            tracing::error!(%error, delivery.id = %id, "a delivery could not be read or settled");
            // It is still due; without this, it would be tried again at once.
            self.parts.clock.sleep_until(after(self.parts.clock.now(), PAUSE)).await;
        }
        id
    }

    async fn try_once(&self, delivery: Delivery) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let settle = |settled| self.parts.subscriptions.settle(delivery.id, settled);
        let subscription = match &delivery.receiver {
            Receiver::Subscription(id) => match self.find(*id) {
                Some(subscription) => Some(subscription),
                // It was ended, and this with it; or it has just taken the place of another one.
                None => return settle(Settled::Postponed { until: after(now, PAUSE) }).await,
            },
            Receiver::Callback(_) => None,
        };
        if let Some(until) = self.postponed(subscription.as_deref(), now).await? {
            return settle(Settled::Postponed { until }).await;
        }
        let Some(operation) = self.operation(&delivery).await? else {
            let error = "the operation is no longer kept".to_owned();
            return settle(Settled::Dead { at: now, error }).await;
        };
        let answered = self.send(&delivery, subscription.as_deref(), &operation).await;
        self.conclude(&delivery, subscription, answered).await
    }

    /// Until when its receiver is to be left alone.
    async fn postponed(
        &self,
        subscription: Option<&Subscription>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(subscription) = subscription else { return Ok(None) };
        let paused = self.known().paused.get(&subscription.id).copied();
        if let Some(until) = paused.filter(|until| now < *until) {
            return Ok(Some(until));
        }
        let permitted = self.is_permitted(subscription).await?;
        Ok((!permitted).then(|| after(now, LONG_PAUSE)))
    }

    /// The operation that has ended, as it is called now.
    async fn operation(&self, delivery: &Delivery) -> Result<Option<Arc<Operation>>, StoreError> {
        let Some(Found::Operation(mut operation)) = self.parts.store.read(delivery.operation).await? else {
            return Ok(None);
        };
        self.parts.actions.name_as_now(&mut operation);
        Ok(Some(operation))
    }

    async fn send(
        &self,
        delivery: &Delivery,
        subscription: Option<&Subscription>,
        operation: &Operation,
    ) -> Answered {
        let format = subscription.map_or(Format::View, |subscription| subscription.format);
        let Payload { mut headers, body } = (self.parts.present)(delivery.id, format, operation);
        let url = match (&delivery.receiver, subscription) {
            (Receiver::Callback(url), _) => url,
            (Receiver::Subscription(_), Some(subscription)) => &subscription.url,
            (Receiver::Subscription(_), None) => return Answered::Never("there is no receiver".to_owned()),
        };
        let target = match self.parts.outbound.target(url.reveal()) {
            Ok(target) => target,
            Err(refused) => return Answered::Never(refused.to_string()),
        };
        let _place = self.place_at(url).await;
        let now = self.parts.clock.now();
        sign(&mut headers, delivery.id, subscription, &body, now);
        let mut call = Call::post(target, body);
        call.headers = headers;
        match self.parts.outbound.send(call).await {
            Ok(answer) => {
                let verdict = judge(answer.status(), retry_after(answer.headers(), now));
                Answered::As(verdict, format!("{} answered {}", url.host(), answer.status().as_u16()))
            }
            Err(SendError::Refused(refused)) => Answered::Never(refused.to_string()),
            Err(error) => Answered::As(Verdict::Retry { wish: None }, with_causes(&error)),
        }
    }

    /// A place for one request to that host.
    async fn place_at(&self, url: &SecretUrl) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let places = {
            let mut hosts = self.hosts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let known = hosts.get(&url.host()).and_then(std::sync::Weak::upgrade);
            known.unwrap_or_else(|| {
                hosts.retain(|_, places| places.strong_count() > 0);
                let places = Arc::new(Semaphore::new(PER_HOST));
                hosts.insert(url.host(), Arc::downgrade(&places));
                places
            })
        };
        places.acquire_owned().await.ok()
    }

    /// Writes what came of an attempt: of the delivery, and of its subscription's health.
    async fn conclude(
        &self,
        delivery: &Delivery,
        subscription: Option<Arc<Subscription>>,
        answered: Answered,
    ) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let attempts = delivery.attempts + 1;
        let (settled, gone) = match answered {
            Answered::As(Verdict::Delivered, _) => (Settled::Delivered, false),
            Answered::As(Verdict::Retry { wish }, error) => {
                if let (Some(wish), Some(subscription)) = (wish, &subscription) {
                    let until = after(now, wish);
                    let mut known = self.known();
                    // Several are under way: the longest wish counts.
                    let paused = known.paused.entry(subscription.id).or_insert(until);
                    *paused = until.max(*paused);
                }
                let pauses = &self.parts.settings.pauses;
                match next_attempt(delivery.id, attempts, pauses, wish, now) {
                    Some(again_at) => (Settled::Failed { again_at, error }, false),
                    None => {
                        let error = format!("given up after {attempts} attempts; at last, {error}");
                        (Settled::Dead { at: now, error }, false)
                    }
                }
            }
            Answered::As(Verdict::Refused, error) | Answered::Never(error) => {
                (Settled::Dead { at: now, error }, false)
            }
            Answered::As(Verdict::Gone, error) => (Settled::Dead { at: now, error }, true),
        };
        told(delivery, &settled);
        let arrived = settled == Settled::Delivered;
        let waits = matches!(settled, Settled::Failed { .. });
        self.parts.subscriptions.settle(delivery.id, settled).await?;
        let Some(subscription) = subscription else { return Ok(()) };
        if !waits {
            // There may be room again for what was left in the feed.
            self.look_at(subscription.id);
        }
        self.note_health(&subscription, arrived, gone, now).await
    }

    async fn note_health(
        &self,
        subscription: &Subscription,
        arrived: bool,
        gone: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // As it is now: other attempts may have changed it meanwhile.
        let Some(current) = self.find(subscription.id) else { return Ok(()) };
        let patience = self.parts.settings.patience;
        let change = match current.failing_since {
            _ if current.disabled.is_some() => return Ok(()),
            _ if gone => disable(now, "its receiver answered 410 (Gone)".to_owned()),
            None if arrived => return Ok(()),
            Some(_) if arrived => SubscriptionChange::Failing(None),
            None => SubscriptionChange::Failing(Some(now)),
            Some(since) if until(since, now) >= patience => {
                let hours = until(since, now).as_secs() / 3600;
                disable(now, format!("every delivery has failed for {hours} hours"))
            }
            Some(_) => return Ok(()),
        };
        if let SubscriptionChange::Disable(Disabled { reason, .. }) = &change {
            tracing::warn!(
                subscription.id = %subscription.id, caller = &*subscription.caller,
                receiver.host = subscription.url.host(), reason, "a subscription was disabled"
            );
        }
        self.change(subscription.id, change).await?;
        Ok(())
    }
}

fn disable(at: Timestamp, reason: String) -> SubscriptionChange {
    SubscriptionChange::Disable(Disabled { at, reason })
}

/// Adds what Standard Webhooks wants. A callback has no secret in common with its receiver: its URL is one.
fn sign(
    headers: &mut HeaderMap,
    id: DeliveryId,
    subscription: Option<&Subscription>,
    body: &[u8],
    now: Timestamp,
) {
    let id = id.to_string();
    let signatures: Vec<String> = subscription
        .into_iter()
        .flat_map(|subscription| subscription.secrets(now))
        .map(|secret| secret.sign(&id, now, body))
        .collect();
    headers.insert(TIMESTAMP, HeaderValue::from(now.as_second()));
    for (name, value) in [(ID, id), (SIGNATURE, signatures.join(" "))] {
        if let Some(value) = HeaderValue::try_from(value).ok().filter(|value| !value.is_empty()) {
            headers.insert(name, value);
        }
    }
}

/// How long a receiver wants to be left alone: `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(until(now, date))
}

/// Tells metrics and log of an attempt.
fn told(delivery: &Delivery, settled: &Settled) {
    let (outcome, error) = match settled {
        Settled::Delivered => ("delivered", None),
        Settled::Failed { error, .. } => ("failed", Some(error)),
        Settled::Dead { error, .. } => ("dead", Some(error)),
        Settled::Postponed { .. } => return,
    };
    metrics::counter!("raincheck_deliveries_total", "outcome" => outcome).increment(1);
    if outcome == "dead" {
        tracing::warn!(
            delivery.id = %delivery.id, operation.id = %delivery.operation, error, "a delivery was given up"
        );
    } else {
        tracing::debug!(
            delivery.id = %delivery.id, operation.id = %delivery.operation, error, "delivery {outcome}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_comes_in_seconds_or_as_a_date() {
        let now: Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
        let wish = |text: &'static str| {
            let headers = [(header::RETRY_AFTER, HeaderValue::from_static(text))];
            retry_after(&headers.into_iter().collect(), now)
        };

        assert_eq!(wish("120"), Some(Duration::from_secs(120)));
        assert_eq!(wish("Tue, 24 Nov 2026 08:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(wish("Tue, 24 Nov 2026 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wish("soon"), None);
        assert_eq!(wish("-5"), None);
    }
}
