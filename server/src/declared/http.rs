//! `kind = "http"`: a request to another server, whose answer is the output. One that answers 202 is followed, if the
//! declaration says so.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::answer::Judge;
use self::follow::Follower;
use self::request::Request;
use super::kind::{Mistake, Work};
use super::secret::Secrets;
use super::surroundings::Surroundings;
use crate::action::{Context, Failure, RetryPolicy, StepContext};
use crate::outbound::Outbound;

mod answer;
mod follow;
mod request;

pub(super) use answer::{pause_of, unreachable};

/// The keys of a request as they are written.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Keys {
    url: String,
    method: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    secrets: BTreeMap<String, String>,
    idempotency_header: String,
    success: Option<String>,
    fail: Vec<answer::FailKeys>,
    retry_statuses: Vec<u16>,
    result: Option<Value>,
    follow: bool,
    trust: Vec<String>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            url: String::new(),
            method: "POST".to_owned(),
            query: BTreeMap::new(),
            headers: BTreeMap::new(),
            body: None,
            secrets: BTreeMap::new(),
            idempotency_header: "Idempotency-Key".to_owned(),
            success: None,
            fail: Vec::new(),
            retry_statuses: vec![408, 425, 429, 500, 502, 503, 504],
            result: None,
            follow: false,
            trust: Vec::new(),
        }
    }
}

/// A request to another server.
pub(super) struct Http {
    request: Request,
    judge: Judge,
    follower: Option<Follower>,
    secrets: Secrets,
    outbound: Outbound,
}

/// What came of the request, as it is journaled.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Called {
    /// The output.
    Done(Value),
    /// The other server has accepted the work; this is what it takes to follow it. Secrets of the declaration are not
    /// in it.
    Accepted(Value),
}

impl Http {
    pub(super) const KEYS: &'static [&'static str] = &[
        "url",
        "method",
        "query",
        "headers",
        "body",
        "secrets",
        "idempotency_header",
        "success",
        "fail",
        "retry_statuses",
        "result",
        "follow",
        "trust",
    ];

    /// How many requests are under way at a time: each holds a connection.
    pub(super) const CONCURRENCY: usize = 32;

    pub(super) fn new(keys: Keys, surroundings: &Surroundings<'_>) -> Result<Self, Mistake> {
        // Without `..`: a new key has to find its place.
        let Keys {
            url,
            method,
            query,
            headers,
            body,
            secrets,
            idempotency_header,
            success,
            fail,
            retry_statuses,
            result,
            follow,
            trust,
        } = keys;
        let method = Method::from_bytes(method.as_bytes())
            .ok()
            .filter(|method| method.as_str().bytes().all(|byte| byte.is_ascii_uppercase()))
            .ok_or_else(|| ("method", format!("`{method}` is no method, such as \"GET\" or \"POST\"")))?;
        let secrets = Secrets::look_up(&secrets, surroundings).map_err(|problem| ("secrets", problem))?;
        let outbound = surroundings.outbound().map_err(|problem| ("url", problem))?;
        let request = Request::new(request::Parts { method, url, query, headers, body, idempotency_header })?;
        let target = outbound.target(request.origin()).map_err(|refused| ("url", refused.to_string()))?;
        let judge = Judge::new(success, fail, retry_statuses, result)?;
        if !follow && !trust.is_empty() {
            return Err(("trust", "is for `follow = true` only".to_owned()));
        }
        let follower = follow.then(|| Follower::new(&target, &trust, &outbound)).transpose()?;
        Ok(Self { request, judge, follower, secrets, outbound })
    }

    /// Whether the other server is followed.
    pub(super) const fn follows(&self) -> bool {
        self.follower.is_some()
    }

    pub(super) async fn run(
        &self,
        cx: &mut Context<Value>,
        input: Value,
        work: &Work,
    ) -> Result<Value, Failure> {
        let input = &input;
        let call = |step: StepContext<Value>| async move { self.call(&step, input, work).await };
        let called: Called = cx.step("call", call).retry(work.retry).await?;
        let token = match called {
            Called::Done(output) => return Ok(output),
            Called::Accepted(token) => token,
        };
        let Some(follower) = &self.follower else {
            let message = "the action no longer follows what it has started; it may still be at work";
            return Err(Failure::new("not-followed", message));
        };
        let token = &token;
        let follow = |step: StepContext<Value>| async move {
            let data = self.data(&step, input);
            let headers = self.request.headers(&data, None)?;
            let token = self.secrets.put_back(token);
            let outcome = follower.follow(token, &headers, &step, work).await?;
            self.judge.followed(outcome, input, &self.secrets)
        };
        // A lost connection is a matter of the follower; what fails here would fail again.
        cx.step("follow", follow).retry(RetryPolicy::never()).await
    }

    async fn call(&self, step: &StepContext<Value>, input: &Value, work: &Work) -> Result<Called, Failure> {
        let data = self.data(step, input);
        let key = step.idempotency_key();
        let time = work.timeout;
        if let Some(follower) = &self.follower {
            let target = self.request.target(&data, &self.outbound)?;
            let headers = self.request.headers(&data, Some(&key))?;
            let body = self.request.body(&data, input)?;
            let judge = |answer: &answer::Read| self.judge.refusal(answer, input, &self.secrets);
            let started = follower.start(self.request.method(), &target, &headers, body, work, judge).await?;
            return match started {
                follow::Started::Accepted(token) => Ok(Called::Accepted(self.secrets.take_out(&token))),
                follow::Started::Ended(outcome) => {
                    self.judge.followed(outcome, input, &self.secrets).map(Called::Done)
                }
            };
        }
        let call = self.request.call(&data, input, &key, time, &self.outbound)?;
        let answered = async {
            let answer = self.outbound.send(call).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok((status, headers, answer.read().await?))
        };
        let answer = tokio::select! {
            answer = answered => answer.map_err(unreachable)?,
            // The connection is closed, which is all that HTTP has for this.
            () = step.canceled() => return Err(Failure::canceled()),
        };
        let answer = answer::Read::of(answer, work.max_output)?;
        self.judge.judge(&answer, input, &self.secrets).map(Called::Done)
    }

    /// What templates of the request are given.
    fn data(&self, step: &StepContext<Value>, input: &Value) -> Value {
        let secrets: BTreeMap<_, _> =
            self.secrets.iter().map(|(name, secret)| (name, secret.reveal())).collect();
        json!({
            "input": input,
            "secret": secrets,
            "operation": step.operation().to_string(),
        })
    }
}
