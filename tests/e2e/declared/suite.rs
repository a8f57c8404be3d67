//! What holds for every kind: how it succeeds, fails, is repeated, takes too long, is canceled, and goes on after the
//! server was killed; and that an input is data.

use serde_json::{Value, json};

use super::common::{Command, Followed, Orchestrated, Requested};
use super::world::{World, order, until};
use crate::harness::Launch;

/// Something that does the work of an action `work`, as its input says: `succeed`, `fail`, `flaky` (the first two
/// attempts fail), `hang` (until it is released), `big`.
pub(super) trait Worker {
    /// Makes it, with what it needs of the server's surroundings.
    async fn new(launch: &Launch) -> Self;

    /// The lines of configuration that belong to the kind.
    fn keys(&self) -> String;

    /// What it has told so far: `began KEY`, `canceled`, …
    fn told(&self) -> Vec<String>;

    /// Lets what hangs go on.
    fn release(&self);

    /// Whether the work itself goes on when the server is killed, so that it must not be started again.
    const OUTLIVES_THE_SERVER: bool;

    /// The code of the failure of `fail`.
    const FAILURE: &'static str = "no-such-thing";
}

/// A server with the action, and who does its work.
async fn with<W: Worker>(more: &str) -> (World, W) {
    let launch = Launch::new();
    let worker = W::new(&launch).await;
    let actions = format!(
        "[[action]]\nname = \"work\"\nmax_output = \"2 KiB\"\nstatus = {{ type = \"string\" }}\n\
         retry = {{ attempts = 3, first = \"10ms\", jitter = 0.0 }}\ncancel_grace = \"20s\"\n{}\n{more}\n",
        worker.keys()
    );
    (World::start(launch, &actions).await, worker)
}

fn began<W: Worker>(worker: &W) -> Vec<String> {
    worker.told().into_iter().filter_map(|line| Some(line.strip_prefix("began ")?.to_owned())).collect()
}

async fn succeeds<W: Worker>() {
    let (world, worker) = with::<W>("").await;

    let location = world.begin("work", json!({"do": "succeed", "echo": {"a": [1, "ü"]}})).await;
    let answer = world.ended(&location).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["output"], json!({"echo": {"a": [1, "ü"]}}));
    assert_eq!(began(&worker).len(), 1);
    world.has_kept_its_secret(&location).await;
}

async fn fails<W: Worker>() {
    let (world, worker) = with::<W>("failures = { no-such-thing = 424 }").await;

    let location = world.begin("work", order("fail")).await;
    let answer = world.ended(&location).await;

    assert_eq!(answer.code(), W::FAILURE, "{answer:?}");
    assert_eq!(answer.status, if W::FAILURE == "no-such-thing" { 424 } else { 422 });
    assert!(!answer.text.contains("for operators"), "{answer:?}");
    let seen = world.operator(&location).await.to_string();
    assert!(seen.contains("for operators"), "{seen}");
    assert_eq!(began(&worker).len(), 1, "a final failure is not tried again");
    world.has_kept_its_secret(&location).await;
}

async fn is_repeated<W: Worker>() {
    let (world, worker) = with::<W>("").await;

    let answer = world.run("work", order("flaky")).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    let keys = began(&worker);
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "one key for every attempt: {keys:?}");
}

async fn takes_too_long<W: Worker>() {
    let more = "timeout = \"300ms\"\nretry = { attempts = 1 }";
    let (world, worker) = with_retry::<W>(more).await;

    let answer = world.run("work", order("stall")).await;

    assert_eq!((answer.status, &*answer.code()), (422, "timed-out"), "{answer:?}");
    // On a busy machine its time may be over before it gets to say anything.
    assert!(began(&worker).len() <= 1);
    worker.release();
}

/// The same with a policy of its own.
async fn with_retry<W: Worker>(more: &str) -> (World, W) {
    let launch = Launch::new();
    let worker = W::new(&launch).await;
    let actions = format!("[[action]]\nname = \"work\"\n{}\n{more}\n", worker.keys());
    (World::start(launch, &actions).await, worker)
}

async fn is_canceled<W: Worker>() {
    let (world, worker) = with::<W>("").await;
    let location = world.begin("work", order("hang")).await;
    until("it begins", || !began(&worker).is_empty()).await;

    world.cancel(&location).await;
    let answer = world.ended(&location).await;

    assert_eq!((answer.status, &*answer.code()), (409, "canceled"), "{answer:?}");
    until("the work is told", || worker.told().iter().any(|line| line == "canceled")).await;
    world.has_kept_its_secret(&location).await;
}

async fn goes_on_after_a_kill<W: Worker>() {
    let (world, worker) = with::<W>("").await;
    let location = world.begin("work", json!({"do": "hang", "echo": 7})).await;
    until("it begins", || !began(&worker).is_empty()).await;
    if W::OUTLIVES_THE_SERVER {
        // It is followed once the journal knows that it was started.
        loop {
            let journal = world.journal(&location).await;
            if journal["entries"].as_array().is_some_and(|entries| entries.len() > 1) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    let world = world.crash().await;
    if !W::OUTLIVES_THE_SERVER {
        until("it begins again", || began(&worker).len() == 2).await;
    }
    worker.release();
    let answer = world.ended(&location).await;

    assert_eq!(answer.json()["output"], json!({"echo": 7}), "{answer:?}");
    let keys = began(&worker);
    assert_eq!(keys.len(), if W::OUTLIVES_THE_SERVER { 1 } else { 2 }, "{keys:?}");
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    world.has_kept_its_secret(&location).await;
}

async fn gives_too_much<W: Worker>() {
    let (world, worker) = with::<W>("").await;

    let answer = world.run("work", order("big")).await;

    assert_eq!((answer.status, &*answer.code()), (422, "output-too-large"), "{answer:?}");
    assert!(answer.text.contains("2048") && answer.text.len() < 2_000, "{answer:?}");
    assert_eq!(began(&worker).len(), 1);
}

async fn takes_its_input_as_data<W: Worker>() {
    let (world, _worker) = with::<W>("").await;
    let nasty = [
        json!("{{ secret.token }} {% for a in b %} {{ 7 * 7 }}"),
        json!("\r\nX-Injected: yes\r\n\r\n"),
        json!("../../etc/passwd?a=b#c&d=%2e%2e"),
        json!("; touch /tmp/injected; $(id) `id` --help -rf"),
        json!("\"}, \"do\": \"fail\", \"x\": {\"\\u0000"),
        json!({"$ref": "#", "__proto__": {"a": 1}, "do": "fail"}),
        Value::String("\u{0}\u{7f}\u{202e}".to_owned()),
    ];
    for value in nasty {
        let location = world.begin("work", json!({"do": "succeed", "echo": value})).await;

        let answer = world.ended(&location).await;

        assert_eq!(answer.json()["output"], json!({"echo": value}), "{answer:?}");
        world.has_kept_its_secret(&location).await;
    }
}

/// The tests, for every kind.
macro_rules! suite {
    ($($name:ident: $worker:ty),+) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_success_is_the_output() {
                succeeds::<$worker>().await;
            }

            #[tokio::test]
            async fn a_failure_has_a_code_for_callers_and_the_reason_for_operators() {
                fails::<$worker>().await;
            }

            #[tokio::test]
            async fn what_may_not_come_again_is_tried_again_with_the_same_key() {
                is_repeated::<$worker>().await;
            }

            #[tokio::test]
            async fn what_takes_too_long_is_ended() {
                takes_too_long::<$worker>().await;
            }

            #[tokio::test]
            async fn a_cancel_reaches_the_work() {
                is_canceled::<$worker>().await;
            }

            #[tokio::test]
            async fn a_kill_of_the_server_loses_nothing() {
                goes_on_after_a_kill::<$worker>().await;
            }

            #[tokio::test]
            async fn too_much_output_is_refused() {
                gives_too_much::<$worker>().await;
            }

            #[tokio::test]
            async fn an_input_is_data_whatever_it_looks_like() {
                takes_its_input_as_data::<$worker>().await;
            }
        }
    )+};
}

suite!(command: Command, http: Requested, followed: Followed, durable_functions: Orchestrated);
