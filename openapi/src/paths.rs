//! Paths of the public API, and of the management API on its own listener.

/// Template of the path that starts an action.
pub const START: &str = "/v1/actions/{action}";
/// Template of an operation's status URL (`Location`).
pub const OPERATION: &str = "/v1/actions/{action}/operations/{id}";
/// Template of an operation's status monitor (`Operation-Location`).
pub const MONITOR: &str = "/v1/actions/{action}/operations/{id}/status";
/// Template of the path that streams an operation's status as it changes.
pub const UPDATES: &str = "/v1/actions/{action}/operations/{id}/events";
/// Template of the path that takes an operation's events.
pub const EVENT: &str = "/v1/actions/{action}/operations/{id}/events/{name}";
/// Template of one subscription.
pub const SUBSCRIPTION: &str = "/v1/subscriptions/{id}";
/// Template of the path that changes a subscription's secret.
pub const SUBSCRIPTION_SECRET: &str = "/v1/subscriptions/{id}/secret";
/// Template of the path that a trigger polls for what has ended of an action.
pub const FINISHED: &str = "/v1/triggers/{action}/finished";
/// Makes subscriptions.
pub const SUBSCRIPTIONS: &str = "/v1/subscriptions";
/// The OpenAPI document.
pub const DOCUMENT: &str = "/openapi.json";
/// Pages about problem codes.
pub const PROBLEM: &str = "/problems/{code}";
/// Operations as operators see them; on the management listener.
pub const ADMIN_OPERATIONS: &str = "/admin/v1/operations";
/// Subscriptions as operators see them; on the management listener.
pub const ADMIN_SUBSCRIPTIONS: &str = "/admin/v1/subscriptions";
/// Deliveries as operators see them; on the management listener.
pub const ADMIN_DELIVERIES: &str = "/admin/v1/deliveries";

/// The path that starts `action`.
#[must_use]
pub fn start(action: &str) -> String {
    format!("/v1/actions/{action}")
}

/// The path of an operation's status.
///
/// ```
/// assert_eq!(raincheck_openapi::paths::operation("countdown", "0198"), "/v1/actions/countdown/operations/0198");
/// ```
#[must_use]
pub fn operation(action: &str, id: &str) -> String {
    format!("/v1/actions/{action}/operations/{id}")
}

/// The path of an operation's status monitor.
#[must_use]
pub fn monitor(action: &str, id: &str) -> String {
    format!("/v1/actions/{action}/operations/{id}/status")
}

/// The path that streams an operation's status as it changes.
#[must_use]
pub fn updates(action: &str, id: &str) -> String {
    format!("/v1/actions/{action}/operations/{id}/events")
}

/// The path that takes an operation's event `name`.
#[must_use]
pub fn event(action: &str, id: &str, name: &str) -> String {
    format!("/v1/actions/{action}/operations/{id}/events/{name}")
}

/// The path of a subscription.
#[must_use]
pub fn subscription(id: &str) -> String {
    format!("{SUBSCRIPTIONS}/{id}")
}

/// The path that a trigger polls for what has ended of `action`.
///
/// ```
/// assert_eq!(raincheck_openapi::paths::finished("countdown"), "/v1/triggers/countdown/finished");
/// ```
#[must_use]
pub fn finished(action: &str) -> String {
    format!("/v1/triggers/{action}/finished")
}

/// The path of one operation on the management listener.
#[must_use]
pub fn admin_operation(id: &str) -> String {
    format!("{ADMIN_OPERATIONS}/{id}")
}
