//! The one HTTP client of this server: whatever it calls by itself, it calls through here.
//!
//! Where it calls to is often a stranger's wish (a callback URL), so it is held to what a stranger could call, too:
//! https, public addresses, no redirects, no proxy from the environment, a limit on everything that can grow. A name's
//! addresses are checked where they are connected to, not before: an answer of the DNS that changes in between
//! gains nothing. An operator's exceptions are in [`OutboundConfig`].

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};

mod address;
mod allow;
mod error;
mod resolver;
mod target;

pub use address::Special;
pub use allow::{Allowed, NotAllowed};
pub use error::{Refused, SendError};
pub use target::Target;

pub use crate::config::OutboundConfig;

use resolver::{CheckedNames, Names, SystemNames, Unresolved};

/// How this server names itself to those that it calls.
const USER_AGENT: &str = concat!("raincheck/", env!("CARGO_PKG_VERSION"));

/// The HTTP client; a clone is the same one.
///
/// ```no_run
/// use raincheck_server::outbound::{Call, Outbound, OutboundConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let outbound = Outbound::new(OutboundConfig::default())?;
/// let target = outbound.target("https://api.example/talks")?;
/// let answer = outbound.send(Call::post(target, r#"{"title": "Give me a ticket"}"#)).await?;
/// assert!(answer.status().is_success());
/// let body = answer.read().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Outbound {
    config: Arc<OutboundConfig>,
    /// For hosts that an operator has named: every address will do, and plain HTTP where that is allowed.
    named: reqwest::Client,
    /// For everyone else.
    checked: reqwest::Client,
}

/// A request to another server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call {
    /// How.
    pub method: Method,
    /// Where to, from [`Outbound::target`].
    pub target: Target,
    /// The header, as it is sent; `Host`, `Content-Length` and `User-Agent` come by themselves.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// From the first byte to the end of the answer. `None`: `outbound.total_time`.
    pub time_limit: Option<Duration>,
}

/// An answer, whose body has not been read yet.
#[derive(Debug)]
pub struct Answer {
    host: String,
    limits: Limits,
    response: reqwest::Response,
}

/// What an answer may grow to, and how long all of it may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    bytes: u64,
    time: Duration,
}

/// The HTTP client cannot be made: the system's root certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for outgoing calls cannot be made")]
pub struct NoClient(#[source] reqwest::Error);

impl Outbound {
    /// Makes the client.
    ///
    /// # Errors
    /// If the root certificates of this system cannot be read.
    pub fn new(config: OutboundConfig) -> Result<Self, NoClient> {
        Self::with_names(config, Arc::new(SystemNames))
    }

    fn with_names(config: OutboundConfig, names: Arc<dyn Names>) -> Result<Self, NoClient> {
        let config = Arc::new(config);
        let client = |rules: Option<Arc<OutboundConfig>>| {
            reqwest::Client::builder()
                .https_only(rules.is_some())
                .dns_resolver(CheckedNames { names: Arc::clone(&names), rules })
                // It would be the proxy that looks names up, and whoever sets its environment variable that is trusted.
                .no_proxy()
                // Where a redirect leads to was not asked for by anyone who may.
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                // What is sent again is for whoever sends to decide.
                .retry(reqwest::retry::never())
                .connect_timeout(config.connect_time)
                .user_agent(USER_AGENT)
                .build()
                .map_err(NoClient)
        };
        Ok(Self { named: client(None)?, checked: client(Some(Arc::clone(&config)))?, config })
    }

    /// Reads a URL that is to be called. It may be called as far as it tells by itself; what its name leads to is checked
    /// whenever it is called, so that this asks no DNS (and tells nobody what a name leads to).
    ///
    /// # Errors
    /// Which rule forbids it. The text is for operators.
    pub fn target(&self, url: &str) -> Result<Target, Refused> {
        Target::check(url, &self.config)
    }

    /// Whether an operator has named this very host.
    pub(crate) fn is_named(&self, target: &Target) -> bool {
        target.is_named(&self.config)
    }

    /// The client below, for a library that sends by itself. It checks what the names of hosts lead to; which hosts are
    /// called, and how much is read, is for that library to bound.
    pub(crate) fn client(&self, target: &Target) -> reqwest::Client {
        if self.is_named(target) { self.named.clone() } else { self.checked.clone() }
    }

    /// Sends a request and waits for the head of the answer, whatever its status; redirects are answers like any other.
    ///
    /// # Errors
    /// If it may not be sent, or no answer came.
    ///
    /// # Cancel safety
    /// Whether a request that was dropped has arrived is not known.
    pub async fn send(&self, call: Call) -> Result<Answer, SendError> {
        let Call { method, target, headers, body, time_limit } = call;
        let limits = Limits { bytes: self.config.answer, time: time_limit.unwrap_or(self.config.total_time) };
        let client = if self.is_named(&target) { &self.named } else { &self.checked };
        let request = client
            .request(method, target.reveal().clone())
            .headers(headers)
            .body(reqwest::Body::from(body))
            .timeout(limits.time);
        let host = target.host().to_owned();
        match request.send().await {
            Ok(response) => Ok(Answer { host, limits, response }),
            Err(error) => Err(failure(error, host, limits)),
        }
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Call {
    /// A GET without anything else.
    #[must_use]
    pub fn get(target: Target) -> Self {
        Self { method: Method::GET, target, headers: HeaderMap::new(), body: Bytes::new(), time_limit: None }
    }

    /// A POST of `body`, whose type its header is to say.
    #[must_use]
    pub fn post(target: Target, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, body: body.into(), ..Self::get(target) }
    }
}

impl Answer {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Its header.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The whole body.
    ///
    /// # Errors
    /// If it is larger than `outbound.answer`, late, or breaks off.
    pub async fn read(self) -> Result<Bytes, SendError> {
        let Self { host, limits, mut response } = self;
        let mut body = BytesMut::new();
        loop {
            let part = match response.chunk().await {
                Ok(part) => part,
                Err(error) => return Err(failure(error, host, limits)),
            };
            let Some(part) = part else { return Ok(body.freeze()) };
            if (body.len() + part.len()) as u64 > limits.bytes {
                return Err(SendError::TooLarge { host, limit: limits.bytes });
            }
            body.extend_from_slice(&part);
        }
    }
}

/// What went wrong, without the URL: whatever is a secret is in there.
fn failure(error: reqwest::Error, host: String, limits: Limits) -> SendError {
    let error = error.without_url();
    if let Some(refused) = cause::<Refused>(&error) {
        return SendError::Refused(refused.clone());
    }
    if cause::<Unresolved>(&error).is_some() {
        return SendError::Unresolved { host, source: error.into() };
    }
    // A connection that takes too long is a matter of the connection: nothing was sent.
    if error.is_connect() {
        return SendError::Connect { host, source: error.into() };
    }
    if error.is_timeout() {
        return SendError::TimedOut { host, limit: limits.time };
    }
    SendError::Broken { host, source: error.into() }
}

/// The first error of this kind behind `error`.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    std::iter::from_fn(|| {
        let this = next?;
        next = this.source();
        Some(this)
    })
    .find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests;
