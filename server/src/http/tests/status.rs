use http::Method;

use super::*;

#[tokio::test]
async fn a_poll_of_a_running_operation_is_202_with_location_and_pace_every_time() {
    let world = World::new().await;
    let location = world.approval().await;

    for _ in 0..2 {
        let answer = world.get(&location).await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.header("location"), location);
        assert!(answer.is_paced(), "{answer:?}");
        assert!(!answer.headers.contains_key("etag"));
    }
}

#[tokio::test]
async fn a_poll_without_a_token_gives_the_records_own() {
    let world = World::new().await;
    let location = world.approval().await;

    let answer = world.call(Method::GET, &parts(&location).0, &[], "").await;

    assert_eq!(answer.header("location"), location);
}

#[tokio::test]
async fn success_is_200_with_the_view_and_a_tag_and_304_to_who_has_it() {
    let world = World::new().await;
    let location = world.countdown(r#"{"seconds":0,"steps":1}"#).await;

    let answer = world.get(&location).await;

    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &"Succeeded".into()));
    assert!(!answer.headers.contains_key("retry-after") && !answer.headers.contains_key("location"));
    let again =
        world.send(request(Method::GET, &location, &[("if-none-match", answer.header("etag"))], "")).await;
    assert_eq!((again.status.as_u16(), &*again.text), (304, ""));
}

#[tokio::test]
async fn failure_is_the_failures_4xx_and_never_retried() {
    let world = World::new().await;
    let location = world.countdown(r#"{"seconds":0,"steps":1,"fail":"out-of-fuel"}"#).await;

    let answer = world.get(&location).await;

    assert!(answer.status.is_client_error());
    assert_eq!(answer.json()["type"], "http://127.0.0.1:8080/problems/operation-failed");
    assert_eq!(
        (answer.code(), &answer.json()["operation"]["status"]),
        ("out-of-fuel".into(), &"Failed".into())
    );
}

#[tokio::test]
async fn the_monitor_is_200_whatever_the_outcome() {
    let world = World::new().await;
    let failed = world.countdown(r#"{"seconds":0,"steps":1,"fail":"out-of-fuel"}"#).await;
    let running = world.approval().await;

    let view = world.until(&failed, |_| true).await;
    assert_eq!((&view["status"], &view["error"]["code"]), (&"Failed".into(), &"out-of-fuel".into()));

    let (url, token) = parts(&running);
    let monitor = format!("{url}/status?token={token}");
    world.until(&running, |view| view["customStatus"] == "Waiting for a decision").await;
    let answer = world.get(&monitor).await;
    assert!(answer.status == 200 && answer.is_paced(), "{answer:?}");
    let tag = answer.header("etag");
    let again = world.send(request(Method::GET, &monitor, &[("if-none-match", tag)], "")).await;
    assert!(again.status == 304 && again.is_paced(), "{again:?}");
    assert_eq!(again.header("etag"), tag);
}

#[tokio::test]
async fn cancel_is_202_then_200_and_the_status_is_409() {
    let world = World::new().await;
    let location = world.approval().await;
    let url = parts(&location).0;

    let asked = world.call(Method::DELETE, &url, &[], "").await;
    assert!(matches!(asked.status.as_u16(), 200 | 202), "{asked:?}");
    assert_eq!(asked.json().as_object().unwrap().len(), 2);
    world.until(&location, |view| view["status"] == "Canceled").await;
    let again = world.call(Method::DELETE, &url, &[], "").await;
    assert_eq!((again.status.as_u16(), &again.json()["status"]), (200, &"Canceled".into()));

    let status = world.get(&location).await;
    assert_eq!(status.status, 409);
    assert_eq!(status.json()["type"], "http://127.0.0.1:8080/problems/operation-canceled");
}

#[tokio::test]
async fn a_cancel_after_success_is_409_without_operation() {
    let world = World::new().await;
    let location = world.countdown(r#"{"seconds":0,"steps":1}"#).await;

    let answer = world.call(Method::DELETE, &parts(&location).0, &[], "").await;

    assert_eq!((answer.status.as_u16(), &*answer.code()), (409, "already-terminal"));
    assert!(answer.json().get("operation").is_none());
}

#[tokio::test]
async fn after_its_retention_an_operation_is_410_for_its_link_and_owner_and_unknown_to_others() {
    let world = World::new().await;
    let starter = world.key_with(&["start"], "starter").await;
    let other = world.key_with(&["start", "operate"], "other").await;
    let start = request(
        Method::POST,
        "/v1/actions/countdown",
        &[("x-api-key", &starter), ("prefer", "wait=9")],
        r#"{"seconds":0,"steps":1}"#,
    );
    let location = world.send(start).await.header("location").to_owned();
    let (url, _) = parts(&location);

    world.clock.advance(Duration::from_secs(7 * 24 * 3600 + 1));
    world.store.sweep(world.clock.now(), 100).await.unwrap();

    assert_eq!(world.get(&location).await.code(), "operation-gone");
    let owner = world.send(request(Method::GET, &url, &[("x-api-key", &starter)], "")).await;
    assert_eq!((owner.status.as_u16(), &*owner.code()), (410, "operation-gone"));
    let stranger = world.send(request(Method::GET, &url, &[("x-api-key", &other)], "")).await;
    assert_eq!((stranger.status.as_u16(), &*stranger.code()), (404, "not-found"));

    world.clock.advance(Duration::from_secs(7 * 24 * 3600 + 1));
    world.store.sweep(world.clock.now(), 100).await.unwrap();
    let forgotten = world.send(request(Method::GET, &url, &[("x-api-key", &starter)], "")).await;
    assert_eq!((forgotten.status.as_u16(), &*forgotten.code()), (404, "not-found"));
}
