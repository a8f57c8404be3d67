//! The order of the checks: path, method, credential, request limits, idempotency, capacity, content, shape.

use futures_util::stream;
use http::Method;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::*;

const START: &str = "/v1/actions/request-approval";
const KEY: (&str, &str) = ("idempotency-key", "order-7");
const TEXT: (&str, &str) = ("content-type", "text/plain");

type Headers = &'static [(&'static str, &'static str)];

/// Bodies that cannot be taken, from the first check that refuses them to the last.
const BAD: [(Headers, &str, &str); 3] = [
    (&[TEXT], r#"{"subject":"other"}"#, "unsupported-media-type"),
    (&[], "{", "malformed-json"),
    (&[], "{}", "invalid-input"),
];

async fn full() -> World {
    let world = World::with(HttpSettings::default(), Limits { active: 1, ..Limits::default() }).await;
    let first = world.post(START, &[KEY], r#"{"subject":"x"}"#).await;
    assert_eq!(first.status, 202);
    world
}

/// A start whose length is not announced.
async fn in_chunks(world: &World, headers: &[(&str, &str)], chunks: &[&'static str]) -> Answer {
    let frames: Vec<_> = chunks.iter().map(|&chunk| Ok(Frame::data(Bytes::from(chunk)))).collect();
    let body = StreamBody::new(stream::iter::<Vec<std::io::Result<_>>>(frames));
    let mut request = Request::post(START).header("x-api-key", &world.key);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(world.public.answer(request.body(body).unwrap(), loopback()).await).await
}

#[tokio::test]
async fn a_full_server_says_so_whatever_the_body_is() {
    let world = full().await;

    for (headers, body, _) in BAD {
        let answer = world.post(START, headers, body).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (429, "too-many-active"), "{body}");
    }
}

#[tokio::test]
async fn a_draining_server_says_so_whatever_the_body_is() {
    let world = World::new().await;
    world.app.operations.drain();

    for (headers, body, _) in BAD {
        let answer = world.post(START, headers, body).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (503, "draining"), "{body}");
    }
}

#[tokio::test]
async fn a_key_that_is_bound_comes_before_the_limits_and_the_body() {
    let world = full().await;

    for (headers, body, _) in BAD {
        let headers = [headers, &[KEY]].concat();
        let answer = world.post(START, &headers, body).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (422, "idempotency-key-reused"), "{body}");
    }
    let replay = world.post(START, &[KEY, TEXT], r#"{ "subject": "x" }"#).await;
    assert_eq!((replay.status.as_u16(), replay.header("idempotent-replayed")), (202, "true"));
}

#[tokio::test]
async fn a_key_that_is_free_leaves_a_body_to_be_refused_for_what_it_is() {
    let world = World::new().await;

    for (headers, body, code) in BAD {
        let headers = [headers, &[KEY]].concat();
        assert_eq!(world.post(START, &headers, body).await.code(), code, "{body}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_whatever_its_key_and_its_type_are() {
    let mut settings = HttpSettings::default();
    settings.limits.body = 20;
    let world = World::with(settings, Limits { active: 0, ..Limits::default() }).await;
    let headers = [TEXT, ("idempotency-key", "two words")];

    let chunks = in_chunks(&world, &headers, &["{\"subject\":", "\"xxxxxxxxxx\"}"]).await;
    assert_eq!((chunks.status.as_u16(), &*chunks.code()), (413, "body-too-large"));
    let length = world.post(START, &headers, r#"{"subject":"xxxxxxxxxx"}"#).await;
    assert_eq!((length.status.as_u16(), &*length.code()), (413, "body-too-large"));
    let fits = in_chunks(&world, &headers, &["{}"]).await;
    assert_eq!((fits.status.as_u16(), &*fits.code()), (400, "invalid-idempotency-key"));
}

#[tokio::test]
async fn a_credential_comes_before_everything_in_the_body() {
    let world = full().await;
    let observer = world.key_with(&["observe"], "observer").await;
    let headers =
        |key| [("x-api-key", key), ("content-length", "99999999"), ("idempotency-key", "two words")];

    let nobody = world.send(request(Method::POST, START, &headers("rck_x"), "{")).await;
    assert_eq!((nobody.status.as_u16(), &*nobody.code()), (401, "unauthenticated"));
    let forbidden = world.send(request(Method::POST, START, &headers(&observer), "{")).await;
    assert_eq!((forbidden.status.as_u16(), &*forbidden.code()), (403, "forbidden"));
}
