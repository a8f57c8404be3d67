//! The options of `raincheck start`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::duration;

#[derive(Debug, Args)]
#[command(after_help = concat!("\
A start is safe to repeat: it carries an idempotency key, and the server starts nothing twice for one \
key. With several inputs the exit code is the highest of theirs.

", exit_codes!(), "

Examples:
  raincheck start submit-talk --input talk.json --wait
  echo '{\"seconds\": 3, \"steps\": 3}' | raincheck start countdown --input - --wait --timeout 1m
  raincheck start request-approval --input '{\"subject\": \"Travel\"}' --links cancel,event:decision

  # Survives being killed: the same command goes on where it was.
  raincheck start submit-talk --input talk.json --wait --resume talk.resume

  # Several at once, a bar each; one JSON document a line, in this order.
  raincheck start submit-talk --wait --input a.json --input b.json
  jq -c '.talks[]' talks.json | raincheck start submit-talk --wait --inputs -"))]
pub(crate) struct Start {
    /// The name of the action, as the server's /openapi.json lists it
    pub(crate) action: String,

    /// Its input: a file, JSON itself, or - for stdin; several of them start several operations
    /// [default: {}]
    #[arg(long, short, value_name = "FILE|JSON|-")]
    pub(crate) input: Vec<String>,

    /// A file (or - for stdin) with one JSON input a line; each starts an operation
    #[arg(long, value_name = "FILE|-", conflicts_with = "input")]
    pub(crate) inputs: Option<String>,

    /// Wait until the operation ends and print its output
    #[arg(long, short)]
    pub(crate) wait: bool,

    /// A name for this start, so that repeating it starts nothing twice; with several inputs KEY-1, KEY-2, …
    /// [default: a fresh one]
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,

    /// Ask for links with further rights, such as cancel or event:decision
    #[arg(long, value_name = "RIGHT", value_delimiter = ',')]
    pub(crate) links: Vec<String>,

    /// How long to wait at most, such as 30s or 5m; the operation itself goes on [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// Keep in FILE how to go on; with a FILE that is there, go on instead of starting again. It is removed
    /// once the operation has ended. Whoever can read it can read the status
    #[arg(long, value_name = "FILE", requires = "wait")]
    pub(crate) resume: Option<PathBuf>,
}
