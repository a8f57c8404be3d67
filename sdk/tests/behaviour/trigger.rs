//! Triggers: what has ended comes once and in order, whoever is killed and whatever fails.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use raincheck::{Client, Outcome, Status, StatusView, Trigger, TriggerState};
use serde_json::{Value, json};
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::*;

const FEED: &str = "/v1/triggers/countdown/finished";

type Ends = Trigger<StatusView<Value, u32>>;

/// What has ended, as a raincheck server tells it: pages of two.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<Vec<Value>>>);

impl Feed {
    pub(crate) async fn at(server: &MockServer) -> Self {
        let feed = Self::default();
        Mock::given(method("GET")).and(path(FEED)).respond_with(feed.clone()).mount(server).await;
        feed
    }

    pub(crate) fn end(&self, id: &str) {
        let mut view = with(view("Succeeded"), "output", 7);
        view["id"] = id.into();
        self.0.lock().unwrap().push(view);
    }
}

impl Respond for Feed {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let ends = self.0.lock().unwrap();
        let asked = request.url.query_pairs().find(|(name, _)| name == "triggerState");
        let from: usize = asked.map_or(ends.len(), |(_, state)| state.parse().unwrap());
        let news: Vec<_> = ends.iter().skip(from).take(2).collect();
        let next = format!("{FEED}?mode=batch&triggerState={}&token={TOKEN}", from + news.len());
        let answer = match &*news {
            [] => ResponseTemplate::new(202),
            news => ResponseTemplate::new(200).set_body_json(news),
        };
        answer.insert_header("location", next).insert_header("retry-after", "0")
    }
}

async fn id(ends: &mut Ends) -> String {
    ends.next().await.unwrap().read().unwrap().id
}

fn stored(state: &TriggerState) -> String {
    serde_json::to_string(state).unwrap()
}

fn attached(client: &Client, stored: &str) -> Ends {
    client.attach_trigger(serde_json::from_str(stored).unwrap())
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

#[tokio::test]
async fn what_ends_from_now_on_is_told_typed_and_in_order() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    feed.end("history");
    let mut ends = client(&server).finished::<u32>("countdown").await.unwrap();
    feed.end("a");
    feed.end("b");
    feed.end("c");

    let first = ends.next().await.unwrap().read().unwrap();

    assert_eq!((first.id.as_str(), first.status, first.output), ("a", Status::Succeeded, Some(7)));
    assert_eq!((id(&mut ends).await, id(&mut ends).await), ("b".to_owned(), "c".to_owned()));
}

#[tokio::test]
async fn a_wish_is_in_the_first_url_and_the_key_goes_along() {
    let server = MockServer::start().await;
    Feed::at(&server).await;

    let wish = client(&server).finished::<u32>("countdown").outcomes([Outcome::Failed, Outcome::Canceled]);
    let _ = wish.of_everybody().await.unwrap();

    let request = &requests(&server).await[0];
    assert_eq!(request.url.query(), Some("mode=batch&outcome=Failed&outcome=Canceled&scope=all"));
    assert_eq!(header(request, "authorization"), Some(format!("Bearer {KEY}")));
}

#[tokio::test]
async fn a_consumer_that_is_killed_after_each_item_sees_each_once() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    let mut kept = stored(client(&server).finished::<u32>("countdown").await.unwrap().state());
    let all = ["a", "b", "c", "d", "e"];
    all.iter().for_each(|id| feed.end(id));

    let mut seen = Vec::new();
    for _ in all {
        let mut ends = attached(&client(&server), &kept);
        let item = ends.next().await.unwrap();
        seen.push(item.read().unwrap().id);
        kept = stored(item.state());
        assert_eq!(item.state(), ends.state());
    }

    assert_eq!(seen, all);
    assert!(attached(&client(&server), &kept).poll().await.unwrap().is_none());
}

#[tokio::test]
async fn an_item_that_was_not_dealt_with_comes_again() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    let mut ends = client(&server).finished::<u32>("countdown").await.unwrap();
    feed.end("a");
    feed.end("b");

    let kept = stored(ends.next().await.unwrap().state());
    id(&mut ends).await;

    assert_eq!(id(&mut attached(&client(&server), &kept)).await, "b");
}

#[tokio::test]
async fn nothing_is_asked_before_what_was_told_is_given_out() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    let mut ends = client(&server).finished::<u32>("countdown").await.unwrap();
    ["a", "b", "c"].iter().for_each(|id| feed.end(id));

    id(&mut ends).await;
    let pause = ends.pause();
    id(&mut ends).await;
    let two = requests(&server).await.len();
    id(&mut ends).await;

    assert_eq!((two, requests(&server).await.len(), pause), (2, 3, Duration::ZERO));
}

#[tokio::test]
async fn polls_that_fail_are_repeated_for_as_long_as_it_takes() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    let mut ends = client(&server).finished::<u32>("countdown").await.unwrap();
    feed.end("a");
    for status in [408, 429, 500, 502, 503, 504] {
        Mock::given(any())
            .respond_with(ResponseTemplate::new(status))
            .up_to_n_times(2)
            .with_priority(1)
            .mount(&server)
            .await;
    }

    assert_eq!(id(&mut ends).await, "a");
    assert_eq!(requests(&server).await.len(), 1 + 12 + 1);
}

#[tokio::test]
async fn connections_that_break_are_made_again() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n[{\"id\":".to_owned();
    let url = raw(vec![String::new(), half, String::new(), raw_answer(200, "", &json!([4]))]).await;

    let mut numbers = builder(url.clone()).build().unwrap().trigger::<u32>(&url).unwrap();

    assert_eq!(numbers.next().await.unwrap().read().unwrap(), 4);
}

#[tokio::test]
async fn the_first_poll_gives_up_as_a_start_does() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(503)).mount(&server).await;

    let error = client(&server).finished::<u32>("countdown").await.unwrap_err();

    assert!(error.is_unavailable(), "{error:?}");
    assert_eq!(requests(&server).await.len(), 3);
}

#[tokio::test]
async fn a_refusal_ends_it_and_says_why_and_shows_no_secret() {
    for (status, code) in [(401, "unauthenticated"), (404, "not-found"), (410, "link-expired")] {
        let server = MockServer::start().await;
        let kept = format!(r#"{{"v":1,"url":"{}{FEED}?token={TOKEN}"}}"#, server.uri());
        let detail = format!("no {FEED}?token={TOKEN}");
        let refusal = ResponseTemplate::new(status).set_body_json(problem(status, code, &detail));
        Mock::given(any()).respond_with(refusal).mount(&server).await;
        let ends = attached(&client(&server), &kept);

        let shown = format!("{ends:?}");
        let told: Vec<_> = ends.into_stream().collect().await;

        let [Err(error)] = &*told else { panic!("{told:?}") };
        assert!(error.is_refused() && error.status() == Some(status), "{error:?}");
        assert_eq!(error.problem().map(|problem| problem.code.as_str()), Some(code));
        let shown = format!("{shown} {error} {error:?}");
        assert!(!shown.contains(TOKEN) && !shown.contains(KEY), "{shown}");
    }
}

#[tokio::test]
async fn a_location_elsewhere_is_followed_without_the_key() {
    let (server, other) = (MockServer::start().await, MockServer::start().await);
    Feed::at(&other).await.end("a");
    let elsewhere = format!("{}{FEED}?triggerState=0", other.uri());
    let away =
        ResponseTemplate::new(202).insert_header("location", &*elsewhere).insert_header("retry-after", "0");
    Mock::given(any()).respond_with(away).mount(&server).await;

    let mut ends = client(&server).finished::<u32>("countdown").await.unwrap();

    assert_eq!(id(&mut ends).await, "a");
    assert!(header(&requests(&server).await[0], "authorization").is_some());
    assert_eq!(header(&requests(&other).await[0], "authorization"), None);
}

#[tokio::test]
async fn a_call_that_is_dropped_loses_nothing() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    let mut ends = client(&server).finished::<u32>("countdown").await.unwrap();
    feed.end("a");

    let dropped = ends.next().now_or_never();

    assert!(dropped.is_none());
    assert_eq!(id(&mut ends).await, "a");
}

#[tokio::test]
async fn a_server_may_hold_a_poll_unless_the_caller_only_comes_by() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    let client = builder(server.uri()).prefer_wait(Duration::from_secs(9)).build().unwrap();
    let mut ends = client.finished::<u32>("countdown").await.unwrap();
    assert!(ends.poll().await.unwrap().is_none());
    feed.end("a");
    id(&mut ends).await;

    let wishes: Vec<_> = requests(&server).await.iter().map(|request| header(request, "prefer")).collect();

    assert_eq!(wishes, [Some("wait=9".to_owned()), None, Some("wait=9".to_owned())]);
}

#[tokio::test]
async fn whoever_comes_by_learns_at_once_that_a_poll_failed() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503).insert_header("retry-after", "30"))
        .mount(&server)
        .await;
    let mut ends = client(&server).trigger::<Value>(&format!("{}{FEED}", server.uri())).unwrap();

    let error = ends.poll().await.unwrap_err();

    assert!(error.is_unavailable(), "{error:?}");
    assert!(ends.pause() > Duration::from_secs(20));
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_not_in_the_way_of_the_next() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!(["no number", 2])))
        .mount(&server)
        .await;
    let mut numbers = client(&server).trigger::<u32>(&server.uri()).unwrap();

    let odd = numbers.next().await.unwrap();

    assert!(odd.read().unwrap_err().is_decode());
    assert_eq!(odd.body(), "\"no number\"");
    assert_eq!(numbers.next().await.unwrap().read().unwrap(), 2);
}

#[tokio::test]
async fn a_trigger_of_another_api_tells_one_thing_at_a_time() {
    let server = MockServer::start().await;
    let news = |order: u32, next: &str| {
        let answer = ResponseTemplate::new(200).set_body_json(json!({"order": order}));
        answer.insert_header("location", next).insert_header("retry-after", "0")
    };
    let quiet =
        ResponseTemplate::new(202).insert_header("location", "orders?s=0").insert_header("retry-after", "0");
    for (state, answer) in
        [("api-version=1", quiet), ("s=0", news(1, "?s=1")), ("s=1", news(2, "/hooks/orders?s=2"))]
    {
        let query = move |request: &Request| request.url.query() == Some(state);
        Mock::given(path("/hooks/orders")).and(query).respond_with(answer).mount(&server).await;
    }
    let mut orders =
        client(&server).trigger::<Value>(&format!("{}/hooks/orders?api-version=1", server.uri())).unwrap();

    let (first, second) = (orders.next().await.unwrap(), orders.next().await.unwrap());

    assert_eq!((first.body(), second.body()), (r#"{"order":1}"#, r#"{"order":2}"#));
    assert!(stored(second.state()).contains("/hooks/orders?s=2"));
}
