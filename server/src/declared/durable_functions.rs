//! `kind = "durable-functions"`: an orchestration of an existing Azure Durable Functions app, behind a status URL that
//! can do nothing but read the status.
//!
//! The app's own status URLs carry the system key, which opens every orchestration to whoever has one of them. Here the
//! key goes to the app, and nowhere else; callers see what the action declares public.
//!
//! The routes, statuses and states are those of the [HTTP API](https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api).

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;

use super::http::{pause_of, unreachable};
use super::kind::{Mistake, Work, bounded, with_details};
use super::secret::Secrets;
use super::surroundings::Surroundings;
use super::template::encoded;
use crate::action::{Branch, Context, Failure, RetryPolicy, StepContext};
use crate::config::units;
use crate::outbound::{Call, Outbound, SendError};

/// The keys of an orchestration as they are written.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Keys {
    url: String,
    orchestrator: String,
    system_key: Option<String>,
    task_hub: Option<String>,
    connection: Option<String>,
    #[serde(deserialize_with = "units::optional_duration")]
    poll: Option<Duration>,
}

/// An orchestration of an app.
pub(super) struct DurableFunctions {
    /// The management API, without a slash at its end.
    base: String,
    orchestrator: String,
    secrets: Secrets,
    task_hub: Option<String>,
    connection: Option<String>,
    /// How often it is asked; `None`: as it says.
    poll: Option<Duration>,
    outbound: Outbound,
    /// Those who may have a request under way: each holds a connection.
    turns: Semaphore,
}

/// The name under which the system key is known here.
const KEY: &str = "system_key";

/// Where an app has its management API.
const API: &str = "/runtime/webhooks/durabletask";

/// The pause between two polls if neither the app nor the declaration says; the app's own word for it.
const USUAL_PAUSE: Duration = Duration::from_secs(5);

/// How many requests to an app are under way at a time, however many of its orchestrations are followed.
const REQUESTS: usize = 64;

/// The longest pause between two polls, whatever the app asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The pause once the operation was asked to stop: it has only its grace for that.
const SHORT_PAUSE: Duration = Duration::from_millis(500);

/// An instance that was started may not be readable yet; one that is not for so many polls is gone.
const POLLS_UNSEEN: u32 = 5;

/// The part of an instance's status that counts here. The app says more, which is nobody's business.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance {
    runtime_status: String,
    #[serde(default)]
    custom_status: Value,
    #[serde(default)]
    output: Value,
}

/// An answer of the app.
struct Answer {
    status: u16,
    pause: Option<Duration>,
    body: bytes::Bytes,
}

impl DurableFunctions {
    pub(super) const KEYS: &'static [&'static str] =
        &["url", "orchestrator", "system_key", "task_hub", "connection", "poll"];

    pub(super) fn new(keys: Keys, surroundings: &Surroundings<'_>) -> Result<Self, Mistake> {
        // Without `..`: a new key has to find its place.
        let Keys { url, orchestrator, system_key, task_hub, connection, poll } = keys;
        let parsed = Url::parse(&url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none())
            .ok_or_else(|| {
                let problem = "must be the address of the app, such as \"https://my-app.azurewebsites.net\"";
                ("url", problem.to_owned())
            })?;
        let trimmed = parsed.as_str().trim_end_matches('/');
        let base = if parsed.path() == "/" { format!("{trimmed}{API}") } else { trimmed.to_owned() };
        if orchestrator.is_empty() {
            return Err(("orchestrator", "is missing: the name of the orchestrator function".to_owned()));
        }
        let named = system_key.map(|place| (KEY.to_owned(), place)).into_iter().collect::<BTreeMap<_, _>>();
        let secrets = Secrets::look_up(&named, surroundings).map_err(|problem| (KEY, problem))?;
        let outbound = surroundings.outbound().map_err(|problem| ("url", problem))?;
        outbound.target(&base).map_err(|refused| ("url", refused.to_string()))?;
        let turns = Semaphore::new(REQUESTS);
        Ok(Self { base, orchestrator, secrets, task_hub, connection, poll, outbound, turns })
    }

    pub(super) async fn run(
        &self,
        cx: &mut Context<Value>,
        input: Value,
        work: &Work,
    ) -> Result<Value, Failure> {
        let input = &input;
        let start = |step: StepContext<Value>| async move { self.start(&step, input, work).await };
        cx.step("start", start).retry(work.retry).await?;
        let follow = |step: StepContext<Value>| async move { self.follow(&step, work).await };
        // A race also where nobody else runs: with events that are declared later, journals under way must still fit.
        let mut branches: Vec<Branch<'_, Value>> = Vec::new();
        branches.push(cx.branch("follow", move |mut cx| async move {
            cx.step("follow", follow).retry(RetryPolicy::never()).await
        }));
        for name in &work.events {
            branches.push(cx.branch(name, move |mut cx| async move {
                self.pass_on(&mut cx, name, work).await;
                // Only the end of the orchestration ends the operation.
                std::future::pending().await
            }));
        }
        cx.race(branches).await.map(|(_, output)| output)
    }

    /// Starts the instance, unless an earlier attempt has: its id is that of the operation.
    async fn start(&self, step: &StepContext<Value>, input: &Value, work: &Work) -> Result<(), Failure> {
        let id = step.operation().to_string();
        let known = self.ask(&Self::instance(&id, ""), None, work).await.map_err(unreachable)?;
        match known.status {
            200 | 202 => return Ok(()),
            404 => {}
            _ => return Err(self.refused(&known)),
        }
        let path = format!("/orchestrators/{}/{id}", encoded(&self.orchestrator));
        let started = self.ask(&path, Some(input), work).await.map_err(unreachable)?;
        match started.status {
            // 201 is what isolated workers have said for a while.
            200..=202 => Ok(()),
            _ => Err(self.refused(&started)),
        }
    }

    /// Follows the instance to its end, tells how far it is, and passes a cancel on.
    async fn follow(&self, step: &StepContext<Value>, work: &Work) -> Result<Value, Failure> {
        let id = step.operation().to_string();
        let reports = work.status.reports(step);
        let mut canceled = false;
        let mut unseen = 0;
        loop {
            let mut pause = self.poll.unwrap_or(USUAL_PAUSE);
            match self.ask(&format!("{}?showInput=false", Self::instance(&id, "")), None, work).await {
                Ok(answer @ Answer { status: 200 | 202, .. }) => {
                    unseen = 0;
                    pause = self.poll.or(answer.pause).unwrap_or(pause);
                    let instance: Instance = serde_json::from_slice(&answer.body).map_err(|error| {
                        Failure::new("unexpected-answer", "the answer of the app is not as expected")
                            .with_source(error)
                    })?;
                    if !instance.custom_status.is_null() {
                        reports.status(instance.custom_status.clone());
                    }
                    if let Some(ended) = self.outcome(instance, canceled) {
                        return ended.and_then(|output| bounded(output, work));
                    }
                }
                Ok(Answer { status: 404 | 410, .. }) => {
                    unseen += 1;
                    if unseen >= POLLS_UNSEEN {
                        let message = "the app no longer knows the orchestration that it has started";
                        return Err(Failure::new("orchestration-lost", message));
                    }
                }
                // That says nothing about the orchestration.
                Ok(answer) => {
                    pause = answer.pause.unwrap_or(pause);
                    tracing::warn!(operation.id = %id, status = answer.status, "a poll of the app failed");
                }
                Err(error @ (SendError::Refused(_) | SendError::TooLarge { .. })) => {
                    return Err(unreachable(error).into_final());
                }
                Err(error) => tracing::warn!(operation.id = %id, %error, "a poll of the app failed"),
            }
            if canceled {
                pause = pause.min(SHORT_PAUSE);
            }
            tokio::select! {
                () = tokio::time::sleep(pause.min(LONGEST_PAUSE)) => {}
                () = step.canceled(), if !canceled => {
                    canceled = self.terminate(&id, work).await;
                    if !canceled {
                        tokio::time::sleep(SHORT_PAUSE).await;
                    }
                }
            }
        }
    }

    /// How the instance ended, if it has.
    fn outcome(&self, instance: Instance, canceled: bool) -> Option<Result<Value, Failure>> {
        let Instance { runtime_status, custom_status: _, output } = instance;
        let (code, message) = match &*runtime_status {
            "Completed" => return Some(Ok(output)),
            "Failed" => ("orchestration-failed", "the orchestration failed"),
            "Terminated" | "Canceled" if canceled => return Some(Err(Failure::canceled())),
            "Terminated" => ("orchestration-terminated", "the orchestration was terminated"),
            "Canceled" => ("orchestration-canceled", "the orchestration was canceled"),
            // Pending, Running, ContinuedAsNew, Suspended, and what later versions may have.
            _ => return None,
        };
        // Its output is then the text of an exception, which may say anything.
        let output = self.secrets.taken_out_of(output.as_str().map_or(&*output.to_string(), |text| text));
        let details = json!({ "runtimeStatus": runtime_status, "output": output });
        Some(Err(with_details(Failure::new(code, message), &details)))
    }

    /// Asks the app to end the instance. Whether it need not be asked again.
    async fn terminate(&self, id: &str, work: &Work) -> bool {
        let path = format!("{}?reason=canceled%20by%20its%20caller", Self::instance(id, "/terminate"));
        match self.ask(&path, Some(&Value::Null), work).await {
            // 410: it has ended by itself.
            Ok(Answer { status: 200..300 | 404 | 410, .. }) => true,
            Ok(answer) => {
                tracing::warn!(operation.id = %id, status = answer.status, "the app takes no termination");
                false
            }
            Err(error) => {
                tracing::warn!(operation.id = %id, %error, "the app cannot be asked to terminate");
                false
            }
        }
    }

    /// Passes on every event of that name.
    async fn pass_on(&self, cx: &mut Context<Value>, name: &str, work: &Work) {
        loop {
            // After a cancel there is nothing to pass on.
            let Ok(Some(body)) = cx.event::<Value>(name, None).await else { return };
            let body = &body;
            let raise = |step: StepContext<Value>| async move {
                let id = step.operation().to_string();
                let path = Self::instance(&id, &format!("/raiseEvent/{}", encoded(name)));
                let answer = self.ask(&path, Some(body), work).await.map_err(unreachable)?;
                match answer.status {
                    200..300 => Ok(()),
                    // It has ended meanwhile: nobody waits for the event.
                    404 | 410 => Ok(()),
                    _ => Err(self.refused(&answer)),
                }
            };
            if let Err(failure) = cx.step("raise", raise).retry(work.retry).await {
                tracing::error!(operation.id = %cx.operation(), event = name, %failure, "an event could not be passed on");
            }
        }
    }

    /// The path of an instance, or of something that can be done to it.
    fn instance(id: &str, action: &str) -> String {
        format!("/instances/{id}{action}")
    }

    /// Sends a request: a GET, or a POST with a body.
    async fn ask(&self, path: &str, body: Option<&Value>, work: &Work) -> Result<Answer, SendError> {
        let mut url = format!("{}{path}", self.base);
        let key = self.secrets.iter().next().map(|(_, secret)| secret.reveal());
        let hub = [
            ("taskHub", self.task_hub.as_deref()),
            ("connection", self.connection.as_deref()),
            ("code", key),
        ];
        for (name, value) in hub.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{separator}{name}={}", encoded(value));
        }
        let target = self.outbound.target(&url)?;
        let mut call = match body {
            None => Call::get(target),
            Some(body) => {
                let mut call = Call::post(target, body.to_string());
                call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                call
            }
        };
        call.time_limit = work.timeout;
        // Never closed.
        let _turn = self.turns.acquire().await;
        let answer = self.outbound.send(call).await?;
        let (status, pause) = (answer.status().as_u16(), pause_of(answer.headers()));
        Ok(Answer { status, pause, body: answer.read().await? })
    }

    fn refused(&self, answer: &Answer) -> Failure {
        let body: String =
            self.secrets.taken_out_of(&String::from_utf8_lossy(&answer.body)).chars().take(2048).collect();
        let details = json!({ "status": answer.status, "body": body });
        let message = format!("the app answered with {}", answer.status);
        let failure = match answer.status {
            408 | 429 | 500.. => Failure::retryable("target-unavailable", message).retry_after(answer.pause),
            _ => Failure::new("target-refused", message),
        };
        with_details(failure, &details)
    }
}
