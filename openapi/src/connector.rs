//! The custom connector of a server, for Logic Apps and Power Automate: the files that `paconn` and the import take.
//!
//! Every action is one step of a workflow, and one way to start a workflow when an operation has ended. Its status path
//! is declared as well, for nobody to see: the gateway before a connector only lets through what is declared, and polls
//! pass through it.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::document::{self, ActionDescription, DocumentError, DocumentSettings};

mod definition;
mod icon;
mod readme;
pub mod rules;
mod schemas;
#[cfg(test)]
mod tests;
mod webhook;
mod words;

/// The most that Microsoft takes: bytes of a definition.
pub const LARGEST_DEFINITION: usize = 1_000_000;
/// The most that Microsoft takes: operations of a definition.
pub const MOST_OPERATIONS: usize = 256;

/// How a connector presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorSettings {
    /// Its name.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// The colour behind its icon, as `#rrggbb`.
    pub color: String,
    /// Who publishes it.
    pub publisher: String,
    /// The host that the definition names, with a port if need be; each connection names its own.
    pub host: String,
    /// The path before `/v1`; empty for none.
    pub base_path: String,
    /// Whether its actions start workflows, and how.
    pub triggers: Triggers,
}

/// How the connector starts workflows when operations have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Triggers {
    /// One poll brings up to 100 operations, and the workflow engine starts a run for each: fewer polls, which are
    /// billed one by one.
    #[default]
    Batch,
    /// One poll brings one operation.
    Single,
    /// Not at all: a third fewer operations in the definition.
    None,
}

impl Triggers {
    /// The operations that each action has in a definition.
    const fn operations(self) -> usize {
        match self {
            Self::Batch | Self::Single => 3,
            Self::None => 2,
        }
    }
}

impl Default for ConnectorSettings {
    fn default() -> Self {
        Self {
            title: "Raincheck".into(),
            description:
                "Starts work that takes longer than one request may take, waits for it, and gives its result."
                    .into(),
            color: "#2b5f75".into(),
            publisher: "raincheck".into(),
            host: "raincheck.example.org".into(),
            base_path: String::new(),
            triggers: Triggers::default(),
        }
    }
}

/// One file of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorFile {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Why there can be no connector.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectorError {
    /// There is no document of these actions.
    Document(DocumentError),
    /// More operations than Microsoft takes: two for each action, one more for its trigger, and two for the one that
    /// subscribes.
    TooManyOperations {
        /// How many there would be.
        operations: usize,
        /// Of which kind its triggers are.
        triggers: Triggers,
    },
    /// A larger definition than Microsoft takes.
    TooLarge {
        /// How large it would be.
        bytes: usize,
    },
    /// Texts that break Microsoft's rules, each with its place.
    Rules(Vec<String>),
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(error) => error.fmt(f),
            Self::TooManyOperations { operations, triggers: Triggers::None } => write!(
                f,
                "a connector has at most {MOST_OPERATIONS} operations, and each action needs two; these actions need \
                 {operations}: make servers of fewer actions"
            ),
            Self::TooManyOperations { operations, triggers: _ } => write!(
                f,
                "a connector has at most {MOST_OPERATIONS} operations, and each action needs three, its trigger included; \
                 with the trigger that subscribes, these actions need {operations}: leave the triggers out (`triggers = \"none\"`), or make servers of fewer \
                 actions"
            ),
            Self::TooLarge { bytes } => write!(
                f,
                "a connector's definition has less than {LARGEST_DEFINITION} bytes, and this one would have {bytes}: \
                 make servers of fewer actions, or smaller types"
            ),
            Self::Rules(broken) => write!(f, "Microsoft would refuse this connector:\n{}", broken.join("\n")),
        }
    }
}

impl std::error::Error for ConnectorError {}

impl From<DocumentError> for ConnectorError {
    fn from(error: DocumentError) -> Self {
        Self::Document(error)
    }
}

/// The connector of a server with these actions, file by file. It keeps Microsoft's rules ([`rules`]); a definition
/// that would be too large in lines is written in one.
///
/// ```
/// use raincheck_openapi::connector::{ConnectorSettings, connector};
/// use raincheck_openapi::document::DocumentSettings;
/// let files = connector(&ConnectorSettings::default(), &DocumentSettings::default(), &[])?;
/// assert_eq!(files[0].name, "apiDefinition.swagger.json");
/// # Ok::<(), raincheck_openapi::connector::ConnectorError>(())
/// ```
///
/// # Errors
/// If the schemas of an action do not hold together, or Microsoft would refuse the connector.
pub fn connector(
    settings: &ConnectorSettings,
    document: &DocumentSettings,
    actions: &[ActionDescription],
) -> Result<Vec<ConnectorFile>, ConnectorError> {
    let triggers = settings.triggers;
    let subscribing = if triggers == Triggers::None { 0 } else { webhook::OPERATIONS };
    let operations = actions.len() * triggers.operations() + subscribing;
    if operations > MOST_OPERATIONS {
        return Err(ConnectorError::TooManyOperations { operations, triggers });
    }
    let document = document::document(document, actions)?;
    let definition = definition::definition(settings, &document, actions);
    let properties = properties(settings);
    let broken = rules::broken(&definition, &properties);
    if !broken.is_empty() {
        return Err(ConnectorError::Rules(broken));
    }
    let readme = readme::readme(settings, &definition).into_bytes();
    let mut compact = definition.clone();
    let mut definition = text(definition);
    if definition.len() >= LARGEST_DEFINITION {
        compact.sort_all_objects();
        definition = format!("{compact}\n").into_bytes();
    }
    if definition.len() >= LARGEST_DEFINITION {
        return Err(ConnectorError::TooLarge { bytes: definition.len() });
    }
    Ok([
        (DEFINITION, definition),
        ("apiProperties.json", text(properties)),
        ("icon.png", icon::png(&settings.color)),
        ("readme.md", readme),
        ("settings.json", text(paconn())),
    ]
    .map(|(name, content)| ConnectorFile { name, content })
    .into())
}

const DEFINITION: &str = "apiDefinition.swagger.json";

fn text(mut value: Value) -> Vec<u8> {
    value.sort_all_objects();
    format!("{value:#}\n").into_bytes()
}

/// What a connection asks its user for, and what the gateway does with it.
fn properties(settings: &ConnectorSettings) -> Value {
    let ask = |name: &str, kind: &str, description: &str, place: u8, clear: bool| {
        json!({
            "type": kind,
            "uiDefinition": {
                "displayName": name,
                "description": description,
                "tooltip": description,
                "constraints": {"tabIndex": place, "clearText": clear, "required": "true"},
            },
        })
    };
    let capabilities: &[&str] =
        if settings.triggers == Triggers::None { &["actions"] } else { &["actions", "triggers"] };
    json!({"properties": {
        "iconBrandColor": settings.color,
        "publisher": settings.publisher,
        "capabilities": capabilities,
        "connectionParameters": {
            "host": ask("Host", "string", "The name of the server, such as raincheck.example.org", 1, true),
            "api_key": ask("Key", "securestring", "The key that the operator of the server made for this connection", 2, false),
        },
        // In place of the whole address, with its scheme and its base path.
        "policyTemplateInstances": [{
            "templateId": "dynamichosturl",
            "title": "Call the host of the connection",
            "parameters": {
                "x-ms-apimTemplateParameter.urlTemplate":
                    format!("https://@connectionParameters('host'){}", settings.base_path),
            },
        }],
    }})
}

/// The settings of paconn. Which environment and which connector is said on its command line.
fn paconn() -> Value {
    json!({
        "apiDefinition": DEFINITION,
        "apiProperties": "apiProperties.json",
        "icon": "icon.png",
        "powerAppsApiVersion": "2016-11-01",
        "powerAppsUrl": "https://api.powerapps.com",
    })
}
