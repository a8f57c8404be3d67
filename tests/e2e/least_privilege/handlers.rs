//! Random handlers: whatever they do with what they know, only what their types declare public is seen.

use std::io;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use raincheck_server::{Action, Context, EventSettings, Failure, Json, RetryPolicy, Settings};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::harness::{Answer, TestServer, long};

/// Begins whatever must stay inside.
const SECRET: &str = "kn-9c2e";

/// A line of a handler.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
enum Line {
    /// A step whose result is a secret.
    Step(String),
    /// A step that fails at first, with a secret in its error.
    Flaky(String),
    /// Steps side by side.
    All(Vec<String>),
    /// A child operation with a secret as its input.
    Child(String),
    /// A custom status.
    Status(u16),
    /// A short sleep.
    Sleep(u8),
    /// An event with a secret in its body.
    Event,
}

/// How a handler ends.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
enum End {
    /// With an output.
    Output(u16),
    /// With a failure of its own, whose details and cause are secrets.
    Failure(String),
    /// With somebody else's error, whose text is a secret.
    Error(String),
    /// With a step that fails for good.
    FailingStep(String),
    /// With a panic, whose text is a secret.
    Panic(String),
    /// With a panic in a step.
    PanicInStep(String),
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
struct Script {
    lines: Vec<Line>,
    end: End,
}

struct Scripted;

/// What the handler learned in secret; its output must not depend on it.
fn know(secret: &str) -> String {
    format!("{secret} and more")
}

impl Action for Scripted {
    const NAME: &'static str = "scripted";
    type Input = Script;
    type Output = u16;
    type Status = u16;

    fn settings(&self) -> Settings {
        Settings::new("Does as it is told")
            .event(EventSettings::new::<String>("tell"))
            .failure("declared", 424)
            .pace(1)
    }

    async fn run(&self, cx: &mut Context<u16>, script: Script) -> Result<u16, Failure> {
        let again = RetryPolicy::new(3).first(Duration::from_millis(1));
        for line in script.lines {
            match line {
                Line::Step(secret) => drop(cx.step("step", async |_| Ok::<_, Failure>(know(&secret))).await?),
                Line::Flaky(secret) => {
                    let tries = std::sync::atomic::AtomicU32::new(0);
                    let work = async |_| match tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                        0 => Err(Failure::from(io::Error::other(know(&secret)))),
                        _ => Ok(know(&secret)),
                    };
                    drop(cx.step("flaky", work).retry(again).await?);
                }
                Line::All(secrets) => {
                    let branches = secrets.into_iter().map(|secret| {
                        cx.branch("part", move |mut cx| async move {
                            cx.step("part", async |_| Ok::<_, Failure>(know(&secret))).await
                        })
                    });
                    let branches = branches.collect();
                    cx.all(branches).await?;
                }
                Line::Child(secret) => {
                    let script = Script { lines: vec![Line::Step(secret)], end: End::Output(0) };
                    cx.child::<Self>(&script).await?;
                }
                Line::Status(status) => cx.custom_status(status),
                Line::Sleep(time) => cx.sleep(Duration::from_millis(time.into())).await?,
                Line::Event => drop(cx.event::<String>("tell", None).await?),
            }
        }
        match script.end {
            End::Output(output) => Ok(output),
            End::Failure(secret) => {
                let details = Json::of(&know(&secret)).expect("text");
                Err(Failure::new("declared", "it was not to be")
                    .with_details(details)
                    .with_source(know(&secret)))
            }
            End::Error(secret) => Err(io::Error::other(know(&secret)).into()),
            End::FailingStep(secret) => {
                cx.step("failing", async |_| Err::<u16, _>(Failure::from(io::Error::other(know(&secret)))))
                    .retry(again)
                    .await
            }
            End::Panic(secret) => panic!("{}", know(&secret)),
            End::PanicInStep(secret) => {
                cx.step("panicking", async |_| -> Result<u16, Failure> { panic!("{}", know(&secret)) }).await
            }
        }
    }
}

fn secret() -> impl Strategy<Value = String> + Clone {
    // Quotes, markup and line ends: escaping must not hide a leak from the test either, so the mark itself is plain.
    "[a-z\"'<&\n\\\\é]{0,12}".prop_map(|tail| format!("{SECRET}{tail}"))
}

fn script() -> impl Strategy<Value = Script> {
    let line = prop_oneof![
        3 => secret().prop_map(Line::Step),
        1 => secret().prop_map(Line::Flaky),
        1 => prop::collection::vec(secret(), 0..4).prop_map(Line::All),
        1 => secret().prop_map(Line::Child),
        2 => any::<u16>().prop_map(Line::Status),
        1 => (0..20u8).prop_map(Line::Sleep),
        1 => Just(Line::Event),
    ];
    let end = prop_oneof![
        any::<u16>().prop_map(End::Output),
        secret().prop_map(End::Failure),
        secret().prop_map(End::Error),
        secret().prop_map(End::FailingStep),
        secret().prop_map(End::Panic),
        secret().prop_map(End::PanicInStep),
    ];
    (prop::collection::vec(line, 0..6), end).prop_map(|(lines, end)| Script { lines, end })
}

#[test]
fn no_random_handler_shows_more_than_its_types_declare() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = if long() { 1000 } else { 60 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let server = runtime.block_on(TestServer::with(|builder| builder.action(Scripted)));

    let outcome = TestRunner::new(config).run(&script(), |script| runtime.block_on(check(&server, &script)));

    outcome.unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(server.stop());
}

/// Runs a script and looks at every public answer.
async fn check(server: &TestServer, script: &Script) -> Result<(), TestCaseError> {
    let key = getrandom::u64().expect("random numbers").to_string();
    let headers = [("idempotency-key", key.as_str())];
    let mut answers = Vec::new();
    let started = server.post_with("/v1/actions/scripted", &headers, json!(script)).await;
    prop_assert_eq!(started.status, 202, "{:?}", started);
    let (location, monitor) = (started.location(), started.header("operation-location").to_owned());
    let resource = location.split('?').next().expect("a URL").to_owned();
    for _ in script.lines.iter().filter(|line| matches!(line, Line::Event)) {
        answers.push(server.post(&format!("{resource}/events/tell"), json!(know(SECRET))).await);
    }

    answers.push(server.get_bare(&monitor).await);
    let ended = server.ended(&location).await;
    let expected: &[u16] = match script.end {
        End::Output(_) => &[200],
        End::Failure(_) => &[424],
        _ => &[422],
    };
    prop_assert!(expected.contains(&ended.status), "{:?}", ended);
    answers.extend([started, ended, server.get_bare(&monitor).await]);
    answers.push(server.post_with("/v1/actions/scripted", &headers, json!(script)).await);
    answers.push(
        server
            .post_with("/v1/actions/scripted", &headers, json!({ "lines": [], "end": { "Output": 7 } }))
            .await,
    );
    answers.push(Answer::to(server.http.delete(&resource).bearer_auth(&server.key)).await);
    answers.push(server.get_bare("/v1/actions/scripted").await);

    for answer in answers {
        let all = format!("{:?} {}", answer.headers, answer.text);
        prop_assert!(!all.contains(SECRET), "a secret came out: {}", all);
        for word in ["step:", "panicked", "src/", ".rs", "journal", "sqlite"] {
            prop_assert!(!answer.text.contains(word), "{} came out: {}", word, answer.text);
        }
    }
    Ok(())
}
