//! An action of a workflow: it starts something over HTTP, polls while the answer is 202, and ends.

use std::time::Duration;

use reqwest::{Client, Method, Response, Url};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::gateway::Gateway;
use super::retries::{RetryPolicy, is_retried};
use super::stripped::is_stripped;

/// §1.3 request timeout [D]: 120 s for each HTTP call (Consumption, Power Automate).
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(120);

/// §1.1 default wait without retry-after [D, conflict]: 1 s in one text, 20 s in others.
const UNTOLD_PACE: u64 = 20;

/// §1.2 Location length [D]: the `uri` input is limited to 2 KB.
pub(super) const LONGEST_URL: usize = 2_048;

/// With what the engine polls. §1.4 has reports of either, so an API must take both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PollsWith {
    /// §1.4 HTTP action, `authentication` block [U]: applied to follow-up calls on the Location URL.
    ItsAuthentication,
    /// §1.4 same issue's opening post [U], custom headers [?]: polls without any.
    Nothing,
}

/// What the author of the workflow has written.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The `authentication` block.
    pub(crate) authentication: Option<(String, String)>,
    pub(crate) body: Value,
}

/// An engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) http: Client,
    pub(crate) policy: RetryPolicy,
    pub(crate) polls_with: PollsWith,
    /// §1.3 are polls retried? [?]: both are to be tried.
    pub(crate) retries_polls: bool,
    /// Behind which gateway the API is, for a custom connector.
    pub(crate) gateway: Option<Gateway>,
    /// How much of a pause is really waited for; the rest is only counted.
    pub(crate) patience: f64,
    /// §1.3 shortening it [D]: the action's `limit.timeout`.
    pub(crate) limit: Option<Duration>,
    /// Which answers, counted from the first, are lost on their way.
    pub(crate) loses: Vec<usize>,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Succeeded(u16, Value),
    Failed(u16, Value),
    /// §1.3 shortening it [D]: Cancelled, with the code `ActionTimedOut`; the API is not told.
    TimedOut,
    /// No answer, and no attempt left.
    Unreachable,
}

/// An action that has ended, and what it saw.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: End,
    /// The status of each answer, 0 for one that did not come, with the URL.
    pub(crate) answers: Vec<(u16, String)>,
    /// What it waited between them.
    pub(crate) pauses: Vec<Duration>,
    /// Where the API did not keep to what is documented.
    pub(crate) complaints: Vec<String>,
}

impl Engine {
    /// Logic Apps' HTTP action.
    pub(crate) fn logic_apps(http: Client) -> Self {
        Self {
            http,
            policy: RetryPolicy::LOGIC_APPS,
            polls_with: PollsWith::Nothing,
            retries_polls: true,
            gateway: None,
            patience: 0.05,
            limit: None,
            loses: Vec::new(),
        }
    }

    /// Power Automate's action of a custom connector.
    pub(crate) fn power_automate(http: Client, gateway: Gateway) -> Self {
        Self { policy: RetryPolicy::POWER_AUTOMATE, gateway: Some(gateway), ..Self::logic_apps(http) }
    }

    /// Runs the action to its end.
    pub(crate) async fn run(&self, call: &Call) -> Ended {
        let ended =
            Ended { end: End::Unreachable, answers: Vec::new(), pauses: Vec::new(), complaints: Vec::new() };
        Run { engine: self, call, begin: Instant::now(), ended }.end_it().await
    }
}

struct Run<'a> {
    engine: &'a Engine,
    call: &'a Call,
    begin: Instant,
    ended: Ended,
}

impl Run<'_> {
    async fn end_it(mut self) -> Ended {
        self.ended.end = self.end().await;
        self.ended
    }

    async fn end(&mut self) -> End {
        let Some(mut answer) = self.ask(Method::POST, &self.call.url, self.engine.policy).await else {
            return End::Unreachable;
        };
        // §1.1 stop condition [D]: any status that is not 202.
        while answer.status() == 202 {
            // §1.1 enabling [D]: a 202 with a valid location header. Without one, the 202 is the result.
            let Some(location) = self.location(&answer) else { break };
            let pace = self.pace(&answer);
            self.pause(pace).await;
            if self.engine.limit.is_some_and(|limit| self.begin.elapsed() >= limit) {
                return End::TimedOut;
            }
            let policy = if self.engine.retries_polls { self.engine.policy } else { RetryPolicy::NONE };
            // §1.4 method: GET.
            let Some(next) = self.ask(Method::GET, &location, policy).await else { return End::Unreachable };
            answer = next;
        }
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        // §1.1 do not redirect [U], §1.3 any other 4xx [D]: only a 2xx is a success.
        if (200..300).contains(&status) { End::Succeeded(status, body) } else { End::Failed(status, body) }
    }

    // §1.2 Location [D]: absolute, on every 202.
    fn location(&mut self, answer: &Response) -> Option<String> {
        let Some(location) = answer.headers().get("location").and_then(|value| value.to_str().ok()) else {
            self.complain("a 202 without a Location");
            return None;
        };
        if location.parse::<Url>().is_err() {
            self.complain("a Location that is not absolute");
            return None;
        }
        if location.len() >= LONGEST_URL {
            self.complain("a Location of 2 KB or more");
        }
        Some(location.to_owned())
    }

    // §1.2 Retry-After [D]: whole seconds, on every 202.
    fn pace(&mut self, answer: &Response) -> Duration {
        let told = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        match told.map(str::parse) {
            Some(Ok(seconds)) => Duration::from_secs(seconds),
            Some(Err(_)) => {
                self.complain("a Retry-After that is not whole seconds");
                Duration::from_secs(UNTOLD_PACE)
            }
            None => {
                self.complain("a 202 without Retry-After");
                Duration::from_secs(UNTOLD_PACE)
            }
        }
    }

    /// Asks until there is an answer that the policy does not ask for again; none if none came.
    async fn ask(&mut self, method: Method, url: &str, policy: RetryPolicy) -> Option<Response> {
        let mut failed = 0;
        loop {
            let answer = self.once(&method, url).await;
            let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            let lost = self.engine.loses.contains(&self.ended.answers.len());
            self.ended.answers.push((if lost { 0 } else { status }, url.to_owned()));
            let answer = answer.filter(|_| !lost);
            if answer.as_ref().is_some_and(|answer| !is_retried(answer.status().as_u16())) {
                return answer;
            }
            failed += 1;
            let Some(pause) = policy.pause(failed) else { return answer };
            self.pause(pause).await;
        }
    }

    async fn once(&mut self, method: &Method, url: &str) -> Option<Response> {
        let Engine { http, gateway, .. } = self.engine;
        let request = match gateway.as_ref().filter(|gateway| gateway.has(url)) {
            Some(gateway) => {
                let Some(request) = gateway.forward(http, method, url) else {
                    self.complain(&format!("the gateway knows no {method} {url}"));
                    return None;
                };
                request
            }
            // §1.5 a URL on your own host [U]: the engine goes direct, without the connection's credentials.
            None => http.request(method.clone(), url),
        };
        let is_start = *method == Method::POST;
        let headers = self.call.headers.iter().filter(|(name, _)| is_start && !is_stripped(name));
        let authentication = self.call.authentication.iter();
        let authentication =
            authentication.filter(|_| is_start || self.engine.polls_with == PollsWith::ItsAuthentication);
        let mut request = request
            // §1.2 x-ms-* request headers [D]: added to outbound calls.
            .header("x-ms-workflow-run-id", "08584")
            .header("x-ms-client-tracking-id", "08584");
        for (name, value) in headers.chain(authentication) {
            request = request.header(name, value);
        }
        if is_start {
            request = request.json(&self.call.body);
        }
        timeout(REQUEST_LIMIT, request.send()).await.ok()?.ok()
    }

    async fn pause(&mut self, pause: Duration) {
        self.ended.pauses.push(pause);
        sleep(pause.mul_f64(self.engine.patience)).await;
    }

    fn complain(&mut self, what: &str) {
        self.ended.complaints.push(what.to_owned());
    }
}
