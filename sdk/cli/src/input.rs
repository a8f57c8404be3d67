//! Where JSON comes from: a file, the command line, or stdin.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::exit::Failure;

/// Reads `FILE|JSON|-`.
pub(crate) fn read(argument: &str) -> Result<Value, Failure> {
    let (text, origin) = if argument == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::Usage(format!("stdin cannot be read: {error}")))?;
        (text, "stdin".to_owned())
    } else if looks_like_json(argument) {
        (argument.to_owned(), "the input".to_owned())
    } else if Path::new(argument).exists() {
        let text = std::fs::read_to_string(argument)
            .map_err(|error| Failure::Usage(format!("'{argument}' cannot be read: {error}")))?;
        (text, format!("'{argument}'"))
    } else if let Ok(value) = serde_json::from_str(argument) {
        return Ok(value);
    } else {
        return Err(Failure::Usage(format!(
            "'{argument}' is neither a file nor JSON\n  Give a path, JSON in single quotes, or - for stdin."
        )));
    };
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| Failure::Usage(format!("{origin} is not JSON: {error}")))
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
}
