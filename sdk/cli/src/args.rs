//! What can be typed: commands, options, and their help. Each command's own options are in a file below.

/// The codes that every command which follows an operation ends with.
macro_rules! exit_codes {
    () => {
        "\
Exit codes: 0 succeeded, 1 failed or canceled, 2 wrong usage, 3 timed out, 4 server not reached, \
5 refused, 130 interrupted."
    };
}

mod access;
mod follow;
mod listen;
mod pages;
mod parse;
mod poll;
mod server;
mod start;
mod watch;

use clap::{Parser, Subcommand};

use crate::ops::OpsCommand;

pub(crate) use access::{Access, Secret};
pub(crate) use follow::{Target, Wait};
pub(crate) use listen::Listen;
pub(crate) use pages::{Completions, Man};
pub(crate) use poll::Poll;
pub(crate) use server::{OpsArgs, Server};
pub(crate) use start::Start;
pub(crate) use watch::{Ends, Watch};

const EXAMPLES: &str = "\
Examples:
  raincheck start countdown --input '{\"seconds\": 5, \"steps\": 5}' --wait
  raincheck start submit-talk --input talk.json          prints the status URL
  raincheck wait 'http://127.0.0.1:8080/v1/actions/…'    waits for the output
  raincheck poll POST https://api.example/reports --body report.json
                                                         any other API that answers 202
  raincheck watch submit-talk                            whatever ends, as it ends
  raincheck ops list --status Running                    for operators

Each command has more of them: raincheck help start

Exit codes:
  0  succeeded (for 'status': or still at work)
  1  the operation failed or was canceled
  2  wrong usage; nothing was sent
  3  timed out; the operation goes on
  4  the server could not be reached
  5  the server refused, or answered something else than an operation
130  interrupted; the operation goes on

With several operations at once, the highest of theirs.

Environment:
  RAINCHECK_URL        instead of --url
  RAINCHECK_API_KEY    instead of --api-key
  RAINCHECK_ADMIN_URL  instead of --admin-url of 'ops'
  RAINCHECK_WEBHOOK_SECRET  instead of --secret of 'listen'
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY  as usual";

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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start an action of a raincheck server and print its status URL, or wait for its output
    Start(Start),
    /// Print the status of an operation
    #[command(after_help = concat!("\
The status URL carries a right of its own, so no key is needed.

", exit_codes!(), "
An operation that is still at work is a 0 here.

Examples:
  raincheck status 'http://127.0.0.1:8080/v1/actions/countdown/operations/0198f3a0-…?token=…'
  raincheck status --json \"$URL\" | jq .percentComplete"))]
    Status(Target),
    /// Wait until operations end and print their outputs
    Wait(Wait),
    /// Cancel an operation
    ///
    /// It may still take some time to clean up, and it may succeed nevertheless: 'wait' shows how it ends.
    #[command(after_help = concat!("\
This needs a right of its own: the 'cancel' link of a start with --links cancel, or a key that may do it \
together with the status URL.

", exit_codes!(), "

Examples:
  raincheck cancel 'http://127.0.0.1:8080/v1/actions/countdown/operations/0198f3a0-…?token=…'
  raincheck cancel \"$URL\" && raincheck wait \"$URL\""))]
    Cancel(Target),
    /// Print every operation of an action that ends, as it ends
    Watch(Watch),
    /// Pass every operation of an action that ends on to a URL, as a webhook would be sent
    Listen(Listen),
    /// Send a request to any API, follow the operation that it starts, and print the result
    Poll(Box<Poll>),
    /// See and steer every operation of a server, on its management listener
    Ops(OpsArgs),
    /// Print a script that completes commands and options in a shell
    Completions(Completions),
    /// Print the manual page, or write one for each command
    Man(Man),
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
    fn a_header_is_not_in_the_debug_output() {
        let args = ["raincheck", "poll", "GET", "http://h", "--header", "x-key: secret"];

        assert!(!format!("{:?}", Args::parse_from(args)).contains("secret"));
    }
}
