//! A polite client for asynchronous HTTP operations: `202 Accepted`, `Location`, `Retry-After`.
//!
//! Some work takes longer than a request should. A server then answers `202` with the URL of a status, and
//! the client comes back for the answer: not too soon, not too late, and not discouraged by a lost
//! connection. This crate is that client.
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
//!
//! // Accepted, durable at the server, and being worked on:
//! let operation: Operation<Decision> = client.start("submit-talk", &talk).await?;
//!
//! // Polls at the server's pace until it ends:
//! let decision = operation.await?;
//! println!("{}", decision.outcome);
//! # Ok(())
//! # }
//! ```
//!
//! # Watch it
//! Each status is reported before the pause that follows it, so a progress bar is never one pause late.
//!
//! ```no_run
//! # async fn run(mut operation: raincheck::Operation<String>) -> Result<(), raincheck::Error> {
//! let mut updates = operation.updates();
//! while let Some(view) = updates.next().await {
//!     let view = view?;
//!     println!("{} {:?} {:?}", view.status, view.custom_status, view.percent_complete);
//! }
//! let output = operation.await?; // known by now, so nothing is sent
//! # Ok(())
//! # }
//! ```
//!
//! # Come back later
//! ```no_run
//! # use raincheck::{Client, Operation};
//! # async fn run(client: Client, operation: Operation<String>) -> Result<(), Box<dyn std::error::Error>> {
//! let stored = serde_json::to_string(&operation.token())?; // a secret: it can read the status
//! // … another process, another day …
//! let output: String = client.attach(serde_json::from_str(&stored)?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does for you
//! * A start carries an `Idempotency-Key`, so it is sent again safely after a reset, a 408, 429 or 5xx.
//! * `Retry-After` counts in seconds, as a date, and in Azure's milliseconds, on the first answer too. `0`
//!   means now; nonsense means back-off with jitter; nothing pauses longer than
//!   [`max_retry_after`](ClientBuilder::max_retry_after).
//! * `Prefer: wait` lets a server that knows it hold a poll until something changes.
//! * A failed *poll* never fails the *operation*: it is repeated until the
//!   [`timeout`](ClientBuilder::timeout), which bounds every request and pause. A result that is there beats
//!   the timeout. What would be the same every time ends it: a 4xx (a 404 right after the start only on the
//!   fourth poll), a 501 or 505, an answer beyond 32 MiB.
//! * The newest `Location` counts, relative or not. The API key goes to the client's own origin and nowhere
//!   else, and a `Location` cannot lead from https to http.
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
//! # Reading order
//! [`Client`] and [`ClientBuilder`], [`Start`], [`Operation`] and [`Updates`], [`ResumeToken`], [`Error`];
//! [`management`] is for operators. Inside: `follow` loops, `step` decides, `pace` times, `transport` sends.

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
#[cfg(feature = "test-kit")]
pub mod test_kit;
mod token;
mod trace;
mod transport;
mod trust;
mod updates;
mod view;

pub use builder::ClientBuilder;
pub use client::Client;
pub use dialect::{Dialect, FinalStateVia};
pub use error::Error;
pub use operation::{LastAnswer, Operation};
pub use pace::RetryPolicy;
pub use request::{OperationRequest, operation};
pub use start::Start;
pub use token::ResumeToken;
pub use updates::Updates;
pub use view::View;

pub use raincheck_openapi::{
    InvalidField, OperationError, OperationReference, Problem, ProblemCode, Status, StatusView,
};
