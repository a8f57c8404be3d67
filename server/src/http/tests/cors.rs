use http::Method;

use super::*;

const PAGE: &str = "https://app.example.com";

async fn world() -> World {
    let settings = HttpSettings {
        cors_origins: vec![PAGE.parse().unwrap(), "http://localhost:3000".parse().unwrap()],
        ..HttpSettings::default()
    };
    World::with(settings, Limits::default()).await
}

fn cors(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(http::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-") || *name == "vary").collect()
}

/// A request as a browser sends it for a page of `origin`.
async fn from(world: &World, origin: &str, method: Method, url: &str, more: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = [("origin", origin)].into_iter().chain(more.iter().copied()).collect();
    world.send(request(method, url, &headers, "{}")).await
}

#[tokio::test]
async fn nothing_is_said_of_origins_unless_they_are_configured() {
    let world = World::new().await;

    let asked = [("access-control-request-method", "POST")];
    let preflight = from(&world, PAGE, Method::OPTIONS, "/v1/actions/countdown", &asked).await;
    let answer = from(&world, PAGE, Method::GET, "/openapi.json", &[]).await;

    assert_eq!((preflight.status.as_u16(), cors(&preflight)), (204, Vec::new()));
    assert_eq!((answer.status.as_u16(), cors(&answer)), (200, Vec::new()));
}

#[tokio::test]
async fn a_request_without_an_origin_is_answered_as_ever() {
    let world = world().await;

    let location = world.approval().await;
    let options = world.call(Method::OPTIONS, "/v1/actions/countdown", &[], "").await;

    for answer in [world.get(&location).await, world.get("/nowhere").await, options] {
        assert_eq!(cors(&answer), Vec::<&str>::new(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_page_of_a_known_origin_may_read_every_answer_and_its_headers() {
    let world = world().await;
    let location = world.approval().await;
    let ended = world.countdown(r#"{"seconds":0,"steps":1}"#).await;
    let missing = format!("{}x", location.split('?').next().unwrap());

    for (url, status) in
        [(&*location, 202), (&ended, 200), (&missing, 401), ("/nowhere", 404), ("/healthz", 200)]
    {
        let answer = from(&world, PAGE, Method::GET, url, &[]).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert_eq!(
            answer.header("access-control-expose-headers"),
            "location, operation-location, retry-after, etag, preference-applied, idempotent-replayed, x-request-id"
        );
        assert_eq!(answer.header("vary"), "origin");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_page_of_any_other_origin_may_read_nothing() {
    let world = world().await;

    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "HTTPS://APP.EXAMPLE.COM",
        "null",
        "*",
        "",
    ] {
        let answer = from(&world, origin, Method::GET, "/openapi.json", &[]).await;
        assert_eq!((answer.status.as_u16(), cors(&answer)), (200, vec!["vary"]), "{origin}");
    }
    let twice = from(&world, PAGE, Method::GET, "/openapi.json", &[("origin", PAGE)]).await;
    assert!(!twice.headers.contains_key("access-control-allow-origin"), "{twice:?}");
}

#[tokio::test]
async fn a_preflight_tells_what_a_page_may_send_on_every_public_path() {
    let world = world().await;
    let operation = "/v1/actions/countdown/operations/019ac000-0000-7000-8000-000000000000";

    for (path, methods) in [
        ("/v1/actions/countdown".to_owned(), "POST, OPTIONS"),
        (operation.to_owned(), "GET, HEAD, DELETE, OPTIONS"),
        (format!("{operation}/status"), "GET, HEAD, OPTIONS"),
        (format!("{operation}/events/decision"), "POST, OPTIONS"),
        ("/problems/not-found".to_owned(), "GET, HEAD, OPTIONS"),
        ("/openapi.json".to_owned(), "GET, HEAD, OPTIONS"),
        ("/healthz".to_owned(), "GET, HEAD, OPTIONS"),
    ] {
        let asked = [
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,idempotency-key"),
        ];
        let answer = from(&world, PAGE, Method::OPTIONS, &path, &asked).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert_eq!(answer.header("access-control-allow-methods"), methods, "{path}");
        for header in ["authorization", "content-type", "idempotency-key", "prefer", "x-api-key"] {
            let sendable = answer.header("access-control-allow-headers");
            assert!(sendable.split(", ").any(|name| name == header), "{header}: {sendable}");
        }
        assert_eq!(answer.header("access-control-max-age"), "600");

        let stranger = from(&world, "https://evil.example", Method::OPTIONS, &path, &asked).await;
        assert_eq!((stranger.status.as_u16(), cors(&stranger)), (204, vec!["vary"]));
    }
}

#[tokio::test]
async fn the_management_listener_knows_no_pages() {
    let world = world().await;

    let request = request(Method::GET, "/healthz", &[("origin", PAGE)], "");
    let answer = Answer::read(world.management.answer(request, loopback()).await).await;

    assert_eq!((answer.status.as_u16(), cors(&answer)), (200, Vec::new()));
}
