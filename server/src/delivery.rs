//! A delivery: one end, to be told to one receiver. What its receiver's answer means, and when to try again. Pure.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::clock::after;
use crate::operation::OperationId;
use crate::subscription::{SecretUrl, SubscriptionId};

/// Names one delivery: the same one whenever it is made again, so that receivers recognise what comes twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId([u8; 16]);

/// A text that is not a delivery's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a delivery's id")]
pub struct NotADeliveryId;

impl DeliveryId {
    /// The delivery of that operation's end to that subscription.
    #[must_use]
    pub fn to_subscription(subscription: SubscriptionId, operation: OperationId) -> Self {
        Self::of(subscription.as_bytes(), operation)
    }

    /// The delivery of that operation's end to the callback URL that its start named.
    #[must_use]
    pub fn to_callback(operation: OperationId) -> Self {
        Self::of(b"callback", operation)
    }

    fn of(receiver: &[u8], operation: OperationId) -> Self {
        let digest = Sha256::new().chain_update(receiver).chain_update(operation.as_bytes()).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// The id of these sixteen bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

const PREFIX: &str = "msg_";

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for DeliveryId {
    type Err = NotADeliveryId;

    fn from_str(text: &str) -> Result<Self, NotADeliveryId> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotADeliveryId)
    }
}

/// One end that is owed to one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its name, also for its receiver.
    pub id: DeliveryId,
    /// Whose end.
    pub operation: OperationId,
    /// To whom.
    pub receiver: Receiver,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it is owed.
    pub created_at: Timestamp,
    /// When it is to be tried; of a dead one, when it died.
    pub due_at: Timestamp,
    /// What became of the last attempt.
    pub error: Option<String>,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Receiver {
    /// A subscription.
    Subscription(SubscriptionId),
    /// The URL that the operation's start named.
    Callback(SecretUrl),
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Its operation has not ended.
    Expecting,
    /// It is to be tried.
    Waiting,
    /// It was given up.
    Dead,
}

/// What an answer means for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has arrived.
    Delivered,
    /// Try again; not before the receiver's wish, if it has one.
    Retry {
        /// How long the receiver wants to be left alone.
        wish: Option<Duration>,
    },
    /// It will not be taken; whether others will, nobody knows.
    Refused,
    /// The receiver is gone for good.
    Gone,
}

/// What a receiver's answer means. Redirects are not followed: where they lead was not asked for.
#[must_use]
pub fn judge(status: StatusCode, retry_after: Option<Duration>) -> Verdict {
    let wish = retry_after.map(|wish| wish.min(LONGEST_WISH));
    match status {
        status if status.is_success() => Verdict::Delivered,
        StatusCode::GONE => Verdict::Gone,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Verdict::Retry { wish },
        status if status.is_server_error() => Verdict::Retry { wish },
        _ => Verdict::Refused,
    }
}

/// A receiver's wish counts up to here; more would outlast what is kept of the operation.
const LONGEST_WISH: Duration = Duration::from_secs(6 * 3600);

/// When a delivery is tried again that has now failed `attempts` times; `None`: never. `pauses` are those after the
/// first attempt, the second, and so on.
#[must_use]
pub fn next_attempt(
    id: DeliveryId,
    attempts: u32,
    pauses: &[Duration],
    wish: Option<Duration>,
    now: Timestamp,
) -> Option<Timestamp> {
    let pause = *pauses.get(usize::try_from(attempts.checked_sub(1)?).ok()?)?;
    // Up to a tenth more, so that those that failed together do not come back together. The id is as random as dice.
    let [first, ..] = id.0;
    let spread = pause.mul_f64(f64::from(first) / 2560.0);
    Some(after(now, (pause + spread).max(wish.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> DeliveryId {
        DeliveryId([byte; 16])
    }

    #[test]
    fn an_answer_is_taken_for_what_it_says() {
        let wish = Some(Duration::from_secs(7));
        for (status, verdict) in [
            (200, Verdict::Delivered),
            (202, Verdict::Delivered),
            (204, Verdict::Delivered),
            (301, Verdict::Refused),
            (307, Verdict::Refused),
            (400, Verdict::Refused),
            (401, Verdict::Refused),
            (404, Verdict::Refused),
            (408, Verdict::Retry { wish }),
            (410, Verdict::Gone),
            (429, Verdict::Retry { wish }),
            (500, Verdict::Retry { wish }),
            (503, Verdict::Retry { wish }),
        ] {
            assert_eq!(judge(StatusCode::from_u16(status).unwrap(), wish), verdict, "{status}");
        }
    }

    #[test]
    fn pauses_grow_and_end() {
        let pauses = [Duration::from_secs(10), Duration::from_secs(60)];
        let now = Timestamp::UNIX_EPOCH;
        let next =
            |attempts, wish| next_attempt(id(0), attempts, &pauses, wish, now).map(|next| next.as_second());

        assert_eq!((next(1, None), next(2, None), next(3, None)), (Some(10), Some(60), None));
        assert_eq!(next(1, Some(Duration::from_secs(30))), Some(30), "the receiver's wish counts");
        assert_eq!(next(2, Some(Duration::from_secs(30))), Some(60), "but makes nothing sooner");
        let Verdict::Retry { wish } = judge(StatusCode::TOO_MANY_REQUESTS, Some(Duration::MAX)) else {
            panic!("it is to be tried again")
        };
        assert_eq!(next(1, wish), Some(6 * 3600), "and has an end");
        assert!(next_attempt(id(255), 1, &pauses, None, now).unwrap().as_millisecond() > 10_900);
    }

    #[test]
    fn an_id_is_the_same_whenever_a_delivery_is_made() {
        let operation = OperationId::from_bytes([1; 16]);
        let subscription = SubscriptionId::from_bytes([2; 16]);

        let id = DeliveryId::to_subscription(subscription, operation);

        assert_eq!(id, DeliveryId::to_subscription(subscription, operation));
        assert_ne!(id, DeliveryId::to_callback(operation));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("msg_x".parse::<DeliveryId>(), Err(NotADeliveryId));
    }
}
