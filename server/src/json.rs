//! A JSON value kept as its text: cheap to clone, copied to the wire as it is.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One JSON value, kept as text.
///
/// ```
/// use raincheck_server::Json;
/// let json = Json::of(&("a", 1))?;
/// assert_eq!(json.get(), r#"["a",1]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// The text of `value`.
    ///
    /// # Errors
    /// If `value` has no JSON form, such as a map whose keys are not strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::value::to_raw_value(value)?.into()))
    }

    /// Takes `text`, which must be one JSON value.
    ///
    /// # Errors
    /// If it is not.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        Ok(Self(RawValue::from_string(text)?.into()))
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The text as serde's raw value.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.0
    }

    /// Reads the value as a `T`.
    ///
    /// # Errors
    /// If it is no `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.get())
    }
}

impl PartialEq for Json {
    /// Compares the texts: `1` and `1.0` are different, as are objects in another order.
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

/// What serde says of JSON that does not fit a type, without the place in the text, which is no help to a program, and
/// without the value: an answer may end in the logs of those on the way, and inputs have no business there.
pub(crate) fn misfit(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(&*text, |(reason, _)| reason);
    let names_value = ["invalid type: ", "invalid value: ", "unknown variant ", "unknown field "];
    let Some(begin) = names_value.into_iter().find(|begin| reason.starts_with(begin)) else {
        return reason.to_owned();
    };
    // The value may have any text in it, but what was expected comes last.
    let (found, expected) = reason.rsplit_once(", expected ").unwrap_or((reason, ""));
    let kind = found[begin.len()..].split(['"', '`']).next().unwrap_or_default();
    let what = format!("{begin}{kind}");
    let what = what.trim_end();
    if expected.is_empty() { what.to_owned() } else { format!("{what}, expected {expected}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Form {
        number: u16,
        word: Option<Word>,
    }

    #[derive(Debug, serde::Deserialize)]
    enum Word {
        Yes,
        No,
    }

    #[test]
    fn what_does_not_fit_is_told_without_its_value() {
        let told = |json: &str| misfit(&serde_json::from_str::<Form>(json).unwrap_err());

        assert_eq!(told(r#"{"number": "my \", expected secret"}"#), "invalid type: string, expected u16");
        assert_eq!(told(r#"{"number": 70123}"#), "invalid value: integer, expected u16");
        assert_eq!(
            told(r#"{"number": 1, "word": "secret, expected `x`"}"#),
            "unknown variant, expected `Yes` or `No`"
        );
        assert_eq!(told(r#"{"secret": 1}"#), "unknown field, expected `number` or `word`");
        assert_eq!(told("{}"), "missing field `number`");
    }
}
