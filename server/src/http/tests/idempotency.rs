use super::*;

const START: &str = "/v1/actions/request-approval";
const KEY: (&str, &str) = ("idempotency-key", "order-7");

#[tokio::test]
async fn a_repeated_start_is_answered_again_whatever_its_layout() {
    let world = World::new().await;

    let first = world.post(START, &[KEY], r#"{"subject":"x","timeoutSeconds":60}"#).await;
    world.until(first.header("location"), |view| view["status"] == "Running").await;
    let again = world
        .post(START, &[("idempotency-key", "\"order-7\"")], "{ \"timeoutSeconds\": 60, \"subject\": \"x\" }")
        .await;

    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert!(!first.headers.contains_key("idempotent-replayed"));
}

#[tokio::test]
async fn two_hundred_starts_with_one_key_are_one_operation() {
    let world = World::new().await;

    let starts = (0..200).map(|_| world.post(START, &[KEY], r#"{"subject":"x"}"#));
    let answers = futures_util::future::join_all(starts).await;

    let location = answers[0].header("location");
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.header("location") == location));
    let replays = answers.iter().filter(|answer| answer.headers.contains_key("idempotent-replayed")).count();
    assert_eq!(replays, 199);
}

#[tokio::test]
async fn a_key_with_another_body_is_422_also_if_the_body_does_not_fit() {
    let world = World::new().await;
    world.post(START, &[KEY], r#"{"subject":"x"}"#).await;

    for body in [r#"{"subject":"y"}"#, "{}", "[]"] {
        let answer = world.post(START, &[KEY], body).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (422, "idempotency-key-reused"), "{body}");
    }
    let other_action = world.post("/v1/actions/countdown", &[KEY], r#"{"seconds":0,"steps":1}"#).await;
    assert_eq!(other_action.status, 202);
}

#[tokio::test]
async fn a_key_is_bound_only_by_an_accepted_start() {
    let world = World::new().await;

    assert_eq!(world.post(START, &[KEY], "{}").await.code(), "invalid-input");

    assert_eq!(world.post(START, &[KEY], r#"{"subject":"x"}"#).await.status, 202);
}

#[tokio::test]
async fn a_replay_comes_before_the_limits_and_the_end_of_the_server() {
    let world = World::with(HttpSettings::default(), Limits { active: 1, ..Limits::default() }).await;
    let first = world.post(START, &[KEY], r#"{"subject":"x"}"#).await;

    let full = world.post(START, &[], r#"{"subject":"x"}"#).await;
    assert_eq!((full.status.as_u16(), &*full.code()), (429, "too-many-active"));
    assert!(full.headers.contains_key("retry-after"));
    let again = world.post(START, &[KEY], r#"{"subject":"x"}"#).await;
    assert_eq!(again.text, first.text);

    world.app.operations.drain();
    let draining = world.post(START, &[], r#"{"subject":"x"}"#).await;
    assert_eq!((draining.status.as_u16(), &*draining.code()), (503, "draining"));
    assert_eq!(world.post(START, &[KEY], r#"{"subject":"x"}"#).await.text, first.text);
}

#[tokio::test]
async fn a_replay_of_an_ended_operation_asks_to_come_at_once_and_waits_for_nothing() {
    let world = World::new().await;
    let input = r#"{"seconds":0,"steps":1}"#;
    world.post("/v1/actions/countdown", &[KEY, ("prefer", "wait=9")], input).await;

    let replay = world.post("/v1/actions/countdown", &[KEY], input).await;
    assert_eq!((replay.status.as_u16(), replay.header("retry-after")), (202, "1"));
    assert_eq!(replay.json()["status"], "NotStarted");
    let held = world.post("/v1/actions/countdown", &[KEY, ("prefer", "wait=9")], input).await;
    assert_eq!((held.status.as_u16(), held.header("idempotent-replayed")), (200, "true"));
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_400() {
    let world = World::new().await;

    for keys in [vec![("idempotency-key", "two words")], vec![("idempotency-key", "")], vec![KEY, KEY]] {
        let answer = world.post(START, &keys, r#"{"subject":"x"}"#).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "invalid-idempotency-key"), "{keys:?}");
    }
}

#[tokio::test]
async fn a_key_is_remembered_through_the_tombstone() {
    let world = World::new().await;
    let input = r#"{"seconds":0,"steps":1}"#;
    world.post("/v1/actions/countdown", &[KEY, ("prefer", "wait=9")], input).await;
    world.clock.advance(Duration::from_secs(7 * 24 * 3600 + 1));
    world.store.sweep(world.clock.now(), 100).await.unwrap();

    let gone = world.post("/v1/actions/countdown", &[KEY], input).await;

    assert_eq!((gone.status.as_u16(), &*gone.code()), (410, "operation-gone"));
}
