//! What goes to stdout: one JSON document for scripts, or lines for people.

use std::io::{IsTerminal, Write};

use raincheck::{StatusView, View};
use serde::Serialize;
use serde_json::Value;

/// Prints one document. A reader that has gone away (`| head`) is no error.
pub(crate) fn document(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).expect("JSON values and views always serialize");
    line(&text);
}

/// One document among several: on a line of its own.
pub(crate) fn compact(value: &impl Serialize) {
    line(&serde_json::to_string(value).expect("JSON values and views always serialize"));
}

/// Prints one line, for whoever must know whether somebody reads it.
///
/// # Errors
/// If nobody does any more.
pub(crate) fn checked(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", text.trim_end())
}

/// Prints what is no JSON as it came, except to a terminal, which it could steer.
pub(crate) fn raw(bytes: &[u8]) {
    let mut stdout = std::io::stdout();
    if stdout.is_terminal() {
        line(&clean(&String::from_utf8_lossy(bytes)));
    } else {
        let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
    }
}

/// Prints one line, or several.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

/// A value as people read it: a string without quotes, anything else as JSON on one line.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        other => other.to_string(),
    }
}

/// A text of the server without what could steer a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.replace(|sign: char| sign.is_control() && sign != '\n', " ")
}

/// How to go on with an operation. A quote in a server's URL must not end the quotes of the user's shell.
pub(crate) fn wait_command(url: &str) -> String {
    format!("raincheck wait {}", quoted(url))
}

/// A URL as a word of the shell.
pub(crate) fn quoted(url: &str) -> String {
    format!("'{}'", clean(url).replace('\'', "%27"))
}

/// A status as the server wrote it, for `--json`.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Body {
    /// In the order of the contract.
    Ours(Box<StatusView>),
    Other(Value),
}

pub(crate) fn body(view: &View) -> Body {
    view.json().map_or_else(|_| Body::Other(view.json().unwrap_or_default()), Body::Ours)
}

/// A status as lines of names and values; what another server says beside it is left out.
pub(crate) fn status(view: &View) -> Vec<(&'static str, String)> {
    if let Ok(ours) = view.json::<StatusView>() {
        return self::view(&ours);
    }
    let word =
        if view.status.as_str() == view.state { String::new() } else { format!(" ({})", clean(&view.state)) };
    let lines = [
        ("operation", view.id.as_deref().map(clean)),
        ("status", Some(format!("{}{word}", view.status))),
        ("detail", view.custom_status.as_ref().map(value)),
        ("progress", view.percent_complete.map(|percent| format!("{percent}%"))),
        ("error", view.error.as_ref().map(|error| clean(&format!("{} ({})", error.message, error.code)))),
    ];
    lines.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

/// A status view as lines of names and values.
pub(crate) fn view(view: &StatusView) -> Vec<(&'static str, String)> {
    let StatusView {
        id,
        action,
        status,
        custom_status,
        percent_complete,
        created_at,
        updated_at,
        finished_at,
        deadline,
        output,
        error,
    } = view;
    let lines = [
        ("operation", Some(id.clone())),
        ("action", Some(action.clone())),
        ("status", Some(status.to_string())),
        ("detail", custom_status.as_ref().map(value)),
        ("progress", percent_complete.map(|percent| format!("{percent}%"))),
        ("created", Some(created_at.clone())),
        ("updated", Some(updated_at.clone())),
        ("finished", finished_at.clone()),
        ("deadline", finished_at.is_none().then(|| deadline.clone())),
        ("output", output.as_ref().map(value)),
        ("error", error.as_ref().map(|error| clean(&format!("{} ({})", error.message, error.code)))),
    ];
    lines.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

/// Prints names and values, the values below each other.
pub(crate) fn pairs(pairs: &[(&str, String)]) {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, text) in pairs {
        line(&format!("{name:width$}  {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_steer_the_terminal() {
        assert_eq!(value(&Value::from("\u{1b}[2Jgone")), " [2Jgone");
    }

    #[test]
    fn a_quote_in_a_url_does_not_end_the_quotes_of_the_shell() {
        assert_eq!(wait_command("http://h/a';ls"), "raincheck wait 'http://h/a%27;ls'");
    }
}
