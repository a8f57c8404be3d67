//! What a request, an operation and the server may grow to.

use std::time::Duration;

use serde::Deserialize;

use super::check::Range;
use super::units;

/// What a request, an operation and the server may grow to. Each has a hard maximum as well.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of a request body.
    #[serde(deserialize_with = "units::bytes")]
    pub request_body: u64,
    /// Bytes of an output or of a step's result.
    #[serde(deserialize_with = "units::bytes")]
    pub result: u64,
    /// Bytes of an event.
    #[serde(deserialize_with = "units::bytes")]
    pub event: u64,
    /// Bytes of a custom status.
    #[serde(deserialize_with = "units::bytes")]
    pub custom_status: u64,
    /// Entries of a journal.
    pub journal_entries: u64,
    /// Events of one operation that were not taken yet.
    pub waiting_events: u64,
    /// Operations that are accepted and not ended.
    pub active_operations: u64,
    /// The same, of one caller.
    pub active_operations_per_caller: u64,
    /// Bytes of a request's URI.
    #[serde(deserialize_with = "units::bytes")]
    pub uri: u64,
    /// Lines of a request's header.
    pub header_count: u64,
    /// Bytes of a request's header.
    #[serde(deserialize_with = "units::bytes")]
    pub header_bytes: u64,
    /// Connections at a time.
    pub connections: u64,
    /// Requests that are held at a time.
    pub held_requests: u64,
    /// The same, of one caller.
    pub held_requests_per_caller: u64,
    /// Streams of updates that are open at a time.
    pub streams: u64,
    /// The same, of one caller.
    pub streams_per_caller: u64,
    /// How long a request's header may take to arrive.
    #[serde(deserialize_with = "units::duration")]
    pub header_time: Duration,
    /// How long a request's body may take to arrive.
    #[serde(deserialize_with = "units::duration")]
    pub body_time: Duration,
    /// How long a connection may wait for its next request.
    #[serde(deserialize_with = "units::duration")]
    pub idle_time: Duration,
    /// How old a connection may get.
    #[serde(deserialize_with = "units::duration")]
    pub connection_age: Duration,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            request_body: MIB,
            result: MIB,
            event: MIB,
            custom_status: 16 * KIB,
            journal_entries: 10_000,
            waiting_events: 64,
            active_operations: 1_000_000,
            active_operations_per_caller: 100_000,
            uri: 8 * KIB,
            header_count: 100,
            header_bytes: 32 * KIB,
            connections: 20_000,
            held_requests: 5_000,
            held_requests_per_caller: 100,
            streams: 10_000,
            streams_per_caller: 1_000,
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(75),
            connection_age: Duration::from_secs(3600),
        }
    }
}

impl LimitsConfig {
    /// Every limit with its key and what it may be.
    pub(super) fn ranges(&self) -> Vec<(&'static str, Range)> {
        // Without `..`: a new limit has to say what it may be.
        let Self {
            request_body,
            result,
            event,
            custom_status,
            journal_entries,
            waiting_events,
            active_operations,
            active_operations_per_caller,
            uri,
            header_count,
            header_bytes,
            connections,
            held_requests,
            held_requests_per_caller,
            streams,
            streams_per_caller,
            header_time,
            body_time,
            idle_time,
            connection_age,
        } = *self;
        let seconds = |value, most| Range::Time(value, Duration::from_millis(1), Duration::from_secs(most));
        vec![
            ("limits.request_body", Range::Bytes(request_body, 1, 64 * MIB)),
            ("limits.result", Range::Bytes(result, 1, 16 * MIB)),
            ("limits.event", Range::Bytes(event, 1, 16 * MIB)),
            ("limits.custom_status", Range::Bytes(custom_status, 1, 64 * KIB)),
            ("limits.journal_entries", Range::Count(journal_entries, 1, 100_000)),
            ("limits.waiting_events", Range::Count(waiting_events, 1, 10_000)),
            ("limits.active_operations", Range::Count(active_operations, 1, 100_000_000)),
            (
                "limits.active_operations_per_caller",
                Range::Count(active_operations_per_caller, 1, 100_000_000),
            ),
            // A status URL must fit, and so must what gateways put before and behind it.
            ("limits.uri", Range::Bytes(uri, KIB, 64 * KIB)),
            ("limits.header_count", Range::Count(header_count, 10, 1_000)),
            // hyper reads a header into a buffer of at least this size.
            ("limits.header_bytes", Range::Bytes(header_bytes, 8 * KIB, MIB)),
            ("limits.connections", Range::Count(connections, 1, 1_000_000)),
            ("limits.held_requests", Range::Count(held_requests, 0, 1_000_000)),
            ("limits.held_requests_per_caller", Range::Count(held_requests_per_caller, 0, 1_000_000)),
            ("limits.streams", Range::Count(streams, 0, 1_000_000)),
            ("limits.streams_per_caller", Range::Count(streams_per_caller, 0, 1_000_000)),
            ("limits.header_time", seconds(header_time, 600)),
            ("limits.body_time", seconds(body_time, 3600)),
            ("limits.idle_time", seconds(idle_time, 3600)),
            ("limits.connection_age", seconds(connection_age, 7 * 24 * 3600)),
        ]
    }
}
