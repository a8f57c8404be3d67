//! Subscriptions: who is told of what has ended, and what receivers are sent.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::StatusView;

/// How an operation may have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Outcome {
    /// With an output.
    Succeeded,
    /// With an error.
    Failed,
    /// Because somebody asked for it.
    Canceled,
}

/// Of whose operations a subscription is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Of those that the subscriber started.
    #[default]
    Own,
    /// Of everybody's; for keys that may observe.
    All,
}

/// In which form an end is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryFormat {
    /// A `CloudEvent` in one JSON object; its `data` is the status view.
    #[default]
    CloudeventsStructured,
    /// The status view; the attributes of the `CloudEvent` are `ce-` headers.
    CloudeventsBinary,
    /// The status view.
    View,
}

/// Asks to be told of every operation of an action that ends from now on.
///
/// The same action and URL again, from the same caller, replace the earlier subscription, without a gap.
///
/// ```
/// use raincheck_openapi::subscription::{DeliveryFormat, NewSubscription, Scope};
/// let new: NewSubscription =
///     serde_json::from_str(r#"{"action": "countdown", "url": "https://hooks.example/ends"}"#)?;
/// assert_eq!((new.scope, new.format), (Scope::Own, DeliveryFormat::CloudeventsStructured));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewSubscription {
    /// Of which action.
    pub action: String,
    /// Of which ends; of all, if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
    /// Where ends are sent: an https URL of a public host. A secret; it is never shown again.
    #[schema(max_length = 4096)]
    pub url: String,
    /// Of whose operations.
    #[serde(default)]
    pub scope: Scope,
    /// In which form.
    #[serde(default)]
    pub format: DeliveryFormat,
    /// What signs what is sent: `whsec_` and base64 of 24 to 64 random bytes. Without it, one is made.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
}

/// What may be left out, but is no null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// A subscription.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionView {
    /// Its id. Not a secret.
    pub id: String,
    /// Of which action it is told.
    pub action: String,
    /// Of which ends.
    pub outcomes: Vec<Outcome>,
    /// Of whose operations.
    pub scope: Scope,
    /// In which form.
    pub format: DeliveryFormat,
    /// The host that it is told at. The rest of the URL is a secret.
    pub host: String,
    /// When it was made: RFC 3339, UTC, milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Since when it is no longer told anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub disabled_at: Option<String>,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled_reason: Option<String>,
    /// What signs what is sent. Only in the answer that made it: the subscription, or another secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
}

/// Asks for another secret. For a day, deliveries are signed with the former one as well.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct NewSecret {
    /// `whsec_` and base64 of 24 to 64 random bytes. Without it, one is made.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
}

// What is secret stays out of logs: whom to tell, and what signs what is sent.

impl fmt::Debug for NewSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSubscription")
            .field("action", &self.action)
            .field("outcomes", &self.outcomes)
            .field("scope", &self.scope)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SubscriptionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionView")
            .field("id", &self.id)
            .field("action", &self.action)
            .field("outcomes", &self.outcomes)
            .field("scope", &self.scope)
            .field("format", &self.format)
            .field("host", &self.host)
            .field("created_at", &self.created_at)
            .field("disabled_at", &self.disabled_at)
            .field("disabled_reason", &self.disabled_reason)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSecret").finish_non_exhaustive()
    }
}

/// What a receiver is sent as `cloudevents-structured`: a `CloudEvent` 1.0 in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndEvent {
    /// `1.0`.
    pub specversion: String,
    /// The delivery's id, as in `webhook-id`: the same whenever it is sent again.
    pub id: String,
    /// The action, as a URL of this server.
    pub source: String,
    /// `raincheck.operation.succeeded`, `raincheck.operation.failed` or `raincheck.operation.canceled`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The operation's id.
    pub subject: String,
    /// When it ended.
    #[schema(format = DateTime)]
    pub time: String,
    /// `application/json`.
    pub datacontenttype: String,
    /// The status, and nothing more.
    pub data: StatusView,
}
