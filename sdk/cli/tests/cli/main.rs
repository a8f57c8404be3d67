//! The built binary against scripted servers: exit codes, stdout and stderr.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should fail where it stands")]

mod exits;
mod feed;
mod follow;
mod listen;
mod ops;
mod pages;
mod poll;
mod resume;
mod several;
mod start;
mod support;
mod watch;
