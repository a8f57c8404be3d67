//! How a run ends, in the words that readers see.

use raincheck_openapi::ProblemCode;

use super::run::Run;
use crate::Json;
use crate::action::{Failure, FailureKind};
use crate::operation::{Outcome, Problem};

/// What the handler's result is to readers.
pub(super) fn of(run: &Run, result: Result<Json, Failure>) -> Outcome {
    let limit = run.engine.limits.result_bytes;
    match result {
        Ok(output) if output.get().len() > limit => Outcome::Failed(Problem {
            code: "output-too-large".to_owned(),
            message: format!("the output has more than {limit} bytes"),
            http_status: 422,
            details: None,
        }),
        Ok(output) => Outcome::Succeeded(output),
        Err(failure) => {
            tracing::info!(
                operation.id = %run.operation.id, action = %run.operation.action, failure.code = failure.code(),
                failure.source = failure.source().map(tracing::field::display), "the handler ended with a failure"
            );
            let problem = |http_status| Problem {
                code: failure.code().to_owned(),
                message: failure.message().to_owned(),
                http_status,
                details: failure.details().cloned(),
            };
            if failure.kind() == FailureKind::Canceled {
                Outcome::Canceled(problem(409))
            } else if ProblemCode::from_word(failure.code()).is_some() {
                // The server's own words would say something else to callers.
                Outcome::Failed(internal())
            } else {
                Outcome::Failed(problem(run.action.failure_status(failure.code())))
            }
        }
    }
}

/// The handler was told to stop before anything of it had run.
pub(super) fn canceled() -> Outcome {
    let failure = Failure::canceled();
    Outcome::Canceled(Problem {
        code: failure.code().to_owned(),
        message: failure.message().to_owned(),
        http_status: 409,
        details: None,
    })
}

/// The handler does not fit its journal.
pub(super) fn mismatch(run: &Run, reason: &str) -> Outcome {
    tracing::error!(
        operation.id = %run.operation.id, action = %run.operation.action, action.version = run.operation.version, reason,
        "journal-mismatch: the handler does not do what it did before; was it changed without a new version?"
    );
    let details = Json::of(&serde_json::json!({ "journalMismatch": reason })).ok();
    Outcome::Failed(Problem { details, ..internal() })
}

/// A failure whose cause is for operators only.
pub(super) fn internal() -> Problem {
    Problem {
        code: ProblemCode::InternalError.as_str().to_owned(),
        message:
            "the operation failed for an internal reason; the operator of the server can find it in the log"
                .to_owned(),
        http_status: 422,
        details: None,
    }
}
