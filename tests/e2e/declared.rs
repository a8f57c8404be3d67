//! Actions without Rust: what every kind of them has in common, and what each has of its own.

mod command;
mod common;
mod durable;
mod examples;
mod http;
mod reload;
mod suite;
mod target;
mod world;
