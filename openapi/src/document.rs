//! The OpenAPI 3.1 document of a server: concrete paths for each of its actions, typed with that action's types.
//!
//! The document is written as JSON rather than with utoipa's builders: those have no place for a header that is
//! required, and OpenAPI's own words are what a reader of this code knows. The schemas are JSON, too: they come from
//! utoipa where a type has them, or from a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value, json};

use names::Names;
use operations::Operations;
use schemas::Schemas;

mod events;
mod names;
mod operations;
mod parameters;
mod responses;
mod schemas;
mod subscriptions;
#[cfg(test)]
mod tests;

pub use schemas::{components_of, schema_of};

/// What the document says about the server as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSettings {
    /// The name of the API.
    pub title: String,
    /// The version of the API.
    pub version: String,
    /// What the API is for.
    pub description: String,
    /// Who answers for the API.
    pub contact: String,
    /// The licence of the API, an SPDX expression; `None`: the document names none.
    pub license: Option<String>,
    /// Where callers reach it; `None`: wherever they got the document from.
    pub server_url: Option<String>,
    /// The media type of errors: `application/problem+json`, or `application/json` for callers that know no other.
    pub error_media_type: String,
    /// How many seconds `Prefer: wait` is granted at most.
    pub longest_wait: u32,
}

impl Default for DocumentSettings {
    fn default() -> Self {
        Self {
            title: "raincheck".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            description: "Durable asynchronous operations. Start an action, get 202 with a status URL, come back for \
                          the outcome: `Location` answers 202 until the operation has ended, and `Retry-After` says \
                          when to ask again."
                .into(),
            contact: "raincheck".into(),
            license: None,
            server_url: None,
            error_media_type: "application/problem+json".into(),
            longest_wait: 30,
        }
    }
}

/// What the document says about one action.
#[derive(Debug, Clone)]
pub struct ActionDescription {
    /// Its name in URLs.
    pub name: String,
    /// What it does, in a few words.
    pub summary: String,
    /// What it does, in some sentences.
    pub description: String,
    /// The same for the step of a connector, if `description` speaks of what no step has.
    pub step_description: Option<String>,
    /// What a caller gives: a schema of JSON Schema 2020-12, as JSON. What it refers to is `#/components/schemas/NAME`.
    pub input: Value,
    /// What a caller gets.
    pub output: Value,
    /// The custom status.
    pub status: Value,
    /// The schemas that those and the events refer to, by name.
    pub components: Vec<(String, Value)>,
    /// The events that its operations take.
    pub events: Vec<EventDescription>,
    /// The codes of its failures with their HTTP statuses; others answer with 422.
    pub failures: BTreeMap<String, u16>,
    /// Whether whoever started an operation may cancel it.
    pub callers_may_cancel: bool,
    /// The links that a caller may ask for at the start.
    pub caller_links: Vec<String>,
    /// An example input.
    pub example: Option<Value>,
    /// An example output.
    pub output_example: Option<Value>,
    /// What `Retry-After` says, about.
    pub pace_seconds: u32,
}

/// What the document says about one event of an action.
#[derive(Debug, Clone)]
pub struct EventDescription {
    /// Its name.
    pub name: String,
    /// The schema of its body.
    pub schema: Value,
    /// Whether one link may deliver more than one.
    pub many: bool,
    /// Whether its links open as a page for people.
    pub has_page: bool,
}

/// Why there can be no document of these actions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DocumentError {
    /// Two different types of one action have one name.
    TwoTypesOfOneName {
        /// The action.
        action: String,
        /// The name.
        name: String,
    },
    /// A type is referred to, but its schema is not among the components.
    MissingSchema {
        /// The action.
        action: String,
        /// The name.
        name: String,
    },
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoTypesOfOneName { action, name } => write!(
                f,
                "action `{action}`: two different types are called `{name}` in its schemas; give one of them another \
                 name with #[schema(as = …)]"
            ),
            Self::MissingSchema { action, name } => write!(
                f,
                "action `{action}`: its schemas refer to `{name}`, but there is no schema of that name; its type must \
                 list it in ToSchema::schemas"
            ),
        }
    }
}

impl std::error::Error for DocumentError {}

/// The OpenAPI 3.1 document of a server with these actions.
///
/// The same actions always give the same document, in whatever order they come.
///
/// ```
/// use raincheck_openapi::document::{DocumentSettings, document};
/// let document = document(&DocumentSettings::default(), &[])?;
/// assert_eq!(document["openapi"], "3.1.0");
/// # Ok::<(), raincheck_openapi::document::DocumentError>(())
/// ```
///
/// # Errors
/// If the schemas of an action do not hold together.
pub fn document(settings: &DocumentSettings, actions: &[ActionDescription]) -> Result<Value, DocumentError> {
    let mut actions: Vec<_> = actions.iter().collect();
    actions.sort_by(|a, b| a.name.cmp(&b.name));
    let names = Names::new(actions.iter().map(|action| action.name.as_str()));
    let schemas = Schemas::new(&actions, &names)?;
    let mut operations = Operations::new(settings, names);
    // First: their names are the contract's own, and an action's gives way.
    operations.describe_subscriptions();
    for action in &actions {
        operations.describe(action, schemas.of(&action.name));
    }
    let own = json!({"name": "subscriptions", "description": "Who is told of what has ended."});
    let tags: Vec<_> = actions.iter().map(|action| tag(action)).chain([own]).collect();
    let (paths, security) = operations.finish();
    let mut shared = responses::shared(&settings.error_media_type);
    let used = answers(&paths);
    shared.retain(|name, _| used.contains(name.as_str()));
    let mut document = json!({
        "openapi": "3.1.0",
        "info": info(settings),
        "servers": [{"url": settings.server_url.as_deref().unwrap_or("/")}],
        "tags": tags,
        "components": {"responses": shared, "securitySchemes": security},
    });
    // Not within `json!`, which copies what it is given: these are large.
    document["components"]["schemas"] = schemas.finish().into();
    document["paths"] = paths.into();
    // Whether serde_json keeps the order of members is up to the other crates of a build; the document is not.
    document.sort_all_objects();
    Ok(document)
}

/// The names of the shared answers that operations refer to.
fn answers(paths: &Map<String, Value>) -> BTreeSet<&str> {
    let operations = paths.values().filter_map(Value::as_object).flat_map(Map::values);
    let answers =
        operations.filter_map(|operation| operation.get("responses")?.as_object()).flat_map(Map::values);
    answers
        .filter_map(|answer| answer.get("$ref")?.as_str()?.strip_prefix("#/components/responses/"))
        .collect()
}

fn info(settings: &DocumentSettings) -> Value {
    let mut info = json!({
        "title": settings.title,
        "version": settings.version,
        "description": settings.description,
        "contact": {"name": settings.contact},
    });
    if let Some(license) = &settings.license {
        info["license"] = json!({"name": license, "identifier": license});
    }
    info
}

fn tag(action: &ActionDescription) -> Value {
    let description = [action.summary.trim(), action.description.trim()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n");
    let mut tag = Map::from_iter([("name".to_owned(), json!(action.name))]);
    tag.insert("description".into(), json!(if description.is_empty() { &action.name } else { &description }));
    Value::Object(tag)
}
