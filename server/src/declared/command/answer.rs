//! What the end of a command means: an output, or a failure with a code. Pure.

use std::collections::BTreeMap;
use std::io;

use serde::Deserialize;
use serde_json::Value;

use super::process::End;
use crate::action::Failure;
use crate::config::units::show_duration;
use crate::declared::kind::Work;

/// What a command's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OutputForm {
    /// One JSON value.
    Json,
    /// Text in UTF-8; the output is a string, without the line break at its end.
    Text,
    /// There is none; the output is `null`.
    None,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A failure that a command told of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Told {
    pub(super) code: String,
    pub(super) message: String,
}

/// All that a command left.
pub(super) struct Answer {
    pub(super) end: End,
    pub(super) output: io::Result<Vec<u8>>,
    pub(super) failure: Option<Told>,
}

impl Answer {
    /// The output, or the failure with a word for operators on how the process ended.
    pub(super) fn judge(
        self,
        form: OutputForm,
        codes: &BTreeMap<i32, String>,
        retried: &[i32],
        work: &Work,
    ) -> Result<Value, (Failure, String)> {
        let exit = match self.end {
            End::Exited(exit) => exit,
            End::Canceled => return Err((Failure::canceled(), "canceled".to_owned())),
            End::TimedOut(limit) => {
                let message = format!("the command took longer than {}", show_duration(limit));
                return Err((Failure::retryable("timed-out", message), "ended after its time".to_owned()));
            }
            End::OutputTooLarge => return Err((too_large(work), "ended for its output".to_owned())),
        };
        let told = match exit {
            Exit::Code(code) => format!("exit code {code}"),
            Exit::Signal(signal) => format!("signal {signal}"),
        };
        let code = match exit {
            Exit::Code(0) => {
                let output = read(form, self.output, work);
                return output.map_err(|failure| (failure, told));
            }
            Exit::Code(code) => Some(code),
            Exit::Signal(_) => None,
        };
        let named = code.and_then(|code| codes.get(&code));
        let (said, message) = match self.failure {
            Some(Told { code, message }) => (Some(code), message),
            None => (None, format!("the command ended with {told}")),
        };
        let word = named.cloned().or(said).unwrap_or_else(|| "command-failed".to_owned());
        let again = code.is_some_and(|code| retried.contains(&code));
        let failure = if again { Failure::retryable(word, message) } else { Failure::new(word, message) };
        Err((failure, told))
    }
}

fn read(form: OutputForm, output: io::Result<Vec<u8>>, work: &Work) -> Result<Value, Failure> {
    let invalid = |what: &str| Failure::new("invalid-output", format!("the command succeeded, but {what}"));
    if form == OutputForm::None {
        return Ok(Value::Null);
    }
    let output = match output {
        Ok(output) if output.len() > work.max_output => return Err(too_large(work)),
        Ok(output) => output,
        Err(error) => return Err(invalid("its output file cannot be read").with_source(error)),
    };
    let text =
        String::from_utf8(output).map_err(|error| invalid("its output is not UTF-8").with_source(error))?;
    match form {
        OutputForm::Text => Ok(Value::String(text.trim_end_matches(['\r', '\n']).to_owned())),
        _ if text.trim().is_empty() => Err(invalid("it gave no output")),
        _ => {
            serde_json::from_str(&text).map_err(|error| invalid("its output is not JSON").with_source(error))
        }
    }
}

fn too_large(work: &Work) -> Failure {
    Failure::new("output-too-large", format!("the command gave more than {} bytes", work.max_output))
}
