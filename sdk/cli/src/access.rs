//! Headers and query parameters as they were typed, and a client that knows about them.

use raincheck::ClientBuilder;

use crate::args::{Access, Secret};
use crate::exit::Failure;
use crate::input;

/// A name and a value.
type Pair = (String, String);

/// The headers, those in files too. None of them is ever shown, not even if it is wrong.
pub(crate) fn headers(access: &Access) -> Result<Vec<Pair>, Failure> {
    let mut headers = Vec::new();
    for (number, Secret(text)) in access.headers.iter().enumerate() {
        let Some(file) = text.strip_prefix('@') else {
            headers.push(header(text).ok_or_else(|| bad(&format!("--header number {}", number + 1)))?);
            continue;
        };
        let lines = input::file(file)?;
        let lines = String::from_utf8(lines).map_err(|_| bad(&format!("'{file}'")))?;
        for (number, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            headers.push(header(line).ok_or_else(|| bad(&format!("line {} of '{file}'", number + 1)))?);
        }
    }
    Ok(headers)
}

fn bad(place: &str) -> Failure {
    Failure::Usage(format!(
        "{place} is not a header\n  Write it like 'Name: value' (the value is not shown)."
    ))
}

fn header(text: &str) -> Option<Pair> {
    let (name, value) = text.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let is_token = |sign: char| sign.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(sign);
    let fits = !name.is_empty() && name.chars().all(is_token) && !value.contains(char::is_control);
    fits.then(|| (name.to_owned(), value.to_owned()))
}

/// A client that takes URLs and answers as it was told.
pub(crate) fn configure(mut builder: ClientBuilder, access: &Access) -> Result<ClientBuilder, Failure> {
    for (number, Secret(text)) in access.carry_query.iter().enumerate() {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            Failure::Usage(format!("--carry-query number {} is not like name=value", number + 1))
        })?;
        builder = builder.carry_query(name, value);
    }
    for origin in &access.trust {
        builder = builder.trust(origin);
    }
    for (from, to) in &access.rewrite {
        builder = builder.rewrite(from, to);
    }
    if let Some(pause) = access.retry_after_max {
        builder = builder.max_retry_after(pause);
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_have_a_space_after_its_name_or_not() {
        let expected = Some(("X-Key".to_owned(), "a:b".to_owned()));

        assert_eq!(header("X-Key: a:b"), expected);
        assert_eq!(header("X-Key:a:b "), expected);
        assert_eq!(header("X-Empty:"), Some(("X-Empty".to_owned(), String::new())));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in ["no colon", ": value", "a b: c", "a: b\r\nc: d"] {
            assert_eq!(header(text), None, "{text:?}");
        }
    }
}
