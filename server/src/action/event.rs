//! The events that an action declares, and how people answer them in a browser.

use std::fmt;
use std::sync::Arc;

use raincheck_openapi::InvalidField;
use raincheck_openapi::document::{components_of, schema_of};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use super::registered::fit;
use crate::Json;

/// An event that an action declares.
///
/// With choices, its links also open in a browser: a page asks, and the button that is pressed sends the event. Only a
/// press does; whoever merely opens the link, such as a scanner of mails, decides nothing.
///
/// ```
/// use raincheck_server::{EventSettings, Question};
/// use serde_json::json;
///
/// #[derive(serde::Deserialize)]
/// struct Invoice { number: String, note: String }
///
/// let event = EventSettings::new::<bool>("decision")
///     .choice("approve", "Approve", json!(true))
///     .choice("reject", "Reject", json!(false))
///     // Nothing else of the input is shown: here, not the note.
///     .asks(|invoice: Invoice| Question { title: format!("Pay invoice {}?", invoice.number), text: String::new() });
/// assert_eq!(event.choices.len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct EventSettings {
    /// Its name.
    pub name: String,
    /// Whether one event link may deliver more than one.
    pub many: bool,
    /// What people can answer on the page of its links; without any, there is no page.
    pub choices: Vec<Choice>,
    /// The schema of its body.
    pub(crate) schema: Value,
    /// What that schema refers to.
    pub(crate) schemas: Vec<(String, Value)>,
    pub(crate) check: EventCheck,
    question: Option<Ask>,
}

/// An answer that people can give on the page of an event link.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The word for it in the form, and in a link that leads to it: lower case, digits and hyphens.
    pub name: String,
    /// What its button says.
    pub label: String,
    /// The body of the event that it sends.
    pub body: serde_json::Value,
}

/// What the page of an event link says above the choices. Public to whoever has the link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Its heading.
    pub title: String,
    /// Some sentences; line ends stay.
    pub text: String,
}

/// Tells whether the body of an event fits.
#[derive(Clone)]
pub(crate) struct EventCheck(pub(crate) Arc<Fits>);

type Fits = dyn Fn(&str) -> Result<(), Vec<InvalidField>> + Send + Sync;

impl fmt::Debug for EventCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventCheck(..)")
    }
}

#[derive(Clone)]
struct Ask(Arc<AskFn>);

type AskFn = dyn Fn(&Json) -> Option<Question> + Send + Sync;

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask(..)")
    }
}

impl EventSettings {
    /// An event `name` whose body is a `T`; anything else is refused when it is sent.
    #[must_use]
    pub fn new<T: DeserializeOwned + ToSchema + 'static>(name: impl Into<String>) -> Self {
        let check = EventCheck(Arc::new(fit::<T>));
        Self { schemas: components_of::<T>(), ..Self::of_schema(name.into(), schema_of::<T>(), check) }
    }

    /// An event whose body has this schema, which `check` holds.
    pub(crate) const fn of_schema(name: String, schema: Value, check: EventCheck) -> Self {
        Self { name, many: false, choices: Vec::new(), schema, schemas: Vec::new(), check, question: None }
    }

    /// Lets one event link deliver more than one event.
    #[must_use]
    pub const fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// Adds an answer to the page of its links: its word, what its button says, and the event that it sends.
    #[must_use]
    pub fn choice(
        mut self,
        name: impl Into<String>,
        label: impl Into<String>,
        body: serde_json::Value,
    ) -> Self {
        self.choices.push(Choice { name: name.into(), label: label.into(), body });
        self
    }

    /// What the page says above the choices, from the operation's input. Without this, it is the action's summary.
    #[must_use]
    pub fn asks<I: DeserializeOwned>(
        mut self,
        question: impl Fn(I) -> Question + Send + Sync + 'static,
    ) -> Self {
        self.question = Some(Ask(Arc::new(move |input| input.read().ok().map(&question))));
        self
    }

    /// What the page says for an operation with this input.
    pub(crate) fn question(&self, input: &Json) -> Option<Question> {
        self.question.as_ref().and_then(|Ask(question)| question(input))
    }

    /// What is wrong with its choices, if anything is.
    pub(crate) fn mistake(&self, is_name: impl Fn(&str) -> bool) -> Option<String> {
        self.choices.iter().enumerate().find_map(|(place, Choice { name, label, body })| {
            let problem = if !is_name(name) {
                "use 1 to 64 lower-case letters, digits and hyphens for its word, starting with a letter"
            } else if self.choices[..place].iter().any(|other| other.name == *name) {
                "it is there twice"
            } else if label.trim().is_empty() {
                "its button says nothing"
            } else if (self.check.0)(&body.to_string()).is_err() {
                "its body does not fit the event"
            } else {
                return None;
            };
            Some(format!("choice `{name}`: {problem}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision() -> EventSettings {
        EventSettings::new::<bool>("decision").choice("approve", "Approve", json!(true))
    }

    #[test]
    fn a_choice_that_nobody_could_make_is_a_mistake() {
        let mistake =
            |event: EventSettings| event.mistake(super::super::registry::is_name).unwrap_or_default();

        assert_eq!(mistake(decision()), "");
        assert!(mistake(decision().choice("Reject", "Reject", json!(false))).contains("lower-case"));
        assert!(mistake(decision().choice("approve", "Again", json!(true))).contains("twice"));
        assert!(mistake(decision().choice("reject", " ", json!(false))).contains("says nothing"));
        assert!(mistake(decision().choice("reject", "Reject", json!("no"))).contains("does not fit"));
    }

    #[test]
    fn a_question_is_made_of_the_input_if_that_can_be_read() {
        let event = decision().asks(|title: String| Question { title, text: String::new() });
        let question = |input: &str| event.question(&Json::parse(input.to_owned()).unwrap());

        assert_eq!(question("\"Pay?\"").unwrap().title, "Pay?");
        assert_eq!(question("7"), None);
    }
}
