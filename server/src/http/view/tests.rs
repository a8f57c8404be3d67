use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::Json;

pub(crate) fn operation() -> Operation {
    let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
    let origin = Origin {
        id: "0198f3a0-5c1e-7abc-8def-0123456789ab".parse().unwrap(),
        action: "countdown".into(),
        version: 3,
        caller: "secret-caller".into(),
        parent: None,
        created_at: at(1_700_000_000_000),
        deadline: at(1_700_000_600_000),
        retention: Duration::from_secs(60),
        link_key: 1,
        tracking_id: Some(Arc::from("secret-tracking")),
        traceparent: Some(Arc::from("secret-trace")),
    };
    Operation {
        state: State::Running,
        custom_status: Some(Json::of("Shortlisting").unwrap()),
        percent: Some(40),
        updated_at: at(1_700_000_001_250),
        ..Operation::accepted(origin)
    }
}

fn text(view: &View<'_>) -> String {
    String::from_utf8(json(view).to_vec()).unwrap()
}

#[test]
fn an_output_that_is_none_is_absent() {
    let null = || Some(Json::of(&()).unwrap());
    let operation =
        Operation { output: null(), custom_status: null(), state: State::Succeeded, ..operation() };

    let text = text(&View::new(&operation));

    assert!(!text.contains("null") && !text.contains("output") && !text.contains("customStatus"), "{text}");
}

#[test]
fn a_view_has_what_the_contract_names_and_times_in_milliseconds() {
    assert_eq!(
        text(&View::new(&operation())),
        r#"{"id":"0198f3a0-5c1e-7abc-8def-0123456789ab","action":"countdown","status":"Running","customStatus":"Shortlisting","percentComplete":40,"createdAt":"2023-11-14T22:13:20.000Z","updatedAt":"2023-11-14T22:13:21.250Z","deadline":"2023-11-14T22:23:20.000Z"}"#
    );
}

#[test]
fn a_view_reads_as_the_contracts_type() {
    let mut operation = operation();
    operation.finish(
        crate::operation::Outcome::Succeeded(Json::parse("{\"n\":1.0}".into()).unwrap()),
        operation.updated_at,
    );

    let view: raincheck_openapi::StatusView = serde_json::from_str(&text(&View::new(&operation))).unwrap();

    assert_eq!(view.status, Status::Succeeded);
    assert_eq!(view.finished_at.as_deref(), Some("2023-11-14T22:13:21.250Z"));
    assert_eq!(view.percent_complete, Some(100));
    assert!(text(&View::new(&operation)).contains(r#""output":{"n":1.0}"#));
}

#[test]
fn nothing_that_is_for_operators_is_in_a_view() {
    assert!(!text(&View::new(&operation())).contains("secret"));
}

#[test]
fn an_accepted_view_does_not_depend_on_what_happened_since() {
    let now = operation();
    let mut ended = now.clone();
    ended.finish(crate::operation::Outcome::Succeeded(Json::of(&1).unwrap()), now.deadline);

    assert_eq!(text(&View::as_accepted(&now)), text(&View::as_accepted(&ended)));
    assert!(text(&View::as_accepted(&ended)).contains(r#""status":"NotStarted""#));
}

#[test]
fn an_etag_is_weak_and_names_one_view() {
    let tag = etag(b"{}");

    assert_eq!(tag, etag(b"{}"));
    assert_ne!(tag, etag(b"{} "));
    assert!(tag.to_str().unwrap().starts_with("W/\"") && tag.to_str().unwrap().ends_with('"'));
}

#[test]
fn if_none_match_is_a_list_and_compares_weakly() {
    let tag = etag(b"{}");
    let strong = tag.to_str().unwrap().trim_start_matches("W/").to_owned();
    let matches = |line: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
        none_match(&headers, &tag)
    };

    assert!(matches(&strong) && matches(tag.to_str().unwrap()) && matches("*"));
    assert!(matches(&format!("W/\"other\", {strong}")));
    assert!(!matches("W/\"other\""));
    assert!(!none_match(&HeaderMap::new(), &tag));
}
