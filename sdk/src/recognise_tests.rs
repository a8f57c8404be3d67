//! The first answer without I/O: what is an operation, how it is followed, and where its result will be.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::RetryPolicy;
use crate::address::Routes;
use crate::answer::tests::{answer as plain_answer, with};
use crate::step::tests::NOW;

const START: &str = "http://h/sites/7?api-version=1";
const ORCHESTRATION: &str =
    r#"{"id":"i","statusQueryGetUri":"/status?code=s","terminatePostUri":"/end?code=s"}"#;
const CREATING: &str = r#"{"properties":{"provisioningState":"Creating"}}"#;
const SUCCEEDED: &str = r#"{"properties":{"provisioningState":"Succeeded"}}"#;
const FAILED: &str = r#"{"properties":{"provisioningState":"Failed"}}"#;
const VIEW: &str = r#"{"id":"1","action":"a","status":"Running","createdAt":"c","deadline":"d"}"#;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { asked: url(START), ..plain_answer(status, body) }
}

fn located(status: u16, body: &str) -> Answer {
    with(answer(status, body), "location", "/location")
}

fn monitored(status: u16, body: &str) -> Answer {
    with(answer(status, body), "azure-asyncoperation", "/monitor")
}

/// What the caller may say beside the method.
type Chosen = (Option<Dialect>, Option<FinalStateVia>);

fn begin(method: Method, chosen: Chosen, answer: &Answer) -> Result<Begun, Error> {
    let (dialect, final_state_via) = chosen;
    let asked = Asked { method: &method, url: &url(START), dialect, final_state_via };
    let policy =
        Policy { retry: RetryPolicy::new(), max_pause: Duration::from_secs(600), routes: Routes::default() };
    recognise(answer, &asked, &policy, &NOW)
}

fn at_work(method: Method, chosen: Chosen, answer: &Answer) -> (Course, Again) {
    match begin(method, chosen, answer).unwrap() {
        Begun { course, step: Begin::AtWork(again) } => (course, again),
        Begun { step, .. } => panic!("not at work: {step:?}"),
    }
}

fn ended(method: Method, chosen: Chosen, answer: &Answer) -> (Status, Output) {
    match begin(method, chosen, answer).unwrap().step {
        Begin::Ended(ended) => (ended.status, ended.output),
        step => panic!("not ended: {step:?}"),
    }
}

fn refused(method: Method, chosen: Chosen, answer: &Answer) -> Error {
    match begin(method, chosen, answer) {
        Err(error) => error,
        Ok(begun) => panic!("taken for an operation: {:?}", begun.step),
    }
}

/// The dialect of a PUT's answer and the path that is asked next; nothing if it has ended.
fn put(answer: &Answer) -> Option<(Dialect, String)> {
    match begin(Method::PUT, (None, None), answer).unwrap() {
        Begun { course, step: Begin::AtWork(_) } => Some((course.dialect.unwrap(), course.at.path().into())),
        Begun { step: Begin::Ended(_), .. } => None,
    }
}

#[test]
fn each_first_answer_tells_its_dialect() {
    use Dialect::{BodyState, DurableFunctions, Location, StatusMonitor};
    let monitor = Some((StatusMonitor, "/monitor".to_owned()));
    let location = Some((Location, "/location".to_owned()));
    let resource = Some((BodyState, "/sites/7".to_owned()));

    for code in [200, 201, 202] {
        assert_eq!(put(&monitored(code, "")), monitor);
        assert_eq!(put(&with(answer(code, ""), "operation-location", "/monitor")), monitor);
        assert_eq!(put(&answer(code, CREATING)), resource);
    }
    assert_eq!(put(&answer(202, ORCHESTRATION)), Some((DurableFunctions, "/status".into())));
    assert_eq!(put(&located(202, "")), location);
    assert_eq!(put(&located(201, " ")), location);
    for code in [200, 204] {
        assert_eq!(put(&answer(code, "")), None);
        assert_eq!(put(&located(code, "")), None);
    }
    assert_eq!(put(&answer(201, r#"{"name":"site"}"#)), None);
    assert_eq!(put(&located(201, r#"{"name":"site"}"#)), None);
}

#[test]
fn an_earlier_row_wins_over_a_later_one() {
    use Dialect::{DurableFunctions, Location, StatusMonitor};
    let dialect = |answer: Answer| put(&answer).unwrap().0;

    let everything = with(located(202, ORCHESTRATION), "operation-location", "/m");
    assert_eq!(dialect(everything), StatusMonitor);
    assert_eq!(dialect(with(located(202, CREATING), "azure-asyncoperation", "/m")), StatusMonitor);
    assert_eq!(dialect(located(202, ORCHESTRATION)), DurableFunctions);
    assert_eq!(dialect(located(202, CREATING)), Location);
}

#[test]
fn the_newer_name_of_the_monitor_wins_over_the_older() {
    let both = with(monitored(202, ""), "operation-location", "/newer");

    assert_eq!(put(&both).unwrap().1, "/newer");
}

#[test]
fn a_resource_that_is_finished_is_finished_whatever_its_headers() {
    for code in [200, 201] {
        let answer = monitored(code, SUCCEEDED);
        assert_eq!(ended(Method::PUT, (None, None), &answer), (Status::Succeeded, Output::Whole));
        assert_eq!(ended(Method::PATCH, (None, None), &monitored(code, FAILED)).0, Status::Failed);
    }
    assert_eq!(ended(Method::DELETE, (None, None), &monitored(204, "")).0, Status::Succeeded);
}

#[test]
fn a_202_is_at_work_even_with_a_last_word_in_its_body() {
    for body in [SUCCEEDED, FAILED, r#"{"status":"Succeeded"}"#, r#"{"runtimeStatus":"Completed"}"#] {
        let (course, again) = at_work(Method::PUT, (None, None), &located(202, body));

        assert_eq!(course.at.path(), "/location");
        assert!(again.view.is_none(), "{body}");
    }
}

#[test]
fn a_202_that_runs_shows_its_view_and_keeps_its_pace() {
    let (_, again) = at_work(Method::POST, (None, None), &with(located(202, VIEW), "retry-after", "2592000"));

    assert_eq!(again.view.unwrap().status, Status::Running);
    assert_eq!((again.pause, again.paced), (Duration::from_secs(600), true));
}

#[test]
fn what_a_post_gives_back_is_a_result_and_not_the_thing_at_work() {
    assert_eq!(ended(Method::POST, (None, None), &answer(200, CREATING)), (Status::Succeeded, Output::Whole));
    assert_eq!(ended(Method::POST, (None, None), &answer(201, "")), (Status::Succeeded, Output::Whole));
}

#[test]
fn a_raincheck_servers_last_view_is_the_end_and_its_output_the_result() {
    let done = VIEW.replace("Running", "Succeeded");
    let failed = VIEW.replace("Running", "Failed");

    let answer = with(located(200, &done), "operation-location", "/monitor");
    let problem = answer_with_operation(422, &failed);

    assert_eq!(
        ended(Method::POST, (None, None), &answer),
        (Status::Succeeded, Output::Member(Words::Monitor))
    );
    assert_eq!(ended(Method::POST, (None, None), &problem).0, Status::Failed);
}

fn answer_with_operation(status: u16, view: &str) -> Answer {
    answer(status, &format!(r#"{{"code":"x","detail":"no","operation":{view}}}"#))
}

#[test]
fn a_raincheck_servers_location_is_home_and_another_servers_is_not() {
    let ours = with(located(202, VIEW), "operation-location", "/monitor");
    let theirs = with(located(202, r#"{"status":"Running"}"#), "operation-location", "/monitor");

    let home =
        |answer: &Answer| at_work(Method::POST, (None, None), answer).0.home.map(|url| url.to_string());

    assert_eq!(home(&ours).as_deref(), Some("http://h/location"));
    assert_eq!(home(&theirs), None);
}

#[test]
fn the_result_of_a_monitor_depends_on_the_method_unless_it_is_chosen() {
    let place = |method: Method, via, answer: Answer| match at_work(method, (None, via), &answer).0.result {
        ResultAt::Here => "here".to_owned(),
        ResultAt::OnlyHere => "only here".to_owned(),
        ResultAt::Resource(url) => format!("resource {}", url.path()),
        ResultAt::Location(url) => format!("location {}", url.path()),
    };
    let both = || with(located(202, ""), "operation-location", "/monitor");
    let alone = || monitored(202, "");
    let methods = [Method::PUT, Method::PATCH, Method::POST, Method::DELETE, Method::GET];

    let by_itself = methods.clone().map(|method| place(method, None, both()));
    let without = methods.clone().map(|method| place(method, None, alone()));

    assert_eq!(by_itself, ["resource /sites/7", "resource /sites/7", "location /location", "here", "here"]);
    assert_eq!(without, ["resource /sites/7", "resource /sites/7", "here", "here", "here"]);
    for method in methods {
        let chosen = |via, answer| place(method.clone(), Some(via), answer);
        assert_eq!(chosen(FinalStateVia::OriginalUri, both()), "resource /sites/7");
        assert_eq!(chosen(FinalStateVia::OperationLocation, both()), "only here");
        assert_eq!(chosen(FinalStateVia::Location, both()), "location /location");
        assert_eq!(chosen(FinalStateVia::Location, alone()), "here");
    }
}

#[test]
fn a_location_and_a_resource_have_their_results_in_their_last_answers() {
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::POST] {
        let (course, _) = at_work(method.clone(), (None, None), &located(202, ""));
        assert!(course.result == ResultAt::Here && course.about_resource == (method != Method::POST));
    }
    assert!(at_work(Method::PUT, (None, None), &answer(201, CREATING)).0.result == ResultAt::Here);
}

#[test]
fn a_url_that_is_the_resource_is_not_the_operations_own() {
    let own = |answer: &Answer| {
        let (course, _) = at_work(Method::PUT, (None, None), answer);
        course.operation_url().map(|url| url.path().to_owned())
    };

    assert_eq!(own(&located(202, "")).as_deref(), Some("/location"));
    assert_eq!(own(&monitored(201, "")).as_deref(), Some("/monitor"));
    assert_eq!(own(&located(201, "")), None);
    assert_eq!(own(&answer(200, CREATING)), None);
}

#[test]
fn a_chosen_dialect_is_taken_whatever_else_the_answer_offers() {
    let everything = with(located(202, ORCHESTRATION), "operation-location", "/monitor");
    let asked = |dialect| {
        let (course, _) = at_work(Method::PUT, (Some(dialect), None), &everything);
        (course.at.path().to_owned(), course.terminate.is_some())
    };

    assert_eq!(asked(Dialect::StatusMonitor), ("/monitor".into(), false));
    assert_eq!(asked(Dialect::Location), ("/location".into(), false));
    assert_eq!(asked(Dialect::BodyState), ("/sites/7".into(), false));
    assert_eq!(asked(Dialect::DurableFunctions), ("/location".into(), true));
}

#[test]
fn a_chosen_dialect_can_have_ended_with_the_first_answer() {
    let end = |dialect, answer: Answer| ended(Method::PUT, (Some(dialect), None), &answer).0;

    assert_eq!(end(Dialect::Location, answer(200, "{}")), Status::Succeeded);
    assert_eq!(end(Dialect::StatusMonitor, located(201, "{}")), Status::Succeeded);
    assert_eq!(end(Dialect::BodyState, monitored(200, "{}")), Status::Succeeded);
    assert_eq!(end(Dialect::BodyState, answer(201, FAILED)), Status::Failed);
    assert_eq!(end(Dialect::BodyState, answer(204, "")), Status::Succeeded);
    assert_eq!(
        end(Dialect::DurableFunctions, answer(200, r#"{"runtimeStatus":"Completed"}"#)),
        Status::Succeeded
    );
    let course = at_work(Method::PUT, (Some(Dialect::BodyState), None), &answer(201, "{}")).0;
    assert_eq!(course.at.as_str(), START);
}

#[test]
fn a_chosen_dialect_that_the_answer_does_not_speak_cannot_be_followed() {
    for dialect in [Dialect::Location, Dialect::StatusMonitor, Dialect::DurableFunctions] {
        assert!(refused(Method::POST, (Some(dialect), None), &answer(202, "{}")).is_unexpected());
    }
}

#[test]
fn an_operation_that_leads_nowhere_is_an_error_and_not_a_success() {
    for useless in ["", " ", "ftp://h/x", "http://[half", "javascript:alert(1)", "http://"] {
        let told = with(answer(202, ""), "location", useless);
        assert!(refused(Method::POST, (None, None), &told).is_unexpected(), "{useless:?}");
        let told = with(answer(202, ""), "operation-location", useless);
        assert!(refused(Method::POST, (None, None), &told).is_unexpected(), "{useless:?}");
    }
    assert!(refused(Method::POST, (None, None), &answer(202, "{}")).is_unexpected());
    assert!(refused(Method::PUT, (None, None), &answer(201, "")).is_unexpected());
}

#[test]
fn a_303_leads_to_the_answer_at_once_or_when_the_server_says() {
    let see = |answer: Answer| at_work(Method::POST, (None, None), &answer);

    let (course, again) = see(located(303, ""));
    let (_, later) = see(with(located(303, ""), "retry-after", "7"));

    assert!(course.dialect.is_none() && course.at.path() == "/location");
    assert_eq!((again.pause, later.pause), (Duration::ZERO, Duration::from_secs(7)));
    assert!(refused(Method::POST, (None, None), &answer(303, "")).is_unexpected());
}

#[test]
fn other_redirects_and_refusals_accept_nothing() {
    let error = |status| refused(Method::POST, (None, None), &located(status, r#"{"detail":"no"}"#));

    for status in [301, 302, 307, 308, 304, 501, 505, 100, 101] {
        assert!(error(status).is_unexpected(), "{status}");
    }
    for status in [400, 401, 403, 404, 409, 410, 422] {
        assert!(error(status).is_refused() && error(status).token().is_none(), "{status}");
    }
    for status in [408, 429, 500, 502, 503, 504] {
        assert!(error(status).is_unavailable(), "{status}");
    }
}

#[test]
fn a_location_out_of_https_is_not_followed() {
    let from_https = |answer: Answer| Answer { asked: url("https://h/sites/7"), ..answer };

    for name in ["location", "operation-location", "azure-asyncoperation"] {
        let told = from_https(with(answer(202, ""), name, "http://h/x"));
        assert!(refused(Method::POST, (None, None), &told).is_unexpected(), "{name}");
    }
    let orchestration = from_https(answer(202, r#"{"statusQueryGetUri":"http://h/x"}"#));
    assert!(refused(Method::POST, (None, None), &orchestration).is_unexpected());
}

#[test]
fn bodies_that_cannot_be_read_are_no_state() {
    let deep = format!("{{\"status\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        "<html>",
        "{",
        "\u{feff}",
        "[{\"provisioningState\":\"Creating\"}]",
        r#"{"provisioningState":7,"statusQueryGetUri":{}}"#,
        r#"{"statusQueryGetUri":"/a","statusQueryGetUri":"/b"}"#,
        r#"{"properties":[],"status":null}"#,
        &deep,
    ] {
        assert_eq!(put(&located(202, body)).unwrap().0, Dialect::Location, "{body:.40}");
        assert_eq!(ended(Method::PUT, (None, None), &answer(200, body)), (Status::Succeeded, Output::Whole));
    }
    let binary = Answer { body: vec![0xff, 0xfe, 0].into(), ..located(202, "") };
    assert_eq!(put(&binary).unwrap().0, Dialect::Location);
}

#[test]
fn a_byte_order_mark_hides_no_state() {
    assert_eq!(put(&answer(200, &format!("\u{feff}{CREATING}"))).unwrap().0, Dialect::BodyState);
}

proptest! {
    #[test]
    fn whatever_comes_first_nothing_panics_and_only_usable_urls_are_followed(
        status in 100_u16..1000,
        method in prop::sample::select(vec![Method::PUT, Method::POST, Method::DELETE, Method::GET]),
        dialect in prop::option::of(prop::sample::select(vec![
            Dialect::Location, Dialect::StatusMonitor, Dialect::BodyState, Dialect::DurableFunctions,
        ])),
        via in prop::option::of(prop::sample::select(vec![
            FinalStateVia::Location, FinalStateVia::OperationLocation, FinalStateVia::OriginalUri,
        ])),
        body in prop_oneof![
            prop::sample::select(vec![ORCHESTRATION, CREATING, SUCCEEDED, FAILED, VIEW, ""]).prop_map(str::to_owned),
            "\\PC*",
        ],
        headers in prop::collection::vec(
            (
                prop::sample::select(vec!["location", "operation-location", "azure-asyncoperation", "retry-after"]),
                prop_oneof!["/[a-z]{1,9}", "-?[0-9]{1,30}", "[ -~]*"],
            ),
            0..4,
        ),
    ) {
        let first = headers.iter().fold(answer(status, &body), |answer, (name, text)| with(answer, name, text));

        match begin(method, (dialect, via), &first) {
            Ok(Begun { course, step: Begin::AtWork(again) }) => {
                prop_assert!(course.urls().all(|url| matches!(url.scheme(), "http" | "https")));
                prop_assert!(again.pause <= Duration::from_secs(600));
            }
            Ok(Begun { step: Begin::Ended(ended), .. }) => prop_assert!(ended.status.is_terminal() && status != 202),
            Err(error) => prop_assert!(!error.is_failed() && !error.is_canceled()),
        }
    }
}
