//! This crate's client, beside three plain reqwest calls (the floor) and the loop that one would write by hand.

use std::time::Duration;

use measure::{Subject, run};
use reqwest::{Response, header};
use tokio::sync::Semaphore;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("plain") => run::<Plain>(&arguments[1..]),
        Some("loop") => run::<Loop>(&arguments[1..]),
        Some("raincheck") => run::<Raincheck>(&arguments[1..]),
        _ => panic!("plain, loop or raincheck, and what to measure"),
    }
}

/// Three calls, told by nobody what to do next.
struct Plain {
    http: reqwest::Client,
    url: String,
}

impl Subject for Plain {
    const NAME: &'static str = "three plain reqwest calls";

    fn new(url: String, _: usize) -> Self {
        Self { http: reqwest::Client::new(), url }
    }

    async fn operation(&self) {
        let body = self.http.post(format!("{}/start/0", self.url)).send().await.expect("an answer");
        body.bytes().await.expect("a body");
        for poll in [1, 2] {
            let answer = self.http.get(format!("{}/op/0/{poll}", self.url)).send().await.expect("an answer");
            answer.bytes().await.expect("a body");
        }
    }

    async fn waiting(&self, _: impl FnOnce() + 'static) {
        panic!("they know no waiting")
    }
}

/// A loop without zero sleeps, as one writes it for one server.
struct Loop {
    http: reqwest::Client,
    url: String,
    places: Semaphore,
}

impl Loop {
    async fn follow(&self, seconds: u32, asleep: impl FnOnce()) -> serde_json::Value {
        let mut asleep = Some(asleep);
        let mut url = format!("{}/start/{seconds}", self.url);
        let mut start = true;
        loop {
            let (location, pause, body) = {
                let _place = self.places.acquire().await.expect("never closed");
                let request = if start { self.http.post(&url) } else { self.http.get(&url) };
                start = false;
                let answer = request.send().await.expect("an answer");
                let text = |answer: &Response, name| {
                    answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
                };
                let location = text(&answer, header::LOCATION).filter(|_| answer.status() == 202);
                let pause: u64 = text(&answer, header::RETRY_AFTER).and_then(|it| it.parse().ok()).unwrap_or(1);
                (location, pause, answer.bytes().await.expect("a body"))
            };
            let Some(location) = location else { return serde_json::from_slice(&body).expect("JSON") };
            url = format!("{}{location}", self.url);
            if pause > 0 {
                if let Some(asleep) = asleep.take() {
                    asleep();
                }
                tokio::time::sleep(Duration::from_secs(pause)).await;
            }
        }
    }
}

impl Subject for Loop {
    const NAME: &'static str = "hand-written loop";

    fn new(url: String, in_flight: usize) -> Self {
        Self { http: reqwest::Client::new(), url, places: Semaphore::new(in_flight) }
    }

    async fn operation(&self) {
        self.follow(0, || ()).await;
    }

    async fn waiting(&self, asleep: impl FnOnce() + 'static) {
        self.follow(3600, asleep).await;
    }
}

struct Raincheck {
    client: raincheck::Client,
    http: reqwest::Client,
    url: String,
}

impl Subject for Raincheck {
    const NAME: &'static str = "raincheck";

    fn new(url: String, in_flight: usize) -> Self {
        let client = raincheck::Client::builder(&url).max_in_flight(in_flight).max_retry_after(Duration::MAX);
        let http = reqwest::Client::new();
        Self { client: client.http(http.clone()).build().expect("a client"), http, url }
    }

    async fn operation(&self) {
        let start = self.http.post(format!("{}/start/0", self.url));
        let operation: raincheck::Operation<serde_json::Value> =
            self.client.operation(start).await.expect("an operation");
        operation.await.expect("a result");
    }

    async fn waiting(&self, asleep: impl FnOnce() + 'static) {
        let start = self.http.post(format!("{}/start/3600", self.url));
        let operation: raincheck::Operation<serde_json::Value> =
            self.client.operation(start).await.expect("an operation");
        asleep();
        operation.await.expect("a result");
    }
}
