//! Schemas, from JSON Schema 2020-12 to what OpenAPI 3.0 and Swagger 2.0 know of it.

use serde_json::{Map, Value, json};

use super::is_data;

/// Applies `convert` to every schema of a document, the inner ones first.
pub(super) fn each(document: &mut Value, convert: &dyn Fn(&mut Map<String, Value>)) {
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.values_mut().for_each(|schema| within(schema, convert));
    }
    outside(document, convert);
}

fn outside(value: &mut Value, convert: &dyn Fn(&mut Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match name.as_str() {
                    "schema" => within(member, convert),
                    "schemas" => {}
                    name if is_data(name) => {}
                    _ => outside(member, convert),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| outside(item, convert)),
        _ => {}
    }
}

fn within(schema: &mut Value, convert: &dyn Fn(&mut Map<String, Value>)) {
    // 3.1 has schemas that are `true` or `false`: anything, and nothing.
    match schema {
        Value::Bool(true) => *schema = json!({}),
        Value::Bool(false) => *schema = json!({"not": {}}),
        _ => {}
    }
    let Some(members) = schema.as_object_mut() else { return };
    for (name, member) in members.iter_mut() {
        match (name.as_str(), member) {
            // Here the older forms know `true` and `false`, too.
            ("additionalProperties", Value::Bool(_)) => {}
            ("items" | "additionalProperties" | "not", member) => within(member, convert),
            ("properties", Value::Object(properties)) => {
                properties.values_mut().for_each(|schema| within(schema, convert));
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(|schema| within(schema, convert));
            }
            _ => {}
        }
    }
    convert(members);
}

/// Words of JSON Schema that OpenAPI 3.0 does not have.
const NEWER: [&str; 24] = [
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$vocabulary",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// One schema as 3.0 has it.
pub(super) fn to_3_0(schema: &mut Map<String, Value>) {
    types(schema);
    variants_with_null(schema);
    if let Some(value) = schema.remove("const") {
        schema.entry("enum").or_insert_with(|| json!([value]));
    }
    exclusive(schema, "exclusiveMinimum", "minimum", |limit, other| limit >= other);
    exclusive(schema, "exclusiveMaximum", "maximum", |limit, other| limit <= other);
    if let Some(Value::Array(examples)) = schema.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        schema.entry("example").or_insert(first);
    }
    let binary = match (schema.get("contentEncoding").and_then(Value::as_str), schema.get("contentMediaType"))
    {
        (Some("base64"), _) => Some("byte"),
        (None, Some(_)) => Some("binary"),
        _ => None,
    };
    if let Some(format) = binary {
        schema.entry("format").or_insert_with(|| json!(format));
    }
    if schema.remove("prefixItems").is_some() {
        // The places of a tuple have no types of their own; `items: false` said only that there are no more.
        schema.insert("items".into(), json!({}));
    }
    if schema.contains_key("patternProperties") {
        schema.remove("additionalProperties");
    }
    if schema.get("type") == Some(&json!("array")) {
        schema.entry("items").or_insert_with(|| json!({}));
    }
    schema.retain(|name, _| !NEWER.contains(&name.as_str()));
    // Beside a reference nothing counts: it moves into a schema around it.
    if schema.len() > 1
        && let Some(target) = schema.remove("$ref")
    {
        let mut parts = vec![json!({"$ref": target})];
        if let Some(Value::Array(others)) = schema.remove("allOf") {
            parts.extend(others);
        }
        schema.insert("allOf".into(), Value::Array(parts));
    }
}

/// `type: [string, null]` as `type: string` and `nullable`; several types as variants.
fn types(schema: &mut Map<String, Value>) {
    let null = json!("null");
    match schema.get("type") {
        Some(Value::Array(types)) => {
            let mut left: Vec<Value> = types.iter().filter(|kind| **kind != null).cloned().collect();
            if left.len() < types.len() {
                schema.insert("nullable".into(), json!(true));
            }
            schema.remove("type");
            if left.len() == 1 {
                schema.extend(left.pop().map(|kind| ("type".to_owned(), kind)));
            } else if !schema.contains_key("anyOf") {
                let variants: Vec<_> = left.into_iter().map(|kind| variant(&kind)).collect();
                schema.insert("anyOf".into(), Value::Array(variants));
            }
        }
        Some(kind) if *kind == null => {
            schema.remove("type");
            schema.insert("nullable".into(), json!(true));
            schema.insert("enum".into(), json!([null_value()]));
        }
        _ => {}
    }
}

fn variant(kind: &Value) -> Value {
    if kind == "array" { json!({"type": kind, "items": {}}) } else { json!({"type": kind}) }
}

const fn null_value() -> Value {
    Value::Null
}

/// A variant that is only null, which the inner conversion has already rewritten, becomes `nullable` around it.
fn variants_with_null(schema: &mut Map<String, Value>) {
    let null = json!({"nullable": true, "enum": [null_value()]});
    for word in ["oneOf", "anyOf"] {
        let Some(Value::Array(variants)) = schema.get_mut(word) else { continue };
        let before = variants.len();
        variants.retain(|variant| *variant != null);
        if variants.len() == before {
            continue;
        }
        let single = if variants.len() == 1 { variants.pop() } else { None };
        schema.insert("nullable".into(), json!(true));
        if let Some(single) = single {
            schema.remove(word);
            match single {
                Value::Object(members) if !members.contains_key("$ref") => {
                    for (name, member) in members {
                        schema.entry(name).or_insert(member);
                    }
                }
                reference => {
                    schema.insert("allOf".into(), json!([reference]));
                }
            }
        }
    }
}

/// `exclusiveMinimum: 5` as `minimum: 5, exclusiveMinimum: true`, unless `minimum` says more.
fn exclusive(schema: &mut Map<String, Value>, word: &str, limit: &str, stricter: fn(f64, f64) -> bool) {
    let Some(exclusive) = schema.get(word).filter(|value| value.is_number()).cloned() else { return };
    schema.remove(word);
    let other = schema.get(limit).and_then(Value::as_f64);
    if other.is_none_or(|other| stricter(exclusive.as_f64().unwrap_or(other), other)) {
        schema.insert(limit.into(), exclusive);
        schema.insert(word.into(), json!(true));
    }
}

/// One schema of 3.0 as 2.0 has it.
pub(super) fn to_2_0(schema: &mut Map<String, Value>) {
    for (word, extension) in
        [("nullable", "x-nullable"), ("deprecated", "x-deprecated"), ("writeOnly", "x-writeOnly")]
    {
        if let Some(value) = schema.remove(word) {
            schema.insert(extension.into(), value);
        }
    }
    for (word, extension) in [("oneOf", "x-oneOf"), ("anyOf", "x-anyOf")] {
        if let Some(Value::Array(variants)) = schema.remove(word) {
            common(schema, &variants);
            schema.insert(extension.into(), Value::Array(variants));
        }
    }
    for word in ["not", "discriminator"] {
        schema.remove(word);
    }
}

/// What all variants have in common: their words, if they are words, else their type.
fn common(schema: &mut Map<String, Value>, variants: &[Value]) {
    let words: Vec<_> =
        variants.iter().filter_map(|variant| variant["enum"].as_array()).flatten().cloned().collect();
    if variants.iter().all(|variant| variant["enum"].is_array()) {
        schema.entry("enum").or_insert(Value::Array(words));
    }
    let kind = &variants.first().map_or(&Value::Null, |variant| &variant["type"]);
    if kind.is_string() && variants.iter().all(|variant| &&variant["type"] == kind) {
        schema.entry("type").or_insert_with(|| (*kind).clone());
        if *kind == "array" {
            schema.entry("items").or_insert_with(|| json!({}));
        }
    }
}
