//! The configuration: one tree, its defaults in `Default`, read and checked once before anything is bound.
//!
//! `raincheck.toml` first, then the environment, then the arguments; the last one that says something wins.
//! This is the only place that reads environment variables. Secrets come from the environment alone, so that the
//! file can be shown to anyone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

use crate::auth::ApiKey;
use crate::declared::DeclaredActions;
use crate::http::{CorsOrigin, ErrorMediaType, TrustedGateway};

mod actions;
mod approval;
mod check;
mod connector;
mod limits;
mod mistake;
mod outbound;
mod read;
mod samples;
mod secrets;
pub(crate) mod units;
mod webhooks;

pub use approval::{ApprovalConfig, NotifyBy};
pub use connector::ConnectorConfig;
pub use limits::LimitsConfig;
pub use mistake::{ConfigError, Mistake, Origin};
pub use outbound::OutboundConfig;
pub use read::{Arguments, DEFAULT_FILE};
pub use samples::{DeskConfig, DeskDecision, SamplesConfig, SubmitTalkConfig};
pub use secrets::{LinkKeys, Secret};
pub use webhooks::WebhooksConfig;

/// Everything about a server that its operator decides.
///
/// ```
/// use raincheck_server::config::Config;
///
/// let config = Config { docs: false, ..Config::default() };
/// config.check()?;
/// # Ok::<(), raincheck_server::config::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the public API listens (`RAINCHECK_LISTEN`). Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the management API listens (`RAINCHECK_ADMIN_LISTEN`).
    pub admin_listen: SocketAddr,
    /// Where the server keeps its data (`RAINCHECK_DATA_DIR`).
    pub data_dir: PathBuf,
    /// The URL under which callers reach the public API (`RAINCHECK_PUBLIC_URL`); every URL in an answer
    /// begins with it. `None`: each caller sees the address that it connected to.
    pub public_url: Option<Url>,
    /// Allows plain HTTP where it could be overheard: in `public_url`, and on listeners off loopback.
    pub allow_plain_http: bool,
    /// The proxies whose `Forwarded` and `X-Forwarded-*` headers count.
    #[serde(deserialize_with = "units::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// The gateways whose `X-MS-APIM-Referrer-Prefix` header counts (`RAINCHECK_TRUSTED_GATEWAYS`, with commas
    /// between them): where such a header lies within one of them, every URL in the answer begins with it.
    #[serde(deserialize_with = "units::list")]
    pub trusted_gateways: Vec<TrustedGateway>,
    /// The origins whose pages may call the public API in a browser (`RAINCHECK_CORS_ORIGINS`, with commas between
    /// them).
    #[serde(deserialize_with = "units::list")]
    pub cors_origins: Vec<CorsOrigin>,
    /// Whether `/openapi.json` and `/docs` are served.
    pub docs: bool,
    /// The media type of errors.
    #[serde(deserialize_with = "units::error_media_type")]
    pub error_media_type: ErrorMediaType,
    /// How long a shutdown waits for requests and steps under way.
    #[serde(deserialize_with = "units::duration")]
    pub drain_time: Duration,
    /// The shortest retention that an action may have. Less than a day is for tests: a caller that polls late
    /// must still find its answer.
    #[serde(deserialize_with = "units::duration")]
    pub shortest_retention: Duration,
    /// The pace of polls.
    pub polling: PollingConfig,
    /// What a request, an operation and the server may grow to.
    pub limits: LimitsConfig,
    /// What the server may call by itself.
    pub outbound: OutboundConfig,
    /// How ends are told to receivers.
    pub webhooks: WebhooksConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// How the connector for Logic Apps and Power Automate presents itself.
    pub connector: ConnectorConfig,
    /// A directory with a file for each of more declared actions (`--actions`, `RAINCHECK_ACTIONS`).
    pub actions_dir: Option<PathBuf>,
    /// The actions that are declared: in the file under `[[action]]`, and in `actions_dir`.
    #[serde(rename = "action", deserialize_with = "units::elsewhere")]
    pub actions: DeclaredActions,
    /// The actions that come with the server.
    pub samples: SamplesConfig,
    /// One more key with every role (`RAINCHECK_ROOT_KEY`), for tests and containers.
    #[serde(skip)]
    pub root_key: Option<ApiKey>,
    /// The keys that sign links (`RAINCHECK_LINK_KEY`); `None`: those that the store made for itself.
    #[serde(skip)]
    pub link_keys: Option<LinkKeys>,
}

impl Config {
    /// Where operations have working directories of their own while they run commands.
    pub(crate) fn work_dir(&self) -> PathBuf {
        let path = self.data_dir.join("work");
        std::path::absolute(&path).unwrap_or(path)
    }
}

/// The pace of polls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PollingConfig {
    /// How long `Prefer: wait` holds an answer at most.
    #[serde(deserialize_with = "units::duration")]
    pub longest_wait: Duration,
    /// The least that `Retry-After` says; whole seconds. Zero is for tests.
    #[serde(deserialize_with = "units::duration")]
    pub shortest_retry_after: Duration,
    /// The most that `Retry-After` says; whole seconds.
    #[serde(deserialize_with = "units::duration")]
    pub longest_retry_after: Duration,
    /// How long a stream of updates is silent at most.
    #[serde(deserialize_with = "units::duration")]
    pub heartbeat: Duration,
    /// What `Retry-After` says to a trigger that has nothing new to learn; whole seconds.
    #[serde(deserialize_with = "units::duration")]
    pub trigger_retry_after: Duration,
}

/// What is logged, and how. Logs go to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// What is logged, in the words of `tracing`: `info`, `raincheck_server=debug,warn`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            data_dir: "./raincheck-data".into(),
            public_url: None,
            allow_plain_http: false,
            trusted_proxies: Vec::new(),
            trusted_gateways: Vec::new(),
            cors_origins: Vec::new(),
            docs: true,
            error_media_type: ErrorMediaType::ProblemJson,
            drain_time: Duration::from_secs(30),
            shortest_retention: Duration::from_secs(24 * 3600),
            polling: PollingConfig::default(),
            limits: LimitsConfig::default(),
            outbound: OutboundConfig::default(),
            webhooks: WebhooksConfig::default(),
            log: LogConfig::default(),
            connector: ConnectorConfig::default(),
            actions_dir: None,
            actions: DeclaredActions::default(),
            samples: SamplesConfig::default(),
            root_key: None,
            link_keys: None,
        }
    }
}

impl Default for PollingConfig {
    fn default() -> Self {
        Self {
            longest_wait: Duration::from_secs(30),
            shortest_retry_after: Duration::from_secs(1),
            longest_retry_after: Duration::from_secs(600),
            heartbeat: Duration::from_secs(15),
            trigger_retry_after: Duration::from_secs(15),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

#[cfg(test)]
mod tests;
