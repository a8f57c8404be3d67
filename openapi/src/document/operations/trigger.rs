//! The path that a trigger polls: what has ended of an action.

use serde_json::{Value, json};

use super::super::ActionDescription;
use super::super::parameters::{BEARER, KEY_HEADER, TRIGGER_LINK};
use super::super::responses::{self, Responses};
use super::super::schemas::ActionSchemas;
use super::{Operations, example_view};
use crate::ProblemCode as P;
use crate::paths;

/// What the server may refuse here.
const PROBLEMS: [P; 10] = [
    P::InvalidParameter,
    P::Unauthenticated,
    P::NotFound,
    P::LinkExpired,
    P::UriTooLong,
    P::RateLimited,
    P::HeadersTooLarge,
    P::InternalError,
    P::Draining,
    P::StoreUnavailable,
];

const ABOUT: &str = "Polled by a workflow that starts when an operation has ended. Every answer has in `Location` the URL to ask next, \
     which knows what was told already: each operation is told once, in the order in which they ended. The first call, \
     without `triggerState`, tells nothing and begins with what ends from then on. Whoever may not see everybody's \
     operations follows its own. What ended longer ago than it is kept is passed by.";

impl Operations<'_> {
    pub(super) fn follow(&mut self, action: &ActionDescription, schemas: &ActionSchemas, id: &str) -> Value {
        let mut told = responses::with_body(
            "An operation has ended. `Retry-After` is 0 if more wait.",
            &schemas.view,
            &self.next(action, 0),
        );
        told["content"]["application/json"]["example"] = example_view(action, "Succeeded");
        let mut responses = Responses::default();
        responses.add(200, told);
        responses.add(202, responses::empty("Nothing new has ended.", &self.next(action, 15)));
        responses.problems(&PROBLEMS);
        let mut operation = json!({
            "operationId": id,
            "tags": [action.name],
            "summary": format!("What has ended of {}", action.name),
            "description": ABOUT,
            "security": self.security(&[TRIGGER_LINK, BEARER, KEY_HEADER]),
            "parameters": [
                {
                    "name": "outcome", "in": "query", "required": false, "style": "form", "explode": false,
                    "description": "Only operations that ended like this; without it, all.",
                    "schema": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": OUTCOMES}},
                    "example": ["Succeeded"],
                },
                {
                    "name": "scope", "in": "query", "required": false,
                    "description": "`own`: what the caller has started. `all`: what anybody has, for the roles `observe` and \
                                    `operate`.",
                    "schema": {"type": "string", "enum": ["own", "all"], "default": "own"},
                },
                {
                    "name": "mode", "in": "query", "required": false,
                    // Generated clients do not compile over an answer that is one view or a list of them.
                    "description": "`single`: one operation in an answer. Workflows may ask for `batch`, lists of up to 100, \
                                    which this document has no type for.",
                    "schema": {"type": "string", "enum": ["single"], "default": "single"},
                },
                {
                    "name": "triggerState", "in": "query", "required": false,
                    "description": "What was told already, from the `Location` of the answer before.",
                    "schema": {"type": "string", "pattern": STATE},
                },
                self.prefer("until something has ended"),
            ],
        });
        operation["responses"] = responses.finish(&self.settings.error_media_type).into();
        operation
    }

    /// The headers that every answer of a trigger has.
    fn next(&self, action: &ActionDescription, seconds: u32) -> Value {
        let mut headers = self.headers(action, &["Location", "Retry-After"], &["Preference-Applied"]);
        let next = format!(
            "{}{}?triggerState=AQDR7W0MAAAB&token={TOKEN}",
            self.base(),
            paths::finished(&action.name)
        );
        headers["Location"]["description"] =
            json!("The URL to ask next. Absolute, and a secret: whoever has it may follow these operations.");
        headers["Location"]["example"] = json!(next);
        headers["Retry-After"]["example"] = json!(seconds);
        headers
    }
}

/// Nine bytes in base64url, the first of them 1.
const STATE: &str = "^A[Q-Za-f][A-Za-z0-9_-]{10}$";

const OUTCOMES: [&str; 3] = ["Succeeded", "Failed", "Canceled"];
const TOKEN: &str = "FAAAAWsnvQCgxGIxZGAjTmJ7IFPOCjHUd29ya2Zsb3c";
