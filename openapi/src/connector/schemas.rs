//! Schemas as connectors take them: every member with a title, nothing that Microsoft's schema refuses, and whole in
//! themselves, because designers do not follow every reference.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::words;

const DEFINITIONS: &str = "#/definitions/";

/// The formats that Microsoft's schema knows; others are only remarks to a type.
const FORMATS: [&str; 14] = [
    "int32",
    "int64",
    "float",
    "double",
    "byte",
    "binary",
    "date",
    "date-time",
    "password",
    "date-no-tz",
    "email",
    "html",
    "uri",
    "uuid",
];

/// The definitions of those names and of what they cannot do without.
pub(super) fn definitions(
    all: &Map<String, Value>,
    names: impl IntoIterator<Item = String>,
) -> Map<String, Value> {
    let mut wanted: Vec<String> = names.into_iter().collect();
    let mut made = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if made.contains_key(&name) {
            continue;
        }
        let Some(schema) = all.get(&name) else { continue };
        let schema = whole(all, schema, &mut vec![name.clone()], &mut wanted);
        made.insert(name, schema);
    }
    made.into_iter().collect()
}

/// The name that a reference leads to.
pub(super) fn target(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(DEFINITIONS)
}

/// `schema` with what it refers to in its place; only what contains itself stays a reference.
fn whole(
    all: &Map<String, Value>,
    schema: &Value,
    within: &mut Vec<String>,
    wanted: &mut Vec<String>,
) -> Value {
    if let Some(name) = target(schema) {
        if within.iter().any(|outer| outer == name) {
            wanted.push(name.to_owned());
            return schema.clone();
        }
        within.push(name.to_owned());
        let inner = all.get(name).map_or_else(|| json!({}), |inner| whole(all, inner, within, wanted));
        within.pop();
        return inner;
    }
    let mut made = Map::new();
    for (word, value) in schema.as_object().into_iter().flatten() {
        let value = match word.as_str() {
            "format" if !FORMATS.iter().any(|known| value == known) => continue,
            // Microsoft's schema has no place for these, and examples of parts are of no use in a designer.
            "example" | "x-oneOf" | "x-anyOf" | "x-nullable" => continue,
            "description" => json!(words::sentence(value.as_str().unwrap_or_default())),
            "properties" => {
                let members = value.as_object().into_iter().flatten();
                members
                    .map(|(name, member)| (name.clone(), titled(all, name, member, within, wanted)))
                    .collect()
            }
            "items" | "additionalProperties" if value.is_object() => whole(all, value, within, wanted),
            "allOf" => {
                // What the converter put around a reference: its own words win over those of its target.
                let parts = value.as_array().into_iter().flatten();
                for part in parts {
                    let Value::Object(part) = whole(all, part, within, wanted) else { continue };
                    merge(&mut made, part);
                }
                continue;
            }
            _ => value.clone(),
        };
        made.insert(word.clone(), value);
    }
    if made.get("type") == Some(&json!("array")) {
        made.entry("items").or_insert_with(|| json!({}));
    }
    made.into()
}

fn merge(into: &mut Map<String, Value>, part: Map<String, Value>) {
    for (word, value) in part {
        match (into.get_mut(&word), value) {
            (Some(Value::Object(known)), Value::Object(more)) if word == "properties" => known.extend(more),
            (Some(Value::Array(known)), Value::Array(more)) if word == "required" => known.extend(more),
            (Some(_), _) => {}
            (None, value) => {
                into.insert(word, value);
            }
        }
    }
}

fn titled(
    all: &Map<String, Value>,
    name: &str,
    member: &Value,
    within: &mut Vec<String>,
    wanted: &mut Vec<String>,
) -> Value {
    let mut member = whole(all, member, within, wanted);
    // Beside a reference it would not count.
    if target(&member).is_none() {
        let title = words::title(name);
        member["x-ms-summary"] = json!(title.chars().take(words::LONGEST_SUMMARY).collect::<String>());
    }
    member
}
