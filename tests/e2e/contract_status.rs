//! The contract's rows about statuses, over real HTTP.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, TestServer};

const COUNTDOWN: &str = "/v1/actions/countdown";
const APPROVAL: &str = "/v1/actions/request-approval";

async fn approval(server: &TestServer) -> String {
    server.post(APPROVAL, json!({ "subject": "for-nobody-else" })).await.location()
}

/// A status URL without its token, and the token.
fn parts(location: &str) -> (String, String) {
    let (url, token) = location.split_once("?token=").expect("a status URL has a token");
    (url.to_owned(), token.to_owned())
}

#[tokio::test]
async fn the_two_dialects_of_a_failed_operation() {
    let server = TestServer::start().await;
    let accepted = server.post(COUNTDOWN, json!({ "seconds": 0, "steps": 1, "fail": "out-of-fuel" })).await;

    let failed = server.ended(&accepted.location()).await;
    assert_eq!((failed.status, &*failed.code()), (422, "out-of-fuel"));
    assert_eq!(failed.header("content-type"), "application/problem+json");
    assert_eq!(failed.json()["type"], server.url("/problems/operation-failed"));
    assert_eq!(failed.json()["operation"]["status"], "Failed");
    assert_eq!(failed.header("retry-after"), "");

    let monitor = server.get_bare(accepted.header("operation-location")).await;
    assert_eq!((monitor.status, monitor.header("retry-after")), (200, ""));
    assert_eq!(monitor.json(), failed.json()["operation"]);
}

#[tokio::test]
async fn a_running_operation_is_202_with_the_same_location_and_a_pace_on_every_poll() {
    let server = TestServer::start().await;
    let location = approval(&server).await;

    for _ in 0..3 {
        let polled = server.get_bare(&location).await;
        assert_eq!((polled.status, polled.location()), (202, location.clone()));
        assert!(polled.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    let head = Answer::to(server.http.head(&location)).await;
    assert_eq!((head.status, head.location(), &*head.text), (202, location, ""));
}

#[tokio::test]
async fn a_status_link_shows_that_status_and_nothing_else() {
    let server = TestServer::start().await;
    let location = approval(&server).await;
    let other = approval(&server).await;
    let (url, token) = parts(&location);
    let (other, _) = parts(&other);
    let id = url.rsplit('/').next().unwrap();

    let mut urls = Vec::new();
    for path in [
        url.clone(),
        format!("{url}/status"),
        format!("{url}/"),
        format!("{url}/events/decision"),
        format!("{url}/journal"),
        format!("{url}/input"),
        other,
        url.replace("request-approval", "countdown"),
        server.url(APPROVAL),
        server.url(COUNTDOWN),
        server.url("/v1/actions"),
        server.url("/v1/operations"),
        server.url("/admin/v1/operations"),
        server.url(&format!("/admin/v1/operations/{id}")),
        server.admin("/admin/v1/operations"),
        server.admin(&format!("/admin/v1/operations/{id}")),
        server.admin(&format!("/admin/v1/operations/{id}/journal")),
        server.admin("/metrics"),
    ] {
        for query in ["", "&right=cancel", "&links=cancel", "&action=countdown", "&api-version=2", "&id=1"] {
            urls.push(format!("{path}?token={token}{query}"));
        }
    }
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];
    for url in &urls {
        for method in methods {
            let method: Method = method.parse().unwrap();
            let answer = Answer::to(server.http.request(method.clone(), url)).await;
            assert!(!answer.text.contains("for-nobody-else"), "{method} {url}: {answer:?}");
            assert!(!answer.text.contains(&token), "{method} {url}: {answer:?}");
            let reads = matches!(method, Method::GET | Method::HEAD);
            let own = url.starts_with(&format!("{}?", parts(&location).0))
                || url.starts_with(&format!("{}/?", parts(&location).0))
                || url.starts_with(&format!("{}/status?", parts(&location).0));
            match answer.status {
                200 | 202 => assert!(reads && own, "{method} {url}: {answer:?}"),
                204 => assert_eq!(method, Method::OPTIONS),
                status => assert!(matches!(status, 401 | 404 | 405), "{method} {url}: {answer:?}"),
            }
        }
    }
    assert_eq!(server.get_bare(&location).await.status, 202, "nothing has ended it");
}

#[tokio::test]
async fn an_unknown_operation_and_somebody_elses_are_one_answer() {
    let server = TestServer::start().await;
    let (url, _) = parts(&approval(&server).await);
    let stranger = server.key_with(&["start"], "stranger").await;
    let ask = async |url: &str| {
        let answer = Answer::to(server.http.get(url).bearer_auth(&stranger)).await;
        let id = url.rsplit('/').next().unwrap();
        (answer.status, answer.text.replace(id, "ID").replace(answer.header("x-request-id"), "REQUEST"))
    };
    let (base, _) = url.rsplit_once('/').unwrap();

    let foreign = ask(&url).await;

    assert_eq!(foreign.0, 404);
    assert_eq!(foreign, ask(&format!("{base}/0198f3a0-5c1e-7abc-8def-0123456789ab")).await);
    assert_eq!(foreign, ask(&format!("{base}/nonsense")).await);
}

#[tokio::test]
async fn a_tag_spares_the_body_until_the_view_differs() {
    let server = TestServer::start().await;
    let accepted = server.post(COUNTDOWN, json!({ "seconds": 0, "steps": 1 })).await;
    server.ended(&accepted.location()).await;

    for url in [accepted.location(), accepted.header("operation-location").to_owned()] {
        let first = server.get_bare(&url).await;
        assert!(first.header("etag").starts_with("W/\""), "{first:?}");
        let again = Answer::to(server.http.get(&url).header("if-none-match", first.header("etag"))).await;
        assert_eq!((again.status, &*again.text, again.header("etag")), (304, "", first.header("etag")));
        let other = Answer::to(server.http.get(&url).header("if-none-match", "W/\"other\"")).await;
        assert_eq!(other.text, first.text);
    }
}

#[tokio::test]
async fn a_cancel_is_seen_on_both_urls() {
    let server = TestServer::start().await;
    let accepted = server.post(APPROVAL, json!({ "subject": "x" })).await;
    let (url, _) = parts(&accepted.location());
    let cancel = || Answer::to(server.http.delete(&url).bearer_auth(&server.key));

    let asked = cancel().await;
    assert!(matches!(asked.status, 200 | 202), "{asked:?}");
    let canceled = server.ended(&accepted.location()).await;
    assert_eq!(canceled.status, 409);
    assert_eq!(canceled.json()["type"], server.url("/problems/operation-canceled"));
    assert_eq!(server.get_bare(accepted.header("operation-location")).await.json()["status"], "Canceled");
    let again = cancel().await;
    assert_eq!((again.status, &again.json()["status"]), (200, &json!("Canceled")));
}

#[tokio::test]
async fn a_held_poll_ends_with_the_operation() {
    let server = TestServer::start().await;
    let accepted = server.post(COUNTDOWN, json!({ "seconds": 0.3, "steps": 1 })).await;
    let monitor = accepted.header("operation-location");
    let tag = server.get_bare(monitor).await.header("etag").to_owned();

    let held = server.http.get(monitor).header("prefer", "wait=20").header("if-none-match", tag);
    let held = Answer::to(held).await;

    assert_eq!((held.status, held.header("preference-applied")), (200, "wait=20"), "{held:?}");
}
