//! The options of `raincheck poll`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use raincheck::{Dialect, FinalStateVia};

use super::access::{ACCESS, Access};
use super::parse::{duration, method};

#[derive(Debug, Args)]
#[command(after_help = concat!("\
The answer decides how it goes on:
  202 with Location                             polled until it answers something else
  Operation-Location or Azure-AsyncOperation    polled until its 'status' is a last one
  202 with statusQueryGetUri                    Durable Functions, polled until they end
  a provisioningState that is no last one       the URL is polled until it is
  anything else                                 is the result already
The pace is the server's Retry-After. Cookies are kept until the command ends.

The key of --api-key goes to the origin of URL. One from RAINCHECK_API_KEY goes there only if that is \
the server of --url as well, so that it does not end up at somebody else's API.

A POST or PATCH whose answer is lost is not sent again, since it may have been accepted; --repeatable, \
or a header Idempotency-Key, says that it may be.

--json prints {\"status\": 200, \"headers\": {…}, \"body\": …, \"operation\": {\"status\": \"Succeeded\", …}}, \
and \"error\": {\"code\", \"message\"} if it did not go well.

", exit_codes!(), "

Examples:
  raincheck poll POST https://api.example/reports --body '{\"year\": 2026}' --timeout 10m

  # Azure Resource Manager: the credential goes along with the polls.
  raincheck poll PUT \"https://management.azure.com/subscriptions/…?api-version=2024-03-01\" \\
    --body vm.json --header \"Authorization: Bearer $TOKEN\" --resume vm.resume

  # A flow in Logic Apps or Power Automate with an asynchronous Response action.
  raincheck poll POST \"$FLOW_URL\" --body order.json

  # A file that is no JSON says what it is.
  raincheck poll POST https://api.example/convert --body scan.pdf \\
    -H 'Content-Type: application/pdf' > text.txt"))]
pub(crate) struct Poll {
    /// The method, such as POST, PUT or DELETE
    #[arg(value_parser = method)]
    pub(crate) method: String,

    /// Where the work is asked for (in quotes, if it has a '?')
    // Not just `url`: the global --url goes by that name.
    #[arg(value_name = "URL")]
    pub(crate) request_url: String,

    /// What to send: a file, JSON itself, or - for stdin; taken for JSON unless a header Content-Type says
    /// otherwise
    #[arg(long, short, value_name = "FILE|JSON|-")]
    pub(crate) body: Option<String>,

    /// How long it may take at most, such as 30s or 5m; the operation goes on [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// Keep in FILE how to go on; with a FILE that is there, go on instead of sending again. It is removed
    /// once the operation has ended. Whoever can read it can read the status
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    /// Sending it twice does what sending it once does, so it may be sent again if the answer is lost
    #[arg(long)]
    pub(crate) repeatable: bool,

    #[command(flatten)]
    pub(crate) access: Access,

    /// Where the result is once the work has ended [default: as the method and the answers say]
    #[arg(long, value_name = "WHERE", help_heading = ACCESS)]
    pub(crate) final_state_via: Option<Via>,

    /// How the server tells how the work stands [default: as its first answer looks]
    #[arg(long, help_heading = ACCESS)]
    pub(crate) dialect: Option<Manner>,
}

/// [`FinalStateVia`] as it can be typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Via {
    /// At the newest Location
    Location,
    /// In the status monitor itself
    #[value(alias = "azure-async-operation")]
    OperationLocation,
    /// At the URL of the request
    OriginalUri,
}

impl From<Via> for FinalStateVia {
    fn from(via: Via) -> Self {
        match via {
            Via::Location => Self::Location,
            Via::OperationLocation => Self::OperationLocation,
            Via::OriginalUri => Self::OriginalUri,
        }
    }
}

/// [`Dialect`] as it can be typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Manner {
    /// A Location that answers 202 until the work has ended
    Location,
    /// A URL that answers 200 with a 'status'
    StatusMonitor,
    /// The resource itself, with a 'provisioningState'
    BodyState,
    /// Durable Functions, with a 'runtimeStatus'
    DurableFunctions,
}

impl From<Manner> for Dialect {
    fn from(manner: Manner) -> Self {
        match manner {
            Manner::Location => Self::Location,
            Manner::StatusMonitor => Self::StatusMonitor,
            Manner::BodyState => Self::BodyState,
            Manner::DurableFunctions => Self::DurableFunctions,
        }
    }
}
