//! What the client does against servers, over real HTTP: a module for each part of its behaviour.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should fail where it stands")]

mod blocking;
mod compact;
mod credentials;
mod crowd;
mod foreign;
mod held;
mod hostile;
mod management;
mod many;
mod metrics;
mod outcome;
mod pace;
mod peers;
mod poll;
mod request;
mod resume;
mod secrets;
mod start;
mod stream;
mod subscription;
mod support;
mod test_kit;
mod trigger;
