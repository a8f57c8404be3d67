//! `Prefer: wait=N` (RFC 7240): how long a caller would like its answer to be held. Pure.

use std::time::Duration;

use http::HeaderMap;
use raincheck_openapi::headers::PREFER;

/// The seconds that the request asks to be held, at most `cap`. `None` without a usable preference: 0 and garbage
/// are ignored, as RFC 7240 wants of preferences that a server does not understand.
#[must_use]
pub(crate) fn wait(headers: &HeaderMap, cap: Duration) -> Option<u64> {
    if cap.as_secs() == 0 {
        return None;
    }
    let lines = headers.get_all(PREFER).into_iter().filter_map(|line| line.to_str().ok());
    // The first one counts, also if it is garbage (RFC 7240 §2).
    let value = lines.flat_map(preferences).find(|(name, _)| name.eq_ignore_ascii_case("wait"))?.1;
    let digits = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match digits.trim_start_matches('0').parse::<u64>() {
        Ok(seconds) => Some(seconds.min(cap.as_secs())),
        Err(_) if digits.bytes().all(|byte| byte == b'0') => None,
        // More digits than a number has: longer than any cap.
        Err(_) => Some(cap.as_secs()),
    }
}

fn preferences(line: &str) -> impl Iterator<Item = (&str, &str)> {
    split(line, ',').map(|preference| {
        let plain = split(preference, ';').next().unwrap_or_default();
        let (name, value) = plain.split_once('=').unwrap_or((plain, ""));
        (name.trim(), value.trim())
    })
}

// What stands in quotes separates nothing.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |char| {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return !quoted && char == separator,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn asked(lines: &[&'static str]) -> Option<u64> {
        let headers =
            lines.iter().map(|line| (http::HeaderName::from_static(PREFER), HeaderValue::from_static(line)));
        wait(&headers.collect(), Duration::from_secs(30))
    }

    #[test]
    fn a_wait_is_taken_up_to_the_cap() {
        assert_eq!(asked(&["wait=5"]), Some(5));
        assert_eq!(asked(&["respond-async, WAIT = 5; foo=bar"]), Some(5));
        assert_eq!(asked(&["respond-async", "wait=\"7\""]), Some(7));
        assert_eq!(asked(&["wait=31"]), Some(30));
        assert_eq!(asked(&[r#"x="a, wait=9; \", wait=8", wait=7"#]), Some(7));
        assert_eq!(asked(&["wait=99999999999999999999999999"]), Some(30));
    }

    #[test]
    fn zero_and_garbage_are_ignored() {
        for line in
            ["wait=0", "wait=000", "wait=-1", "wait=+5", "wait=1.5", "wait", "wait=", "wait=soon", "awaits=5"]
        {
            assert_eq!(asked(&[line]), None, "{line}");
        }
        assert_eq!(asked(&["wait=x, wait=5"]), None);
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn a_cap_of_zero_switches_waiting_off() {
        let headers = [(http::HeaderName::from_static(PREFER), HeaderValue::from_static("wait=5"))];

        assert_eq!(wait(&headers.into_iter().collect(), Duration::ZERO), None);
    }
}
