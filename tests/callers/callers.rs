//! Callers as their documentation describes them, to be pointed at any API that answers 202.
//!
//! A tenant is not at hand in a test, but what is known of these engines is written down, row by row, in the project's
//! notes on Logic Apps; each rule below names the row that it comes from (`§1.2 stripped request headers`), and the
//! mark that the row has: [D] documented, [S] read in source, [U] reported by users, [I] inferred, [?] unknown. Where it
//! is unknown what an engine does, both ways are there to be tried.
//!
//! Reading order: [`engine`] (an action that starts, polls and ends), [`trigger`] (what starts a workflow), [`webhook`] (a
//! trigger and an action that are called back), [`retries`] (which answers are asked for again), [`stripped`] (which
//! headers do not get through), [`gateway`] (what stands between an engine and a connector's API).

mod engine;
mod gateway;
mod retries;
mod stripped;
mod trigger;
mod webhook;

pub(crate) use engine::{Call, End, Engine, PollsWith, REQUEST_LIMIT};
pub(crate) use gateway::Gateway;
pub(crate) use retries::RetryPolicy;
pub(crate) use trigger::{Recurrence, Trigger};
pub(crate) use webhook::Webhook;
