//! A trigger and an action of a workflow that wait to be called back.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::time::timeout;

use super::REQUEST_LIMIT;
use super::gateway::Gateway;
use super::retries::{RetryPolicy, is_retried};
use super::stripped::is_stripped;

/// §3 subscribe: a flow gives its callback URL to an API, once when it is saved (a trigger), or in each run (an action).
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) http: Client,
    /// §3 custom connector: behind which gateway the API is; none for the raw HTTP webhook.
    pub(crate) gateway: Option<Gateway>,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    /// §1.3 are answers lost on their way? Then the request is sent again.
    pub(crate) loses_the_first_answer: bool,
}

/// What a flow has subscribed to.
#[derive(Debug)]
pub(crate) struct Subscribed {
    webhook: Webhook,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Webhook {
    /// The flow is turned on, or the action begins.
    pub(crate) async fn subscribe(&self) -> Subscribed {
        let mut answer = self.ask(&Method::POST, &self.url).await;
        if self.loses_the_first_answer {
            answer = self.ask(&Method::POST, &self.url).await;
        }
        assert!(answer.status().is_success(), "§3 response to subscribe [D]: 2xx, but it was {answer:?}");
        let location = answer.headers().get("location").map(|url| url.to_str().expect("ASCII").to_owned());
        if self.gateway.is_some() {
            // §3 response to subscribe [D]: 201, or there is nothing to unsubscribe with.
            assert_eq!(answer.status(), 201);
            assert!(location.is_some(), "must include Location in the 201");
        }
        Subscribed { webhook: self.clone(), location, body: answer.json().await.expect("JSON") }
    }

    /// §1.3 what is retried, with pauses that are not waited for.
    async fn ask(&self, method: &Method, url: &str) -> Response {
        let mut failed = 0;
        loop {
            let answer = timeout(REQUEST_LIMIT, self.request(method, url).send()).await;
            let answer = answer.expect("§1.3 request timeout").expect("an answer");
            failed += 1;
            if !is_retried(answer.status().as_u16()) || RetryPolicy::LOGIC_APPS.pause(failed).is_none() {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn request(&self, method: &Method, url: &str) -> RequestBuilder {
        let by_gateway = self.gateway.as_ref().filter(|gateway| gateway.has(url));
        let request = match by_gateway {
            Some(gateway) => gateway
                .forward(&self.http, method, url)
                .unwrap_or_else(|| panic!("the gateway knows no {method} {url}")),
            // §1.5 a URL on your own host [U]: direct, without the connection's credentials.
            None => self.http.request(method.clone(), url),
        };
        let request = request.header("x-ms-workflow-run-id", "08584");
        if *method != Method::POST {
            return request;
        }
        let headers = self.headers.iter().filter(|(name, _)| !is_stripped(name));
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        request.json(&self.body)
    }
}

impl Subscribed {
    /// §3 unsubscribe [D]: `DELETE` to the `Location` of the subscribe answer, without a body; the answer's status.
    pub(crate) async fn unsubscribe(&self) -> u16 {
        let location = self.location.as_deref().expect("a Location");
        self.webhook.ask(&Method::DELETE, location).await.status().as_u16()
    }
}
