//! The body of a request: first its size and its time, and later, when nothing else is in the way, what it says.

use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use http::header;
use raincheck_openapi::{InvalidField, ProblemCode};

use super::call::Call;
use super::problem::Problem;
use crate::Json;
use crate::content::{self, Content, ContentSecret};
use crate::integers::with_integers;

/// What a request's body may take up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

/// Reads the body, whatever it is.
///
/// # Errors
/// 413 if it is too large (told by its length before any of it is read, or once it is), 408 if it takes too long, 400
/// if it breaks off.
pub(crate) async fn read<B: Buf, E>(
    call: &Call,
    body: impl Stream<Item = Result<B, E>>,
    limits: BodyLimits,
) -> Result<Vec<u8>, Problem> {
    let BodyLimits { bytes: limit, time } = limits;
    let announced =
        call.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let collect = async {
        let mut body = std::pin::pin!(body);
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            let mut chunk = chunk.map_err(|_| broken_off())?;
            if bytes.len() + chunk.remaining() > limit {
                return Err(too_large(limit));
            }
            while chunk.has_remaining() {
                bytes.extend_from_slice(chunk.chunk());
                chunk.advance(chunk.chunk().len());
            }
        }
        Ok(bytes)
    };
    tokio::time::timeout(time, collect).await.map_err(|_| too_slow(time))?
}

/// What a request's body says.
pub(crate) struct Input {
    /// What it is compared by, if that was wanted. What cannot be read equals nothing.
    pub(crate) content: Option<[u8; 32]>,
    /// The value; or what is wrong with the body, in this order: 415 for another type, 400 if it is not JSON, 422 if it
    /// does not fit. Whoever asks decides what comes before that.
    pub(crate) value: Result<Json, Problem>,
}

impl Input {
    /// Reads `body` as one JSON value that `fits`. An empty body is `{}`. `secret`: for the content, if it is wanted.
    pub(crate) fn read(
        call: &Call,
        body: Vec<u8>,
        secret: Option<&ContentSecret>,
        fits: impl Fn(&str) -> Result<(), Vec<InvalidField>>,
    ) -> Self {
        let mut was_empty = false;
        let mut content = None;
        let checked = content::text(body).and_then(|text| {
            was_empty = text.bytes().all(|byte| byte.is_ascii_whitespace());
            let text = if was_empty { "{}".to_owned() } else { text };
            let read = Content::parse(&text)?;
            content = secret.map(|secret| secret.content(&read));
            Ok(text)
        });
        let value = check_type(call).and_then(|()| Ok(checked?)).and_then(|text| {
            let text = fitting(text, fits).map_err(|fields| does_not_fit(was_empty, fields))?;
            // It was checked, so this is a bug.
            Json::parse(text).map_err(|error| Problem::internal().caused_by(error))
        });
        Self { content: content.or_else(|| secret.map(ContentSecret::nothing)), value }
    }
}

/// The text, if it fits, or fits with its whole numbers written as integers.
fn fitting(
    text: String,
    fits: impl Fn(&str) -> Result<(), Vec<InvalidField>>,
) -> Result<String, Vec<InvalidField>> {
    let Err(fields) = fits(&text) else { return Ok(text) };
    match with_integers(&text) {
        Some(text) if fits(&text).is_ok() => Ok(text),
        _ => Err(fields),
    }
}

// An empty body that may not be one is no JSON.
fn does_not_fit(was_empty: bool, fields: Vec<InvalidField>) -> Problem {
    if was_empty {
        return Problem::new(ProblemCode::MalformedJson, "the body is empty, and this takes an input");
    }
    Problem::invalid(fields)
}

fn check_type(call: &Call) -> Result<(), Problem> {
    let refused = |detail: &'static str| Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    if call.headers.contains_key(header::CONTENT_ENCODING) {
        return refused("send the body without a Content-Encoding");
    }
    let mut types = call.headers.get_all(header::CONTENT_TYPE).into_iter();
    match (types.next(), types.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.to_str().is_ok_and(is_json) => Ok(()),
        _ => refused("the body must be application/json, or another +json type, in UTF-8"),
    }
}

/// Whether a media type is JSON in UTF-8.
fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = match essence.split_once('/') {
        Some(("application", "json")) => true,
        Some((kind, subtype)) => {
            !kind.is_empty() && subtype.len() > "+json".len() && subtype.ends_with("+json")
        }
        None => false,
    };
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            let charset = value.trim().trim_matches('"');
            charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
        }
        _ => true,
    })
}

// What is left of a refused body would be read as the next request: the connection ends.

fn too_large(limit: usize) -> Problem {
    Problem::new(ProblemCode::BodyTooLarge, format!("the body may have {limit} bytes"))
        .with_limit(limit as u64)
        .closing()
}

fn too_slow(time: Duration) -> Problem {
    Problem::new(ProblemCode::RequestTimeout, format!("the body must arrive within {} s", time.as_secs()))
        .closing()
}

fn broken_off() -> Problem {
    Problem::new(ProblemCode::MalformedJson, "the body broke off").closing()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use http::Request;

    use super::super::call::loopback;
    use super::*;

    const LIMITS: BodyLimits = BodyLimits { bytes: 8, time: Duration::from_secs(30) };

    fn call(headers: &[(&str, &str)]) -> Call {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Call::new(request.body(()).unwrap().into_parts().0, loopback())
    }

    async fn read_chunks(headers: &[(&str, &str)], chunks: &[&'static str]) -> Result<Vec<u8>, Problem> {
        let chunks: Vec<Result<Bytes, ()>> = chunks.iter().map(|&chunk| Ok(Bytes::from(chunk))).collect();
        read(&call(headers), stream::iter(chunks), LIMITS).await
    }

    #[test]
    fn json_types_are_taken_in_utf_8_only() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/vnd.x+json",
            "application/json;v=1",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["text/plain", "application/json; charset=latin1", "json", "", "text/json", "application/+json"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_body_comes_in_chunks() {
        assert_eq!(read_chunks(&[], &["{\"a\"", ":1}"]).await.unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn a_body_without_a_type_is_taken_and_an_encoded_one_is_not() {
        let taken = |headers: &[_]| Input::read(&call(headers), b"{}".into(), None, |_| Ok(())).value.is_ok();

        assert!(taken(&[]));
        assert!(!taken(&[("content-encoding", "gzip")]));
        assert!(!taken(&[("content-type", "text/plain")]));
    }

    #[test]
    fn equal_bodies_have_one_content_and_what_cannot_be_read_equals_nothing() {
        let secret = ContentSecret::new([7; 32]);
        let content = |body: &[u8]| Input::read(&call(&[]), body.into(), Some(&secret), |_| Ok(())).content;

        assert_eq!(content(b"{\"a\":1}"), content(b" { \"a\" : 1 }"));
        for empty in [&b""[..], b" \n", b"\xef\xbb\xbf"] {
            assert_eq!(content(empty), content(b"{}"));
        }
        for broken in [&b"{\"a\":1"[..], b"\xff", b"{\"a\":1,\"a\":1}"] {
            assert_eq!(content(broken), Some(secret.nothing()));
        }
        assert_ne!(content(b"{}"), Some(secret.nothing()));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_by_its_length_and_in_chunks() {
        assert!(read_chunks(&[], &["12345678"]).await.is_ok());
        assert!(read_chunks(&[], &["1234", "56789"]).await.is_err());
        // Nothing of it is read.
        let never = stream::pending::<Result<Bytes, ()>>();
        assert!(read(&call(&[("content-length", "9")]), never, LIMITS).await.is_err());
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_in_time_is_refused() {
        let never = stream::pending::<Result<Bytes, ()>>();

        let refused = read(&call(&[]), never, BodyLimits { bytes: 8, time: Duration::ZERO }).await;

        assert!(refused.is_err());
    }
}
