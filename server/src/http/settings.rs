//! How the server speaks HTTP: its address as others see it, whom it trusts, and its limits.

use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::cors::CorsOrigin;
use super::gateway::TrustedGateway;
use crate::retry_after::Bounds;

/// How the server speaks HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// The base of every URL in an answer. Without it, the connection's own address.
    pub public_url: Option<Url>,
    /// Peers whose `Forwarded` and `X-Forwarded-*` count.
    pub trusted_proxies: Vec<IpNet>,
    /// Gateways whose `X-MS-APIM-Referrer-Prefix` counts.
    pub trusted_gateways: Vec<TrustedGateway>,
    /// Origins whose pages may call the public API.
    pub cors_origins: Vec<CorsOrigin>,
    /// Whether `/openapi.json` and `/docs` are there.
    pub docs: bool,
    /// The media type of problems. Logic Apps reads only `application/json` as JSON for certain.
    pub error_media_type: ErrorMediaType,
    /// The longest that an answer is held for `Prefer: wait`; at most 100 seconds.
    pub wait_cap: Duration,
    /// The least that `Retry-After` asks for, in whole seconds; 0 is for tests.
    pub shortest_retry_after: Duration,
    /// The most.
    pub longest_retry_after: Duration,
    /// How long a stream of updates is silent at most, so that nobody on its way takes it for dead.
    pub heartbeat: Duration,
    /// What `Retry-After` says to a trigger that knows everything, in whole seconds; at least 1.
    pub trigger_retry_after: Duration,
    /// The limits.
    pub limits: HttpLimits,
}

/// The media type of problems; the body is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorMediaType {
    /// `application/problem+json` (RFC 9457).
    #[default]
    ProblemJson,
    /// `application/json`.
    Json,
}

impl ErrorMediaType {
    /// The value of `Content-Type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProblemJson => "application/problem+json",
            Self::Json => "application/json",
        }
    }
}

/// What a request, a connection and a caller may take up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Bytes of an event's body.
    pub event: usize,
    /// Bytes of a URL's path and query.
    pub uri: usize,
    /// Header lines.
    pub headers: usize,
    /// Bytes of all header lines.
    pub header_bytes: usize,
    /// Open connections of a listener; more wait to be accepted.
    pub connections: usize,
    /// Requests that are held for `Prefer: wait`; more are answered at once.
    pub held: usize,
    /// Those of one caller.
    pub held_per_caller: usize,
    /// Streams of updates that are open; more are refused.
    pub streams: usize,
    /// Those of one caller.
    pub streams_per_caller: usize,
    /// From the first byte of a request's head to its last.
    pub header_time: Duration,
    /// How long a connection may be silent between requests.
    pub idle_time: Duration,
    /// From the head of a request to the end of its body.
    pub body_time: Duration,
    /// After this, a connection ends with its current answer, so that balancers can move it.
    pub connection_age: Duration,
    /// How long a shutdown waits for answers that are under way.
    pub drain_time: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            public_url: None,
            trusted_proxies: Vec::new(),
            trusted_gateways: Vec::new(),
            cors_origins: Vec::new(),
            docs: true,
            error_media_type: ErrorMediaType::ProblemJson,
            wait_cap: Duration::from_secs(30),
            shortest_retry_after: Duration::from_secs(1),
            longest_retry_after: Duration::from_secs(600),
            heartbeat: Duration::from_secs(15),
            trigger_retry_after: Duration::from_secs(15),
            limits: HttpLimits::default(),
        }
    }
}

impl HttpSettings {
    pub(super) fn retry_after(&self) -> Bounds {
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Bounds { shortest: seconds(self.shortest_retry_after), longest: seconds(self.longest_retry_after) }
    }
}

/// What `wait_cap` may be at most: Logic Apps gives up on a call after 120 seconds.
pub const LONGEST_WAIT: Duration = Duration::from_secs(100);

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            event: 1 << 20,
            uri: 8 << 10,
            headers: 100,
            header_bytes: 32 << 10,
            connections: 20_000,
            held: 5_000,
            held_per_caller: 100,
            streams: 10_000,
            streams_per_caller: 1_000,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            body_time: Duration::from_secs(30),
            connection_age: Duration::from_secs(3600),
            drain_time: Duration::from_secs(30),
        }
    }
}
