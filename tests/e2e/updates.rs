//! The status on each change, as server-sent events, to many readers at once.

use futures_util::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Setup, TestServer};

/// A stream of updates, read as it comes.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(server: &TestServer, location: &str) -> Self {
        let url = location.replace("?token=", "/events?token=");
        let response = server.http.get(url).send().await.expect("an answer");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().expect("a value"))
        );
        Self { response, text: String::new() }
    }

    /// The next status view; `None` once the server has ended the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.text = rest.to_owned();
                match data {
                    Some(data) => return Some(data.parse().expect("JSON")),
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await.expect("the stream ends in good order")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("whole characters"));
        }
    }
}

async fn approval(server: &TestServer) -> String {
    server.post("/v1/actions/request-approval", json!({ "subject": "x" })).await.location()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_readers_of_one_operation_see_its_end_and_that_of_the_stream() {
    let server = TestServer::start().await;
    let location = approval(&server).await;
    let mut streams = join_all((0..200).map(|_| Stream::open(&server, &location))).await;
    let seen = join_all(streams.iter_mut().map(Stream::next)).await;
    assert!(
        seen.iter().flatten().all(|view| view["finishedAt"].is_null()) && seen.iter().all(Option::is_some)
    );

    let resource = location.split('?').next().expect("a URL");
    server.post(&format!("{resource}/events/decision"), json!({ "approved": true })).await;

    let readers = streams.iter_mut().map(async |stream| {
        let mut last = Value::Null;
        while let Some(view) = stream.next().await {
            last = view;
        }
        last
    });
    let ends = tokio::time::timeout(PATIENCE, join_all(readers)).await.expect("every stream ends");
    let shown = server.get(&location).await.json();
    assert!(ends.iter().all(|last| *last == shown), "{shown}\n{ends:?}");
}

#[tokio::test]
async fn a_server_that_stops_lets_its_readers_go() {
    let server = Setup::new().config(|config| config.drain_time = PATIENCE * 10).start().await;
    let location = approval(&server).await;
    let mut stream = Stream::open(&server, &location).await;
    stream.next().await.expect("the first view");

    let rest = async { while stream.next().await.is_some() {} };
    tokio::join!(server.stop(), rest);
}
