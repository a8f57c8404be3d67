//! Names of the headers that the contract uses, in lower case as HTTP/2 writes them.

/// The status URL (RFC 9110 §10.2.2); on every start and on every running poll.
pub const LOCATION: &str = "location";
/// The status monitor's URL (Azure API guidelines); always answers 200.
pub const OPERATION_LOCATION: &str = "operation-location";
/// Whole seconds until the next poll (RFC 9110 §10.2.3).
pub const RETRY_AFTER: &str = "retry-after";
/// A name that the caller gives a start, so that a repetition starts nothing.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// `true` on the answer to a repeated start.
pub const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";
/// `wait=N`: hold the answer for up to N seconds (RFC 7240).
pub const PREFER: &str = "prefer";
/// How long the answer was held.
pub const PREFERENCE_APPLIED: &str = "preference-applied";
/// An API key, for callers that cannot set `Authorization`.
pub const API_KEY: &str = "x-api-key";
/// The id of the last event that a reader of a stream has seen (HTML standard, server-sent events).
pub const LAST_EVENT_ID: &str = "last-event-id";
/// The id of a request in the server's log; on every answer.
pub const REQUEST_ID: &str = "x-request-id";
/// The caller's own id for a run (Logic Apps sends it); kept for operators.
pub const CLIENT_TRACKING_ID: &str = "x-ms-client-tracking-id";
/// The run of a workflow that a request belongs to (Logic Apps sends it).
pub const WORKFLOW_RUN_ID: &str = "x-ms-workflow-run-id";
/// The action of that workflow.
pub const WORKFLOW_OPERATION_NAME: &str = "x-ms-workflow-operation-name";
/// How the names of headers begin that tell a turn of a loop, where they are sent.
pub const WORKFLOW_REPEAT_ITEM: &str = "x-ms-workflow-repeatitem-";
/// The base URL of a connector gateway that a call came through.
pub const APIM_REFERRER_PREFIX: &str = "x-ms-apim-referrer-prefix";
/// Where to send the status of the operation that this starts, once it has ended. A secret.
pub const CALLBACK_URL: &str = "x-callback-url";
/// W3C trace context of a start; kept for operators.
pub const TRACEPARENT: &str = "traceparent";
