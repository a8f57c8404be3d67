//! The options of `raincheck listen`.

use clap::{Args, ValueEnum};
use raincheck::DeliveryFormat;

use super::{Ends, Secret};

#[derive(Debug, Args)]
#[command(after_help = "\
For receivers that the server cannot reach, such as one on this machine that is being written: this follows \
what ends, as 'watch' does, and sends it on as a webhook of the server's would come, signed by the scheme of \
Standard Webhooks.

What the receiver answers is printed. 2xx is taken; 408, 429 and 5xx are tried again, at the pace of Retry-After or \
with growing pauses; five such answers, or any other one, and it goes on with the next. A receiver that does not \
answer is tried again every second until it does.

Exit codes: 0 everything was taken, 1 something was not, 2 wrong usage, 4 server not reached, 5 refused, \
130 interrupted.

Examples:
  raincheck listen submit-talk --forward http://127.0.0.1:3000/hooks
  raincheck listen submit-talk --forward http://127.0.0.1:3000/hooks --all --outcome Failed --format view

  # The same secret in every run, and nothing missed in between.
  export RAINCHECK_WEBHOOK_SECRET=\"whsec_$(openssl rand -base64 32)\"
  raincheck listen submit-talk --forward http://127.0.0.1:3000/hooks --state hooks.state")]
pub(crate) struct Listen {
    #[command(flatten)]
    pub(crate) ends: Ends,

    /// Where to send it
    #[arg(long, value_name = "URL")]
    pub(crate) forward: String,

    /// In which form
    #[arg(long, value_enum, default_value_t = Format::CloudeventsStructured)]
    pub(crate) format: Format,

    /// What signs it: whsec_ and base64 of 24 to 64 bytes; better in the variable, since others on the machine
    /// can see arguments [default: a fresh one, printed]
    #[arg(long, env = "RAINCHECK_WEBHOOK_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub(crate) secret: Option<Secret>,
}

/// [`DeliveryFormat`] as it can be typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// An event in one JSON object; its 'data' is the status
    CloudeventsStructured,
    /// The status; what else the event says is in 'ce-' headers
    CloudeventsBinary,
    /// The status
    View,
}

impl From<Format> for DeliveryFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::CloudeventsStructured => Self::CloudeventsStructured,
            Format::CloudeventsBinary => Self::CloudeventsBinary,
            Format::View => Self::View,
        }
    }
}
