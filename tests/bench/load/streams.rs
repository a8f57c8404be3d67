//! Ten thousand readers of updates on one process: what each weighs, and how long a change takes to reach all of them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::Server;

const READERS: usize = 10_000;

/// How many connections are opened at a time: more would overflow the queue of a listener.
const AT_ONCE: usize = 100;

/// One operation with all the readers.
pub(crate) async fn measure() {
    let server = Server::raincheck_with("[limits]\nstreams_per_caller = 10000\n").await;
    let mut client = server.client().await;
    let location = client.start("request-approval", r#"{"subject":"x"}"#).await.location;
    // Its status is on the disk, and stays as it is.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let path = location.strip_prefix(&server.url).expect("on the server").replace('?', "/events?");

    let (before, began, cpu) = (server.memory(), Instant::now(), server.cpu());
    let mut readers = Vec::with_capacity(READERS);
    while readers.len() < READERS {
        readers.extend(join_all((0..AT_ONCE).map(|_| open(&server, &path))).await);
    }
    println!(
        "{READERS} streams: opened in {:?}, {:.0} µs of CPU and {:.1} KiB of memory each",
        began.elapsed(),
        (server.cpu() - cpu).as_secs_f64() * 1e6 / READERS as f64,
        (server.memory() - before) as f64 / READERS as f64 / 1024.0,
    );

    let (began, cpu) = (Instant::now(), server.cpu());
    let reading = join_all(readers.into_iter().map(async |mut reader: TcpStream| {
        let mut text = String::new();
        while !text.contains("Succeeded") {
            read(&mut reader, &mut text).await;
        }
        began.elapsed()
    }));
    let (resource, _) = location.split_once('?').expect("a token");
    let event = format!("{}/events/decision", resource.strip_prefix(&server.url).expect("on the server"));
    let (mut times, _) = tokio::join!(reading, client.send(&event, r#"{"approved":true}"#));
    times.sort_unstable();
    println!(
        "a change reached {READERS} streams: the first after {:?}, half of them after {:?}, all after {:?}; {:.0} µs of CPU each",
        times[0],
        times[READERS / 2],
        times[READERS - 1],
        (server.cpu() - cpu).as_secs_f64() * 1e6 / READERS as f64,
    );
}

/// A stream that has shown its first view.
async fn open(server: &Server, path: &str) -> TcpStream {
    let address = server.url.strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut text = String::new();
    while !text.contains("\ndata: ") {
        read(&mut stream, &mut text).await;
    }
    stream
}

async fn read(stream: &mut TcpStream, text: &mut String) {
    let mut buffer = [0; 2048];
    let read = stream.read(&mut buffer).await.expect("the server answers");
    assert_ne!(read, 0, "the server closed the connection after {text}");
    text.push_str(std::str::from_utf8(&buffer[..read]).expect("ASCII"));
}
