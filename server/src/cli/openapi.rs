//! `openapi`: prints the document, without a server and without a store.

use std::io::Write as _;

use raincheck_openapi::convert;
use raincheck_server::Server;
use raincheck_server::config::Config;

use super::actions;
use super::failure::Failure;

/// Which form of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// OpenAPI 3.1, as the server shows it
    #[value(name = "3.1")]
    OpenApi31,
    /// OpenAPI 3.0
    #[value(name = "3.0")]
    OpenApi30,
    /// Swagger 2.0
    #[value(name = "2.0")]
    Swagger20,
}

/// Prints the document.
pub(super) fn run(config: Config, format: Format) -> Result<(), Failure> {
    let document = actions::register(Server::builder(), &config)?
        .config(config)
        .document()
        .map_err(|error| Failure::because("the document", &error))?;
    let read = || serde_json::from_slice(&document).map_err(|error| Failure::because("the document", &error));
    let document = match format {
        Format::OpenApi31 => document.to_vec(),
        Format::OpenApi30 => format!("{:#}\n", convert::openapi_3_0(&read()?)).into_bytes(),
        Format::Swagger20 => format!("{:#}\n", convert::swagger_2_0(&read()?)).into_bytes(),
    };
    std::io::stdout().write_all(&document).map_err(|error| Failure::because("standard output", &error))
}
