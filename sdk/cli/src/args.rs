//! What can be typed: commands, options, and their help.

use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand};

use crate::ops::OpsCommand;

const EXAMPLES: &str = "\
Examples:
  raincheck start countdown --input '{\"seconds\": 5, \"steps\": 5}' --wait
  raincheck start submit-talk --input talk.json          prints the status URL
  raincheck wait 'http://127.0.0.1:8080/v1/actions/…'    waits for the output
  raincheck ops list --status Running                    for operators

Exit codes:
  0  succeeded (for 'status': or still at work)
  1  the operation failed or was canceled
  2  wrong usage
  3  timed out; the operation goes on
  4  the server could not be reached
  5  the server refused
130  interrupted; the operation goes on";

/// The heading that these options share in every help page.
const SERVER: &str = "Server";

/// Start, watch and cancel asynchronous HTTP operations
///
/// An operation is work that takes longer than a request. The server accepts it, gives a status URL, and goes
/// on whether or not anybody waits. Results go to stdout, everything else to stderr.
#[derive(Debug, Parser)]
#[command(name = "raincheck", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) server: Server,

    /// Print one JSON document on stdout, also for errors
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which server, and who is asking.
#[derive(ClapArgs)]
pub(crate) struct Server {
    /// The server's public URL
    #[arg(
        long,
        global = true,
        env = "RAINCHECK_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        help_heading = SERVER
    )]
    pub(crate) url: String,

    /// The API key, sent to the server of --url (or --admin-url) only; better in the variable, since others
    /// on the machine can see arguments
    #[arg(
        long,
        global = true,
        env = "RAINCHECK_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        help_heading = SERVER
    )]
    pub(crate) api_key: Option<String>,
}

// Written by hand so that the key is in no log.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start an action and print its status URL, or wait for its output
    Start(Start),
    /// Print the status of an operation
    Status(Target),
    /// Wait until an operation ends and print its output
    Wait(Wait),
    /// Cancel an operation
    Cancel(Target),
    /// See and steer every operation of a server, on its management listener
    Ops(OpsArgs),
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  raincheck start submit-talk --input talk.json --wait
  echo '{\"seconds\": 3, \"steps\": 3}' | raincheck start countdown --input - --wait --timeout 1m
  raincheck start request-approval --input '{\"subject\": \"Travel\"}' --links cancel,event:decision")]
pub(crate) struct Start {
    /// The name of the action, as /openapi.json lists it
    pub(crate) action: String,

    /// Its input: a file, JSON itself, or - for stdin
    #[arg(long, short, value_name = "FILE|JSON|-", default_value = "{}")]
    pub(crate) input: String,

    /// Wait until the operation ends and print its output
    #[arg(long, short)]
    pub(crate) wait: bool,

    /// A name for this start, so that repeating it starts nothing twice [default: a fresh one]
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,

    /// Ask for links with further rights, such as cancel or event:decision
    #[arg(long, value_name = "RIGHT", value_delimiter = ',')]
    pub(crate) links: Vec<String>,

    /// How long to wait at most, such as 30s or 5m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Target {
    /// The status URL that the start printed (in quotes: it has a '?')
    pub(crate) status_url: String,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  raincheck wait \"$(raincheck start countdown --input '{\"seconds\": 5, \"steps\": 5}')\"")]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) target: Target,

    /// How long to wait at most, such as 30s or 5m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  raincheck ops list --action submit-talk --status Running
  raincheck ops send-event 0198f3a0-… decision --data '{\"approved\": true, \"comment\": \"enjoy\"}'")]
pub(crate) struct OpsArgs {
    /// The URL of the server's management listener
    #[arg(
        long,
        global = true,
        env = "RAINCHECK_ADMIN_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        help_heading = SERVER
    )]
    pub(crate) admin_url: String,

    #[command(subcommand)]
    pub(crate) command: OpsCommand,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "write it like 30s, 5m or 1h30m".to_owned())?;
    Duration::try_from(duration).map_err(|_| "it cannot be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("-3s").is_err());
        assert!(duration("30").is_err());
    }
}
