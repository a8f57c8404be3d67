//! How fast the server is, and what it costs: requests a second, latency, and above all CPU per request, because that is
//! steady on a busy machine. The server is a process of its own, so its CPU is its own.
//!
//! `cargo bench -p raincheck-tests --bench load` (after `cargo build --release -p raincheck-server`); with `-- NAME` only
//! the measurements whose name contains NAME.

mod client;
mod server;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::Client;
use server::Server;

const SECONDS: u64 = 6;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    if "poll".contains(&wanted) {
        polls().await;
    }
    if "start".contains(&wanted) {
        for connections in [1, 64] {
            starts(connections).await;
        }
    }
    if "journey".contains(&wanted) {
        for clients in [1, 64] {
            journeys(clients).await;
        }
    }
    if "declared".contains(&wanted) {
        for clients in [1, 64] {
            declared(clients).await;
        }
    }
    if "streams".contains(&wanted) {
        streams::measure().await;
    }
    if "waiting".contains(&wanted) {
        waiting().await;
    }
    if "first".contains(&wanted) {
        first().await;
    }
}

/// A poll of an operation in memory against a bare warp route that gives as many bytes, taken turn about.
async fn polls() {
    let raincheck = Server::raincheck().await;
    let location =
        raincheck.client().await.start("countdown", r#"{"seconds":3600,"steps":3}"#).await.location;
    let path = location.strip_prefix(&raincheck.url).expect("the location is on the server").to_owned();
    // Its status is on the disk, and stays as it is.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let body = raincheck.client().await.get(&path).await.body;
    let bare = Server::bare(&body).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        theirs.push(load("bare warp route, 64 connections", &bare, 64, "/status").await);
        ours.push(load("poll in memory, 64 connections", &raincheck, 64, &path).await);
    }
    let best = |costs: &[f64]| costs.iter().copied().fold(f64::INFINITY, f64::min);
    println!("poll: {:.2} times the CPU of the bare route", best(&ours) / best(&theirs));
}

async fn load(name: &str, server: &Server, connections: usize, path: &str) -> f64 {
    measure(name, server, connections, async |client: &mut Client| {
        client.get(path).await;
    })
    .await
}

/// Starts, each synced before its 202, with key check, validation and idempotency key, and running its three steps.
async fn starts(connections: usize) {
    let server = Server::raincheck().await;
    let name = format!("start of three steps, {connections} connections");
    let serial = AtomicU64::new(0);
    measure(&name, &server, connections, async |client: &mut Client| {
        let key = serial.fetch_add(1, Ordering::Relaxed);
        client.start_with("countdown", r#"{"seconds":0,"steps":3}"#, &format!("key-{key}")).await;
    })
    .await;
}

/// Whole operations of three steps: start, then poll every 10 ms until the end.
async fn journeys(clients: usize) {
    let server = Server::raincheck().await;
    let name = format!("start, three steps, poll every 10 ms to the end, {clients} clients");
    measure(&name, &server, clients, async |client: &mut Client| {
        let started = client.start("countdown", r#"{"seconds":0,"steps":3}"#).await;
        let path = started.location.split_once("/v1").map(|(_, rest)| format!("/v1{rest}")).expect("a path");
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if client.get(&path).await.status == 200 {
                return;
            }
        }
    })
    .await;
}

/// Operations of a declared `http` action whose target answers at once, held until they end, against the target alone.
async fn declared(clients: usize) {
    let target = Server::bare(r#"{"done":true}"#).await;
    load(&format!("the target alone, {clients} clients"), &target, clients, "/status").await;
    let server = Server::raincheck_with(&format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\nallow_plain_http = true\n\n[[action]]\nname = \"call\"\n\
         kind = \"http\"\nmethod = \"GET\"\nurl = \"{}/status\"\nconcurrency = 64\n",
        target.url
    ))
    .await;
    let name = format!("a declared http action, held to its end, {clients} clients");
    measure(&name, &server, clients, async |client: &mut Client| {
        let ended = client.start_held("call", "{}").await;
        assert_eq!(ended.status, 200, "{}", ended.body);
    })
    .await;
}

/// Does `work` on so many connections for a while; tells what it cost the server for each.
async fn measure(name: &str, server: &Server, connections: usize, work: impl AsyncFn(&mut Client)) -> f64 {
    let done = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (syncs, cpu, began) = (server.commits().await, server.cpu(), Instant::now());
    let until = began + Duration::from_secs(SECONDS);
    let connection = async || {
        let mut client = server.client().await;
        while Instant::now() < until {
            let sent = Instant::now();
            work(&mut client).await;
            done.lock().expect("no panic").push(sent.elapsed());
        }
    };
    futures_util::future::join_all((0..connections).map(|_| connection())).await;
    let (elapsed, cpu, syncs) = (began.elapsed(), server.cpu() - cpu, server.commits().await - syncs);
    let mut latencies = std::mem::take(&mut *done.lock().expect("no panic"));
    latencies.sort_unstable();
    let count = latencies.len() as f64;
    let cost = cpu.as_secs_f64() * 1e6 / count;
    println!(
        "{name}: {:.0}/s, {cost:.1} µs CPU each, p50 {:?}, p99 {:?}, {:.2} commits each",
        count / elapsed.as_secs_f64(),
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
        syncs / count,
    );
    cost
}

/// What 100,000 waiting operations weigh, and how long a restart with them takes.
async fn waiting() {
    const OPERATIONS: u64 = 99_000;
    let server = Server::raincheck().await;
    let before = server.memory();
    let serial = AtomicU64::new(0);
    let connection = async || {
        let mut client = server.client().await;
        while serial.fetch_add(1, Ordering::Relaxed) < OPERATIONS {
            client.start("countdown", r#"{"seconds":360000,"steps":1}"#).await;
        }
    };
    futures_util::future::join_all((0..64).map(|_| connection())).await;
    // Until the last custom status is on the disk.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let each = (server.memory() - before) as f64 / OPERATIONS as f64;
    println!("waiting operation: {:.0} bytes of memory, its handler included", each);
    let data = server.kill();
    let began = Instant::now();
    let server = Server::raincheck_on(data).await;
    server.client().await.get("/healthz").await;
    println!(
        "restart with {OPERATIONS} of them: {:?} from the start of the process to the first answer",
        began.elapsed()
    );
}

/// From the start of the process to the first 202, on an empty and new data directory.
async fn first() {
    let mut times = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        let server = Server::raincheck().await;
        server.client().await.start("countdown", r#"{"seconds":0,"steps":3}"#).await;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    println!("from the start of the process to the first 202: median {:?}, worst {:?}", times[5], times[9]);
}
