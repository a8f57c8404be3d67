//! Paths, operations, parameters and answers as Swagger 2.0 has them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{resolve, security};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// The words of a parameter or a header that describe its value.
const VALUE: [&str; 18] = [
    "type",
    "format",
    "items",
    "default",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "enum",
    "multipleOf",
    "x-nullable",
    "x-deprecated",
];

/// The paths of a 3.0 document whose schemas are already those of 2.0.
pub(super) fn paths(document: &Value, schemes: &Map<String, Value>) -> Value {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.map(|(path, item)| (path.clone(), path_item(document, item, schemes))).collect::<Map<_, _>>().into()
}

fn path_item(document: &Value, item: &Value, schemes: &Map<String, Value>) -> Value {
    let mut converted = extensions(item);
    if let Some(list) = item.get("parameters") {
        converted.insert("parameters".into(), parameters(document, list).into());
    }
    for method in METHODS {
        if let Some(operation) = item.get(method) {
            converted.insert(method.into(), convert(document, operation, schemes));
        }
    }
    converted.into()
}

fn convert(document: &Value, operation: &Value, schemes: &Map<String, Value>) -> Value {
    let mut converted = extensions(operation);
    for name in ["tags", "summary", "description", "externalDocs", "operationId", "deprecated"] {
        converted.extend(operation.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    if let Some(list) = operation.get("security") {
        converted.insert("security".into(), security::requirements(list, schemes));
    }
    let mut list = operation.get("parameters").map(|list| parameters(document, list)).unwrap_or_default();
    if let Some(body) = operation.get("requestBody") {
        let body = resolve(document, body);
        list.push(body_parameter(body));
        converted.insert(
            "consumes".into(),
            body["content"].as_object().into_iter().flatten().map(|(name, _)| json!(name)).collect(),
        );
    }
    if !list.is_empty() {
        converted.insert("parameters".into(), list.into());
    }
    let responses = operation["responses"].as_object();
    let produces: BTreeSet<&String> = responses
        .into_iter()
        .flatten()
        .flat_map(|(_, answer)| resolve(document, answer)["content"].as_object().into_iter().flatten())
        .map(|(media_type, _)| media_type)
        .collect();
    if !produces.is_empty() {
        converted.insert("produces".into(), json!(produces));
    }
    let responses = responses.into_iter().flatten();
    let responses: Map<_, _> =
        responses.map(|(status, answer)| (status.clone(), response(document, answer))).collect();
    converted.insert("responses".into(), responses.into());
    converted.into()
}

fn parameters(document: &Value, list: &Value) -> Vec<Value> {
    list.as_array().into_iter().flatten().filter_map(|item| parameter(document, item)).collect()
}

/// One parameter; 2.0 has none in cookies.
pub(super) fn parameter(document: &Value, parameter: &Value) -> Option<Value> {
    if parameter.get("$ref").is_some() {
        return Some(parameter.clone());
    }
    let place = parameter["in"].as_str()?;
    if place == "cookie" {
        return None;
    }
    let mut converted = extensions(parameter);
    for name in ["name", "in", "required", "description"] {
        converted.extend(parameter.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    if place == "query" && parameter["allowEmptyValue"] == true {
        converted.insert("allowEmptyValue".into(), json!(true));
    }
    value(document, parameter, &mut converted);
    if converted["type"] == "array" {
        let style = parameter["style"].as_str().unwrap_or(if place == "query" { "form" } else { "simple" });
        let explode = parameter["explode"].as_bool().unwrap_or(style == "form");
        let format = match style {
            "form" if explode => "multi",
            "spaceDelimited" => "ssv",
            "pipeDelimited" => "pipes",
            _ => "csv",
        };
        converted.insert("collectionFormat".into(), json!(format));
    }
    Some(converted.into())
}

/// A request body is the parameter `body`; of several media types, JSON.
fn body_parameter(body: &Value) -> Value {
    let mut converted = extensions(body);
    converted.extend([("name".to_owned(), json!("body")), ("in".to_owned(), json!("body"))]);
    for name in ["description", "required"] {
        converted.extend(body.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let content = preferred(&body["content"]);
    converted
        .insert("schema".into(), content.map_or_else(|| json!({}), |(_, content)| content["schema"].clone()));
    if let Some(example) = content.and_then(|(_, content)| example(content)) {
        converted.insert("x-example".into(), example);
    }
    converted.into()
}

/// One answer. Links have no place in 2.0.
pub(super) fn response(document: &Value, response: &Value) -> Value {
    if response.get("$ref").is_some() {
        return response.clone();
    }
    let mut converted = extensions(response);
    converted.insert("description".into(), response["description"].clone());
    if let Some((media_type, content)) = preferred(&response["content"]) {
        converted.extend(content.get("schema").map(|schema| ("schema".to_owned(), schema.clone())));
        converted
            .extend(example(content).map(|example| ("examples".to_owned(), json!({media_type: example}))));
    }
    if let Some(Value::Object(all)) = response.get("headers") {
        let all: Map<_, _> = all
            .iter()
            .map(|(name, item)| (name.clone(), header(document, resolve(document, item))))
            .collect();
        converted.insert("headers".into(), all.into());
    }
    converted.into()
}

fn header(document: &Value, header: &Value) -> Value {
    let mut converted = extensions(header);
    converted.extend(header.get("description").map(|text| ("description".to_owned(), text.clone())));
    if header["required"] == true {
        converted.insert("x-required".into(), json!(true));
    }
    value(document, header, &mut converted);
    converted.into()
}

/// What 3.0 says in `schema`, 2.0 says in place, of plain values and lists of them.
fn value(document: &Value, of: &Value, into: &mut Map<String, Value>) {
    into.extend(plain(document, &of["schema"]));
    into.extend(example(of).map(|example| ("x-example".to_owned(), example)));
}

fn plain(document: &Value, schema: &Value) -> Map<String, Value> {
    let schema = resolve(document, schema);
    let schema = match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([single]) => resolve(document, single),
        _ => schema,
    };
    let words = schema.as_object().into_iter().flatten().filter(|(name, _)| VALUE.contains(&name.as_str()));
    let mut plain: Map<_, _> = words.map(|(name, value)| (name.clone(), value.clone())).collect();
    match plain.get("type").and_then(Value::as_str) {
        Some("array") => {
            plain.insert("items".into(), self::plain(document, &schema["items"]).into());
        }
        Some("string" | "number" | "integer" | "boolean") => {}
        // Everything can be written as a text.
        _ => {
            plain.insert("type".into(), json!("string"));
        }
    }
    plain
}

fn preferred(content: &Value) -> Option<(&String, &Value)> {
    let content = content.as_object()?;
    content.iter().find(|(name, _)| *name == "application/json").or_else(|| content.iter().next())
}

fn example(of: &Value) -> Option<Value> {
    let first = || of["examples"].as_object()?.values().next()?.get("value");
    of.get("example").or_else(first).cloned()
}

fn extensions(of: &Value) -> Map<String, Value> {
    let members = of.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-"));
    members.map(|(name, value)| (name.clone(), value.clone())).collect()
}
