//! Whether one schema may take the place of another.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{members, resolve, text};

/// Who writes what the schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Clients: what they could send must still be taken.
    Request,
    /// The server: what it sends must be what clients know.
    Answer,
}

/// A schema and the document that it is in.
pub(super) type In<'a> = (&'a Value, &'a Value);

/// Every change that would break a client, each with its place below the schema.
pub(super) fn compare_schemas(side: Side, old: In, new: In) -> Vec<String> {
    let mut comparison = Comparison { side, found: Vec::new(), seen: BTreeSet::new() };
    comparison.compare("", old, new);
    comparison.found
}

struct Comparison {
    side: Side,
    found: Vec<String>,
    /// Pairs of names: schemas may contain themselves.
    seen: BTreeSet<(String, String)>,
}

impl Comparison {
    fn add(&mut self, place: &str, what: &str) {
        self.found.push(format!("{place}: {what}"));
    }

    fn compare(&mut self, place: &str, (old_document, old): In, (new_document, new): In) {
        let names = (text(&old["$ref"]).to_owned(), text(&new["$ref"]).to_owned());
        let is_named = !names.0.is_empty() || !names.1.is_empty();
        if is_named && !self.seen.insert(names) {
            return;
        }
        let (old, new) = (resolve(old_document, old), resolve(new_document, new));
        self.types(place, old, new);
        self.words(place, old, new);
        self.limits(place, old, new);
        self.required(place, old, new);
        for (name, before) in members(&old["properties"]) {
            if let Some(after) = new["properties"].get(name) {
                self.compare(&format!("{place}/{name}"), (old_document, before), (new_document, after));
            }
        }
        if old["items"].is_object() && new["items"].is_object() {
            let place = format!("{place}/items");
            self.compare(&place, (old_document, &old["items"]), (new_document, &new["items"]));
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            let variants = |schema: &Value| schema[word].as_array().cloned().unwrap_or_default();
            let (before, after) = (variants(old), variants(new));
            if before.len() == after.len() {
                for (before, after) in before.iter().zip(&after) {
                    self.compare(place, (old_document, before), (new_document, after));
                }
            } else {
                self.add(place, &format!("{word} has {} variants and had {}", after.len(), before.len()));
            }
        }
    }

    /// Clients may send more types than before, and get fewer.
    fn types(&mut self, place: &str, old: &Value, new: &Value) {
        let (before, after) = (types(old), types(new));
        let fits = match self.side {
            Side::Request => after.is_empty() || (!before.is_empty() && before.is_subset(&after)),
            Side::Answer => before.is_empty() || (!after.is_empty() && after.is_subset(&before)),
        };
        if !fits {
            let show = |types: &BTreeSet<String>| types.iter().cloned().collect::<Vec<_>>().join(" or ");
            self.add(place, &format!("the type was {} and is {}", show(&before), show(&after)));
        } else if old["format"].is_string() && old["format"] != new["format"] {
            self.add(place, &format!("the format was {} and is {}", old["format"], new["format"]));
        }
    }

    /// A word that clients send may not go. One that they get may come: they read those that they do not know as unknown.
    fn words(&mut self, place: &str, old: &Value, new: &Value) {
        let words = |schema: &Value| schema["enum"].as_array().cloned().unwrap_or_default();
        let (before, after) = (words(old), words(new));
        if self.side == Side::Request && !after.is_empty() {
            for word in before.iter().filter(|word| !after.contains(word)) {
                self.add(place, &format!("{word} is no longer taken"));
            }
            if before.is_empty() {
                self.add(place, "only some words are still taken");
            }
        }
    }

    fn limits(&mut self, place: &str, old: &Value, new: &Value) {
        if self.side == Side::Answer {
            return;
        }
        for (word, is_lower) in [
            ("minimum", true),
            ("minLength", true),
            ("minItems", true),
            ("maximum", false),
            ("maxLength", false),
            ("maxItems", false),
        ] {
            let Some(after) = new[word].as_f64() else { continue };
            let tighter = old[word]
                .as_f64()
                .is_none_or(|before| if is_lower { after > before } else { after < before });
            if tighter && !(after == 0.0 && is_lower) {
                self.add(place, &format!("{word} was {} and is {}", old[word], new[word]));
            }
        }
        if new["pattern"].is_string() && old["pattern"] != new["pattern"] {
            self.add(place, "the pattern is another one");
        }
    }

    fn required(&mut self, place: &str, old: &Value, new: &Value) {
        let names = |schema: &Value| -> BTreeSet<String> {
            let names = schema["required"].as_array().into_iter().flatten();
            names.map(|name| text(name).to_owned()).collect()
        };
        let (before, after) = (names(old), names(new));
        match self.side {
            Side::Request => {
                for name in after.difference(&before) {
                    self.add(&format!("{place}/{name}"), "it has become required");
                }
            }
            Side::Answer => {
                for name in before.difference(&after) {
                    self.add(&format!("{place}/{name}"), "it is no longer certain");
                }
            }
        }
    }
}

fn types(schema: &Value) -> BTreeSet<String> {
    match &schema["type"] {
        Value::String(kind) => BTreeSet::from([kind.clone()]),
        Value::Array(kinds) => kinds.iter().map(|kind| text(kind).to_owned()).collect(),
        _ => BTreeSet::new(),
    }
}
