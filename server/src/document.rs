//! From the registered actions to the OpenAPI document.

use bytes::Bytes;
use raincheck_openapi::document::{
    ActionDescription, DocumentError, DocumentSettings, EventDescription, document,
};

use crate::action::{Registered, Registry};

/// The OpenAPI document of these actions, as JSON.
///
/// # Errors
/// If the schemas of an action do not hold together.
pub(crate) fn render(settings: &DocumentSettings, registry: &Registry) -> Result<Bytes, DocumentError> {
    let document = document(settings, &describe(registry))?;
    // The alternate form: the document is committed, and read in differences.
    Ok(Bytes::from(format!("{document:#}\n")))
}

/// What the document says about the actions of `registry`.
pub(crate) fn describe(registry: &Registry) -> Vec<ActionDescription> {
    registry.iter().map(|action| describe_action(action)).collect()
}

fn describe_action(action: &Registered) -> ActionDescription {
    let settings = action.settings();
    let schemas = action.schemas();
    let events = settings.events.iter().map(|event| EventDescription {
        name: event.name.clone(),
        schema: event.schema.clone(),
        many: event.many,
        has_page: !event.choices.is_empty(),
    });
    ActionDescription {
        name: action.name().to_string(),
        summary: settings.summary.clone(),
        description: settings.description.clone(),
        step_description: settings.step_description.clone(),
        input: schemas.input.clone(),
        output: schemas.output.clone(),
        status: schemas.status.clone(),
        components: schemas.components.clone(),
        events: events.collect(),
        failures: settings.failures.clone(),
        callers_may_cancel: settings.callers_may_cancel,
        caller_links: settings.caller_links.clone(),
        example: settings.example.clone(),
        output_example: settings.output_example.clone(),
        pace_seconds: settings.pace.seconds,
    }
}
