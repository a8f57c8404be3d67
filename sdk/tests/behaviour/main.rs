//! What the client does against servers, over real HTTP: a module for each part of its behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should fail where it stands")]

mod management;
mod outcome;
mod pace;
mod poll;
mod request;
mod secrets;
mod start;
mod support;
