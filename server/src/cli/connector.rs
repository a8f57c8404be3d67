//! `connector`: writes the connector for Logic Apps and Power Automate, without a server and without a store.

use std::path::Path;

use raincheck_server::Server;
use raincheck_server::config::Config;

use super::actions;
use super::failure::Failure;

/// Writes the files of the connector into `out`, and says which.
pub(super) fn run(config: Config, out: &Path, host: Option<String>) -> Result<(), Failure> {
    let files = actions::register(Server::builder(), &config)?
        .config(config)
        .connector(host)
        .map_err(|error| Failure::because("the connector", &error))?;
    std::fs::create_dir_all(out).map_err(|error| Failure::because(out.display(), &error))?;
    for file in files {
        let path = out.join(file.name);
        std::fs::write(&path, file.content).map_err(|error| Failure::because(path.display(), &error))?;
        println!("{}", path.display());
    }
    Ok(())
}
