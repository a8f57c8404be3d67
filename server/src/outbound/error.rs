//! Why a request was not sent, or has no answer. For operators and logs: it names hosts, never a path or a query.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use super::address::Special;

/// Why a URL may not be called: the rule, and how an operator allows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is no absolute http or https URL.
    #[error("not a web address; allowed: https://HOST[:PORT]/…")]
    NotAUrl,
    /// It has a user or a password in it, which end up in logs.
    #[error("has a user name or a password in it; send credentials in a header")]
    Credentials,
    /// Plain HTTP, where others can read along.
    #[error(
        "plain HTTP to {host}: others can read along; use https, or name it in `outbound.allow` and set \
         `outbound.allow_plain_http`"
    )]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// An address that is not on the public internet.
    #[error(
        "{}{address} is {special}; to allow it, add \"{}\" to `outbound.allow`",
        name.as_ref().map(|name| format!("{name} leads to {address}: ")).unwrap_or_default(),
        name.clone().unwrap_or_else(|| address.to_string())
    )]
    Address {
        /// The name that led to it; `None` if the URL has the address itself.
        name: Option<String>,
        /// The address.
        address: IpAddr,
        /// What it is instead.
        special: Special,
    },
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It may not be sent, and was not.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The name of the host leads nowhere.
    #[error("no address for {host}")]
    Unresolved {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// There was no connection, so nothing was sent.
    #[error("no connection to {host}")]
    Connect {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer was not there in time. What was asked for may have happened.
    #[error("no answer from {host} within {limit:?}")]
    TimedOut {
        /// The host.
        host: String,
        /// The time limit.
        limit: Duration,
    },
    /// The connection broke off. What was asked for may have happened.
    #[error("the connection to {host} broke off")]
    Broken {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer is larger than what is read.
    #[error("the answer of {host} has more than {limit} bytes (`outbound.answer`)")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit.
        limit: u64,
    },
}

impl SendError {
    /// Whether the request certainly did not reach the host, so that sending it again repeats nothing.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unresolved { .. } | Self::Connect { .. })
    }
}
