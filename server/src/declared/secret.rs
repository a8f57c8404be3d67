//! Secrets of a declaration: named in it, kept outside of it, and shown nowhere.

use std::collections::BTreeMap;

use serde_json::Value;

use super::surroundings::Surroundings;
use super::template::encoded;
use crate::config::Secret;

/// The secrets of an action, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(BTreeMap<String, Secret>);

/// What a secret shorter than this is taken out of a text for: hardly anything, and it would make the text unreadable.
const SHORTEST: usize = 4;

impl Secrets {
    /// Looks up secrets: `env:NAME` is a variable of the server's environment, `file:PATH` the content of a file
    /// without the line break at its end.
    ///
    /// # Errors
    /// Which one is not there.
    pub(crate) fn look_up(
        named: &BTreeMap<String, String>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, String> {
        let found = named.iter().map(|(name, place)| {
            let text = match place.split_once(':') {
                Some(("env", variable)) => {
                    (surroundings.variable)(variable).filter(|value| !value.is_empty()).ok_or_else(|| {
                        format!("the secret `{name}`: the environment has no variable {variable}")
                    })?
                }
                Some(("file", path)) => std::fs::read_to_string(surroundings.path(path))
                    .map_err(|error| format!("the secret `{name}`: cannot read {path}: {error}"))?,
                _ => {
                    // What stands here may be the secret itself.
                    return Err(format!("the secret `{name}` must be \"env:VARIABLE\" or \"file:PATH\""));
                }
            };
            Ok((name.clone(), Secret::new(text.trim_end_matches(['\r', '\n']))))
        });
        found.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, secret)| (&**name, secret))
    }

    /// A value without any of them; [`put_back`](Self::put_back) restores it. For what has to be kept.
    pub(crate) fn take_out(&self, value: &Value) -> Value {
        each_text(value, &|text| {
            self.marked().fold(text.to_owned(), |text, (plain, mark)| text.replace(&plain, &mark))
        })
    }

    /// Undoes [`take_out`](Self::take_out).
    pub(crate) fn put_back(&self, value: &Value) -> Value {
        // Backwards: a secret may occur in the mark of one before it.
        let marked: Vec<_> = self.marked().collect();
        each_text(value, &|text| {
            marked.iter().rev().fold(text.to_owned(), |text, (plain, mark)| text.replace(mark, plain))
        })
    }

    /// Each secret as it may stand in a text, with what stands for it: no character of a URL.
    fn marked(&self) -> impl Iterator<Item = (String, String)> {
        let texts = self.0.iter().map(|(name, secret)| (name, secret.reveal()));
        texts.filter(|(_, secret)| !secret.is_empty()).flat_map(|(name, secret)| {
            [
                (secret.to_owned(), format!("<secret {name}>")),
                (encoded(secret), format!("<encoded secret {name}>")),
            ]
        })
    }

    /// `text` without any of them.
    pub(crate) fn taken_out_of(&self, text: &str) -> String {
        let secrets = self.0.values().map(Secret::reveal).filter(|secret| secret.len() >= SHORTEST);
        secrets.fold(text.to_owned(), |text, secret| {
            text.replace(secret, "***").replace(&encoded(secret), "***")
        })
    }
}

fn each_text(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.iter().map(|item| each_text(item, change)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), each_text(member, change))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_that_occurs_in_the_mark_of_another_comes_back_too() {
        let named =
            [("a", "hunter2"), ("b", "secret")].map(|(name, text)| (name.to_owned(), Secret::new(text)));
        let secrets = Secrets(BTreeMap::from(named));
        let token = json!("hunter2 keeps a secret");

        assert_eq!(secrets.put_back(&secrets.take_out(&token)), token);
    }

    #[test]
    fn what_is_kept_has_no_secret_in_it_and_comes_back_whole() {
        let secrets = Secrets(BTreeMap::from([("key".to_owned(), Secret::new("hunter/2="))]));
        let token = json!({"url": "https://h/a?code=hunter%2F2%3D&x=1", "raw": ["hunter/2="]});

        let kept = secrets.take_out(&token);

        assert!(!kept.to_string().contains("hunter"), "{kept}");
        assert_eq!(secrets.put_back(&kept), token);
        assert_eq!(secrets.taken_out_of("failed at ?code=hunter%2F2%3D"), "failed at ?code=***");
        assert_eq!(format!("{secrets:?}"), r#"Secrets({"key": Secret(..)})"#);
    }
}
