//! The dialects without I/O: each answer and what follows from it.

use proptest::prelude::*;

use super::*;
use crate::answer::tests::{answer, with};

const VIEW: &str =
    r#"{"id":"1","action":"a","status":"STATUS","createdAt":"c","updatedAt":"u","deadline":"d"}"#;

/// A moment at which nothing has gone before.
pub(crate) const NOW: Moment<'static> = Moment {
    clock: || SystemTime::UNIX_EPOCH,
    shown: None,
    silent: 0,
    failures: 0,
    fresh: false,
    random: || 1.0,
};

fn view(status: &str) -> String {
    VIEW.replace("STATUS", status)
}

fn policy() -> Policy {
    Policy { retry: RetryPolicy::new(), max_pause: Duration::from_secs(600), routes: Routes::default() }
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// What follows for a bare URL.
fn decide(answer: Answer) -> Step {
    follow(Course::unknown(url("http://h/op")), answer)
}

fn speaking(dialect: Dialect) -> Course {
    Course { dialect: Some(dialect), ..Course::unknown(url("http://h/op")) }
}

fn follow(course: Course, answer: Answer) -> Step {
    next_step(&Observed::Answer(Box::new(answer)), &course, &policy(), &NOW)
}

fn with_retry_after(answer: Answer, text: &str) -> Answer {
    with(answer, "retry-after", text)
}

fn pause_of(step: Step) -> Duration {
    match step {
        Step::Again(Again { pause, .. }) | Step::Retry { pause } => pause,
        other => panic!("no pause in {other:?}"),
    }
}

fn ended_as(step: Step) -> (Status, Output) {
    match step {
        Step::Ended(ended) => (ended.status, ended.output),
        other => panic!("not ended: {other:?}"),
    }
}

#[test]
fn a_running_operation_is_asked_again_at_the_pace_of_the_server() {
    let step = decide(with_retry_after(answer(202, &view("Running")), "7"));

    let Step::Again(Again { view: Some(view), pause, paced: true, .. }) = step else { panic!("{step:?}") };
    assert_eq!((view.status, pause), (Status::Running, Duration::from_secs(7)));
}

#[test]
fn a_202_counts_as_running_whatever_its_body() {
    for body in ["", "accepted", "{}", "[1]"] {
        assert!(matches!(decide(answer(202, body)), Step::Again(Again { view: None, .. })), "{body}");
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
    let located = |location: &str| match decide(with(answer(202, ""), "location", location)) {
        Step::Again(Again { at, .. }) => at.map(String::from),
        other => panic!("{other:?}"),
    };

    assert_eq!(located("2?token=x").as_deref(), Some("http://h/v1/actions/a/operations/2?token=x"));
    assert_eq!(located("ftp://h/2"), None);
    assert_eq!(located("http://[half"), None);
}

#[test]
fn a_202_shows_a_view_only_if_it_differs_from_the_last_one() {
    let Step::Again(Again { view: Some(shown), .. }) = decide(answer(202, &view("Running"))) else {
        panic!("no view")
    };
    let now = Moment { shown: Some(&shown), ..NOW };
    let seen = |body: &str| {
        let seen = Observed::Answer(Box::new(answer(202, body)));
        match next_step(&seen, &speaking(Dialect::Location), &policy(), &now) {
            Step::Again(again) => again.view.map(|view| view.status),
            other => panic!("not at work: {other:?}"),
        }
    };

    assert_eq!(seen(&view("Running")), None);
    assert_eq!(seen(&format!("\u{feff}{}", view("Running"))), None);
    assert_eq!(seen(&view("Canceling")), Some(Status::Canceling));
    assert_eq!(seen(""), None);
}

#[test]
fn a_view_at_a_location_is_told_from_a_result_with_some_of_its_members() {
    let end = |body: &str| ended_as(follow(speaking(Dialect::Location), answer(200, body)));

    assert_eq!(end(&view("Succeeded")), (Status::Succeeded, Output::Member(Words::Monitor)));
    assert_eq!(end(r#"{"id":"1","createdAt":"c","status":"Failed"}"#), (Status::Succeeded, Output::Whole));
    assert_eq!(end(r#"{"status":"Failed"}"#), (Status::Succeeded, Output::Whole));
}

#[test]
fn a_200_with_a_last_status_is_the_end() {
    let step = decide(answer(200, &view("Succeeded")));

    let Step::Ended(ended) = step else { panic!("{step:?}") };
    assert!(ended.error().is_none());
}

#[test]
fn a_200_that_still_runs_or_says_an_unknown_word_is_asked_again() {
    assert!(matches!(decide(answer(200, &view("Running"))), Step::Again(_)));
    assert!(matches!(decide(answer(200, &view("Hibernating"))), Step::Again(_)));
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
    let now = Moment { failures: 2, ..NOW };

    let course = speaking(Dialect::Location);
    let lost = next_step(&Observed::Lost(Error::transport(true)), &course, &policy(), &now);

    assert_eq!(pause_of(lost), Duration::from_secs(2));
    for status in [408, 429, 500, 502, 503, 504, 599] {
        assert_eq!(pause_of(decide(with_retry_after(answer(status, "<html>"), "3"))), Duration::from_secs(3));
    }
}

#[test]
fn a_redirect_is_followed_but_never_out_of_https() {
    let redirect =
        |asked: &str, to: &str| decide(Answer { asked: url(asked), ..with(answer(303, ""), "location", to) });

    assert!(matches!(redirect("https://h/a", "/b"), Step::Follow(url) if url.as_str() == "https://h/b"));
    assert!(matches!(redirect("https://h/a", "http://h/b"), Step::Stop(_)));
}

#[test]
fn a_redirect_that_says_when_is_followed_then_and_remembered() {
    let redirect = with(with_retry_after(answer(302, ""), "5"), "location", "/b");

    let Step::Again(again) = decide(redirect) else { panic!() };

    assert_eq!((again.at.unwrap().as_str(), again.pause), ("http://h/b", Duration::from_secs(5)));
    let at_once = with(with_retry_after(answer(302, ""), "0"), "location", "/b");
    assert!(matches!(decide(at_once), Step::Follow(_)));
}

#[test]
fn a_404_is_asked_again_only_where_this_run_was_just_sent_and_only_a_few_times() {
    let step = |fresh, failures| {
        let now = Moment { failures, fresh, ..NOW };
        next_step(&Observed::Answer(Box::new(answer(404, ""))), &speaking(Dialect::Location), &policy(), &now)
    };

    assert!((0..FREE_RETRIES).all(|failures| matches!(step(true, failures), Step::Retry { .. })));
    assert!(matches!(step(true, FREE_RETRIES), Step::Stop(error) if error.is_not_found()));
    assert!(matches!(step(false, 0), Step::Stop(error) if error.is_not_found()));
}

#[test]
fn a_server_that_will_never_serve_the_request_is_not_asked_again() {
    for status in [501, 505] {
        assert!(matches!(decide(answer(status, "")), Step::Stop(error) if error.is_unexpected()));
    }
}

#[test]
fn the_pace_of_a_last_answer_is_of_no_matter() {
    let step = decide(with_retry_after(answer(200, &view("Succeeded")), "600"));

    assert_eq!(ended_as(step).0, Status::Succeeded);
}

#[test]
fn an_output_page_that_is_no_view_is_a_decode_error() {
    assert!(matches!(decide(answer(200, "<html>sign in</html>")), Step::Stop(error) if error.is_decode()));
}

#[test]
fn a_location_is_at_work_while_it_answers_202_and_its_next_answer_is_the_result() {
    let course = || speaking(Dialect::Location);
    let machine = r#"{"name":"m","status":"Running","properties":{"provisioningState":"Failed"}}"#;

    assert!(matches!(follow(course(), answer(202, r#"{"status":"Succeeded"}"#)), Step::Again(_)));
    for code in [200, 201, 204] {
        let step = follow(course(), answer(code, machine));
        assert_eq!(ended_as(step), (Status::Succeeded, Output::Whole));
    }
    // Not JSON, and no status: a result all the same.
    assert_eq!(ended_as(follow(course(), answer(200, "plain words"))).0, Status::Succeeded);
}

#[test]
fn a_resource_at_its_location_tells_how_its_own_operation_ended() {
    let course = || Course { about_resource: true, ..speaking(Dialect::Location) };
    let with_state =
        |state: &str| answer(200, &format!(r#"{{"properties":{{"provisioningState":"{state}"}}}}"#));

    assert_eq!(ended_as(follow(course(), with_state("Failed"))).0, Status::Failed);
    assert_eq!(ended_as(follow(course(), with_state("Canceled"))).0, Status::Canceled);
    assert_eq!(ended_as(follow(course(), with_state("Succeeded"))).0, Status::Succeeded);
    let elsewhere = || Course { result: ResultAt::Resource(Box::new(url("http://h/r"))), ..course() };
    assert_eq!(ended_as(follow(elsewhere(), with_state("Failed"))).0, Status::Failed);
    assert!(matches!(follow(elsewhere(), with_state("Succeeded")), Step::Fetch { .. }));
}

#[test]
fn a_monitor_is_at_work_until_its_status_is_a_last_one_whatever_the_code() {
    let course = || speaking(Dialect::StatusMonitor);

    for code in [200, 201, 202] {
        assert!(matches!(follow(course(), answer(code, r#"{"status":"Accepted"}"#)), Step::Again(_)));
        assert_eq!(ended_as(follow(course(), answer(code, r#"{"status":"Failed"}"#))).0, Status::Failed);
        assert_eq!(ended_as(follow(course(), answer(code, r#"{"status":"cancelled"}"#))).0, Status::Canceled);
    }
    assert!(matches!(follow(course(), answer(202, "")), Step::Again(_)));
    assert_eq!(ended_as(follow(course(), answer(204, ""))).0, Status::Succeeded);
}

#[test]
fn a_monitor_without_a_status_or_without_json_is_an_error() {
    let stop = |body| match follow(speaking(Dialect::StatusMonitor), answer(200, body)) {
        Step::Stop(error) => error,
        other => panic!("{other:?}"),
    };

    for body in ["", "{}", "[]", r#"{"status":null}"#, r#"{"status":7}"#] {
        assert!(stop(body).is_unexpected(), "{body}");
    }
    assert!(stop(r#"{"status":"Accepted""#).is_decode());
}

#[test]
fn the_result_of_a_monitor_is_where_the_start_and_the_monitor_say() {
    let result = |result: ResultAt, answer: Answer| match follow(
        Course { result, ..speaking(Dialect::StatusMonitor) },
        answer,
    ) {
        Step::Fetch { at, .. } => at.to_string(),
        Step::Ended(ended) => format!("{:?}", ended.output),
        other => panic!("{other:?}"),
    };
    let done = || answer(200, r#"{"status":"Succeeded"}"#);
    let offering = || answer(200, r#"{"status":"Succeeded","resourceLocation":"/made"}"#);
    let resource = || ResultAt::Resource(Box::new(url("http://h/resource")));
    let location = || ResultAt::Location(Box::new(url("http://h/old")));
    let here = "Member(Monitor)";

    assert_eq!(result(ResultAt::Here, done()), here);
    assert_eq!(result(ResultAt::Here, offering()), "http://h/made");
    assert_eq!(result(ResultAt::OnlyHere, offering()), here);
    assert_eq!(result(resource(), done()), "http://h/resource");
    assert_eq!(result(location(), done()), "http://h/old");
    assert_eq!(result(location(), with(done(), "location", "/new")), "http://h/new");
    assert_eq!(result(location(), answer(200, &view("Succeeded"))), here);
}

#[test]
fn a_monitor_can_move_and_so_can_the_place_of_its_result() {
    let course = Course {
        result: ResultAt::Location(Box::new(url("http://h/old"))),
        ..speaking(Dialect::StatusMonitor)
    };
    let running = answer(200, r#"{"status":"Running"}"#);
    let moved = with(with(running, "azure-asyncoperation", "/monitor/2"), "location", "/result/2");

    let Step::Again(again) = follow(course, moved) else { panic!() };

    assert_eq!(again.at.unwrap().as_str(), "http://h/monitor/2");
    assert_eq!(again.result.unwrap().as_str(), "http://h/result/2");
}

#[test]
fn a_resource_is_at_work_while_its_state_is_none_of_the_three_last_ones() {
    let state = |code: u16, body: &str| follow(speaking(Dialect::BodyState), answer(code, body));

    assert!(matches!(state(200, r#"{"properties":{"provisioningState":"Polishing"}}"#), Step::Again(_)));
    assert!(matches!(state(202, ""), Step::Again(_)));
    assert_eq!(ended_as(state(200, r#"{"provisioningState":"Succeeded"}"#)).0, Status::Succeeded);
    assert_eq!(ended_as(state(200, r#"{"properties":{"provisioningState":"Failed"}}"#)).0, Status::Failed);
    assert_eq!(ended_as(state(200, r#"{"name":"no state"}"#)).0, Status::Succeeded);
    assert!(matches!(state(200, "{"), Step::Stop(error) if error.is_decode()));
}

#[test]
fn an_orchestration_ends_by_its_runtime_status_even_with_a_500() {
    let course = || speaking(Dialect::DurableFunctions);
    let told =
        |code: u16, state: &str| follow(course(), answer(code, &format!(r#"{{"runtimeStatus":"{state}"}}"#)));

    assert!(matches!(told(202, "Pending"), Step::Again(_)));
    assert_eq!(ended_as(told(200, "Completed")), (Status::Succeeded, Output::Member(Words::Runtime)));
    assert_eq!(ended_as(told(200, "Failed")).0, Status::Failed);
    assert_eq!(ended_as(told(200, "Terminated")).0, Status::Canceled);
    assert_eq!(ended_as(told(500, "Failed")).0, Status::Failed);
    assert!(matches!(told(500, "Running"), Step::Retry { .. }));
    assert!(matches!(
        follow(speaking(Dialect::Location), answer(500, r#"{"runtimeStatus":"Failed"}"#)),
        Step::Retry { .. }
    ));
}

#[test]
fn a_bare_url_is_taken_for_what_its_answers_look_like() {
    assert!(matches!(decide(answer(200, r#"{"status":"InProgress"}"#)), Step::Again(_)));
    assert_eq!(ended_as(decide(answer(200, r#"{"runtimeStatus":"Failed"}"#))).0, Status::Failed);
    assert!(matches!(decide(answer(200, r#"{"properties":{"provisioningState":"X"}}"#)), Step::Again(_)));
    assert_eq!(ended_as(decide(answer(200, r#"{"id":"100"}"#))), (Status::Succeeded, Output::Whole));
    assert_eq!(ended_as(decide(answer(204, ""))).0, Status::Succeeded);
}

#[test]
fn a_result_that_is_not_there_yet_is_asked_for_again() {
    let course = || Course { fetching: true, ..speaking(Dialect::StatusMonitor) };

    assert!(matches!(follow(course(), with_retry_after(answer(202, ""), "1")), Step::Again(_)));
    assert_eq!(
        ended_as(follow(course(), answer(200, r#"{"status":"Running"}"#))),
        (Status::Succeeded, Output::Whole)
    );
    assert!(matches!(follow(course(), answer(503, "")), Step::Retry { .. }));
    assert!(matches!(follow(course(), answer(404, "")), Step::Stop(error) if error.is_not_found()));
}

#[test]
fn a_304_says_that_nothing_has_changed() {
    let step = follow(speaking(Dialect::StatusMonitor), with_retry_after(answer(304, ""), "2"));

    assert_eq!(pause_of(step), Duration::from_secs(2));
}

fn dialects() -> impl Strategy<Value = Option<Dialect>> {
    prop::option::of(prop::sample::select(vec![
        Dialect::Location,
        Dialect::StatusMonitor,
        Dialect::BodyState,
        Dialect::DurableFunctions,
    ]))
}

proptest! {
    #[test]
    fn whatever_a_server_answers_the_pause_is_bounded_and_nothing_panics(
        status in 100_u16..1000,
        dialect in dialects(),
        fetching: bool,
        body in prop_oneof![
            Just(view("Running")),
            Just(view("Failed")),
            Just(format!(r#"{{"code":"x","operation":{}}}"#, view("Failed"))),
            Just(r#"{"runtimeStatus":"Failed","output":7}"#.to_owned()),
            Just(r#"{"properties":{"provisioningState":"Failed"},"status":"Succeeded"}"#.to_owned()),
            "\\PC*",
        ],
        headers in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "location", "operation-location", "retry-after", "retry-after-ms", "x-ms-retry-after-ms", "date",
                ]),
                prop_oneof!["-?[0-9]{1,30}", "[ -~]*"],
            ),
            0..4,
        ),
        failures in any::<u32>(),
        random in prop::sample::select(vec![|| 0.0, || 0.5, || 1.0, || -1.0, || f64::INFINITY] as Vec<fn() -> f64>),
    ) {
        let answer = headers.iter().fold(answer(status, &body), |answer, (name, text)| with(answer, name, text));
        let now = Moment { silent: failures, failures, random, ..NOW };
        let course = Course { dialect, fetching, ..Course::unknown(url("http://h/op")) };

        match next_step(&Observed::Answer(Box::new(answer)), &course, &policy(), &now) {
            Step::Again(Again { pause, .. }) | Step::Retry { pause } => prop_assert!(pause <= policy().max_pause),
            Step::Follow(url) | Step::Fetch { at: url, .. } => prop_assert!(matches!(url.scheme(), "http" | "https")),
            Step::Ended(ended) => prop_assert!(ended.status.is_terminal()),
            Step::Stop(error) => prop_assert!(!error.is_failed() && !error.is_canceled()),
        }
    }
}
