//! What of an operation goes over the wire: the one place where domain becomes wire.
//!
//! The output and the custom status are copied as the text that they are kept as. Destructuring without `..` makes
//! a new field fail to compile until somebody decides who may see it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use raincheck_openapi::Status;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::operation::{Operation, OperationId, Origin, Problem, State};

/// The members of [`raincheck_openapi::StatusView`], borrowed from an operation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View<'a> {
    id: Text<OperationId>,
    action: &'a str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_status: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_complete: Option<u8>,
    created_at: Millis,
    updated_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Millis>,
    deadline: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
}

/// The members of [`raincheck_openapi::OperationError`].
#[derive(Serialize)]
pub(crate) struct Error<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
}

impl<'a> View<'a> {
    /// The operation as it is.
    pub(crate) fn new(operation: &'a Operation) -> Self {
        let Operation { origin, state, custom_status, percent, updated_at, finished_at, output, problem } =
            operation;
        let Origin {
            id,
            action,
            version: _, // operators only
            caller: _,  // operators only
            parent: _,  // operators only: the parent is another operation
            created_at,
            deadline,
            retention: _,
            link_key: _,
            tracking_id: _, // operators only
            traceparent: _, // operators only
        } = &**origin;
        Self {
            id: Text(*id),
            action,
            status: status(*state),
            custom_status: custom_status.as_ref().and_then(present),
            percent_complete: *percent,
            created_at: Millis(*created_at),
            updated_at: Millis(*updated_at),
            finished_at: finished_at.map(Millis),
            deadline: Millis(*deadline),
            output: output.as_ref().and_then(present),
            error: problem.as_deref().map(Error::new),
        }
    }

    /// The operation as it was accepted: what a start answers, and every replay of it.
    pub(crate) fn as_accepted(operation: &'a Operation) -> Self {
        Self {
            status: Status::NotStarted,
            custom_status: None,
            percent_complete: None,
            updated_at: Millis(operation.created_at),
            finished_at: None,
            output: None,
            error: None,
            ..Self::new(operation)
        }
    }

    /// The operation without its output, for lists.
    pub(crate) fn without_output(operation: &'a Operation) -> Self {
        Self { output: None, ..Self::new(operation) }
    }
}

/// A member that is there. What has no value, such as the output of an action that gives none, is absent, not null.
fn present(json: &crate::Json) -> Option<&RawValue> {
    (json.get() != "null").then(|| json.raw())
}

impl<'a> Error<'a> {
    fn new(problem: &'a Problem) -> Self {
        let Problem { code, message, http_status: _, details: _ } = problem;
        Self { code, message }
    }
}

/// The members of [`raincheck_openapi::OperationReference`].
#[derive(Serialize)]
pub(crate) struct Reference {
    id: Text<OperationId>,
    status: Status,
}

impl Reference {
    pub(crate) fn new(operation: &Operation) -> Self {
        Self { id: Text(operation.id), status: status(operation.state) }
    }
}

pub(crate) const fn status(state: State) -> Status {
    match state {
        State::NotStarted => Status::NotStarted,
        State::Running => Status::Running,
        State::Canceling => Status::Canceling,
        State::Succeeded => Status::Succeeded,
        State::Failed => Status::Failed,
        State::Canceled => Status::Canceled,
    }
}

/// The JSON of `value`.
pub(crate) fn json<T: Serialize>(value: &T) -> Bytes {
    let mut bytes = Vec::with_capacity(512);
    serde_json::to_writer(&mut bytes, value).expect("views have string keys only");
    bytes.into()
}

/// A weak `ETag` over the bytes of a view. A hash and not a counter: a counter that starts again after a power cut
/// would answer 304 for a view that the caller has never seen.
pub(crate) fn etag(view: &[u8]) -> HeaderValue {
    let mut tag = [0; 26];
    tag[..3].copy_from_slice(b"W/\"");
    tag[3..25].copy_from_slice(&version(view));
    tag[25] = b'"';
    HeaderValue::from_bytes(&tag).expect("base64 is visible ASCII")
}

/// What is in the quotes of a view's `ETag`: visible ASCII.
pub(crate) fn version(view: &[u8]) -> [u8; 22] {
    let mut version = [0; 22];
    // 128 bits: two views never share a tag by chance.
    URL_SAFE_NO_PAD
        .encode_slice(&Sha256::digest(view)[..16], &mut version)
        .expect("16 bytes are 22 characters of base64");
    version
}

/// Whether `If-None-Match` names `etag`; compared weakly (RFC 9110 §13.1.2).
pub(crate) fn none_match(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let Ok(etag) = etag.to_str().map(plain) else { return false };
    let lines = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|tag| tag.trim() == "*" || plain(tag) == etag)
}

/// RFC 3339 in UTC with milliseconds, always three digits.
#[derive(Clone, Copy)]
pub(crate) struct Millis(pub(crate) Timestamp);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Serialised as it displays itself.
#[derive(Clone, Copy)]
pub(crate) struct Text<T>(pub(crate) T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
