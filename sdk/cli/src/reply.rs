//! What `raincheck poll --json` prints: the final answer, and what it says about the operation.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use raincheck::{LastAnswer, Operation, Status};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::exit::Failure;
use crate::table;
use crate::watch::Watched;

/// Headers that tell what the body is, how to go on, or what to ask the server's people about.
const OF_USE: [&str; 9] = [
    "content-type",
    "location",
    "operation-location",
    "azure-asyncoperation",
    "retry-after",
    "etag",
    "last-modified",
    "x-request-id",
    "x-ms-request-id",
];

/// The final answer; without a status if there was none.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reply {
    status: Option<u16>,
    headers: Map<String, Value>,
    /// JSON as it is, a text as a string; `null` for nothing and for what is neither.
    body: Value,
    /// A body that is neither JSON nor a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

/// What is known of the operation, in the same words for every server.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_complete: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    /// Where to go on, if it has not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_url: Option<String>,
}

impl Reply {
    pub(crate) fn of(watched: &Watched) -> Self {
        let refusal = match &watched.failure {
            Some(Failure::Sdk(error)) => error.answer(),
            _ => None,
        };
        let operation = watched.operation.as_ref();
        let answer = refusal.or_else(|| operation.and_then(Operation::last_answer));
        let mut reply = answer.map(Self::answer).unwrap_or_default();
        reply.operation = operation.map(told);
        reply
    }

    fn answer(answer: LastAnswer<'_>) -> Self {
        let header = |name: &&str| Some(((*name).to_owned(), answer.header(name)?.into()));
        let (body, body_base64) = body(answer.body());
        Self {
            status: Some(answer.status()),
            headers: OF_USE.iter().filter_map(header).collect(),
            body,
            body_base64,
            operation: None,
            error: None,
        }
    }

    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.error = Some(failure.error());
    }

    /// What the server said, if the error does not repeat it.
    pub(crate) fn unexplained(&self, failure: &Failure) -> Option<String> {
        let Failure::Sdk(error) = failure else { return None };
        let is_known = error.problem().is_some() || error.view().is_some_and(|view| view.error.is_some());
        let text = match &self.body {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (!is_known && !text.trim().is_empty()).then(|| table::short(text.trim(), 500))
    }
}

fn body(bytes: &[u8]) -> (Value, Option<String>) {
    let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match (serde_json::from_slice(plain), std::str::from_utf8(plain)) {
        (Ok(json), _) => (json, None),
        (Err(_), Ok("")) => (Value::Null, None),
        (Err(_), Ok(text)) => (text.into(), None),
        (Err(_), Err(_)) => (Value::Null, Some(BASE64_STANDARD.encode(bytes))),
    }
}

fn told(operation: &Operation<Value>) -> Told {
    // The last view may be older than the last answer, and then its state is too.
    let view = operation.view().filter(|view| view.status == operation.status());
    let has_ended = operation.last_answer().is_some();
    Told {
        status: operation.status(),
        state: view.map(|view| view.state.clone()),
        id: operation.id().map(str::to_owned),
        custom_status: view.and_then(|view| view.custom_status.clone()),
        percent_complete: view.and_then(|view| view.percent_complete),
        error: view.and_then(|view| serde_json::to_value(view.error.as_ref()?).ok()),
        status_url: (!has_ended).then(|| operation.token().url().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_shown_as_what_it_is() {
        assert_eq!(body(b"{\"a\": 1}"), (json!({"a": 1}), None));
        assert_eq!(body(b"plain"), (json!("plain"), None));
        assert_eq!(body(b""), (Value::Null, None));
        assert_eq!(body(b"\xff\x00"), (Value::Null, Some("/wA=".to_owned())));
    }
}
