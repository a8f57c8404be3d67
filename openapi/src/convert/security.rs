//! Security schemes as Swagger 2.0 has them.

use serde_json::{Map, Value, json};

/// The schemes that 2.0 can say.
pub(super) fn definitions(schemes: &Value) -> Map<String, Value> {
    let schemes = schemes.as_object().into_iter().flatten();
    schemes.filter_map(|(name, scheme)| Some((name.clone(), definition(scheme)?))).collect()
}

fn definition(scheme: &Value) -> Option<Value> {
    let mut definition = match (scheme["type"].as_str()?, scheme["scheme"].as_str()) {
        ("http", Some("basic")) => json!({"type": "basic"}),
        // 2.0 has no bearer tokens: whoever uses this scheme writes the word as well.
        ("http", Some("bearer")) => json!({"type": "apiKey", "in": "header", "name": "Authorization"}),
        ("apiKey", _) if scheme["in"] != "cookie" => {
            json!({"type": "apiKey", "in": scheme["in"], "name": scheme["name"]})
        }
        ("oauth2", _) => oauth2(&scheme["flows"])?,
        _ => return None,
    };
    let mut description = scheme["description"].as_str().unwrap_or_default().to_owned();
    if scheme["scheme"] == "bearer" {
        description.push_str(" Write `Bearer ` before it.");
    }
    if !description.is_empty() {
        definition["description"] = json!(description.trim());
    }
    for (name, value) in scheme.as_object()?.iter().filter(|(name, _)| name.starts_with("x-")) {
        definition[name.as_str()] = value.clone();
    }
    Some(definition)
}

/// The first flow: 2.0 has one for each scheme.
fn oauth2(flows: &Value) -> Option<Value> {
    let words = [
        ("authorizationCode", "accessCode"),
        ("implicit", "implicit"),
        ("password", "password"),
        ("clientCredentials", "application"),
    ];
    let (flow, word) = words.iter().find_map(|(name, word)| Some((flows.get(name)?, word)))?;
    let mut definition = json!({"type": "oauth2", "flow": word, "scopes": flow["scopes"]});
    for name in ["authorizationUrl", "tokenUrl"] {
        if let Some(url) = flow.get(name) {
            definition[name] = url.clone();
        }
    }
    Some(definition)
}

/// The alternatives that only need schemes that are left.
pub(super) fn requirements(requirements: &Value, schemes: &Map<String, Value>) -> Value {
    let all = requirements.as_array().into_iter().flatten();
    let possible = |requirement: &&Value| {
        requirement.as_object().is_some_and(|names| names.keys().all(|name| schemes.contains_key(name)))
    };
    all.filter(possible).cloned().collect()
}
