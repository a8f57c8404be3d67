//! Triggers: a workflow starts for everything that ends, once, whoever asks and whatever happens in between.

mod consumers;
mod followers;

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::callers::{Gateway, Recurrence, Trigger};
use crate::harness::{Answer, Setup, TestServer};

const GATEWAY: &str = "https://europe-001.gw.example/apim/raincheck/1a2b";
const FEED: &str = "/v1/triggers/countdown/finished";

/// A workflow that polls `url` with the root key.
fn workflow(server: &TestServer, url: &str, splits: bool) -> Recurrence {
    Recurrence {
        url: server.url(url),
        headers: vec![("authorization".to_owned(), format!("Bearer {}", server.key))],
        every: Duration::from_secs(60),
        splits,
    }
}

/// Runs a countdown to its end. Its id.
async fn end(server: &TestServer, input: Value) -> String {
    let answer = server.post_with("/v1/actions/countdown", &[("prefer", "wait=60")], input).await;
    assert!(answer.status != 202, "{answer:?}");
    answer.location().split(['/', '?']).nth_back(1).expect("an id").to_owned()
}

async fn succeed(server: &TestServer) -> String {
    end(server, json!({ "seconds": 0, "steps": 1 })).await
}

/// Polls until there is nothing new. The operations that runs were started with.
async fn drain(trigger: &mut Trigger) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let polled = trigger.poll().await;
        if polled.status != 200 {
            assert_eq!(polled.status, 202, "{trigger:?}");
            return told;
        }
        told.extend(polled.runs.iter().map(|run| run["id"].as_str().expect("a status view").to_owned()));
    }
}

/// The sequence of the documentation: the first call, nothing, one item, nothing, a backlog, nothing.
async fn told(mode: &str) -> String {
    let server = TestServer::start().await;
    end(&server, json!({ "seconds": 0, "steps": 1 })).await;
    let (mut url, mut states, mut told) = (format!("{FEED}?mode={mode}"), Vec::new(), String::new());
    for finishes in [0, 0, 1, 0, 3, 0, 0, 0] {
        for _ in 0..finishes {
            succeed(&server).await;
        }
        let answer = server.get(&url).await;
        url = answer.location();
        let (_, query) = url.split_once("triggerState=").expect("a state");
        let state = query.split('&').next().expect("a state").to_owned();
        let place = states.iter().position(|known| *known == state).unwrap_or(states.len());
        if place == states.len() {
            states.push(state);
        }
        let items = match serde_json::from_str(&answer.text) {
            Err(_) if answer.text.is_empty() => "nothing".to_owned(),
            Ok(Value::Array(items)) => format!("a list of {}", items.len()),
            Ok(Value::Object(view)) => format!("one {}", view["status"].as_str().expect("a status")),
            other => panic!("{other:?}"),
        };
        let pace = answer.header("retry-after");
        let _ = writeln!(told, "{} state {place}, retry-after {pace}: {items}", answer.status);
    }
    told
}

#[tokio::test]
async fn the_sequence_is_that_of_the_documentation_one_by_one() {
    let expected = "\
        202 state 0, retry-after 15: nothing\n\
        202 state 0, retry-after 15: nothing\n\
        200 state 1, retry-after 15: one Succeeded\n\
        202 state 1, retry-after 15: nothing\n\
        200 state 2, retry-after 0: one Succeeded\n\
        200 state 3, retry-after 0: one Succeeded\n\
        200 state 4, retry-after 15: one Succeeded\n\
        202 state 4, retry-after 15: nothing\n";

    assert_eq!(told("single").await, expected);
}

#[tokio::test]
async fn the_sequence_is_that_of_the_documentation_in_lists() {
    let expected = "\
        202 state 0, retry-after 15: nothing\n\
        202 state 0, retry-after 15: nothing\n\
        200 state 1, retry-after 15: a list of 1\n\
        202 state 1, retry-after 15: nothing\n\
        200 state 2, retry-after 15: a list of 3\n\
        202 state 2, retry-after 15: nothing\n\
        202 state 2, retry-after 15: nothing\n\
        202 state 2, retry-after 15: nothing\n";

    assert_eq!(told("batch").await, expected);
}

#[tokio::test]
async fn a_logic_app_starts_one_run_for_each_end_by_its_link_alone() {
    let server = TestServer::start().await;
    for splits in [false, true] {
        let url = format!("{FEED}?mode={}", if splits { "batch" } else { "single" });
        let mut trigger = Trigger::logic_apps(server.http.clone(), workflow(&server, &url, splits));
        let first = trigger.poll().await;
        let mut ended = Vec::new();
        for input in
            [json!({ "seconds": 0, "steps": 1 }), json!({ "seconds": 0, "steps": 1, "fail": "broken" })]
        {
            ended.push(end(&server, input).await);
        }

        assert_eq!((first.status, first.runs, first.pause.as_secs()), (202, vec![], 60));
        assert_eq!(drain(&mut trigger).await, ended);
        assert_eq!(trigger.complaints, Vec::<String>::new());
        // What is told is what a poll of the operation shows, and nothing more.
        trigger.workflow.splits = false;
        let last = succeed(&server).await;
        let run = trigger.poll().await.runs.remove(0);
        let view = if splits { run[0].clone() } else { run };
        assert_eq!(view, server.get(&format!("/v1/actions/countdown/operations/{last}")).await.json());
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_told_again_and_starts_one_run() {
    let server = TestServer::start().await;
    let mut trigger = Trigger::logic_apps(server.http.clone(), workflow(&server, FEED, false));
    trigger.loses = vec![1, 3, 4];
    trigger.poll().await;
    let ended = [succeed(&server).await, succeed(&server).await];

    assert_eq!(drain(&mut trigger).await, ended);
    assert_eq!(trigger.answers.iter().filter(|(status, _)| *status == 0).count(), 3, "{trigger:?}");
}

#[tokio::test]
async fn a_trigger_goes_on_after_a_restart_of_the_server() {
    let server = TestServer::start().await;
    let mut trigger = Trigger::logic_apps(server.http.clone(), workflow(&server, FEED, false));
    trigger.poll().await;
    let before = succeed(&server).await;
    let setup = Setup::after(&server);
    let (_, location) = trigger.next().split_once("/v1/").expect("a URL of the API");
    let location = format!("/v1/{location}");
    server.stop().await;

    let server = setup.start().await;
    let after = succeed(&server).await;

    let mut trigger = Trigger::logic_apps(server.http.clone(), workflow(&server, &location, false));
    trigger.workflow.headers.clear();
    assert_eq!(drain(&mut trigger).await, [before, after]);
}

/// A server behind a connector's gateway, and a trigger of that connector: the engine has no key, and calls the gateway.
async fn behind_a_gateway(trusted: &str) -> (TestServer, Trigger) {
    let gateways = if trusted.is_empty() { Vec::new() } else { vec![trusted.parse().expect("a gateway")] };
    let server = TestServer::with_config(|config| config.trusted_gateways = gateways).await;
    let document = server.get_bare("/openapi.json").await.json();
    let gateway = Gateway::new(GATEWAY, &server.url(""), &server.key, &document);
    let url = format!("{GATEWAY}{FEED}?mode=batch&outcome=Succeeded,Canceled");
    let workflow = Recurrence { url, headers: Vec::new(), every: Duration::from_secs(60), splits: true };
    let mut trigger = Trigger::logic_apps(server.http.clone(), workflow);
    trigger.gateway = Some(gateway);
    (server, trigger)
}

#[tokio::test]
async fn a_connectors_trigger_polls_through_its_gateway_if_that_is_trusted_and_by_its_link_if_not() {
    for trusted in ["https://*.gw.example/apim", "", "https://other.example"] {
        let (server, mut trigger) = behind_a_gateway(trusted).await;
        trigger.poll().await;
        let good = succeed(&server).await;
        end(&server, json!({ "seconds": 0, "steps": 1, "fail": "broken" })).await;

        assert_eq!(drain(&mut trigger).await, [good], "{trusted}");
        assert_eq!(trigger.complaints, Vec::<String>::new(), "{trusted}");
        let place = if trusted.contains("gw.example") { GATEWAY.to_owned() } else { server.url("") };
        assert!(trigger.next().starts_with(&format!("{place}{FEED}?")), "{trusted}: {}", trigger.next());
    }
}

#[tokio::test]
async fn a_held_poll_is_woken_by_the_end_and_not_by_the_time() {
    let server = TestServer::start().await;
    let first = server.get(FEED).await;
    let wait = server.http.get(first.location()).header("prefer", "wait=30");

    let (told, id) = tokio::join!(Answer::to(wait), succeed(&server));

    assert_eq!((told.status, told.view().id.to_string()), (200, id), "{told:?}");
    assert_eq!(told.header("preference-applied"), "wait=30");
}

#[tokio::test]
async fn the_simulated_trigger_notices_an_api_that_does_not_keep_to_the_pattern() {
    let server = TestServer::start().await;
    let mut trigger = Trigger::logic_apps(server.http.clone(), workflow(&server, "/healthz", true));

    let polled = trigger.poll().await;

    assert_eq!((polled.status, polled.runs), (200, vec![json!("ok")]));
    assert_eq!(
        trigger.complaints,
        [
            "a 200 without a Retry-After in whole seconds",
            "a 200 without a Location",
            "splitOn over something that is no list"
        ]
    );
    assert_eq!(trigger.next(), server.url("/healthz"));
    let mut refused =
        Trigger::logic_apps(server.http.clone(), workflow(&server, &format!("{FEED}?mode=x"), true));
    let polled = refused.poll().await;
    assert_eq!((polled.status, polled.runs, polled.pause.as_secs()), (400, vec![], 60));
    assert_eq!(refused.answers.len(), 1);
}
