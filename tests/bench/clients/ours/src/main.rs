//! This crate's client, beside three plain reqwest calls (the floor) and the loop that one would write by hand.

use std::time::Duration;

use measure::{Subject, run};
use reqwest::{RequestBuilder, header};
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

    async fn waiting(&self, _: fn()) {
        panic!("they know no waiting")
    }
}

/// A loop without zero sleeps, as one writes it for one server.
struct Loop {
    http: reqwest::Client,
    url: String,
    places: Semaphore,
}

enum Answer {
    Running { url: String, pause: Duration },
    Done(serde_json::Value),
}

impl Loop {
    async fn ask(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.expect("an answer");
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        if answer.status() == 202 {
            let url = format!("{}{}", self.url, text(header::LOCATION).expect("a location"));
            let pause = text(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
            // Read to its end, or the connection could not be used again.
            answer.bytes().await.expect("a body");
            return Answer::Running { url, pause: Duration::from_secs(pause) };
        }
        Answer::Done(answer.json().await.expect("JSON"))
    }

    async fn follow(&self, seconds: u32, asleep: fn()) -> serde_json::Value {
        let mut request = self.http.post(format!("{}/start/{seconds}", self.url));
        loop {
            let answer = {
                let _place = self.places.acquire().await.expect("never closed");
                // Boxed, so that an operation that sleeps does not keep room for a request.
                Box::pin(self.ask(request)).await
            };
            match answer {
                Answer::Done(value) => return value,
                Answer::Running { url, pause } => {
                    if !pause.is_zero() {
                        asleep();
                        tokio::time::sleep(pause).await;
                    }
                    request = self.http.get(url);
                }
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

    async fn waiting(&self, asleep: fn()) {
        self.follow(3600, asleep).await;
    }
}

/// As its documentation has it: the client's own HTTP client, which follows no redirects by itself.
struct Raincheck {
    client: raincheck::Client,
    url: String,
}

impl Raincheck {
    async fn start(&self, seconds: u32) -> raincheck::Operation<serde_json::Value> {
        let url = format!("{}/start/{seconds}", self.url);
        let start = self.client.request("POST", &url).expect("a request");
        self.client.operation(start).await.expect("an operation")
    }
}

impl Subject for Raincheck {
    const NAME: &'static str = "raincheck";

    fn new(url: String, in_flight: usize) -> Self {
        let client = raincheck::Client::builder(&url).max_in_flight(in_flight).max_retry_after(Duration::MAX);
        Self { client: client.build().expect("a client"), url }
    }

    async fn operation(&self) {
        self.start(0).await.await.expect("a result");
    }

    async fn waiting(&self, asleep: fn()) {
        let operation = self.start(3600).await;
        asleep();
        operation.await.expect("a result");
    }
}
