//! Where the server lets itself be sent: not inside.

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::until_deliveries;
use crate::harness::{Launch, Receiver, TestServer};

#[tokio::test]
async fn a_url_that_leads_inside_is_refused_and_tells_nothing() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let mut texts = Vec::new();
    for url in [
        receiver.url(),
        format!("https://127.0.0.1:{}/", receiver.port()),
        "https://[::1]/".to_owned(),
        "https://[::ffff:127.0.0.1]/".to_owned(),
        "https://2130706433/".to_owned(),
        "https://0x7f.1/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://168.63.129.16/".to_owned(),
        "https://[64:ff9b::a00:1]/".to_owned(),
        "https://[fd00:ec2::254]/".to_owned(),
        "http://hooks.example/".to_owned(),
        "https://me:secret@hooks.example/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "no URL".to_owned(),
        format!("https://hooks.example/{}", "x".repeat(4096)),
    ] {
        let body = json!({ "action": "countdown", "url": url });
        let subscription = server.post("/v1/subscriptions", body).await;
        let headers = [("x-callback-url", &*url)];
        let input = json!({ "seconds": 0, "steps": 1 });
        let start = server.post_with("/v1/actions/countdown", &headers, input).await;

        assert_eq!((subscription.status, &*subscription.code()), (422, "invalid-input"), "{url}");
        let field = &subscription.json()["errors"][0];
        assert_eq!(field["pointer"], "/url");
        assert_eq!((start.status, &*start.code()), (422, "invalid-callback-url"), "{url}");
        texts.extend([field["detail"].clone(), start.json()["detail"].clone()]);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "whatever the rule, callers hear the same");
    let started = server.get(&server.admin("/admin/v1/operations")).await.json();
    assert_eq!(started["operations"], json!([]), "nothing was accepted");
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_inside_is_never_connected_to_and_only_operators_hear_why() {
    let server = TestServer::start().await;
    let inside = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://localhost:{}/tell-nobody", inside.local_addr().expect("bound").port());

    let input = json!({ "seconds": 0, "steps": 1 });
    let started =
        server.post_with("/v1/actions/countdown", &[("x-callback-url", &*url)], input.clone()).await;
    let subscribed = server.post("/v1/subscriptions", json!({ "action": "countdown", "url": url })).await;
    assert_eq!((started.status, subscribed.status), (202, 201), "what a name leads to is told to nobody");
    server.post("/v1/actions/countdown", input).await;

    let dead = until_deliveries(&server, "?state=dead", |dead| dead.len() >= 2).await;
    for delivery in dead {
        let error = delivery["error"].as_str().expect("a reason");
        assert!(error.starts_with("localhost leads to "), "{error}");
        assert!(
            error.contains("a loopback address; to allow it, add \"localhost\" to `outbound.allow`"),
            "{error}"
        );
    }
    let connected = futures_util::FutureExt::now_or_never(inside.accept());
    assert!(connected.is_none(), "{connected:?}");
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used_and_no_log_has_a_url() {
    let (proxy, receiver) = (Receiver::start().await, Receiver::start().await);
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let launch = Launch::new()
        .config(
            "[outbound]\nallow = [\"127.0.0.1\"]\nallow_plain_http = true\n\
             [webhooks]\npauses = []\n[log]\nfilter = \"trace\"\n",
        )
        .env("HTTP_PROXY", &address)
        .env("http_proxy", &address)
        .env("ALL_PROXY", &address);
    let server = launch.start().await;
    receiver.otherwise(crate::harness::Reaction::Answers(500, ""));

    let start = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(&server.key);
    let start = start.header("x-callback-url", receiver.url()).json(&json!({ "seconds": 0, "steps": 1 }));
    let started = crate::harness::Answer::to(start).await;
    assert_eq!(started.status, 202, "{started:?}");
    let body = json!({ "action": "countdown", "url": receiver.url() });
    let subscribe = server.http.post(server.url("/v1/subscriptions")).bearer_auth(&server.key).json(&body);
    let secret =
        crate::harness::Answer::to(subscribe).await.json()["secret"].as_str().expect("one").to_owned();

    receiver.until(|received| !received.is_empty()).await;
    assert!(server.terminate().await.success());
    assert!(proxy.received().is_empty());
    let log = launch.log();
    assert!(log.contains("a delivery was given up"), "{log}");
    for hidden in ["tell-nobody", &*secret] {
        let line = log.lines().find(|line| line.contains(hidden));
        assert_eq!(line, None, "{hidden}");
    }
}

#[tokio::test]
async fn another_url_may_be_called_once_an_operator_allows_it() {
    let server = super::server().await;
    let receiver = Receiver::start().await;
    let by_name = format!("http://localhost:{}/", receiver.port());

    let refused = server.post("/v1/subscriptions", json!({ "action": "countdown", "url": by_name })).await;
    super::subscribe(&server, &receiver, json!({})).await;

    assert_eq!(refused.status, 422, "the address is allowed, and no name");
    super::end(&server).await;
    receiver.until(|received| received.len() == 1).await;
    until_deliveries(&server, "", <[Value]>::is_empty).await;
}
