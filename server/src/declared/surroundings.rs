//! Where a declaration stands: what its relative paths and the names of its variables mean, and how it reaches others.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::outbound::{Outbound, OutboundConfig};

/// Where a declaration stands.
pub(crate) struct Surroundings<'a> {
    /// The directory of its file: `./` in it begins here.
    pub(crate) directory: &'a Path,
    /// The environment of the server.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// Where operations may have a directory of their own.
    pub(crate) work: &'a Path,
    /// The shortest retention that an action may have.
    pub(crate) shortest_retention: Duration,
    /// The one HTTP client of all declarations.
    pub(crate) outbound: &'a SharedOutbound,
}

/// An HTTP client that is made when the first declaration needs it.
pub(crate) struct SharedOutbound {
    config: OutboundConfig,
    client: OnceCell<Outbound>,
}

impl SharedOutbound {
    pub(crate) fn new(config: OutboundConfig) -> Self {
        Self { config, client: OnceCell::new() }
    }
}

impl Surroundings<'_> {
    /// A path as the declaration has it.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        let path = self.directory.join(text);
        // Operations have working directories of their own, so it must not depend on one.
        std::path::absolute(&path).unwrap_or(path)
    }

    /// The HTTP client.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn outbound(&self) -> Result<Outbound, String> {
        if let Some(client) = self.outbound.client.get() {
            return Ok(client.clone());
        }
        let client = Outbound::new(self.outbound.config.clone()).map_err(|error| error.to_string())?;
        Ok(self.outbound.client.get_or_init(|| client).clone())
    }
}
