//! What a webhook says, in whichever form the subscription asked for.

use std::time::SystemTime;

use raincheck_openapi::StatusView;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An operation has ended. `T` is the action's output.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event<T = Value> {
    /// Names this delivery: the same whenever it is sent again. Whoever remembers it deals with each once.
    pub id: String,
    /// When this attempt was signed.
    pub sent_at: SystemTime,
    /// The operation as a poll shows it.
    pub operation: StatusView<Value, T>,
    /// The attributes of the `CloudEvent`, if it was sent as one.
    pub cloud_event: Option<CloudEvent>,
}

/// The attributes of a `CloudEvent` 1.0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CloudEvent {
    /// The event's id.
    pub id: String,
    /// The action, as a URL of the server.
    pub source: String,
    /// `raincheck.operation.succeeded`, `raincheck.operation.failed` or `raincheck.operation.canceled`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The operation's id.
    #[serde(default)]
    pub subject: Option<String>,
    /// When the operation ended: RFC 3339.
    #[serde(default)]
    pub time: Option<String>,
}

pub(super) const STRUCTURED: &str = "application/cloudevents+json";

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Structured<T> {
    #[serde(flatten)]
    attributes: CloudEvent,
    data: StatusView<Value, T>,
}

impl<T: DeserializeOwned> Event<T> {
    /// Reads a body that was signed.
    pub(super) fn read<'h>(
        header: impl Fn(&'static str) -> Option<&'h str>,
        body: &[u8],
        id: &str,
        sent_at: SystemTime,
    ) -> Result<Self, serde_json::Error> {
        let media_type = header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let (operation, cloud_event) = if media_type.trim().eq_ignore_ascii_case(STRUCTURED) {
            let Structured { attributes, data } = serde_json::from_slice(body)?;
            (data, Some(attributes))
        } else {
            (serde_json::from_slice(body)?, binary(header))
        };
        Ok(Self { id: id.to_owned(), sent_at, operation, cloud_event })
    }
}

/// The attributes in headers. They are not signed, so they are for show: what counts is in the body.
fn binary<'h>(header: impl Fn(&'static str) -> Option<&'h str>) -> Option<CloudEvent> {
    let text = |name| header(name).map(str::to_owned);
    header("ce-specversion")?;
    Some(CloudEvent {
        id: text("ce-id")?,
        source: text("ce-source")?,
        kind: text("ce-type")?,
        subject: text("ce-subject"),
        time: text("ce-time"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VIEW: &str = r#"{"id":"1","action":"a","status":"Succeeded","createdAt":"c","updatedAt":"u",
                           "deadline":"d","output":7}"#;

    fn read(headers: &[(&'static str, &'static str)], body: &str) -> Result<Event<u32>, serde_json::Error> {
        let header = |name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        Event::read(header, body.as_bytes(), "msg_1", SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn each_form_says_the_same() {
        let view: Value = serde_json::from_str(VIEW).unwrap();
        let structured = json!({
            "specversion": "1.0", "id": "msg_1", "source": "https://h/v1/actions/a", "subject": "1", "time": "t",
            "type": "raincheck.operation.succeeded", "datacontenttype": "application/json", "data": view,
        });
        let headers = [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "msg_1"),
            ("ce-source", "https://h/v1/actions/a"),
            ("ce-type", "raincheck.operation.succeeded"),
            ("ce-subject", "1"),
            ("ce-time", "t"),
        ];
        let typed = [("content-type", "Application/CloudEvents+JSON; charset=utf-8")];

        let binary = read(&headers, VIEW).unwrap();
        let structured = read(&typed, &structured.to_string()).unwrap();
        let plain = read(&[], VIEW).unwrap();

        assert_eq!(binary, structured);
        assert_eq!((plain.operation.output, plain.id.as_str()), (Some(7), "msg_1"));
        assert_eq!((plain.cloud_event, plain.operation), (None, binary.operation));
    }

    #[test]
    fn what_is_no_end_of_an_operation_is_none() {
        for body in ["", "{}", "7", r#"{"data": {}}"#] {
            assert!(read(&[], body).is_err(), "{body}");
            assert!(read(&[("content-type", STRUCTURED)], body).is_err(), "{body}");
        }
        assert!(read(&[], &VIEW.replace("\"output\":7", "\"output\":\"no number\"")).is_err());
    }
}
