//! Whole operations against random sequences of answers: the real loop on a clock that jumps, without sockets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::answer::Answer;
use crate::pace::FREE_RETRIES;
use crate::transport::{HeaderMap, HttpClient, Method, Request};
use crate::{Client, Dialect, Error, FinalStateVia, Operation};

const START: &str = "http://h/start";
const MAX_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The clock of the runtime counts in milliseconds.
const TICK: Duration = Duration::from_millis(2);

/// What a server says to one poll.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Say {
    Running,
    /// A 202 that tells nothing else, in any dialect.
    Bare,
    Moved,
    Redirect,
    Broken(u16),
    NotFound,
    Lost,
    Hang,
    Done,
    Failed,
    Refused,
}

/// What its `Retry-After` says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pace {
    Silent,
    Seconds(u32),
    Garbled,
}

type Turn = (Say, Pace, Duration);

/// An answer as it was given.
#[derive(Debug, Clone, Copy)]
struct Given {
    say: Say,
    pace: Pace,
    asked: Instant,
    /// Not if the client hung up before.
    answered: Option<Instant>,
}

struct Server {
    dialect: Dialect,
    /// The result is elsewhere once the monitor says `Succeeded`.
    elsewhere: bool,
    polls: Mutex<VecDeque<Turn>>,
    result: Mutex<VecDeque<Turn>>,
    given: Mutex<Vec<Given>>,
    forever: (Say, Pace),
}

impl Server {
    /// What is said next.
    fn turn(&self) -> Turn {
        let fetching = self.elsewhere && self.has_given(Say::Done);
        if fetching {
            return self.result.lock().unwrap().pop_front().unwrap_or((Say::Done, Pace::Silent, TICK));
        }
        let next = self.polls.lock().unwrap().pop_front();
        let (say, pace) = self.forever;
        next.unwrap_or((say, pace, Duration::from_millis(20)))
    }

    fn has_given(&self, say: Say) -> bool {
        self.given.lock().unwrap().iter().any(|given| given.say == say && given.answered.is_some())
    }

    async fn answer(self: Arc<Self>, request: Request) -> Result<Answer, Error> {
        if *request.method() != Method::GET {
            return Ok(self.start(request.url()));
        }
        let fetching = self.elsewhere && self.has_given(Say::Done);
        let (say, pace, delay) = self.turn();
        let turn = {
            let mut given = self.given.lock().unwrap();
            given.push(Given { say, pace, asked: Instant::now(), answered: None });
            given.len() - 1
        };
        tokio::time::sleep(if say == Say::Hang { Duration::from_secs(7200) } else { delay }).await;
        self.given.lock().unwrap()[turn].answered = Some(Instant::now());
        if say == Say::Lost {
            return Err(Error::transport(false));
        }
        let (status, body) = if fetching && say == Say::Done { (200, "7") } else { self.written(say) };
        let mut answer = written(request.url(), status, body, pace);
        if matches!(say, Say::Moved | Say::Redirect) {
            answer.headers.insert("location", "/op?moved=1".parse().unwrap());
        }
        Ok(answer)
    }

    fn start(&self, url: &Url) -> Answer {
        let body = match self.dialect {
            Dialect::BodyState => r#"{"provisioningState":"Creating"}"#,
            Dialect::DurableFunctions => r#"{"statusQueryGetUri":"/op"}"#,
            _ => "",
        };
        let status = if self.dialect == Dialect::BodyState { 201 } else { 202 };
        let mut answer = written(url, status, body, Pace::Seconds(0));
        let name = match self.dialect {
            Dialect::Location => "location",
            Dialect::StatusMonitor => "operation-location",
            _ => "x-nothing",
        };
        answer.headers.insert(name, "/op".parse().unwrap());
        answer
    }

    fn written(&self, say: Say) -> (u16, &'static str) {
        use Dialect::{BodyState, DurableFunctions, Location, StatusMonitor};
        match (say, self.dialect) {
            (Say::Bare, _) | (Say::Running | Say::Moved, Location) => (202, ""),
            (Say::Redirect, _) => (307, ""),
            (Say::Broken(status), _) => (status, "<html>"),
            (Say::NotFound, _) => (404, ""),
            (Say::Refused, _) => (401, ""),
            (Say::Running | Say::Moved | Say::Hang | Say::Lost, StatusMonitor) => {
                (200, r#"{"status":"Running"}"#)
            }
            (Say::Running | Say::Moved | Say::Hang | Say::Lost, DurableFunctions) => {
                (202, r#"{"runtimeStatus":"Running"}"#)
            }
            (Say::Running | Say::Moved | Say::Hang | Say::Lost, _) => {
                (200, r#"{"provisioningState":"Creating"}"#)
            }
            (Say::Done, Location) => (200, "7"),
            (Say::Done, StatusMonitor) => (200, r#"{"status":"Succeeded","result":7}"#),
            (Say::Done, BodyState) => (200, r#"{"provisioningState":"Succeeded"}"#),
            (Say::Done, DurableFunctions) => (200, r#"{"runtimeStatus":"Completed","output":7}"#),
            (Say::Failed, StatusMonitor) => (200, r#"{"status":"Failed"}"#),
            (Say::Failed, DurableFunctions) => (200, r#"{"runtimeStatus":"Failed"}"#),
            (Say::Failed, _) => (200, r#"{"provisioningState":"Failed"}"#),
        }
    }
}

fn written(url: &Url, status: u16, body: &str, pace: Pace) -> Answer {
    let mut headers = HeaderMap::new();
    match pace {
        Pace::Silent => None,
        Pace::Seconds(seconds) => headers.insert("retry-after", seconds.into()),
        Pace::Garbled => headers.insert("retry-after", "-5".parse().unwrap()),
    };
    Answer { asked: url.clone(), status, headers, body: body.to_owned().into() }
}

/// Built once: that takes longer than to follow an operation.
fn http() -> HttpClient {
    static HTTP: OnceLock<HttpClient> = OnceLock::new();
    HTTP.get_or_init(HttpClient::new).clone()
}

/// Follows one operation, and tells when it began and how long it took.
fn follow(server: &Arc<Server>, patience: Duration) -> (Result<Value, Error>, Instant, Duration) {
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    clock.unwrap().block_on(async {
        let client = Client::builder("http://h")
            .http(http())
            .timeout(patience)
            .max_retry_after(MAX_PAUSE)
            .retry(crate::RetryPolicy::new().first_pause(FIRST_PAUSE))
            .build()
            .unwrap();
        let script = Arc::clone(server);
        let set = client
            .0
            .transport
            .script
            .set(Box::new(move |request| Box::pin(Arc::clone(&script).answer(request))));
        assert!(set.is_ok());
        let mut start = client.operation::<Value>(http().put(START));
        if !server.elsewhere {
            start = start.final_state_via(FinalStateVia::OperationLocation);
        }
        let begin = Instant::now();
        let operation: Operation<Value> = start.await.unwrap();
        let outcome = operation.await;
        (outcome, begin, begin.elapsed())
    })
}

/// The least pause that must follow an answer; `None` if the next request may follow at once.
fn least_pause(given: &Given, failures: u32) -> Option<Duration> {
    let failed = matches!(given.say, Say::Broken(_) | Say::NotFound);
    match (given.say, given.pace) {
        (Say::Done, _) => None,
        (Say::Lost | Say::Hang, _) => Some(FIRST_PAUSE / 2),
        (Say::Redirect, Pace::Silent | Pace::Garbled | Pace::Seconds(0)) => None,
        (_, Pace::Seconds(0)) if failed && failures > FREE_RETRIES => Some(FIRST_PAUSE / 2),
        (_, Pace::Seconds(0)) => None,
        (_, Pace::Seconds(seconds)) => Some(Duration::from_secs(seconds.into()).min(MAX_PAUSE)),
        (_, Pace::Silent | Pace::Garbled) => Some(FIRST_PAUSE / 2),
    }
}

fn turns(says: Vec<Say>, most: usize) -> impl Strategy<Value = VecDeque<Turn>> {
    let pace = prop_oneof![
        Just(Pace::Silent),
        Just(Pace::Garbled),
        Just(Pace::Seconds(0)),
        (1_u32..5).prop_map(Pace::Seconds),
        any::<u32>().prop_map(Pace::Seconds),
    ];
    let delay = prop_oneof![Just(0), 0_u64..2_000].prop_map(Duration::from_millis);
    prop::collection::vec((prop::sample::select(says), pace, delay), 0..most).prop_map(VecDeque::from)
}

fn servers() -> impl Strategy<Value = Server> {
    use Say::{Bare, Broken, Done, Failed, Hang, Lost, Moved, NotFound, Redirect, Refused, Running};
    let polls = vec![
        Running,
        Running,
        Running,
        Bare,
        Moved,
        Redirect,
        Redirect,
        Broken(503),
        Broken(429),
        Broken(500),
        NotFound,
        Lost,
        Hang,
        Done,
        Failed,
        Refused,
    ];
    let dialects =
        vec![Dialect::Location, Dialect::StatusMonitor, Dialect::BodyState, Dialect::DurableFunctions];
    let forever = prop::sample::select(vec![
        (Running, Pace::Silent),
        (Done, Pace::Silent),
        (Broken(503), Pace::Silent),
        (Broken(503), Pace::Seconds(0)),
        (Lost, Pace::Silent),
        (Redirect, Pace::Silent),
        (Redirect, Pace::Seconds(3)),
    ]);
    let result = turns(vec![Bare, Broken(503), Lost, NotFound, Redirect], 5);
    (prop::sample::select(dialects), any::<bool>(), turns(polls, 14), result, forever).prop_map(
        |(dialect, elsewhere, polls, result, forever)| Server {
            dialect,
            elsewhere: elsewhere && dialect == Dialect::StatusMonitor,
            polls: Mutex::new(polls),
            result: Mutex::new(result),
            given: Mutex::default(),
            forever,
        },
    )
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = (&self.polls, &self.result, self.forever);
        write!(f, "{:?} elsewhere={} {said:?}", self.dialect, self.elsewhere)
    }
}

/// Whether an outcome fits what the server has said.
fn fits(outcome: &Result<Value, Error>, server: &Server) -> bool {
    match outcome {
        Ok(_) => server.has_given(Say::Done),
        Err(error) if error.is_failed() => server.has_given(Say::Failed),
        Err(error) if error.is_unauthorized() => server.has_given(Say::Refused),
        Err(error) if error.is_not_found() => server.has_given(Say::NotFound),
        // Only a circle, so no end in sight.
        Err(error) if error.is_unexpected() => server.has_given(Say::Redirect),
        Err(error) => error.is_timeout() && error.token().is_some(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_a_server_says_in_a_row_the_client_keeps_its_pace_its_deadline_and_the_outcome(
        server in servers(),
        patience in prop_oneof![0_u64..3_000, 0_u64..600_000].prop_map(Duration::from_millis),
    ) {
        let server = Arc::new(server);

        let (outcome, begin, elapsed) = follow(&server, patience);

        prop_assert!(elapsed <= patience + TICK, "{elapsed:?} of {patience:?}");
        prop_assert!(fits(&outcome, &server), "{outcome:?}");
        let given = server.given.lock().unwrap();
        let terminal = [Say::Done, Say::Failed, Say::Refused];
        let last = given.iter().position(|given| terminal.contains(&given.say) && given.answered.is_some());
        if let Some(last) = last && outcome.as_ref().is_err_and(Error::is_timeout) {
            // Only a result that is elsewhere can still be missed.
            prop_assert!(server.elsewhere && given[last].say == Say::Done, "lost {:?}", given[last]);
            prop_assert!(given.len() > last + 1 || elapsed + TICK >= patience);
        }
        let mut failures = 0;
        for pair in given.windows(2) {
            let Some(answered) = pair[0].answered else { continue };
            let failed = matches!(pair[0].say, Say::Broken(_) | Say::NotFound | Say::Lost);
            failures = if failed { failures + 1 } else { 0 };
            let pause = pair[1].asked - answered;
            let last_look = patience.min(Duration::from_secs(1)) + TICK;
            if let Some(least) = least_pause(&pair[0], failures) {
                let near_the_end = pair[1].asked - begin + last_look >= patience;
                prop_assert!(pause + TICK >= least || near_the_end, "{pause:?} after {:?}", pair[0]);
            }
        }
    }
}

/// A server with a monitor whose result is elsewhere.
fn monitor(polls: impl IntoIterator<Item = Turn>, result: impl IntoIterator<Item = Turn>) -> Arc<Server> {
    Arc::new(Server {
        dialect: Dialect::StatusMonitor,
        elsewhere: true,
        polls: Mutex::new(polls.into_iter().collect()),
        result: Mutex::new(result.into_iter().collect()),
        given: Mutex::default(),
        forever: (Say::Running, Pace::Silent),
    })
}

#[test]
fn a_success_that_the_last_look_finds_is_fetched_in_the_time_that_is_left() {
    let slow = (Say::Running, Pace::Seconds(600), Duration::ZERO);
    let server = monitor([slow, (Say::Done, Pace::Silent, Duration::ZERO)], []);

    let (outcome, _, elapsed) = follow(&server, Duration::from_secs(30));

    assert_eq!(outcome.unwrap(), 7);
    assert!(elapsed < Duration::from_secs(30));
}

#[test]
fn a_promised_result_that_replicas_do_not_have_yet_is_fetched_when_they_do() {
    let missing = (Say::NotFound, Pace::Silent, Duration::ZERO);
    let server = monitor([(Say::Done, Pace::Silent, Duration::ZERO)], [missing; 3]);

    let (outcome, ..) = follow(&server, Duration::from_secs(600));

    assert_eq!(outcome.unwrap(), 7);
}
