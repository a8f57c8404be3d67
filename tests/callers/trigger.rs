//! A polling trigger of a workflow: it polls for ever, and starts a run when there is something new.

use std::time::Duration;

use reqwest::{Client, Method, Response, Url};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::engine::{LONGEST_URL, REQUEST_LIMIT};
use super::gateway::Gateway;
use super::retries::{RetryPolicy, is_retried};

/// What the author of the workflow has written.
#[derive(Debug, Clone)]
pub(crate) struct Recurrence {
    pub(crate) url: String,
    /// Headers of the trigger, and what its `authentication` block adds.
    pub(crate) headers: Vec<(String, String)>,
    /// How long from one poll to the next, unless an answer says otherwise.
    pub(crate) every: Duration,
    /// §2.2 splitOn [D]: a run for each item of a list.
    pub(crate) splits: bool,
}

/// The trigger of a workflow that is switched on. All that it knows between two polls is where to poll next.
#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) http: Client,
    pub(crate) workflow: Recurrence,
    /// Behind which gateway the API is, for a custom connector.
    pub(crate) gateway: Option<Gateway>,
    pub(crate) policy: RetryPolicy,
    /// How much of a pause between two attempts is really waited for.
    pub(crate) patience: f64,
    /// Which answers, counted from the first, are lost on their way.
    pub(crate) loses: Vec<usize>,
    next: String,
    /// The status of each answer, 0 for one that was lost, with the URL.
    pub(crate) answers: Vec<(u16, String)>,
    /// Where the API did not keep to what is documented.
    pub(crate) complaints: Vec<String>,
}

/// What one poll came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Polled {
    pub(crate) status: u16,
    /// The trigger's outputs in each of the runs that it starts.
    pub(crate) runs: Vec<Value>,
    /// How long until the next poll.
    pub(crate) pause: Duration,
}

impl Trigger {
    pub(crate) fn logic_apps(http: Client, workflow: Recurrence) -> Self {
        Self {
            http,
            next: workflow.url.clone(),
            workflow,
            gateway: None,
            policy: RetryPolicy::LOGIC_APPS,
            patience: 0.02,
            loses: Vec::new(),
            answers: Vec::new(),
            complaints: Vec::new(),
        }
    }

    /// Where it would poll next.
    pub(crate) fn next(&self) -> &str {
        &self.next
    }

    /// Polls once, and again as its policy says.
    pub(crate) async fn poll(&mut self) -> Polled {
        let every = self.workflow.every;
        let Some(answer) = self.ask().await else {
            return Polled { status: 0, runs: Vec::new(), pause: every };
        };
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let pause = pause(status, header("retry-after").and_then(|text| text.parse().ok()), every);
        let location = header("location").map(str::to_owned);
        if matches!(status, 200 | 202) {
            if header("retry-after").is_none_or(|text| text.parse::<u64>().is_err()) {
                self.complain(format!("a {status} without a Retry-After in whole seconds"));
            }
            match &location {
                None => self.complain(format!("a {status} without a Location")),
                Some(url) if url.parse::<Url>().is_err() => {
                    self.complain("a Location that is not absolute".to_owned())
                }
                Some(url) if url.len() >= LONGEST_URL => {
                    self.complain("a Location of 2 KB or more".to_owned())
                }
                Some(_) => {}
            }
        }
        // §2.1 Location absent [D]: the original URL is polled again.
        self.next = location.unwrap_or_else(|| self.workflow.url.clone());
        // §2.1 status that is not 200 [D]: no run.
        let runs =
            if status == 200 { self.runs(&answer.text().await.unwrap_or_default()) } else { Vec::new() };
        Polled { status, runs, pause }
    }

    fn runs(&mut self, body: &str) -> Vec<Value> {
        let body = body.parse().unwrap_or_else(|_| Value::String(body.to_owned()));
        match body {
            // §2.2 [D]: each run sees one item only.
            Value::Array(items) if self.workflow.splits => items,
            body if self.workflow.splits => {
                self.complain("splitOn over something that is no list".to_owned());
                vec![body]
            }
            body => vec![body],
        }
    }

    /// §2.1 400 and 500 [D]: no run, and the retry policy.
    async fn ask(&mut self) -> Option<Response> {
        let mut failed = 0;
        loop {
            let answer = self.once().await;
            let lost = self.loses.contains(&self.answers.len());
            let status = answer.as_ref().filter(|_| !lost).map_or(0, |answer| answer.status().as_u16());
            self.answers.push((status, self.next.clone()));
            let answer = answer.filter(|_| !lost);
            if answer.as_ref().is_some_and(|answer| !is_retried(answer.status().as_u16())) {
                return answer;
            }
            failed += 1;
            let Some(pause) = self.policy.pause(failed) else { return answer };
            sleep(pause.mul_f64(self.patience)).await;
        }
    }

    async fn once(&mut self) -> Option<Response> {
        let url = self.next.clone();
        let mut request = match self.gateway.as_ref().filter(|gateway| gateway.has(&url)) {
            Some(gateway) => {
                let Some(request) = gateway.forward(&self.http, &Method::GET, &url) else {
                    self.complain(format!("the gateway knows no GET {url}"));
                    return None;
                };
                request
            }
            None => self.http.get(&url),
        };
        // §1.4 custom headers [?]: whether they are repeated on the Location is not said. Here, they are not.
        if url == self.workflow.url {
            for (name, value) in &self.workflow.headers {
                request = request.header(name, value);
            }
        }
        timeout(REQUEST_LIMIT, request.header("x-ms-workflow-run-id", "08584").send()).await.ok()?.ok()
    }

    fn complain(&mut self, what: String) {
        self.complaints.push(what);
    }
}

/// §2.1 Retry-After against the recurrence [D].
fn pause(status: u16, told: Option<u64>, every: Duration) -> Duration {
    match (status, told.map(Duration::from_secs)) {
        (200, Some(told)) => told,
        // The longer one: a header cannot make a trigger that has nothing new ask sooner than its recurrence.
        (202, Some(told)) => told.max(every),
        _ => every,
    }
}

#[test]
fn the_pause_is_that_of_the_table_in_the_documentation() {
    let minute = Duration::from_secs(60);
    for (status, told, expected) in [
        (200, None, 60),
        (200, Some(10), 10),
        (200, Some(0), 0),
        (202, Some(60), 60),
        (202, Some(90), 90),
        (202, Some(15), 60),
        (202, None, 60),
        (400, None, 60),
        (500, Some(5), 60),
    ] {
        assert_eq!(pause(status, told, minute).as_secs(), expected, "{status} {told:?}");
    }
}
