//! One operation, from its beginning until it ends or is not watched any more.

use std::process::ExitCode;

use raincheck::{Error, Operation, View};
use serde_json::Value;

use crate::exit::Failure;
use crate::progress::Progress;
use crate::resume::{Resume, Slot};
use crate::show;

/// An operation that was watched.
pub(crate) struct Watched {
    /// `None` if it was never accepted, as far as this process knows.
    pub(crate) operation: Option<Operation<Value>>,
    /// Why the watching ended before the operation did.
    pub(crate) failure: Option<Failure>,
    /// Whether its server has ever said anything about it.
    is_known: bool,
}

/// How an operation comes to be watched.
pub(crate) enum Begun {
    /// Its server has just accepted it.
    Accepted(Operation<Value>),
    /// It was started earlier, and nobody has asked for it yet.
    Attached(Operation<Value>),
}

/// What an operation that succeeded has given.
pub(crate) struct Outcome {
    pub(crate) view: Option<View>,
    pub(crate) output: Output,
}

/// A result, from whatever API.
pub(crate) enum Output {
    Json(Value),
    /// As it came: a text, an image, nothing.
    Raw(Vec<u8>),
}

/// Watches an operation until it ends; Ctrl-C stops the watching, not the operation.
pub(crate) async fn watch(
    begin: impl Future<Output = Result<Begun, Failure>>,
    mut progress: Progress,
    slot: Slot<'_>,
) -> Watched {
    let (mut operation, mut is_known) = (None, false);
    let following = async {
        let operation = match begin.await? {
            Begun::Accepted(accepted) => operation.insert(accepted),
            Begun::Attached(attached) => {
                let attached = operation.insert(attached);
                first_look(attached).await?;
                attached
            }
        };
        is_known = true;
        slot.keep(operation.token());
        if operation.view().is_some() {
            progress.show(operation.status(), operation.view());
        }
        while operation.last_answer().is_none() {
            let status = operation.advance().await?;
            slot.keep(operation.token());
            progress.show(status, operation.view());
        }
        Ok(())
    };
    let done = tokio::select! {
        done = following => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    };
    drop(progress);
    let watched = Watched { operation, failure: done.err(), is_known };
    watched.note(slot);
    watched
}

/// Asks once. Later polls are repeated for as long as it takes; but if not even the first one gets through,
/// then more likely the URL is wrong or the server does not run, and the user should know now.
async fn first_look(operation: &mut Operation<Value>) -> Result<(), Error> {
    match operation.poll().await {
        Err(error) if !error.is_unavailable() => Err(error),
        _ => Ok(()),
    }
}

impl Watched {
    /// Notes what there is to go on with.
    fn note(&self, slot: Slot<'_>) {
        let error = match &self.failure {
            Some(Failure::Sdk(error)) => Some(error),
            _ => None,
        };
        let ended = self.operation.as_ref().is_some_and(|operation| operation.last_answer().is_some());
        if ended || error.is_some_and(|error| error.is_gone()) {
            slot.over();
        } else if error.is_some_and(|error| error.is_refused() || error.is_usage() || error.is_connect()) {
            slot.refused();
        } else if let Some(operation) = self.operation.as_ref().filter(|_| self.goes_on()) {
            // Not before: a URL that was typed may be of nothing.
            slot.keep(operation.token());
        }
    }

    /// Whether the operation goes on, as far as one can tell.
    fn goes_on(&self) -> bool {
        self.operation.as_ref().is_some_and(|operation| operation.last_answer().is_none())
            && match &self.failure {
                Some(Failure::Interrupted) => true,
                Some(Failure::Sdk(error)) => error.is_timeout() || (error.is_transport() && self.is_known),
                _ => false,
            }
    }

    /// The status URL of an operation that goes on; the one that was typed may have moved.
    pub(crate) fn status_url(&self) -> Option<String> {
        let operation = self.operation.as_ref().filter(|_| self.goes_on())?;
        Some(operation.token().url().to_owned())
    }

    /// Whether Ctrl-C came before the server's answer.
    pub(crate) fn is_interrupted_start(&self) -> bool {
        self.operation.is_none() && matches!(self.failure, Some(Failure::Interrupted))
    }

    /// What came of it. Any result will do if the server is `foreign`; a raincheck server's is JSON.
    pub(crate) async fn outcome(self, foreign: bool) -> Result<Outcome, Failure> {
        let operation = match (self.operation, self.failure) {
            (_, Some(failure)) => return Err(failure),
            (Some(operation), None) => operation,
            (None, None) => unreachable!("what was not begun has failed"),
        };
        // One of another server may be of an earlier answer, and say that it is at work.
        let view = operation.view().filter(|view| view.status.is_terminal()).cloned();
        let foreign = foreign || operation.dialect().is_some();
        let raw = operation.last_answer().map(|answer| answer.body().to_vec()).unwrap_or_default();
        if foreign && raw.trim_ascii().is_empty() {
            // Nothing is a result too, and not the same as `null`.
            return operation
                .await
                .map(|_| Outcome { view, output: Output::Raw(Vec::new()) })
                .map_err(Failure::from);
        }
        match operation.await {
            Ok(output) => Ok(Outcome { view, output: Output::Json(output) }),
            Err(error) if error.is_decode() && foreign => Ok(Outcome { view, output: Output::Raw(raw) }),
            Err(error) => Err(error.into()),
        }
    }
}

impl Outcome {
    /// The one document of `--json`: the status with the output in it, or the output alone.
    pub(crate) fn document(&self) -> show::Body {
        match (&self.view, &self.output) {
            (Some(view), _) => show::body(view),
            (None, Output::Json(output)) => show::Body::Other(output.clone()),
            (None, Output::Raw(bytes)) => show::Body::Other(String::from_utf8_lossy(bytes).into()),
        }
    }

    /// Prints the output for people.
    pub(crate) fn print(&self) {
        match &self.output {
            Output::Json(output) => show::document(output),
            Output::Raw(bytes) => show::raw(bytes),
        }
    }
}

/// Prints the outcome of the only operation of a command, and how to go on if there is none yet.
pub(crate) async fn conclude(watched: Watched, resume: &Resume, json: bool) -> Result<ExitCode, Failure> {
    if let Some(url) = watched.status_url() {
        let way_on = resume.way_on().unwrap_or_else(|| show::wait_command(&url));
        eprintln!("not ended yet; go on with: {way_on}");
    }
    let outcome = watched.outcome(false).await;
    match &outcome {
        Ok(outcome) if json => show::document(&outcome.document()),
        Ok(outcome) => outcome.print(),
        Err(failure) => resume.explain_refusal(failure),
    }
    resume.close();
    outcome.map(|_| ExitCode::SUCCESS)
}
