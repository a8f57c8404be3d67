//! What operations share: parameters, security schemes, and links from one to another.

use serde_json::{Value, json};

use super::responses::EXAMPLE_ID;

/// Security schemes; those of links are all the same parameter, but each token has one right.
pub(super) const BEARER: &str = "apiKey";
pub(super) const KEY_HEADER: &str = "apiKeyHeader";
pub(super) const STATUS_LINK: &str = "statusLink";
pub(super) const CANCEL_LINK: &str = "cancelLink";
pub(super) const EVENT_LINK: &str = "eventLink";
pub(super) const UNSUBSCRIBE_LINK: &str = "unsubscribeLink";
pub(super) const TRIGGER_LINK: &str = "triggerLink";

pub(super) fn scheme(name: &str) -> Value {
    let link = |right: &str| {
        json!({
            "type": "apiKey", "in": "query", "name": "token",
            "description": format!("{right} The token is part of the URL as the server gave it: use that as it is."),
        })
    };
    match name {
        STATUS_LINK => link("A status URL: reads the status of one operation, and nothing else."),
        CANCEL_LINK => link("A cancel link: cancels one operation, and nothing else."),
        EVENT_LINK => link("An event link: sends one kind of event to one operation, and nothing else."),
        UNSUBSCRIBE_LINK => link("The link of a subscription: ends it, and nothing else."),
        TRIGGER_LINK => {
            link("The `Location` of a trigger: follows what ends of one action, and nothing else.")
        }
        KEY_HEADER => json!({
            "type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "An API key, for callers that cannot set `Authorization`.",
        }),
        _ => json!({"type": "http", "scheme": "bearer", "description": "An API key (`rck_…`)."}),
    }
}

pub(super) fn operation_id() -> Value {
    json!({
        "name": "id", "in": "path", "required": true,
        "description": "The operation's id.",
        "schema": {"type": "string", "format": "uuid"},
        "example": EXAMPLE_ID,
    })
}

pub(super) fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A name for this request, so that a repetition is recognised and changes nothing. Use one per \
                        piece of work.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
        "example": "order-4711",
    })
}

pub(super) fn if_none_match() -> Value {
    json!({
        "name": "If-None-Match", "in": "header", "required": false,
        "description": "The `ETag` of the status that the caller has.",
        "schema": {"type": "string"},
    })
}

pub(super) fn last_event_id() -> Value {
    json!({
        "name": "Last-Event-ID", "in": "header", "required": false,
        "description": "The `id` of the last event that the caller has: what it names does not come again.",
        "schema": {"type": "string"},
    })
}

pub(super) fn follow(operation: &str, description: &str) -> Value {
    json!({"operationId": operation, "parameters": {"id": "$response.body#/id"}, "description": description})
}
