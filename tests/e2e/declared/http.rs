//! What is particular about requests to other servers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::common::Requested;
use super::suite::Worker as _;
use super::target::{Seen, Target, header};
use super::world::{SECRET, World, configuration, order, until};
use crate::harness::{Answer, Launch};

/// A server with one action `work`, which calls the target.
async fn calling(target: &Target, keys: &str) -> World {
    let actions =
        format!("[[action]]\nname = \"work\"\nkind = \"http\"\n{}", keys.replace("@HERE", &target.url));
    World::start(Launch::new(), &actions).await
}

#[tokio::test]
async fn an_input_changes_the_part_of_a_request_where_it_stands_and_no_other() {
    let target = Target::start().await;
    let keys = "method = \"GET\"\nurl = \"@HERE/anything/{{ input.a }}/end\"\nquery = { q = \"{{ input.a }}\" }\n\
                headers = { X-Note = \"<{{ input.h }}>\" }";
    let world = calling(&target, keys).await;

    let answer = world.run("work", json!({"a": "x/../y?z=1&q=2#f", "h": "plain"})).await;

    let encoded = "x%2F..%2Fy%3Fz%3D1%26q%3D2%23f";
    let output = answer.json()["output"].clone();
    assert_eq!(output["path"], json!(format!("/anything/{encoded}/end")), "{answer:?}");
    assert_eq!(output["query"], json!(format!("q={encoded}")));
    let before = target.seen().len();
    for input in [
        json!({"a": "..", "h": "plain"}),
        json!({"a": ".", "h": "plain"}),
        json!({"a": {"b": 1}, "h": "plain"}),
        json!({"h": "plain"}),
        json!({"a": "x", "h": "a\r\nX-Injected: yes"}),
        json!({"a": "x", "h": "\u{0}"}),
    ] {
        let answer = world.run("work", input.clone()).await;

        assert_eq!((answer.status, &*answer.code()), (422, "invalid-request"), "{input}: {answer:?}");
    }
    assert_eq!(target.seen().len(), before, "nothing of it was sent");
}

#[tokio::test]
async fn bodies_are_the_input_a_shape_or_a_text() {
    let target = Target::start().await;
    for (body, sent) in [
        ("", json!({"do": "succeed", "echo": "a\"b"})),
        (
            "body = { echo = \"{{ input.echo }}\", fixed = [1, \"{{ input.gone }}\"] }",
            json!({"echo": "a\"b", "fixed": [1, null]}),
        ),
        ("body = '{\"echo\": {{ input.echo }}}'", json!({"echo": "a\"b"})),
    ] {
        let keys = format!(
            "url = \"@HERE/work\"\nsecrets = {{ token = \"env:TARGET_SECRET\" }}\n\
             headers = {{ Authorization = \"Bearer {{{{ secret.token }}}}\" }}\n{body}"
        );
        let world = calling(&target, &keys).await;

        let answer = world.run("work", json!({"do": "succeed", "echo": "a\"b"})).await;

        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = target.seen().pop().expect("a request");
        assert_eq!(seen.body, sent, "{body}");
        assert_eq!(header(&seen, "content-type"), "application/json");
        assert!(!header(&seen, "idempotency-key").is_empty());
    }
}

#[tokio::test]
async fn the_output_is_the_part_of_the_answer_that_is_wanted() {
    let target = Target::start().await;
    for (result, output) in [
        ("result = \"/path\"", json!("/anything/x")),
        (
            "result = { at = \"{{ body.path }}\", code = \"{{ status }}\", text = \"{{ status }} for {{ input.a }}\" }",
            json!({"at": "/anything/x", "code": 200, "text": "200 for x"}),
        ),
    ] {
        let world = calling(&target, &format!("url = \"@HERE/anything/{{{{ input.a }}}}\"\n{result}")).await;

        let answer = world.run("work", json!({"a": "x"})).await;

        assert_eq!(answer.json()["output"], output, "{answer:?}");
    }
    let keys = "url = \"@HERE/anything/x\"\nsuccess = \"status == 200 and body.done\"";
    let answer = calling(&target, keys).await.run("work", json!({})).await;
    assert_eq!(&*answer.code(), "target-refused", "{answer:?}");
    let answer =
        calling(&target, "url = \"@HERE/anything/x\"\nresult = \"/gone\"").await.run("work", json!({})).await;
    assert_eq!(&*answer.code(), "unexpected-answer", "{answer:?}");
}

#[tokio::test]
async fn who_is_not_allowed_to_be_called_is_not_called() {
    for (keys, told) in [
        ("url = \"http://127.0.0.2:9/x\"", "outbound.allow"),
        ("url = \"http://{{ input.host }}/x\"", "no input may choose whom to call"),
        ("url = \"http://me:pw@127.0.0.1/x\"", "put that into `headers`"),
        ("url = \"http://127.0.0.1:9/x\"\nheaders = { Host = \"evil\" }", "is set by the server itself"),
        ("url = \"http://127.0.0.1:9/{{ input.\"", "is no template"),
        ("url = \"http://127.0.0.1:9/\"\nsecrets = { a = \"hunter2\" }", "env:VARIABLE"),
    ] {
        let launch = Launch::new()
            .config(&configuration(&format!("[[action]]\nname = \"work\"\nkind = \"http\"\n{keys}")));

        let output = launch.command().arg("check").output().await.expect("it runs");

        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(told), "{keys}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// A server that leads its followers elsewhere.
#[tokio::test]
async fn followed_work_does_not_lead_to_where_the_server_may_not_go() {
    let elsewhere = Target::start().await;
    let target = Target::start().await;
    let keys = "follow = true\nurl = \"@HERE/jobs\"\nsecrets = { token = \"env:TARGET_SECRET\" }\n\
                headers = { Authorization = \"Bearer {{ secret.token }}\" }";
    target.lead_to(&elsewhere.url);
    let world = calling(&target, keys).await;

    let answer = world.run("work", order("succeed")).await;

    assert_eq!(&*answer.code(), "unexpected-answer", "{answer:?}");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn what_followed_work_tells_is_shown() {
    let target = Target::start().await;
    let keys = "follow = true\nurl = \"@HERE/jobs\"\nsecrets = { token = \"env:TARGET_SECRET\" }\n\
                headers = { Authorization = \"Bearer {{ secret.token }}\" }";
    let world = calling(&target, keys).await;
    let location = world.begin("work", order("hang")).await;

    let shown = loop {
        let held = world.server.http.get(&location).header("prefer", "wait=10");
        let shown = Answer::to(held).await.json();
        if shown["customStatus"].is_string() {
            break shown;
        }
    };
    target.release();
    let answer = world.ended(&location).await;

    assert_eq!((&shown["customStatus"], &shown["percentComplete"]), (&json!("at work"), &json!(40)));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.text.contains(SECRET));
}

/// A thousand operations wait for a slow target: what they take of it is bounded, others are not held up, and whoever
/// came first is first.
#[tokio::test]
async fn a_thousand_slow_calls_take_no_more_connections_than_they_may() {
    const LIMIT: usize = 8;
    let launch = Launch::new();
    let slow = Requested::new(&launch).await;
    let quick = Requested::new(&launch).await;
    let actions = format!(
        "[[action]]\nname = \"slow\"\nconcurrency = {LIMIT}\n{}\n\n[[action]]\nname = \"quick\"\n{}",
        slow.keys(),
        quick.keys()
    );
    let world = World::start(launch, &actions).await;
    let mut locations = Vec::new();
    for number in 0..1_000 {
        locations.push(world.begin("slow", json!({"do": "hang", "echo": number})).await);
    }
    slow.0.waiting(LIMIT).await;

    // The queue of one action is no other action's business.
    assert_eq!(world.run("quick", order("succeed")).await.status, 200);
    assert_eq!(slow.0.seen().len(), LIMIT, "the others have not been sent");
    assert!(connections(&world, &slow.0) <= LIMIT);
    let asked =
        |seen: &[Seen]| seen.iter().filter_map(|seen| seen.body["echo"].as_u64()).collect::<BTreeSet<_>>();
    for first in (0..1_000).step_by(LIMIT) {
        until("the next ones are called", || slow.0.seen().len() >= first + LIMIT).await;
        let seen = slow.0.seen();
        assert_eq!(seen.len(), first + LIMIT, "no more than may are called");
        // Those that are called at the same time may arrive in any order.
        let expected: BTreeSet<u64> = (first..first + LIMIT).map(|number| number as u64).collect();
        assert_eq!(asked(&seen[first..]), expected, "who came first is called first");
        slow.0.release_some(LIMIT);
    }
    for location in &locations {
        assert_eq!(world.ended(location).await.status, 200);
    }

    assert_eq!(slow.0.most_waiting(), LIMIT);
    assert!(connections(&world, &slow.0) <= LIMIT);
}

/// How many connections the server has to a target.
fn connections(world: &World, target: &Target) -> usize {
    let port: u16 = target.url.rsplit(':').next().expect("a port").parse().expect("a number");
    let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", world.server.pid())).expect("Linux");
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    // Remote address, and established.
    lines.filter(|line| line[2].ends_with(&format!(":{port:04X}")) && line[3] == "01").count()
}

#[tokio::test]
async fn a_target_that_is_not_there_is_told_so() {
    let nobody =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let keys = format!("url = \"http://{nobody}/path?code={SECRET}\"\nretry = {{ attempts = 1 }}");
    let world =
        World::start(Launch::new(), &format!("[[action]]\nname = \"work\"\nkind = \"http\"\n{keys}")).await;

    let answer = world.run("work", Value::Object(serde_json::Map::new())).await;

    assert_eq!((answer.status, &*answer.code()), (422, "target-unreachable"), "{answer:?}");
    assert!(!world.launch.log().contains(SECRET));
}
