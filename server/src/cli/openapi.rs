//! `openapi`: prints the document, without a server and without a store.

use std::io::Write as _;

use raincheck_server::Server;
use raincheck_server::config::Config;

use super::actions;
use super::failure::Failure;

/// Prints the document.
pub(super) fn run(config: Config) -> Result<(), Failure> {
    let document = actions::register(Server::builder(), &config)
        .config(config)
        .document()
        .map_err(|error| Failure::because("the document", &error))?;
    std::io::stdout().write_all(&document).map_err(|error| Failure::because("standard output", &error))
}
