//! What an answer says about an operation, whatever the server's dialect: the body, read leniently.

use std::borrow::Cow;
use std::fmt;

use raincheck_openapi::{OperationError, Status};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

/// The status of an operation as one answer shows it, from any server.
///
/// The words of other servers are mapped to [`Status`] (`InProgress` is `Running`, `Completed` is
/// `Succeeded`, `Terminated` is `Canceled`); [`state`](Self::state) keeps the word as it was written.
///
/// ```no_run
/// # async fn run(mut operation: raincheck::Operation<String>) -> Result<(), raincheck::Error> {
/// operation.poll().await?;
/// if let Some(view) = operation.view() {
///     println!("{} ({}) {:?}", view.status, view.state, view.percent_complete);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct View {
    /// Where the operation is. A word that is not known here is `Unknown`, and the operation goes on.
    pub status: Status,
    /// The server's own word for it, such as `Provisioning`.
    pub state: String,
    /// The operation's id, if the server names one.
    pub id: Option<String>,
    /// The action that was started, at a raincheck server.
    pub action: Option<String>,
    /// What the operation says about itself in its own words (`customStatus`).
    pub custom_status: Option<Value>,
    /// How far it is, from 0 to 100 (`percentComplete`).
    pub percent_complete: Option<u8>,
    /// Why it failed or was canceled, if it was and the server says so.
    pub error: Option<OperationError>,
    body: Box<str>,
}

impl View {
    /// The whole body, as a type of your own or as [`StatusView`](crate::StatusView).
    ///
    /// # Errors
    /// If the body is not of that shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.body)
    }

    /// The body as the server wrote it: JSON.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the body: a Durable Functions server writes keys into it.
        f.debug_struct("View")
            .field("status", &self.status)
            .field("state", &self.state)
            .field("id", &self.id)
            .field("action", &self.action)
            .field("custom_status", &self.custom_status)
            .field("percent_complete", &self.percent_complete)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A body, taken apart as far as the dialects need it. Every member is optional and of any type.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body<'a> {
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    runtime_status: Option<&'a RawValue>,
    #[serde(borrow)]
    provisioning_state: Option<&'a RawValue>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    instance_id: Option<&'a RawValue>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    custom_status: Option<&'a RawValue>,
    #[serde(borrow)]
    percent_complete: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    deadline: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    resource_location: Option<&'a RawValue>,
    #[serde(borrow)]
    status_query_get_uri: Option<&'a RawValue>,
    #[serde(borrow)]
    terminate_post_uri: Option<&'a RawValue>,
    #[serde(skip)]
    text: &'a str,
}

/// Whose words a body's state is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// `status` of a status monitor.
    Monitor,
    /// `runtimeStatus` of Durable Functions.
    Runtime,
    /// `provisioningState` of a resource.
    Provisioning,
}

impl<'a> Body<'a> {
    /// Reads a body. An empty one and JSON that is no object have no members.
    ///
    /// # Errors
    /// If it is no JSON at all.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return serde_json::from_slice::<IgnoredAny>(bytes).map(|_| Self::default());
        }
        let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom)?;
        // A member that is there twice fails here too: nobody could say which of them counts.
        serde_json::from_str::<Body<'a>>(text).map(|body| Self { text, ..body })
    }

    /// Whether this is a raincheck server's status view, and not a resource that happens to have a `status`.
    pub(crate) fn is_status_view(&self) -> bool {
        [self.id, self.action, self.status, self.created_at, self.deadline].iter().all(Option::is_some)
    }

    /// The state in these words, if there is one.
    pub(crate) fn state(&self, words: Words) -> Option<Cow<'a, str>> {
        match words {
            Words::Monitor => text(self.status),
            Words::Runtime => text(self.runtime_status),
            Words::Provisioning => self.properties_state().or_else(|| text(self.provisioning_state)),
        }
        .filter(|state| !state.is_empty())
    }

    fn properties_state(&self) -> Option<Cow<'a, str>> {
        let properties: Properties = serde_json::from_str(self.properties?.get()).ok()?;
        properties.provisioning_state.map(Cow::Owned)
    }

    /// What the state in these words means, if there is one.
    pub(crate) fn status(&self, words: Words) -> Option<Status> {
        self.state(words).map(|state| meaning(&state, words))
    }

    /// The view of the state in these words.
    pub(crate) fn view(&self, words: Words) -> Option<View> {
        let state = self.state(words)?;
        Some(View {
            status: meaning(&state, words),
            state: state.into_owned(),
            id: owned(self.id).or_else(|| owned(self.instance_id)),
            action: self.is_status_view().then(|| owned(self.action)).flatten(),
            custom_status: self.custom_status.and_then(|raw| serde_json::from_str(raw.get()).ok()),
            percent_complete: self.percent_complete.and_then(percent),
            error: self.error.and_then(error).or_else(|| self.runtime_error(words)),
            body: self.text.into(),
        })
    }

    /// Durable Functions puts the reason of a failure where the output would be.
    fn runtime_error(&self, words: Words) -> Option<OperationError> {
        if words != Words::Runtime || meaning(&text(self.runtime_status)?, words) != Status::Failed {
            return None;
        }
        Some(OperationError { code: "orchestration-failed".into(), message: owned(self.output)? })
    }

    pub(crate) fn resource_location(&self) -> Option<Cow<'a, str>> {
        text(self.resource_location)
    }

    pub(crate) fn status_query_get_uri(&self) -> Option<Cow<'a, str>> {
        text(self.status_query_get_uri)
    }

    pub(crate) fn terminate_post_uri(&self) -> Option<Cow<'a, str>> {
        text(self.terminate_post_uri)
    }

    /// The member with the operation's output, for servers that put it into the status.
    pub(crate) fn output(&self, words: Words) -> Option<&'a str> {
        match words {
            // An output of `()` is absent on the wire.
            Words::Runtime => Some(self.output.map_or("null", RawValue::get)),
            Words::Monitor if self.is_status_view() => Some(self.output.map_or("null", RawValue::get)),
            Words::Monitor => self.result.map(RawValue::get),
            Words::Provisioning => None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Properties {
    provisioning_state: Option<String>,
}

/// The text of a JSON string; `None` if it is another kind of value.
fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let raw = raw?.get();
    let quoted = raw.strip_prefix('"')?.strip_suffix('"')?;
    if quoted.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(quoted.into()) }
}

fn owned(raw: Option<&RawValue>) -> Option<String> {
    text(raw).map(Cow::into_owned)
}

/// Azure's monitors write a percentage as a number of any kind.
fn percent(raw: &RawValue) -> Option<u8> {
    let number: f64 = serde_json::from_str(raw.get()).ok()?;
    Some(number.clamp(0.0, 100.0) as u8)
}

fn error(raw: &RawValue) -> Option<OperationError> {
    #[derive(Deserialize)]
    struct Loose {
        // Some servers write the HTTP status here, as a number.
        #[serde(default)]
        code: Value,
        #[serde(default)]
        message: Value,
    }
    let plain = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let Loose { code, message } = serde_json::from_str(raw.get()).ok()?;
    Some(OperationError { code: plain(code), message: plain(message) })
}

/// What a server's word means. ARM fixes the last words of a resource to three, and calls every other one
/// "still at work"; monitors and Durable Functions have a few more in use.
fn meaning(state: &str, words: Words) -> Status {
    match (state.to_ascii_lowercase().as_str(), words) {
        ("succeeded", _) => Status::Succeeded,
        ("failed", _) => Status::Failed,
        ("canceled" | "cancelled", _) => Status::Canceled,
        ("canceling" | "cancelling" | "aborting", _) => Status::Canceling,
        ("notstarted" | "pending" | "queued" | "accepted", _) => Status::NotStarted,
        // A resource may have any word for being at work.
        (_, Words::Provisioning) => Status::Running,
        ("success" | "completed" | "complete" | "done", _) => Status::Succeeded,
        ("failure" | "faulted", _) => Status::Failed,
        ("terminated" | "aborted", _) => Status::Canceled,
        ("running" | "inprogress" | "in progress" | "in_progress" | "processing", _) => Status::Running,
        ("continuedasnew" | "suspended", _) => Status::Running,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(body: &str, words: Words) -> View {
        Body::read(body.as_bytes()).unwrap().view(words).unwrap()
    }

    #[test]
    fn the_words_of_other_servers_are_understood_and_kept() {
        let seen = |state: &str, words| {
            let body =
                format!(r#"{{"status":"{state}","runtimeStatus":"{state}","provisioningState":"{state}"}}"#);
            view(&body, words).status
        };

        assert_eq!(seen("InProgress", Words::Monitor), Status::Running);
        assert_eq!(seen("succeeded", Words::Monitor), Status::Succeeded);
        assert_eq!(seen("Cancelled", Words::Monitor), Status::Canceled);
        assert_eq!(seen("Completed", Words::Runtime), Status::Succeeded);
        assert_eq!(seen("Terminated", Words::Runtime), Status::Canceled);
        assert_eq!(seen("ContinuedAsNew", Words::Runtime), Status::Running);
        assert_eq!(seen("Hibernating", Words::Monitor), Status::Unknown);
        assert_eq!(seen("Completed", Words::Provisioning), Status::Running);
        assert_eq!(view(r#"{"status":"Hibernating"}"#, Words::Monitor).state, "Hibernating");
    }

    #[test]
    fn a_resource_has_its_state_in_its_properties() {
        let body = r#"{"id":"100","properties":{"provisioningState":"Creating","x":1}}"#;

        let view = view(body, Words::Provisioning);

        assert_eq!(
            (view.status, view.state.as_str(), view.id.as_deref()),
            (Status::Running, "Creating", Some("100"))
        );
    }

    #[test]
    fn members_of_other_types_are_read_as_far_as_they_can_be() {
        let body = r#"{"status":"Failed","id":7,"percentComplete":33.4,"error":{"code":500,"message":"no"}}"#;

        let view = view(body, Words::Monitor);

        assert_eq!((view.id, view.percent_complete), (None, Some(33)));
        assert_eq!(view.error.unwrap(), OperationError { code: "500".into(), message: "no".into() });
    }

    #[test]
    fn a_failed_orchestration_tells_its_reason() {
        let body = r#"{"instanceId":"i","runtimeStatus":"Failed","output":"it broke","customStatus":null}"#;

        let view = view(body, Words::Runtime);

        assert_eq!((view.id.as_deref(), view.custom_status), (Some("i"), None));
        assert_eq!(view.error.unwrap().message, "it broke");
    }

    #[test]
    fn bodies_that_are_no_object_have_no_state_and_what_is_no_json_is_an_error() {
        for body in ["", "  ", "[1]", "\"success\"", "null", "\u{feff}{}"] {
            assert!(Body::read(body.as_bytes()).unwrap().state(Words::Monitor).is_none(), "{body}");
        }
        for body in ["<html>", "{\"status\":\"Running\"", "{\"status\":1,\"status\":2}"] {
            assert!(Body::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_output_is_where_each_server_puts_it() {
        let ours =
            r#"{"id":"1","action":"a","status":"Succeeded","createdAt":"c","deadline":"d","output":[7]}"#;
        let output = |body: &'static str, words| Body::read(body.as_bytes()).unwrap().output(words);

        assert_eq!(output(ours, Words::Monitor), Some("[7]"));
        assert_eq!(
            output(r#"{"runtimeStatus":"Completed","output":{"a":1}}"#, Words::Runtime),
            Some(r#"{"a":1}"#)
        );
        assert_eq!(output(r#"{"status":"Succeeded","result":"r"}"#, Words::Monitor), Some("\"r\""));
        assert_eq!(output(r#"{"status":"Succeeded","id":"100"}"#, Words::Monitor), None);
    }
}
