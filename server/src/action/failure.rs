//! How a step or a handler fails: what callers see, and what only the log sees.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Json;

/// Whether it is worth trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// A step that fails like this is tried again, as its retry policy says.
    Retryable,
    /// Trying again would not help.
    Final,
    /// The operation was asked to stop.
    Canceled,
}

/// A failure of a step, or of an operation.
///
/// Code and message are **public**: whoever may read the status sees them. Details and source are for operators.
/// Any error becomes a retryable failure by `?`, with a constant message: its text may tell more than callers
/// should know, so it goes to the log only.
///
/// ```
/// use raincheck_server::Failure;
///
/// fn check(amount: i64) -> Result<(), Failure> {
///     if amount < 0 {
///         return Err(Failure::new("negative-amount", "the amount must not be negative"));
///     }
///     Ok(())
/// }
/// assert_eq!(check(-1).unwrap_err().code(), "negative-amount");
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Failure(Box<Parts>);

// Behind a box: results that may be failures are everywhere, and few of them are.
#[derive(Clone, Serialize, Deserialize)]
struct Parts {
    kind: FailureKind,
    code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Json>,
    #[serde(skip)]
    retry_after: Option<Duration>,
    #[serde(skip)]
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The code of a failure that was not given one.
const STEP_FAILED: &str = "step-failed";
const CANCELED: &str = "canceled";

impl Failure {
    /// A final failure: trying again would not help.
    ///
    /// `code` is a stable word for programs (lower case, digits, hyphens); the status URL answers with the 4xx that
    /// the action [declared](crate::Settings::failure) for it, else 422.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(FailureKind::Final, code.into(), message.into())
    }

    /// A failure that may not come again: the step is tried again as its retry policy says.
    #[must_use]
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(FailureKind::Retryable, code.into(), message.into())
    }

    /// The operation was asked to stop and the handler obeys.
    #[must_use]
    pub fn canceled() -> Self {
        Self::of(FailureKind::Canceled, CANCELED.to_owned(), "the operation was canceled".to_owned())
    }

    fn of(kind: FailureKind, code: String, message: String) -> Self {
        Self(Box::new(Parts { kind, code, message, details: None, retry_after: None, source: None }))
    }

    /// Adds what only operators shall see, in the management API.
    #[must_use]
    pub fn with_details(mut self, details: Json) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Adds the cause, for the log only.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// Says that another attempt before this time is not wanted, such as by a `Retry-After`: the next one waits for as
    /// long, or for as long as the step's policy says if that is longer.
    #[must_use]
    pub fn retry_after(mut self, pause: Option<Duration>) -> Self {
        self.0.retry_after = pause;
        self
    }

    /// How long the next attempt has to wait at least.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.0.retry_after.unwrap_or_default()
    }

    /// The same failure as one that is not tried again.
    #[must_use]
    pub fn into_final(mut self) -> Self {
        if self.0.kind == FailureKind::Retryable {
            self.0.kind = FailureKind::Final;
        }
        self
    }

    /// Whether it is worth trying again.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// The word for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What only operators see.
    #[must_use]
    pub fn details(&self) -> Option<&Json> {
        self.0.details.as_ref()
    }

    /// The cause; not kept in the journal.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.0.source.as_deref()
    }
}

impl PartialEq for Failure {
    /// Compares everything that is kept: not the source, and not when to try again.
    fn eq(&self, other: &Self) -> bool {
        let Parts { kind, code, message, details, retry_after: _, source: _ } = &*self.0;
        (kind, code, message, details) == (&other.0.kind, &other.0.code, &other.0.message, &other.0.details)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

// Not an `Error` itself, or every `Failure` would convert into a failure of a failure.
impl<E: StdError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::retryable(STEP_FAILED, "a step of the operation failed").with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_does_not_become_public() {
        let error = std::io::Error::other("password=hunter2");

        let failure = Failure::from(error);

        assert_eq!(failure.kind(), FailureKind::Retryable);
        assert!(!failure.to_string().contains("hunter2"));
        assert!(!serde_json::to_string(&failure).unwrap().contains("hunter2"));
        assert!(failure.source().unwrap().to_string().contains("hunter2"));
    }
}
