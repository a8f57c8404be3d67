//! The dialect without I/O: each answer and what follows from it.

use proptest::prelude::*;

use super::*;
use crate::answer::tests::answer;

const VIEW: &str =
    r#"{"id":"1","action":"a","status":"STATUS","createdAt":"c","updatedAt":"u","deadline":"d"}"#;

fn view(status: &str) -> String {
    VIEW.replace("STATUS", status)
}

fn policy() -> Policy {
    Policy { retry: RetryPolicy::new(), max_pause: Duration::from_secs(600) }
}

fn decide(answer: Answer) -> Step {
    let now = Moment { wall: SystemTime::UNIX_EPOCH, silent: 0, failures: 0, random: 1.0 };
    next_step(&Observed::Answer(Box::new(answer)), &policy(), &now)
}

fn with_retry_after(mut answer: Answer, text: &str) -> Answer {
    answer.hints.retry_after = Some(text.into());
    answer
}

fn pause_of(step: Step) -> Duration {
    match step {
        Step::Again { pause, .. } | Step::Retry { pause } => pause,
        other => panic!("no pause in {other:?}"),
    }
}

#[test]
fn a_running_operation_is_asked_again_at_the_pace_of_the_server() {
    let step = decide(with_retry_after(answer(202, &view("Running")), "7"));

    let Step::Again { view: Some(view), pause, paced: true, .. } = step else { panic!("{step:?}") };
    assert_eq!((view.status, pause), (Status::Running, Duration::from_secs(7)));
}

#[test]
fn a_202_counts_as_running_whatever_its_body() {
    for body in ["", "accepted", "{}", "[1]"] {
        assert!(matches!(decide(answer(202, body)), Step::Again { view: None, .. }), "{body}");
    }
}

#[test]
fn absurd_pauses_are_clamped_and_garbled_ones_replaced() {
    let pause = |text| pause_of(decide(with_retry_after(answer(202, ""), text)));

    assert_eq!(pause("2592000"), Duration::from_secs(600));
    assert_eq!(pause("99999999999999999999999"), Duration::from_secs(600));
    assert_eq!(pause("0"), Duration::ZERO);
    assert_eq!(pause("-5"), Duration::from_millis(500));
    assert_eq!(pause("soon"), Duration::from_millis(500));
}

#[test]
fn the_newest_location_is_taken_and_a_useless_one_ignored() {
    let located = |location: &str| {
        let answer = Answer { location: Some(location.into()), ..answer(202, "") };
        match decide(answer) {
            Step::Again { location, .. } => location.map(String::from),
            other => panic!("{other:?}"),
        }
    };

    assert_eq!(located("2?token=x").as_deref(), Some("http://h/v1/actions/a/operations/2?token=x"));
    assert_eq!(located("ftp://h/2"), None);
    assert_eq!(located("http://[half"), None);
}

#[test]
fn a_200_with_a_last_status_is_the_end() {
    let step = decide(answer(200, &view("Succeeded")));

    let Step::Ended(ended) = step else { panic!("{step:?}") };
    assert!(ended.error().is_none());
}

#[test]
fn a_200_that_still_runs_or_says_an_unknown_word_is_asked_again() {
    assert!(matches!(decide(answer(200, &view("Running"))), Step::Again { .. }));
    assert!(matches!(decide(answer(200, &view("Hibernating"))), Step::Again { .. }));
}

#[test]
fn a_4xx_with_an_operation_is_its_end_and_without_one_a_refusal() {
    let body = format!(r#"{{"detail":"too long","code":"talk-too-long","operation":{}}}"#, view("Failed"));

    let failed = decide(answer(422, &body));
    let refused = decide(answer(422, r#"{"detail":"too long","code":"invalid-input"}"#));
    let half = decide(answer(422, r#"{"detail":"too long","operation":{"status":"Failed"}}"#));

    let Step::Ended(ended) = failed else { panic!("{failed:?}") };
    let error = ended.error().unwrap();
    assert!(error.is_failed() && !error.is_refused());
    assert_eq!(error.to_string(), "the operation failed: too long (talk-too-long)");
    assert!(matches!(refused, Step::Stop(error) if error.is_refused() && !error.is_failed()));
    assert!(matches!(half, Step::Stop(error) if error.is_refused()));
}

#[test]
fn a_409_with_a_canceled_operation_is_canceled() {
    let body = format!(r#"{{"code":"operation-canceled","operation":{}}}"#, view("Canceled"));

    let step = decide(answer(409, &body));

    let Step::Ended(ended) = step else { panic!("{step:?}") };
    assert!(ended.error().unwrap().is_canceled());
}

#[test]
fn gone_unauthorized_and_unknown_stop_with_their_own_predicates() {
    let stop = |status| match decide(answer(status, "")) {
        Step::Stop(error) => error,
        other => panic!("{other:?}"),
    };

    assert!(stop(410).is_gone());
    assert!(stop(401).is_unauthorized());
    assert!(stop(403).is_unauthorized());
    assert!(stop(404).is_not_found());
    assert!(stop(418).is_refused());
}

#[test]
fn a_failed_poll_is_retried_and_says_nothing_about_the_operation() {
    let now = Moment { wall: SystemTime::UNIX_EPOCH, silent: 0, failures: 2, random: 1.0 };

    let lost = next_step(&Observed::Lost(Error::transport(true)), &policy(), &now);

    assert_eq!(pause_of(lost), Duration::from_secs(2));
    for status in [408, 429, 500, 502, 503, 504, 599] {
        assert_eq!(pause_of(decide(with_retry_after(answer(status, "<html>"), "3"))), Duration::from_secs(3));
    }
}

#[test]
fn a_redirect_is_followed_but_never_out_of_https() {
    let redirect = |asked: &str, to: &str| {
        decide(Answer { asked: Url::parse(asked).unwrap(), location: Some(to.into()), ..answer(303, "") })
    };

    assert!(matches!(redirect("https://h/a", "/b"), Step::Follow(url) if url.as_str() == "https://h/b"));
    assert!(matches!(redirect("https://h/a", "http://h/b"), Step::Stop(_)));
}

#[test]
fn an_output_page_that_is_no_view_is_a_decode_error() {
    assert!(matches!(decide(answer(200, "<html>sign in</html>")), Step::Stop(error) if error.is_decode()));
}

proptest! {
    #[test]
    fn whatever_a_server_answers_the_pause_is_bounded_and_nothing_panics(
        status in 100_u16..1000,
        body in prop_oneof![
            Just(view("Running")),
            Just(view("Failed")),
            Just(format!(r#"{{"code":"x","operation":{}}}"#, view("Failed"))),
            "\\PC*",
        ],
        location in proptest::option::of("\\PC*"),
        hints in proptest::array::uniform4(proptest::option::of(prop_oneof!["-?[0-9]{1,30}", "\\PC*"])),
        failures in any::<u32>(),
        random in any::<f64>(),
    ) {
        let [retry_after_ms, x_ms_retry_after_ms, retry_after, date] = hints;
        let hints = crate::pace::Hints { retry_after_ms, x_ms_retry_after_ms, retry_after, date };
        let seen = Observed::Answer(Box::new(Answer { location, hints, ..answer(status, &body) }));
        let now = Moment { wall: SystemTime::UNIX_EPOCH, silent: failures, failures, random };

        match next_step(&seen, &policy(), &now) {
            Step::Again { pause, .. } | Step::Retry { pause } => prop_assert!(pause <= policy().max_pause),
            Step::Follow(url) => prop_assert!(matches!(url.scheme(), "http" | "https")),
            Step::Ended(ended) => prop_assert!(ended.view.status.is_terminal()),
            Step::Stop(error) => prop_assert!(!error.is_failed() && !error.is_canceled()),
        }
    }
}
