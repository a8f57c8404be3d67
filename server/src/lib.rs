//! Durable asynchronous operations over HTTP: 202 Accepted, a status URL, and an honest answer until the result is
//! there.
//!
//! Long work cannot be answered in one HTTP request. This crate takes the work and gives a ticket; the work is an
//! async function of yours, an [`Action`], whose progress survives crashes. Write one, give it to a [`Server`], and
//! every caller that can follow `Location` and `Retry-After` can use it:
//!
//! ```no_run
#![doc = include_str!("../examples/embed.rs")]
//! ```
//!
//! Reading order: [`action`] (what users write), [`operation`] and [`journal`] (what is kept of it), [`store`] (the port
//! to what keeps it), `operations` (the use cases), `engine` (what runs it), [`http`] (the wire), [`Server`]
//! (all of it together).

pub mod action;
pub mod auth;
pub mod capability;
mod causes;
mod clock;
pub mod config;
pub mod content;
pub mod declared;
pub mod delivery;
mod document;
mod engine;
pub mod http;
mod integers;
pub mod journal;
mod json;
pub mod operation;
mod operations;
pub mod outbound;
mod retry_after;
pub mod samples;
mod server;
pub mod store;
pub mod subscription;
pub mod telemetry;
mod watch;
mod webhooks;

pub use action::{
    Action, Branch, Choice, Context, EventSettings, Failure, FailureKind, Pace, Question, RetryPolicy,
    Settings, Step, StepContext,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use json::Json;
pub use operation::{NotAnOperationId, OperationId};
pub use server::{
    BuildError, Glimpse, Listeners, Reloader, ServeError, Server, ServerBuilder, Tried, TryError,
};
