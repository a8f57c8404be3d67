//! How values of options are read. None of these is for secrets: a value that cannot be read is shown.

use std::time::Duration;

use raincheck::Outcome;

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "write it like 30s, 5m or 1h30m".to_owned())?;
    Duration::try_from(duration).map_err(|_| "it cannot be negative".to_owned())
}

/// Methods are case-sensitive, and nobody means `post`.
pub(crate) fn method(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.chars().all(|sign| sign.is_ascii_alphabetic() || sign == '-') {
        return Err("a method comes first, such as GET, POST or PUT".to_owned());
    }
    Ok(text.to_ascii_uppercase())
}

pub(crate) fn outcome(text: &str) -> Result<Outcome, String> {
    match text.to_ascii_lowercase().as_str() {
        "succeeded" => Ok(Outcome::Succeeded),
        "failed" => Ok(Outcome::Failed),
        "canceled" => Ok(Outcome::Canceled),
        _ => Err("one of Succeeded, Failed, Canceled".to_owned()),
    }
}

/// `FROM=TO`, both URLs; the first may have a `=` of its own.
pub(crate) fn rewrite(text: &str) -> Result<(String, String), String> {
    let at = text.find("=http").ok_or("write it like http://inside:8080=https://gateway.example/api")?;
    Ok((text[..at].to_owned(), text[at + 1..].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("-3s").is_err());
        assert!(duration("30").is_err());
    }

    #[test]
    fn a_method_is_written_large_and_a_url_is_none() {
        assert_eq!(method("post"), Ok("POST".to_owned()));
        assert!(method("https://h/a").is_err());
    }

    #[test]
    fn an_outcome_is_read_however_it_is_written() {
        assert_eq!(outcome("failed"), Ok(Outcome::Failed));
        assert_eq!(outcome("Canceled"), Ok(Outcome::Canceled));
        assert!(outcome("Running").is_err());
    }

    #[test]
    fn a_rewrite_is_two_urls() {
        assert_eq!(rewrite("http://a/?x=1=https://b"), Ok(("http://a/?x=1".into(), "https://b".into())));
        assert!(rewrite("http://a").is_err());
    }
}
