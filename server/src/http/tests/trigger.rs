use http::Method;

use super::*;

const FEED: &str = "/v1/triggers/countdown/finished";
const QUICK: &str = r#"{"seconds":0,"steps":1}"#;
const FAILING: &str = r#"{"seconds":0,"steps":1,"fail":"broken"}"#;

impl World {
    async fn poll(&self, url: &str, key: &str) -> Answer {
        self.send(request(Method::GET, url, &[("x-api-key", key)], "")).await
    }

    /// Starts a countdown that ends at once, with that key. Its id.
    async fn ended(&self, key: &str, input: &'static str) -> String {
        let headers = [("x-api-key", key), ("prefer", "wait=30")];
        let answer = self.send(request(Method::POST, "/v1/actions/countdown", &headers, input)).await;
        assert!(answer.status != 202, "{answer:?}");
        answer.header("location").split(['/', '?']).nth_back(1).unwrap().to_owned()
    }
}

/// The state in a `Location`.
fn state(answer: &Answer) -> String {
    answer.header("location").split_once("triggerState=").unwrap().1.split('&').next().unwrap().to_owned()
}

fn ids(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    body.as_array().unwrap().iter().map(|view| view["id"].as_str().unwrap().to_owned()).collect()
}

fn is_quiet(answer: &Answer) -> bool {
    answer.status == 202 && answer.text.is_empty() && !answer.headers.contains_key("content-type")
}

#[tokio::test]
async fn the_first_call_begins_with_what_ends_from_now_on() {
    let world = World::new().await;
    world.ended(&world.key, QUICK).await;

    let first = world.poll(FEED, &world.key).await;
    let later = world.ended(&world.key, QUICK).await;
    let next = world.get(first.header("location")).await;

    assert!(is_quiet(&first), "{first:?}");
    assert_eq!(first.header("retry-after"), "15");
    assert!(first.header("location").starts_with("http://127.0.0.1:8080/v1/triggers/countdown/finished?"));
    assert_eq!((next.status.as_u16(), next.json()["id"].as_str()), (200, Some(&*later)), "{next:?}");
    assert_eq!((next.header("retry-after"), next.header("cache-control")), ("15", "no-store"));
}

#[tokio::test]
async fn whoever_wants_to_be_held_is_asked_back_soon_after_the_first_call() {
    let world = World::new().await;
    let headers = [("x-api-key", world.key.as_str()), ("prefer", "wait=30")];

    let first = world.send(request(Method::GET, FEED, &headers, "")).await;

    assert!(is_quiet(&first) && !first.headers.contains_key("preference-applied"), "{first:?}");
    assert_eq!(first.header("retry-after"), "1");
}

#[tokio::test]
async fn what_waits_comes_one_by_one_at_once_and_then_the_state_stays() {
    let world = World::new().await;
    let first = world.poll(FEED, &world.key).await;
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(world.ended(&world.key, QUICK).await);
    }

    let (mut location, mut told, mut paces) = (first.header("location").to_owned(), vec![], vec![]);
    let quiet = loop {
        let answer = world.get(&location).await;
        location = answer.header("location").to_owned();
        paces.push(answer.header("retry-after").to_owned());
        if answer.status == 202 {
            break answer;
        }
        let view = answer.json();
        let own =
            world.poll(&format!("/v1/actions/countdown/operations/{}", ended[told.len()]), &world.key).await;
        assert_eq!(view, own.json());
        told.push(view["id"].as_str().unwrap().to_owned());
    };

    assert_eq!((told, paces), (ended, vec!["0".into(), "0".into(), "15".into(), "15".to_owned()]));
    let again = world.get(&location).await;
    assert!(is_quiet(&again), "{again:?}");
    assert_eq!(again.header("location"), quiet.header("location"));
}

#[tokio::test]
async fn a_batch_has_up_to_a_hundred_and_says_if_more_wait() {
    let world = World::new().await;
    let first = world.poll(&format!("{FEED}?mode=batch"), &world.key).await;
    let mut ended = Vec::new();
    for _ in 0..101 {
        ended.push(world.ended(&world.key, QUICK).await);
    }

    let most = world.get(first.header("location")).await;
    let rest = world.get(most.header("location")).await;
    let none = world.get(rest.header("location")).await;

    assert_eq!((most.status.as_u16(), most.header("retry-after")), (200, "0"));
    assert_eq!((rest.status.as_u16(), rest.header("retry-after")), (200, "15"));
    assert_eq!((ids(&most), ids(&rest)), (ended[..100].to_vec(), ended[100..].to_vec()));
    assert!(is_quiet(&none), "{none:?}");
}

#[tokio::test]
async fn only_the_outcomes_that_were_asked_for_are_told_and_the_others_are_passed_by() {
    let world = World::new().await;
    let url = |outcome: &str| format!("{FEED}?mode=batch&outcome={outcome}");
    let (good, bad) = (
        world.poll(&url("Succeeded"), &world.key).await,
        world.poll(&url("Failed,Canceled"), &world.key).await,
    );
    let succeeded = world.ended(&world.key, QUICK).await;
    let failed = world.ended(&world.key, FAILING).await;

    let (good_told, bad_told) =
        (world.get(good.header("location")).await, world.get(bad.header("location")).await);
    world.ended(&world.key, QUICK).await;
    let passed = world.get(bad_told.header("location")).await;

    assert_eq!((ids(&good_told), ids(&bad_told)), (vec![succeeded], vec![failed]));
    assert_eq!(bad_told.json()[0]["error"]["code"], "broken");
    assert!(is_quiet(&passed) && state(&passed) > state(&bad_told), "{passed:?}");
}

#[tokio::test]
async fn a_caller_follows_its_own_operations_and_an_observer_everybodys() {
    let world = World::new().await;
    let (a, b) = (world.key_with(&["start"], "a").await, world.key_with(&["start"], "b").await);
    let observer = world.key_with(&["observe"], "observer").await;
    let own = world.poll(&format!("{FEED}?mode=batch"), &a).await;
    let all = world.poll(&format!("{FEED}?mode=batch&scope=all"), &observer).await;
    let observers_own = world.poll(&format!("{FEED}?mode=batch"), &observer).await;
    let of_b = world.ended(&b, QUICK).await;
    let of_a = world.ended(&a, QUICK).await;

    assert_eq!(ids(&world.get(own.header("location")).await), [&*of_a]);
    assert_eq!(ids(&world.get(all.header("location")).await), [&*of_b, &*of_a]);
    assert!(is_quiet(&world.get(observers_own.header("location")).await));
    let refused = world.poll(&format!("{FEED}?scope=all"), &a).await;
    assert_eq!((refused.status.as_u16(), &*refused.code()), (404, "not-found"));
}

#[tokio::test]
async fn a_link_shows_what_it_was_made_for_and_never_more() {
    let world = World::new().await;
    let key = world.key_with(&["start", "observe"], "a").await;
    let own = world.poll(&format!("{FEED}?outcome=Succeeded"), &key).await.header("location").to_owned();
    let all =
        world.poll(&format!("{FEED}?outcome=Succeeded&scope=all"), &key).await.header("location").to_owned();
    world.ended(&world.key, QUICK).await;

    assert!(is_quiet(&world.get(&own).await));
    assert_eq!(world.get(&all).await.status, 200);
    for wider in [
        format!("{own}&scope=all"),
        own.replace("Succeeded", "Failed"),
        own.replace("outcome=Succeeded&", ""),
        format!("{own}&outcome=Failed"),
        own.replace("countdown", "request-approval"),
        all.replace("Succeeded", "Succeeded,Canceled"),
        all.replace("scope=all", "scope=own"),
        format!("{all}&token=x"),
        all.split("&token").next().unwrap().to_owned(),
    ] {
        let answer = world.get(&wider).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (401, "unauthenticated"), "{wider}");
    }
    // Neither does it open anything else, nor does anything else open it.
    let token = own.split_once("token=").unwrap().1;
    let status = parts(&world.approval().await);
    for url in [format!("{}?token={token}", status.0), format!("{FEED}?token={}", status.1)] {
        assert_eq!(world.get(&url).await.status, 401, "{url}");
    }
    // How much of it comes at once is not a right.
    assert_eq!(world.get(&format!("{all}&mode=batch")).await.status, 200);
}

#[tokio::test]
async fn a_link_lives_on_with_every_poll_and_ends_with_its_key() {
    let world = World::new().await;
    let key = world.key_with(&["start", "observe"], "a").await;
    let (mut own, mut all) =
        (world.poll(FEED, &key).await, world.poll(&format!("{FEED}?scope=all"), &key).await);
    let old = own.header("location").to_owned();
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60 * 24 * 3600));
        own = world.get(own.header("location")).await;
        all = world.get(all.header("location")).await;
        assert!(is_quiet(&own) && is_quiet(&all), "{own:?}");
    }

    let expired = world.get(&old).await;
    let with_key = world.poll(&old, &key).await;
    assert_eq!((expired.status.as_u16(), &*expired.code()), (410, "link-expired"));
    assert!(is_quiet(&with_key), "{with_key:?}");

    world.store.revoke_keys("a", world.clock.now()).await.unwrap();
    let weaker = world.key_with(&["start"], "a").await;
    assert!(is_quiet(&world.get(own.header("location")).await));
    assert_eq!(world.get(all.header("location")).await.status, 401);
    assert!(is_quiet(&world.poll(FEED, &weaker).await));
    world.store.revoke_keys("a", world.clock.now()).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.get(own.header("location")).await.status, 401);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_after_the_credential() {
    let world = World::new().await;
    for (url, key, status, code) in [
        ("/v1/triggers/unknown/finished", "", 404, "unknown-action"),
        ("/v1/triggers/countdown/finished?triggerState=x", "", 401, "unauthenticated"),
        ("/v1/triggers/countdown/finished", "rck_x", 401, "unauthenticated"),
        ("/v1/triggers/countdown/finished?triggerState=x", &*world.key, 400, "invalid-parameter"),
        ("/v1/triggers/countdown/finished?outcome=x", &*world.key, 400, "invalid-parameter"),
        ("/v1/triggers/countdown/finished?mode=x", &*world.key, 400, "invalid-parameter"),
        ("/v1/triggers/countdown/finished?scope=x", &*world.key, 400, "invalid-parameter"),
    ] {
        let answer = world.poll(url, key).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code), "{url}");
    }
    let other = world.call(Method::POST, FEED, &[], "").await;
    assert_eq!((other.status.as_u16(), other.header("allow")), (405, "GET, HEAD, OPTIONS"));
    let unknown = world.call(Method::POST, "/v1/triggers/unknown/finished", &[], "").await;
    assert_eq!(unknown.code(), "unknown-action");
}

#[tokio::test]
async fn a_state_that_is_older_than_what_is_kept_goes_on_with_the_oldest() {
    let world = World::new().await;
    let first = world.poll(FEED, &world.key).await;
    world.ended(&world.key, QUICK).await;
    world.clock.advance(Duration::from_secs(8 * 24 * 3600));
    world.store.sweep(world.clock.now(), 10).await.unwrap();
    let kept = world.ended(&world.key, QUICK).await;

    let next = world.get(first.header("location")).await;

    assert_eq!((next.status.as_u16(), next.json()["id"].as_str()), (200, Some(&*kept)), "{next:?}");
}

#[tokio::test]
async fn a_poll_with_wait_is_held_until_something_ends_that_it_is_told_of() {
    let world = World::new().await;
    let other = world.key_with(&["start"], "other").await;
    let first = world.poll(FEED, &world.key).await;

    let poll = world.send(request(Method::GET, first.header("location"), &[("prefer", "wait=30")], ""));
    let end = async {
        world.held().await;
        world.ended(&other, QUICK).await;
        world.ended(&world.key, QUICK).await
    };
    let (told, id) = tokio::join!(poll, end);

    assert_eq!((told.status.as_u16(), told.json()["id"].as_str()), (200, Some(&*id)), "{told:?}");
    assert_eq!((told.header("preference-applied"), told.header("retry-after")), ("wait=30", "1"));
}

#[tokio::test]
async fn a_wait_that_ran_out_or_a_drain_is_a_quiet_answer() {
    let world = World::new().await;
    let first = world.poll(FEED, &world.key).await;
    let wait = || request(Method::GET, first.header("location"), &[("prefer", "wait=10")], "");

    let pass = async {
        world.held().await;
        world.clock.advance(Duration::from_secs(11));
    };
    let (out, ()) = tokio::join!(world.send(wait()), pass);
    assert!(is_quiet(&out), "{out:?}");
    assert_eq!((out.header("preference-applied"), out.header("retry-after")), ("wait=10", "1"));
    assert_eq!(out.header("location"), first.header("location"));

    let drain = async {
        world.held().await;
        world.app.operations.drain();
    };
    let (drained, ()) = tokio::join!(world.send(wait()), drain);
    assert!(is_quiet(&drained), "{drained:?}");
}

#[tokio::test]
async fn a_key_that_is_revoked_while_its_poll_is_held_is_told_nothing() {
    let world = World::new().await;
    let key = world.key_with(&["start"], "a").await;
    let first = world.poll(FEED, &key).await;

    let poll = world.send(request(Method::GET, first.header("location"), &[("prefer", "wait=10")], ""));
    let revoke = async {
        world.held().await;
        world.store.revoke_keys("a", world.clock.now()).await.unwrap();
        world.clock.advance(Duration::from_secs(11));
    };
    let (answer, ()) = tokio::join!(poll, revoke);

    assert_eq!(answer.status, 401, "{answer:?}");
}

#[tokio::test]
async fn a_head_has_no_body_and_the_same_headers() {
    let world = World::new().await;
    let first = world.poll(FEED, &world.key).await;

    let head = world.call(Method::HEAD, first.header("location"), &[], "").await;

    assert_eq!((head.status, head.header("location")), (first.status, first.header("location")));
}
