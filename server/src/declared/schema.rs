//! A JSON Schema (2020-12): what fits it, and how the OpenAPI document shows it.

use std::collections::BTreeMap;
use std::fmt;

use jsonschema::Validator;
use raincheck_openapi::InvalidField;
use serde_json::{Map, Value, json};

/// A schema that values are checked against.
#[derive(Clone)]
pub(crate) struct Schema {
    validator: std::sync::Arc<Validator>,
    shown: Shown,
}

/// A schema as the document has it: what it refers to stands beside it.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    schema: Value,
    components: Vec<(String, Value)>,
}

/// How many mistakes of a value are told at most.
const TOLD: usize = 10;

/// How long what is told of one may be: a schema's own words may be long.
const LONGEST_DETAIL: usize = 300;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

const COMPONENTS: &str = "#/components/schemas/";

impl Schema {
    /// Takes a schema.
    ///
    /// # Errors
    /// Why it is none, and where.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        let dialect = schema.get("$schema").and_then(Value::as_str).unwrap_or(DIALECT);
        if dialect.trim_end_matches('#') != DIALECT {
            return Err(format!(
                "is written in another dialect, {dialect}; only JSON Schema 2020-12 is known here"
            ));
        }
        let shown = Shown::of(schema)?;
        let mut options = jsonschema::draft202012::options();
        options = options.should_validate_formats(true).offline();
        let validator = options.build(schema).map_err(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { String::new() } else { format!(" at `{place}`") };
            format!("is no JSON Schema{place}: {error}")
        })?;
        Ok(Self { validator: std::sync::Arc::new(validator), shown })
    }

    /// A schema that every value fits, or every object.
    pub(crate) fn any(kind: Option<&str>) -> Self {
        let schema = kind.map_or_else(|| json!({}), |kind| json!({"type": kind}));
        Self::new(&schema).expect("it is a schema")
    }

    pub(crate) fn fits(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// Where `value` does not fit, without saying what stands there: that may end in a log.
    pub(crate) fn errors(&self, value: &Value) -> Vec<InvalidField> {
        let errors = self.validator.iter_errors(value).take(TOLD);
        errors
            .map(|error| {
                let detail: String = error.masked().to_string().chars().take(LONGEST_DETAIL).collect();
                InvalidField::member(error.instance_path().to_string(), detail)
            })
            .collect()
    }

    /// Whether a text is JSON that fits.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) fn check_text(&self, text: &str) -> Result<(), Vec<InvalidField>> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| vec![InvalidField::member(String::new(), crate::json::misfit(&error))])?;
        let errors = self.errors(&value);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The schema for the document. What it refers to is added to `components`, under other names (they begin with
    /// `prefix`) where one is taken by something else.
    pub(crate) fn show(&self, prefix: &str, components: &mut Vec<(String, Value)>) -> Value {
        let differs = |(name, schema): &(String, Value)| {
            components.iter().any(|(known, other)| known == name && other != schema)
        };
        let mut shown = self.shown.clone();
        if shown.components.iter().any(differs) {
            // All of them, since they may refer to each other.
            shown = shown.renamed(prefix);
        }
        for component in shown.components {
            if !components.contains(&component) {
                components.push(component);
            }
        }
        shown.schema
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.schema.fmt(f)
    }
}

impl Shown {
    fn of(schema: &Value) -> Result<Self, String> {
        let mut targets = BTreeMap::new();
        collect(schema, &mut targets)?;
        let mut components = Vec::new();
        for (target, name) in &targets {
            let pointer = percent_encoding::percent_decode_str(&target[1..]).decode_utf8_lossy();
            let found = schema.pointer(&pointer);
            let found = found.ok_or_else(|| format!("refers to `{target}`, which is not in it"))?;
            components.push((name.clone(), for_document(found, &targets)));
        }
        Ok(Self { schema: for_document(schema, &targets), components })
    }

    fn renamed(self, prefix: &str) -> Self {
        let new: BTreeMap<String, String> = self
            .components
            .iter()
            .map(|(name, _)| (format!("{COMPONENTS}{name}"), format!("{prefix}{name}")))
            .collect();
        let components = self
            .components
            .iter()
            .map(|(name, schema)| (format!("{prefix}{name}"), for_document(schema, &new)));
        Self { components: components.collect(), schema: for_document(&self.schema, &new) }
    }
}

/// The references of a schema, each with a name for what it leads to.
fn collect(schema: &Value, targets: &mut BTreeMap<String, String>) -> Result<(), String> {
    let Some(members) = schema.as_object() else {
        return match schema {
            Value::Array(items) => items.iter().try_for_each(|item| collect(item, targets)),
            _ => Ok(()),
        };
    };
    for word in ["$dynamicRef", "$recursiveRef"] {
        if members.get(word).is_some_and(Value::is_string) {
            return Err(format!("uses `{word}`, which OpenAPI's tools do not know; use `$ref`"));
        }
    }
    if let Some(target) = members.get("$ref").and_then(Value::as_str) {
        let is_pointer = target == "#" || target.starts_with("#/");
        if !is_pointer {
            return Err(format!(
                "refers to `{target}`, which is outside of it; put that into its `$defs` and refer to `#/$defs/NAME`"
            ));
        }
        if !targets.contains_key(target) {
            let last = target.rsplit('/').next().unwrap_or_default();
            let mut name: String =
                last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).collect();
            if name.is_empty() {
                name = "Root".to_owned();
            }
            while targets.values().any(|taken| *taken == name) {
                name.push('_');
            }
            targets.insert(target.to_owned(), name);
        }
    }
    members.iter().filter(|(name, _)| !is_data(name)).try_for_each(|(name, member)| match member {
        Value::Object(named) if has_names(name) => {
            named.values().try_for_each(|schema| collect(schema, targets))
        }
        member => collect(member, targets),
    })
}

/// `schema` with its references leading to components. What is only referred to, and what says which dialect it is, has
/// no place in the document.
fn for_document(schema: &Value, targets: &BTreeMap<String, String>) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.iter().filter(|(name, member)| match &***name {
                "$schema" | "$id" | "$comment" => !member.is_string(),
                "$defs" | "definitions" => !member.is_object(),
                _ => true,
            });
            let members = members.map(|(name, member)| {
                let new = match (&**name, member) {
                    ("$ref", Value::String(target)) => match targets.get(target) {
                        Some(name) => json!(format!("{COMPONENTS}{name}")),
                        None => member.clone(),
                    },
                    (name, member) if is_data(name) => member.clone(),
                    (name, Value::Object(named)) if has_names(name) => named
                        .iter()
                        .map(|(name, schema)| (name.clone(), for_document(schema, targets)))
                        .collect(),
                    (_, member) => for_document(member, targets),
                };
                (name.clone(), new)
            });
            Value::Object(Map::from_iter(members))
        }
        Value::Array(items) => items.iter().map(|item| for_document(item, targets)).collect(),
        other => other.clone(),
    }
}

/// Members whose content is no schema.
fn is_data(name: &str) -> bool {
    matches!(name, "const" | "enum" | "default" | "example" | "examples")
}

/// Members whose own members are schemas under names of the author's.
fn has_names(name: &str) -> bool {
    matches!(name, "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(schema: Value) -> Schema {
        Schema::new(&schema).unwrap()
    }

    #[test]
    fn every_mistake_is_told_with_its_pointer_and_without_its_value() {
        let person = schema(json!({
            "type": "object",
            "required": ["name", "age"],
            "properties": {"name": {"type": "string", "maxLength": 5}, "age": {"type": "integer"},
                "mail": {"type": "string", "format": "email"}, "a/b": {"enum": ["x"]}},
        }));

        let errors =
            person.check_text(r#"{"name": "my secret", "mail": "secret", "a/b": "secret"}"#).unwrap_err();

        let mut places: Vec<_> = errors.iter().map(InvalidField::place).collect();
        places.sort_unstable();
        assert_eq!(places, ["/a~1b", "/mail", "/name", "the body"]);
        assert!(!format!("{errors:?}").contains("secret"), "{errors:?}");
        assert!(person.check_text(r#"{"name": "Ada", "age": 36.0}"#).is_ok());
    }

    #[test]
    fn references_lead_to_components_in_the_document() {
        let tree = schema(json!({
            "$schema": DIALECT,
            "$id": "https://example.com/tree",
            "type": "object",
            "properties": {"left": {"$ref": "#"}, "leaf": {"$ref": "#/$defs/Leaf"}, "same": {"$ref": "#/properties/leaf"}},
            "$defs": {"Leaf": {"type": "object", "properties": {"default": {"$ref": "#"}, "$ref": {"type": "string"}}}},
        }));
        let mut components = Vec::new();

        let shown = tree.show("Input", &mut components);

        assert_eq!(shown["properties"]["leaf"], json!({"$ref": "#/components/schemas/Leaf"}));
        assert_eq!(shown["properties"]["left"], json!({"$ref": "#/components/schemas/Root"}));
        assert!(shown.get("$defs").is_none() && shown.get("$id").is_none(), "{shown}");
        let names: Vec<_> = components.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["Root", "Leaf", "leaf"]);
        assert_eq!(components[0].1, shown);
        assert_eq!(components[1].1["properties"]["default"], json!({"$ref": "#/components/schemas/Root"}));
    }

    #[test]
    fn a_name_that_is_taken_by_something_else_is_changed() {
        let with = |kind: &str| schema(json!({"$ref": "#/$defs/Place", "$defs": {"Place": {"type": kind}}}));
        let mut components = Vec::new();

        let first = with("string").show("Input", &mut components);
        let same = with("string").show("Status", &mut components);
        let other = with("number").show("Output", &mut components);

        assert_eq!(first, same);
        assert_eq!(other, json!({"$ref": "#/components/schemas/OutputPlace"}));
        assert_eq!(components.len(), 2);
    }

    #[test]
    fn what_is_no_schema_is_refused_with_its_place() {
        let refused = |schema: Value| Schema::new(&schema).unwrap_err();

        assert!(refused(json!({"properties": {"a": {"type": "strin"}}})).contains("`/properties/a/type`"));
        assert!(refused(json!({"$ref": "#/$defs/Gone"})).contains("`#/$defs/Gone`, which is not in it"));
        assert!(refused(json!({"$ref": "other.json"})).contains("put that into its `$defs`"));
        assert!(refused(json!({"$schema": "http://json-schema.org/draft-07/schema#"})).contains("2020-12"));
        assert!(refused(json!({"$dynamicRef": "#node"})).contains("$dynamicRef"));
    }
}
