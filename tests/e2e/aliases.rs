//! An action that gets a new name: what callers began under the old one goes on, and what they begin does too.

use raincheck_server::{Action, BuildError, Context, EventSettings, Failure, Server, Settings};
use serde_json::{Value, json};

use crate::harness::{Answer, Setup, TestServer};

fn settings() -> Settings {
    Settings::new("Waits for a word").event(EventSettings::new::<String>("word")).caller_links(["event:word"])
}

async fn wait_for_a_word(cx: &mut Context<()>) -> Result<String, Failure> {
    Ok(cx.event("word", None).await?.unwrap_or_default())
}

struct Before;

impl Action for Before {
    const NAME: &'static str = "await-word";
    type Input = u32;
    type Output = String;
    type Status = ();

    fn settings(&self) -> Settings {
        settings()
    }

    async fn run(&self, cx: &mut Context<()>, _: u32) -> Result<String, Failure> {
        wait_for_a_word(cx).await
    }
}

struct Renamed;

impl Action for Renamed {
    const NAME: &'static str = "hear-word";
    type Input = u32;
    type Output = String;
    type Status = ();

    fn settings(&self) -> Settings {
        settings().alias("listen-word").alias("await-word")
    }

    async fn run(&self, cx: &mut Context<()>, _: u32) -> Result<String, Failure> {
        wait_for_a_word(cx).await
    }
}

/// A server on which the action was renamed while this operation of it waited: its start, under the old name.
async fn renamed() -> (TestServer, Answer) {
    let before = TestServer::with(|builder| builder.action(Before)).await;
    let key = [("idempotency-key", "order-7")];
    let started = before.post_with("/v1/actions/await-word?links=event:word", &key, json!(7)).await;
    assert_eq!(started.status, 202, "{started:?}");
    let setup = Setup::after(&before).builder(|builder| builder.action(Renamed));
    before.stop().await;
    (setup.start().await, started)
}

/// A link of a server that had another port.
fn here(server: &TestServer, link: &str) -> String {
    let (_, path) = link.split_once("/v1/").expect("a link of the API");
    server.url(&format!("/v1/{path}"))
}

#[tokio::test]
async fn links_that_were_made_under_an_old_name_go_on_to_work() {
    let (server, started) = renamed().await;
    let location = here(&server, &started.location());

    let poll = server.get_bare(&location).await;
    let event = started.json()["links"]["event:word"].as_str().expect("a link").to_owned();
    let sent = Answer::to(server.http.post(here(&server, &event)).json(&json!("go"))).await;
    let ended = server.ended(&location).await;

    assert_eq!((poll.status, poll.view().action.as_str()), (202, "hear-word"), "{poll:?}");
    assert!(poll.location().contains("/v1/actions/hear-word/operations/"), "{poll:?}");
    assert_eq!(sent.status, 202, "{sent:?}");
    assert_eq!((ended.status, &ended.json()["output"]), (200, &json!("go")), "{ended:?}");
    // The owner finds it by either name, and by no other.
    let id = started.view().id;
    for (action, status) in
        [("await-word", 200), ("listen-word", 200), ("hear-word", 200), ("countdown", 404)]
    {
        let answer = server.get(&format!("/v1/actions/{action}/operations/{id}")).await;
        assert_eq!(answer.status, status, "{action}: {answer:?}");
    }
}

#[tokio::test]
async fn a_key_is_one_key_under_every_name() {
    let (server, started) = renamed().await;

    let start = async |action: &str, key: &str, body: Value| {
        server.post_with(&format!("/v1/actions/{action}"), &[("idempotency-key", key)], body).await
    };
    for action in ["hear-word", "await-word", "listen-word"] {
        // Bound before the action had its new name.
        let replay = start(action, "order-7", json!(7)).await;
        assert_eq!((replay.status, replay.header("idempotent-replayed")), (202, "true"), "{replay:?}");
        assert_eq!(replay.view().id, started.view().id, "{action}");
        assert_eq!(start(action, "order-7", json!(8)).await.code(), "idempotency-key-reused", "{action}");
        // Bound since.
        let first = start(action, &format!("by-{action}"), json!(1)).await;
        assert_eq!(first.header("idempotent-replayed"), "", "{first:?}");
        for other in ["hear-word", "await-word", "listen-word"] {
            let replay = start(other, &format!("by-{action}"), json!(1)).await;
            assert_eq!(replay.view().id, first.view().id, "{action}, {other}");
        }
    }
}

#[tokio::test]
async fn the_new_name_is_the_only_one_that_is_shown() {
    let (server, old) = renamed().await;
    let new = server.post("/v1/actions/listen-word", json!(1)).await;

    assert_eq!(new.view().action, "hear-word");
    assert!(new.location().contains("/v1/actions/hear-word/"), "{new:?}");
    let document = server.get_bare("/openapi.json").await.text;
    assert!(document.contains("/v1/actions/hear-word") && !document.contains("await-word"));
    for filter in ["await-word", "listen-word", "hear-word"] {
        let page = server.get(&server.admin(&format!("/admin/v1/operations?action={filter}"))).await.json();
        let listed: Vec<_> = page["operations"].as_array().expect("a page").iter().collect();
        let of = |member: &str| listed.iter().map(|one| one[member].clone()).collect::<Vec<_>>();
        assert_eq!(of("id"), [json!(new.view().id), json!(old.view().id)], "{filter}");
        assert_eq!(of("action"), ["hear-word", "hear-word"], "{filter}");
    }
}

#[tokio::test]
async fn a_trigger_goes_on_under_the_new_name_with_what_was_started_under_the_old_one() {
    let before = TestServer::with(|builder| builder.action(Before)).await;
    let first = before.get("/v1/triggers/await-word/finished").await;
    let old = before.post("/v1/actions/await-word?links=event:word", json!(7)).await;
    let setup = Setup::after(&before).builder(|builder| builder.action(Renamed));
    before.stop().await;
    let server = setup.start().await;
    let new = server.post("/v1/actions/hear-word?links=event:word", json!(8)).await;
    for started in [&old, &new] {
        let event = started.json()["links"]["event:word"].as_str().expect("a link").to_owned();
        assert_eq!(Answer::to(server.http.post(here(&server, &event)).json(&json!("go"))).await.status, 202);
        server.ended(&here(&server, &started.location())).await;
    }

    let one = server.get_bare(&here(&server, &first.location())).await;
    let other = server.get_bare(&one.location()).await;

    let told = |answer: &Answer| (answer.status, answer.view().id, answer.view().action);
    assert_eq!(told(&one), (200, old.view().id, "hear-word".to_owned()));
    assert_eq!(told(&other), (200, new.view().id, "hear-word".to_owned()));
    assert!(one.location().contains("/v1/triggers/hear-word/finished?"), "{one:?}");
    assert_eq!(server.get("/v1/triggers/listen-word/finished").await.status, 202);
    assert_eq!(server.get("/v1/triggers/countdown-word/finished").await.code(), "unknown-action");
}

struct Clashing(&'static [&'static str]);

impl Action for Clashing {
    const NAME: &'static str = "clash";
    type Input = u32;
    type Output = u32;
    type Status = ();

    fn settings(&self) -> Settings {
        self.0.iter().fold(Settings::new("Clashes"), |settings, alias| settings.alias(*alias))
    }

    async fn run(&self, _: &mut Context<()>, input: u32) -> Result<u32, Failure> {
        Ok(input)
    }
}

#[test]
fn an_alias_that_is_wrong_or_taken_is_refused_when_the_action_is_registered() {
    for (aliases, says) in [
        (&["Bad Name"][..], "action name `Bad Name`"),
        (&[""], "action name ``"),
        (&["clash"], "the alias `clash` is taken"),
        (&["old", "old"], "the alias `old` is taken"),
        (&["hear-word"], "the alias `hear-word` is taken"),
        (&["await-word"], "the alias `await-word` is taken"),
    ] {
        for renamed_first in [true, false] {
            let builder = Server::builder();
            let builder = if renamed_first {
                builder.action(Renamed).action(Clashing(aliases))
            } else {
                builder.action(Clashing(aliases)).action(Renamed)
            };
            let error = builder.document().expect_err("it cannot be built");
            assert!(matches!(error, BuildError::Action(_)), "{error:?}");
            let text = error.to_string();
            assert!(text.contains(says), "{aliases:?}: {text}");
        }
    }
    assert!(Server::builder().action(Renamed).action(Clashing(&["old", "older"])).document().is_ok());
}
