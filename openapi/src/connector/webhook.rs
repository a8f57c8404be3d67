//! The trigger that subscribes: a flow gives its callback URL, is told of what ends, and ends the subscription with it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::definition::{id_parameter, token_parameter};
use crate::document::ActionDescription;
use crate::paths;

/// How many operations it takes: the trigger, and the end of its subscription.
pub(super) const OPERATIONS: usize = 2;

/// What a flow is told, by its name in the document.
const TOLD: &str = "OperationStatus";

const PROBLEMS: [(&str, &str); 4] = [
    ("401", "The key is not valid."),
    ("403", "The key may not be told of that."),
    ("422", "The input does not fit."),
    ("429", "There are as many subscriptions as there may be."),
];

/// The paths of the trigger.
pub(super) fn paths(actions: &[ActionDescription], used: &mut BTreeSet<String>) -> Map<String, Value> {
    used.extend([TOLD, "Problem"].map(str::to_owned));
    let told = json!({"$ref": format!("#/definitions/{TOLD}")});
    Map::from_iter([
        (
            paths::SUBSCRIPTIONS.to_owned(),
            json!({
                "x-ms-notification-content": {"description": "The operation that has ended.", "schema": told},
                "post": subscribe(actions),
            }),
        ),
        (paths::SUBSCRIPTION.to_owned(), json!({"delete": unsubscribe()})),
    ])
}

fn subscribe(actions: &[ActionDescription]) -> Value {
    let names: Vec<_> = actions.iter().map(|action| &action.name).collect();
    let outcomes = ["Succeeded", "Failed", "Canceled"];
    let body = json!({
        "type": "object",
        "required": ["action", "url", "format"],
        "properties": {
            "action": {
                "type": "string", "enum": names, "x-ms-summary": "Action", "x-ms-visibility": "important",
                "description": "Whose operations to wait for.",
            },
            "outcomes": {
                "type": "array", "items": {"type": "string", "enum": outcomes}, "x-ms-summary": "Outcomes",
                "x-ms-visibility": "advanced",
                "description": "Which ends count. All of them, if none is named.",
            },
            "scope": {
                "type": "string", "enum": ["own", "all"], "default": "own", "x-ms-summary": "Scope",
                "x-ms-visibility": "advanced",
                "description": "Operations that this connection has started, or everybody's.",
            },
            "url": {
                "type": "string", "x-ms-summary": "Callback", "x-ms-visibility": "internal",
                "x-ms-notification-url": true, "description": "Where the flow is told.",
            },
            "format": {
                "type": "string", "enum": ["view"], "default": "view", "x-ms-summary": "Format",
                "x-ms-visibility": "internal", "description": "What the flow is told.",
            },
        },
    });
    let mut responses = Map::from_iter([(
        "201".to_owned(),
        json!({
            "description": "The flow is told of what ends.",
            "schema": {"type": "object"},
            "headers": {
                "Location": {
                    "type": "string", "x-ms-summary": "Location", "description": "What ends the subscription.",
                },
            },
        }),
    )]);
    responses.extend(PROBLEMS.map(|(status, description)| {
        let answer = json!({"description": description, "schema": {"$ref": "#/definitions/Problem"}});
        (status.to_owned(), answer)
    }));
    json!({
        "operationId": "WhenAnOperationEnds",
        "summary": "When an operation ends",
        "description": "This operation triggers when an operation of an action has ended, however it did.",
        "x-ms-trigger": "single",
        "x-ms-trigger-hint": "To see it work now, start the action and wait until it has ended.",
        "x-ms-visibility": "important",
        "parameters": [{
            "name": "body", "in": "body", "required": true, "x-ms-summary": "Subscription",
            "description": "What to wait for.", "schema": body,
        }],
        "responses": responses,
    })
}

fn unsubscribe() -> Value {
    json!({
        "operationId": "EndSubscription",
        "summary": "End a subscription",
        "description": "Tells the flow nothing more. The platform asks for it when the flow is turned off.",
        "x-ms-visibility": "internal",
        "parameters": [
            id_parameter("Subscription", "The id of the subscription."),
            token_parameter("The right to end this subscription."),
        ],
        "responses": {"204": {"description": "It is ended."}, "410": {
            "description": "It has been ended before.", "schema": {"$ref": "#/definitions/Problem"},
        }},
    })
}
