//! A server that is called: it records what it was asked, and answers as the body of the request says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use warp::Filter;
use warp::http::{HeaderMap, Method, Response, StatusCode};

use super::world::SECRET;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// A server that is called.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) url: String,
    state: Arc<State>,
}

struct State {
    seen: Mutex<Vec<Seen>>,
    told: Mutex<Vec<String>>,
    jobs: Mutex<HashMap<String, Job>>,
    /// How many requests wait to be released.
    waiting: watch::Sender<usize>,
    most: Mutex<usize>,
    open: watch::Sender<bool>,
    /// How many of those that wait may go on.
    turns: Semaphore,
    /// Where those who follow work are led to, instead of here.
    elsewhere: Mutex<Option<String>>,
}

/// Work that was accepted with 202.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) order: Value,
    pub(super) polls: u32,
    pub(super) ended: Option<&'static str>,
    pub(super) events: Vec<Value>,
}

impl Target {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(State {
            seen: Mutex::default(),
            told: Mutex::default(),
            jobs: Mutex::default(),
            waiting: watch::Sender::new(0),
            most: Mutex::default(),
            open: watch::Sender::new(false),
            turns: Semaphore::new(0),
            elsewhere: Mutex::default(),
        });
        let target = Self { url, state };
        let here = target.clone();
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        let routes = warp::method()
            .and(warp::path::full())
            .and(query)
            .and(warp::header::headers_cloned())
            .and(warp::body::bytes())
            .then(move |method, path: warp::path::FullPath, query: String, headers, body: bytes::Bytes| {
                let (here, path) = (here.clone(), path.as_str().to_owned());
                async move {
                    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                    let seen = Seen { method, path, query, headers, body };
                    here.state.seen.lock().expect("no panic").push(seen.clone());
                    here.answer(seen).await
                }
            });
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        target
    }

    /// Lets what waits go on, and everything after it.
    pub(super) fn release(&self) {
        self.state.open.send_replace(true);
    }

    /// Lets so many of those that wait go on.
    pub(super) fn release_some(&self, requests: usize) {
        self.state.turns.add_permits(requests);
    }

    /// Leads those who follow work to another server.
    pub(super) fn lead_to(&self, url: &str) {
        *self.state.elsewhere.lock().expect("no panic") = Some(url.to_owned());
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().expect("no panic").clone()
    }

    pub(super) fn told(&self) -> Vec<String> {
        self.state.told.lock().expect("no panic").clone()
    }

    pub(super) fn tell(&self, line: impl Into<String>) {
        self.state.told.lock().expect("no panic").push(line.into());
    }

    /// Waits until so many requests wait at once.
    pub(super) async fn waiting(&self, requests: usize) {
        let mut waiting = self.state.waiting.subscribe();
        let enough = waiting.wait_for(|now| *now >= requests);
        let enough = tokio::time::timeout(crate::harness::PATIENCE, enough).await;
        enough.expect("so many requests").expect("it lives");
    }

    /// How many requests waited at once at most.
    pub(super) fn most_waiting(&self) -> usize {
        *self.state.most.lock().expect("no panic")
    }

    pub(super) fn jobs<T>(&self, look: impl FnOnce(&mut HashMap<String, Job>) -> T) -> T {
        look(&mut self.state.jobs.lock().expect("no panic"))
    }

    pub(super) fn is_open(&self) -> bool {
        *self.state.open.borrow()
    }

    /// Waits until it is released. If the caller goes before that, that is told.
    pub(super) async fn held(&self) {
        struct Waiting<'a>(&'a Target, bool);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.state.waiting.send_modify(|now| *now -= 1);
                if !self.1 {
                    self.0.tell("canceled");
                }
            }
        }
        self.state.waiting.send_modify(|now| {
            *now += 1;
            let mut most = self.state.most.lock().expect("no panic");
            *most = (*most).max(*now);
        });
        let mut waiting = Waiting(self, false);
        let mut open = self.state.open.subscribe();
        tokio::select! {
            open = open.wait_for(|open| *open) => drop(open.expect("it lives")),
            turn = self.state.turns.acquire() => turn.expect("it lives").forget(),
        }
        waiting.1 = true;
    }

    async fn answer(&self, seen: Seen) -> Response<String> {
        match seen.path.split('/').nth(1) {
            Some("jobs") => self.job(seen).await,
            Some("runtime") => super::durable::answer(self, seen).await,
            Some("anything") => json_answer(200, &json!({"path": seen.path, "query": seen.query})),
            _ => self.work(seen).await,
        }
    }

    /// How often the request with this key has come.
    fn began(&self, seen: &Seen) -> usize {
        let key = header(seen, "idempotency-key");
        assert!(!key.is_empty(), "{seen:?}");
        let line = format!("began {key}");
        self.tell(line.clone());
        self.told().iter().filter(|told| **told == line).count()
    }

    /// Work that is done in one request.
    async fn work(&self, seen: Seen) -> Response<String> {
        if header(&seen, "authorization") != format!("Bearer {SECRET}") {
            return json_answer(401, &json!({"error": "who are you?"}));
        }
        let attempt = self.began(&seen);
        match seen.body["do"].as_str().unwrap_or_default() {
            "fail" => {
                let told = format!("{SECRET} is a word for operators");
                json_answer(404, &json!({"error": "there is no such thing", "told": told}))
            }
            "flaky" if attempt < 3 => retry_after(json_answer(503, &json!({})), "0"),
            "big" => json_answer(200, &json!("x".repeat(4096))),
            "hang" | "stall" => {
                self.held().await;
                json_answer(200, &json!({"echo": seen.body["echo"]}))
            }
            _ => json_answer(200, &json!({"echo": seen.body["echo"]})),
        }
    }

    /// Work that is accepted with 202, and told by a status monitor.
    async fn job(&self, seen: Seen) -> Response<String> {
        if header(&seen, "authorization") != format!("Bearer {SECRET}") {
            return json_answer(401, &json!({"error": "who are you?"}));
        }
        let id = seen.path.split('/').nth(2).unwrap_or_default().to_owned();
        match (&seen.method, &*id) {
            (&Method::POST, "") => {
                let attempt = self.began(&seen);
                match seen.body["do"].as_str() {
                    Some("flaky") if attempt < 3 => return retry_after(json_answer(503, &json!({})), "0"),
                    Some("stall") => self.held().await,
                    _ => {}
                }
                let id = header(&seen, "idempotency-key");
                self.jobs(|jobs| {
                    let job = Job { order: seen.body.clone(), polls: 0, ended: None, events: Vec::new() };
                    jobs.entry(id.clone()).or_insert(job);
                });
                let elsewhere = self.state.elsewhere.lock().expect("no panic").clone();
                let base = elsewhere.unwrap_or_else(|| self.url.clone());
                let monitor = format!("{base}/jobs/{id}?key={SECRET}");
                let mut answer = json_answer(202, &json!({"id": id, "status": "Running"}));
                answer.headers_mut().insert("operation-location", monitor.parse().expect("a header"));
                soon(answer)
            }
            (&Method::DELETE, id) => {
                self.tell("canceled");
                self.jobs(|jobs| jobs.get_mut(id).expect("a job").ended = Some("Canceled"));
                json_answer(202, &json!({"id": id, "status": "Canceling"}))
            }
            (_, id) => soon(self.monitor(id)),
        }
    }

    fn monitor(&self, id: &str) -> Response<String> {
        let open = self.is_open();
        let told = self.jobs(|jobs| {
            let job = jobs.get_mut(id)?;
            job.polls += 1;
            let done = match job.order["do"].as_str().unwrap_or_default() {
                _ if job.ended.is_some() => true,
                "hang" => open,
                _ => job.polls > 2,
            };
            let echo = json!({"echo": job.order["echo"]});
            Some(match (job.ended, job.order["do"].as_str()) {
                _ if !done => json!({
                    "id": id, "status": "Running", "percentComplete": 40, "customStatus": "at work"
                }),
                (Some(state), _) => json!({"id": id, "status": state}),
                (None, Some("fail")) => json!({"id": id, "status": "Failed", "error": {
                    "code": "no-such-thing", "message": "there is no such thing",
                    "innererror": format!("{SECRET} is a word for operators")
                }}),
                (None, Some("big")) => json!({"id": id, "status": "Succeeded", "result": "x".repeat(4096)}),
                (None, _) => json!({"id": id, "status": "Succeeded", "result": echo}),
            })
        });
        match told {
            Some(told) => json_answer(200, &told),
            None => json_answer(404, &json!({})),
        }
    }
}

pub(super) fn header(seen: &Seen, name: &str) -> String {
    seen.headers.get(name).map_or_else(String::new, |value| value.to_str().expect("text").to_owned())
}

pub(super) fn json_answer(status: u16, body: &Value) -> Response<String> {
    let answer = Response::builder().status(StatusCode::from_u16(status).expect("a status"));
    answer.header("content-type", "application/json").body(body.to_string()).expect("an answer")
}

pub(super) fn retry_after(mut answer: Response<String>, value: &str) -> Response<String> {
    answer.headers_mut().insert("retry-after", value.parse().expect("a header"));
    answer
}

/// Asks to come back in a moment.
fn soon(mut answer: Response<String>) -> Response<String> {
    let pause = Duration::from_millis(20).as_millis().to_string();
    answer.headers_mut().insert("retry-after-ms", pause.parse().expect("a header"));
    answer
}
