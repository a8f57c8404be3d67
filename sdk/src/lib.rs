//! A polite client for asynchronous HTTP operations: `202 Accepted`, `Location`, `Retry-After`.
//!
//! Some work takes longer than a request should. A server then answers `202` with the URL of a status, and
//! the client comes back for the answer: not too soon, not too late, and not discouraged by a lost
//! connection. This crate is that client, for [any server](Dialect#which-server-which-dialect) that works
//! like that.
//!
//! ```no_run
//! # #[derive(serde::Serialize)] struct Site { name: String }
//! # async fn run(http: reqwest::Client) -> Result<(), raincheck::Error> {
//! # let site = Site { name: "seven".into() };
//! // Any request of reqwest's starts an operation. Awaited once, it is accepted; awaited again, it has ended.
//! let create = http.put("https://management.example/sites/7?api-version=2026-01-01").json(&site);
//! let site: serde_json::Value = raincheck::operation(create).await?.await?;
//! # Ok(())
//! # }
//! ```
//!
//! At a raincheck server, an action is started by its name:
//!
//! ```no_run
//! use raincheck::{Client, Operation};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize)]
//! struct Talk { title: String }
//!
//! #[derive(Deserialize)]
//! struct Decision { outcome: String }
//!
//! # async fn run() -> Result<(), raincheck::Error> {
//! let client = Client::builder("https://talks.example").api_key("rck_…").build()?;
//! let talk = Talk { title: "Patience as a protocol".into() };
//! let mut operation: Operation<Decision> = client.start("submit-talk", &talk).await?;
//!
//! // Watch it: each status is told before the pause that follows it.
//! let mut updates = operation.updates();
//! while let Some(view) = updates.next().await {
//!     let view = view?;
//!     println!("{} {:?} {:?}", view.status, view.custom_status, view.percent_complete);
//! }
//!
//! // Or come back another day, in another process. The token is a secret: it can read the status.
//! let stored = serde_json::to_string(&operation.token()).expect("a token is JSON");
//! let operation: Operation<Decision> = client.attach(serde_json::from_str(&stored).expect("it was stored"));
//! println!("{}", operation.await?.outcome);
//! # Ok(())
//! # }
//! ```
//!
//! What ends of an action, whoever waits for it, is a sequence without an end, which a consumer follows over
//! its own restarts (and so is [any trigger](Client::trigger) by the contract of Logic Apps):
//!
//! ```no_run
//! # #[derive(serde::Deserialize)] struct Decision { outcome: String }
//! # async fn run(client: raincheck::Client) -> Result<(), Box<dyn std::error::Error>> {
//! # fn store(state: &raincheck::TriggerState) {}
//! let mut talks = client.finished::<Decision>("submit-talk").await?;
//! loop {
//!     let finish = talks.next().await?;
//!     println!("{:?}", finish.read()?.output.map(|decision| decision.outcome));
//!     store(finish.state()); // and later: client.attach_trigger(stored)
//! }
//! # }
//! ```
//!
//! # What it does for you
//! * It recognises [how the server tells how the work stands](Dialect), and where the result is
//!   ([`FinalStateVia`]).
//! * A start with an `Idempotency-Key` (every [`Client::start`]) or an idempotent method is sent again
//!   after a reset, a 408, 429 or 5xx; any other only if the server cannot have acted on it.
//! * `Retry-After` counts in seconds, as a date, and in Azure's milliseconds, on the first answer too. `0`
//!   means now; nonsense means back-off with jitter; nothing pauses longer than
//!   [`max_retry_after`](ClientBuilder::max_retry_after).
//! * `Prefer: wait` lets a server that knows it hold a poll until something changes.
//! * A failed *poll* never fails the *operation*: it is repeated until the
//!   [`timeout`](ClientBuilder::timeout), which bounds every request and pause. A result that is there beats
//!   the timeout. What would be the same every time ends it: a 4xx (a 404 right after the start only on the
//!   fourth poll), a 501 or 505, an answer beyond 32 MiB.
//! * The newest `Location` counts, relative or not. Credentials go to their own origin and to
//!   [trusted](ClientBuilder::trust) ones, wherever a `Location` or redirect leads, and https is never left
//!   for http.
//! * What a [`Trigger`] tells comes once and in order, also to a consumer that is killed now and then. It
//!   asks for lists, and not before the last one was given out; failed polls are repeated.
//! * Many operations share one client: [a limit](ClientBuilder::max_in_flight) on requests in flight, [a
//!   rate](ClientBuilder::max_rate_per_host) for each host, and a little more than a kilobyte each.
//!
//! # Errors
//! There is one [`Error`], with predicates: [`is_failed`](Error::is_failed) and
//! [`is_canceled`](Error::is_canceled) are about the operation, with the server's [`Problem`];
//! [`is_timeout`](Error::is_timeout) and [`is_transport`](Error::is_transport) carry a [`ResumeToken`] to go
//! on with; [`is_refused`](Error::is_refused) covers every no of the server. Errors never show a key, a
//! status URL or its token.
//!
//! # Cancel safety
//! Every future may be dropped. What the server has accepted goes on there; a dropped poll is simply asked
//! again. A dropped start may have been accepted: repeat it with the same
//! [`idempotency_key`](Start::idempotency_key).
//!
//! # Features
//! All are off by default.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `blocking` | the `blocking` client, for programs without an async runtime |
//! | `cookies` | `ClientBuilder::keep_cookies` |
//! | `metrics` | `raincheck_client_requests_total` by method and outcome, `raincheck_client_request_seconds`, `raincheck_client_requests_in_flight`, `raincheck_client_operations_total` by outcome, for the `metrics` crate |
//! | `test-kit` | `test_kit`, a server for tests that answers by a script |
//! | `tracing` | a span for each operation and request, and events in them |
//! | `webhook` | `webhook::verify`, for those whom a server tells by itself of what has ended |
//!
//! Without features its dependencies are those of reqwest and a handful of small crates. It needs tokio's
//! timers, so it does not compile for wasm32.
//!
//! # Reading order
//! [`operation`] and [`OperationRequest`] for any server; [`Client`], [`ClientBuilder`] and [`Start`] for
//! one; [`Operation`] and [`Updates`]; [`ResumeToken`]; [`Trigger`] and [`Finished`]; [`Error`];
//! [`management`] is for operators. Inside: `recognise` reads the first answer and `step` every other one,
//! `pace` times, `follow` loops, `stream` hears what a server tells by itself, `trigger` has loop and steps of
//! its own, `trust` guards credentials, `transport` sends.

mod address;
mod answer;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
mod client;
mod dialect;
mod error;
mod follow;
mod limit;
pub mod management;
mod operation;
mod pace;
mod recognise;
mod request;
mod start;
mod step;
mod stream;
mod subscription;
#[cfg(feature = "test-kit")]
pub mod test_kit;
mod token;
mod trace;
mod transport;
mod trigger;
mod trust;
mod updates;
mod view;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use builder::ClientBuilder;
pub use client::Client;
pub use dialect::{Dialect, FinalStateVia};
pub use error::Error;
pub use operation::{LastAnswer, Operation};
pub use pace::RetryPolicy;
pub use request::{OperationRequest, operation};
pub use start::Start;
pub use subscription::{Subscribe, Subscription};
pub use token::ResumeToken;
pub use trigger::{Finished, Trigger, TriggerState, Triggered};
pub use updates::Updates;
pub use view::View;

pub use raincheck_openapi::subscription::{DeliveryFormat, Outcome};
pub use raincheck_openapi::{
    InvalidField, OperationError, OperationReference, Problem, ProblemCode, Status, StatusView,
};
