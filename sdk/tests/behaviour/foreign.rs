//! Servers of others: what the usual suites do not ask of a client.

use std::time::{Duration, SystemTime};

use raincheck::{Client, Dialect, Operation, Status};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

fn is_about(pause: Duration, seconds: u64) -> bool {
    let nominal = Duration::from_secs(seconds);
    pause <= nominal && pause > nominal.saturating_sub(Duration::from_secs(5))
}

/// The pauses after a start and after a poll whose answers both have this header.
async fn pauses(name: &str, value: &str) -> [Duration; 2] {
    let server = MockServer::start().await;
    let answer = || ResponseTemplate::new(202).insert_header("location", "/op").insert_header(name, value);
    answers(&server, "POST", "/start", [answer()]).await;
    answers(&server, "GET", "/op", [answer()]).await;

    let mut operation: Operation<Value> = begin(&client(&server), &server).await.unwrap();
    let first = operation.pause();
    operation.poll().await.unwrap();
    [first, operation.pause()]
}

#[tokio::test]
async fn every_way_to_write_a_pause_counts_on_the_first_answer_and_on_polls() {
    let in_a_minute = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));

    for (name, value) in [
        ("retry-after", "60"),
        ("retry-after", in_a_minute.as_str()),
        ("retry-after-ms", "60000"),
        ("x-ms-retry-after-ms", "60000"),
    ] {
        let pauses = pauses(name, value).await;
        assert!(pauses.iter().all(|pause| is_about(*pause, 60)), "{name}: {value}: {pauses:?}");
    }
}

#[tokio::test]
async fn a_pause_that_makes_no_sense_is_neither_a_panic_nor_a_hot_loop() {
    for value in ["-5", "in a while", "", "1e9", "99999999999999999999999999", "2592000"] {
        let [first, polled] = pauses("retry-after", value).await;
        let clamped = is_about(first, 600) && is_about(polled, 600);
        let backed_off = [first, polled].iter().all(|pause| *pause <= Duration::from_millis(5));
        assert!(clamped || backed_off, "{value}: {first:?} {polled:?}");
    }
    let slow = Client::builder("http://h").build().unwrap();
    assert!(is_about(pause_of_one(&slow, "-5").await, 1), "the usual back-off is half a second");
}

async fn pause_of_one(client: &Client, retry_after: &str) -> Duration {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(202).insert_header("location", "/op");
    answers(&server, "POST", "/start", [answer.insert_header("retry-after", retry_after)]).await;
    let operation: Operation<Value> = begin(client, &server).await.unwrap();
    let pause = operation.pause();
    assert!(pause > Duration::from_millis(100));
    pause
}

#[tokio::test]
async fn a_refusal_to_serve_with_a_pause_is_kept_while_polling() {
    for status in [429, 503] {
        let server = MockServer::start().await;
        let busy = ResponseTemplate::new(status).insert_header("retry-after", "60");
        answers(&server, "POST", "/start", [located("/op")]).await;
        answers(&server, "GET", "/op", [busy]).await;
        let mut operation: Operation<Value> = begin(&client(&server), &server).await.unwrap();

        let error = operation.poll().await.unwrap_err();

        assert!(error.is_unavailable() && error.status() == Some(status));
        assert!(is_about(operation.pause(), 60));
    }
}

#[tokio::test]
async fn resets_and_timeouts_while_polling_end_neither_the_operation_nor_its_token() {
    let server = MockServer::start().await;
    let late = ResponseTemplate::new(200).set_body_json(0).set_delay(Duration::from_secs(60));
    answers(&server, "GET", "/op", [late, located("/op"), done(7)]).await;
    let raw = raw(vec![String::new(), "HTTP/1.1 2".into(), raw_answer(200, "", &json!(8))]).await;
    let client = builder(server.uri())
        .prefer_wait(Duration::ZERO)
        .request_timeout(Duration::from_millis(300))
        .build()
        .unwrap();

    let timed_out: Operation<u32> = client.attach_url(&format!("{}/op", server.uri())).unwrap();
    let mut reset: Operation<u32> = client.attach_url(&raw).unwrap();
    let error = reset.poll().await.unwrap_err();
    let resumed: Operation<u32> = client.attach(error.token().unwrap().clone());

    assert_eq!(timed_out.await.unwrap(), 7);
    assert!(error.is_transport());
    assert_eq!(resumed.await.unwrap(), 8);
}

#[tokio::test]
async fn a_302_or_303_at_the_end_leads_to_the_result() {
    let by_itself = reqwest::Client::new();
    let by_us = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (code, name, http) in [
        (302, "location", &by_us),
        (303, "location", &by_us),
        (303, "operation-location", &by_us),
        (303, "location", &by_itself),
        (303, "operation-location", &by_itself),
    ] {
        let server = MockServer::start().await;
        let start = ResponseTemplate::new(202).insert_header(name, "/op").insert_header("retry-after", "0");
        let running = if name == "location" { located("/op") } else { done(json!({"status": "Running"})) };
        let see = ResponseTemplate::new(code).insert_header("location", "/result");
        answers(&server, "POST", "/start", [start]).await;
        answers(&server, "GET", "/op", [running, see]).await;
        answers(&server, "GET", "/result", [done(json!({"name": "made"}))]).await;

        let request = http.post(format!("{}/start", server.uri()));
        let made: Value = client(&server).operation(request).await.unwrap().await.unwrap();

        assert_eq!(made["name"], "made", "{code} {name}");
    }
}

#[tokio::test]
async fn a_cancel_that_is_only_accepted_is_canceling_and_the_outcome_decides() {
    let server = MockServer::start().await;
    answers(&server, "POST", "/start", [located("/op")]).await;
    answers(&server, "DELETE", "/op", [located("/elsewhere")]).await;
    answers(&server, "GET", "/op", [located("/op"), done("finished all the same")]).await;
    let mut operation: Operation<String> = begin(&client(&server), &server).await.unwrap();

    let status = operation.cancel().await.unwrap();

    assert_eq!(status, Status::Canceling);
    assert_eq!(operation.await.unwrap(), "finished all the same");
}

#[tokio::test]
async fn a_202_without_a_location_is_an_error_at_the_start_and_no_change_later() {
    let server = MockServer::start().await;
    let bare = || ResponseTemplate::new(202).insert_header("retry-after", "0");
    answers(&server, "POST", "/start", [bare(), located("/op")]).await;
    answers(&server, "GET", "/op", [bare(), bare().insert_header("location", ""), done(7)]).await;
    let client = client(&server);

    let nowhere = begin::<u32>(&client, &server).await.unwrap_err();
    let somewhere = begin::<u32>(&client, &server).await.unwrap().await.unwrap();

    assert!(nowhere.is_unexpected());
    assert_eq!(somewhere, 7);
}

#[tokio::test]
async fn a_location_is_relative_to_each_hop_and_may_change_midway() {
    let server = MockServer::start().await;
    answers(&server, "POST", "/start", [located("a/1?x=1")]).await;
    answers(&server, "GET", "/a/1", [located("../b/2")]).await;
    answers(&server, "GET", "/b/2", [located("?y=2")]).await;
    Mock::given(method("GET"))
        .and(path("/b/2"))
        .and(query_param("y", "2"))
        .respond_with(ResponseTemplate::new(307).insert_header("location", "./c/3"))
        .with_priority(1)
        .mount(&server)
        .await;
    answers(&server, "GET", "/b/c/3", [located(&format!("{}/d#part", server.uri()))]).await;
    answers(&server, "GET", "/d", [done(7)]).await;

    let output: u32 = begin(&client(&server), &server).await.unwrap().await.unwrap();

    assert_eq!(output, 7);
}

#[tokio::test]
async fn a_polling_url_of_six_kilobytes_is_asked_as_it_is() {
    let server = MockServer::start().await;
    let long = format!("/op?t={}", "x%2Fy+".repeat(1024));
    answers(&server, "POST", "/start", [located(&long)]).await;
    answers(&server, "GET", "/op", [done(7)]).await;

    let output: u32 = begin(&client(&server), &server).await.unwrap().await.unwrap();

    assert_eq!(output, 7);
    let polled = &server.received_requests().await.unwrap()[1].url;
    assert!(polled.as_str().ends_with(&long) && long.len() > 6_000);
}

#[tokio::test]
async fn a_query_parameter_is_carried_to_polls_that_lack_it_and_to_no_other() {
    let server = MockServer::start().await;
    let client = builder(server.uri()).carry_query("api-version", "7").build().unwrap();
    answers(&server, "POST", "/start", [located("/op?t=a%2Fb")]).await;
    answers(&server, "GET", "/op", [located("?api-version=8"), done(7)]).await;

    let output: u32 = begin(&client, &server).await.unwrap().await.unwrap();

    assert_eq!(output, 7);
    let requests = server.received_requests().await.unwrap();
    let queries: Vec<_> = requests.iter().map(|request| request.url.query().unwrap()).collect();
    assert_eq!(queries, ["api-version=7", "t=a%2Fb&api-version=7", "api-version=8"]);
}

#[tokio::test]
async fn an_operation_at_each_dialect_is_followed_to_its_result() {
    let monitor = |status: &str| done(json!({"status": status, "result": {"name": "made"}}));
    let resource = |state: &str| done(json!({"name": "made", "properties": {"provisioningState": state}}));
    let orchestration =
        |state: &str| done(json!({"runtimeStatus": state, "output": {"name": "made"}, "customStatus": 1}));
    let begun = |name: &str| ResponseTemplate::new(202).insert_header(name, "/op");
    let uris = json!({"statusQueryGetUri": "/op?code=1", "terminatePostUri": "/end?code=1"});

    for (dialect, start, polls) in [
        (Dialect::Location, begun("location"), [begun("location"), done(json!({"name": "made"}))]),
        (Dialect::StatusMonitor, begun("operation-location"), [monitor("Running"), monitor("Succeeded")]),
        (Dialect::BodyState, resource("Creating"), [resource("Updating"), resource("Succeeded")]),
        (
            Dialect::DurableFunctions,
            ResponseTemplate::new(202).set_body_json(uris),
            [orchestration("Running"), orchestration("Completed")],
        ),
    ] {
        let server = MockServer::start().await;
        let status = if dialect == Dialect::BodyState { "/start" } else { "/op" };
        answers(&server, "DELETE", "/start", [start]).await;
        answers(&server, "GET", status, polls).await;
        let request = reqwest::Client::new().delete(format!("{}/start", server.uri()));

        let operation: Operation<Value> = client(&server).operation(request).await.unwrap();

        assert_eq!(operation.dialect(), Some(dialect));
        assert_eq!(operation.await.unwrap()["name"], "made", "{dialect:?}");
    }
}
