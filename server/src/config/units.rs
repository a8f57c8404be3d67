//! Values as people write them: `10s`, `7d`, `1 MiB`, `10.0.0.0/8`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use jiff::{Span, SpanRelativeTo};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, Visitor};

use crate::http::ErrorMediaType;

/// A duration in text. A bare number is refused: it leaves open whether it counts seconds or milliseconds.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(DurationText)
}

/// The same where it may be left out.
pub(crate) fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Several of them.
pub(super) fn durations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        parse_duration(text)
            .ok_or_else(|| D::Error::invalid_value(serde::de::Unexpected::Str(text), &DurationText))
    };
    texts.iter().map(read).collect()
}

struct DurationText;

impl Visitor<'_> for DurationText {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time with its unit, such as \"10s\", \"1h 30m\" or \"7d\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse_duration(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    // A month has no fixed length and is refused; a day has 24 hours here.
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
}

/// A number of bytes: `1 MiB`, `500 kB`, or a bare number.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    deserializer.deserialize_any(Bytes)
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes, such as \"1 MiB\" or 65536")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        text.parse()
            .map(|ByteSize(bytes)| bytes)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<u64, E> {
        Ok(bytes)
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
        bytes.try_into().map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(bytes), &self))
    }
}

/// Networks; a bare address is a network of one.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let network = |text: &String| {
        let address = text.parse().map(|address: IpAddr| IpNet::from(address));
        address.or_else(|_| text.parse()).map_err(|_| {
            D::Error::custom(format!("`{text}` is neither an address nor a network such as \"10.0.0.0/8\""))
        })
    };
    texts.iter().map(network).collect()
}

/// Texts that each have a grammar of their own.
pub(super) fn list<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        text.parse().map_err(|error| D::Error::custom(format!("`{text}` is not allowed; {error}")))
    };
    texts.iter().map(read).collect()
}

/// The same between commas, as in an environment variable.
pub(super) fn comma_list<T: FromStr>(text: &str) -> Result<Vec<T>, T::Err> {
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::parse).collect()
}

/// What is read by other means.
pub(super) fn elsewhere<'de, T: Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| T::default())
}

/// One of the two media types of errors.
pub(super) fn error_media_type<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ErrorMediaType, D::Error> {
    const WORDS: &[&str] = &[ErrorMediaType::ProblemJson.as_str(), ErrorMediaType::Json.as_str()];
    let word = String::deserialize(deserializer)?;
    [ErrorMediaType::ProblemJson, ErrorMediaType::Json]
        .into_iter()
        .find(|allowed| allowed.as_str() == word)
        .ok_or_else(|| D::Error::unknown_variant(&word, WORDS))
}

/// A duration for people.
pub(crate) fn show_duration(duration: Duration) -> String {
    const UNITS: [(u128, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let milliseconds = duration.as_millis();
    match UNITS.iter().find(|(length, _)| milliseconds > 0 && milliseconds.is_multiple_of(*length)) {
        Some((length, unit)) => format!("{}{unit}", milliseconds / length),
        None => format!("{milliseconds}ms"),
    }
}

/// A number of bytes for people.
pub(super) fn show_bytes(bytes: u64) -> String {
    match bytes {
        _ if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes > 0 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        1 => "1 byte".to_owned(),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text: &str| parse_duration(text).map(|duration| duration.as_secs_f64());

        assert_eq!(seconds("10s"), Some(10.0));
        assert_eq!(seconds("1h 30m"), Some(5_400.0));
        assert_eq!(seconds("7d"), Some(604_800.0));
        assert_eq!(seconds("250ms"), Some(0.25));
        assert_eq!(seconds("0s"), Some(0.0));
        for wrong in ["", "10", "ten seconds", "-5s", "1 month", "5s ago"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for duration in [0, 1, 250, 10_000, 90_000, 604_800_000].map(Duration::from_millis) {
            assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }
        assert_eq!(show_bytes(1 << 20), "1 MiB");
        assert_eq!(show_bytes(16 << 10), "16 KiB");
    }
}
