//! A status link shows one status. Whatever else is tried with it, nothing comes out and nothing happens.

mod handlers;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, TestServer};

/// What the operations know and a status link must not tell.
const SECRETS: [&str; 3] = ["kn-own-51d0", "kn-other-51d0", "kn-comment-51d0"];

/// What anyone may see, with or without a link.
const OPEN: [&str; 6] = ["/openapi.json", "/docs", "/docs/", "/healthz", "/problems/not-found", "/readyz"];

struct World {
    server: TestServer,
    own: Answer,
    other: Answer,
}

async fn world() -> World {
    let server = TestServer::start().await;
    let own = server.post("/v1/actions/request-approval", json!({ "subject": SECRETS[0] })).await;
    let other = server.post("/v1/actions/request-approval", json!({ "subject": SECRETS[1] })).await;
    let id = other.view().id;
    let decision = json!({ "approved": true, "comment": SECRETS[2] });
    server.post(&format!("/v1/actions/request-approval/operations/{id}/events/decision"), decision).await;
    server.ended(&other.location()).await;
    World { server, own, other }
}

/// Every path that can be formed, on either listener.
fn paths(own: &str, other: &str) -> Vec<String> {
    let never = "01900000-0000-7000-8000-000000000000";
    let mut paths: Vec<String> = OPEN.map(str::to_owned).to_vec();
    paths.extend(
        ["/", "/v1", "/v1/actions", "/admin/v1", "/admin/v1/operations", "/metrics", "/v1/triggers"]
            .map(str::to_owned),
    );
    paths.extend(["", "/finished", "/finished/"].map(|tail| format!("/v1/triggers/request-approval{tail}")));
    let tails = [
        "",
        "/",
        "/status",
        "/events",
        "/events/decision",
        "/events/other",
        "/journal",
        "/input",
        "/output",
        "/links",
        "/cancel",
        "/terminate",
        "/restart",
        "/history",
        "/steps",
        "/status/status",
        "/../",
        "/%2e%2e/",
    ];
    for id in [own, other, never, "", "*"] {
        for action in ["request-approval", "countdown"] {
            paths.push(format!("/v1/actions/{action}"));
            paths.push(format!("/v1/actions/{action}/operations"));
            paths.extend(tails.map(|tail| format!("/v1/actions/{action}/operations/{id}{tail}")));
        }
        paths.extend(tails.map(|tail| format!("/admin/v1/operations/{id}{tail}")));
    }
    paths.sort();
    paths.dedup();
    paths
}

/// The answer, or the first view of a stream, which has no end as long as the operation runs.
async fn first(request: reqwest::RequestBuilder) -> Answer {
    let mut response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let text = if is_stream {
        let event = response.chunk().await.expect("it can be read").unwrap_or_default();
        let event = String::from_utf8(event.to_vec()).expect("text");
        event.split_once("data: ").map(|(_, view)| view.to_owned()).unwrap_or_default()
    } else {
        response.text().await.expect("it can be read")
    };
    Answer { status, headers, text }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_that_status_comes_out_of_a_status_link() {
    let World { server, own, other } = world().await;
    let (id, other_id) = (own.view().id, other.view().id);
    let token = own.location().split_once("token=").unwrap().1.to_owned();
    let right = format!("/v1/actions/request-approval/operations/{id}");
    let queries = [
        format!("token={token}"),
        format!("token={token}&links=cancel,event:decision"),
        format!("token={token}&api-version=2024-01-01&expand=input,journal"),
        format!("Token={token}"),
        format!("token={token}&token={token}"),
        format!("access_token={token}"),
    ];
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"];

    let tries = paths(&id, &other_id).into_iter().flat_map(|path| {
        // Elsewhere one form of the link is as good as another.
        let count = if path.contains(&id) { queries.len() } else { 1 };
        queries[..count].iter().map(move |query| (path.clone(), query))
    });
    for (path, query) in tries {
        let path = path.as_str();
        for (url, public) in [(server.url(path), true), (server.admin(path), false)] {
            for method in methods {
                let url = format!("{url}?{query}");
                let request = server.http.request(Method::from_bytes(method.as_bytes()).unwrap(), &url);
                let body = if method == "POST" { r#"{"approved":true,"rights":["cancel"]}"# } else { "" };
                let answer = first(request.body(body)).await;

                let tried = format!("{method} {url}: {answer:?}");
                let read = ["GET", "HEAD"].contains(&method);
                let granted = public
                    && read
                    && query.starts_with("token=")
                    && !query.ends_with(&format!("&token={token}"));
                let path = path.strip_suffix('/').unwrap_or(path);
                let is_status =
                    [&*right, &format!("{right}/status"), &format!("{right}/events")].contains(&path);
                match answer.status {
                    200 | 202 if granted && is_status && method == "GET" => {
                        assert_eq!(answer.view().id, id, "{tried}")
                    }
                    200 | 202 if granted && is_status => {}
                    200 | 301 | 302 | 307 | 308 if read && OPEN.contains(&path) => {}
                    204 if method == "OPTIONS" => {}
                    status => assert!((400..500).contains(&status), "{tried}"),
                }
                assert!(SECRETS.iter().all(|secret| !answer.text.contains(secret)), "{tried}");
                let names_other =
                    answer.text.replace(&format!("operations/{other_id}"), "").contains(&other_id);
                assert!(!names_other, "{tried}");
            }
        }
    }

    let detail = server.get(&server.admin(&format!("/admin/v1/operations/{id}"))).await;
    assert_eq!(detail.json()["status"], "Running", "something happened: {detail:?}");
    let journal = server.get(&server.admin(&format!("/admin/v1/operations/{id}/journal"))).await;
    let entries = journal.json()["entries"].clone();
    let came_from_outside =
        |entry: &&Value| entry["entry"]["event"].is_object() || entry["entry"] == "cancelRequested";
    assert_eq!(entries.as_array().unwrap().iter().filter(came_from_outside).count(), 0, "{entries}");
}

#[tokio::test]
async fn a_status_token_in_another_place_is_no_credential() {
    let World { server, own, .. } = world().await;
    let (resource, token) =
        own.location().split_once("?token=").map(|(url, token)| (url.to_owned(), token.to_owned())).unwrap();

    for request in [
        server.http.get(&resource).bearer_auth(&token),
        server.http.get(&resource).header("x-api-key", &token),
        server.http.get(&resource).header("cookie", format!("token={token}")),
        server.http.get(&resource).body(format!("token={token}")),
    ] {
        assert_eq!(Answer::to(request).await.status, 401);
    }
}

#[tokio::test]
async fn a_caller_sees_its_own_operations_only() {
    let server = TestServer::start().await;
    let (mine, yours) =
        (server.key_with(&["start"], "mine").await, server.key_with(&["start"], "yours").await);
    let start = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(&mine);
    let started = Answer::to(start.json(&json!({ "seconds": 0, "steps": 1 }))).await;
    let resource = started.location().split('?').next().unwrap().to_owned();
    let never = resource.replace(&started.view().id, "01900000-0000-7000-8000-000000000000");

    for tail in ["", "/status"] {
        assert!(
            Answer::to(server.http.get(format!("{resource}{tail}")).bearer_auth(&mine)).await.status < 300
        );
        let theirs = Answer::to(server.http.get(format!("{resource}{tail}")).bearer_auth(&yours)).await;
        let nobodys = Answer::to(server.http.get(format!("{never}{tail}")).bearer_auth(&yours)).await;
        assert_eq!((theirs.status, nobodys.status), (404, 404));
        let (mut theirs, mut nobodys) = (theirs.json(), nobodys.json());
        for member in ["requestId", "instance"] {
            theirs[member].take();
            nobodys[member].take();
        }
        assert_eq!(theirs, nobodys);
    }
    let listed = Answer::to(server.http.get(server.admin("/admin/v1/operations")).bearer_auth(&mine)).await;
    assert_eq!(listed.status, 404);
}

#[tokio::test]
async fn a_trigger_tells_its_caller_the_status_of_its_own_operations_and_no_more() {
    let server = TestServer::start().await;
    let (mine, yours) =
        (server.key_with(&["start"], "mine").await, server.key_with(&["start"], "yours").await);
    let feed = server.url("/v1/triggers/request-approval/finished?mode=batch");
    let my_feed = Answer::to(server.http.get(&feed).bearer_auth(&mine)).await.location();
    let mut ended = Vec::new();
    for (key, subject) in [(&mine, SECRETS[0]), (&yours, SECRETS[1])] {
        let start = server.http.post(server.url("/v1/actions/request-approval")).bearer_auth(key);
        let started = Answer::to(start.json(&json!({ "subject": subject }))).await;
        let id = started.view().id;
        let decision = json!({ "approved": false });
        server.post(&format!("/v1/actions/request-approval/operations/{id}/events/decision"), decision).await;
        ended.push(server.ended(&started.location()).await);
    }

    let told = server.get_bare(&my_feed).await;

    assert_eq!((told.status, told.json()), (200, json!([ended[0].json()])));
    let all = Answer::to(server.http.get(format!("{feed}&scope=all")).bearer_auth(&mine)).await;
    assert_eq!((all.status, all.code()), (404, "not-found".to_owned()));
    // The link follows; it opens neither an operation nor a start, and a status link does not follow.
    let token = my_feed.split_once("token=").unwrap().1;
    let id = &ended[0].view().id;
    for url in [
        format!("/v1/actions/request-approval/operations/{id}?token={token}"),
        format!("/v1/actions/request-approval/operations/{id}/status?token={token}"),
        format!("/v1/triggers/countdown/finished?mode=batch&token={token}"),
        format!("/admin/v1/operations?token={token}"),
    ] {
        let answer = server.get_bare(&url).await;
        assert!([401, 404].contains(&answer.status), "{url}: {answer:?}");
    }
    let start =
        server.http.post(server.url(&format!("/v1/actions/countdown?token={token}"))).json(&json!({}));
    assert_eq!(Answer::to(start).await.status, 401);
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_not_repeated() {
    let server = TestServer::start().await;

    for body in [
        json!({ "seconds": SECRETS[0], "steps": 1 }),
        json!({ "seconds": 1, "steps": 1, "fail": { "x": SECRETS[0] } }),
        json!([SECRETS[0]]),
        json!(SECRETS[0]),
    ] {
        let answer = server.post("/v1/actions/countdown", body).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(!answer.text.contains(SECRETS[0]), "{answer:?}");
    }
}
