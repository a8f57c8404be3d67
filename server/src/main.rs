//! `raincheck-server`: the server with its sample actions, and the commands around it.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
