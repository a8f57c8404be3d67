//! The settings of a client, checked once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Shared, whole_seconds};
use crate::step::Policy;
use crate::transport::{HttpClient, Transport};
use crate::{Client, Error, RetryPolicy, address};

/// Describes a [`Client`].
///
/// ```
/// use std::time::Duration;
/// # fn main() -> Result<(), raincheck::Error> {
/// let client = raincheck::Client::builder("https://api.example")
///     .api_key("rck_…")
///     .timeout(Duration::from_secs(15 * 60))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    url: String,
    api_key: Option<String>,
    http: Option<HttpClient>,
    retry: RetryPolicy,
    max_pause: Duration,
    patience: Option<Duration>,
    request_timeout: Duration,
    hold: Duration,
}

impl ClientBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            api_key: None,
            http: None,
            retry: RetryPolicy::new(),
            max_pause: Duration::from_secs(600),
            patience: None,
            request_timeout: Duration::from_secs(30),
            hold: Duration::from_secs(20),
        }
    }

    /// The API key or JWT, sent as `Authorization: Bearer …` to the origin of the client's URL and to no
    /// other, wherever a `Location` leads.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// An HTTP client of your own, for a proxy, certificates, or connections shared with other work.
    ///
    /// Build it with `redirect::Policy::none()`: this crate follows the redirects of polls by itself and
    /// decides at each hop whether the API key may go along.
    pub fn http(mut self, http: HttpClient) -> Self {
        self.http = Some(http);
        self
    }

    /// How long an operation may take, from its start or from attaching to it; default: as long as it takes.
    ///
    /// It bounds every request and every pause. If the server's pace leads past it, the client asks a last
    /// time just before, so a result that is there is given instead of a timeout. The operation itself goes
    /// on.
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// How long one request may take, beside the time for which the server may hold it; default 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long the server may hold a poll until something changes (`Prefer: wait`); default 20 s.
    ///
    /// A held poll shows a result within one round trip. Servers that do not know it answer at once. Less
    /// than a second switches it off.
    pub fn prefer_wait(mut self, wait: Duration) -> Self {
        self.hold = whole_seconds(wait);
        self
    }

    /// The longest pause between two polls, whatever a server asks for; default 10 minutes.
    pub fn max_retry_after(mut self, pause: Duration) -> Self {
        self.max_pause = pause;
        self
    }

    /// How failed requests are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::is_usage`] if the URL is not an absolute http or https URL, if the key cannot be a header, or
    /// if the system's TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let base = address::parse(&self.url)?;
        let transport = Transport::new(self.http, &base, self.api_key.as_deref())?;
        Ok(Client(Arc::new(Shared {
            base,
            transport,
            policy: Policy { retry: self.retry, max_pause: self.max_pause },
            patience: self.patience,
            request_timeout: self.request_timeout,
            hold: self.hold,
        })))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor the URL, which might carry a password.
        f.debug_struct("ClientBuilder")
            .field("timeout", &self.patience)
            .field("request_timeout", &self.request_timeout)
            .field("prefer_wait", &self.hold)
            .finish_non_exhaustive()
    }
}
