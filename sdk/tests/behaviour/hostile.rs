//! Answers that no server should give, and those that say that something has gone wrong on the way.

use std::time::Duration;

use raincheck::{Operation, RetryPolicy, Status};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::support::*;

/// The outcome of an operation whose polls are answered like this.
async fn outcome(
    polls: impl IntoIterator<Item = ResponseTemplate>,
) -> (Result<Value, raincheck::Error>, usize) {
    let server = MockServer::start().await;
    answers(&server, "POST", "/start", [located("/op")]).await;
    answers(&server, "GET", "/op", polls).await;
    let outcome = begin(&client(&server), &server).await.unwrap().await;
    (outcome, server.received_requests().await.unwrap().len() - 1)
}

#[tokio::test]
async fn an_operation_that_is_not_everywhere_yet_is_found_a_moment_later() {
    let lagging = || ResponseTemplate::new(404);

    let (found, _) = outcome([lagging(), lagging(), located("/op"), done(7)]).await;
    let (unknown, asked) = outcome([lagging()]).await;
    let (lost, asked_before) = outcome([located("/op"), lagging(), done(7)]).await;

    assert_eq!(found.unwrap(), 7);
    assert!(unknown.unwrap_err().is_not_found());
    assert!(lost.unwrap_err().is_not_found());
    assert_eq!((asked, asked_before), (4, 2));
}

#[tokio::test]
async fn refusals_end_the_following_at_once_and_leave_a_token() {
    for status in [401, 403, 410, 501, 505] {
        let (refused, asked) = outcome([located("/op"), ResponseTemplate::new(status), done(7)]).await;

        let error = refused.unwrap_err();
        assert!(error.token().is_some() && error.status() == Some(status), "{error:?}");
        assert_eq!(error.is_gone(), status == 410);
        assert_eq!(error.is_unexpected(), status > 500);
        assert_eq!(asked, 2);
    }
}

#[tokio::test]
async fn a_monitor_that_takes_its_success_back_is_not_asked_for_that() {
    let server = MockServer::start().await;
    let monitor = |status: &str| done(json!({"status": status, "resourceLocation": "/made"}));
    let start = ResponseTemplate::new(202).insert_header("operation-location", "/op");
    answers(&server, "POST", "/start", [start]).await;
    answers(&server, "GET", "/op", [monitor("Succeeded"), monitor("Running"), monitor("Failed")]).await;
    answers(&server, "GET", "/made", [ResponseTemplate::new(503), located("/made"), done(7)]).await;
    let mut operation: Operation<u32> = begin(&client(&server), &server).await.unwrap();

    let _ = operation.poll().await;

    assert_eq!(operation.status(), Status::Succeeded);
    assert_eq!(operation.await.unwrap(), 7);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.iter().filter(|request| request.url.path() == "/op").count(), 1);
}

#[tokio::test]
async fn a_pause_on_a_last_answer_keeps_nobody_waiting() {
    let (output, _) = outcome([done(7).insert_header("retry-after", "600")]).await;

    assert_eq!(output.unwrap(), 7);
}

#[tokio::test]
async fn a_202_with_a_last_word_is_polled_all_the_same() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0").set_body_json(view("Failed"))]).await;
    polls(&server, [succeeded(7)]).await;

    let operation: Operation<u32> = client(&server).start("countdown", &()).await.unwrap();

    assert_eq!(operation.status(), Status::Running);
    assert_eq!(operation.await.unwrap(), 7);
}

#[tokio::test]
async fn an_answer_larger_than_any_result_is_an_error_and_not_asked_for_again() {
    let huge = vec![b' '; 33 * 1024 * 1024];

    let (refused, asked) = outcome([ResponseTemplate::new(200).set_body_bytes(huge)]).await;

    let error = refused.unwrap_err();
    assert!(error.is_unexpected() && error.to_string().contains("32 MiB") && error.token().is_some());
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_url_that_is_too_long_to_be_asked_for_is_an_error_and_not_a_circle() {
    let answer = raw_answer(202, &format!("location: /{}\r\n", "x".repeat(70_000)), &json!({}));
    let url = raw(vec![answer]).await;
    let mut operation: Operation<Value> = builder(url.clone()).build().unwrap().attach_url(&url).unwrap();

    operation.poll().await.unwrap();
    let error = operation.await.unwrap_err();

    assert!(error.is_unexpected() && error.token().is_some(), "{error:?}");
}

#[tokio::test]
async fn a_circle_that_the_callers_own_http_client_has_walked_is_an_end_too() {
    let server = MockServer::start().await;
    answers(&server, "POST", "/start", [located("/op")]).await;
    answers(&server, "GET", "/op", [ResponseTemplate::new(302).insert_header("location", "/op")]).await;

    let error = begin::<Value>(&client(&server), &server).await.unwrap().await.unwrap_err();

    assert!(error.is_unexpected() && error.to_string().contains("circle"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_redirects_until_it_is_done_sets_the_pace() {
    let server = MockServer::start().await;
    let later =
        ResponseTemplate::new(302).insert_header("location", "/op").insert_header("retry-after", "600");
    answers(&server, "GET", "/op", [later]).await;
    let url = format!("{}/op", server.uri());
    let mut operation: Operation<Value> = client(&server).attach_url(&url).unwrap();

    let status = operation.poll().await.unwrap();

    assert_eq!(status, Status::Running);
    assert!(operation.pause() > Duration::from_secs(590));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn broken_and_cut_answers_are_asked_for_again() {
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\n7".to_owned();
    let no_http = "lo and behold\r\n\r\n".to_owned();
    let early = format!("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n{}", raw_answer(200, "", &json!(7)));
    let url = raw(vec![long, no_http, String::new(), early]).await;

    let operation: Operation<u32> = builder(url.clone()).build().unwrap().attach_url(&url).unwrap();

    assert_eq!(operation.await.unwrap(), 7);
}

#[tokio::test]
async fn odd_bytes_are_no_reason_to_fall() {
    let located = "HTTP/1.1 202 X\r\nlocation: /\u{fc}ber?t=\u{e4}\r\nretry-after: \u{bd}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let marked = raw_answer(200, "", &json!(7))
        .replace("length: 1", "length: 4")
        .replace("\r\n\r\n", "\r\n\r\n\u{feff}");
    let url = raw(vec![located.to_owned(), marked]).await;
    let mut operation: Operation<u32> = builder(url.clone()).build().unwrap().attach_url(&url).unwrap();

    operation.poll().await.unwrap();

    assert!(operation.token().url().ends_with("/%C3%BCber?t=%C3%A4"));
    assert_eq!(operation.await.unwrap(), 7);
}

#[tokio::test]
async fn a_state_that_is_there_twice_is_an_error_and_not_a_guess() {
    let server = MockServer::start().await;
    let twice = ResponseTemplate::new(200).set_body_string(r#"{"status":"Running","status":"Succeeded"}"#);
    answers(&server, "GET", "/op", [twice]).await;

    let url = format!("{}/op", server.uri());
    let error = client(&server).attach_url::<Value>(&url).unwrap().await.unwrap_err();

    assert!(error.is_decode() && error.token().is_some());
}

#[tokio::test]
async fn settings_without_an_end_are_taken_as_very_long() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "99999999999999999999")]).await;
    polls(&server, [ResponseTemplate::new(503), succeeded(7)]).await;
    let forever = Duration::MAX;
    let client = builder(server.uri())
        .max_retry_after(forever)
        .timeout(forever)
        .request_timeout(forever)
        .prefer_wait(forever)
        .retry(RetryPolicy::new().first_pause(forever).max_pause(forever))
        .build()
        .unwrap();

    let mut operation: Operation<u32> = client.start("countdown", &()).await.unwrap();
    let failed = operation.poll().await.unwrap_err();
    let status = operation.poll().await.unwrap();

    assert!(failed.is_unavailable());
    assert_eq!(status, Status::Succeeded);
}

#[test]
fn a_url_with_a_user_name_is_refused_rather_than_asked_without_it() {
    let url = "https://me:secret@api.example/op";

    let built = builder(url.to_owned()).build().unwrap_err();
    let attached =
        builder("https://api.example".into()).build().unwrap().attach_url::<Value>(url).unwrap_err();

    for error in [built, attached] {
        assert!(error.is_usage() && !format!("{error:?}").contains("secret"));
    }
}
