//! The schemas of a document: the contract's own, and those of the actions, under names that do not clash.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::names::{Names, unique};
use super::{ActionDescription, DocumentError};
use crate::subscription::{EndEvent, NewSecret, NewSubscription, SubscriptionView};
use crate::{OperationReference, Problem, StatusView};

const PREFIX: &str = "#/components/schemas/";

/// The contract's own components.
pub(super) const PROBLEM: &str = "Problem";
pub(super) const REFERENCE: &str = "OperationReference";
pub(super) const STATUS_VIEW: &str = "OperationStatus";
pub(super) const NEW_SUBSCRIPTION: &str = "NewSubscription";
pub(super) const SUBSCRIPTION: &str = "Subscription";
pub(super) const NEW_SECRET: &str = "NewSecret";
pub(super) const END_EVENT: &str = "EndEvent";

/// Those that every document has.
const ALWAYS: [&str; 7] =
    [PROBLEM, REFERENCE, STATUS_VIEW, NEW_SUBSCRIPTION, SUBSCRIPTION, NEW_SECRET, END_EVENT];

/// What a signing secret looks like: `whsec_` and base64 of 24 to 64 bytes.
const SECRET: &str = "^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{4}([A-Za-z0-9+/]{2}==)?|[A-Za-z0-9+/]{3}=\
                      |[A-Za-z0-9+/]{2}==)?$";
const ENDED: &str = "EndedOperation";

/// All schemas of a document.
pub(super) struct Schemas {
    components: Map<String, Value>,
    actions: BTreeMap<String, ActionSchemas>,
}

/// The schemas that an action's operations use: references, or small ones in place.
#[derive(Debug, Default)]
pub(super) struct ActionSchemas {
    pub(super) input: Value,
    /// The status view; the body of every status answer.
    pub(super) view: Value,
    /// The view with the links that a start may have asked for.
    pub(super) accepted: Value,
    /// The bodies of its events, in the order of the description.
    pub(super) events: Vec<Value>,
}

/// What an action brings along, as JSON, under the names that its author gave.
struct Own {
    input: Value,
    output: Value,
    status: Value,
    events: Vec<Value>,
    components: BTreeMap<String, Value>,
}

impl Schemas {
    pub(super) fn new(actions: &[&ActionDescription], names: &Names) -> Result<Self, DocumentError> {
        let mut components = contract();
        if !actions.is_empty() {
            let names: Vec<_> = actions.iter().map(|action| &action.name).collect();
            components[NEW_SUBSCRIPTION]["properties"]["action"]["enum"] = json!(names);
        }
        let mut taken: BTreeSet<String> = components.keys().cloned().collect();
        let generated = |action: &ActionDescription| {
            let prefix = names.pascal(&action.name);
            ["Status", "Accepted"].map(|kind| format!("{prefix}{kind}"))
        };
        taken.extend(actions.iter().flat_map(|action| generated(action)));

        let own: Vec<Own> = actions.iter().map(|action| Own::read(action)).collect::<Result<_, _>>()?;
        let clashing = clashing(&own, &taken);
        let free = own.iter().flat_map(|own| own.components.keys()).filter(|name| !clashing.contains(*name));
        taken.extend(free.cloned());

        let mut described = BTreeMap::new();
        for (action, own) in actions.iter().zip(own) {
            let prefix = names.pascal(&action.name);
            let renamed: BTreeMap<String, String> = own
                .components
                .keys()
                .filter(|name| clashing.contains(*name))
                .map(|name| (name.clone(), unique(format!("{prefix}{name}"), &mut taken)))
                .collect();
            let own = own.rename(&renamed);
            let mut named = |schema: Value, kind: &str| {
                let (schema, component) = own.name(schema, || unique(format!("{prefix}{kind}"), &mut taken));
                components.extend(component);
                schema
            };
            let input = named(own.input.clone(), "Input");
            let status = named(own.status.clone(), "CustomStatus");
            let output = named(own.output.clone(), "Output");
            let events = action.events.iter().zip(&own.events);
            let events = events
                .map(|(event, schema)| {
                    named(schema.clone(), &format!("{}Event", super::names::pascal(&event.name)))
                })
                .collect();
            components.extend(own.components);

            let view = status_view(&status, &output);
            let mut schemas = ActionSchemas {
                input,
                view: reference(&format!("{prefix}Status")),
                accepted: reference(&format!("{prefix}Status")),
                events,
            };
            if !action.caller_links.is_empty() {
                schemas.accepted = reference(&format!("{prefix}Accepted"));
                components.insert(format!("{prefix}Accepted"), accepted(view.clone(), &action.caller_links));
            }
            components.insert(format!("{prefix}Status"), view);
            described.insert(action.name.clone(), schemas);
        }
        Ok(Self { components, actions: described })
    }

    /// The schemas of that action.
    pub(super) fn of(&self, action: &str) -> &ActionSchemas {
        &self.actions[action]
    }

    /// The components that anything refers to.
    pub(super) fn finish(self) -> Map<String, Value> {
        let mut used = BTreeSet::from(ALWAYS.map(str::to_owned));
        for schemas in self.actions.values() {
            let ActionSchemas { input, view, accepted, events } = schemas;
            for schema in [input, view, accepted].into_iter().chain(events) {
                references(schema, &mut used);
            }
        }
        let used = closure(used, |name| self.components.get(name));
        self.components.into_iter().filter(|(name, _)| used.contains(name)).collect()
    }
}

impl Own {
    fn read(action: &ActionDescription) -> Result<Self, DocumentError> {
        let mut components = BTreeMap::new();
        for (name, schema) in &action.components {
            // utoipa lists a type once for each place that uses it.
            if components.get(name).is_some_and(|other| other != schema) {
                return Err(DocumentError::TwoTypesOfOneName {
                    action: action.name.clone(),
                    name: name.clone(),
                });
            }
            components.insert(name.clone(), schema.clone());
        }
        let own = Self {
            input: action.input.clone(),
            output: action.output.clone(),
            status: action.status.clone(),
            events: action.events.iter().map(|event| event.schema.clone()).collect(),
            components,
        };
        let mut used = BTreeSet::new();
        for schema in own.all() {
            references(schema, &mut used);
        }
        match used.into_iter().find(|name| !own.components.contains_key(name)) {
            Some(name) => Err(DocumentError::MissingSchema { action: action.name.clone(), name }),
            None => Ok(own),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        [&self.input, &self.output, &self.status]
            .into_iter()
            .chain(&self.events)
            .chain(self.components.values())
    }

    fn rename(mut self, renamed: &BTreeMap<String, String>) -> Self {
        let mut schemas = vec![&mut self.input, &mut self.output, &mut self.status];
        schemas.extend(&mut self.events);
        schemas.extend(self.components.values_mut());
        for schema in schemas {
            rewrite(schema, &|name| renamed.get(name).cloned());
        }
        let name_of = |name: String| renamed.get(&name).cloned().unwrap_or(name);
        self.components = self.components.into_iter().map(|(name, schema)| (name_of(name), schema)).collect();
        self
    }

    /// A reference for `schema`, with the component that it needs: generators make better types of named schemas.
    fn name(&self, schema: Value, name: impl FnOnce() -> String) -> (Value, Option<(String, Value)>) {
        let is_type =
            ["properties", "enum", "oneOf", "anyOf", "allOf"].iter().any(|word| schema.get(word).is_some());
        if !is_type {
            return (schema, None);
        }
        if let Some((known, _)) = self.components.iter().find(|(_, component)| **component == schema) {
            return (reference(known), None);
        }
        let name = name();
        (reference(&name), Some((name, schema)))
    }
}

/// Which names cannot stay as they are: taken by the document itself, or used for different schemas by two
/// actions, or for schemas that refer to such.
fn clashing(own: &[Own], taken: &BTreeSet<String>) -> BTreeSet<String> {
    let mut users: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (name, schema) in own.iter().flat_map(|own| &own.components) {
        users.entry(name).or_default().push(schema);
    }
    let mut clashing: BTreeSet<String> = users
        .iter()
        .filter(|(name, schemas)| taken.contains(**name) || schemas.windows(2).any(|pair| pair[0] != pair[1]))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    loop {
        let more: Vec<String> = users
            .iter()
            .filter(|(name, schemas)| schemas.len() > 1 && !clashing.contains(**name))
            .filter(|(_, schemas)| {
                let mut used = BTreeSet::new();
                references(schemas[0], &mut used);
                !used.is_disjoint(&clashing)
            })
            .map(|(name, _)| (*name).to_owned())
            .collect();
        if more.is_empty() {
            return clashing;
        }
        clashing.extend(more);
    }
}

/// The contract's own schemas.
fn contract() -> Map<String, Value> {
    let mut schemas = Vec::new();
    StatusView::<Value, Value>::schemas(&mut schemas);
    Problem::<Value>::schemas(&mut schemas);
    OperationReference::schemas(&mut schemas);
    NewSubscription::schemas(&mut schemas);
    SubscriptionView::schemas(&mut schemas);
    let mut components: Map<_, _> =
        schemas.into_iter().map(|(name, schema)| (name, as_json(&schema))).collect();
    // The word for statuses of later servers: clients need it, no server sends it.
    if let Some(words) = components.get_mut("Status").and_then(|status| status["enum"].as_array_mut()) {
        words.retain(|word| word != "Unknown");
    }
    components.insert(REFERENCE.into(), as_json(&OperationReference::schema()));
    components.insert(STATUS_VIEW.into(), status_view(&json!({}), &json!({})));
    for (name, mut schema) in
        [(NEW_SUBSCRIPTION, as_json(&NewSubscription::schema())), (NEW_SECRET, as_json(&NewSecret::schema()))]
    {
        schema["properties"]["secret"]["pattern"] = json!(SECRET);
        components.insert(name.into(), schema);
    }
    components.insert(SUBSCRIPTION.into(), as_json(&SubscriptionView::schema()));
    let mut event = as_json(&EndEvent::schema());
    event["properties"]["data"] = reference(STATUS_VIEW);
    components.insert(END_EVENT.into(), event);
    components.insert(ENDED.into(), ended());
    components.insert(PROBLEM.into(), problem());
    components
}

/// The schema of a type, as JSON.
#[must_use]
pub fn schema_of<T: PartialSchema>() -> Value {
    as_json(&T::schema())
}

/// The schemas that the schema of a type refers to, by name.
#[must_use]
pub fn components_of<T: ToSchema>() -> Vec<(String, Value)> {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    schemas.into_iter().map(|(name, schema)| (name, as_json(&schema))).collect()
}

fn as_json(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).expect("utoipa's schemas have string keys only")
}

fn status_view(status: &Value, output: &Value) -> Value {
    let mut view = as_json(&StatusView::<Value, Value>::schema());
    view["description"] =
        json!("The status of one operation: the body of every poll. Absent members are absent, never null.");
    describe_as(&mut view["properties"]["customStatus"], status);
    describe_as(&mut view["properties"]["output"], output);
    view
}

/// Puts `schema` where the contract leaves room for an action's type, keeping the contract's description.
fn describe_as(place: &mut Value, schema: &Value) {
    let description = place["description"].take();
    *place = schema.clone();
    if let Some(members) = place.as_object_mut() {
        members.insert("description".into(), description);
    }
}

fn accepted(mut view: Value, rights: &[String]) -> Value {
    view["description"] =
        json!("The status of the operation as accepted, and the links that were asked for.");
    let properties: Map<_, _> =
        rights.iter().map(|right| (right.clone(), json!({"type": "string", "format": "uri"}))).collect();
    view["properties"]["links"] = json!({
        "type": "object",
        "description": "The links that `links` asked for, by right. Each URL is a secret: whoever has it has the \
                        right.",
        "properties": properties,
    });
    view
}

/// The view that comes with a problem: of any action, and without the output that it does not have.
fn ended() -> Value {
    let mut view = status_view(&json!({}), &json!({}));
    view["description"] = json!("The last status of an operation that failed or was canceled.");
    view["properties"].as_object_mut().map(|members| members.remove("output"));
    view
}

/// One problem for all actions: some generators know one type for all errors of an operation, or take the first that fits.
/// Of what an action has types for, an operation that failed has its custom status only.
fn problem() -> Value {
    let mut problem = as_json(&Problem::<Value>::schema());
    problem["description"] = json!("An error answer (RFC 9457).");
    problem["properties"]["operation"] = json!({
        "$ref": format!("{PREFIX}{ENDED}"),
        "description": "The operation that failed or was canceled. With it, the start was accepted and the operation has \
                        ended; without it, nothing was accepted.",
    });
    problem
}

/// A reference to a component.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("{PREFIX}{name}")})
}

/// Adds the names that `schema` refers to.
fn references(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                names.extend(target.strip_prefix(PREFIX).map(str::to_owned));
            }
            // A discriminator names schemas without `$ref`.
            if let Some(Value::Object(mapping)) = members.get("mapping") {
                let targets = mapping.values().filter_map(Value::as_str);
                names.extend(targets.filter_map(|target| target.strip_prefix(PREFIX)).map(str::to_owned));
            }
            members.values().for_each(|member| references(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, names)),
        _ => {}
    }
}

fn rewrite(schema: &mut Value, renamed: &dyn Fn(&str) -> Option<String>) {
    match schema {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(PREFIX).and_then(renamed) {
                *text = format!("{PREFIX}{name}");
            }
        }
        Value::Object(members) => members.values_mut().for_each(|member| rewrite(member, renamed)),
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, renamed)),
        _ => {}
    }
}

fn closure<'a>(mut names: BTreeSet<String>, schema: impl Fn(&str) -> Option<&'a Value>) -> BTreeSet<String> {
    let mut added = names.clone();
    while !added.is_empty() {
        let mut more = BTreeSet::new();
        added.iter().filter_map(|name| schema(name)).for_each(|schema| references(schema, &mut more));
        added = more.difference(&names).cloned().collect();
        names.extend(added.iter().cloned());
    }
    names
}
