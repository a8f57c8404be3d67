//! A registered action with its types erased.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use raincheck_openapi::InvalidField;
use raincheck_openapi::document::{components_of, schema_of};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use super::port::Port;
use super::strict::Strict;
use super::{Action, Context, Failure, Settings};
use crate::Json;
use crate::clock::after;
use crate::json::misfit;
use crate::operation::{OperationId, Origin};

/// An action as the engine and the documents see it.
pub struct Registered {
    name: Arc<str>,
    settings: Settings,
    schemas: Schemas,
    handler: Arc<dyn Handler>,
}

/// The schemas of an action: JSON Schema 2020-12, as JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schemas {
    /// What a caller gives.
    pub input: Value,
    /// What a caller gets.
    pub output: Value,
    /// The custom status.
    pub status: Value,
    /// What those and the events refer to as `#/components/schemas/NAME`, by name.
    pub components: Vec<(String, Value)>,
}

impl Registered {
    /// Erases the types of `action`.
    pub fn new<A: Action>(action: A) -> Self {
        let mut components = Vec::new();
        collect::<A::Input>(&mut components);
        collect::<A::Output>(&mut components);
        collect::<A::Status>(&mut components);
        let settings = action.settings();
        components.extend(settings.events.iter().flat_map(|event| event.schemas.iter().cloned()));
        let schemas = Schemas {
            input: schema_of::<A::Input>(),
            output: schema_of::<A::Output>(),
            status: schema_of::<A::Status>(),
            components,
        };
        Self { name: A::NAME.into(), settings, schemas, handler: Arc::new(action) }
    }

    /// An action whose handler knows no types, but schemas.
    pub(crate) fn of_schemas(
        name: &str,
        settings: Settings,
        schemas: Schemas,
        handler: Arc<dyn Handler>,
    ) -> Self {
        Self { name: name.into(), settings, schemas, handler }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its name, and those that it had.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        [&*self.name].into_iter().chain(self.settings.aliases.iter().map(String::as_str))
    }

    /// How the server treats it.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The schemas of its types.
    #[must_use]
    pub const fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Whether `input` fits.
    ///
    /// # Errors
    /// Where it does not: at least the first place.
    pub fn validate(&self, input: &str) -> Result<(), Vec<InvalidField>> {
        self.handler.validate(input)
    }

    /// The HTTP status of a failure with that code.
    #[must_use]
    pub fn failure_status(&self, code: &str) -> u16 {
        self.settings.failures.get(code).copied().unwrap_or(422)
    }

    /// Where a new operation of this action comes from.
    pub(crate) fn origin(&self, id: OperationId, caller: Arc<str>, link_key: u32, now: Timestamp) -> Origin {
        Origin {
            id,
            action: Arc::clone(&self.name),
            version: self.settings.version,
            caller,
            parent: None,
            created_at: now,
            deadline: after(now, self.settings.deadline),
            retention: self.settings.retention,
            link_key,
            tracking_id: None,
            traceparent: None,
        }
    }

    /// Runs its handler.
    pub(crate) fn run(&self, port: Arc<dyn Port>, input: Json) -> BoxFuture<'static, Result<Json, Failure>> {
        Arc::clone(&self.handler).run(port, input)
    }
}

// A type lists what it refers to, but not itself, and yet it may refer to itself.
fn collect<T: ToSchema>(components: &mut Vec<(String, Value)>) {
    components.push((T::name().into_owned(), schema_of::<T>()));
    components.extend(components_of::<T>());
}

/// What runs the operations of an action: an [`Action`], or what was declared of one.
pub(crate) trait Handler: Send + Sync {
    /// Whether `input` fits.
    ///
    /// # Errors
    /// Where it does not: at least the first place.
    fn validate(&self, input: &str) -> Result<(), Vec<InvalidField>>;
    /// The work.
    fn run(self: Arc<Self>, port: Arc<dyn Port>, input: Json) -> BoxFuture<'static, Result<Json, Failure>>;
}

impl<A: Action> Handler for A {
    fn validate(&self, input: &str) -> Result<(), Vec<InvalidField>> {
        fit::<A::Input>(input)
    }

    fn run(self: Arc<Self>, port: Arc<dyn Port>, input: Json) -> BoxFuture<'static, Result<Json, Failure>> {
        Box::pin(async move {
            // It was checked at acceptance; a later version of the action may still have changed its input.
            let read = input.read().map_err(|error| {
                Failure::new("unreadable-input", "the input no longer fits the action").with_source(error)
            })?;
            // It may wait for long now.
            drop(input);
            let output = Action::run(&*self, &mut Context::new(port, String::new()), read).await?;
            Ok(Json::of(&output)?)
        })
    }
}

/// Whether `json` is a `T`.
///
/// # Errors
/// The first place where it is not.
pub(crate) fn fit<T: DeserializeOwned>(json: &str) -> Result<(), Vec<InvalidField>> {
    let mut json = serde_json::Deserializer::from_str(json);
    match serde_path_to_error::deserialize::<_, T>(Strict(&mut json)) {
        Ok(_) => Ok(()),
        Err(error) => Err(vec![InvalidField::member(pointer(error.path()), misfit(error.inner()))]),
    }
}

/// A JSON Pointer (RFC 6901) to where serde stopped.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    use std::fmt::Write as _;
    path.iter().fold(String::new(), |mut pointer, segment| {
        match segment {
            Segment::Seq { index } => {
                let _ = write!(pointer, "/{index}");
            }
            Segment::Map { key } => {
                let _ = write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1"));
            }
            // A variant's name is a member's name in JSON; the unknown has none.
            Segment::Enum { variant } => {
                let _ = write!(pointer, "/{}", variant.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
        pointer
    })
}
