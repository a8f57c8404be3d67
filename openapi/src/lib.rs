//! The HTTP contract of raincheck: wire types, problem codes, headers, paths, and the OpenAPI document.
//!
//! Data only: this crate knows neither a runtime, nor a web framework, nor a database, so that the server and
//! every client can share it.
//!
//! Reading order: [`StatusView`] (what a poll shows), [`Problem`] and [`ProblemCode`] (what an error shows),
//! [`headers`] and [`paths`] (where things are), [`management`] (what operators see), [`subscription`] (who is told of ends),
//! [`document`](document::document) (all of it as OpenAPI 3.1), [`convert`] (its older forms), [`connector`] (for Logic
//! Apps and Power Automate).

mod code;
pub mod connector;
pub mod convert;
pub mod document;
pub mod headers;
pub mod management;
pub mod paths;
mod problem;
mod status;
pub mod subscription;

pub use code::ProblemCode;
pub use problem::{InvalidField, Problem};
pub use status::{Accepted, OperationError, OperationReference, Status, StatusView};
