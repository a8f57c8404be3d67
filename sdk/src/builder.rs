//! The settings of a client, checked once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::address::{Origin, Routes};
use crate::client::{Shared, whole_seconds};
use crate::limit::Limiter;
use crate::step::Policy;
use crate::transport::{self, HeaderMap, HttpClient, Parts, Transport};
use crate::trust::Trust;
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
    headers: Vec<(String, String)>,
    trusted: Vec<String>,
    trusted_only: bool,
    rewrites: Vec<(String, String)>,
    query: Vec<(String, String)>,
    http: Option<HttpClient>,
    cookies: bool,
    retry: RetryPolicy,
    max_pause: Duration,
    patience: Option<Duration>,
    request_timeout: Duration,
    hold: Duration,
    max_in_flight: usize,
    per_second: Option<f64>,
}

impl ClientBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            api_key: None,
            headers: Vec::new(),
            trusted: Vec::new(),
            trusted_only: false,
            rewrites: Vec::new(),
            query: Vec::new(),
            http: None,
            cookies: false,
            retry: RetryPolicy::new(),
            max_pause: Duration::from_secs(600),
            patience: None,
            request_timeout: Duration::from_secs(30),
            hold: Duration::from_secs(20),
            max_in_flight: 64,
            per_second: None,
        }
    }

    /// The API key or JWT, sent as `Authorization: Bearer …` to the origin of the client's URL and to
    /// [trusted](Self::trust) ones, and to no other, wherever a `Location` leads.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// A header for every request, such as `x-functions-key`. It may be a secret, so it goes where the
    /// [API key](Self::api_key) goes and nowhere else.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Another origin that may see the credentials, such as `https://westeurope.api.example`, for services
    /// whose status URLs lie on a host of their own. Its path does not count.
    pub fn trust(mut self, origin: impl Into<String>) -> Self {
        self.trusted.push(origin.into());
        self
    }

    /// Asks trusted origins only: the client's own, those of [`trust`](Self::trust), and that of the request that
    /// started an operation. A status URL that leads elsewhere is [`Error::is_unexpected`]. For services that follow
    /// others on behalf of their users, and must not be led to where only they can go.
    pub fn trusted_only(mut self) -> Self {
        self.trusted_only = true;
        self
    }

    /// Asks for every URL below `from` below `to` instead, for servers behind a gateway that name themselves
    /// by an address of their own in their `Location`.
    ///
    /// ```
    /// # fn main() -> Result<(), raincheck::Error> {
    /// let client = raincheck::Client::builder("https://gateway.example/talks")
    ///     .rewrite("http://talks.internal:8080", "https://gateway.example/talks")
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rewrite(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.rewrites.push((from.into(), to.into()));
        self
    }

    /// A query parameter that every request needs, such as `api-version`, for servers that leave it out of
    /// their status URLs. A URL that has it already keeps its own; origins that are not trusted do not get it.
    pub fn carry_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// An HTTP client of your own, for a proxy, certificates, or connections shared with other work.
    ///
    /// Build it with `redirect::Policy::none()`: this crate follows the redirects of polls by itself and
    /// decides at each hop whether a credential may go along. It is used for trusted origins only, since it
    /// may add default headers; others are asked by a plain client.
    pub fn http(mut self, http: HttpClient) -> Self {
        self.http = Some(http);
        self
    }

    /// Keeps the cookies that servers set, for the life of this client. Has no effect on an
    /// [HTTP client of your own](Self::http).
    #[cfg(feature = "cookies")]
    pub fn keep_cookies(mut self) -> Self {
        self.cookies = true;
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
    /// A held poll shows a result within one round trip. It is asked for at raincheck servers and at those
    /// that have answered with `Preference-Applied: wait`, unless more than half of
    /// [`max_in_flight`](Self::max_in_flight) is in use. Less than a second switches it off.
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

    /// How many requests may be on their way at once, over all operations of this client; default 64, at
    /// least 1. Operations that wait for their turn take no connection and little memory.
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests;
        self
    }

    /// How many requests a second may go to one host, evenly spaced; default: no limit.
    pub fn max_rate_per_host(mut self, per_second: f64) -> Self {
        self.per_second = Some(per_second);
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::is_usage`] if a URL is not an absolute http or https URL, if the key or a header cannot be
    /// sent, if the rate is not above zero, or if the system's TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let base = address::parse(&self.url)?;
        let mut credentials = HeaderMap::new();
        if let Some(key) = &self.api_key {
            let (name, value) = transport::bearer(key)?;
            credentials.insert(name, value);
        }
        for (name, value) in &self.headers {
            let (name, value) = transport::secret_header(name, value)?;
            credentials.insert(name, value);
        }
        let others = self.trusted.iter().map(|url| Ok(Origin::of(&address::parse(url)?)));
        let trust = Trust { home: Origin::of(&base), others: others.collect::<Result<_, Error>>()? };
        let pair = |(from, to): &(String, String)| Ok((address::parse(from)?, address::parse(to)?));
        let rewrites = self.rewrites.iter().map(pair).collect::<Result<Vec<(Url, Url)>, Error>>()?;
        let limiter = Limiter::new(self.max_in_flight, spacing(self.per_second)?);
        let transport = Transport::new(Parts {
            http: self.http,
            cookies: self.cookies,
            trust,
            trusted_only: self.trusted_only,
            credentials,
            query: self.query,
            limiter,
        })?;
        Ok(Client(Arc::new(Shared {
            base,
            transport,
            policy: Policy { retry: self.retry, max_pause: self.max_pause, routes: Routes { rewrites } },
            patience: self.patience,
            request_timeout: self.request_timeout,
            hold: self.hold,
        })))
    }
}

fn spacing(per_second: Option<f64>) -> Result<Duration, Error> {
    let Some(rate) = per_second else { return Ok(Duration::ZERO) };
    let bad = "a rate is a number of requests a second above zero";
    if rate.is_nan() || rate <= 0.0 {
        return Err(Error::usage(bad));
    }
    Duration::try_from_secs_f64(1.0 / rate).map_err(|cause| Error::usage(bad).because(cause))
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor headers nor URLs, which might carry a password.
        f.debug_struct("ClientBuilder")
            .field("timeout", &self.patience)
            .field("request_timeout", &self.request_timeout)
            .field("prefer_wait", &self.hold)
            .finish_non_exhaustive()
    }
}
