//! End to end: real servers, real sockets, real clients. One binary, a module for each feature.

mod harness;

#[path = "../callers/callers.rs"]
mod callers;

mod aliases;
mod approvals;
mod architecture;
mod autorest;
mod azure_clients;
mod binary;
mod browser;
mod cli;
mod connections;
mod connector;
mod contract_errors;
mod contract_start;
mod contract_status;
mod declared;
mod documented_callers;
mod durability;
mod generated_clients;
mod least_privilege;
mod logs;
mod many_events;
mod openapi;
mod readme;
mod replies;
mod schemathesis;
mod sdk;
mod start;
mod synced_first;
mod trigger;
mod updates;
mod webhooks;
