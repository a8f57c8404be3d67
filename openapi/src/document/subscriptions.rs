//! The paths of subscriptions, and what receivers are sent: by subscriptions, and by a start that names a callback.

use serde_json::{Map, Value, json};

use super::operations::Operations;
use super::parameters::{BEARER, KEY_HEADER, UNSUBSCRIBE_LINK};
use super::responses::{self, Responses};
use super::schemas::{END_EVENT, NEW_SECRET, NEW_SUBSCRIPTION, STATUS_VIEW, SUBSCRIPTION, reference};
use crate::ProblemCode as P;
use crate::paths;

const EXAMPLE: &str = "0198f3a0-7b1c-7d11-8c2e-5f0d9b6a4e21";

/// What any of these paths may answer.
const PROBLEMS: [P; 7] = [
    P::Unauthenticated,
    P::UriTooLong,
    P::RateLimited,
    P::HeadersTooLarge,
    P::InternalError,
    P::Draining,
    P::StoreUnavailable,
];

/// What those that take a body may answer as well.
const BODY_PROBLEMS: [P; 5] =
    [P::MalformedJson, P::RequestTimeout, P::BodyTooLarge, P::UnsupportedMediaType, P::InvalidInput];

impl Operations<'_> {
    /// Adds the paths of subscriptions.
    pub(super) fn describe_subscriptions(&mut self) {
        let id = json!({
            "name": "id", "in": "path", "required": true,
            "description": "The subscription's id.",
            "schema": {"type": "string", "format": "uuid"},
            "example": EXAMPLE,
        });
        let subscribe = self.subscribe();
        let (show, unsubscribe, change) = (self.show(), self.unsubscribe(), self.change_secret());
        self.add(paths::SUBSCRIPTIONS, json!({"post": subscribe}));
        self.add(
            paths::SUBSCRIPTION,
            json!({"parameters": [id.clone()], "get": show, "delete": unsubscribe}),
        );
        self.add(paths::SUBSCRIPTION_SECRET, json!({"parameters": [id], "post": change}));
    }

    fn subscribe(&mut self) -> Value {
        let mut made = responses::with_body(
            "Subscribed. `Location` ends the subscription, without a key: a secret.",
            &reference(SUBSCRIPTION),
            &headers(Some(self.base())),
        );
        made["content"]["application/json"]["example"] = example(true);
        let problems = [P::Forbidden, P::TooManySubscriptions];
        let id = self.operation_id("subscribe");
        json!({
            "operationId": id,
            "tags": ["subscriptions"],
            "summary": "Subscribe to what ends",
            "description": "Every operation of the action that ends from now on is sent to `url`, at least once, signed by the \
                            Standard Webhooks scheme. The same action and URL again, from the same caller, replace the \
                            earlier subscription without a gap.",
            "security": self.security(&[BEARER, KEY_HEADER]),
            "requestBody": {"required": true, "content": {"application/json": {
                "schema": reference(NEW_SUBSCRIPTION),
                "example": {"action": "countdown", "url": "https://hooks.example.com/ends"},
            }}},
            "responses": self.answers(201, made, &[&BODY_PROBLEMS, &problems]),
            "callbacks": {"ended": {"{$request.body#/url}": {"post": {
                "summary": "An operation has ended",
                "description": "Answer 2xx once it is safe with you. 408, 429 and 5xx are tried again for about a day, other \
                                answers are not; 410 ends the subscription. `webhook-id` is the same in every attempt.",
                "parameters": signed(&["webhook-id", "webhook-timestamp", "webhook-signature"]),
                "requestBody": {"required": true, "content": {
                    "application/cloudevents+json": {"schema": reference(END_EVENT)},
                    "application/json": {"schema": reference(STATUS_VIEW)},
                }},
                "security": [],
                "responses": taken(),
            }}}},
        })
    }

    fn show(&mut self) -> Value {
        let mut shown = responses::with_body("The subscription.", &reference(SUBSCRIPTION), &headers(None));
        shown["content"]["application/json"]["example"] = example(false);
        let id = self.operation_id("getSubscription");
        json!({
            "operationId": id,
            "tags": ["subscriptions"],
            "summary": "Show a subscription",
            "description": "Its owner sees it, and who may observe.",
            "security": self.security(&[BEARER, KEY_HEADER]),
            "responses": self.answers(200, shown, &[&[P::NotFound]]),
        })
    }

    fn unsubscribe(&mut self) -> Value {
        let ended = responses::empty("Ended; what was owed to it is forgotten.", &headers(None));
        let id = self.operation_id("unsubscribe");
        json!({
            "operationId": id,
            "tags": ["subscriptions"],
            "summary": "End a subscription",
            "description": "By its `Location`, its owner, or an operator. A `Location` whose subscription has been ended or \
                            replaced answers 410.",
            "security": self.security(&[UNSUBSCRIBE_LINK, BEARER, KEY_HEADER]),
            "responses": self.answers(204, ended, &[&[P::NotFound, P::LinkExpired]]),
        })
    }

    fn change_secret(&mut self) -> Value {
        let mut changed = responses::with_body(
            "The subscription, with its new secret.",
            &reference(SUBSCRIPTION),
            &headers(None),
        );
        changed["content"]["application/json"]["example"] = example(true);
        let id = self.operation_id("changeSubscriptionSecret");
        json!({
            "operationId": id,
            "tags": ["subscriptions"],
            "summary": "Change the secret of a subscription",
            "description": "For a day, deliveries are signed with the former secret as well.",
            "security": self.security(&[BEARER, KEY_HEADER]),
            "requestBody": {"required": false, "content": {"application/json": {"schema": reference(NEW_SECRET)}}},
            "responses": self.answers(200, changed, &[&BODY_PROBLEMS, &[P::NotFound]]),
        })
    }

    fn answers(&self, status: u16, answer: Value, problems: &[&[P]]) -> Value {
        let mut responses = Responses::default();
        responses.add(status, answer);
        responses.problems(&PROBLEMS);
        problems.iter().for_each(|problems| responses.problems(problems));
        responses.finish(self.media_type()).into()
    }
}

/// The header of a start that names a callback.
pub(super) fn callback_parameter() -> Value {
    json!({
        "name": "X-Callback-Url", "in": "header", "required": false,
        "description": "Where the status is sent once the operation has ended, at least once: an https URL of a public host. A \
                        secret.",
        "schema": {"type": "string", "format": "uri", "maxLength": 4096},
    })
}

/// What a callback is sent; `view` is the action's status view.
pub(super) fn callback(view: &Value) -> Value {
    json!({"ended": {"{$request.header.X-Callback-Url}": {"post": {
        "summary": "The operation has ended",
        "description": "What `Operation-Location` answers. 408, 429 and 5xx are tried again for about a day, other answers are \
                        not. `webhook-id` is the same in every attempt.",
        "parameters": signed(&["webhook-id", "webhook-timestamp"]),
        "requestBody": {"required": true, "content": {"application/json": {"schema": view}}},
        "security": [],
        "responses": taken(),
    }}}})
}

/// What a receiver may answer.
fn taken() -> Value {
    json!({
        "204": {"description": "It has arrived."},
        "410": {"description": "The receiver is gone for good: nothing more is sent to it."},
    })
}

/// The headers of Standard Webhooks.
fn signed(names: &[&str]) -> Value {
    names.iter().map(|name| header(name)).collect()
}

fn header(name: &str) -> Value {
    let (description, example) = match name {
        "webhook-id" => ("The name of this delivery.", "msg_hGwvtgnPBSBBZZKfpSZJKw"),
        "webhook-timestamp" => ("When this attempt was made, in seconds since 1970.", "1795507200"),
        _ => (
            "`v1,` and the HMAC-SHA-256 of `ID.TIMESTAMP.BODY` in base64; two, with a space between them, for a day after \
             the secret was changed.",
            "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        ),
    };
    json!({
        "name": name, "in": "header", "required": true, "description": description,
        "schema": {"type": "string"}, "example": example,
    })
}

fn headers(location: Option<&str>) -> Value {
    let mut headers = Map::from_iter([responses::request_id()]);
    if let Some(base) = location {
        let location = json!({
            "description": "Ends the subscription (`DELETE`), without a key. Absolute, and a secret.",
            "required": true,
            "schema": {"type": "string", "format": "uri"},
            "example": format!("{base}{}?token=FQAAAf____9Ffd1hGxk0Qy0xXcnJNdnL", paths::subscription(EXAMPLE)),
        });
        headers.insert("Location".to_owned(), location);
    }
    headers.into()
}

fn example(with_secret: bool) -> Value {
    let mut example = json!({
        "id": EXAMPLE,
        "action": "countdown",
        "outcomes": ["Succeeded", "Failed", "Canceled"],
        "scope": "own",
        "format": "cloudevents-structured",
        "host": "hooks.example.com",
        "createdAt": "2026-11-24T08:00:00.000Z",
    });
    if with_secret {
        example["secret"] = json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }
    example
}
