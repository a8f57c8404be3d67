//! The options of `raincheck status`, `wait` and `cancel`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Access;
use super::parse::duration;

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The status URL that the start printed (in quotes: it has a '?')
    pub(crate) status_url: String,
}

#[derive(Debug, Args)]
#[command(after_help = concat!("\
Ctrl-C stops the waiting, not the operation, and says how to go on.

With several URLs there is a bar for each, and stdout has one JSON document a line, in the order \
given: what --json shows. The exit code is the highest of theirs.

For operations of other APIs give their address as --url, and what 'poll' was given: --header and so on.

", exit_codes!(), "

Examples:
  raincheck wait \"$(raincheck start countdown --input '{\"seconds\": 5, \"steps\": 5}')\"
  raincheck wait --timeout 5m 'http://…?token=…' 'http://…?token=…'

  # Goes on with whatever an earlier 'start', 'poll' or 'wait' has left in the file.
  raincheck wait --resume talk.resume"))]
pub(crate) struct Wait {
    /// The status URLs that the starts printed (in quotes: each has a '?')
    #[arg(value_name = "STATUS_URL", required_unless_present = "resume")]
    pub(crate) status_urls: Vec<String>,

    /// How long to wait at most, such as 30s or 5m; the operations go on [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// Keep in FILE how to go on, and go on from there if it is there. It is removed once everything has
    /// ended. Whoever can read it can read the status
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) access: Access,
}
