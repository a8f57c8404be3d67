//! What an error shows: problem details (RFC 9457), one shape for all of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{OperationError, StatusView};

/// An error answer, `application/problem+json` (RFC 9457).
///
/// `V` is the status view that an ended operation brings along. **On a start, a problem with `operation` means
/// accepted and ended; without it, nothing was accepted.**
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", bound(deserialize = "V: Deserialize<'de>"))]
pub struct Problem<V = StatusView> {
    /// A URL that names the kind of problem and answers with a page about it.
    #[serde(rename = "type")]
    #[schema(format = "uri")]
    pub kind: String,
    /// The kind of problem in a few words; the same for every occurrence.
    pub title: String,
    /// The HTTP status code, again.
    pub status: u16,
    /// What was wrong this time, and how to mend it.
    pub detail: String,
    /// The path that was asked for, without its query.
    pub instance: String,
    /// A stable word for programs: one of the server's codes, or the one that the action gave its failure.
    pub code: String,
    /// The id under which the server's log knows this request; also in `X-Request-Id`.
    pub request_id: String,
    /// Code and message once more, in the only place where Azure's SDKs look for them.
    pub error: OperationError,
    /// Which members of the input do not fit, for `invalid-input`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    pub errors: Vec<InvalidField>,
    /// The limit that was exceeded, in bytes, for `body-too-large`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit: Option<u64>,
    /// The view of the operation that failed or was canceled.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operation: Option<V>,
}

fn none<T>() -> Option<T> {
    None
}

/// One member of an input that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvalidField {
    /// Where it is: a JSON Pointer (RFC 6901) into the request body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = true)]
    pub pointer: Option<String>,
    /// Which query parameter it is, in place of a pointer; only on the management listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub parameter: Option<String>,
    /// What is wrong with it.
    pub detail: String,
}

impl InvalidField {
    /// A member of the body, by its JSON Pointer.
    pub fn member(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, detail: detail.into() }
    }

    /// A query parameter, by its name.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.into()), detail: detail.into() }
    }

    /// What it is, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        let place = self.parameter.as_deref().or(self.pointer.as_deref());
        place.filter(|place| !place.is_empty()).unwrap_or("the body")
    }
}
