//! Actions without Rust: a few lines of configuration that wrap a program or an HTTP endpoint.
//!
//! Reading order: `file` (from TOML to declarations), `declaration` (the keys that every action has) and
//! `places` (where they stand), `schema` (JSON
//! Schema: what fits, and what the document says), `kind` (what does the work; one file for each kind), `reports` (what
//! the work tells while it runs).

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use raincheck_openapi::InvalidField;
use serde_json::{Value, json};

use crate::Json;
use crate::action::port::Port;
use crate::action::{Context, Failure, Handler, Registered, Schemas, Settings};

mod command;
mod declaration;
mod durable_functions;
mod file;
mod http;
mod kind;
mod places;
mod reports;
mod schema;
mod secret;
mod surroundings;
mod template;

pub(crate) use command::clear;
pub(crate) use file::{Form, Wrong, line, read};
pub(crate) use surroundings::{SharedOutbound, Surroundings};

use kind::{Kind, Work, with_details};
use schema::Schema;

/// The actions that a configuration declares.
#[derive(Clone, Default)]
pub struct DeclaredActions(Vec<Arc<Declared>>);

impl DeclaredActions {
    pub(crate) fn push(&mut self, action: Declared) {
        self.0.push(Arc::new(action));
    }

    /// Their names and summaries, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|action| (&*action.name, &*action.settings.summary))
    }

    /// The same for those who run actions.
    pub(crate) fn register(&self) -> impl Iterator<Item = Arc<Registered>> {
        self.0.iter().map(Declared::register)
    }
}

impl PartialEq for DeclaredActions {
    /// Whether they were read at the same time from the same place.
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

impl fmt::Debug for DeclaredActions {
    // Names only: what is declared of an action may have secrets in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|action| &action.name)).finish()
    }
}

/// An action that a configuration declares.
pub(crate) struct Declared {
    name: String,
    settings: Settings,
    schemas: Schemas,
    input: Schema,
    output: Schema,
    work: Work,
    kind: Kind,
}

impl Declared {
    pub(crate) fn register(self: &Arc<Self>) -> Arc<Registered> {
        let (settings, schemas) = (self.settings.clone(), self.schemas.clone());
        Arc::new(Registered::of_schemas(&self.name, settings, schemas, Arc::clone(self) as Arc<dyn Handler>))
    }
}

impl Handler for Declared {
    fn validate(&self, input: &str) -> Result<(), Vec<InvalidField>> {
        self.input.check_text(input)
    }

    fn run(self: Arc<Self>, port: Arc<dyn Port>, input: Json) -> BoxFuture<'static, Result<Json, Failure>> {
        Box::pin(async move {
            let read: Value = input.read()?;
            drop(input);
            // It was checked at acceptance; the declaration may have changed since.
            let errors = self.input.errors(&read);
            if !errors.is_empty() {
                let failure = Failure::new("unreadable-input", "the input no longer fits the action");
                return Err(with_details(failure, &json!(errors)));
            }
            let mut context = Context::new(port, String::new());
            let output = self.kind.run(&mut context, read, &self.work).await?;
            let errors = self.output.errors(&output);
            if errors.is_empty() {
                return Ok(Json::of(&output)?);
            }
            let message = "the work gave a result that does not fit the output of the action";
            Err(with_details(Failure::new("invalid-output", message), &json!(errors)))
        })
    }
}
