//! The status on each change, as server-sent events, to many readers at once.

use futures_util::future::join_all;
use raincheck::Operation;
use raincheck_server::{Action, Context, EventSettings, Failure, Settings};
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

/// Waits for a word, and asks to be polled every ten minutes.
struct Patient;

impl Action for Patient {
    const NAME: &'static str = "patient";
    type Input = ();
    type Output = String;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Waits for a word").event(EventSettings::new::<String>("word").many()).pace(600)
    }

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<String, Failure> {
        loop {
            match cx.event::<String>("word", None).await? {
                Some(word) if word == "enough" => return Ok(word),
                Some(word) => cx.custom_status(word),
                None => {}
            }
        }
    }
}

#[tokio::test]
async fn the_sdk_hears_of_each_change_long_before_it_would_poll() {
    let server = Setup::new()
        .config(|config| config.polling.longest_wait = std::time::Duration::ZERO)
        .builder(|builder| builder.action(Patient))
        .start()
        .await;
    let mut operation: Operation<String> = server.client().start("patient", &()).await.expect("a start");
    let event = format!("/v1/actions/patient/operations/{}/events/word", operation.id().expect("an id"));

    let mut words = ["one", "two", "enough"].into_iter();
    let mut said = None;
    let mut updates = operation.updates();
    let listening = async {
        while let Some(view) = updates.next().await {
            // Each word is said once the one before was heard.
            if view.expect("a status").custom_status == said
                && let Some(word) = words.next()
            {
                assert_eq!(server.post(&event, json!(word)).await.status, 202);
                said = Some(json!(word));
            }
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("it is heard in time");

    assert_eq!(words.next(), None);
    assert_eq!(operation.await.expect("an output"), "enough");
}
