//! Older forms of the document, for tools that do not read OpenAPI 3.1: OpenAPI 3.0 and Swagger 2.0.
//!
//! Everything that an older form can say is carried over, and so is every `x-…`. What it cannot say is said in the
//! nearest way that accepts at least as much; links, callbacks and webhooks are dropped where there is no place for
//! them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

mod operations;
mod schemas;
mod security;
#[cfg(test)]
mod tests;

/// The document as OpenAPI 3.0; `document` is OpenAPI 3.1.
///
/// ```
/// use raincheck_openapi::{convert, document};
/// let document = document::document(&document::DocumentSettings::default(), &[])?;
/// assert_eq!(convert::openapi_3_0(&document)["openapi"], "3.0.3");
/// # Ok::<(), document::DocumentError>(())
/// ```
#[must_use]
pub fn openapi_3_0(document: &Value) -> Value {
    let mut document = document.clone();
    let Some(members) = document.as_object_mut() else { return document };
    members.insert("openapi".into(), json!("3.0.3"));
    members.remove("webhooks");
    members.remove("jsonSchemaDialect");
    members.entry("paths").or_insert_with(|| json!({}));
    if let Some(Value::Object(info)) = members.get_mut("info") {
        info.remove("summary");
        if let Some(Value::Object(license)) = info.get_mut("license") {
            license.remove("identifier");
        }
    }
    if let Some(Value::Object(components)) = members.get_mut("components") {
        components.remove("pathItems");
    }
    schemas::each(&mut document, &schemas::to_3_0);
    bare_references(&mut document, true);
    document.sort_all_objects();
    document
}

/// The document as Swagger 2.0; `document` is OpenAPI 3.1.
#[must_use]
pub fn swagger_2_0(document: &Value) -> Value {
    let mut swagger = swagger_with_all_definitions(document);
    drop_what_only_callbacks_use(&mut swagger, document);
    swagger
}

/// The same with what only callbacks use, which are dropped.
pub(crate) fn swagger_with_all_definitions(document: &Value) -> Value {
    let mut from = openapi_3_0(document);
    schemas::each(&mut from, &schemas::to_2_0);
    let mut swagger = Map::from_iter([("swagger".to_owned(), json!("2.0"))]);
    for name in ["info", "tags", "externalDocs"] {
        swagger.extend(from.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let extensions = from.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-"));
    swagger.extend(extensions.map(|(name, value)| (name.clone(), value.clone())));
    swagger.extend(address(&from["servers"][0]));
    let schemes = security::definitions(&from["components"]["securitySchemes"]);
    if let Some(requirements) = from.get("security") {
        swagger.insert("security".into(), security::requirements(requirements, &schemes));
    }
    swagger.insert("paths".into(), operations::paths(&from, &schemes));
    let components = &from["components"];
    let named = |kind: &str, convert: &dyn Fn(&Value) -> Option<Value>| -> Map<String, Value> {
        let all = components[kind].as_object().into_iter().flatten();
        all.filter_map(|(name, component)| Some((name.clone(), convert(component)?))).collect()
    };
    for (name, definitions) in [
        ("definitions", named("schemas", &|schema| Some(schema.clone()))),
        ("parameters", named("parameters", &|parameter| operations::parameter(&from, parameter))),
        ("responses", named("responses", &|response| Some(operations::response(&from, response)))),
        ("securityDefinitions", schemes),
    ] {
        if !definitions.is_empty() {
            swagger.insert(name.into(), Value::Object(definitions));
        }
    }
    let mut swagger = Value::Object(swagger);
    rewrite(&mut swagger);
    swagger.sort_all_objects();
    swagger
}

/// Removes what callbacks have used and nothing else does: those are dropped.
fn drop_what_only_callbacks_use(swagger: &mut Value, document: &Value) {
    let mut suspects = Vec::new();
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for operation in item.as_object().into_iter().flat_map(Map::values) {
            names_in(&operation["callbacks"], "#/components/schemas/", &mut suspects);
        }
    }
    // As often as there are such definitions: few, where documents may be large.
    loop {
        let mut used = Vec::new();
        names_in(swagger, "#/definitions/", &mut used);
        let used: BTreeSet<_> = used.into_iter().collect();
        let Some(definitions) = swagger["definitions"].as_object_mut() else { return };
        let unused =
            suspects.iter().find(|name| !used.contains(*name) && definitions.contains_key(*name)).cloned();
        let Some(dropped) = unused.and_then(|name| definitions.remove(&name)) else { return };
        names_in(&dropped, "#/definitions/", &mut suspects);
    }
}

/// The names that `value` refers to, of those whose references begin like this.
fn names_in(value: &Value, place: &str, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let target = members.get("$ref").and_then(Value::as_str);
            names.extend(target.and_then(|target| target.strip_prefix(place)).map(str::to_owned));
            members.values().for_each(|member| names_in(member, place, names));
        }
        Value::Array(items) => items.iter().for_each(|item| names_in(item, place, names)),
        _ => {}
    }
}

/// Host, base path and schemes of a server. One that is relative leaves them to where the document comes from.
fn address(server: &Value) -> Map<String, Value> {
    let mut address = Map::new();
    let mut url = server["url"].as_str().unwrap_or("/").to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        url = url.replace(&format!("{{{name}}}"), variable["default"].as_str().unwrap_or_default());
    }
    let path = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
            address.insert("schemes".into(), json!([scheme]));
            address.insert("host".into(), json!(host));
            path.to_owned()
        }
        None => url,
    };
    let path = path.trim_end_matches('/');
    address.insert("basePath".into(), json!(if path.is_empty() { "/" } else { path }));
    address
}

/// Removes what stands beside a reference that is not a schema's: 3.0 has no place for it.
fn bare_references(value: &mut Value, outside: bool) {
    match value {
        Value::Object(members) => {
            if outside && members.get("$ref").is_some_and(Value::is_string) {
                members.retain(|name, _| name == "$ref");
            }
            for (name, member) in members.iter_mut().filter(|(name, _)| !is_data(name)) {
                bare_references(member, outside && name != "schema" && name != "schemas");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| bare_references(item, outside)),
        _ => {}
    }
}

/// Whether a member of that name has content that the document only carries.
fn is_data(name: &str) -> bool {
    matches!(name, "example" | "examples" | "default" | "enum") || name.starts_with("x-")
}

/// References to where Swagger 2.0 keeps things. Those of variants, in `x-oneOf`, are changed as well.
fn rewrite(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref") {
                for (old, new) in
                    [("schemas", "definitions"), ("parameters", "parameters"), ("responses", "responses")]
                {
                    if let Some(name) = target.strip_prefix(&format!("#/components/{old}/")) {
                        *target = format!("#/{new}/{name}");
                        break;
                    }
                }
            }
            let members =
                members.iter_mut().filter(|(name, _)| !matches!(name.as_str(), "example" | "examples"));
            members.for_each(|(_, member)| rewrite(member));
        }
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        _ => {}
    }
}

/// What a reference leads to; anything else as it is.
fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    // Far more than documents have, so that a circle ends as well.
    for _ in 0..32 {
        let target = value["$ref"].as_str().and_then(|target| document.pointer(target.strip_prefix('#')?));
        match target {
            Some(target) => value = target,
            None => break,
        }
    }
    value
}
