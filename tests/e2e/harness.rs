//! What the tests stand on: a server in this process, a server in a process of its own, and answers to look at.
//!
//! ```ignore
//! let server = TestServer::start().await;
//! let answer = server.post("/v1/actions/countdown", json!({ "seconds": 0, "steps": 1 })).await;
//! assert_eq!(answer.status, 202);
//! ```

mod answer;
mod chance;
mod process;
mod receiver;
mod server;

pub(crate) use answer::Answer;
pub(crate) use chance::{chances, long, seed, skip};
pub(crate) use process::{Launch, ServerProcess, binary};
pub(crate) use receiver::{Reaction, Received, Receiver};
pub(crate) use server::{PATIENCE, Setup, TestServer};
