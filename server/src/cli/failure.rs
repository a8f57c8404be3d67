//! Why a command did not work, for the person who typed it.

use std::error::Error;
use std::process::ExitCode;

use raincheck_server::config::ConfigError;

/// A command that did not work.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    code: u8,
}

/// Usage and configuration, as clap has it too.
const USAGE: u8 = 2;

impl Failure {
    /// The person asked for something that cannot be.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: USAGE }
    }

    /// Something did not work.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// Something did not work, and `error` says why.
    pub(super) fn because(message: impl std::fmt::Display, error: &dyn Error) -> Self {
        Self::new(format!("{message}: {}", with_causes(error)))
    }

    /// Tells the person, and how to exit.
    pub(super) fn report(self) -> ExitCode {
        for line in self.message.lines() {
            eprintln!("raincheck-server: {line}");
        }
        ExitCode::from(self.code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

/// An error and what caused it, in one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        // Some errors repeat what caused them.
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}
