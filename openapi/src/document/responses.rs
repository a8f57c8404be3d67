//! The answers of an operation: explicit statuses only, because a `default` response breaks some generators.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::ActionDescription;
use super::schemas::{PROBLEM, reference};
use crate::paths;
use crate::{ProblemCode, ProblemCode as P};

/// The operation of the examples.
pub(super) const EXAMPLE_ID: &str = "0198f3a0-5c1e-7d2a-9b4f-3a6e1c8d7f20";

/// The answers of one operation.
#[derive(Default)]
pub(super) struct Responses {
    known: BTreeMap<u16, Value>,
    problems: BTreeMap<u16, Vec<String>>,
    outcomes: BTreeSet<u16>,
    outcome_headers: Map<String, Value>,
}

impl Responses {
    /// Adds an answer that is not a problem.
    pub(super) fn add(&mut self, status: u16, response: Value) {
        self.known.insert(status, response);
    }

    /// Adds problems of the server.
    pub(super) fn problems(&mut self, codes: &[ProblemCode]) {
        for code in codes {
            self.code(code.status(), code.as_str());
        }
    }

    /// Adds the problems that an ended operation answers with; `headers` come with them.
    pub(super) fn outcomes(&mut self, failures: &BTreeMap<String, u16>, headers: Value) {
        if let Value::Object(headers) = headers {
            self.outcome_headers = headers;
        }
        for code in OUTCOMES {
            self.code(code.status(), code.as_str());
            self.outcomes.insert(code.status());
        }
        for (code, status) in failures {
            self.code(*status, code);
            self.outcomes.insert(*status);
        }
    }

    fn code(&mut self, status: u16, code: &str) {
        let codes = self.problems.entry(status).or_default();
        if !codes.iter().any(|known| known == code) {
            codes.push(code.to_owned());
        }
    }

    /// The answers by status. Problems without an operation are the same everywhere, and are referred to.
    pub(super) fn finish(self, media_type: &str) -> Map<String, Value> {
        let Self { mut known, problems, outcomes, outcome_headers } = self;
        for (status, codes) in problems {
            let response = if outcomes.contains(&status) {
                let content = json!({"schema": reference(PROBLEM)});
                let mut outcome = problem(media_type, status, &codes, &content);
                if let Value::Object(headers) = &mut outcome["headers"] {
                    headers.extend(outcome_headers.clone());
                }
                outcome
            } else {
                json!({"$ref": format!("#/components/responses/{}", name(status))})
            };
            known.insert(status, response);
        }
        known.into_iter().map(|(status, response)| (status.to_string(), response)).collect()
    }
}

/// The codes that come with an operation.
const OUTCOMES: [P; 4] = [P::OperationCanceled, P::Terminated, P::OperationFailed, P::DeadlineExceeded];

/// The answers that operations refer to, by name.
pub(super) fn shared(media_type: &str) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<P>> = BTreeMap::new();
    for code in P::ALL.into_iter().filter(|code| !OUTCOMES.contains(code)) {
        by_status.entry(code.status()).or_default().push(code);
    }
    let response = |(status, codes): (u16, Vec<P>)| {
        let content = json!({"schema": reference(PROBLEM), "example": example(codes[0])});
        let codes: Vec<_> = codes.iter().map(|code| code.as_str().to_owned()).collect();
        (name(status).to_owned(), problem(media_type, status, &codes, &content))
    };
    by_status.into_iter().map(response).collect()
}

fn problem(media_type: &str, status: u16, codes: &[String], content: &Value) -> Value {
    let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
    let mut headers = Map::from_iter([request_id()]);
    if matches!(status, 429 | 503) {
        headers.extend([retry_after(true, 5)]);
    }
    if status == 401 {
        let challenge = json!({
            "description": "The scheme to use.", "required": true, "schema": {"type": "string"},
            "example": "Bearer realm=\"raincheck\"",
        });
        headers.extend([("WWW-Authenticate".to_owned(), challenge)]);
    }
    json!({
        "description": format!("{}: {}.", phrase(status), codes.join(", ")),
        "headers": headers,
        "content": {media_type: content},
    })
}

fn example(code: P) -> Value {
    json!({
        "type": format!("https://raincheck.example.org/problems/{}", code.as_str()),
        "title": code.title(),
        "status": code.status(),
        "detail": code.explanation(),
        "instance": paths::operation("example", EXAMPLE_ID),
        "code": code.as_str(),
        "requestId": "379a21897e6f78ce",
        "error": {"code": code.as_str(), "message": code.explanation()},
    })
}

/// An answer with a body.
pub(super) fn with_body(description: &str, schema: &Value, headers: &Value) -> Value {
    json!({
        "description": description,
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    })
}

/// An answer without a body.
pub(super) fn empty(description: &str, headers: &Value) -> Value {
    json!({"description": description, "headers": headers})
}

/// Headers of an answer; `X-Request-Id` is on all of them.
pub(super) fn headers(base: &str, action: &ActionDescription, required: &[&str], optional: &[&str]) -> Value {
    let all = required.iter().map(|name| (*name, true)).chain(optional.iter().map(|name| (*name, false)));
    let all = all.map(|(name, required)| header(base, action, name, required));
    Value::Object(std::iter::once(request_id()).chain(all).collect())
}

fn header(base: &str, action: &ActionDescription, name: &str, required: bool) -> (String, Value) {
    let url = |path: String| format!("{base}{path}?token=EQAAAWsg74u7ygTWfBWYIshRICreSEyD");
    let (description, schema, example) = match name {
        "Location" => (
            "The status URL of the operation. Absolute, and a secret: whoever has it may read this status.",
            json!({"type": "string", "format": "uri"}),
            json!(url(paths::operation(&action.name, EXAMPLE_ID))),
        ),
        "Operation-Location" => (
            "The status monitor of the operation: the same status, always with 200.",
            json!({"type": "string", "format": "uri"}),
            json!(url(paths::monitor(&action.name, EXAMPLE_ID))),
        ),
        "ETag" => (
            "Names this status, for `If-None-Match`.",
            json!({"type": "string"}),
            json!("W/\"_YU2PcId2fM0AS8EJzEvNQ\""),
        ),
        "Preference-Applied" => (
            "How long the answer was held, if `Prefer: wait` was honoured.",
            json!({"type": "string"}),
            json!("wait=20"),
        ),
        "Idempotent-Replayed" => (
            "Present if this request was recognised as a repetition and changed nothing.",
            json!({"type": "string", "const": "true"}),
            json!("true"),
        ),
        _ => return retry_after(required, action.pace_seconds),
    };
    let header =
        json!({"description": description, "required": required, "schema": schema, "example": example});
    (name.to_owned(), header)
}

fn retry_after(required: bool, seconds: u32) -> (String, Value) {
    let header = json!({
        "description": "Whole seconds to wait before the next request.",
        "required": required,
        "schema": {"type": "integer", "minimum": 0},
        "example": seconds,
    });
    ("Retry-After".to_owned(), header)
}

pub(super) fn request_id() -> (String, Value) {
    let header = json!({
        "description": "The id under which the server's log knows this request.",
        "required": true,
        "schema": {"type": "string"},
    });
    ("X-Request-Id".to_owned(), header)
}

/// The name of a shared answer.
const fn name(status: u16) -> &'static str {
    match status {
        400 => "MalformedRequest",
        401 => "Unauthenticated",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        408 => "RequestTimeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "BodyTooLarge",
        414 => "UriTooLong",
        415 => "UnsupportedMediaType",
        422 => "InvalidInput",
        429 => "TooMany",
        431 => "HeadersTooLarge",
        503 => "Unavailable",
        _ => "InternalError",
    }
}

const fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Not understood",
        401 => "No valid credential",
        402 => "Payment required",
        403 => "Not allowed",
        404 => "Not found, or not for this caller",
        408 => "Came too slowly",
        409 => "Canceled, or in conflict with what is so already",
        410 => "No longer kept",
        412 => "A precondition failed",
        413 => "Too large",
        414 => "URL too long",
        415 => "Not JSON in UTF-8",
        422 => "Does not fit, or failed",
        424 => "A dependency failed",
        429 => "Too many",
        431 => "Headers too large",
        451 => "Unavailable for legal reasons",
        503 => "Not available now",
        _ => "Something went wrong here",
    }
}
