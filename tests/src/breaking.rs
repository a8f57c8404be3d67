//! What would break clients of a released document: everything that they may send and get today must stay so.

use std::collections::BTreeSet;

use serde_json::Value;

mod schemas;
#[cfg(test)]
mod tests;

use schemas::{Side, compare_schemas};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// Every change from `old` to `new` that would break a client, each with its place. Both are OpenAPI 3.1.
#[must_use]
pub fn breaking_changes(old: &Value, new: &Value) -> Vec<String> {
    let mut changes = Changes { old, new, found: Vec::new() };
    for (path, item) in members(&old["paths"]) {
        for method in METHODS {
            let Some(before) = item.get(method) else { continue };
            let place = format!("{method} {path}");
            match new["paths"][path].get(method) {
                Some(after) => changes.operation(&place, (item, before), (&new["paths"][path], after)),
                None => changes.add(&place, "the operation is gone"),
            }
        }
    }
    changes.found
}

/// Changes as they are found.
struct Changes<'a> {
    old: &'a Value,
    new: &'a Value,
    found: Vec<String>,
}

/// A path item and one of its operations.
type Operation<'a> = (&'a Value, &'a Value);

impl Changes<'_> {
    fn add(&mut self, place: &str, what: &str) {
        self.found.push(format!("{place}: {what}"));
    }

    fn operation(&mut self, place: &str, (old_item, old): Operation, (new_item, new): Operation) {
        if old["operationId"] != new["operationId"] {
            self.add(place, &format!("operationId was {} and is {}", old["operationId"], new["operationId"]));
        }
        for scheme in schemes(old).difference(&schemes(new)) {
            self.add(place, &format!("the security scheme `{scheme}` no longer counts"));
        }
        self.parameters(
            place,
            &[&old_item["parameters"], &old["parameters"]],
            &[&new_item["parameters"], &new["parameters"]],
        );
        self.body(place, &old["requestBody"], &new["requestBody"]);
        for (status, answer) in members(&old["responses"]) {
            let place = format!("{place}, {status}");
            match new["responses"].get(status) {
                Some(after) => self.answer(&place, answer, after),
                None => self.add(&place, "the answer is gone"),
            }
        }
    }

    fn parameters(&mut self, place: &str, old: &[&Value], new: &[&Value]) {
        let all = |document: &Value, lists: &[&Value]| -> Vec<Value> {
            let parameters = lists.iter().flat_map(|list| list.as_array().into_iter().flatten());
            parameters.map(|parameter| resolve(document, parameter).clone()).collect()
        };
        let (old, new) = (all(self.old, old), all(self.new, new));
        let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        for before in &old {
            let place = format!("{place}, {} {}", text(&before["in"]), text(&before["name"]));
            match new.iter().find(|after| same(before, after)) {
                Some(after) => {
                    if after["required"] == true && before["required"] != true {
                        self.add(&place, "it has become required");
                    }
                    self.schema(Side::Request, &place, &before["schema"], &after["schema"]);
                }
                None => self.add(&place, "the parameter is gone"),
            }
        }
        for after in new.iter().filter(|after| after["required"] == true) {
            if !old.iter().any(|before| same(before, after)) {
                let place = format!("{place}, {} {}", text(&after["in"]), text(&after["name"]));
                self.add(&place, "it is new and required");
            }
        }
    }

    fn body(&mut self, place: &str, old: &Value, new: &Value) {
        let (old, new) = (resolve(self.old, old).clone(), resolve(self.new, new).clone());
        let place = format!("{place}, body");
        if new["required"] == true && old["required"] != true {
            self.add(&place, "it has become required");
        }
        self.content(Side::Request, &place, &old, &new);
    }

    fn answer(&mut self, place: &str, old: &Value, new: &Value) {
        let (old, new) = (resolve(self.old, old).clone(), resolve(self.new, new).clone());
        for (name, header) in members(&old["headers"]) {
            let after = resolve(self.new, &new["headers"][name]);
            if header["required"] == true && after["required"] != true {
                self.add(place, &format!("the header {name} is no longer certain"));
            } else if !after.is_null() {
                let after = after["schema"].clone();
                self.schema(Side::Answer, &format!("{place}, {name}"), &header["schema"], &after);
            }
        }
        for code in codes(&old).difference(&codes(&new)) {
            self.add(place, &format!("the code `{code}` is gone"));
        }
        self.content(Side::Answer, place, &old, &new);
    }

    fn content(&mut self, side: Side, place: &str, old: &Value, new: &Value) {
        for (media_type, content) in members(&old["content"]) {
            match new["content"].get(media_type) {
                Some(after) => self.schema(side, place, &content["schema"], &after["schema"]),
                None => self.add(place, &format!("{media_type} is gone")),
            }
        }
    }

    fn schema(&mut self, side: Side, place: &str, old: &Value, new: &Value) {
        let found = compare_schemas(side, (self.old, old), (self.new, new));
        self.found.extend(found.into_iter().map(|change| format!("{place}{change}")));
    }
}

/// The words that an answer with a problem names in its description.
fn codes(answer: &Value) -> BTreeSet<String> {
    let is_problem =
        members(&answer["content"]).any(|(_, content)| text(&content["schema"]["$ref"]).contains("Problem"));
    let words = text(&answer["description"]).split('`').skip(1).step_by(2);
    words.filter(|_| is_problem).map(str::to_owned).collect()
}

fn schemes(operation: &Value) -> BTreeSet<String> {
    let all = operation["security"].as_array().into_iter().flatten();
    all.flat_map(members).map(|(name, _)| name.clone()).collect()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What a reference leads to; anything else as it is.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
    target.map_or(value, |target| document.pointer(target).unwrap_or(&Value::Null))
}
