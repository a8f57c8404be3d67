//! One operation of an action, without a server: on a store that is gone afterwards, and on no socket.

use std::sync::Arc;
use std::time::Duration;

use raincheck_openapi::InvalidField;

use super::{BuildError, ServerBuilder, handler_limits, operation_limits};
use crate::Json;
use crate::action::Actions;
use crate::clock::{Clock, SystemClock};
use crate::content::Content;
use crate::engine::{Engine, Parts};
use crate::operation::{Operation, Problem};
use crate::operations::{Operations, Start, StartError, Started};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Found, Store as _, StoreError};
use crate::watch::Watchers;

/// How an operation stands, as callers would see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Glimpse {
    /// How far it is, if it says.
    pub percent: Option<u8>,
    /// Its custom status, if it has one.
    pub custom_status: Option<Json>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Tried {
    /// With this output.
    Succeeded(Json),
    /// With a failure, or a cancel.
    Failed {
        /// The word for programs.
        code: String,
        /// The sentence for people.
        message: String,
        /// What only operators see.
        details: Option<Json>,
    },
}

/// Why an action could not be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TryError {
    /// There is no such action.
    #[error("there is no action of that name; there are: {}", .0.join(", "))]
    UnknownAction(Vec<String>),
    /// The input is not JSON.
    #[error("the input is not JSON: {0}")]
    NotJson(String),
    /// The input does not fit.
    #[error("the input does not fit the action")]
    InvalidInput(Vec<InvalidField>),
    /// The action.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The place where it would run.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who starts it.
const CALLER: &str = "trial";

/// How long a running step is waited for once the operation has ended.
const DRAIN: Duration = Duration::from_secs(1);

impl ServerBuilder {
    /// Runs one operation of an action to its end, and tells `watch` whenever it stands differently.
    ///
    /// # Errors
    /// If there is no such action, or its input does not fit.
    ///
    /// # Cancel safety
    /// If it is dropped, the operation stops where it is, and is forgotten.
    pub async fn try_action(
        self,
        name: &str,
        input: String,
        mut watch: impl FnMut(&Glimpse),
    ) -> Result<Tried, TryError> {
        self.config.check().map_err(BuildError::from)?;
        let config = self.config.clone();
        let registry = self.offer().with(&config.actions)?.registry;
        let Some(action) = registry.find(name).cloned() else {
            return Err(TryError::UnknownAction(registry.names().iter().map(ToString::to_string).collect()));
        };
        Content::parse(&input).map_err(|error| TryError::NotJson(error.to_string()))?;
        action.validate(&input).map_err(TryError::InvalidInput)?;
        let input = Json::parse(input).map_err(|error| TryError::NotJson(error.to_string()))?;

        let directory = tempfile::tempdir()?;
        let store = SqliteStore::open(SqliteOptions::new(directory.path()).without_sync());
        let store = Arc::new(store.map_err(BuildError::from)?);
        let (actions, watchers) = (Arc::new(Actions::new(registry)), Watchers::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let engine = Engine::new(Parts {
            store: store.clone(),
            actions: Arc::clone(&actions),
            watchers: watchers.clone(),
            clock: Arc::clone(&clock),
            event_url: Box::new(|operation, name| format!("event:{name} of {}", operation.id)),
            limits: handler_limits(&config),
        })?;
        let limits = operation_limits(&config);
        let operations = Operations::new(store.clone(), engine.clone(), actions, watchers, clock, limits, 1);
        let start = Start {
            caller: CALLER.into(),
            input,
            idempotency: None,
            tracking_id: None,
            traceparent: None,
            callback: None,
        };
        let mut operation = match operations.start(&action, start).await {
            Ok(Started::New(operation)) => operation,
            Ok(Started::Replayed(_))
            | Err(StartError::Draining | StartError::Full | StartError::KeyReused) => {
                return Err(StoreError::Closed.into());
            }
            Err(StartError::Store(error)) => return Err(error.into()),
        };
        let mut seen = None;
        while !operation.state.is_terminal() {
            let before = Arc::clone(&operation);
            let changed = |now: &Operation| {
                now.state != before.state
                    || now.percent != before.percent
                    || now.custom_status != before.custom_status
            };
            let found = operations.wait(operation.id, operation.deadline, changed).await?;
            let Some(Found::Operation(now)) = found else { return Err(StoreError::Closed.into()) };
            operation = now;
            let glimpse =
                Glimpse { percent: operation.percent, custom_status: operation.custom_status.clone() };
            let says_something = glimpse.percent.is_some() || glimpse.custom_status.is_some();
            if says_something && seen.as_ref() != Some(&glimpse) {
                watch(&glimpse);
                seen = Some(glimpse);
            }
        }
        engine.shut_down(DRAIN).await;
        store.close().await?;
        match (&operation.output, &operation.problem) {
            (_, Some(problem)) => {
                let Problem { code, message, http_status: _, details } = (**problem).clone();
                Ok(Tried::Failed { code, message, details })
            }
            (Some(output), None) => Ok(Tried::Succeeded(output.clone())),
            (None, None) => Err(StoreError::Closed.into()),
        }
    }
}
