//! What does the work of a declared action. A kind is a file beside this one: its keys, and its work.

use std::time::Duration;

use raincheck_openapi::ProblemCode;
use serde::Deserialize;
use serde_json::Value;
use toml::de::ValueDeserializer;

use super::command::Command;
use super::durable_functions::DurableFunctions;
use super::http::Http;
use super::reports::Status;
use super::surroundings::Surroundings;
use crate::Json;
use crate::action::{Context, Failure, RetryPolicy};

/// What does the work.
pub(super) enum Kind {
    /// A program on this machine.
    Command(Box<Command>),
    /// A request to another server.
    Http(Box<Http>),
    /// An orchestration of an Azure Durable Functions app.
    DurableFunctions(Box<DurableFunctions>),
}

/// What every kind goes by.
pub(super) struct Work {
    /// The action.
    pub(super) name: String,
    /// When a failed attempt is repeated.
    pub(super) retry: RetryPolicy,
    /// How long an attempt may take.
    pub(super) timeout: Option<Duration>,
    /// How long an attempt may go on after a cancel.
    pub(super) cancel_grace: Duration,
    /// Bytes of a result.
    pub(super) max_output: usize,
    /// What may be shown as a custom status.
    pub(super) status: Status,
    /// The names of the events that operations take.
    pub(super) events: Vec<String>,
}

/// A key, and what is wrong with it.
pub(super) type Mistake = (&'static str, String);

/// Which kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KindName {
    Command,
    Http,
    DurableFunctions,
}

impl KindName {
    pub(super) const ALL: [Self; 3] = [Self::Command, Self::Http, Self::DurableFunctions];

    /// The word for it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Http => "http",
            Self::DurableFunctions => "durable-functions",
        }
    }

    /// The keys that it has beside those of every action.
    pub(super) const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Command => Command::KEYS,
            Self::Http => Http::KEYS,
            Self::DurableFunctions => DurableFunctions::KEYS,
        }
    }
}

impl Kind {
    /// Reads the keys of a kind. The outer error is about the form of a value, the inner one about what it says.
    pub(super) fn read(
        name: KindName,
        keys: ValueDeserializer<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Result<Self, Mistake>, toml::de::Error> {
        Ok(match name {
            KindName::Command => {
                let command = Command::new(Deserialize::deserialize(keys)?, surroundings);
                command.map(Box::new).map(Self::Command)
            }
            KindName::Http => {
                let http = Http::new(Deserialize::deserialize(keys)?, surroundings);
                http.map(Box::new).map(Self::Http)
            }
            KindName::DurableFunctions => {
                let app = DurableFunctions::new(Deserialize::deserialize(keys)?, surroundings);
                app.map(Box::new).map(Self::DurableFunctions)
            }
        })
    }

    /// Whether its work is told of events.
    pub(super) const fn takes_events(&self) -> bool {
        match self {
            Self::Command(_) | Self::Http(_) => false,
            Self::DurableFunctions(_) => true,
        }
    }

    /// How many may work at a time, unless the action says.
    pub(super) fn concurrency(&self) -> Option<usize> {
        match self {
            Self::Command(_) => Some(Command::CONCURRENCY),
            // Work that is followed sleeps between its polls; what it takes is bounded by the client.
            Self::Http(http) if http.follows() => None,
            Self::Http(_) => Some(Http::CONCURRENCY),
            Self::DurableFunctions(_) => None,
        }
    }

    /// When a failed attempt is repeated, unless the action says.
    pub(super) fn retry(&self) -> RetryPolicy {
        match self {
            Self::Command(_) => RetryPolicy::never(),
            Self::Http(_) | Self::DurableFunctions(_) => RetryPolicy::default(),
        }
    }

    /// How long an attempt may take, unless the action says.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match self {
            Self::Command(_) => None,
            Self::Http(http) if http.follows() => Some(Duration::from_secs(60)),
            Self::Http(_) => Some(Duration::from_secs(600)),
            Self::DurableFunctions(_) => Some(Duration::from_secs(60)),
        }
    }

    /// Does the work.
    pub(super) async fn run(
        &self,
        cx: &mut Context<Value>,
        input: Value,
        work: &Work,
    ) -> Result<Value, Failure> {
        match self {
            Self::Command(command) => command.run(cx, input, work).await,
            Self::Http(http) => http.run(cx, input, work).await,
            Self::DurableFunctions(app) => app.run(cx, input, work).await,
        }
    }
}

/// Whether a failure may have that code.
///
/// # Errors
/// Why not, for whoever has written it.
pub(super) fn check_code(code: &str) -> Result<(), String> {
    if ProblemCode::from_word(code).is_some() {
        return Err(format!("`{code}` is one of the server's own codes; choose another word"));
    }
    match code.is_empty() || code.contains(char::is_whitespace) {
        true => Err(format!("`{code}` is no code of a failure; use a word such as \"no-such-report\"")),
        false => Ok(()),
    }
}

/// What another server gave, if it is not too much.
///
/// # Errors
/// `output-too-large`.
pub(super) fn bounded(output: Value, work: &Work) -> Result<Value, Failure> {
    let size = serde_json::to_vec(&output).map_or(usize::MAX, |text| text.len());
    if size > work.max_output {
        let message = format!("the work gave more than {} bytes", work.max_output);
        return Err(Failure::new("output-too-large", message));
    }
    Ok(output)
}

/// A failure with what operators see of it.
pub(super) fn with_details(failure: Failure, details: &Value) -> Failure {
    match Json::of(details) {
        Ok(details) => failure.with_details(details),
        Err(_) => failure,
    }
}
