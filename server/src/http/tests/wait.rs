use http::Method;

use super::*;

const WAIT: (&str, &str) = ("prefer", "wait=10");

#[tokio::test]
async fn a_poll_with_wait_is_held_until_something_differs() {
    let world = World::new().await;
    let location = world.approval().await;
    world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;
    let (url, _) = parts(&location);

    let poll = world.send(request(Method::GET, &location, &[WAIT], ""));
    let cancel = async {
        world.held().await;
        world.call(Method::DELETE, &url, &[], "").await
    };
    let (polled, _) = tokio::join!(poll, cancel);

    assert!(matches!(polled.status.as_u16(), 202 | 409), "{polled:?}");
    assert_eq!(polled.header("preference-applied"), "wait=10");
}

#[tokio::test]
async fn a_wait_that_ran_out_shows_the_current_view_and_asks_again_soon() {
    let world = World::new().await;
    let location = world.approval().await;
    world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;

    let poll = world.send(request(Method::GET, &location, &[WAIT], ""));
    let pass = async {
        world.held().await;
        world.clock.advance(Duration::from_secs(11));
    };
    let (polled, ()) = tokio::join!(poll, pass);

    assert_eq!((polled.status.as_u16(), polled.header("retry-after")), (202, "1"));
    assert_eq!(polled.header("preference-applied"), "wait=10");
}

#[tokio::test]
async fn the_wait_that_was_applied_is_the_one_that_the_server_allows() {
    let world = World::new().await;
    let location = world.countdown(r#"{"seconds":0,"steps":1}"#).await;

    let polled = world.send(request(Method::GET, &location, &[("prefer", "wait=99")], "")).await;

    assert_eq!((polled.status.as_u16(), polled.header("preference-applied")), (200, "wait=30"));
}

#[tokio::test]
async fn a_monitor_with_a_tag_that_no_longer_matches_answers_at_once() {
    let world = World::new().await;
    let location = world.approval().await;
    let (url, token) = parts(&location);
    let monitor = format!("{url}/status?token={token}");

    let answer =
        world.send(request(Method::GET, &monitor, &[WAIT, ("if-none-match", "W/\"old\"")], "")).await;

    assert_eq!((answer.status.as_u16(), answer.header("preference-applied")), (200, "wait=10"));
}

#[tokio::test]
async fn a_monitor_with_the_current_tag_is_held_and_then_304() {
    let world = World::new().await;
    let location = world.approval().await;
    world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;
    let (url, token) = parts(&location);
    let monitor = format!("{url}/status?token={token}");
    let tag = world.get(&monitor).await.header("etag").to_owned();

    let headers = [WAIT, ("if-none-match", &*tag)];
    let poll = world.send(request(Method::GET, &monitor, &headers, ""));
    let pass = async {
        world.held().await;
        world.clock.advance(Duration::from_secs(11));
    };
    let (answer, ()) = tokio::join!(poll, pass);

    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (304, "1"));
}

#[tokio::test]
async fn at_the_limit_of_held_answers_and_on_drain_the_answer_goes_at_once() {
    let mut settings = HttpSettings::default();
    settings.limits.held = 0;
    let world = World::with(settings, Limits::default()).await;
    let location = world.approval().await;

    let full = world.send(request(Method::GET, &location, &[WAIT], "")).await;
    assert_eq!(full.status, 202);
    assert!(!full.headers.contains_key("preference-applied"));

    let world = World::new().await;
    let location = world.approval().await;
    world.app.operations.drain();
    let draining = world.send(request(Method::GET, &location, &[WAIT], "")).await;
    assert_eq!(draining.status, 202);
}

#[tokio::test]
async fn a_drain_lets_everybody_go() {
    let world = World::new().await;
    let location = world.approval().await;
    world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;

    let poll = world.send(request(Method::GET, &location, &[WAIT], ""));
    let drain = async {
        world.held().await;
        world.app.operations.drain();
    };
    let (polled, ()) = tokio::join!(poll, drain);

    assert_eq!(polled.status, 202);
}

#[tokio::test]
async fn a_key_that_is_revoked_while_it_is_held_sees_nothing() {
    let world = World::new().await;
    let observer = world.key_with(&["observe"], "observer").await;
    let location = world.approval().await;
    world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;

    let url = parts(&location).0;
    let headers = [WAIT, ("x-api-key", &*observer)];
    let poll = world.send(request(Method::GET, &url, &headers, ""));
    let revoke = async {
        world.held().await;
        world.store.revoke_keys("observer", world.clock.now()).await.unwrap();
        world.clock.advance(Duration::from_secs(11));
    };
    let (polled, ()) = tokio::join!(poll, revoke);

    assert_eq!((polled.status.as_u16(), &*polled.code()), (401, "unauthenticated"));
}
