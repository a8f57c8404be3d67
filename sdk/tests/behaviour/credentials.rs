//! Credentials: with two listeners, whatever leads from the one to the other brings none along.

use raincheck::{Client, Operation};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

const HEADER_SECRET: &str = "secret-of-a-header";
const REQUEST_SECRET: &str = "secret-of-a-request";
const DEFAULT_SECRET: &str = "secret-of-a-default-header";
const SECRETS: [&str; 4] = [KEY, HEADER_SECRET, REQUEST_SECRET, DEFAULT_SECRET];

/// The secrets that a server has seen in any of its requests.
async fn seen(server: &MockServer) -> Vec<&'static str> {
    let requests = server.received_requests().await.unwrap();
    assert!(!requests.is_empty(), "the server was never asked");
    let texts: Vec<_> =
        requests.iter().map(|request| format!("{:?} {}", request.headers, request.url)).collect();
    SECRETS.into_iter().filter(|secret| texts.iter().any(|text| text.contains(secret))).collect()
}

/// The caller's own HTTP client, with a credential that it adds by itself.
fn http() -> reqwest::Client {
    let headers =
        HeaderMap::from_iter([("x-default".parse().unwrap(), HeaderValue::from_static(DEFAULT_SECRET))]);
    reqwest::Client::builder()
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// A client with every kind of credential.
fn armed(home: &MockServer, trusted: Option<&MockServer>) -> Client {
    let armed = builder(home.uri()).header("x-functions-key", HEADER_SECRET).http(http());
    let armed = armed.carry_query("sig", HEADER_SECRET);
    match trusted {
        Some(other) => armed.trust(other.uri()),
        None => armed,
    }
    .build()
    .unwrap()
}

fn request(home: &MockServer, verb: &str) -> reqwest::RequestBuilder {
    http().request(verb.parse().unwrap(), format!("{}/start", home.uri())).header("x-api-key", REQUEST_SECRET)
}

/// Everything by which a server can lead a client elsewhere, as the answers of its start and of its `/op`.
fn ways_abroad(abroad: &str) -> Vec<(&'static str, ResponseTemplate, ResponseTemplate)> {
    let away = format!("{abroad}/op");
    let begun = |name: &str, url: &str| ResponseTemplate::new(202).insert_header(name, url);
    let redirect = |code| ResponseTemplate::new(code).insert_header("location", away.as_str());
    let uris = json!({"statusQueryGetUri": away, "terminatePostUri": format!("{abroad}/end")});
    let offered = json!({"status": "Succeeded", "resourceLocation": away});
    vec![
        ("Location", begun("location", &away), done(0)),
        ("Operation-Location", begun("operation-location", &away), done(0)),
        ("303 of the start", redirect(303), done(0)),
        ("301", begun("location", "/op"), redirect(301)),
        ("302", begun("location", "/op"), redirect(302)),
        ("303", begun("location", "/op"), redirect(303)),
        ("307", begun("location", "/op"), redirect(307)),
        ("308 of a monitor", begun("operation-location", "/op"), redirect(308)),
        ("moved", begun("location", "/op"), located(&away)),
        ("statusQueryGetUri", ResponseTemplate::new(202).set_body_json(uris), done(0)),
        ("resourceLocation", begun("operation-location", "/op"), done(offered)),
        ("a scheme of its own", begun("location", &away.replace("http:", "")), done(0)),
        ("a user name", begun("location", &away.replace("http://", "http://127.0.0.1:1@")), done(0)),
    ]
}

/// Two servers of which the first leads to the second.
async fn stage(way: usize) -> (&'static str, MockServer, MockServer) {
    let (home, abroad) = (MockServer::start().await, MockServer::start().await);
    let (name, start, op) = ways_abroad(&abroad.uri()).swap_remove(way);
    answers(&home, "PUT", "/start", [start]).await;
    answers(&home, "GET", "/op", [op]).await;
    answers(&home, "GET", "/start", [done(1)]).await;
    let body = json!({"status": "Succeeded", "runtimeStatus": "Completed"});
    Mock::given(any()).respond_with(done(body)).mount(&abroad).await;
    (name, home, abroad)
}

#[tokio::test]
async fn no_way_abroad_takes_a_credential_along() {
    for way in 0..ways_abroad("").len() {
        let (name, home, abroad) = stage(way).await;

        let ours: Operation<Value> = armed(&home, None).operation(request(&home, "PUT")).await.unwrap();
        let resumed: Operation<Value> = armed(&home, None).attach(ours.token());
        ours.await.unwrap();
        resumed.await.unwrap();
        let bare: Operation<Value> = raincheck::operation(request(&home, "PUT")).await.unwrap();
        bare.await.unwrap();

        assert_eq!(seen(&abroad).await, [""; 0], "{name}");
        assert_eq!(seen(&home).await, SECRETS, "{name}");
    }
}

#[tokio::test]
async fn a_trusted_origin_is_given_all_of_them() {
    for way in 0..ways_abroad("").len() {
        let (name, home, abroad) = stage(way).await;

        let client = armed(&home, Some(&abroad));
        let operation: Operation<Value> = client.operation(request(&home, "PUT")).await.unwrap();
        operation.await.unwrap();

        assert_eq!(seen(&abroad).await, SECRETS, "{name}");
    }
}

#[tokio::test]
async fn a_cancel_abroad_takes_no_credential_along() {
    let (home, abroad) = (MockServer::start().await, MockServer::start().await);
    let uris = json!({
        "statusQueryGetUri": format!("{}/op", home.uri()),
        "terminatePostUri": format!("{}/end?reason={{text}}&code=own", abroad.uri()),
    });
    answers(&home, "POST", "/start", [ResponseTemplate::new(202).set_body_json(uris)]).await;
    answers(
        &home,
        "POST",
        "/v1/actions/countdown",
        [accepted(&home, "0").set_body_json(with(
            view("NotStarted"),
            "links",
            json!({"cancel": format!("{}/cancel", abroad.uri())}),
        ))],
    )
    .await;
    Mock::given(any()).respond_with(ResponseTemplate::new(202)).mount(&abroad).await;
    let client = armed(&home, None);

    let mut durable: Operation<Value> = client.operation(request(&home, "POST")).await.unwrap();
    durable.cancel().await.unwrap();
    let mut ours: Operation<Value> = client.start("countdown", &()).await.unwrap();
    ours.cancel().await.unwrap();

    assert_eq!(seen(&abroad).await, [""; 0]);
    let requests = abroad.received_requests().await.unwrap();
    let asked: Vec<_> = requests.iter().map(|it| (it.method.as_str(), it.url.path())).collect();
    assert_eq!(asked, [("POST", "/end"), ("DELETE", "/cancel")]);
    assert!(requests[0].url.query().unwrap().contains("code=own"));
}

#[tokio::test]
async fn a_cancel_never_deletes_a_resource() {
    let server = MockServer::start().await;
    let creating = done(json!({"properties": {"provisioningState": "Creating"}}));
    let monitor = ResponseTemplate::new(202).insert_header("operation-location", "/op");
    answers(&server, "PUT", "/start", [creating, monitor]).await;
    answers(&server, "GET", "/op", [done(json!({"status": "Succeeded"}))]).await;
    answers(&server, "GET", "/start", [ResponseTemplate::new(503)]).await;
    let client = client(&server);

    let mut resource: Operation<Value> = client.operation(request(&server, "PUT")).await.unwrap();
    let mut made: Operation<Value> = client.operation(request(&server, "PUT")).await.unwrap();
    made.poll().await.unwrap_err();
    let refusals = [resource.cancel().await.unwrap_err(), made.cancel().await.unwrap_err()];

    assert!(refusals.iter().all(|error| error.is_usage() && error.token().is_some()));
    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| request.method != "DELETE"));
}

#[tokio::test]
async fn a_gateway_is_asked_in_place_of_the_address_that_the_server_knows() {
    let gateway = MockServer::start().await;
    let inside = "http://talks.internal:8080";
    let cancel = json!({"cancel": format!("{inside}/cancel?token=c")});
    let start = running("0").insert_header("location", format!("{inside}/a/1?token=t").as_str());
    answers(
        &gateway,
        "POST",
        "/talks/v1/actions/countdown",
        [start.set_body_json(with(view("NotStarted"), "links", cancel))],
    )
    .await;
    answers(&gateway, "GET", "/talks/a/1", [running("0").insert_header("location", "2?token=u")]).await;
    answers(&gateway, "GET", "/talks/a/2", [running("0").insert_header("location", "/b/3?token=v")]).await;
    answers(&gateway, "GET", "/talks/b/3", [succeeded(7)]).await;
    answers(&gateway, "DELETE", "/talks/cancel", [ResponseTemplate::new(202)]).await;
    let base = format!("{}/talks", gateway.uri());
    let client = builder(base.clone()).rewrite(inside, base).build().unwrap();

    let mut operation: Operation<u32> = client.start("countdown", &()).await.unwrap();
    operation.cancel().await.unwrap();

    assert_eq!(operation.await.unwrap(), 7);
    assert_eq!(seen(&gateway).await, [KEY]);
}
