//! What survives a restart of a consumer: where to ask, and what of the answer was dealt with already.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::Value;
use url::Url;

use crate::{Error, address};

/// Everything that is needed to go on with a [`Trigger`](crate::Trigger), in another process or on another
/// day.
///
/// Store it with serde, in any format; [`Client::attach_trigger`](crate::Client::attach_trigger) takes it
/// back. It has a version, and it holds the URL to ask next. A raincheck server's has a right of its own,
/// to follow just that, so keep it where you keep such things. `Debug` does not show it. The API key is not
/// part of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = raincheck::Client::builder("https://api.example").build()?;
/// let trigger = client.trigger::<serde_json::Value>("https://api.example/orders/new?token=secret")?;
/// let stored = serde_json::to_string(trigger.state())?;
/// let restored: raincheck::TriggerState = serde_json::from_str(&stored)?;
/// assert_eq!(&restored, trigger.state());
/// assert!(!format!("{trigger:?}").contains("secret"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TriggerState {
    url: Arc<Url>,
    /// The items of an answer, in order: by their `id`, if they have one. Shared by the states after each
    /// of them.
    items: Arc<[Option<String>]>,
    /// How many of them were dealt with. The URL still answers with them; these are passed by.
    handled: usize,
}

/// The stored form. A later version may know more; an older client must then refuse, not guess.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    v: u32,
    url: Arc<Url>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    handled: std::borrow::Cow<'a, [Option<String>]>,
}

const VERSION: u32 = 1;

impl TriggerState {
    /// At a URL of which nothing was told yet.
    pub(crate) fn new(url: Url) -> Self {
        Self::after(Arc::new(url), Arc::default(), 0)
    }

    /// After so many of the items that the URL answers with.
    pub(super) fn after(url: Arc<Url>, items: Arc<[Option<String>]>, handled: usize) -> Self {
        Self { url, items, handled }
    }

    pub(super) fn url(&self) -> &Arc<Url> {
        &self.url
    }

    /// What of the answer was dealt with.
    pub(super) fn handled(&self) -> &[Option<String>] {
        &self.items[..self.handled]
    }

    fn restore(stored: Value) -> Result<Self, Error> {
        // The cause might repeat the URL, so it is left out.
        let damaged = || Error::usage("the trigger state is damaged");
        let version = stored.get("v").and_then(Value::as_u64);
        if version.is_some_and(|version| version > u64::from(VERSION)) {
            return Err(Error::usage("the trigger state was made by a newer version of this crate"));
        }
        let Stored { v, url, handled } = serde_json::from_value(stored).map_err(|_| damaged())?;
        if v != VERSION {
            return Err(damaged());
        }
        address::acceptable(&url)?;
        Ok(Self::after(url, handled.iter().cloned().collect(), handled.len()))
    }
}

impl PartialEq for TriggerState {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url && self.handled() == other.handled()
    }
}

impl Eq for TriggerState {}

impl Serialize for TriggerState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = Stored { v: VERSION, url: Arc::clone(&self.url), handled: self.handled().into() };
        if serializer.is_human_readable() {
            return stored.serialize(serializer);
        }
        // Formats that do not write names could not tell which members are there.
        serializer.serialize_str(&serde_json::to_string(&stored).map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for TriggerState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a plain value, whatever is wrong: serde's errors repeat what they do not expect.
        let stored = if deserializer.is_human_readable() {
            Value::deserialize(deserializer)?
        } else {
            serde_json::from_str(&String::deserialize(deserializer)?)
                .map_err(|_| D::Error::custom("the trigger state is damaged"))?
        };
        Self::restore(stored).map_err(D::Error::custom)
    }
}

impl fmt::Debug for TriggerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TriggerState").field("handled", &self.handled).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(handled: usize) -> TriggerState {
        let items = [Some("a".to_owned()), None, Some("c".to_owned())];
        let url = Url::parse("http://h/finished?token=secret").unwrap();
        TriggerState::after(Arc::new(url), items.into(), handled)
    }

    #[test]
    fn a_state_is_read_back_as_it_was_written() {
        for handled in 0..3 {
            let stored = serde_json::to_string(&state(handled)).unwrap();

            assert_eq!(serde_json::from_str::<TriggerState>(&stored).unwrap(), state(handled), "{stored}");
        }
    }

    #[test]
    fn its_stored_form_does_not_change() {
        let (begun, within) = (state(0), state(2));

        let url = "http://h/finished?token=secret";
        assert_eq!(serde_json::to_string(&begun).unwrap(), format!(r#"{{"v":1,"url":"{url}"}}"#));
        assert_eq!(
            serde_json::to_string(&within).unwrap(),
            format!(r#"{{"v":1,"url":"{url}","handled":["a",null]}}"#)
        );
    }

    #[test]
    fn what_is_damaged_or_newer_is_refused_without_repeating_the_url() {
        for (stored, expected) in [
            (r#"{"v":2,"url":"http://h/secret"}"#, "newer version"),
            (r#"{"v":0,"url":"http://h/secret"}"#, "damaged"),
            (r#"{"url":"http://h/secret"}"#, "damaged"),
            (r#"{"v":1,"url":"secret"}"#, "damaged"),
            (r#"{"v":1,"url":"file:///secret"}"#, "http"),
            (r#"{"v":1,"url":"http://h/secret","handled":"http://secret"}"#, "damaged"),
            (r#""http://h/secret""#, "damaged"),
        ] {
            let error = serde_json::from_str::<TriggerState>(stored).unwrap_err();

            let text = format!("{error} {error:?}");
            assert!(text.contains(expected) && !text.contains("secret"), "{stored}: {text}");
        }
    }
}
