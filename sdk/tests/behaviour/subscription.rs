//! Subscriptions: made, repeated when the answer is lost, and ended by their link.

use raincheck::{DeliveryFormat, Outcome};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

const SUBSCRIPTIONS: &str = "/v1/subscriptions";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const RECEIVER: &str = "https://hooks.example/talks?tell=nobody";

fn made() -> ResponseTemplate {
    let view = json!({
        "id": "sub-1", "action": "countdown", "outcomes": ["Failed"], "scope": "all", "format": "view",
        "host": "hooks.example", "createdAt": "2026-11-24T08:00:00.000Z", "secret": SECRET,
    });
    let link = format!("{SUBSCRIPTIONS}/sub-1?token={TOKEN}");
    ResponseTemplate::new(201).insert_header("location", link).set_body_json(view)
}

#[tokio::test]
async fn what_is_asked_for_is_sent_and_again_if_the_answer_is_lost() {
    let server = MockServer::start().await;
    let answers = [ResponseTemplate::new(503), made()];
    Mock::given(method("POST"))
        .and(path(SUBSCRIPTIONS))
        .respond_with(Script::new(answers))
        .mount(&server)
        .await;

    let wish = client(&server).subscribe("countdown", RECEIVER).outcomes([Outcome::Failed]).of_everybody();
    let told = wish.format(DeliveryFormat::View).secret(SECRET).await.unwrap();

    assert_eq!((told.view().id.as_str(), told.secret()), ("sub-1", SECRET));
    assert_eq!(told.link(), format!("{}{SUBSCRIPTIONS}/sub-1?token={TOKEN}", server.uri()));
    let requests = server.received_requests().await.unwrap();
    let expected = json!({
        "action": "countdown", "url": RECEIVER, "outcomes": ["Failed"], "scope": "all", "format": "view",
        "secret": SECRET,
    });
    for request in &requests {
        assert_eq!(request.body_json::<Value>().unwrap(), expected);
    }
    assert_eq!(requests.len(), 2);
    let shown = format!(
        "{told:?} {:?} {:?}",
        told.view(),
        client(&server).subscribe("countdown", RECEIVER).secret(SECRET)
    );
    assert!(!shown.contains(SECRET) && !shown.contains(TOKEN) && !shown.contains("nobody"), "{shown}");
}

#[tokio::test]
async fn a_link_ends_it_and_one_that_has_ended_is_no_error() {
    let server = MockServer::start().await;
    for (id, status) in [("now", 204), ("before", 410), ("never", 404)] {
        let answer = match status {
            204 => ResponseTemplate::new(204),
            status => ResponseTemplate::new(status).set_body_json(problem(status, "code", "detail")),
        };
        let at = format!("{SUBSCRIPTIONS}/{id}");
        Mock::given(method("DELETE")).and(path(at)).respond_with(answer).mount(&server).await;
    }
    let client = client(&server);
    let end =
        async |id| client.unsubscribe(&format!("{}{SUBSCRIPTIONS}/{id}?token={TOKEN}", server.uri())).await;

    assert!(end("now").await.is_ok() && end("before").await.is_ok());
    assert!(end("never").await.unwrap_err().is_not_found());
    assert!(client.unsubscribe("sub-1").await.unwrap_err().is_usage());
}

#[tokio::test]
async fn a_refusal_says_what_to_mend() {
    let server = MockServer::start().await;
    let refusal =
        ResponseTemplate::new(422).set_body_json(problem(422, "invalid-input", "the url is not public"));
    Mock::given(method("POST")).respond_with(refusal).mount(&server).await;

    let error = client(&server).subscribe("countdown", "http://10.0.0.1/").await.unwrap_err();

    assert!(error.is_refused() && error.to_string().contains("not public"), "{error}");
}
