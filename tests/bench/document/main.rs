//! How long the documents of a server with 128 actions take: the one that is shown, its older forms, the connector.
//!
//! The actions are the samples, under many names.

use std::time::{Duration, Instant};

use raincheck_openapi::connector::{ConnectorSettings, connector};
use raincheck_openapi::convert::{openapi_3_0, swagger_2_0};
use raincheck_openapi::document::{
    ActionDescription, DocumentSettings, EventDescription, components_of, document, schema_of,
};
use raincheck_server::samples::{
    ApprovalDecision, ApprovalInput, ApprovalResult, Decision, Presentation, Stage,
};
use utoipa::ToSchema;

const ACTIONS: usize = 128;
const ROUNDS: usize = 25;

fn main() {
    let actions: Vec<_> = (0..ACTIONS).map(action).collect();
    let settings = DocumentSettings::default();
    let shown = document(&settings, &actions).expect("a document");
    let presentation = ConnectorSettings::default();

    report("document", &|| {
        document(&settings, &actions).expect("a document").as_object().map_or(0, |members| members.len())
    });
    report("and written", &|| format!("{:#}\n", document(&settings, &actions).expect("a document")).len());
    report("OpenAPI 3.0", &|| format!("{:#}\n", openapi_3_0(&shown)).len());
    report("Swagger 2.0", &|| format!("{:#}\n", swagger_2_0(&shown)).len());
    report("connector", &|| {
        connector(&presentation, &settings, &actions).expect("a connector")[0].content.len()
    });
}

fn report(what: &str, make: &dyn Fn() -> usize) {
    let mut bytes = 0;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            bytes = std::hint::black_box(make());
            begin.elapsed()
        })
        .collect();
    times.sort();
    let (median, worst) = (times[ROUNDS / 2], times[ROUNDS - 1]);
    println!("{what:12} {ACTIONS} actions, size {bytes}: {median:.1?} (worst of {ROUNDS}: {worst:.1?})");
}

/// Half of them take an approval and an event, half of them a talk.
fn action(number: usize) -> ActionDescription {
    if number.is_multiple_of(2) {
        let mut action = describe::<ApprovalInput, ApprovalResult, String>(number);
        action.components.extend(components_of::<ApprovalDecision>());
        action.events = vec![EventDescription {
            name: "decision".into(),
            schema: schema_of::<ApprovalDecision>(),
            many: false,
            has_page: false,
        }];
        action.caller_links = vec!["cancel".into(), "event:decision".into()];
        action
    } else {
        describe::<Presentation, Decision, Stage>(number)
    }
}

fn describe<I: ToSchema, O: ToSchema, S: ToSchema>(number: usize) -> ActionDescription {
    let components = [components_of::<I>(), components_of::<O>(), components_of::<S>()].concat();
    ActionDescription {
        name: format!("action-{number}"),
        summary: format!("Do the work number {number}"),
        description: "It takes a while, and tells where it is.".into(),
        step_description: None,
        input: schema_of::<I>(),
        output: schema_of::<O>(),
        status: schema_of::<S>(),
        components,
        events: Vec::new(),
        failures: [("refused".to_owned(), 424)].into(),
        callers_may_cancel: true,
        caller_links: Vec::new(),
        example: None,
        output_example: None,
        pace_seconds: 5,
    }
}
