//! What the client does against servers, over real HTTP: a module for each part of its behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should fail where it stands")]

mod compact;
mod credentials;
mod crowd;
mod foreign;
mod held;
mod hostile;
mod management;
mod many;
mod outcome;
mod pace;
mod peers;
mod poll;
mod resume;
mod secrets;
mod start;
mod support;
