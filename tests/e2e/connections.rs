//! Clients that are slow, silent, malformed, or many: the server goes on answering the others, and stays small.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::harness::{Answer, Launch, PATIENCE, ServerProcess, TestServer, long, skip};

/// Small limits, so that patience ends within the time of a test.
const IMPATIENT: &str = r#"
[limits]
header_time = "1s"
body_time = "1s"
idle_time = "2s"
request_body = "64 KiB"
"#;

/// What a bad client does, and how what it gets begins; nothing, if it is cut off without a word.
#[derive(Debug, Clone, Copy)]
enum Bad {
    SaysNothing,
    StopsInTheHead,
    HeadByteByByte,
    BodyByteByByte,
    BreaksOffTheBody,
    ChunksWithoutEnd,
    ChunkOfNoSize,
    SpeaksNoHttp,
    HugeHead,
    ReadsNoAnswer,
}

impl Bad {
    const ALL: [Self; 10] = [
        Self::SaysNothing,
        Self::StopsInTheHead,
        Self::HeadByteByByte,
        Self::BodyByteByByte,
        Self::BreaksOffTheBody,
        Self::ChunksWithoutEnd,
        Self::ChunkOfNoSize,
        Self::SpeaksNoHttp,
        Self::HugeHead,
        Self::ReadsNoAnswer,
    ];

    const fn answers(self) -> &'static [&'static str] {
        match self {
            Self::SaysNothing | Self::StopsInTheHead | Self::HeadByteByByte => &["", "HTTP/1.1 408"],
            Self::BodyByteByByte => &["HTTP/1.1 408"],
            Self::BreaksOffTheBody => &["", "HTTP/1.1 400", "HTTP/1.1 408"],
            // A crowd may keep the machine so busy that the time is over first.
            Self::ChunksWithoutEnd => &["HTTP/1.1 413", "HTTP/1.1 408"],
            Self::ChunkOfNoSize | Self::SpeaksNoHttp => &["HTTP/1.1 400"],
            Self::HugeHead => &["HTTP/1.1 431", ""],
            Self::ReadsNoAnswer => &["HTTP/1.1 200"],
        }
    }

    /// Does it, until the server ends the connection. What it got.
    async fn act(self, address: &str, key: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("the server takes connections");
        let head = format!("POST /v1/actions/countdown HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n");
        match self {
            Self::SaysNothing => {}
            Self::StopsInTheHead => send(&mut stream, head.as_bytes()).await,
            Self::HeadByteByByte => drip(&mut stream, head.as_bytes()).await,
            Self::BodyByteByByte => {
                send(&mut stream, format!("{head}content-length: 100\r\n\r\n").as_bytes()).await;
                drip(&mut stream, &[b' '; 100]).await;
            }
            Self::BreaksOffTheBody => {
                send(&mut stream, format!("{head}content-length: 100\r\n\r\n{{\"sec").as_bytes()).await;
                stream.shutdown().await.ok();
            }
            Self::ChunksWithoutEnd => {
                send(&mut stream, format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await;
                let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
                for _ in 0..64 {
                    send(&mut stream, chunk.as_bytes()).await;
                }
            }
            Self::ChunkOfNoSize => {
                send(&mut stream, format!("{head}transfer-encoding: chunked\r\n\r\nno-size\r\n").as_bytes())
                    .await;
            }
            Self::SpeaksNoHttp => send(&mut stream, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await,
            Self::HugeHead => {
                let line = format!("x-filler: {}\r\n", "y".repeat(8000));
                send(&mut stream, head.as_bytes()).await;
                for _ in 0..100 {
                    send(&mut stream, line.as_bytes()).await;
                }
            }
            Self::ReadsNoAnswer => {
                // More answers than the buffers on the way hold; the first part is read when all is over.
                for _ in 0..200 {
                    send(&mut stream, b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await;
                }
                sleep(Duration::from_secs(4)).await;
            }
        }
        let mut got = Vec::new();
        // A reset is an end as well.
        let ended = timeout(PATIENCE, stream.read_to_end(&mut got)).await;
        drop(ended.unwrap_or_else(|_| panic!("{self:?} is still connected")));
        String::from_utf8_lossy(&got[..got.len().min(200)]).into_owned()
    }
}

/// A server that has had enough may be gone already.
async fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = timeout(Duration::from_secs(5), stream.write_all(bytes)).await;
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_clients_of_every_kind_end_and_others_are_answered_meanwhile() {
    let each = if long() { 200 } else { 30 };
    let launch = Launch::new().config(IMPATIENT);
    let server = launch.start().await;
    let address = server.url("").trim_start_matches("http://").to_owned();
    let crowd: Vec<_> = Bad::ALL.iter().flat_map(|&bad| std::iter::repeat_n(bad, each)).collect();
    let memory = server.memory();

    let bad = join_all(crowd.into_iter().map(|bad| {
        let (address, key) = (address.clone(), server.key.clone());
        async move { (bad, bad.act(&address, &key).await) }
    }));
    let (ended, slowest) = tokio::join!(bad, answered_meanwhile(&server, Duration::from_secs(4)));

    for (bad, got) in ended {
        let expected = |begin: &&str| if begin.is_empty() { got.is_empty() } else { got.starts_with(*begin) };
        assert!(bad.answers().iter().any(expected), "{bad:?} got {got:?}");
    }
    assert!(slowest < Duration::from_secs(5), "somebody waited {slowest:?}");
    let more = server.memory().saturating_sub(memory);
    assert!(more < 64 << 20, "{} KiB more after bad clients", more >> 10);
}

/// Starts operations one after the other for some time; the longest that one answer took.
async fn answered_meanwhile(server: &ServerProcess, time: Duration) -> Duration {
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    while begin.elapsed() < time {
        let sent = Instant::now();
        let start = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(&server.key);
        let answer = Answer::to(start.json(&json!({ "seconds": 0, "steps": 1 }))).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        slowest = slowest.max(sent.elapsed());
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_leave_room_for_others() {
    const WANTED: usize = 10_000;
    // The server has the same limit, and needs some files for itself.
    let count = WANTED.min(files().saturating_sub(500));
    if count < WANTED {
        let why =
            format!("only {count} connections: the limit of open files is {}; see `ulimit -n`", files());
        skip("ten_thousand_idle_connections_leave_room_for_others (in part)", &why);
    }
    let server = ServerProcess::start().await;
    let address = server.url("").trim_start_matches("http://").to_owned();
    let memory = server.memory();

    let mut idle = Vec::with_capacity(count);
    for number in 0..count {
        let mut stream = TcpStream::connect(&address).await.expect("the server takes connections");
        // Half of them have asked before they fell silent.
        if number % 2 == 0 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let read = timeout(PATIENCE, stream.read(&mut [0; 512])).await.expect("an answer").unwrap();
            assert!(read > 0);
        }
        idle.push(stream);
    }
    let slowest = answered_meanwhile(&server, Duration::from_secs(1)).await;

    assert!(slowest < Duration::from_secs(5), "somebody waited {slowest:?}");
    let each = server.memory().saturating_sub(memory) / count as u64;
    println!("{each} bytes for each idle connection");
    assert!(each < 32 << 10, "{each} bytes for each idle connection");
    let begin = Instant::now();
    assert!(server.terminate().await.success());
    assert!(begin.elapsed() < Duration::from_secs(15), "it took {:?} to stop", begin.elapsed());
}

#[tokio::test]
async fn a_connection_that_has_asked_nothing_yet_does_not_hold_up_a_shutdown() {
    let server = TestServer::start().await;
    let address = server.url("").trim_start_matches("http://").to_owned();
    let silent = TcpStream::connect(&address).await.unwrap();
    // Answered after it was accepted, as connections are taken in order.
    server.get("/healthz").await;
    let begin = Instant::now();

    server.stop().await;

    assert!(begin.elapsed() < Duration::from_secs(15), "it took {:?}", begin.elapsed());
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_whose_callers_hang_up_do_not_hold_up_a_shutdown() {
    for round in 0..10 {
        let server = TestServer::start().await;
        let start = || {
            let start = server.http.post(server.url("/v1/actions/request-approval")).bearer_auth(&server.key);
            tokio::spawn(start.json(&json!({ "subject": "s" })).send())
        };
        let starts: Vec<_> = (0..20).map(|_| start()).collect();
        // Some of them are being accepted when their callers go.
        sleep(Duration::from_millis(5 + 2 * round)).await;
        starts.iter().for_each(tokio::task::JoinHandle::abort);
        let begin = Instant::now();

        server.stop().await;

        assert!(begin.elapsed() < Duration::from_secs(15), "round {round}: it took {:?}", begin.elapsed());
    }
}

/// How many files this process may open.
fn files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).unwrap_or(1024)
}
