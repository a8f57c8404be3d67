//! Many followers of one feed, killed and taken up again at random, while three writers end operations.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{FEED, end};
use crate::harness::{Answer, TestServer, chances, long, seed};

const FOLLOWERS: u64 = 20;
const WRITERS: usize = 3;

/// What a follower has written down: all that is left of it after a kill. An answer is written down whole.
struct Follower {
    location: String,
    seen: Vec<String>,
}

impl Follower {
    async fn new(server: &TestServer, url: &str) -> Self {
        let first = server.get(url).await;
        assert_eq!(first.status, 202, "{first:?}");
        Self { location: first.location(), seen: Vec::new() }
    }

    /// Follows until the writers are done and nothing is left. At any moment it may be killed, and goes on from what it
    /// has written down.
    async fn follow(&mut self, server: &TestServer, done: &AtomicBool, mut chances: ChaCha8Rng) {
        loop {
            let were_done = done.load(Ordering::SeqCst);
            let life = match chances.random_bool(0.2) {
                true => Duration::from_millis(chances.random_range(0..20)),
                false => Duration::from_secs(60),
            };
            let request = server.http.get(&self.location).header("prefer", "wait=1");
            // A kill: the request may have been answered, but nobody has written that down.
            let answer = tokio::time::timeout(life, Answer::to(request)).await;
            let pause = match &answer {
                Err(_) => chances.random_range(0..200),
                Ok(answer) if answer.header("retry-after") == "0" => 0,
                Ok(_) => chances.random_range(0..100),
            };
            if let Ok(answer) = answer {
                self.location = answer.location();
                match answer.status {
                    200 => match answer.json() {
                        Value::Array(views) => self.seen.extend(views.iter().map(id)),
                        view => self.seen.push(id(&view)),
                    },
                    202 if were_done => return,
                    202 => {}
                    _ => panic!("{answer:?}"),
                }
            }
            // The one sleep that is meant: it decides what ends while nobody asks.
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}

fn id(view: &Value) -> String {
    view["id"].as_str().expect("a status view").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_follower_sees_each_end_once_and_all_see_one_order() {
    let each = if long() { 33_334 } else { 1_000 };
    let seed = seed();
    let server = Arc::new(TestServer::start().await);
    let done = Arc::new(AtomicBool::new(false));
    let mut followers = Vec::new();
    for number in 0..FOLLOWERS {
        // One by one is a request for each end: for two of them.
        let mode = if number < 2 { "single" } else { "batch" };
        let scope = if number % 3 == 0 { "all" } else { "own" };
        let mut follower = Follower::new(&server, &format!("{FEED}?mode={mode}&scope={scope}")).await;
        let (server, done) = (Arc::clone(&server), Arc::clone(&done));
        followers.push(tokio::spawn(async move {
            follower.follow(&server, &done, chances(seed + number)).await;
            follower.seen
        }));
    }
    let mut failures = Follower::new(&server, &format!("{FEED}?mode=batch&outcome=Failed")).await;

    let writers = (0..WRITERS).map(|_| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let mut ended = Vec::new();
            for number in 0..each {
                let fail = if number % 10 == 0 { json!("broken") } else { Value::Null };
                ended.push(end(&server, json!({ "seconds": 0, "steps": 1, "fail": fail })).await);
            }
            ended
        })
    });
    let written: Vec<Vec<String>> =
        join_all(writers).await.into_iter().map(|ended| ended.expect("a writer")).collect();
    done.store(true, Ordering::SeqCst);
    let seen: Vec<Vec<String>> =
        join_all(followers).await.into_iter().map(|seen| seen.expect("a follower")).collect();
    failures.follow(&server, &done, chances(seed)).await;

    let all: HashSet<&String> = written.iter().flatten().collect();
    let order = &seen[0];
    assert_eq!((order.len(), order.iter().collect::<HashSet<_>>()), (WRITERS * each, all));
    for (number, other) in seen.iter().enumerate() {
        assert!(other == order, "follower {number} saw another order, or not everything once");
    }
    // Each writer waits for an end before it begins what ends next.
    for ended in &written {
        let own: HashSet<_> = ended.iter().collect();
        assert!(order.iter().filter(|id| own.contains(id)).eq(ended));
    }
    let failed: HashSet<_> = written.iter().flat_map(|ended| ended.iter().step_by(10)).collect();
    assert!(failures.seen.iter().eq(order.iter().filter(|id| failed.contains(id))));
}
