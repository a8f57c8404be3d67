//! How a command ends: its exit code, and what it says when it did not go well.

use std::process::ExitCode;

use raincheck::{Error, Status};
use serde_json::{Value, json};

use crate::show;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const TIMED_OUT: u8 = 3;
const UNREACHABLE: u8 = 4;
const REFUSED: u8 = 5;
/// 128 and the number of SIGINT, as shells count.
const INTERRUPTED: u8 = 130;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error.
    Sdk(Box<Error>),
    /// The command line is right, but what it names is not.
    Usage(String),
    /// Ctrl-C while waiting.
    Interrupted,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sdk(Box::new(error))
    }
}

/// The exit code of an operation that was seen in this status.
pub(crate) fn of_status(status: Status) -> ExitCode {
    match status {
        Status::Failed | Status::Canceled => ExitCode::from(FAILED),
        _ => ExitCode::SUCCESS,
    }
}

impl Failure {
    /// Says what went wrong and how to mend it, and gives the exit code.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        if json {
            show::document(&self.document());
        }
        self.explain("");
        ExitCode::from(self.code())
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Sdk(error) => code_of(error),
            Self::Usage(_) => USAGE,
            Self::Interrupted => INTERRUPTED,
        }
    }

    /// Says on stderr what went wrong; who was interrupted knows that.
    pub(crate) fn explain(&self, which: &str) {
        let message = match self {
            Self::Sdk(error) => explain(error),
            Self::Usage(message) => message.clone(),
            Self::Interrupted => return,
        };
        eprintln!("raincheck: {which}{}", show::clean(&message));
    }

    /// The one document of `--json`: the view of an ended operation, the server's problem, or an error.
    pub(crate) fn document(&self) -> Value {
        match self {
            Self::Sdk(error) => document_of(error),
            Self::Usage(_) | Self::Interrupted => json!({"error": self.error()}),
        }
    }

    /// A code and a message: the server's own, if it has said one.
    pub(crate) fn error(&self) -> Value {
        let (code, message) = match self {
            Self::Sdk(error) => (word_of(error).to_owned(), error.to_string()),
            Self::Usage(message) => ("usage".to_owned(), message.clone()),
            Self::Interrupted => ("interrupted".to_owned(), "the operation goes on".to_owned()),
        };
        json!({"code": code, "message": message})
    }
}

fn code_of(error: &Error) -> u8 {
    match error {
        _ if error.is_failed() || error.is_canceled() => FAILED,
        _ if error.is_usage() => USAGE,
        _ if error.is_timeout() => TIMED_OUT,
        _ if error.is_transport() => UNREACHABLE,
        // Refusals, servers that cannot serve, and answers that no such server gives.
        _ => REFUSED,
    }
}

fn explain(error: &Error) -> String {
    let mut message = error.to_string();
    // Causes of our own words say what is wrong with a URL, an output, a connection.
    if error.is_usage() || error.is_decode() || error.is_transport() {
        message = with_causes(error);
    }
    if let Some(hint) = hint(error) {
        message.push('\n');
        message.push_str("  ");
        message.push_str(hint);
    }
    message
}

/// An error and what caused it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        // Some errors repeat what caused them.
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = inner.source();
    }
    message
}

fn hint(error: &Error) -> Option<&'static str> {
    match error {
        _ if error.is_connect() => Some(
            "Does the server run, and is the URL right (--url or RAINCHECK_URL, --admin-url, or the one given)?",
        ),
        _ if error.is_transport() => Some("Try again; the operation, if there is one, goes on."),
        _ if error.status() == Some(401) => Some(
            "Give a key with --api-key or RAINCHECK_API_KEY, and the status URL as it was printed, in quotes; \
             other APIs may want a --header.",
        ),
        _ if error.status() == Some(403) => {
            Some("This key may not do this; ask for one with the right role.")
        }
        _ if error.is_gone() => Some("Outcomes are kept for a limited time; this one is over."),
        _ if error.is_not_found() => Some(
            "Check the name, the id, the key's role, and that --url or --admin-url is the right listener.",
        ),
        _ if error.is_unavailable() => Some("Try again later."),
        _ if error.is_decode() => Some("Is this a raincheck server?"),
        _ => None,
    }
}

fn document_of(error: &Error) -> Value {
    if (error.is_failed() || error.is_canceled() || error.is_timeout())
        && let Some(view) = error.view()
    {
        return json!(show::body(view));
    }
    if let Some(problem) = error.problem() {
        return json!(problem);
    }
    json!({"error": {"code": word_of(error), "message": error.to_string()}})
}

fn word_of(error: &Error) -> &str {
    let theirs = match error.view().and_then(|view| view.error.as_ref()) {
        Some(reason) if error.is_failed() || error.is_canceled() => Some(reason.code.as_str()),
        _ => error.problem().map(|problem| problem.code.as_str()),
    };
    match error {
        _ if theirs.is_some_and(|code| !code.is_empty()) => theirs.unwrap_or_default(),
        _ if error.is_failed() => "failed",
        _ if error.is_canceled() => "canceled",
        _ if error.is_timeout() => "timed-out",
        _ if error.is_transport() => "unreachable",
        _ if error.is_usage() => "usage",
        _ => "refused",
    }
}
