//! `check`: tells whether the configuration is good. What is wrong with it alone has been said before.

use std::path::Path;

use raincheck_server::Server;
use raincheck_server::config::{Config, DEFAULT_FILE};

use super::actions;
use super::failure::Failure;

/// Checks what only the actions can tell, and says that all is well.
pub(super) fn run(config: Config, file: Option<&Path>) -> Result<(), Failure> {
    actions::register(Server::builder(), &config)?
        .config(config)
        .document()
        .map_err(|error| Failure::because("the actions", &error))?;
    match file.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|file| file.exists())) {
        Some(file) => println!("{}: the configuration is good", file.display()),
        None => println!(
            "there is no {DEFAULT_FILE} here; the defaults, the environment and the arguments are good"
        ),
    }
    Ok(())
}
