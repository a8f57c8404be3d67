//! The options of `raincheck watch`, and those of every command that follows what ends.

use std::path::PathBuf;

use clap::Args;
use raincheck::Outcome;

use super::parse::outcome;

/// Which ends are followed, and from where on.
#[derive(Debug, Args)]
pub(crate) struct Ends {
    /// The name of the action, as the server's /openapi.json lists it
    pub(crate) action: String,

    /// Only what ended like this: Succeeded, Failed or Canceled; may be repeated [default: whatever ends]
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',', value_parser = outcome)]
    pub(crate) outcome: Vec<Outcome>,

    /// Everybody's operations, not only those that this key has started; for keys that may observe
    #[arg(long)]
    pub(crate) all: bool,

    /// Keep in FILE how far this is, after each one, and go on from there if it is there. Without it, it
    /// begins with what ends from now on. Whoever can read it can follow the same
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// Stop after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each end is a line on stdout: when, how, which operation, and what came of it. With --json a line has the \
status as JSON.

With --state nothing that ends is missed between two runs, and nothing is printed twice, except the last \
line if the command was killed while printing it. The first run with a FILE begins now.

Exit codes: 0 done (--once, --max, or nobody reads any more), 2 wrong usage, 4 server not reached, 5 refused, \
130 interrupted.

Examples:
  raincheck watch submit-talk
  raincheck watch submit-talk --outcome Failed,Canceled --all --json | jq -r .error.message

  # From cron: what has ended since the last time.
  raincheck watch submit-talk --state talks.state --once --json >> talks.jsonl")]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) ends: Ends,

    /// Print what has ended since FILE was written, and do not wait for more
    #[arg(long, requires = "state")]
    pub(crate) once: bool,
}
