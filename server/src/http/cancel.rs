//! `DELETE /v1/actions/{action}/operations/{id}`: asks an operation to stop.

use std::sync::Arc;

use http::StatusCode;
use warp::reply::Response;

use super::App;
use super::access::admit;
use super::call::Call;
use super::problem::Problem;
use super::status::json;
use super::view::{self, Reference};
use crate::auth::Caller;
use crate::capability::Right;
use crate::operation::{Operation, OperationId, State};
use crate::store::Signaled;

/// Asks an operation to stop; by a cancel link, an operator, or its starter if the action allows that.
pub(crate) async fn cancel(
    action: String,
    id: String,
    call: Arc<Call>,
    app: Arc<App>,
) -> Result<Response, Problem> {
    let may = |caller: &Caller, operation: &Operation| {
        let own = || *caller.name() == operation.caller && app.callers_may_cancel(&operation.action);
        caller.may_operate() || own()
    };
    let admitted = admit(&app, &call, &action, &id, &Right::Cancel, may).await?;
    request(&app, admitted.operation.id).await
}

/// Asks the operation to stop, for somebody who may: 202 while it cleans up, 200 once it is canceled.
pub(crate) async fn request(app: &App, id: OperationId) -> Result<Response, Problem> {
    match app.operations.cancel(id).await? {
        Signaled::Done(operation) | Signaled::Repeated(operation) | Signaled::AlreadyFinished(operation) => {
            match operation.state {
                State::Canceled => Ok(json(StatusCode::OK, view::json(&Reference::new(&operation)))),
                State::Succeeded | State::Failed => Err(Problem::already_terminal(&operation)),
                State::NotStarted | State::Running | State::Canceling => {
                    Ok(json(StatusCode::ACCEPTED, view::json(&Reference::new(&operation))))
                }
            }
        }
        // It may have been forgotten since it was read.
        Signaled::NotFound | Signaled::KeyReused | Signaled::TooManyEvents => Err(Problem::not_found()),
    }
}

impl App {
    fn callers_may_cancel(&self, action: &str) -> bool {
        self.operations.registry().find(action).is_some_and(|action| action.settings().callers_may_cancel)
    }
}
