//! Events that may come many times by one link: in their order, each once, up to a limit, and across a restart.

use std::sync::Arc;
use std::time::Duration;

use raincheck_server::config::Config;
use raincheck_server::{Action, Context, EventSettings, Failure, ServerBuilder, Settings};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::harness::{Answer, Setup, TestServer};

/// Takes as many lines as its input says, once the gate is open.
struct Collect(Arc<Semaphore>);

impl Action for Collect {
    const NAME: &'static str = "collect";
    type Input = usize;
    type Output = Vec<String>;
    type Status = ();

    fn settings(&self) -> Settings {
        Settings::new("Collect lines")
            .event(EventSettings::new::<String>("line").many())
            .caller_links(["event:line"])
    }

    async fn run(&self, cx: &mut Context<()>, lines: usize) -> Result<Vec<String>, Failure> {
        cx.step("gate", async |_| {
            let _open = self.0.acquire().await.map_err(|_| Failure::new("closed", "the gate is gone"))?;
            Ok::<_, Failure>(())
        })
        .await?;
        let mut taken = Vec::new();
        for _ in 0..lines {
            taken.extend(cx.event::<String>("line", None).await?);
        }
        Ok(taken)
    }
}

fn with(gate: &Arc<Semaphore>) -> impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static {
    let gate = Arc::clone(gate);
    |builder| builder.action(Collect(gate))
}

/// Starts one that takes so many lines: its status URL, and its event link without the server's address.
async fn start(server: &TestServer, lines: usize) -> (String, String) {
    let started = server.post("/v1/actions/collect?links=event:line", json!(lines)).await;
    let link = started.json()["links"]["event:line"].as_str().expect("a link").to_owned();
    (path(server, &started.location()), path(server, &link))
}

fn path(server: &TestServer, url: &str) -> String {
    url.strip_prefix(&server.url("")).expect("a URL of the server").to_owned()
}

async fn send(server: &TestServer, link: &str, line: &str, key: Option<&str>) -> Answer {
    let request = server.http.post(server.url(link)).json(&json!(line));
    Answer::to(key.into_iter().fold(request, |request, key| request.header("idempotency-key", key))).await
}

async fn output(server: &TestServer, location: &str) -> Value {
    server.ended(&server.url(location)).await.json()["output"].clone()
}

#[tokio::test]
async fn a_link_delivers_many_events_in_their_order_and_equal_ones_are_not_one() {
    let gate = Arc::new(Semaphore::new(1));
    let server = TestServer::with(with(&gate)).await;
    let (location, link) = start(&server, 4).await;

    for (line, key, replayed) in [
        ("a", None, false),
        ("a", None, false),
        ("b", Some("k"), false),
        ("b", Some("k"), true),
        ("c", None, false),
    ] {
        let sent = send(&server, &link, line, key).await;
        assert_eq!((sent.status, sent.header("idempotent-replayed") == "true"), (202, replayed), "{line}");
    }

    assert_eq!(output(&server, &location).await, json!(["a", "a", "b", "c"]));
}

#[tokio::test]
async fn sixty_four_may_wait_and_the_next_one_is_told_to_come_later_also_after_a_restart() {
    // The step at the closed gate is still running when the server stops, and runs again after that.
    let brief = |config: &mut Config| config.drain_time = Duration::from_millis(100);
    let server = Setup::new().config(brief).builder(with(&Arc::new(Semaphore::new(0)))).start().await;
    let (location, link) = start(&server, 65).await;
    for number in 0..64 {
        let sent = send(&server, &link, &number.to_string(), Some(&format!("k{number}"))).await;
        assert_eq!(sent.status, 202, "{sent:?}");
    }

    let refused = send(&server, &link, "64", None).await;
    assert_eq!((refused.status, &*refused.code()), (429, "too-many-events"));
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1));
    // What was taken before is still known, and takes no room.
    let again = send(&server, &link, "7", Some("k7")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, "true"));

    let gate = Arc::new(Semaphore::new(0));
    let after = Setup::after(&server).builder(with(&gate));
    server.stop().await;
    let server = after.start().await;
    assert_eq!(send(&server, &link, "64", None).await.status, 429);

    // There is room as soon as one has been taken.
    gate.add_permits(1);
    let delivered = async { while send(&server, &link, "64", None).await.status == 429 {} };
    delivered.await;
    let expected: Vec<_> = (0..65).map(|number| number.to_string()).collect();
    assert_eq!(output(&server, &location).await, json!(expected));
}
