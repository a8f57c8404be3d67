//! What a poll shows: the status view, one shape for every answer that carries a status.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Where an operation is between its acceptance and its end.
///
/// `NotStarted`, `Running` and `Canceling` may still change; `Succeeded`, `Failed` and `Canceled` never do.
/// The words are those of Azure's API guidelines, so Azure's own pollers read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub enum Status {
    /// Accepted and durable; no part of it has run yet.
    NotStarted,
    /// At work, or waiting for a time or an event.
    Running,
    /// Asked to stop; still cleaning up.
    Canceling,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended because somebody asked for it.
    Canceled,
    /// A word that this version of the crate does not know. A server never sends it.
    #[serde(other)]
    #[schema(rename = "Unknown")]
    Unknown,
}

impl Status {
    /// Whether this status is the last one.
    ///
    /// ```
    /// use raincheck_openapi::Status;
    /// assert!(Status::Failed.is_terminal());
    /// assert!(!Status::Canceling.is_terminal());
    /// ```
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::Running => "Running",
            Self::Canceling => "Canceling",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an operation failed or was canceled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationError {
    /// A short, stable word for programs, such as `approval-timeout`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// The status of one operation: the body of every poll, and nothing more than the status.
///
/// `S` is the action's custom status and `O` its output. Absent members are absent, never null.
///
/// ```
/// use raincheck_openapi::{Status, StatusView};
/// let view: StatusView = serde_json::from_str(r#"{
///     "id": "0198f3a0-0000-7000-8000-000000000000", "action": "countdown", "status": "Running",
///     "customStatus": "3 left", "percentComplete": 40,
///     "createdAt": "2026-11-24T08:00:00.000Z", "updatedAt": "2026-11-24T08:00:02.000Z",
///     "deadline": "2026-12-01T08:00:00.000Z"
/// }"#)?;
/// assert_eq!(view.status, Status::Running);
/// assert_eq!(view.output, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", bound(deserialize = "S: Deserialize<'de>, O: Deserialize<'de>"))]
pub struct StatusView<S = Value, O = Value> {
    /// The operation's id, a `UUIDv7`. Not a secret: it gives no right.
    #[schema(format = "uuid")]
    pub id: String,
    /// The action that was started.
    pub action: String,
    /// Where the operation is now.
    pub status: Status,
    /// What the action says about where it is, in its own words.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub custom_status: Option<S>,
    /// How far the operation is, from 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 100)]
    pub percent_complete: Option<u8>,
    /// When the operation was accepted: RFC 3339, UTC, milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When this view last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When the operation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub finished_at: Option<String>,
    /// When the operation ends at the latest, as `Failed` with the code `deadline-exceeded`.
    #[schema(format = DateTime)]
    pub deadline: String,
    /// The result; only when `Succeeded`.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub output: Option<O>,
    /// What went wrong; only when `Failed` or `Canceled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<OperationError>,
}

// `#[serde(default)]` would ask `S: Default` of every custom status.
fn none<T>() -> Option<T> {
    None
}

/// The body of the 202 that accepts a start: the view as accepted, and the links that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de>, O: Deserialize<'de>"))]
pub struct Accepted<S = Value, O = Value> {
    /// The view as accepted.
    #[serde(flatten)]
    pub view: StatusView<S, O>,
    /// URLs of further rights by name (`cancel`, `event:decision`), if `?links=` asked for them. Each URL is a
    /// secret: whoever has it has the right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<BTreeMap<String, String>>,
}

/// The answer to a cancel or an event: which operation, and where it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationReference {
    /// The operation's id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Where the operation is now.
    pub status: Status,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_status_reads_as_unknown() {
        let status: Status = serde_json::from_str("\"Suspended\"").unwrap();

        assert_eq!(status, Status::Unknown);
    }

    #[test]
    fn absent_members_are_absent_not_null() {
        let view = StatusView::<Value, Value> {
            id: "i".into(),
            action: "a".into(),
            status: Status::NotStarted,
            custom_status: None,
            percent_complete: None,
            created_at: "c".into(),
            updated_at: "u".into(),
            finished_at: None,
            deadline: "d".into(),
            output: None,
            error: None,
        };

        let json = serde_json::to_string(&view).unwrap();

        assert_eq!(
            json,
            r#"{"id":"i","action":"a","status":"NotStarted","createdAt":"c","updatedAt":"u","deadline":"d"}"#
        );
    }

    #[test]
    fn an_output_of_null_is_an_output() {
        let json = r#"{"id":"i","action":"a","status":"Succeeded","createdAt":"c","updatedAt":"u","deadline":"d",
                       "output":null}"#;

        let view: StatusView<Value, ()> = serde_json::from_str(json).unwrap();

        // serde reads null as None; a unit output is the one type that has no other form.
        assert_eq!(view.output, None);
        assert_eq!(view.status, Status::Succeeded);
    }
}
