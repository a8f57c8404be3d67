//! Consumers that follow a trigger, with the SDK or on the command line, and are killed.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use raincheck::{Outcome, StatusView, Trigger};
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{end, succeed};
use crate::harness::{TestServer, binary, chances, seed};

#[derive(Debug, Deserialize)]
struct Countdown {
    steps: u32,
}

type Ends = Trigger<StatusView<Value, Countdown>>;

/// What a consumer has written down: all that is left of it after a kill.
struct Consumer {
    state: String,
    seen: Vec<String>,
}

impl Consumer {
    fn deal_with(&mut self, view: StatusView<Value, Countdown>, state: &raincheck::TriggerState) {
        assert_eq!(view.output.map(|output| output.steps), Some(1));
        self.seen.push(view.id);
        self.state = serde_json::to_string(state).expect("a state is JSON");
    }

    fn attach(&self, server: &TestServer) -> Ends {
        server.client().attach_trigger(serde_json::from_str(&self.state).expect("it was written down"))
    }
}

#[tokio::test]
async fn a_consumer_that_is_killed_and_goes_on_sees_each_finish_once() {
    let seed = seed();
    let server = TestServer::start().await;
    let ends: Ends = server.client().finished("countdown").await.unwrap();
    let state = serde_json::to_string(ends.state()).unwrap();
    let mut consumer = Consumer { state, seen: Vec::new() };
    let (done, mut chances) = (AtomicBool::new(false), chances(seed));

    let writers = async {
        let write = async |_| {
            let mut ended = Vec::new();
            for _ in 0..20 {
                ended.push(end(&server, json!({ "seconds": 0, "steps": 1 })).await);
            }
            ended
        };
        let ended = join_all((0..3).map(write)).await.concat();
        done.store(true, Ordering::SeqCst);
        ended
    };
    let consume = async {
        while !done.load(Ordering::SeqCst) {
            let mut ends = consumer.attach(&server);
            // It lives for so many items, and no longer than that.
            for _ in 0..chances.random_range(1..5) {
                let life = Duration::from_millis(chances.random_range(0..300));
                let Ok(item) = tokio::time::timeout(life, ends.next()).await else { break };
                let item = item.unwrap();
                consumer.deal_with(item.read().unwrap(), item.state());
            }
        }
        let mut ends = consumer.attach(&server);
        while let Some(item) = ends.poll().await.unwrap() {
            consumer.deal_with(item.read().unwrap(), item.state());
        }
    };
    let (mut ended, ()) = tokio::join!(writers, consume);

    let mut seen = consumer.seen.clone();
    ended.sort();
    seen.sort();
    assert_eq!(seen, ended, "seed {seed}");
}

#[tokio::test]
async fn a_wish_for_failures_of_everybody_is_heard_and_needs_the_right() {
    let server = TestServer::start().await;
    let watcher = server.key_with(&["observe"], "watcher").await;
    let starter = server.key_with(&["start"], "starter").await;
    let with = |key: &str| raincheck::Client::builder(server.url("")).api_key(key).build().unwrap();
    let wish =
        |key: &str| with(key).finished::<Countdown>("countdown").outcomes([Outcome::Failed]).of_everybody();
    let mut broken = wish(&watcher).await.unwrap();
    end(&server, json!({ "seconds": 0, "steps": 1 })).await;
    let unlucky = end(&server, json!({ "seconds": 0, "steps": 1, "fail": "no-luck" })).await;

    let view = broken.next().await.unwrap().read().unwrap();

    assert_eq!((view.id, view.error.map(|error| error.code)), (unlucky, Some("no-luck".to_owned())));
    assert!(wish(&starter).await.unwrap_err().is_not_found());
    assert!(with("rck_none").finished::<Countdown>("countdown").await.unwrap_err().is_unauthorized());
}

fn watch(server: &TestServer, state: &std::path::Path, more: &[&str]) -> Child {
    let mut command = Command::new(binary("raincheck"));
    command
        .args(["watch", "countdown", "--json", "--state"])
        .arg(state)
        .args(more)
        .env_clear()
        .env("RAINCHECK_URL", server.url(""))
        .env("RAINCHECK_API_KEY", &server.key)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().expect("the program")
}

#[tokio::test]
async fn a_watch_that_is_killed_while_it_prints_goes_on_and_misses_nothing() {
    let server = TestServer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("countdown.state");
    assert!(watch(&server, &state, &["--once"]).wait().await.unwrap().success());
    let mut ended = Vec::new();
    for _ in 0..12 {
        ended.push(succeed(&server).await);
    }

    let mut seen: Vec<String> = Vec::new();
    for reads in [1, 3, 2, 4, 1] {
        let mut child = watch(&server, &state, &[]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..reads {
            if seen.last() == ended.last() {
                break;
            }
            note(&mut seen, &lines.next_line().await.unwrap().expect("it goes on until it is killed"));
        }
        child.start_kill().unwrap();
        // What it has printed meanwhile.
        while let Some(line) = lines.next_line().await.unwrap() {
            note(&mut seen, &line);
        }
    }
    let rest = watch(&server, &state, &["--once"]).wait_with_output().await.unwrap();
    String::from_utf8(rest.stdout).unwrap().lines().for_each(|line| note(&mut seen, line));

    assert!(rest.status.success());
    assert_eq!(seen, ended);
}

/// What was printed by one who was killed before that was written down comes once more, and nothing else does.
fn note(seen: &mut Vec<String>, line: &str) {
    let view: Value = serde_json::from_str(line).expect("JSON");
    let id = view["id"].as_str().expect("it is there").to_owned();
    if seen.last() != Some(&id) {
        seen.push(id);
    }
}
