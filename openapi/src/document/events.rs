//! The paths below `/events`: an operation's updates as a stream, and the events that it takes.

use serde_json::{Value, json};

use super::operations::{Operations, READ_PROBLEMS, example_view};
use super::parameters::{BEARER, EVENT_LINK, KEY_HEADER, STATUS_LINK, idempotency_key, last_event_id};
use super::responses::{self, Responses};
use super::schemas::{REFERENCE, reference};
use super::{ActionDescription, EventDescription};
use crate::ProblemCode as P;

impl Operations<'_> {
    pub(super) fn updates(&mut self, action: &ActionDescription, id: &str) -> Value {
        let media_type = &self.settings.error_media_type;
        let mut stream = responses::empty(
            "A stream of events named `status`. The data of each is a status view, its id names that view.",
            &self.headers(action, &[], &[]),
        );
        let view = example_view(action, "Running");
        stream["content"] = json!({"text/event-stream": {
            // No type: some tools hold this against the whole body, and others against each event.
            "schema": {"description": "Server-sent events."},
            "example": format!("retry: 1500\nevent: status\nid: _YU2PcId2fM0AS8EJzEvNQ\ndata: {view}\n\n"),
        }});
        let mut responses = Responses::default();
        responses.add(200, stream);
        responses.add(
            204,
            responses::empty(
                "The operation has ended, and `Last-Event-ID` names its last view: there is no more to come.",
                &self.headers(action, &[], &[]),
            ),
        );
        responses.problems(&READ_PROBLEMS);
        responses.problems(&[P::TooManyStreams]);
        let mut operation = json!({
            "operationId": id,
            "tags": [action.name],
            "summary": format!("Updates of {}", action.name),
            "description": "The status at once and on each change, as server-sent events, until the operation has ended. \
                            The stream also ends when the server restarts or the connection gets old: ask again with \
                            `Last-Event-ID`, as a browser's EventSource does.",
            "security": self.security(&[STATUS_LINK, BEARER, KEY_HEADER]),
            "parameters": [last_event_id()],
        });
        operation["responses"] = responses.finish(media_type).into();
        operation
    }

    pub(super) fn page(&mut self, action: &ActionDescription, event: &EventDescription, id: &str) -> Value {
        let mut page = responses::empty("The page, as it stands.", &self.headers(action, &[], &[]));
        page["content"] = json!({"text/html": {"schema": {"type": "string"}}});
        let mut responses = Responses::default();
        responses.add(200, page);
        responses.problems(&READ_PROBLEMS);
        let mut operation = json!({
            "operationId": id,
            "tags": [action.name],
            "summary": format!("The page of the event {}", event.name),
            "description": "What an event link shows in a browser: what is asked, and a button for each answer. Reading it \
                            sends nothing; its form does. It is for whoever has the link, and for nobody else.",
            "security": self.security(&[EVENT_LINK]),
            "parameters": [{
                "name": "choice", "in": "query", "required": false,
                "description": "The answer that is offered first.",
                "schema": {"type": "string"},
            }],
        });
        operation["responses"] = responses.finish(&self.settings.error_media_type).into();
        operation
    }

    pub(super) fn send(
        &mut self,
        action: &ActionDescription,
        event: &EventDescription,
        schema: &Value,
        id: &str,
    ) -> Value {
        let media_type = &self.settings.error_media_type;
        let mut responses = Responses::default();
        responses.add(
            202,
            responses::with_body(
                "The event is durable; the operation takes it when it gets there.",
                &reference(REFERENCE),
                &self.headers(action, &[], &["Idempotent-Replayed"]),
            ),
        );
        responses.problems(&READ_PROBLEMS);
        responses.problems(&[
            P::MalformedJson,
            P::InvalidIdempotencyKey,
            P::RequestTimeout,
            P::AlreadyTerminal,
            P::BodyTooLarge,
            P::UnsupportedMediaType,
            P::InvalidInput,
            P::IdempotencyKeyReused,
            P::TooManyEvents,
        ]);
        let once = if event.many {
            "A link may deliver more than one."
        } else {
            responses.problems(&[P::EventAlreadySent]);
            "A link delivers one; the same body again changes nothing."
        };
        let mut operation = json!({
            "operationId": id,
            "tags": [action.name],
            "summary": format!("Send the event {}", event.name),
            "description": format!("Tells the operation `{}`. An operator may do this, and whoever has an event \
                                    link. {once}", event.name),
            "security": self.security(&[EVENT_LINK, BEARER, KEY_HEADER]),
            "parameters": [idempotency_key()],
            "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}},
        });
        operation["responses"] = responses.finish(media_type).into();
        operation
    }
}
