//! How the connector for Logic Apps and Power Automate presents itself.

use raincheck_openapi::connector::{ConnectorSettings, Triggers, rules};
use serde::Deserialize;

/// How the connector presents itself. `raincheck-server connector` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectorConfig {
    /// Its name in the list of connectors.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// The colour behind its icon, as `#rrggbb`.
    pub color: String,
    /// Who publishes it; the contact of the OpenAPI documents, too.
    pub publisher: String,
    /// Whether its actions start workflows when they have ended, and how.
    pub triggers: Triggers,
}

impl Default for ConnectorConfig {
    fn default() -> Self {
        let ConnectorSettings { title, description, color, publisher, triggers, .. } =
            ConnectorSettings::default();
        Self { title, description, color, publisher, triggers }
    }
}

impl ConnectorConfig {
    /// What is wrong, by key.
    pub(super) fn mistakes(&self) -> Vec<(&'static str, String)> {
        // Without `..`: a new key has to say what it may be.
        let Self { title, description, color, publisher, triggers: _ } = self;
        [
            ("connector.title", rules::title(title)),
            ("connector.description", rules::info_description(description)),
            ("connector.color", rules::color(color)),
            ("connector.publisher", rules::publisher(publisher)),
        ]
        .into_iter()
        .filter_map(|(key, rule)| Some((key, rule.err()?)))
        .collect()
    }
}
