//! The engines of Logic Apps and Power Automate, as their documentation describes them, against the real server.

use std::convert::Infallible;
use std::time::Duration;

use raincheck_server::http::LONGEST_WAIT;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use warp::Filter;
use warp::reply::Reply;

use crate::callers::{Call, End, Engine, Gateway, PollsWith, REQUEST_LIMIT, RetryPolicy};
use crate::harness::{Answer, TestServer};

const GATEWAY: &str = "https://europe-001.gw.example/apim/raincheck/1a2b";

fn countdown(server: &TestServer, body: Value) -> Call {
    Call {
        url: server.url("/v1/actions/countdown"),
        headers: Vec::new(),
        authentication: Some(("authorization".to_owned(), format!("Bearer {}", server.key))),
        body,
    }
}

/// How many operations there are.
async fn operations(server: &TestServer) -> usize {
    let page = server.get(&server.admin("/admin/v1/operations")).await.json();
    page["operations"].as_array().expect("a page").len()
}

#[tokio::test]
async fn a_logic_app_gets_each_end_with_and_without_its_credentials_on_polls() {
    let server = TestServer::start().await;
    for polls_with in [PollsWith::ItsAuthentication, PollsWith::Nothing] {
        let engine = Engine { polls_with, ..Engine::logic_apps(server.http.clone()) };

        let success = countdown(&server, json!({ "seconds": 0.3, "steps": 3 }));
        let failure = countdown(&server, json!({ "seconds": 0.3, "steps": 3, "fail": "out-of-paper" }));
        let (success, failure) = tokio::join!(engine.run(&success), engine.run(&failure));

        let End::Succeeded(200, view) = &success.end else { panic!("{success:?}") };
        assert_eq!((&view["status"], &view["output"]), (&json!("Succeeded"), &json!({ "steps": 3 })));
        let End::Failed(422, problem) = &failure.end else { panic!("{failure:?}") };
        assert_eq!(problem["code"], "out-of-paper");
        for ended in [success, failure] {
            assert_eq!(ended.complaints, Vec::<String>::new(), "{ended:?}");
            // It polled, and an end was final at once: a failure that is retried would only come later.
            let last = ended.answers.iter().rposition(|(status, _)| *status == 202).expect("it polled");
            assert!(last >= 1 && ended.answers.len() == last + 2, "{ended:?}");
            // The pace is a second, a tenth more or less, in whole seconds.
            assert!(ended.pauses.iter().all(|pause| matches!(pause.as_secs(), 1 | 2)), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn a_canceled_operation_fails_the_logic_app() {
    let server = TestServer::start().await;
    let call = countdown(&server, json!({ "seconds": 600, "steps": 2 }));
    let engine = Engine::logic_apps(server.http.clone());

    let cancel = async {
        while operations(&server).await == 0 {
            tokio::task::yield_now().await;
        }
        let page = server.get(&server.admin("/admin/v1/operations")).await.json();
        let id = page["operations"][0]["id"].as_str().expect("an id").to_owned();
        let url = server.admin(&format!("/admin/v1/operations/{id}/cancel"));
        server.post(&url, json!({})).await
    };
    let (ended, canceled) = tokio::join!(engine.run(&call), cancel);

    assert_eq!(canceled.status, 202, "{canceled:?}");
    let End::Failed(409, problem) = &ended.end else { panic!("{ended:?}") };
    assert_eq!(problem["code"], "canceled");
}

#[tokio::test]
async fn an_answer_that_is_lost_starts_nothing_twice_with_an_idempotency_key() {
    let server = TestServer::start().await;
    let engine = Engine { loses: vec![0, 1, 3], ..Engine::logic_apps(server.http.clone()) };
    let mut call = countdown(&server, json!({ "seconds": 0, "steps": 1 }));
    call.headers.push(("Idempotency-Key".to_owned(), "run-7-step-3".to_owned()));

    let ended = engine.run(&call).await;

    assert!(matches!(ended.end, End::Succeeded(200, _)), "{ended:?}");
    assert_eq!(ended.answers.iter().filter(|(status, _)| *status == 0).count(), 3, "{ended:?}");
    assert_eq!(operations(&server).await, 1);
}

#[tokio::test]
async fn a_start_over_the_limit_is_sent_again_until_there_is_room() {
    let server = TestServer::with_config(|config| config.limits.active_operations = 1).await;
    let first = server.post("/v1/actions/countdown", json!({ "seconds": 1, "steps": 1 })).await;
    assert_eq!(first.status, 202, "{first:?}");
    let engine = Engine { patience: 0.1, ..Engine::logic_apps(server.http.clone()) };

    let ended = engine.run(&countdown(&server, json!({ "seconds": 0, "steps": 1 }))).await;

    assert!(matches!(ended.end, End::Succeeded(200, _)), "{ended:?}");
    assert_eq!(ended.answers[0].0, 429, "{ended:?}");
}

#[tokio::test]
async fn a_start_that_is_wrong_is_not_sent_again() {
    let server = TestServer::start().await;
    let engine = Engine::logic_apps(server.http.clone());
    let mut stranger = countdown(&server, json!({ "seconds": 0, "steps": 1 }));
    stranger.authentication = None;

    for (call, expected) in [(countdown(&server, json!({})), 422), (stranger, 401)] {
        let ended = engine.run(&call).await;

        assert!(matches!(ended.end, End::Failed(status, _) if status == expected), "{ended:?}");
        assert_eq!(ended.answers.len(), 1, "{ended:?}");
    }
}

#[tokio::test]
async fn nothing_depends_on_headers_that_are_stripped() {
    let server = TestServer::start().await;
    let engine = Engine::logic_apps(server.http.clone());
    let mut call = countdown(&server, json!({ "seconds": 0, "steps": 1 }));
    for (name, value) in [
        ("Accept-Language", "de"),
        ("Content-Language", "de"),
        ("Cookie", "a=b"),
        ("Origin", "https://x.example"),
    ] {
        call.headers.push((name.to_owned(), value.to_owned()));
    }

    let ended = engine.run(&call).await;

    assert!(matches!(ended.end, End::Succeeded(200, _)), "{ended:?}");
}

#[tokio::test]
async fn an_action_that_gives_up_leaves_the_operation_alone() {
    let server = TestServer::start().await;
    let engine = Engine { limit: Some(Duration::from_millis(20)), ..Engine::logic_apps(server.http.clone()) };

    let ended = engine.run(&countdown(&server, json!({ "seconds": 0.5, "steps": 1 }))).await;

    assert_eq!(ended.end, End::TimedOut);
    let page = server.get(&server.admin("/admin/v1/operations")).await.json();
    let id = page["operations"][0]["id"].as_str().expect("an id").to_owned();
    let url = server.url(&format!("/v1/actions/countdown/operations/{id}"));
    let outcome = loop {
        let poll = server.http.get(&url).bearer_auth(&server.key).header("prefer", "wait=10");
        let answer = Answer::to(poll).await;
        if answer.status != 202 {
            break answer;
        }
    };
    assert_eq!(outcome.status, 200, "{outcome:?}");
}

#[test]
fn no_answer_is_held_for_as_long_as_a_call_may_take() {
    assert!(LONGEST_WAIT + Duration::from_secs(10) < REQUEST_LIMIT);
}

/// A server behind a connector's gateway, which knows what the server's own document declares.
async fn behind_a_gateway(trusted: &str) -> (TestServer, Gateway) {
    let gateways = if trusted.is_empty() { Vec::new() } else { vec![trusted.parse().expect("a gateway")] };
    let server = TestServer::with_config(|config| config.trusted_gateways = gateways).await;
    let document = server.get_bare("/openapi.json").await.json();
    let gateway = Gateway::new(GATEWAY, &server.url(""), &server.key, &document);
    (server, gateway)
}

/// A connector's action: the engine has no key, and calls the gateway.
fn through(gateway: &Gateway, body: Value) -> Call {
    let url = format!("{}/v1/actions/countdown", gateway.base);
    Call { url, headers: Vec::new(), authentication: None, body }
}

#[tokio::test]
async fn a_connector_polls_through_its_gateway_if_that_is_trusted() {
    let (server, gateway) = behind_a_gateway("https://*.gw.example/apim").await;
    let engine = Engine::power_automate(server.http.clone(), gateway.clone());

    let ended = engine.run(&through(&gateway, json!({ "seconds": 0.3, "steps": 3 }))).await;

    let End::Succeeded(200, view) = &ended.end else { panic!("{ended:?}") };
    assert_eq!(view["output"], json!({ "steps": 3 }));
    assert_eq!(ended.complaints, Vec::<String>::new());
    assert!(ended.answers.len() >= 3 && ended.answers.iter().all(|(_, url)| gateway.has(url)), "{ended:?}");

    let failed = engine.run(&through(&gateway, json!({ "seconds": 0, "steps": 1, "fail": "broken" }))).await;
    let End::Failed(422, problem) = &failed.end else { panic!("{failed:?}") };
    assert_eq!(problem["type"], format!("{GATEWAY}/problems/operation-failed"));
}

#[tokio::test]
async fn a_connector_whose_gateway_is_not_trusted_polls_the_server_itself_by_its_link() {
    for trusted in ["", "https://*.gw.example/apimposter", "https://other.example"] {
        let (server, gateway) = behind_a_gateway(trusted).await;
        let engine = Engine::power_automate(server.http.clone(), gateway.clone());

        let ended = engine.run(&through(&gateway, json!({ "seconds": 0.1, "steps": 1 }))).await;

        assert!(matches!(ended.end, End::Succeeded(200, _)), "{trusted}: {ended:?}");
        let polls = &ended.answers[1..];
        assert!(polls.iter().all(|(_, url)| url.starts_with(&server.url("/v1/"))), "{trusted}: {ended:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_lies_about_its_place_leads_nobody_away() {
    let (server, gateway) = behind_a_gateway("https://*.gw.example/apim").await;
    for base in [
        "https://evil.example/apim",
        "https://europe-001.gw.example.evil.example/apim",
        "https://a@b.gw.example/apim",
    ] {
        let liar = Gateway { base: base.to_owned(), ..gateway.clone() };
        let engine = Engine::power_automate(server.http.clone(), liar.clone());

        let ended = engine.run(&through(&liar, json!({ "seconds": 0, "steps": 1 }))).await;

        assert!(matches!(ended.end, End::Succeeded(200, _)), "{base}: {ended:?}");
        assert!(ended.answers[1].1.starts_with(&server.url("/v1/")), "{base}: {ended:?}");
    }
}

/// An API that makes the mistakes that users report.
async fn careless() -> String {
    let answer = |status: u16, headers: &[(&str, &str)]| {
        let answer =
            headers.iter().fold(warp::http::Response::builder().status(status), |answer, (name, value)| {
                answer.header(*name, *value)
            });
        answer.body("{}").expect("an answer")
    };
    let routes = warp::any().and(warp::path::full()).map(move |path: warp::path::FullPath| {
        let answer = match path.as_str() {
            "/relative" => answer(202, &[("location", "/status"), ("retry-after", "1")]),
            "/placeless" => answer(202, &[("retry-after", "1")]),
            "/moved" => answer(302, &[("location", "/elsewhere")]),
            _ => answer(503, &[]),
        };
        Ok::<_, Infallible>(answer).into_response()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    format!("http://{address}")
}

#[tokio::test]
async fn the_engine_notices_an_api_that_does_not_keep_to_the_pattern() {
    let (server, api) = (TestServer::start().await, careless().await);
    let engine =
        Engine { patience: 0.0, policy: RetryPolicy::LOGIC_APPS, ..Engine::logic_apps(server.http.clone()) };
    let call = |path: &str| Call { url: format!("{api}{path}"), ..countdown(&server, json!({})) };

    let relative = engine.run(&call("/relative")).await;
    assert_eq!(relative.complaints, ["a Location that is not absolute"]);
    assert_eq!(engine.run(&call("/placeless")).await.complaints, ["a 202 without a Location"]);
    assert!(matches!(engine.run(&call("/moved")).await.end, End::Failed(302, _)));
    let busy = engine.run(&call("/busy")).await;
    assert!(matches!(busy.end, End::Failed(503, _)), "{busy:?}");
    assert_eq!(busy.answers.len(), 5);
}
