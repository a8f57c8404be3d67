//! The client without an async runtime, against a server that has one of its own.

use raincheck::{Status, StatusView, blocking};
use serde_json::Value;
use tokio::runtime::Runtime;
use wiremock::MockServer;

use crate::support::*;

/// A server on threads of its own, and a blocking client of it.
fn serve(answers: Vec<wiremock::ResponseTemplate>) -> (Runtime, MockServer, blocking::Client) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        starts(&server, [accepted(&server, "0")]).await;
        polls(&server, answers).await;
        server
    });
    let client = blocking::Client::new(client(&server)).unwrap();
    (runtime, server, client)
}

#[test]
fn a_blocking_start_is_waited_for_until_its_output() {
    let (_runtime, _server, client) = serve(vec![running("0"), succeeded("done")]);

    let operation: blocking::Operation<String> = client.start("countdown", &()).unwrap();

    assert_eq!((operation.id(), operation.status()), (Some("op-1"), Status::NotStarted));
    assert_eq!(operation.wait().unwrap(), "done");
}

#[test]
fn updates_are_an_iterator_and_a_token_goes_on() {
    let (_runtime, _server, client) = serve(vec![running("0"), running("0"), succeeded(7)]);
    let operation: blocking::Operation<u32> = client.start("countdown", &()).unwrap();

    let mut attached: blocking::Operation<u32> = client.attach(operation.token());
    let seen: Vec<Status> = attached.updates().map(|view| view.unwrap().status).collect();

    assert_eq!(seen, [Status::Running, Status::Running, Status::Succeeded]);
    assert_eq!(attached.wait().unwrap(), 7);
}

#[test]
fn a_trigger_is_an_iterator_and_its_state_goes_on() {
    let (runtime, server, client) = serve(vec![succeeded(7)]);
    let wish = builder(server.uri()).build().unwrap().finished::<u32>("countdown");
    let feed = runtime.block_on(crate::trigger::Feed::at(&server));
    let mut ends = client.finished(wish).unwrap();
    ["a", "b", "c"].iter().for_each(|id| feed.end(id));

    let first = ends.next().unwrap().unwrap();
    let attached = client.attach_trigger::<StatusView<Value, u32>>(first.state().clone());
    let rest: Vec<String> = attached.take(2).map(|end| end.unwrap().read().unwrap().id).collect();

    assert_eq!((first.read().unwrap().output, rest), (Some(7), vec!["b".to_owned(), "c".to_owned()]));
    assert!(ends.poll().unwrap().is_some());
}

#[test]
fn a_blocking_call_inside_of_a_runtime_is_an_error_and_no_panic() {
    let (runtime, _server, client) = serve(vec![succeeded(7)]);

    let error = runtime.block_on(async { client.start::<u32>("countdown", &()).unwrap_err() });

    assert!(error.is_usage(), "{error}");
    // Dropped where nothing may block.
    runtime.block_on(async move { drop(client) });
}
