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
