//! Where inputs and bodies come from: a file, the command line, or stdin.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::exit::Failure;

/// Reads `FILE|JSON|-` as JSON.
pub(crate) fn read(argument: &str) -> Result<Value, Failure> {
    let (bytes, origin) = source(argument)?;
    json(&bytes, &origin)
}

/// Reads `FILE|JSON|-` as it is. It must be JSON, unless a header says that it is something else.
pub(crate) fn body(argument: &str, is_typed: bool) -> Result<Vec<u8>, Failure> {
    let (bytes, origin) = source(argument)?;
    if !is_typed && let Err(Failure::Usage(message)) = json(&bytes, &origin) {
        return Err(Failure::Usage(format!(
            "{message}\n  If it is meant to be something else: --header 'Content-Type: …'"
        )));
    }
    Ok(bytes)
}

/// Reads a file, or stdin for `-`, with one JSON value a line.
pub(crate) fn lines(argument: &str) -> Result<Vec<Value>, Failure> {
    let (bytes, origin) =
        if argument == "-" { (stdin()?, "stdin".to_owned()) } else { (file(argument)?, quoted(argument)) };
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let values: Vec<Value> = lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(number, line)| json(line, &format!("line {} of {origin}", number + 1)))
        .collect::<Result<_, _>>()?;
    if values.is_empty() {
        return Err(Failure::Usage(format!("{origin} has no inputs\n  Each line is one JSON input.")));
    }
    Ok(values)
}

/// The content of a file.
pub(crate) fn file(path: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Usage(format!("'{path}' cannot be read: {error}")))
}

/// The bytes, and what to call them in a message.
fn source(argument: &str) -> Result<(Vec<u8>, String), Failure> {
    if argument == "-" {
        Ok((stdin()?, "stdin".to_owned()))
    } else if looks_like_json(argument) {
        Ok((argument.into(), "the input".to_owned()))
    } else if Path::new(argument).exists() {
        Ok((file(argument)?, quoted(argument)))
    } else if serde_json::from_str::<Value>(argument).is_ok() {
        Ok((argument.into(), "the input".to_owned()))
    } else {
        Err(Failure::Usage(format!(
            "'{argument}' is neither a file nor JSON\n  Give a path, JSON in single quotes, or - for stdin."
        )))
    }
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Usage(format!("stdin cannot be read: {error}")))?;
    Ok(bytes)
}

fn json(bytes: &[u8], origin: &str) -> Result<Value, Failure> {
    serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
        .map_err(|error| Failure::Usage(format!("{origin} is not JSON: {error}")))
}

fn quoted(path: &str) -> String {
    format!("'{path}'")
}

/// Objects, arrays and strings are never meant as file names; numbers and words may be.
fn looks_like_json(argument: &str) -> bool {
    argument.trim_start().starts_with(['{', '[', '"'])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_taken_as_it_is() {
        assert_eq!(read(r#" {"a": 1}"#).unwrap(), json!({"a": 1}));
        assert_eq!(read("true").unwrap(), json!(true));
    }

    #[test]
    fn what_is_neither_file_nor_json_says_so() {
        let Err(Failure::Usage(message)) = read("no-such-file.json") else { panic!("no usage failure") };

        assert!(message.contains("neither a file nor JSON"), "{message}");
    }

    #[test]
    fn broken_json_says_where_it_breaks() {
        let Err(Failure::Usage(message)) = read("{\"a\": }") else { panic!("no usage failure") };

        assert!(message.contains("line 1 column 7"), "{message}");
    }

    #[test]
    fn a_body_that_is_no_json_must_say_what_it_is() {
        let Err(Failure::Usage(message)) = body("[1,", false) else { panic!("no usage failure") };

        assert!(message.contains("Content-Type"), "{message}");
        assert_eq!(body("[1,", true).unwrap(), b"[1,");
    }
}
