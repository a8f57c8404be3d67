//! What is measured of every client: the CPU and time of an operation, and the memory of one that waits.
//!
//! The client has the process to itself; the server (`mock`) is another one. An operation is a POST that answers 202,
//! a GET that answers 202 and a GET that answers 200, all with `Retry-After: 0`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A client under measurement.
pub trait Subject: 'static {
    /// What the tables call it.
    const NAME: &'static str;

    /// A client of the server at `url`, with at most so many requests in flight.
    fn new(url: String, in_flight: usize) -> Self;

    /// One operation, from its start to its result.
    fn operation(&self) -> impl Future<Output = ()>;

    /// Starts an operation that will not be polled within the hour, calls `asleep`, and waits for its end.
    fn waiting(&self, asleep: fn()) -> impl Future<Output = ()>;
}

/// The server, ended with the measurement.
pub struct Mock {
    pub url: String,
    process: Child,
}

impl Mock {
    pub fn start() -> Self {
        let here = std::env::current_exe().expect("this program has a path");
        let program: PathBuf = here.with_file_name("mock");
        let mut process =
            Command::new(program).stdout(Stdio::piped()).spawn().expect("mock, built beside this");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("its first line");
        let url = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
        Self { url, process }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs what the command line asks for: `NAME cpu CONCURRENCY OPERATIONS` or `NAME memory OPERATIONS`. Each run is a
/// process of its own, so that no client inherits the memory or the warm connections of another.
pub fn run<S: Subject>(arguments: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mock = Mock::start();
    let number = |at: usize| arguments[at].parse::<usize>().expect("a number");
    let local = tokio::task::LocalSet::new();
    match arguments[0].as_str() {
        "cpu" => local.block_on(&runtime, cpu::<S>(&mock.url, number(1), number(2))),
        "memory" => local.block_on(&runtime, memory::<S>(&mock.url, number(1))),
        other => panic!("cpu or memory, not {other}"),
    }
}

async fn cpu<S: Subject>(url: &str, concurrency: usize, operations: usize) {
    let subject = Rc::new(S::new(url.to_owned(), concurrency));
    for _ in 0..operations / 10 {
        subject.operation().await;
    }
    let (before, begin) = (cpu_time(), Instant::now());
    let workers: Vec<_> = (0..concurrency)
        .map(|_| {
            let subject = subject.clone();
            tokio::task::spawn_local(async move {
                let mut times = Vec::with_capacity(operations / concurrency);
                for _ in 0..operations / concurrency {
                    let begin = Instant::now();
                    subject.operation().await;
                    times.push(begin.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.await.expect("a worker that ends"));
    }
    let (spent, took) = (cpu_time() - before, begin.elapsed());
    times.sort_unstable();
    let count = times.len();
    println!(
        "{{\"client\":\"{}\",\"concurrency\":{concurrency},\"cpu_us\":{:.1},\"p50_us\":{},\"per_second\":{:.0}}}",
        S::NAME,
        spent.as_secs_f64() * 1e6 / count as f64,
        times[count / 2].as_micros(),
        count as f64 / took.as_secs_f64(),
    );
}

/// A static: a waiting operation that carried its counter would be measured with it.
static ASLEEP: AtomicUsize = AtomicUsize::new(0);

fn count_asleep() {
    ASLEEP.fetch_add(1, Ordering::Relaxed);
}

/// The limit on requests in flight where memory is measured.
const IN_FLIGHT: usize = 64;

async fn memory<S: Subject>(url: &str, operations: usize) {
    let subject = Rc::new(S::new(url.to_owned(), IN_FLIGHT));
    // Connections, buffers and the allocator's first pages belong to the client, not to an operation; so as many
    // requests are in flight now as later.
    let warm: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let subject = subject.clone();
            tokio::task::spawn_local(async move {
                for _ in 0..50 {
                    subject.operation().await;
                }
            })
        })
        .collect();
    for worker in warm {
        worker.await.expect("a worker that ends");
    }
    let before = resident();
    let mut all = Vec::with_capacity(operations);
    for _ in 0..operations {
        let subject = subject.clone();
        all.push(tokio::task::spawn_local(async move { subject.waiting(count_asleep).await }));
    }
    while ASLEEP.load(Ordering::Relaxed) < operations {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let grown = resident().saturating_sub(before);
    let kib = grown as f64 / 1024.0 / operations as f64;
    println!("{{\"client\":\"{}\",\"operations\":{operations},\"kib_each\":{kib:.2}}}", S::NAME);
    // Without ending them one by one.
    std::process::exit(0);
}

/// User and system time of this thread, the only one that a client here runs on.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    Duration::from_nanos(stat.split(' ').next().and_then(|text| text.parse().ok()).expect("nanoseconds"))
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("pages");
    pages * 4096
}
