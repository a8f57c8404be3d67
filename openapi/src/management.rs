//! What operators see, on the management listener only: operations with their inputs, journals and links.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::StatusView;
use crate::subscription::SubscriptionView;

/// One operation in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationSummary {
    /// What a poll shows, without the output.
    #[serde(flatten)]
    pub view: StatusView,
    /// Who started it: the key's name, or the token's issuer and subject.
    pub caller: String,
    /// The `x-ms-client-tracking-id` of the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_tracking_id: Option<String>,
}

/// A page of operations, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OperationPage {
    /// The operations of this page.
    pub operations: Vec<OperationSummary>,
    /// Opaque: give it back as `?cursor=` for the next page. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One operation with everything that is known of it but its journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: OperationSummary,
    /// The version of the action that accepted it.
    pub action_version: u32,
    /// What it was started with. Absent once its retention is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// What the failure says to operators only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_details: Option<Value>,
    /// The operation that started this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The `traceparent` of the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// One entry of an operation's journal, in the order of commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JournalEntry {
    /// Its place; ascending, from 0.
    pub sequence: u64,
    /// When it was written.
    #[schema(format = DateTime)]
    pub at: String,
    /// What it records, by kind: `{"step": {"command": "moderate", …}}`.
    pub entry: Value,
}

/// A page of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JournalPage {
    /// The entries of this page.
    pub entries: Vec<JournalEntry>,
    /// Give it back as `?after=` for the next page. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Asks for links to one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MintLinks {
    /// The rights: `status`, `cancel`, `event:NAME`. One URL is made for each.
    pub rights: Vec<String>,
}

/// The links that were asked for. Each URL is a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Links {
    /// URLs by right.
    pub links: BTreeMap<String, String>,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionSummary {
    /// What its owner sees.
    #[serde(flatten)]
    pub view: SubscriptionView,
    /// Who made it.
    pub caller: String,
    /// Since when every delivery has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
}

/// All subscriptions, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionList {
    /// The subscriptions.
    pub subscriptions: Vec<SubscriptionSummary>,
}

/// One end that is owed to a receiver, or was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliverySummary {
    /// Its id, as the receiver sees it in `webhook-id`.
    pub id: String,
    /// The operation that has ended, or will.
    pub operation: String,
    /// The subscription; absent for a callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The host that it goes to. The rest of the URL is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `expecting` until the operation ends, `waiting` for an attempt, or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it is owed.
    pub created_at: String,
    /// When it is tried next; of a dead one, when it was given up.
    pub due_at: String,
    /// What became of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryPage {
    /// The deliveries of this page.
    pub deliveries: Vec<DeliverySummary>,
    /// Opaque: give it back as `?cursor=` for the next page. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
