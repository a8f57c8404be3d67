//! `raincheck listen`: what ends reaches a receiver as a webhook would.

use std::time::SystemTime;

use raincheck::Status;
use raincheck::webhook::{Event, Secret, verify};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::feed::*;
use crate::support::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A server at which three operations end while nobody looks, a receiver that answers like this, and what
/// `listen` does with them.
async fn listened(args: &[&str], answers: impl IntoIterator<Item = ResponseTemplate>) -> (Run, Vec<Request>) {
    let (server, receiver) = (MockServer::start().await, MockServer::start().await);
    let feed = Feed::at(&server).await;
    Mock::given(method("POST")).respond_with(Script::new(answers)).mount(&receiver).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.state");
    let state = ["--state", file.to_str().unwrap()];
    let begun = run(&server.uri(), &[&["watch", "countdown", "--once"], &state[..]].concat()).await;
    assert_eq!(begun.code, 0, "{begun:?}");
    [named("a"), failed("b"), named("c")].into_iter().for_each(|view| feed.end(view));
    let url = format!("{}/hooks", receiver.uri());
    let common = ["listen", "countdown", "--forward", &url, "--max", "3"];
    let run = run(&server.uri(), &[&common[..], &state, args].concat()).await;
    (run, receiver.received_requests().await.unwrap())
}

fn read(request: &Request, secret: &str) -> Event {
    let secret: Secret = secret.parse().unwrap();
    let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
    verify(header, &request.body, [&secret], SystemTime::now()).unwrap()
}

#[tokio::test]
async fn each_end_comes_signed_and_in_order_and_the_key_stays_here() {
    let (run, requests) = listened(&[], [ResponseTemplate::new(204)]).await;

    let secret = run.err.lines().next().unwrap().strip_prefix("signed with ").unwrap();
    let events: Vec<Event> = requests.iter().map(|request| read(request, secret)).collect();
    let seen: Vec<_> = events.iter().map(|event| (event.id.as_str(), event.operation.status)).collect();
    assert_eq!(
        seen,
        [("msg_a", Status::Succeeded), ("msg_b", Status::Failed), ("msg_c", Status::Succeeded)],
        "{run:?}"
    );
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.lines().all(|line| line.ends_with("-> taken, 204")), "{run:?}");
    assert!(requests.iter().all(|request| !request.headers.contains_key("authorization")));
}

#[tokio::test]
async fn the_form_is_the_one_that_was_asked_for() {
    let structured = "application/cloudevents+json";
    for (format, media_type, is_event) in [
        ("cloudevents-structured", structured, true),
        ("cloudevents-binary", "application/json", true),
        ("view", "application/json", false),
    ] {
        let args = ["--format", format, "--secret", SECRET];
        let (run, requests) = listened(&args, [ResponseTemplate::new(200)]).await;

        let event = read(&requests[0], SECRET);
        assert_eq!(requests[0].headers["content-type"], media_type);
        assert_eq!(event.operation.output, Some(json!(7)));
        let source = event.cloud_event.map(|event| event.source);
        assert_eq!(source.is_some(), is_event, "{format}");
        assert!(source.is_none_or(|source| source.ends_with("/v1/actions/countdown")));
        assert!(!run.err.contains(SECRET) && run.code == 0, "{run:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_cannot_now_is_tried_again_and_one_that_refuses_is_not() {
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "0").set_body_string("not now");
    let answers =
        [busy.clone(), ResponseTemplate::new(200), ResponseTemplate::new(422), ResponseTemplate::new(204)];

    let (run, requests) = listened(&["--secret", SECRET, "--json"], answers).await;

    let ids: Vec<_> = requests.iter().map(|request| read(request, SECRET).id).collect();
    assert_eq!(ids, ["msg_a", "msg_a", "msg_b", "msg_c"]);
    let told: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = told.iter().map(|told| (&told["taken"], &told["answer"], &told["answers"])).collect();
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(
        told,
        [(&yes, &json!("200"), &json!(2)), (&no, &json!("422"), &json!(1)), (&yes, &json!("204"), &json!(1))]
    );
    assert!(run.err.contains("answered 503: not now; again in 0 s"), "{run:?}");
    assert_eq!(run.code, 1);
}

#[tokio::test]
async fn five_times_not_now_is_enough() {
    let busy = ResponseTemplate::new(500).insert_header("retry-after", "0");
    let answers = std::iter::repeat_n(busy, 5).chain([ResponseTemplate::new(200)]);

    let (run, requests) = listened(&["--secret", SECRET], answers).await;

    assert_eq!((run.code, requests.len()), (1, 7), "{run:?}");
    assert!(run.out.lines().next().unwrap().ends_with("-> given up, 500"), "{run:?}");
}

#[tokio::test]
async fn a_receiver_that_does_not_run_is_waited_for() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    // It hangs up on the first one.
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", receiver.local_addr().unwrap());
    let served = tokio::spawn(async move {
        drop(receiver.accept().await.unwrap());
        let (mut stream, _) = receiver.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
    });
    let begun = server.uri();
    let args = ["listen", "countdown", "--forward", &url, "--max", "1"].map(str::to_owned);
    let listening = tokio::spawn(async move { run(&begun, &args.each_ref().map(String::as_str)).await });
    while server.received_requests().await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    feed.end(named("a"));

    let run = listening.await.unwrap();

    served.await.unwrap();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("no answer from the receiver"), "{run:?}");
    assert!(run.out.ends_with("-> taken, 204\n"), "{run:?}");
}

#[tokio::test]
async fn a_secret_that_is_none_is_refused_without_showing_it_and_before_anything_is_asked() {
    let server = MockServer::start().await;

    let args = ["listen", "countdown", "--forward", "http://127.0.0.1:1", "--secret", "tell-nobody"];
    let secret = run(&server.uri(), &args).await;
    let url = run(&server.uri(), &["listen", "countdown", "--forward", "no-url"]).await;

    assert!(secret.code == 2 && secret.err.contains("whsec_"), "{secret:?}");
    assert!(!secret.err.contains("tell-nobody"), "{secret:?}");
    assert_eq!(url.code, 2, "{url:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}
