use http::Method;

use super::*;

#[tokio::test]
async fn a_start_is_202_with_its_place_its_monitor_and_its_pace() {
    let world = World::new().await;

    let answer = world.post("/v1/actions/request-approval", &[], r#"{"subject":"x"}"#).await;

    assert_eq!(answer.status, 202);
    let view = answer.json();
    assert_eq!(view["status"], "NotStarted");
    let id = view["id"].as_str().unwrap();
    let (place, token) = parts(answer.header("location"));
    assert_eq!(place, format!("http://127.0.0.1:8080/v1/actions/request-approval/operations/{id}"));
    assert_eq!(answer.header("operation-location"), format!("{place}/status?token={token}"));
    assert!(answer.is_paced(), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn a_start_can_be_read_at_once_a_thousand_times() {
    let world = World::new().await;
    let start = async || {
        let answer = world.post("/v1/actions/countdown", &[], r#"{"seconds":0,"steps":1}"#).await;
        world.get(answer.header("location")).await.status.as_u16()
    };

    for _ in 0..10 {
        let statuses = futures_util::future::join_all((0..100).map(|_| start())).await;
        assert!(statuses.iter().all(|status| matches!(status, 200 | 202)), "{statuses:?}");
    }
}

#[tokio::test]
async fn a_start_with_wait_gives_exactly_what_its_location_gives_once_it_ended() {
    let world = World::new().await;

    let started =
        world.post("/v1/actions/countdown", &[("prefer", "wait=20")], r#"{"seconds":0,"steps":2}"#).await;

    assert_eq!(started.status, 200);
    assert_eq!(started.header("preference-applied"), "wait=20");
    let polled = world.get(started.header("location")).await;
    assert_eq!((polled.status, &polled.text), (started.status, &started.text));
    assert_eq!(polled.header("etag"), started.header("etag"));
    assert!(started.headers.contains_key("operation-location"));
}

#[tokio::test]
async fn a_start_with_wait_that_fails_is_accepted_and_ended() {
    let world = World::new().await;

    let started = world
        .post(
            "/v1/actions/countdown",
            &[("prefer", "wait=20")],
            r#"{"seconds":0,"steps":1,"fail":"out-of-fuel"}"#,
        )
        .await;

    assert!(started.status.is_client_error(), "{started:?}");
    assert_eq!(started.code(), "out-of-fuel");
    assert_eq!(started.json()["operation"]["status"], "Failed");
    assert!(started.headers.contains_key("location"));
    let polled = world.get(started.header("location")).await;
    let problem = |answer: &Answer| answer.text.replace(answer.header("x-request-id"), "REQUEST");
    assert_eq!((polled.status, problem(&polled)), (started.status, problem(&started)));
}

#[tokio::test]
async fn links_are_given_to_those_who_may_have_them_and_open_what_they_name() {
    let world = World::new().await;
    let start = "/v1/actions/request-approval?links=cancel,event:decision";

    let answer = world.post(start, &[], r#"{"subject":"x"}"#).await;

    assert_eq!(answer.status, 202, "{answer:?}");
    let links = answer.json()["links"].clone();
    let event = links["event:decision"].as_str().unwrap();
    let sent = world.send(request(Method::POST, event, &[], r#"{"approved":true}"#)).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    world.until(answer.header("location"), |view| view["status"] == "Succeeded").await;
}

#[tokio::test]
async fn links_are_given_also_if_the_operation_ends_while_its_start_is_held() {
    let world = World::new().await;
    let headers = [("prefer", "wait=20"), ("idempotency-key", "once")];
    let start = async || {
        world.post("/v1/actions/request-approval?links=event:decision", &headers, r#"{"subject":"x"}"#).await
    };
    let decide = async {
        let id = async {
            loop {
                let listed = world.admin(Method::GET, "/admin/v1/operations?status=Running", "").await;
                if let Some(id) = listed.json()["operations"][0]["id"].as_str() {
                    return id.to_owned();
                }
                tokio::task::yield_now().await;
            }
        };
        let url = format!("/admin/v1/operations/{}/events/decision", id.await);
        assert_eq!(world.admin(Method::POST, &url, r#"{"approved":true}"#).await.status, 202);
    };

    let (started, ()) = tokio::join!(start(), decide);
    let replayed = start().await;

    assert_eq!((started.status.as_u16(), &started.text), (200, &replayed.text));
    let mut body = started.json();
    assert!(body["links"].as_object_mut().unwrap().remove("event:decision").is_some());
    body.as_object_mut().unwrap().remove("links");
    let polled = world.get(started.header("location")).await;
    assert_eq!((body, started.header("etag")), (polled.json(), polled.header("etag")));
}

#[tokio::test]
async fn a_link_that_the_action_does_not_give_is_403_and_nothing_is_accepted() {
    let world = World::new().await;

    for links in ["status", "event:other", "everything", "cancel,event:other"] {
        let url = format!("/v1/actions/request-approval?links={links}");
        let answer = world.post(&url, &[], r#"{"subject":"x"}"#).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (403, "forbidden"), "{links}");
    }

    let listed = world.admin(Method::GET, "/admin/v1/operations", "").await;
    assert_eq!(listed.json()["operations"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object_if_the_input_allows_it() {
    let world = World::new().await;

    let empty = world.post("/v1/actions/request-approval", &[], "").await;

    assert_eq!((empty.status.as_u16(), &*empty.code()), (400, "malformed-json"));
}

#[tokio::test]
async fn a_whole_number_is_an_integer_however_it_is_written() {
    let world = World::new().await;
    let post =
        async |key, body| world.post("/v1/actions/request-approval", &[("idempotency-key", key)], body).await;

    let started = post("1", r#"{"subject":"2.0","timeoutSeconds":6.0e1}"#).await;
    assert_eq!(started.status, 202, "{started:?}");
    world.until(started.header("location"), |view| view["status"] == "Running").await;
    let fraction = post("2", r#"{"subject":"x","timeoutSeconds":60.5}"#).await;
    assert_eq!(
        (&*fraction.code(), &fraction.json()["errors"][0]["pointer"]),
        ("invalid-input", &"/timeoutSeconds".into())
    );

    // Equal to itself, and to nothing that is written in another way.
    assert_eq!(
        post("1", r#"{"timeoutSeconds":6.0e1,"subject":"2.0"}"#).await.header("idempotent-replayed"),
        "true"
    );
    assert_eq!(post("1", r#"{"subject":"2.0","timeoutSeconds":60}"#).await.code(), "idempotency-key-reused");
}

#[tokio::test]
async fn a_byte_order_mark_and_unknown_query_parameters_do_not_matter() {
    let world = World::new().await;

    let answer =
        world.post("/v1/actions/request-approval?api-version=2&x", &[], "\u{feff}{\"subject\":\"x\"}").await;

    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn the_public_url_leads_every_url() {
    let settings = HttpSettings {
        public_url: Some("https://a.example/rc/".parse().unwrap()),
        ..HttpSettings::default()
    };
    let world = World::with(settings, Limits::default()).await;

    let answer =
        world.post("/v1/actions/request-approval", &[("host", "evil.example")], r#"{"subject":"x"}"#).await;

    assert!(answer.header("location").starts_with("https://a.example/rc/v1/actions/"), "{answer:?}");
    let missing = world.get("/nowhere").await;
    assert_eq!(missing.json()["type"], "https://a.example/rc/problems/not-found");
}

#[tokio::test]
async fn a_trusted_gateway_leads_every_url() {
    let settings = HttpSettings {
        public_url: Some("https://a.example".parse().unwrap()),
        trusted_gateways: vec!["https://*.gw.example/apim".parse().unwrap()],
        ..HttpSettings::default()
    };
    let world = World::with(settings, Limits::default()).await;
    let base = "https://eu-1.gw.example/apim/rc-1";
    let through = [("x-ms-apim-referrer-prefix", base)];

    let url = "/v1/actions/request-approval?links=event:decision";
    let answer = world.post(url, &through, r#"{"subject":"x"}"#).await;

    let root = format!("{base}/v1/actions/request-approval/operations/");
    assert!(answer.header("location").starts_with(&root), "{answer:?}");
    assert!(answer.header("operation-location").starts_with(&root), "{answer:?}");
    let event = answer.json()["links"]["event:decision"].as_str().unwrap_or_default().to_owned();
    assert!(event.starts_with(&root), "{answer:?}");
    let path = answer.header("location").strip_prefix(base).unwrap().to_owned();
    let poll = world.call(Method::GET, &path, &through, "").await;
    assert_eq!(poll.header("location"), answer.header("location"));
    let missing = world.call(Method::GET, "/nowhere", &through, "").await;
    assert_eq!(missing.json()["type"], format!("{base}/problems/not-found"));

    let stranger = world.post(url, &[("x-ms-apim-referrer-prefix", "https://evil.example/apim")], "{}").await;
    assert_eq!(stranger.json()["type"], "https://a.example/problems/invalid-input");
    let direct = world.get(&path).await;
    assert!(direct.header("location").starts_with("https://a.example/v1/"), "{direct:?}");
}
