//! Integers that are not written as such: `1.0`, `1e3`. Pure.
//!
//! To JSON Schema, and so to the document of this server, they are integers, and the expressions of workflows do give
//! them. To serde only digits are.

/// What the longest integers of 64 bits have; a short exponent must not make a long body.
const LONGEST: i64 = 20;

/// `json` with each number that has no fraction in digits only. `None` if they all were. It must be valid JSON.
pub(crate) fn with_integers(json: &str) -> Option<String> {
    let mut rewritten = String::with_capacity(json.len());
    let mut differs = false;
    let mut rest = json;
    while let Some(begin) = rest.find(|char: char| char == '"' || char == '-' || char.is_ascii_digit()) {
        let (before, token) = rest.split_at(begin);
        let (token, after) =
            token.split_at(if token.starts_with('"') { string(token) } else { number(token) });
        let integer = integer(token);
        differs |= integer.is_some();
        rewritten.extend([before, integer.as_deref().unwrap_or(token)]);
        rest = after;
    }
    rewritten.push_str(rest);
    differs.then_some(rewritten)
}

/// How long the string is that `text` begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// How long the number is that `text` begins with.
fn number(text: &str) -> usize {
    let part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    text.bytes().position(|byte| !part(byte)).unwrap_or(text.len())
}

/// The digits of a number that is an integer, but is not written as one.
fn integer(token: &str) -> Option<String> {
    if token.starts_with('"') || !token.contains(['.', 'e', 'E']) {
        return None;
    }
    let (sign, number) = token.strip_prefix('-').map_or(("", token), |number| ("-", number));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    // What follows the last digit that is not 0, in the number as it would be written out; negative: a fraction.
    let zeros = i64::from(exponent.parse::<i32>().ok()?) - fraction.len() as i64
        + (digits.len() - significant.len()) as i64;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let fits = zeros >= 0 && significant.len() as i64 + zeros <= LONGEST;
    fits.then(|| format!("{sign}{significant}{}", "0".repeat(zeros as usize)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_without_a_fraction_is_written_in_digits() {
        for (number, digits) in [
            ("444.0", "444"),
            ("1e3", "1000"),
            ("1.50E+1", "15"),
            ("1200e-2", "12"),
            ("-7.00", "-7"),
            ("0.0", "0"),
            ("-0.0", "0"),
            ("0e99", "0"),
            ("0.07e2", "7"),
        ] {
            assert_eq!(with_integers(number).as_deref(), Some(digits), "{number}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for json in
            ["1.5", "1e-3", "1e20", "1e99999999999", "12", "-3", "\"1.0\"", "\"\\\"1.0\"", "[true,null]"]
        {
            assert_eq!(with_integers(json), None, "{json}");
        }
        let mixed = r#"{"a\\": [1.0, 2.5, "3.0 \" 4.0"], "b":{"5.0":6e0}}"#;

        let rewritten = with_integers(mixed);

        assert_eq!(rewritten.as_deref(), Some(r#"{"a\\": [1, 2.5, "3.0 \" 4.0"], "b":{"5.0":6}}"#));
    }

    proptest! {
        #[test]
        fn the_value_stays_the_same(whole in -999_999_i64..999_999, places in 0_usize..4, exponent in 0_i32..6) {
            let number = format!("{whole}.{}e{exponent}", "0".repeat(places + 1));

            let written = with_integers(&number).unwrap();

            prop_assert_eq!(written.parse::<i64>().unwrap(), whole * 10_i64.pow(exponent.unsigned_abs()));
        }
    }
}
