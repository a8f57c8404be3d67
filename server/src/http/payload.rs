//! What receivers are sent: the status view, as it is or in a `CloudEvent` 1.0, and nothing more.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use raincheck_openapi::paths;
use serde::Serialize;

use super::view::{self, Millis, Text, View};
use crate::delivery::DeliveryId;
use crate::operation::{Operation, OperationId, State};
use crate::subscription::Format;
use crate::webhooks::{Payload, Present};

/// The members of [`raincheck_openapi::subscription::EndEvent`].
#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: Text<DeliveryId>,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: Text<OperationId>,
    time: Millis,
    datacontenttype: &'static str,
    data: View<'a>,
}

/// Puts ends into their form; `base` is that of this server's URLs.
pub(crate) fn present(base: String) -> Present {
    Box::new(move |id, format, operation| payload(&base, id, format, operation))
}

fn payload(base: &str, id: DeliveryId, format: Format, operation: &Operation) -> Payload {
    let source = format!("{base}{}", paths::start(&operation.action));
    let event = Event {
        specversion: "1.0",
        id: Text(id),
        source: &source,
        kind: kind(operation.state),
        subject: Text(operation.id),
        time: Millis(operation.finished_at.unwrap_or(operation.updated_at)),
        datacontenttype: "application/json",
        data: View::new(operation),
    };
    match format {
        Format::View => Payload { headers: typed("application/json"), body: view::json(&event.data) },
        Format::Structured => {
            Payload { headers: typed("application/cloudevents+json"), body: view::json(&event) }
        }
        Format::Binary => Payload { headers: event.headers(), body: view::json(&event.data) },
    }
}

impl Event<'_> {
    /// The attributes as headers (`CloudEvents` HTTP protocol binding, binary mode).
    fn headers(&self) -> HeaderMap {
        let Self { specversion, id, source, kind, subject, time, datacontenttype, data: _ } = self;
        let mut headers = typed(datacontenttype);
        for (name, value) in [
            ("ce-specversion", (*specversion).to_owned()),
            ("ce-id", id.0.to_string()),
            ("ce-source", (*source).to_owned()),
            ("ce-type", (*kind).to_owned()),
            ("ce-subject", subject.0.to_string()),
            ("ce-time", time.to_string()),
        ] {
            let value = HeaderValue::try_from(value).expect("ids, times and URLs are visible ASCII");
            headers.insert(HeaderName::from_static(name), value);
        }
        headers
    }
}

fn typed(media_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))])
}

const fn kind(state: State) -> &'static str {
    match state {
        State::Succeeded => "raincheck.operation.succeeded",
        State::Failed => "raincheck.operation.failed",
        // What has not ended is sent to nobody.
        State::NotStarted | State::Running | State::Canceling | State::Canceled => {
            "raincheck.operation.canceled"
        }
    }
}
