//! Pace and deadline. Pauses are asserted, not waited for, where the protocol allows it.

use std::time::{Duration, Instant};

use raincheck::{Dialect, Operation, ResumeToken, Status};
use serde_json::Value;
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

/// The pause that the client keeps after a start was answered with these headers.
async fn pause_after(headers: &[(&str, &str)]) -> Duration {
    let server = MockServer::start().await;
    let mut answer = ResponseTemplate::new(202).insert_header("location", status_url(&server));
    for (name, value) in headers {
        answer = answer.insert_header(*name, *value);
    }
    starts(&server, [answer]).await;
    let operation: Operation<Value> = client(&server).start("countdown", &()).await.unwrap();
    operation.pause()
}

fn is_about(pause: Duration, seconds: u64) -> bool {
    let nominal = Duration::from_secs(seconds);
    pause <= nominal && pause > nominal - Duration::from_secs(5)
}

#[tokio::test]
async fn retry_after_counts_in_seconds_as_a_date_and_in_milliseconds_on_the_first_answer_too() {
    let date = [("date", "Sun, 06 Nov 1994 08:49:00 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:50:00 GMT")];

    assert!(is_about(pause_after(&[("retry-after", "60")]).await, 60));
    assert!(is_about(pause_after(&date).await, 60));
    assert!(is_about(pause_after(&[("retry-after-ms", "60000"), ("retry-after", "7")]).await, 60));
    assert!(is_about(pause_after(&[("x-ms-retry-after-ms", "60000")]).await, 60));
}

#[tokio::test]
async fn hostile_pauses_are_clamped_and_garbled_ones_replaced_by_back_off() {
    assert!(is_about(pause_after(&[("retry-after", "2592000")]).await, 600));
    assert!(pause_after(&[("retry-after", "-5")]).await <= Duration::from_millis(5));
    assert!(pause_after(&[("retry-after", "in a while")]).await <= Duration::from_millis(5));
    assert!(pause_after(&[]).await <= Duration::from_millis(5));
}

#[tokio::test]
async fn one_second_between_polls_is_kept() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [running("1"), succeeded(1)]).await;
    let operation: Operation<u32> = client(&server).start("countdown", &()).await.unwrap();
    let begin = Instant::now();

    operation.await.unwrap();

    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn polls_with_a_pause_of_zero_do_not_sleep() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, std::iter::repeat_n(running("0"), 200).chain([succeeded(1)])).await;
    let operation: Operation<u32> = client(&server).start("countdown", &()).await.unwrap();

    operation.await.unwrap();

    assert_eq!(server.received_requests().await.unwrap().len(), 202);
}

#[tokio::test]
async fn a_status_is_reported_before_the_pause_that_follows_it() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    let half = running("600").set_body_json(with(view("Running"), "percentComplete", 50));
    polls(&server, [half]).await;
    let mut operation: Operation<Value> = client(&server).start("countdown", &()).await.unwrap();
    let mut updates = operation.updates();

    let first = updates.next().await.unwrap().unwrap();
    let second = updates.next().await.unwrap().unwrap();

    assert_eq!(first.status, Status::NotStarted);
    assert_eq!(second.percent_complete, Some(50));
    assert!(is_about(operation.pause(), 600));
}

#[tokio::test]
async fn a_dropped_wait_keeps_the_pace() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "600")]).await;
    let mut operation: Operation<Value> = client(&server).start("countdown", &()).await.unwrap();

    for _ in 0..3 {
        let mut updates = operation.updates();
        updates.next().await.unwrap().unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(10), updates.next()).await.is_err());
    }

    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_result_that_is_there_beats_the_timeout() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "600")]).await;
    polls(&server, [succeeded(9)]).await;

    let operation: Operation<u32> =
        client(&server).start("countdown", &()).timeout(Duration::from_secs(1)).await.unwrap();

    assert_eq!(operation.await.unwrap(), 9);
}

#[tokio::test]
async fn a_result_that_is_known_beats_a_timeout_that_has_passed() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [succeeded(9)]).await;
    let mut operation: Operation<u32> = client(&server).start("countdown", &()).await.unwrap();
    operation.poll().await.unwrap();

    let output = operation.timeout(Duration::ZERO).await;

    assert_eq!(output.unwrap(), 9);
}

#[tokio::test]
async fn a_deadline_ends_pauses_and_leaves_a_token_to_go_on_with() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "600")]).await;
    polls(&server, [running("600"), succeeded(9)]).await;
    let client = builder(server.uri()).timeout(Duration::from_secs(1)).build().unwrap();
    let begin = Instant::now();

    let error = client.start::<u32>("countdown", &()).await.unwrap().await.unwrap_err();

    assert!(error.is_timeout() && !error.is_failed());
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(error.view().unwrap().status, Status::Running);
    let output: u32 = client.attach(error.token().unwrap().clone()).await.unwrap();
    assert_eq!(output, 9);
}

#[tokio::test]
async fn a_deadline_ends_requests_that_hang() {
    let server = MockServer::start().await;
    let hang = Duration::from_secs(60);
    starts(&server, [accepted(&server, "0"), accepted(&server, "0").set_delay(hang)]).await;
    polls(&server, [succeeded(1).set_delay(hang)]).await;
    let client = builder(server.uri()).timeout(Duration::from_secs(1)).build().unwrap();
    let begin = Instant::now();

    let polled = client.start::<u32>("countdown", &()).await.unwrap().await.unwrap_err();
    let started = client.start::<u32>("countdown", &()).await.unwrap_err();

    assert!(polled.is_timeout() && polled.token().is_some(), "{polled:?}");
    assert!(started.is_timeout() && started.token().is_none(), "{started:?}");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn polls_ask_the_server_to_hold_them_unless_told_otherwise_or_short_of_time() {
    let server = MockServer::start().await;
    polls(&server, [succeeded(1)]).await;
    let wait_for = async |client: raincheck::Client, timeout| {
        client.attach_url::<u32>(&status_url(&server)).unwrap().timeout(timeout).await.unwrap();
        header(server.received_requests().await.unwrap().last().unwrap(), "prefer")
    };
    let hour = Duration::from_secs(3600);
    let never = builder(server.uri()).prefer_wait(Duration::ZERO).build().unwrap();

    assert_eq!(wait_for(client(&server), hour).await.as_deref(), Some("wait=20"));
    assert_eq!(wait_for(client(&server), Duration::from_secs(6)).await.as_deref(), Some("wait=4"));
    assert_eq!(wait_for(never, hour).await, None);
}

#[tokio::test]
async fn a_raincheck_server_that_repeats_its_view_at_its_location_is_still_asked_to_hold() {
    let server = MockServer::start().await;
    polls(&server, [running("0"), running("0"), running("0"), succeeded(1)]).await;
    let token = ResumeToken::from_url(&status_url(&server)).unwrap().with_dialect(Dialect::Location);

    client(&server).attach::<u32>(token).await.unwrap();

    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| header(request, "prefer").as_deref() == Some("wait=20")));
}
