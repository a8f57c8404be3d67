use futures_util::stream;
use http::Method;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::*;

const START: &str = "/v1/actions/request-approval";

async fn refusal(world: &World, headers: &[(&str, &str)], body: &'static str) -> (u16, String) {
    let answer = world.post(START, headers, body).await;
    assert!(answer.json().get("operation").is_none());
    (answer.status.as_u16(), answer.code())
}

#[tokio::test]
async fn a_body_that_is_no_json_is_400_and_of_another_type_415() {
    let world = World::new().await;

    for body in ["{", "nonsense", r#"{"subject":"x","subject":"y"}"#, "{} {}", ""] {
        assert_eq!(refusal(&world, &[], body).await, (400, "malformed-json".into()), "{body}");
    }
    for headers in [
        ("content-type", "text/plain"),
        ("content-type", "application/json; charset=utf-16"),
        ("content-encoding", "gzip"),
    ] {
        assert_eq!(
            refusal(&world, &[headers], r#"{"subject":"x"}"#).await,
            (415, "unsupported-media-type".into())
        );
    }
}

#[tokio::test]
async fn json_that_does_not_fit_is_422_with_the_place() {
    let world = World::new().await;

    let answer = world.post(START, &[], r#"{"subject":"x","timeoutSeconds":"soon"}"#).await;

    assert_eq!((answer.status.as_u16(), &*answer.code()), (422, "invalid-input"));
    assert_eq!(answer.json()["errors"][0]["pointer"], "/timeoutSeconds");
    let none = world.post(START, &[], r#"{"subject":"x","timeoutSeconds":0}"#).await;
    assert_eq!(
        (&*none.code(), &none.json()["errors"][0]["pointer"]),
        ("invalid-input", &"/timeoutSeconds".into())
    );
    for steps in [r#"{"seconds":0,"steps":0}"#, r#"{"seconds":0,"steps":1001}"#] {
        let answer = world.post("/v1/actions/countdown", &[], steps).await;
        assert_eq!(
            (&*answer.code(), &answer.json()["errors"][0]["pointer"]),
            ("invalid-input", &"/steps".into())
        );
    }
    let array = world.post(START, &[], r#"["x"]"#).await;
    assert_eq!((array.status.as_u16(), &*array.code()), (422, "invalid-input"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_with_the_limit_by_length_and_in_chunks() {
    let mut settings = HttpSettings::default();
    settings.limits.body = 20;
    let world = World::with(settings, Limits::default()).await;

    let by_length = world.post(START, &[("content-length", "21")], r#"{"subject":"xxxxxxx"}"#).await;
    assert_eq!((by_length.status.as_u16(), &*by_length.code()), (413, "body-too-large"));
    assert_eq!(by_length.json()["limit"], 20);

    let chunks = [Ok::<_, std::io::Error>("{\"subject\":"), Ok("\"xxxxxxxxxx\"}")];
    let body =
        StreamBody::new(stream::iter(chunks.map(|chunk| chunk.map(|chunk| Frame::data(Bytes::from(chunk))))));
    let request = Request::post(START).header("x-api-key", &world.key).body(body).unwrap();
    let in_chunks = Answer::read(world.public.answer(request, loopback()).await).await;
    assert_eq!((in_chunks.status.as_u16(), &*in_chunks.code()), (413, "body-too-large"));
}

#[tokio::test]
async fn unknown_actions_and_paths_are_404_also_without_a_key() {
    let world = World::new().await;

    for method in [Method::POST, Method::GET, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let action = world.send(request(method.clone(), "/v1/actions/nothing", &[], "{}")).await;
        assert_eq!((action.status.as_u16(), &*action.code()), (404, "unknown-action"), "{method}");
    }
    assert_eq!(world.send(request(Method::GET, "/v1/actions/countdown", &[], "")).await.status, 405);
    for path in ["/", "/v1", "/v1/actions", "/v2/actions/countdown", "/admin/v1/operations", "/metrics"] {
        let answer = world.get(path).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (404, "not-found"), "{path}");
        assert_eq!(
            answer.headers.contains_key("cache-control"),
            path.starts_with("/v1") || path.starts_with("/admin"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_those_that_there_are_and_options_says_them() {
    let world = World::new().await;

    for (path, allow) in [
        ("/v1/actions/countdown", "POST, OPTIONS"),
        ("/v1/actions/countdown/operations/x", "GET, HEAD, DELETE, OPTIONS"),
        ("/v1/actions/countdown/operations/x/status", "GET, HEAD, OPTIONS"),
        ("/v1/actions/countdown/operations/x/events/y", "POST, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
    ] {
        let wrong = world.send(request(Method::PATCH, path, &[], "")).await;
        assert_eq!((wrong.status.as_u16(), &*wrong.code()), (405, "method-not-allowed"), "{path}");
        assert_eq!(wrong.header("allow"), allow);
        let options = world.send(request(Method::OPTIONS, path, &[], "")).await;
        assert_eq!((options.status.as_u16(), options.header("allow")), (204, allow));
        for method in allow.split(", ") {
            let answer = world.send(request(method.parse().unwrap(), path, &[], "")).await;
            assert_ne!(answer.status, 405, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn heads_beyond_the_limits_are_414_and_431() {
    let world = World::new().await;
    let long = "x".repeat(9 << 10);
    let very_long = "x".repeat(33 << 10);

    let uri = world.get(&format!("/healthz?{long}")).await;
    assert_eq!((uri.status.as_u16(), &*uri.code()), (414, "uri-too-long"));
    let bytes = world.send(request(Method::GET, "/healthz", &[("x", &very_long)], "")).await;
    assert_eq!((bytes.status.as_u16(), &*bytes.code()), (431, "headers-too-large"));
    let lines = vec![("x", "y"); 101];
    let lines = world.send(request(Method::GET, "/healthz", &lines, "")).await;
    assert_eq!((lines.status.as_u16(), &*lines.code()), (431, "headers-too-large"));
}

#[tokio::test]
async fn a_store_that_is_closed_is_503_with_a_time_to_come_back() {
    let world = World::new().await;
    world.engine.shut_down(Duration::ZERO).await;
    world.store.close().await.unwrap();

    let answer = world.post(START, &[], r#"{"subject":"x"}"#).await;

    assert_eq!((answer.status.as_u16(), &*answer.code()), (503, "store-unavailable"));
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn problems_may_be_plain_json() {
    let settings =
        HttpSettings { error_media_type: super::super::ErrorMediaType::Json, ..HttpSettings::default() };
    let world = World::with(settings, Limits::default()).await;

    assert_eq!(world.get("/nowhere").await.header("content-type"), "application/json");
}

#[tokio::test]
async fn every_problem_code_has_its_page() {
    let world = World::new().await;

    for code in raincheck_openapi::ProblemCode::ALL {
        let plain = world.get(&format!("/problems/{}", code.as_str())).await;
        assert!(plain.status == 200 && plain.text.contains(code.explanation()));
    }
    let page =
        world.send(request(Method::GET, "/problems/draining", &[("accept", "text/html,*/*")], "")).await;
    assert!(page.header("content-type").starts_with("text/html") && page.text.contains("<h1>"));
    assert_eq!(world.get("/problems/nothing").await.code(), "not-found");
}

#[tokio::test]
async fn the_document_and_its_page_are_there_unless_switched_off() {
    let world = World::new().await;
    assert_eq!(world.get("/openapi.json").await.text, "{\"openapi\":\"3.1.0\"}");
    assert_eq!(world.get("/docs").await.header("location"), "docs/");
    let page = world.get("/docs/").await;
    assert!(page.text.contains("swagger-ui"), "{page:?}");
    assert!(world.get("/docs/swagger-initializer.js").await.text.contains("../openapi.json"));
    assert_eq!(world.get("/docs/nothing.js").await.code(), "not-found");

    let world = World::with(HttpSettings { docs: false, ..HttpSettings::default() }, Limits::default()).await;
    for path in ["/openapi.json", "/docs", "/docs/"] {
        assert_eq!(world.get(path).await.code(), "not-found", "{path}");
        for method in [Method::OPTIONS, Method::PATCH] {
            assert_eq!(world.send(request(method, path, &[], "")).await.status, 404, "{path}");
        }
    }
}
