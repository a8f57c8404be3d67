use http::Method;

use super::*;

async fn approval(world: &World) -> (String, String) {
    let start = "/v1/actions/request-approval?links=event:decision";
    let answer = world.post(start, &[], r#"{"subject":"x"}"#).await;
    let link = answer.json()["links"]["event:decision"].as_str().unwrap().to_owned();
    (answer.header("location").to_owned(), link)
}

#[tokio::test]
async fn an_event_link_delivers_once() {
    let world = World::new().await;
    let (location, link) = approval(&world).await;
    let send = async |body| world.send(request(Method::POST, &link, &[], body)).await;

    let first = send(r#"{"approved":true}"#).await;
    assert_eq!((first.status.as_u16(), first.json().as_object().unwrap().len()), (202, 2));
    assert!(!first.headers.contains_key("idempotent-replayed"));
    world.until(&location, |view| view["status"] == "Succeeded").await;
    let again = send(r#"{ "approved": true }"#).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (202, "true"));
    let other = send(r#"{"approved":false}"#).await;

    assert_eq!((other.status.as_u16(), &*other.code()), (409, "event-already-sent"));
}

#[tokio::test]
async fn a_link_that_has_delivered_says_so_whatever_the_body_is() {
    let world = World::new().await;
    let (location, link) = approval(&world).await;
    let send =
        async |headers: &[(&str, &str)], body| world.send(request(Method::POST, &link, headers, body)).await;
    assert_eq!(send(&[], r#"{"approved":true}"#).await.status, 202);

    // Whether the operation still runs or has ended meanwhile.
    for ended in [false, true] {
        if ended {
            world.until(&location, |view| view["status"] == "Succeeded").await;
        }
        for body in [r#"{"approved":"maybe"}"#, "{", ""] {
            let other = send(&[], body).await;
            assert_eq!((other.status.as_u16(), &*other.code()), (409, "event-already-sent"), "{body}");
        }
        let again = send(&[], r#"{"approved":true}"#).await;
        assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (202, "true"));
    }
}

#[tokio::test]
async fn an_operator_sends_events_and_a_starter_does_not() {
    let world = World::new().await;
    let (location, _) = approval(&world).await;
    let url = format!("{}/events/decision", parts(&location).0);
    let starter = world.key_with(&["start"], "starter").await;

    let refused =
        world.send(request(Method::POST, &url, &[("x-api-key", &starter)], r#"{"approved":true}"#)).await;
    assert_eq!(refused.status, 404);
    let sent = world.post(&url, &[], r#"{"approved":true}"#).await;
    assert_eq!(sent.status, 202);
}

#[tokio::test]
async fn an_event_that_is_not_declared_or_does_not_fit_is_refused() {
    let world = World::new().await;
    let (location, link) = approval(&world).await;
    let url = format!("{}/events/other", parts(&location).0);

    let undeclared = world.post(&url, &[], "{}").await;
    assert_eq!((undeclared.status.as_u16(), &*undeclared.code()), (404, "unknown-event"));
    let misfit = world.send(request(Method::POST, &link, &[], r#"{"approved":"maybe"}"#)).await;
    assert_eq!((misfit.status.as_u16(), &*misfit.code()), (422, "invalid-input"));
    assert_eq!(misfit.json()["errors"][0]["pointer"], "/approved");
    let broken = world.send(request(Method::POST, &link, &[], "{")).await;
    assert_eq!((broken.status.as_u16(), &*broken.code()), (400, "malformed-json"));
}

#[tokio::test]
async fn an_event_for_an_ended_operation_is_409_without_operation() {
    let world = World::new().await;
    let (location, link) = approval(&world).await;
    world.call(Method::DELETE, &parts(&location).0, &[], "").await;
    world.until(&location, |view| view["status"] == "Canceled").await;

    let late = world.send(request(Method::POST, &link, &[], r#"{"approved":true}"#)).await;

    assert_eq!((late.status.as_u16(), &*late.code()), (409, "already-terminal"));
    assert!(late.json().get("operation").is_none());
    for body in [r#"{"approved":"maybe"}"#, "{", ""] {
        let unfit = world.send(request(Method::POST, &link, &[], body)).await;
        assert_eq!((unfit.status.as_u16(), &*unfit.code()), (409, "already-terminal"), "{body}");
    }
}

#[tokio::test]
async fn an_event_with_an_idempotency_key_is_delivered_once() {
    let world = World::new().await;
    let (location, _) = approval(&world).await;
    let url = format!("{}/events/decision", parts(&location).0);
    let key = [("idempotency-key", "e1")];

    let first = world.post(&url, &key, r#"{"approved":true}"#).await;
    assert_eq!(first.status, 202);

    for body in [r#"{"approved":false}"#, r#"{"approved":"maybe"}"#, "{"] {
        let other = world.post(&url, &key, body).await;
        assert_eq!((other.status.as_u16(), &*other.code()), (422, "idempotency-key-reused"), "{body}");
    }
}
