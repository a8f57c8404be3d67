//! Starts without a key that Logic Apps sends again.

use super::*;
use crate::{Action, Context, Failure, Settings};

/// An action with a shield: for workflows, or for everyone.
pub(super) struct Shielded<const EVERYONE: bool>;

impl<const EVERYONE: bool> Action for Shielded<EVERYONE> {
    const NAME: &'static str = if EVERYONE { "shielded-for-everyone" } else { "shielded" };
    type Input = String;
    type Output = String;
    type Status = ();

    fn settings(&self) -> Settings {
        let settings = Settings::new("Says it again");
        let minute = Duration::from_secs(60);
        if EVERYONE {
            settings.duplicate_shield_of_everyone(minute)
        } else {
            settings.duplicate_shield(minute)
        }
    }

    async fn run(&self, _: &mut Context<()>, input: String) -> Result<String, Failure> {
        Ok(input)
    }
}

const RUN: (&str, &str) = ("x-ms-workflow-run-id", "08584");
const ACTION: (&str, &str) = ("x-ms-workflow-operation-name", "Submit");

/// The id of the operation that a start leads to, and whether it is said to be a repetition.
async fn start(world: &World, action: &str, headers: &[(&str, &str)], body: &'static str) -> (String, bool) {
    let answer = world.post(&format!("/v1/actions/{action}"), headers, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    (id, answer.headers.contains_key("idempotent-replayed"))
}

#[tokio::test]
async fn an_equal_start_of_one_action_of_one_run_is_a_repetition() {
    let world = World::new().await;

    let (first, is_replay) = start(&world, "shielded", &[RUN, ACTION], "\"x\"").await;
    assert!(!is_replay);
    let retry = [RUN, ACTION, ("x-ms-client-request-id", "another")];
    assert_eq!(start(&world, "shielded", &retry, " \"x\" ").await, (first.clone(), true));

    for (headers, body) in [
        (vec![RUN, ACTION], "\"y\""),
        (vec![("x-ms-workflow-run-id", "08585"), ACTION], "\"x\""),
        (vec![RUN, ("x-ms-workflow-operation-name", "Again")], "\"x\""),
        (vec![RUN, ACTION, ("x-ms-workflow-repeatitem-index", "1")], "\"x\""),
        (vec![RUN, ACTION, ("idempotency-key", "k")], "\"x\""),
        // Whoever does not tell a run is not shielded.
        (vec![], "\"x\""),
        (vec![], "\"x\""),
    ] {
        let (other, is_replay) = start(&world, "shielded", &headers, body).await;
        assert!(other != first && !is_replay, "{headers:?} {body}");
    }
    let somebody_else = world.key_with(&["start"], "other").await;
    let headers = [("x-api-key", &*somebody_else), RUN, ACTION];
    let answer = world.send(request(Method::POST, "/v1/actions/shielded", &headers, "\"x\"")).await;
    assert_ne!(answer.json()["id"], *first);
}

#[tokio::test]
async fn after_the_window_it_is_new_work_and_then_that_one_is_repeated() {
    let world = World::new().await;
    let (first, _) = start(&world, "shielded", &[RUN, ACTION], "\"x\"").await;

    world.clock.advance(Duration::from_secs(60));
    assert_eq!(start(&world, "shielded", &[RUN, ACTION], "\"x\"").await, (first.clone(), true));
    world.clock.advance(Duration::from_millis(1));
    let (second, is_replay) = start(&world, "shielded", &[RUN, ACTION], "\"x\"").await;

    assert!(second != first && !is_replay);
    assert_eq!(start(&world, "shielded", &[RUN, ACTION], "\"x\"").await, (second, true));
}

#[tokio::test]
async fn an_action_may_shield_those_that_tell_no_run() {
    let world = World::new().await;

    let (first, _) = start(&world, "shielded-for-everyone", &[], "\"x\"").await;

    assert_eq!(start(&world, "shielded-for-everyone", &[], "\"x\"").await, (first.clone(), true));
    let (of_a_run, is_replay) = start(&world, "shielded-for-everyone", &[RUN, ACTION], "\"x\"").await;
    assert!(of_a_run != first && !is_replay);
    let (other_action, is_replay) = start(&world, "shielded", &[], "\"x\"").await;
    assert!(other_action != first && !is_replay);
}

#[tokio::test]
async fn an_action_without_a_shield_starts_what_it_is_told() {
    let world = World::new().await;
    let body = r#"{"seconds":0,"steps":1}"#;

    let (first, _) = start(&world, "countdown", &[RUN, ACTION], body).await;

    assert!(start(&world, "countdown", &[RUN, ACTION], body).await.0 != first);
}
