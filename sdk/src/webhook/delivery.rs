//! What a server sends: for the tests of receivers, and for those who pass on what a trigger has told.

use std::time::SystemTime;

use raincheck_openapi::subscription::{DeliveryFormat, EndEvent};
use raincheck_openapi::{Status, StatusView, paths};

use super::event::STRUCTURED;
use super::{ID, SIGNATURE, Secret, TIMESTAMP, seconds};

/// An end, as a raincheck server would send it.
///
/// ```
/// use std::time::SystemTime;
/// use raincheck::webhook::{Delivery, Secret, verify};
/// use raincheck::{DeliveryFormat, StatusView};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let view: StatusView = serde_json::from_str(r#"{
///     "id": "0198f3a0-0000-7000-8000-000000000000", "action": "countdown", "status": "Succeeded", "output": 3,
///     "createdAt": "2026-11-24T08:00:00.000Z", "updatedAt": "2026-11-24T08:00:02.000Z",
///     "finishedAt": "2026-11-24T08:00:02.000Z", "deadline": "2026-12-01T08:00:00.000Z"
/// }"#)?;
/// let (secret, now): (Secret, _) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?, SystemTime::now());
/// let delivery = Delivery::new("msg_1", "https://api.example", &view, DeliveryFormat::View);
///
/// // What a receiver gets.
/// let headers = delivery.headers(&secret, now);
/// let header = |name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
/// let event = verify::<u32>(header, delivery.body(), [&secret], now)?;
/// assert_eq!((event.id.as_str(), event.operation.output), ("msg_1", Some(3)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Delivery {
    id: String,
    typed: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Delivery {
    /// Tells of this end of an operation of the server with that public URL. `id` names the delivery,
    /// however often it is sent.
    #[must_use]
    pub fn new(id: &str, server: &str, operation: &StatusView, format: DeliveryFormat) -> Self {
        let event = EndEvent {
            specversion: "1.0".to_owned(),
            id: id.to_owned(),
            source: format!("{}{}", server.trim_end_matches('/'), paths::start(&operation.action)),
            kind: kind(operation.status).to_owned(),
            subject: operation.id.clone(),
            time: operation.finished_at.as_ref().unwrap_or(&operation.updated_at).clone(),
            datacontenttype: "application/json".to_owned(),
            data: operation.clone(),
        };
        let body = match format {
            DeliveryFormat::CloudeventsStructured => serde_json::to_vec(&event),
            DeliveryFormat::CloudeventsBinary | DeliveryFormat::View => serde_json::to_vec(&event.data),
        };
        let body = body.expect("a status view is JSON");
        Self { id: id.to_owned(), typed: typed(event, format), body }
    }

    /// The headers of an attempt at this time: what it is, and who has sent it.
    #[must_use]
    pub fn headers(&self, secret: &Secret, at: SystemTime) -> Vec<(&'static str, String)> {
        let mut headers = self.typed.clone();
        headers.push((ID, self.id.clone()));
        headers.push((TIMESTAMP, seconds(at).to_string()));
        headers.push((SIGNATURE, secret.sign(&self.id, at, &self.body)));
        headers
    }

    /// The body, which is signed.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

fn typed(event: EndEvent, format: DeliveryFormat) -> Vec<(&'static str, String)> {
    let EndEvent { specversion, id, source, kind, subject, time, datacontenttype, data: _ } = event;
    let mut headers = match format {
        DeliveryFormat::CloudeventsStructured => return vec![("content-type", STRUCTURED.to_owned())],
        DeliveryFormat::CloudeventsBinary | DeliveryFormat::View => vec![("content-type", datacontenttype)],
    };
    if format == DeliveryFormat::CloudeventsBinary {
        headers.extend([
            ("ce-specversion", specversion),
            ("ce-id", id),
            ("ce-source", source),
            ("ce-type", kind),
            ("ce-subject", subject),
            ("ce-time", time),
        ]);
    }
    headers
}

const fn kind(status: Status) -> &'static str {
    match status {
        Status::Succeeded => "raincheck.operation.succeeded",
        Status::Failed => "raincheck.operation.failed",
        // What has not ended is sent to nobody.
        _ => "raincheck.operation.canceled",
    }
}
