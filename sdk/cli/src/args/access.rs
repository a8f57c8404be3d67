//! What an API wants to see of its callers, and how its answers are taken.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::parse::{duration, rewrite};

/// The heading of everything that an API may want.
pub(super) const ACCESS: &str = "API";

/// What goes along with the requests of one operation.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// A header such as 'Authorization: Bearer …', or @FILE with one header a line; may be repeated. It goes
    /// to the origin of the URL and to those of --trust, never elsewhere
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE|@FILE", help_heading = ACCESS)]
    pub(crate) headers: Vec<Secret>,

    /// A query parameter that every request needs, such as api-version=2026-01-01, for servers that leave it
    /// out of their status URLs; may be repeated
    #[arg(long, value_name = "NAME=VALUE", help_heading = ACCESS)]
    pub(crate) carry_query: Vec<Secret>,

    /// Another origin that may see headers and key, for status URLs on a host of their own; may be repeated
    #[arg(long, value_name = "ORIGIN", help_heading = ACCESS)]
    pub(crate) trust: Vec<String>,

    /// Ask below TO for every URL below FROM, for servers that name themselves by an inner address
    #[arg(long, value_name = "FROM=TO", value_parser = rewrite, help_heading = ACCESS)]
    pub(crate) rewrite: Vec<(String, String)>,

    /// The longest pause between two polls, whatever the server asks for [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = ACCESS)]
    pub(crate) retry_after_max: Option<Duration>,
}

/// A value that is never printed, not even if it is wrong: so it is read after the command line.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
