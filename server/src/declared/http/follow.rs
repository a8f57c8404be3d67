//! A server that answers 202 is followed to the end of its work, by the client of this project: the only place of the
//! server that knows it.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use raincheck::{Client, Error, Operation, ResumeToken, RetryPolicy, Status};
use serde_json::Value;

use super::answer::{Read, value};
use crate::action::{Failure, StepContext};
use crate::declared::kind::{Mistake, Work, bounded};
use crate::declared::reports::Reports;
use crate::outbound::{Outbound, Target};

/// Follows the work of one server.
pub(super) struct Follower {
    origin: String,
    /// Origins that it may lead to, beside its own.
    trust: Vec<String>,
    target: Target,
    outbound: Outbound,
    client: OnceLock<Client>,
}

/// What came of a start.
pub(super) enum Started {
    /// The work is accepted: a token to follow it by, in any process.
    Accepted(Value),
    /// It has ended already.
    Ended(Outcome),
}

/// How the work ended.
pub(super) struct Outcome {
    pub(super) state: State,
    /// The status of the answer that told it.
    pub(super) status: u16,
    /// The result, or what the other server says of the failure.
    pub(super) body: Value,
    /// The other server's own word and sentence for the failure.
    pub(super) told: Option<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Succeeded,
    Failed,
    /// By somebody else.
    Canceled,
}

/// How long a request may take, unless the action says: polls are answered at once, or held for a while.
const REQUEST: Duration = Duration::from_secs(60);

/// The time limit of an attempt is told before the client's own.
const MARGIN: Duration = Duration::from_secs(5);

/// How often a cancel is sent before it is given up.
const CANCELS: u32 = 5;

impl Follower {
    pub(super) fn new(target: &Target, trust: &[String], outbound: &Outbound) -> Result<Self, Mistake> {
        for other in trust {
            let other =
                outbound.target(other).map_err(|refused| ("trust", format!("`{other}` {refused}")))?;
            if outbound.is_named(&other) != outbound.is_named(target) {
                let problem = format!("name `{other}` in `outbound.allow` as well, or neither of the two");
                return Err(("trust", problem));
            }
        }
        Ok(Self {
            origin: target.to_string(),
            trust: trust.to_vec(),
            target: target.clone(),
            outbound: outbound.clone(),
            client: OnceLock::new(),
        })
    }

    /// Sends the request that starts the work.
    pub(super) async fn start(
        &self,
        method: &Method,
        target: &Target,
        headers: &HeaderMap,
        body: Bytes,
        work: &Work,
        judge: impl Fn(&Read) -> Option<Failure>,
    ) -> Result<Started, Failure> {
        let client = self.client(work)?;
        let request = client.request(method.as_str(), target.reveal().as_str()).map_err(broken)?;
        let request = client.operation(request.headers(headers.clone()).body(body));
        let limit = work.timeout.unwrap_or(REQUEST);
        let Ok(sent) = tokio::time::timeout(limit, request.into_future()).await else {
            return Err(Failure::retryable("timed-out", "the other server did not answer in time"));
        };
        match sent {
            Ok(operation) if operation.last_answer().is_some() => {
                ended(operation, work).await.map(Started::Ended)
            }
            Ok(operation) => Ok(Started::Accepted(serde_json::to_value(operation.token())?)),
            Err(error) => match refusal(&error) {
                // What an answer means is said in one place.
                Some(read) => Err(judge(&read).unwrap_or_else(|| broken(error))),
                None => Err(broken(error)),
            },
        }
    }

    /// Follows the work to its end, tells how far it is, and passes a cancel on.
    pub(super) async fn follow(
        &self,
        token: Value,
        headers: &HeaderMap,
        step: &StepContext<Value>,
        work: &Work,
    ) -> Result<Outcome, Failure> {
        let client = self.client(work)?;
        let token: ResumeToken = serde_json::from_value(token)?;
        let request = client.request("GET", &self.origin).map_err(broken)?;
        let request = client.operation(request.headers(headers.clone()));
        let mut operation: Operation<Value> = request.attach(token).map_err(broken)?;
        let reports = work.status.reports(step);
        let mut canceled = false;
        while operation.last_answer().is_none() {
            tokio::select! {
                advanced = operation.advance() => {
                    advanced.map_err(broken)?;
                    show(&operation, &reports);
                }
                () = step.canceled(), if !canceled => {
                    canceled = true;
                    cancel(&mut operation, step).await;
                }
            }
        }
        let outcome = ended(operation, work).await?;
        // It may still have succeeded; anything else is what was asked for.
        if canceled && outcome.state != State::Succeeded {
            return Err(Failure::canceled());
        }
        Ok(outcome)
    }

    fn client(&self, work: &Work) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let mut builder = Client::builder(&*self.origin)
            .http(self.outbound.client(&self.target))
            // Whoever answers must not lead this server to where its rules do not let it go.
            .trusted_only()
            .request_timeout(work.timeout.unwrap_or(REQUEST) + MARGIN)
            // A start is repeated as the action says, and no poll is ever given up.
            .retry(RetryPolicy::new().attempts(1));
        for origin in &self.trust {
            builder = builder.trust(origin);
        }
        let client = builder.build().map_err(broken)?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn show(operation: &Operation<Value>, reports: &Reports) {
    let Some(view) = operation.view() else { return };
    if let Some(percent) = view.percent_complete {
        reports.progress(f64::from(percent));
    }
    if let Some(status) = view.custom_status.clone().filter(|status| !status.is_null()) {
        reports.status(status);
    }
}

/// Asks the other server to stop. If it cannot, its work is followed all the same, for as long as a cancel has.
async fn cancel(operation: &mut Operation<Value>, step: &StepContext<Value>) {
    for attempt in 1..=CANCELS {
        match operation.cancel().await {
            Ok(_) => return,
            Err(error) if error.is_unavailable() || error.is_transport() => {
                tokio::time::sleep(Duration::from_millis(200) * attempt).await;
            }
            Err(error) => {
                tracing::warn!(operation.id = %step.operation(), %error, "the other server takes no cancel");
                return;
            }
        }
    }
    tracing::warn!(operation.id = %step.operation(), "the other server could not be asked to cancel");
}

async fn ended(operation: Operation<Value>, work: &Work) -> Result<Outcome, Failure> {
    let state = match operation.status() {
        Status::Succeeded => State::Succeeded,
        Status::Canceled => State::Canceled,
        _ => State::Failed,
    };
    let (status, body) = match operation.last_answer() {
        Some(answer) => (answer.status(), answer.body().to_vec()),
        None => (0, Vec::new()),
    };
    // It has ended, so nothing is sent.
    let (body, told) = match operation.await {
        Ok(result) => (result, None),
        Err(error) if error.is_decode() => (value(&body), None),
        Err(error) => {
            let problem = error.problem().map(|problem| (problem.code.clone(), problem.detail.clone()));
            let view = || {
                let told = error.view()?.error.as_ref()?;
                Some((told.code.clone(), told.message.clone()))
            };
            let told = problem.or_else(view);
            (value(&body), told)
        }
    };
    Ok(Outcome { state, status, body: bounded(body, work)?, told })
}

/// The answer with which the other server refused.
fn refusal(error: &Error) -> Option<Read> {
    let answer = error.answer()?;
    Some(Read::refusal(answer.status(), answer.header("retry-after"), answer.body()))
}

/// What is wrong, when there is no answer that would say it. The client's errors have no URLs in them.
fn broken(error: Error) -> Failure {
    let failure = if error.is_transport() || error.is_unavailable() {
        Failure::retryable("target-unreachable", "the other server cannot be reached")
    } else if error.is_gone() || error.is_not_found() {
        Failure::new("target-lost", "the other server no longer knows the work that it accepted")
    } else if error.is_unauthorized() {
        Failure::new("target-refused", "the other server does not let this one see how the work stands")
    } else {
        Failure::new("unexpected-answer", "the answer of the other server is not as expected")
    };
    failure.with_source(error)
}
