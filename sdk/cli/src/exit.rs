//! How a command ends: its exit code, and what it says when it did not go well.

use std::error::Error as _;
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
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let (code, message, document) = match &self {
            Self::Sdk(error) => (code_of(error), explain(error), document_of(error)),
            Self::Usage(message) => (USAGE, message.clone(), plain("usage", message)),
            Self::Interrupted => (INTERRUPTED, String::new(), plain("interrupted", "the operation goes on")),
        };
        if json {
            show::document(&document);
        }
        if !message.is_empty() {
            eprintln!("raincheck: {}", show::clean(&message));
        }
        ExitCode::from(code)
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
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = inner.source();
        }
    }
    if let Some(hint) = hint(error) {
        message.push('\n');
        message.push_str("  ");
        message.push_str(hint);
    }
    message
}

fn hint(error: &Error) -> Option<&'static str> {
    match error {
        _ if error.is_connect() => {
            Some("Does the server run, and is --url (RAINCHECK_URL) or --admin-url right?")
        }
        _ if error.is_transport() => Some("Try again; the operation, if there is one, goes on."),
        _ if error.status() == Some(401) => Some(
            "Give a key with --api-key or RAINCHECK_API_KEY, and the status URL as it was printed, in quotes.",
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

/// The one document of `--json`: the view of an ended operation, or else the server's problem.
fn document_of(error: &Error) -> Value {
    if (error.is_failed() || error.is_canceled() || error.is_timeout())
        && let Some(view) = error.view()
    {
        return json!(view);
    }
    if let Some(problem) = error.problem() {
        return json!(problem);
    }
    let code = match error {
        _ if error.is_timeout() => "timed-out",
        _ if error.is_transport() => "unreachable",
        _ if error.is_usage() => "usage",
        _ => "refused",
    };
    plain(code, &error.to_string())
}

fn plain(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}
