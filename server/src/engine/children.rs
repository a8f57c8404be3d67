//! Child operations: ordinary operations that a handler starts and waits for.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::run::Run;
use super::{Inner, LONGEST_STORE_PAUSE, STORE_PAUSE};
use crate::Json;
use crate::action::port::Ticket;
use crate::action::{Failure, Registered};
use crate::clock::after;
use crate::operation::{Operation, OperationId, Origin, State};
use crate::store::{ActiveLimits, Found, NewOperation, Signal, StoreError};

impl Inner {
    /// Starts the child of a command, or finds it started, and tells the command when it has ended.
    pub(super) fn start_child(
        self: &Arc<Self>,
        parent: Arc<Run>,
        ticket: Ticket,
        id: OperationId,
        action: String,
        input: Json,
    ) -> AbortHandle {
        let inner = Arc::clone(self);
        let task = self.services.spawn(async move {
            let result = inner.child(&parent, id, &action, input).await;
            parent.child_ended(ticket, id, result);
        });
        task.abort_handle()
    }

    async fn child(
        self: &Arc<Self>,
        parent: &Arc<Run>,
        id: OperationId,
        action: &str,
        input: Json,
    ) -> Result<Json, Failure> {
        let Some(registered) = self.actions.find(action) else {
            return Err(Failure::new(
                "unknown-child",
                "an action that this operation starts is not registered",
            ));
        };
        registered.validate(input.get()).map_err(|errors| {
            let detail = errors
                .first()
                .map_or_else(String::new, |error| format!("{}: {}", error.place(), error.detail));
            Failure::new("invalid-child-input", "an action that this operation starts refuses its input")
                .with_source(detail)
        })?;
        let mut watch = self.watchers.watch(id);
        let mut pause = STORE_PAUSE;
        loop {
            match self.child_once(parent, id, &registered, &input).await {
                Ok(Some(result)) => return result,
                Ok(None) => watch.changed().await,
                Err(error) => {
                    tracing::error!(operation.id = %parent.operation.id, child.id = %id, %error, retry_in = ?pause, "the store failed");
                    self.clock.sleep_until(after(self.clock.now(), pause)).await;
                    pause = (pause * 2).min(LONGEST_STORE_PAUSE);
                }
            }
        }
    }

    /// The child's result, if it has ended; starts it if it does not exist.
    async fn child_once(
        self: &Arc<Self>,
        parent: &Arc<Run>,
        id: OperationId,
        action: &Arc<Registered>,
        input: &Json,
    ) -> Result<Option<Result<Json, Failure>>, StoreError> {
        let operation = match self.store.read(id).await? {
            Some(Found::Operation(operation)) => operation,
            Some(Found::Gone(_)) => {
                return Ok(Some(Err(Failure::new(
                    "child-failed",
                    "the outcome of a child operation is no longer kept",
                ))));
            }
            None => {
                self.submit_child(parent, id, action, input.clone()).await?;
                return Ok(None);
            }
        };
        Ok(match (operation.state, &operation.output, &operation.problem) {
            (State::Succeeded, Some(output), _) => Some(Ok(output.clone())),
            (State::Failed | State::Canceled, _, Some(problem)) => {
                let reserved = raincheck_openapi::ProblemCode::from_word(&problem.code).is_some();
                let code = if reserved || operation.state == State::Canceled {
                    "child-failed"
                } else {
                    &problem.code
                };
                Some(Err(Failure::new(code, problem.message.clone())))
            }
            _ => None,
        })
    }

    async fn submit_child(
        self: &Arc<Self>,
        run: &Arc<Run>,
        id: OperationId,
        action: &Arc<Registered>,
        input: Json,
    ) -> Result<(), StoreError> {
        let parent = &run.operation;
        let now = self.clock.now();
        let origin = action.origin(id, Arc::clone(&parent.caller), parent.link_key, now);
        let operation = Operation::accepted(Origin {
            parent: Some(parent.id),
            deadline: origin.deadline.min(parent.deadline),
            tracking_id: parent.tracking_id.clone(),
            traceparent: parent.traceparent.clone(),
            ..origin
        });
        // A parent that holds a place must not wait for another one.
        let limits = ActiveLimits { total: u64::MAX, action: u64::MAX, caller: u64::MAX };
        let new = NewOperation { operation, input, idempotency: None, limits, callback: None };
        // A task of its own: whoever waits for the child may be told of a cancel and go.
        let (inner, run, action) = (Arc::clone(self), Arc::clone(run), Arc::clone(action));
        let submitted = self.services.spawn(async move {
            let accepted = inner.submit(action, new).await;
            // A cancel that was passed on before the child was accepted has found nothing.
            let was_canceled = run.core().canceling.as_ref().is_some_and(|it| it.children.contains(&id));
            if was_canceled {
                inner.cancel_child(id);
            }
            accepted
        });
        submitted.await.unwrap_or(Err(StoreError::Closed)).map(drop)
    }

    /// Passes a cancel on that the process died with, if its parent has ended by it: no run of that will.
    pub(super) async fn catch_up_cancel(self: &Arc<Self>, child: &Operation) -> Result<(), StoreError> {
        let Some(parent) = child.parent.filter(|_| child.state != State::Canceling) else { return Ok(()) };
        if let Some(Found::Operation(parent)) = self.store.read(parent).await?
            && parent.state == State::Canceled
        {
            self.cancel_child(child.id);
        }
        Ok(())
    }

    /// Passes a cancel on. If the process dies before, the parent's next run passes it on again, or the recovery of the
    /// child does.
    pub(super) fn cancel_child(self: &Arc<Self>, id: OperationId) {
        let inner = Arc::clone(self);
        self.services.spawn(async move {
            if let Err(error) = inner.store.signal(id, Signal::Cancel, inner.clock.now()).await {
                tracing::error!(child.id = %id, %error, "a cancel could not be passed on to a child operation");
            }
        });
    }
}
