//! A server that tells what has ended.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::*;

pub(crate) const FEED: &str = "/v1/triggers/countdown/finished";

/// What has ended, as a raincheck server tells it.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<Vec<Value>>>);

impl Feed {
    pub(crate) async fn at(server: &MockServer) -> Self {
        let feed = Self::default();
        Mock::given(method("GET")).and(path(FEED)).respond_with(feed.clone()).mount(server).await;
        feed
    }

    pub(crate) fn end(&self, view: Value) {
        self.0.lock().unwrap().push(view);
    }
}

impl Respond for Feed {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let ends = self.0.lock().unwrap();
        let asked = request.url.query_pairs().find(|(name, _)| name == "triggerState");
        let from: usize = asked.map_or(ends.len(), |(_, state)| state.parse().unwrap());
        let next = format!("{FEED}?mode=batch&triggerState={}&token=tell-nobody", ends.len());
        let answer = match &ends[from..] {
            [] => ResponseTemplate::new(202),
            news => ResponseTemplate::new(200).set_body_json(news),
        };
        answer.insert_header("location", next).insert_header("retry-after", "0")
    }
}

pub(crate) fn named(id: &str) -> Value {
    with(with(view("Succeeded"), "output", 7), "id", id)
}

pub(crate) fn failed(id: &str) -> Value {
    let error = json!({"code": "no-luck", "message": "None today."});
    with(with(view("Failed"), "error", error), "id", id)
}
