//! From TOML to declarations. What is wrong is told with its place in the text, all of it at once.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Declared;
use super::declaration;
use super::surroundings::Surroundings;

/// Something that is wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where in the text.
    pub(crate) span: Option<Range<usize>>,
    /// The key, such as `deadline`.
    pub(crate) key: String,
    /// What is wrong with it, and how to mend it.
    pub(crate) problem: String,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    /// A configuration, with actions under `[[action]]`; everything else in it is read elsewhere.
    Configuration,
    /// One action, named like its file unless it says otherwise.
    OneAction(&'a str),
}

/// A table with its place in the text.
pub(super) type Table<'a> = Spanned<DeTable<'a>>;

/// Reads what a text declares.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(
    text: &str,
    form: Form<'_>,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<Declared>, Vec<Wrong>> {
    let parsed = DeTable::parse(text).map_err(|error| vec![Wrong::not_toml(&error)])?;
    let mut declared = Vec::new();
    let mut wrong = Vec::new();
    let mut take = |table: Table<'_>, name: Option<&str>| {
        match declaration::read(table, name, surroundings) {
            Ok(action) => declared.push(action),
            Err(more) => wrong.extend(more),
        };
    };
    match form {
        Form::OneAction(name) => take(parsed, Some(name)),
        Form::Configuration => {
            let actions = parsed.into_inner().into_iter().find(|(key, _)| key.get_ref() == "action");
            let Some((_, actions)) = actions else { return Ok(Vec::new()) };
            let span = actions.span();
            let DeValue::Array(actions) = actions.into_inner() else {
                return Err(vec![Wrong::at(span, "action", "write each action under a line `[[action]]`")]);
            };
            for action in actions {
                let span = action.span();
                match action.into_inner() {
                    DeValue::Table(table) => take(Spanned::new(span, table), None),
                    _ => {
                        return Err(vec![Wrong::at(
                            span,
                            "action",
                            "write each action under a line `[[action]]`",
                        )]);
                    }
                }
            }
        }
    }
    wrong.sort_by_key(|wrong| wrong.span.as_ref().map(|span| span.start));
    if wrong.is_empty() { Ok(declared) } else { Err(wrong) }
}

impl Wrong {
    pub(super) fn at(span: Range<usize>, key: &str, problem: impl Into<String>) -> Self {
        Self { span: Some(span), key: key.to_owned(), problem: problem.into() }
    }

    fn not_toml(error: &toml::de::Error) -> Self {
        let problem = format!("this is not TOML: {}", error.message());
        Self { span: error.span(), key: String::new(), problem }
    }
}

/// The line in which a place of a text is; from 1.
pub(crate) fn line(text: &str, place: usize) -> usize {
    text.get(..place).unwrap_or(text).matches('\n').count() + 1
}
