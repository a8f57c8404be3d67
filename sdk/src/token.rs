//! What survives a restart of the client: a status URL with a version.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::Value;

use crate::dialect::Course;
use crate::{Dialect, Error, address};

/// Everything that is needed to follow an operation again, in another process or on another day.
///
/// Store it with serde, in any format; [`Client::attach`](crate::Client::attach) takes it back. It holds the
/// status URL, which is a secret: whoever has it can read the operation's status and output (and nothing
/// else), so keep it where you keep such things. `Debug` does not show it. The API key is not part of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use raincheck::ResumeToken;
/// let token = ResumeToken::from_url("https://api.example/v1/actions/a/operations/1?token=secret")?;
/// let stored = serde_json::to_string(&token)?;
/// let restored: ResumeToken = serde_json::from_str(&stored)?;
/// assert_eq!(restored, token);
/// assert!(!format!("{token:?}").contains("secret"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ResumeToken {
    course: Course,
    id: Option<String>,
}

/// The stored form. A later version may know more; an older client must then refuse, not guess.
#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    #[serde(flatten)]
    course: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

const VERSION: u32 = 1;

impl ResumeToken {
    /// A token for a status URL that came by another way, such as a workflow's log.
    ///
    /// # Errors
    /// [`Error::is_usage`] if it is not an absolute http or https URL.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Ok(Self::new(Course::unknown(address::parse(url)?), None))
    }

    /// Says how the server of a bare status URL tells how the operation stands. Otherwise each answer is taken
    /// for what it looks like, which can be wrong if the *result* has a member `status`.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.course.dialect = Some(dialect);
        self
    }

    pub(crate) fn new(course: Course, id: Option<String>) -> Self {
        Self { course, id }
    }

    /// A text without the secrets of the URLs in this token.
    pub(crate) fn taken_out_of(&self, text: &str) -> String {
        self.course.urls().fold(text.to_owned(), |text, url| address::without_secrets(&text, url))
    }

    pub(crate) fn into_parts(self) -> (Course, Option<String>) {
        (self.course, self.id)
    }

    /// The status URL. A secret: whoever has it can read the status.
    #[must_use]
    pub fn url(&self) -> &str {
        self.course.url().as_str()
    }

    /// The operation's id, if it is known. Not a secret.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl ResumeToken {
    fn restore(stored: Value) -> Result<Self, Error> {
        // The cause might repeat a URL, so it is left out.
        let damaged = |_| Error::usage("the resume token is damaged");
        let version = stored.get("v").and_then(Value::as_u64);
        if version.is_some_and(|version| version > u64::from(VERSION)) {
            return Err(Error::usage("the resume token was made by a newer version of this crate"));
        }
        let Stored { v, course, id } = serde_json::from_value(stored).map_err(damaged)?;
        let course: Course = serde_json::from_value(course).map_err(damaged)?;
        if v != VERSION {
            return Err(Error::usage("the resume token is damaged"));
        }
        course.urls().try_for_each(address::acceptable)?;
        Ok(Self::new(course, id))
    }
}

impl Serialize for ResumeToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = Stored::from(self.clone());
        if serializer.is_human_readable() {
            return stored.serialize(serializer);
        }
        // Formats that do not write names could not tell which members are there.
        serializer.serialize_str(&serde_json::to_string(&stored).map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for ResumeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a plain value, whatever is wrong: serde's errors repeat what they do not expect.
        let stored = if deserializer.is_human_readable() {
            Value::deserialize(deserializer)?
        } else {
            serde_json::from_str(&String::deserialize(deserializer)?)
                .map_err(|_| D::Error::custom("the resume token is damaged"))?
        };
        Self::restore(stored).map_err(D::Error::custom)
    }
}

impl From<ResumeToken> for Stored {
    fn from(ResumeToken { course, id }: ResumeToken) -> Self {
        let course = serde_json::to_value(course).unwrap_or_default();
        Self { v: VERSION, course, id }
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeToken").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_a_later_version_is_refused_not_guessed() {
        let error = serde_json::from_str::<ResumeToken>(r#"{"v":2,"url":"http://h/a"}"#).unwrap_err();

        assert!(error.to_string().contains("newer version"), "{error}");
    }

    #[test]
    fn a_damaged_token_is_refused_without_repeating_a_url() {
        for damaged in [
            r#""http://h/a?token=secret""#,
            r#"["http://h/a?token=secret"]"#,
            r#"{"v":"http://h/a?token=secret"}"#,
            r#"{"url":"http://h/a?token=secret"}"#,
            r#"{"v":0,"url":"http://h/a?token=secret"}"#,
            r#"{"v":-1,"url":"http://h/a?token=secret"}"#,
            r#"{"v":1,"url":"no-url-secret"}"#,
            r#"{"v":1,"url":"ftp://h/secret"}"#,
            r#"{"v":1,"url":"http://me:secret@h/a"}"#,
            r#"{"v":1,"url":"http://h/a?token=secret","id":7}"#,
            r#"{"v":1,"url":"http://h/a?token=secret","dialect":"http://secret"}"#,
            r#"{"v":1,"url":"http://h/a?token=secret","home":"file:///secret"}"#,
            r#"{"v":1,"url":"http://h/a?token=secret","terminate":"file:///secret"}"#,
            r#"{"v":1,"url":"http://h/a?token=secret","result":{"resource":"file:///secret"}}"#,
            r#"{"v":1,"url":"http://h/a?token=secret"#,
        ] {
            let error = serde_json::from_str::<ResumeToken>(damaged).unwrap_err();

            let text = format!("{error} {error:?}");
            assert!(!text.contains("secret"), "{damaged}: {text}");
        }
    }
}
