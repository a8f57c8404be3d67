//! What a connection may do, over real sockets.

use std::net::SocketAddr;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

struct Served {
    world: World,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

async fn serve(change: impl FnOnce(&mut HttpSettings)) -> Served {
    let mut settings = HttpSettings::default();
    change(&mut settings);
    let world = World::with(settings, Limits::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let app = Arc::clone(&world.app);
    let serving = tokio::spawn(super::super::serve_public(listener, app, async {
        let _ = stopped.await;
    }));
    Served { world, address, stop, serving }
}

async fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.address).await.unwrap()
}

/// Everything until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let reading = stream.read_to_end(&mut text);
    // A reset is an end too.
    let _ = tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .expect("the server closes the connection");
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads until the text holds `end`.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.contains(end) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "closed after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_connection_serves_many_requests_with_an_id_each() {
    let served = serve(|_| {}).await;
    let mut stream = connect(&served).await;

    stream.write_all(HEALTH).await.unwrap();
    let first = until(&mut stream, "\r\n\r\nok").await;
    stream.write_all(HEALTH).await.unwrap();
    let second = until(&mut stream, "\r\n\r\nok").await;

    let id = |text: &str| text.lines().find(|line| line.starts_with("x-request-id: ")).unwrap().to_owned();
    assert_ne!(id(&first), id(&second));
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let served = serve(|_| {}).await;
    let mut stream = connect(&served).await;

    stream.write_all(b"HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();

    let text = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains("content-length: 2"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_ends_the_connection() {
    let served = serve(|settings| settings.limits.header_time = Duration::from_millis(50)).await;
    let mut stream = connect(&served).await;

    stream.write_all(b"GET /healthz HTTP/1.1\r\nho").await.unwrap();

    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_silent_connection_ends_after_the_idle_time_and_not_after_the_time_for_a_head() {
    let served = serve(|settings| {
        settings.limits.header_time = Duration::from_millis(1);
        settings.limits.idle_time = Duration::from_millis(300);
    })
    .await;
    let mut stream = connect(&served).await;
    stream.write_all(HEALTH).await.unwrap();
    until(&mut stream, "\r\n\r\nok").await;
    let silent_since = std::time::Instant::now();

    assert_eq!(rest(&mut stream).await, "");
    assert!(silent_since.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn who_sends_a_refused_body_to_its_end_still_reads_why_it_was_refused() {
    let served = serve(|_| {}).await;
    let body = vec![b' '; 32 << 20];

    for (key, refusal) in [(&*served.world.key, "HTTP/1.1 413"), ("none", "HTTP/1.1 401")] {
        let mut stream = connect(&served).await;
        let head = format!(
            "POST /v1/actions/countdown HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();

        let text = rest(&mut stream).await;
        assert!(text.starts_with(refusal), "{text}");
    }
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408_and_the_connection_ends() {
    let served = serve(|settings| settings.limits.body_time = Duration::from_millis(50)).await;
    let mut stream = connect(&served).await;
    let head = format!(
        "POST /v1/actions/countdown HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 20\r\n\r\n{{",
        served.world.key
    );

    stream.write_all(head.as_bytes()).await.unwrap();

    let text = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(text.contains("connection: close") && text.contains("\"code\":\"request-timeout\""), "{text}");
}

#[tokio::test]
async fn what_is_not_http_gets_a_bare_400() {
    let served = serve(|_| {}).await;
    let mut stream = connect(&served).await;

    stream.write_all(b"\x16\x03\x01nonsense\r\n\r\n").await.unwrap();

    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn targets_that_are_no_paths_are_answered_too() {
    let served = serve(|_| {}).await;

    for (line, status) in [
        ("OPTIONS *", 404),
        ("CONNECT a.example:80", 404),
        ("GET http://evil.example/healthz", 200),
        ("GET //", 404),
        ("GET /v1/actions//operations//", 404),
    ] {
        let mut stream = connect(&served).await;
        let request = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = rest(&mut stream).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {text}");
    }
}

#[tokio::test]
async fn a_304_has_neither_a_body_nor_the_length_of_one() {
    let served = serve(|_| {}).await;
    let location = served.world.countdown(r#"{"seconds":0,"steps":1}"#).await;
    let target = location.strip_prefix("http://127.0.0.1:8080").unwrap();
    let mut stream = connect(&served).await;

    let poll = format!("GET {target} HTTP/1.1\r\nhost: x\r\nif-none-match: *\r\nconnection: close\r\n\r\n");
    stream.write_all(poll.as_bytes()).await.unwrap();

    let text = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 304 ") && text.ends_with("\r\n\r\n"), "{text}");
    assert!(!text.contains("content-length"), "{text}");
}

#[tokio::test]
async fn an_old_connection_ends_after_its_answer() {
    let served = serve(|settings| settings.limits.connection_age = Duration::from_millis(50)).await;
    let mut stream = connect(&served).await;

    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn over_the_limit_of_connections_others_wait_and_are_served_then() {
    let served = serve(|settings| settings.limits.connections = 1).await;
    let mut first = connect(&served).await;
    first.write_all(HEALTH).await.unwrap();
    until(&mut first, "\r\n\r\nok").await;
    let mut second = connect(&served).await;
    second.write_all(HEALTH).await.unwrap();
    let mut byte = [0];
    assert!(second.read(&mut byte).now_or_never().is_none());

    drop(first);

    until(&mut second, "\r\n\r\nok").await;
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_under_way_and_takes_nothing_new() {
    let served = serve(|_| {}).await;
    let location = served.world.approval().await;
    served.world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;
    let mut stream = connect(&served).await;
    let mut idle = connect(&served).await;
    let target = location.strip_prefix("http://127.0.0.1:8080").unwrap();
    let poll = format!("GET {target} HTTP/1.1\r\nhost: x\r\nprefer: wait=30\r\n\r\n");
    stream.write_all(poll.as_bytes()).await.unwrap();
    served.world.held().await;

    served.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    served.world.app.operations.drain();
    let text = rest(&mut stream).await;
    served.serving.await.unwrap();

    assert!(text.starts_with("HTTP/1.1 202 "), "{text}");
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_caller_who_hangs_up_is_no_longer_held() {
    let served = serve(|_| {}).await;
    let location = served.world.approval().await;
    served.world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;
    let mut stream = connect(&served).await;
    let target = location.strip_prefix("http://127.0.0.1:8080").unwrap();
    let poll = format!("GET {target} HTTP/1.1\r\nhost: x\r\nprefer: wait=30\r\n\r\n");
    stream.write_all(poll.as_bytes()).await.unwrap();
    let held = async |places: usize| {
        while served.world.app.holds.total_held() != places {
            tokio::task::yield_now().await;
        }
    };
    held(1).await;

    drop(stream);

    tokio::time::timeout(Duration::from_secs(20), held(0)).await.unwrap();
}
