//! Microsoft's rules for the texts and the structure of a connector, as their guidance and their reviewers state them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::words::LONGEST_SUMMARY;

/// What may not be in titles and descriptions of connectors: names of products.
const PRODUCTS: [&str; 7] = [
    "power automate",
    "power apps",
    "powerapps",
    "power platform",
    "copilot studio",
    "power bi",
    "logic apps",
];

/// A title: up to 30 characters, plain, without words that all connectors could have.
///
/// # Errors
/// What is wrong, and what is allowed.
pub fn title(title: &str) -> Result<(), String> {
    let allowed = "allowed: up to 30 plain characters that end with a letter or a digit";
    if title.is_empty() || title.chars().count() > 30 || !title.is_ascii() {
        return Err(format!("\"{title}\" is not allowed; {allowed}"));
    }
    if !title.ends_with(|last: char| last.is_ascii_alphanumeric()) || title.starts_with(' ') {
        return Err(format!("\"{title}\" is not allowed; {allowed}"));
    }
    for word in ["API", "Connector"] {
        if has_word(title, word) {
            return Err(format!(
                "\"{title}\" has the word \"{word}\", which Microsoft does not take in titles"
            ));
        }
    }
    products(title)
}

/// A connector's description: 30 to 500 characters.
///
/// # Errors
/// What is wrong, and what is allowed.
pub fn info_description(text: &str) -> Result<(), String> {
    if !(30..=500).contains(&text.chars().count()) {
        return Err(format!("has {} characters; allowed: from 30 to 500", text.chars().count()));
    }
    if has_word(text, "API") {
        return Err(
            "has the word \"API\", which Microsoft does not take in descriptions of connectors".to_owned()
        );
    }
    products(text)
}

/// A colour of an icon.
///
/// # Errors
/// What is wrong, and what is allowed.
pub fn color(color: &str) -> Result<(), String> {
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6);
    if !digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())) {
        return Err(format!("\"{color}\" is not allowed; allowed: #rrggbb, such as \"#2b5f75\""));
    }
    if ["#ffffff", "#007ee5"].contains(&color.to_ascii_lowercase().as_str()) {
        return Err(format!(
            "\"{color}\" is white or the default, which Microsoft does not take; choose another one"
        ));
    }
    Ok(())
}

/// A publisher: some name.
///
/// # Errors
/// What is wrong, and what is allowed.
pub fn publisher(name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.chars().count() > 100 {
        return Err(format!("\"{name}\" is not allowed; allowed: a name of up to 100 characters"));
    }
    Ok(())
}

/// Every rule that a connector breaks, each with its place.
#[must_use]
pub fn broken(definition: &Value, properties: &Value) -> Vec<String> {
    let mut rules = Rules { broken: Vec::new(), ids: BTreeSet::new() };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let info = &definition["info"];
    rules.hold("info.title", title(&text(&info["title"])));
    rules.hold("info.description", info_description(&text(&info["description"])));
    rules.hold("iconBrandColor", color(&text(&properties["properties"]["iconBrandColor"])));
    rules.hold("host", host(&text(&definition["host"])));
    rules.must("basePath", text(&definition["basePath"]).starts_with('/'), "must begin with a slash");
    for (path, item) in definition["paths"].as_object().into_iter().flatten() {
        let (extensions, operations): (Vec<_>, Vec<_>) =
            item.as_object().into_iter().flatten().partition(|(name, _)| name.starts_with("x-"));
        for (method, operation) in operations {
            rules.operation(path, method, operation);
        }
        for (name, extension) in extensions {
            rules.schema(&format!("{name} {path}"), &extension["schema"]);
        }
    }
    for (name, schema) in definition["definitions"].as_object().into_iter().flatten() {
        rules.schema(&format!("definitions.{name}"), schema);
    }
    rules.broken
}

/// A host, with a port or without.
fn host(host: &str) -> Result<(), String> {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let plain = !name.is_empty() && !name.contains(['{', '}', '/', ' ', '\\']);
    let digits = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()));
    if plain && digits {
        Ok(())
    } else {
        Err(format!(
            "\"{host}\" is not allowed; allowed: HOST or HOST:PORT, such as \"raincheck.example.org\""
        ))
    }
}

fn products(text: &str) -> Result<(), String> {
    let lower = text.to_lowercase();
    match PRODUCTS.iter().find(|product| lower.contains(**product)) {
        Some(product) => {
            Err(format!("names a product of Microsoft's (\"{product}\"), which is not allowed here"))
        }
        None => Ok(()),
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric()).any(|found| found.eq_ignore_ascii_case(word))
}

struct Rules {
    broken: Vec<String>,
    ids: BTreeSet<String>,
}

impl Rules {
    fn hold(&mut self, place: &str, rule: Result<(), String>) {
        self.broken.extend(rule.err().map(|what| format!("{place}: {what}")));
    }

    fn must(&mut self, place: &str, holds: bool, rule: &str) {
        if !holds {
            self.broken.push(format!("{place}: {rule}"));
        }
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Value) {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_default();
        let camel = id.starts_with(|first: char| first.is_ascii_uppercase())
            && id.bytes().all(|letter| letter.is_ascii_alphanumeric());
        self.must(&place, camel, "operationId must be in CamelCase");
        let unique = self.ids.insert(id.to_owned());
        self.must(&place, unique, "operationId is used twice");
        let summary = operation["summary"].as_str().unwrap_or_default();
        self.summary(&place, summary);
        let description = operation["description"].as_str().unwrap_or_default();
        self.description(&place, description);
        let same = summary.eq_ignore_ascii_case(description.trim_end_matches('.'));
        self.must(&place, !same, "the description must say more than the summary");
        if let Some(kind) = operation.get("x-ms-trigger") {
            self.trigger(&place, kind, operation);
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            self.parameter(&place, parameter);
        }
        let responses = operation["responses"].as_object();
        let good = ["200", "201", "204"];
        let explicit = responses.is_some_and(|all| {
            good.iter().any(|status| all.contains_key(*status)) && !all.contains_key("default")
        });
        self.must(&place, explicit, "answers must be explicit, with a good one among them");
        for (status, answer) in responses.into_iter().flatten() {
            let place = format!("{place}, {status}");
            let empty = status == "204";
            self.must(&place, empty || answer.get("schema").is_some(), "an answer needs a schema");
            self.description(&place, answer["description"].as_str().unwrap_or_default());
            self.schema(&place, &answer["schema"]);
        }
    }

    /// A trigger: its words, the shape of what it tells, and the headers that lead to the next poll, or to the end of what it
    /// has subscribed to.
    fn trigger(&mut self, place: &str, kind: &Value, operation: &Value) {
        let begins =
            |word: &str, with: &str| operation[word].as_str().is_some_and(|text| text.starts_with(with));
        self.must(place, begins("summary", "When a"), "the summary of a trigger begins with \"When a\"");
        let triggers = begins("description", "This operation triggers when");
        self.must(
            place,
            triggers,
            "the description of a trigger begins with \"This operation triggers when\"",
        );
        self.must(place, operation["x-ms-trigger-hint"].is_string(), "a trigger needs an x-ms-trigger-hint");
        let is_list = operation["responses"]["200"]["schema"]["type"] == "array";
        let fits = matches!((kind.as_str(), is_list), (Some("batch"), true) | (Some("single"), false));
        self.must(place, fits, "x-ms-trigger is \"batch\" for a list and \"single\" for one object");
        if let Some(subscribed) = operation["responses"].get("201") {
            let leads = subscribed["headers"]["Location"].is_object();
            return self.must(place, leads, "a trigger that subscribes declares Location for 201");
        }
        for status in ["200", "202"] {
            let headers = &operation["responses"][status]["headers"];
            let lead = headers["Location"].is_object() && headers["Retry-After"].is_object();
            self.must(place, lead, "a polling trigger declares Location and Retry-After for 200 and 202");
        }
    }

    fn parameter(&mut self, place: &str, parameter: &Value) {
        let place = format!("{place}, parameter {}", parameter["name"].as_str().unwrap_or_default());
        self.title(&place, parameter["x-ms-summary"].as_str().unwrap_or_default());
        self.description(&place, parameter["description"].as_str().unwrap_or_default());
        if parameter["in"] == "body" {
            self.schema(&place, &parameter["schema"]);
        } else {
            self.must(&place, parameter["type"].is_string(), "a parameter needs a type");
        }
        if parameter["in"] == "path" {
            let encoded = parameter["required"] == true && parameter["x-ms-url-encoding"] == "single";
            self.must(&place, encoded, "in a path it must be required, with x-ms-url-encoding: single");
        }
        let hidden = parameter["x-ms-visibility"] == "internal" && parameter["required"] == true;
        let has_default = parameter.get("default").is_some();
        self.must(&place, !hidden || has_default, "internal and required needs a default");
    }

    /// Sentence case, up to 80 characters, no slash, no end.
    fn summary(&mut self, place: &str, text: &str) {
        let first = text.chars().next();
        self.must(
            place,
            first.is_some_and(|first| !first.is_lowercase()),
            "a summary begins with a capital letter",
        );
        self.must(place, text.chars().count() <= LONGEST_SUMMARY, "a summary has at most 80 characters");
        self.must(place, !text.contains('/'), "a summary has no slash");
        let ends = text.ends_with(|last: char| last.is_alphanumeric() || last == ')');
        self.must(place, ends, "a summary ends without punctuation and space");
        self.plain(place, text);
    }

    /// Title case: every word begins with a capital letter.
    fn title(&mut self, place: &str, text: &str) {
        self.must(place, !text.is_empty(), "x-ms-summary is missing");
        let capitals = text.split(' ').all(|word| !word.starts_with(char::is_lowercase));
        self.must(place, capitals, "x-ms-summary is in title case");
        self.must(place, text.chars().count() <= LONGEST_SUMMARY, "x-ms-summary has at most 80 characters");
        self.plain(place, text);
    }

    fn description(&mut self, place: &str, text: &str) {
        let first = text.chars().next();
        self.must(
            place,
            first.is_some_and(|first| !first.is_lowercase()),
            "a description begins with a capital letter",
        );
        self.plain(place, text);
    }

    fn plain(&mut self, place: &str, text: &str) {
        self.must(
            place,
            !text.chars().any(char::is_control),
            "has a line break or another control character",
        );
    }

    fn schema(&mut self, place: &str, schema: &Value) {
        if schema["type"] == "array" {
            self.must(place, schema.get("items").is_some(), "a list needs items");
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            if member.get("$ref").is_none() {
                self.title(&place, member["x-ms-summary"].as_str().unwrap_or_default());
            }
            self.schema(&place, member);
        }
        for word in ["items", "additionalProperties"] {
            if schema[word].is_object() {
                self.schema(place, &schema[word]);
            }
        }
    }
}
