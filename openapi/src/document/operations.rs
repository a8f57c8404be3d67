//! The paths of an action: start, status, monitor, cancel, one for triggers; those below `/events` are in `events`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::names::{Names, pascal};
use super::parameters::{
    BEARER, CANCEL_LINK, KEY_HEADER, STATUS_LINK, follow, idempotency_key, if_none_match, operation_id,
    scheme,
};
use super::responses::{self, Responses};
use super::schemas::{ActionSchemas, REFERENCE, reference};
use super::subscriptions::{callback, callback_parameter};
use super::{ActionDescription, DocumentSettings};
use crate::ProblemCode as P;
use crate::paths;

mod trigger;

/// Collects the paths of a document.
pub(super) struct Operations<'a> {
    pub(super) settings: &'a DocumentSettings,
    names: Names,
    paths: Map<String, Value>,
    schemes: BTreeSet<&'static str>,
}

/// The ids of the operations that belong together.
struct Ids {
    start: String,
    status: String,
    monitor: String,
    updates: String,
    cancel: String,
    follow: String,
    /// In the order of the action's events.
    events: Vec<String>,
}

impl<'a> Operations<'a> {
    pub(super) fn new(settings: &'a DocumentSettings, names: Names) -> Self {
        Self { settings, names, paths: Map::new(), schemes: BTreeSet::new() }
    }

    /// Adds the paths of `action`.
    pub(super) fn describe(&mut self, action: &ActionDescription, schemas: &ActionSchemas) {
        let name = self.names.pascal(&action.name);
        let mut id = |verb: &str| self.names.operation_id(format!("{verb}{name}"));
        let (start, status, monitor, cancel) = (id("start"), id("get"), id("monitor"), id("cancel"));
        let (updates, follow) = (id("watch"), id("follow"));
        let mut send = |event: &str| self.names.operation_id(format!("send{}To{name}", pascal(event)));
        let events = action.events.iter().map(|event| send(&event.name)).collect();
        let ids = Ids { start, status, monitor, updates, cancel, follow, events };

        let start = self.start(action, schemas, &ids);
        let status = self.status(action, schemas, &ids);
        let monitor = self.monitor(action, schemas, &ids);
        let updates = self.updates(action, &ids.updates);
        let cancel = self.cancel(action, &ids);
        let follow = self.follow(action, schemas, &ids.follow);
        let parameters = json!([operation_id()]);
        self.paths.insert(paths::start(&action.name), object([("post", start)]));
        self.paths.insert(
            paths::operation(&action.name, "{id}"),
            object([("parameters", parameters.clone()), ("get", status), ("delete", cancel)]),
        );
        self.paths.insert(
            paths::monitor(&action.name, "{id}"),
            object([("parameters", parameters.clone()), ("get", monitor)]),
        );
        self.paths.insert(
            paths::updates(&action.name, "{id}"),
            object([("parameters", parameters.clone()), ("get", updates)]),
        );
        self.paths.insert(paths::finished(&action.name), object([("get", follow)]));
        for ((event, schema), id) in action.events.iter().zip(&schemas.events).zip(&ids.events) {
            let send = self.send(action, event, schema, id);
            let mut item = object([("parameters", parameters.clone()), ("post", send)]);
            if event.has_page {
                let id = self.names.operation_id(format!("show{}Of{name}", pascal(&event.name)));
                item["get"] = self.page(action, event, &id);
            }
            self.paths.insert(paths::event(&action.name, "{id}", &event.name), item);
        }
    }

    /// Adds a path.
    pub(super) fn add(&mut self, path: &str, item: Value) {
        self.paths.insert(path.to_owned(), item);
    }

    pub(super) fn operation_id(&mut self, wanted: &str) -> String {
        self.names.operation_id(wanted.to_owned())
    }

    pub(super) fn media_type(&self) -> &str {
        &self.settings.error_media_type
    }

    /// The base of the URLs in examples.
    pub(super) fn base(&self) -> &str {
        let base = self.settings.server_url.as_deref().unwrap_or("https://raincheck.example.org");
        base.trim_end_matches('/')
    }

    /// The paths, and the security schemes that they use.
    pub(super) fn finish(self) -> (Map<String, Value>, Map<String, Value>) {
        let schemes = self.schemes.into_iter().map(|name| (name.to_owned(), scheme(name))).collect();
        (self.paths, schemes)
    }

    fn start(&mut self, action: &ActionDescription, schemas: &ActionSchemas, ids: &Ids) -> Value {
        let media_type = &self.settings.error_media_type;
        let summary =
            if action.summary.is_empty() { format!("Start {}", action.name) } else { action.summary.clone() };
        let mut parameters =
            vec![self.prefer("until the operation has ended"), idempotency_key(), callback_parameter()];
        if !action.caller_links.is_empty() {
            parameters.push(json!({
                "name": "links", "in": "query", "required": false, "style": "form", "explode": false,
                "description": "Rights to make links for. They come back as `links`.",
                "schema": {"type": "array", "items": {"type": "string", "enum": action.caller_links}},
            }));
        }
        let mut content = json!({"schema": schemas.input});
        if let Some(example) = &action.example {
            content["example"] = example.clone();
        }
        let mut accepted = responses::with_body(
            "Accepted: durable, and readable at `Location`. Ask there again after `Retry-After` seconds.",
            &schemas.accepted,
            &self.headers(
                action,
                &["Location", "Operation-Location", "Retry-After"],
                &["Preference-Applied", "Idempotent-Replayed"],
            ),
        );
        accepted["content"]["application/json"]["example"] = example_view(action, "NotStarted");
        accepted["links"] = json!({
            "status": follow(&ids.status, "The status, and in the end the outcome."),
            "monitor": follow(&ids.monitor, "The status, always with 200."),
            "updates": follow(&ids.updates, "The status on each change."),
            "cancel": follow(&ids.cancel, "Ask the operation to stop."),
        });
        for (event, id) in action.events.iter().zip(&ids.events) {
            let link = follow(id, &format!("Send the event {}.", event.name));
            accepted["links"][format!("event-{}", event.name)] = link;
        }
        let mut ended = responses::with_body(
            "Ended within the time that `Prefer: wait` asked for: what `Location` answers.",
            &schemas.accepted,
            &self.headers(
                action,
                &["Location", "Operation-Location"],
                &["ETag", "Preference-Applied", "Idempotent-Replayed"],
            ),
        );
        ended["content"]["application/json"]["example"] = example_view(action, "Succeeded");
        let mut responses = Responses::default();
        responses.add(200, ended);
        responses.add(202, accepted);
        responses.problems(&[
            P::MalformedJson,
            P::InvalidIdempotencyKey,
            P::InvalidCallbackUrl,
            P::Unauthenticated,
            P::Forbidden,
            P::RequestTimeout,
            P::OperationGone,
            P::BodyTooLarge,
            P::UriTooLong,
            P::UnsupportedMediaType,
            P::InvalidInput,
            P::IdempotencyKeyReused,
            P::TooManyActive,
            P::RateLimited,
            P::HeadersTooLarge,
            P::InternalError,
            P::Draining,
            P::StoreUnavailable,
        ]);
        let with_outcome = ["Location", "Operation-Location", "Preference-Applied", "Idempotent-Replayed"];
        responses.outcomes(&action.failures, self.headers(action, &[], &with_outcome));
        let mut operation = json!({
            "operationId": ids.start,
            "tags": [action.name],
            "summary": summary,
            "description": start_description(action),
            "security": self.security(&[BEARER, KEY_HEADER]),
            "parameters": parameters,
            "requestBody": {"required": true, "content": {"application/json": content}},
            "x-ms-long-running-operation": true,
        });
        operation["responses"] = responses.finish(media_type).into();
        operation["callbacks"] = callback(&schemas.view);
        operation
    }

    fn status(&mut self, action: &ActionDescription, schemas: &ActionSchemas, ids: &Ids) -> Value {
        let media_type = &self.settings.error_media_type;
        let mut responses = Responses::default();
        let mut succeeded = responses::with_body(
            "Succeeded; `output` has the result.",
            &schemas.view,
            &self.headers(action, &["ETag"], &["Preference-Applied"]),
        );
        succeeded["content"]["application/json"]["example"] = example_view(action, "Succeeded");
        let mut running = responses::with_body(
            "Not ended yet. Ask again after `Retry-After` seconds.",
            &schemas.view,
            &self.headers(action, &["Location", "Retry-After"], &["Preference-Applied"]),
        );
        running["content"]["application/json"]["example"] = example_view(action, "Running");
        responses.add(200, succeeded);
        responses.add(202, running);
        responses.add(
            304,
            responses::empty(
                "Succeeded, and the `If-None-Match` has it.",
                &self.headers(action, &["ETag"], &["Preference-Applied"]),
            ),
        );
        responses.problems(&READ_PROBLEMS);
        let with_outcome = self.headers(action, &[], &["Preference-Applied"]);
        responses.outcomes(&action.failures, with_outcome);
        let mut operation = json!({
            "operationId": ids.status,
            "tags": [action.name],
            "summary": format!("Status and outcome of {}", action.name),
            "description": "What `Location` points to: 202 until the operation has ended, then 200 with its output, or \
                            a problem with the status in `operation`. Polls may go on for ever: the answer to an ended \
                            operation stays the same until its retention is over (410).",
            "security": self.security(&[STATUS_LINK, BEARER, KEY_HEADER]),
            "parameters": [self.prefer("until the status shows something new, or the operation has ended"), if_none_match()],
        });
        operation["responses"] = responses.finish(media_type).into();
        operation
    }

    fn monitor(&mut self, action: &ActionDescription, schemas: &ActionSchemas, ids: &Ids) -> Value {
        let media_type = &self.settings.error_media_type;
        let mut responses = Responses::default();
        let mut status = responses::with_body(
            "The status, whatever it is.",
            &schemas.view,
            &self.headers(action, &["ETag"], &["Retry-After", "Preference-Applied"]),
        );
        status["content"]["application/json"]["example"] = example_view(action, "Running");
        responses.add(200, status);
        responses.add(
            304,
            responses::empty(
                "The status is still the one that `If-None-Match` has.",
                &self.headers(action, &["ETag"], &["Retry-After", "Preference-Applied"]),
            ),
        );
        responses.problems(&READ_PROBLEMS);
        let mut operation = json!({
            "operationId": ids.monitor,
            "tags": [action.name],
            "summary": format!("Status monitor of {}", action.name),
            "description": "What `Operation-Location` points to: 200 with the status, also when the operation has \
                            failed or was canceled.",
            "security": self.security(&[STATUS_LINK, BEARER, KEY_HEADER]),
            "parameters": [
                self.prefer("until the status differs from the one in `If-None-Match`, or else shows something new"),
                if_none_match(),
            ],
        });
        operation["responses"] = responses.finish(media_type).into();
        operation
    }

    fn cancel(&mut self, action: &ActionDescription, ids: &Ids) -> Value {
        let media_type = &self.settings.error_media_type;
        let body = reference(REFERENCE);
        let mut responses = Responses::default();
        responses.add(
            200,
            responses::with_body("It was canceled before.", &body, &self.headers(action, &[], &[])),
        );
        responses.add(
            202,
            responses::with_body(
                "Asked to stop; it may still end in another way.",
                &body,
                &self.headers(action, &[], &[]),
            ),
        );
        responses.problems(&READ_PROBLEMS);
        responses.problems(&[P::AlreadyTerminal]);
        let who = if action.callers_may_cancel {
            "Whoever started the operation may do this, an operator, and whoever has a cancel link."
        } else {
            "An operator may do this, and whoever has a cancel link."
        };
        let mut operation = json!({
            "operationId": ids.cancel,
            "tags": [action.name],
            "summary": format!("Cancel {}", action.name),
            "description": format!("Asks the operation to stop. {who}"),
            "security": self.security(&[CANCEL_LINK, BEARER, KEY_HEADER]),
        });
        operation["responses"] = responses.finish(media_type).into();
        operation
    }

    pub(super) fn headers(&self, action: &ActionDescription, required: &[&str], optional: &[&str]) -> Value {
        responses::headers(self.base(), action, required, optional)
    }

    fn prefer(&self, until: &str) -> Value {
        let longest = self.settings.longest_wait;
        json!({
            "name": "Prefer", "in": "header", "required": false,
            "description": format!("`wait=N`: hold the answer for up to N seconds, {until}; at most {longest} (RFC 7240)."),
            "schema": {"type": "string"},
            "example": format!("wait={}", longest.min(20)),
        })
    }

    pub(super) fn security(&mut self, schemes: &[&'static str]) -> Value {
        self.schemes.extend(schemes);
        schemes.iter().map(|name| json!({*name: []})).collect()
    }
}

pub(super) const READ_PROBLEMS: [P; 10] = [
    P::Unauthenticated,
    P::NotFound,
    P::OperationGone,
    P::LinkExpired,
    P::UriTooLong,
    P::RateLimited,
    P::HeadersTooLarge,
    P::InternalError,
    P::Draining,
    P::StoreUnavailable,
];

/// `json!` copies what it is given; these are large.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

fn start_description(action: &ActionDescription) -> String {
    let about =
        "Answers 202 as soon as the operation is durable; `Location` then has its status and outcome.";
    let description = action.description.trim();
    if description.is_empty() { about.to_owned() } else { format!("{description}\n\n{about}") }
}

pub(super) fn example_view(action: &ActionDescription, status: &str) -> Value {
    let mut view = json!({
        "id": responses::EXAMPLE_ID,
        "action": action.name,
        "status": status,
        "createdAt": "2026-11-24T08:00:00.000Z",
        "updatedAt": if status == "NotStarted" { "2026-11-24T08:00:00.000Z" } else { "2026-11-24T08:00:06.000Z" },
        "deadline": "2026-12-01T08:00:00.000Z",
    });
    if status == "Succeeded" {
        view["finishedAt"] = view["updatedAt"].clone();
        if let Some(output) = &action.output_example {
            view["output"] = output.clone();
        }
    }
    view
}
