//! Where the keys of a declaration stand, so that every mistake is told with its place.

use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::declaration::KEYS;
use super::file::Wrong;
use super::kind::{Kind, KindName};
use super::schema::Schema;
use super::surroundings::Surroundings;
use crate::action::RegistryError;

/// Where the keys of a table stand.
pub(super) struct Places {
    table: Range<usize>,
    keys: Vec<(String, Range<usize>, Range<usize>)>,
}

impl Places {
    pub(super) fn of(table: &DeTable<'_>, span: Range<usize>) -> Self {
        let keys = table.iter().map(|(key, value)| (key.get_ref().to_string(), key.span(), value.span()));
        Self { table: span, keys: keys.collect() }
    }

    /// A mistake at a key; at the beginning of the table if the key is not there.
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> Wrong {
        let place = self.keys.iter().find(|(known, ..)| known == key);
        Wrong::at(place.map_or_else(|| self.table.clone(), |(_, span, _)| span.clone()), key, problem)
    }

    pub(super) fn text<'a>(&self, table: &'a DeTable<'_>, key: &str) -> Option<&'a str> {
        table.iter().find(|(known, _)| known.get_ref() == key)?.1.get_ref().as_str()
    }

    /// Which kind the action is of.
    pub(super) fn kind(&self, table: &DeTable<'_>) -> Result<KindName, Wrong> {
        let words = KindName::ALL.map(KindName::as_str);
        let Some(word) = self.text(table, "kind") else {
            return Err(
                self.wrong("kind", format!("is missing: what does the work, one of {}", words.join(", ")))
            );
        };
        KindName::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
            let meant = similar(word, &words);
            self.wrong(
                "kind",
                format!("there is no kind `{word}`{meant}; the kinds are {}", words.join(", ")),
            )
        })
    }

    /// The keys that the action does not have.
    pub(super) fn unknown(&self, kind: KindName) -> Vec<Wrong> {
        let known: Vec<_> = KEYS.iter().chain(kind.keys()).copied().collect();
        let unknown = self.keys.iter().filter(|(key, ..)| !known.contains(&&**key));
        let word = kind.as_str();
        let told = unknown.map(|(key, span, _)| {
            let meant = similar(key, &known);
            let elsewhere = KindName::ALL.into_iter().find(|other| other.keys().contains(&&**key));
            let problem = match elsewhere {
                Some(other) => {
                    format!("no such key for kind \"{word}\"; it is one of kind \"{}\"", other.as_str())
                }
                None if meant.is_empty() => format!(
                    "no such key; for kind \"{word}\" there are {}, and for every action {}",
                    kind.keys().join(", "),
                    KEYS.join(", ")
                ),
                None => format!("no such key{meant}"),
            };
            Wrong::at(span.clone(), key, problem)
        });
        told.collect()
    }

    pub(super) fn read<T: DeserializeOwned>(&self, table: DeTable<'_>) -> Result<T, Wrong> {
        let table = Spanned::new(self.table.clone(), DeValue::Table(table));
        T::deserialize(ValueDeserializer::from(table)).map_err(|error| self.unreadable(&error))
    }

    pub(super) fn read_kind(
        &self,
        kind: KindName,
        table: DeTable<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Kind, Wrong> {
        let table = Spanned::new(self.table.clone(), DeValue::Table(table));
        match Kind::read(kind, ValueDeserializer::from(table), surroundings) {
            Ok(read) => read.map_err(|(key, problem)| self.wrong(key, problem)),
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    fn unreadable(&self, error: &toml::de::Error) -> Wrong {
        let at = error.span().unwrap_or_else(|| self.table.clone());
        // The key that begins last before it: one like `retry.attempts` has no value with a place of its own.
        let before = self.keys.iter().filter(|(_, key, _)| key.start <= at.start && at != self.table);
        let key = before.max_by_key(|(_, key, _)| key.start);
        let problem = error.message().replace('\n', "; ");
        Wrong { span: Some(at), key: key.map_or_else(String::new, |(key, ..)| key.clone()), problem }
    }

    /// A schema in place, or in a file beside this one.
    pub(super) fn schema(
        &self,
        value: Spanned<DeValue<'_>>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Schema, String> {
        let schema: Value = match value.get_ref().as_str() {
            Some(file) => {
                let path = surroundings.path(file);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read the schema {}: {error}", path.display()))?;
                serde_json::from_str(&text)
                    .map_err(|error| format!("{} is not JSON: {error}", path.display()))?
            }
            None => Value::deserialize(ValueDeserializer::from(value))
                .map_err(|error| error.message().to_owned())?,
        };
        Schema::new(&schema)
    }

    /// What the registry would refuse, at the key that it is about.
    pub(super) fn refused(&self, error: &RegistryError) -> Wrong {
        let key = match error {
            RegistryError::FailureStatus { .. } | RegistryError::FailureCode { .. } => "failures",
            RegistryError::Link { .. } => "links",
            RegistryError::Choice { .. } => "events",
            RegistryError::AliasTaken { .. } => "aliases",
            RegistryError::Duration { what, .. } => &what.replace(' ', "_"),
            _ => "name",
        };
        self.wrong(key, error.to_string())
    }
}

/// A known word that was probably meant.
fn similar(word: &str, known: &[&str]) -> String {
    let likeness = known.iter().map(|known| (strsim::jaro_winkler(word, known), known));
    let best = likeness.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness > 0.8)
        .map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
}
