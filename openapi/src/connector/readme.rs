//! `readme.md`: what whoever finds the connector should know.

use std::fmt::Write as _;

use serde_json::Value;

use super::{ConnectorSettings, Triggers};

/// The text.
pub(super) fn readme(settings: &ConnectorSettings, definition: &Value) -> String {
    let ConnectorSettings { title, description, publisher, .. } = settings;
    let mut actions = String::new();
    for operation in operations(definition).filter(|operation| operation["x-ms-visibility"] != "internal") {
        let text = |name: &str| operation[name].as_str().unwrap_or_default();
        let _ = writeln!(actions, "### {}\n\n{}\n", text("summary"), text("description"));
    }
    let started = match settings.triggers {
        Triggers::None => "",
        Triggers::Batch | Triggers::Single => {
            "Or begin a workflow with a trigger: it starts a run for everything of an action that ends from then on, with its\n\
             result or its error. A trigger is told what its own key has started, unless its scope says otherwise.\n\n"
        }
    };
    format!(
        "# {title}\n\n{description}\n\n\
         ## Publisher: {publisher}\n\n\
         ## Prerequisites\n\n\
         A running server that the cloud reaches by HTTPS, and a key that its operator made for this connection.\n\n\
         ## Supported operations\n\n\
         {actions}\
         ## Obtaining credentials\n\n\
         The operator of the server makes a key with `raincheck-server keys create --name NAME --role start`. A connection\n\
         asks for it, and for the name of the server. One key is one caller: give every connection its own.\n\n\
         ## Getting started\n\n\
         Put an action into a workflow, and give it an idempotency key that is the same when the step is repeated: the\n\
         workflow run name, the action name and, in a loop, the loop index. The step goes on once the work has ended.\n\n\
         {started}\
         ## Known issues and limitations\n\n\
         - A canceled workflow stops asking; the work on the server goes on.\n\
         - Work that fails makes the step fail. `error` in its answer has a code and a message.\n\
         - The links that a start can ask for do not reach a workflow, so the connector does not offer them.\n\n\
         ## Deployment\n\n\
         `paconn login`, then `paconn create --settings settings.json`, which asks for the environment.\n"
    )
}

fn operations(definition: &Value) -> impl Iterator<Item = &Value> {
    let paths = definition["paths"].as_object().into_iter().flatten();
    let members = paths.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    members.filter(|(name, _)| !name.starts_with("x-")).map(|(_, operation)| operation)
}
