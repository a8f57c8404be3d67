//! A subscription: somebody who is told of what has ended. Pure: no I/O and no clock.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::operation::{State, fresh_uuid};
use crate::store::feed::FeedPlace;

mod secret;

pub use secret::{NotASecret, SigningSecret};

/// Names one subscription: a `UUIDv7`. Not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(Uuid);

/// A text that is not a subscription's id in its one written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a subscription's id: expected a lower-case UUID with hyphens")]
pub struct NotASubscriptionId;

impl SubscriptionId {
    /// A fresh id for a subscription that is made `now`.
    ///
    /// # Panics
    /// If the operating system has no random numbers.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(fresh_uuid(now))
    }

    /// The id of these sixteen bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

impl FromStr for SubscriptionId {
    type Err = NotASubscriptionId;

    /// Takes the canonical form only: one subscription has one URL.
    fn from_str(text: &str) -> Result<Self, NotASubscriptionId> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| NotASubscriptionId)?;
        if id.to_string() == text { Ok(id) } else { Err(NotASubscriptionId) }
    }
}

/// Where something is to be sent. Whoever has such a URL may send there, so it shows its host only.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Arc<str>);

impl SecretUrl {
    /// Takes an absolute URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self(url.into())
    }

    /// The whole URL: a secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its host, which is none; empty if it has none.
    #[must_use]
    pub fn host(&self) -> String {
        let url = url::Url::parse(&self.0).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({}/..)", self.host())
    }
}

/// How an end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A `CloudEvent` in one JSON object, with the status view as its data.
    Structured,
    /// The status view, and the `CloudEvent`'s attributes as headers.
    Binary,
    /// The status view.
    View,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Structured, Self::Binary, Self::View];
}

/// Somebody who is told of what has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Its name.
    pub id: SubscriptionId,
    /// Who made it.
    pub caller: Arc<str>,
    /// Of which action it is told, by the name that the action had then.
    pub action: Arc<str>,
    /// Of everybody's operations, or of the caller's own.
    pub everybodys: bool,
    /// Of which ends; of all, if there is none.
    pub outcomes: Vec<State>,
    /// How.
    pub format: Format,
    /// Where.
    pub url: SecretUrl,
    /// What signs what it is told.
    pub secret: SigningSecret,
    /// What signs it as well, until then: the secret before the last change.
    pub former_secret: Option<(SigningSecret, Timestamp)>,
    /// The key that signs its link.
    pub link_key: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Up to where in the feed its deliveries were made.
    pub place: FeedPlace,
    /// Since when every delivery has failed.
    pub failing_since: Option<Timestamp>,
    /// Since when it is no longer told anything, and why.
    pub disabled: Option<Disabled>,
}

/// Since when, and why, a subscription is no longer told anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: String,
}

impl Subscription {
    /// The secrets that sign `now`, the newest first.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &SigningSecret> {
        let former = self.former_secret.as_ref().filter(|(_, until)| now < *until);
        [&self.secret].into_iter().chain(former.map(|(secret, _)| secret))
    }

    /// Whether it is told of such an end. Its action is for those to compare who know what it was called.
    #[must_use]
    pub fn is_told_of(&self, caller: &str, outcome: State) -> bool {
        self.disabled.is_none()
            && (self.everybodys || *self.caller == *caller)
            && (self.outcomes.is_empty() || self.outcomes.contains(&outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_of_an_id_is_read() {
        let id = SubscriptionId::new(Timestamp::UNIX_EPOCH);
        assert_eq!(id.to_string().parse(), Ok(id));

        for other in [format!("{id}").replace('0', "O"), id.to_string().replace('-', ""), format!("{{{id}}}")]
        {
            assert_eq!(other.parse::<SubscriptionId>(), Err(NotASubscriptionId), "{other}");
        }
    }

    #[test]
    fn a_url_shows_its_host_only() {
        let url = SecretUrl::new("https://hooks.example/tell-nobody?sig=tell-nobody");

        assert_eq!(format!("{url:?}"), "SecretUrl(hooks.example/..)");
        assert_eq!(url.host(), "hooks.example");
    }
}
