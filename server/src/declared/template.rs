//! Templates and expressions of a declaration. What they are given is data: it never becomes a part of them, and it is
//! written as the place where it goes needs it.

use std::fmt;
use std::sync::LazyLock;

use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};

/// A text with `{{ … }}` in it.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    source: String,
    place: Place,
}

/// Where the text of a template goes, and so how values in it are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A URL: percent-encoded, whatever it is.
    Url,
    /// A JSON text: as JSON, with its quotes.
    Json,
    /// Anything else: as it is.
    Text,
}

/// A question to the data, such as `status == 200 and body.done`.
#[derive(Clone)]
pub(crate) struct Expression(String);

/// A JSON value whose strings may be templates. One that is nothing but `{{ … }}` stands for the value itself, of any
/// type; a member whose value is not there is left out.
#[derive(Clone)]
pub(crate) struct Shape(Value);

/// What is left of a segment of a path, or of a value in a query (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The word for the escaping of URLs.
const URL: &str = "url";

/// Steps of one template: far more than any needs that is not a mistake.
const FUEL: u64 = 1_000_000;

/// Why a template gives no text: in words of the template's, never of the data's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl From<minijinja::Error> for Unfit {
    // Neither the detail nor the cause: they may repeat a value.
    fn from(error: minijinja::Error) -> Self {
        let what = match error.kind() {
            ErrorKind::UndefinedError => "it names something that is not there".to_owned(),
            kind => kind.to_string(),
        };
        Self(what)
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn new(source: &str, place: Place) -> Result<Self, String> {
        environment(place).template_from_named_str("", source).map(drop).map_err(|error| describe(&error))?;
        Ok(Self { source: source.to_owned(), place })
    }

    /// Its text with this data.
    pub(crate) fn render(&self, data: &impl Serialize) -> Result<String, Unfit> {
        let environment = environment(self.place);
        Ok(environment.render_str(&self.source, Serde(data))?)
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        environment(Place::Text)
            .compile_expression_owned(source.to_owned())
            .map(drop)
            .map_err(|error| describe(&error))?;
        Ok(Self(source.to_owned()))
    }

    /// Its value. What is not there is `None`.
    pub(crate) fn value(&self, data: &impl Serialize) -> Result<Option<Value>, Unfit> {
        let environment = environment(Place::Text);
        let value = environment.compile_expression_owned(self.0.clone())?.eval(Serde(data));
        match value {
            Ok(value) if value.is_undefined() => Ok(None),
            Ok(value) => {
                serde_json::to_value(&value).map(Some).map_err(|_| Unfit("it gives no JSON".to_owned()))
            }
            Err(error) if error.kind() == ErrorKind::UndefinedError => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it holds. Of what is not there, nothing does.
    pub(crate) fn holds(&self, data: &impl Serialize) -> Result<bool, Unfit> {
        Ok(match self.value(data)? {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(members)) => !members.is_empty(),
            Some(Value::Bool(true)) => true,
        })
    }
}

impl Shape {
    /// Reads a value with templates in it.
    ///
    /// # Errors
    /// Which of them is none.
    pub(crate) fn new(shape: &Value) -> Result<Self, String> {
        match shape {
            Value::String(text) => match whole(text) {
                Some(expression) => drop(Expression::new(expression)?),
                None => drop(Template::new(text, Place::Text)?),
            },
            Value::Array(items) => items.iter().try_for_each(|item| Self::new(item).map(drop))?,
            Value::Object(members) => members.values().try_for_each(|member| Self::new(member).map(drop))?,
            _ => {}
        }
        Ok(Self(shape.clone()))
    }

    /// Its value with this data.
    pub(crate) fn fill(&self, data: &impl Serialize) -> Result<Value, Unfit> {
        Ok(fill(&self.0, data)?.unwrap_or(Value::Null))
    }
}

fn fill(shape: &Value, data: &impl Serialize) -> Result<Option<Value>, Unfit> {
    Ok(Some(match shape {
        Value::String(text) => match whole(text) {
            Some(expression) => return Expression(expression.to_owned()).value(data),
            None => Value::String(Template { source: text.clone(), place: Place::Text }.render(data)?),
        },
        Value::Array(items) => {
            let items = items.iter().map(|item| Ok(fill(item, data)?.unwrap_or(Value::Null)));
            Value::Array(items.collect::<Result<_, Unfit>>()?)
        }
        Value::Object(members) => {
            let mut filled = Map::new();
            for (name, member) in members {
                if let Some(member) = fill(member, data)? {
                    filled.insert(name.clone(), member);
                }
            }
            Value::Object(filled)
        }
        other => other.clone(),
    }))
}

/// The expression of a text that is nothing else.
fn whole(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%"))
        .then(|| inner.trim_matches('-').trim())
}

/// A text as it stands in a URL.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The rules of a place.
fn environment(place: Place) -> &'static Environment<'static> {
    static URL: LazyLock<Environment<'static>> = LazyLock::new(|| rules(Place::Url));
    static JSON: LazyLock<Environment<'static>> = LazyLock::new(|| rules(Place::Json));
    static TEXT: LazyLock<Environment<'static>> = LazyLock::new(|| rules(Place::Text));
    match place {
        Place::Url => &URL,
        Place::Json => &JSON,
        Place::Text => &TEXT,
    }
}

fn rules(place: Place) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(move |_| match place {
        Place::Json => AutoEscape::Json,
        Place::Url => AutoEscape::Custom(URL.into()),
        Place::Text => AutoEscape::None,
    });
    environment.set_formatter(format);
    environment
}

fn format(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &minijinja::Value,
) -> Result<(), minijinja::Error> {
    let is_url = matches!(state.auto_escape(), AutoEscape::Custom(place) if place == URL);
    if !is_url || value.is_safe() || value.is_undefined() {
        return minijinja::escape_formatter(out, state, value);
    }
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => {
            let text = value.to_string();
            out.write_str(&encoded(&text)).map_err(minijinja::Error::from)
        }
        _ => Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            "only a text or a number can stand in a URL",
        )),
    }
}

/// What is wrong with a template, for its author: there is no data in it yet.
fn describe(error: &minijinja::Error) -> String {
    let line =
        error.line().filter(|line| *line > 1).map_or_else(String::new, |line| format!(" in line {line}"));
    let detail = error.detail().unwrap_or_default();
    format!("is no template{line}: {}: {detail}", error.kind())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(source: &str, place: Place, input: Value) -> Result<String, Unfit> {
        Template::new(source, place).unwrap().render(&json!({ "input": input }))
    }

    #[test]
    fn a_value_in_a_url_stays_where_it_was_put() {
        let url = |value: Value| text("https://h/a/{{ input }}/b?c={{ input }}", Place::Url, value).unwrap();

        assert_eq!(url(json!("x/../y?d=e#f&g h")), {
            let encoded = "x%2F..%2Fy%3Fd%3De%23f%26g%20h";
            format!("https://h/a/{encoded}/b?c={encoded}")
        });
        assert_eq!(url(json!(2026)), "https://h/a/2026/b?c=2026");
        assert_eq!(url(json!("é%2F")), "https://h/a/%C3%A9%252F/b?c=%C3%A9%252F");
        assert!(text("https://h/{{ input }}", Place::Url, json!({"a": 1})).is_err());
    }

    #[test]
    fn a_value_in_json_is_json_and_no_template() {
        let body = text(
            r#"{"name": {{ input.name }}, "all": {{ input }}}"#,
            Place::Json,
            json!({
                "name": "\"}, {{ secret.token }} {% raw %}"
            }),
        )
        .unwrap();

        let read: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["name"], json!("\"}, {{ secret.token }} {% raw %}"));
        assert_eq!(read["all"]["name"], read["name"]);
    }

    #[test]
    fn a_shape_keeps_types_and_leaves_out_what_is_not_there() {
        let shape = json!({
            "year": "{{ input.year }}", "tags": ["{{ input.tags }}"], "note": "{{ input.note }}",
            "title": "Report {{ input.year }}", "deep": "{{ input.a.b.c }}", "fixed": true
        });

        let filled =
            Shape::new(&shape).unwrap().fill(&json!({"input": {"year": 2026, "tags": ["a"]}})).unwrap();

        assert_eq!(filled, json!({"year": 2026, "tags": [["a"]], "title": "Report 2026", "fixed": true}));
    }

    #[test]
    fn an_expression_of_what_is_not_there_does_not_hold() {
        let holds = |expression: &str| {
            Expression::new(expression).unwrap().holds(&json!({"status": 200, "body": {"ok": true}})).unwrap()
        };

        assert!(holds("status == 200 and body.ok"));
        assert!(!holds("body.gone.deeper"));
        assert!(!holds("body.ok and status > 299"));
    }

    #[test]
    fn an_error_repeats_no_value() {
        let error =
            text("{{ input.gone }} {{ input.password }}", Place::Text, json!({"password": "hunter2"}));

        assert!(!format!("{error:?} {}", error.as_ref().unwrap_err()).contains("hunter2"), "{error:?}");
        assert!(Template::new("{{ input.", Place::Text).unwrap_err().contains("is no template"));
    }
}
