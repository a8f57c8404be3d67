//! `raincheck poll`: any API.

use std::io::Write;

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

/// A server that accepts `POST /reports` and whose `/work` answers by this script.
async fn reports(answers: impl IntoIterator<Item = ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    on(&server, "POST", "/reports", accepted("/work")).await;
    Mock::given(method("GET")).and(path("/work")).respond_with(Script::new(answers)).mount(&server).await;
    server
}

fn url(server: &MockServer) -> String {
    format!("{}/reports", server.uri())
}

#[tokio::test]
async fn a_202_is_followed_to_its_result() {
    let server = reports([accepted("/work"), answer(200, json!({"pages": 3}))]).await;

    let run = run(&server.uri(), &["poll", "post", &url(&server), "--body", r#"{"year": 2026}"#]).await;

    assert_eq!((run.code, run.json()), (0, json!({"pages": 3})), "{run:?}");
    assert_eq!(run.err, "Running\nSucceeded\n");
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.body_json::<Value>().unwrap(), json!({"year": 2026}));
    assert_eq!(request.headers["content-type"], "application/json");
}

#[tokio::test]
async fn scripts_get_the_final_status_headers_of_use_and_the_body() {
    let done = answer(200, json!({"pages": 3}))
        .insert_header("etag", "\"7\"")
        .insert_header("x-ms-request-id", "r-1")
        .insert_header("server", "of no use");
    let server = reports([done]).await;

    let run = run(&server.uri(), &["poll", "POST", &url(&server), "--json"]).await;

    let expected = json!({
        "status": 200,
        "headers": {"content-type": "application/json", "etag": "\"7\"", "x-ms-request-id": "r-1"},
        "body": {"pages": 3},
        "operation": {"status": "Succeeded"},
    });
    assert_eq!((run.code, run.json()), (0, expected), "{run:?}");
}

#[tokio::test]
async fn a_result_that_is_no_json_is_printed_as_it_came() {
    let server = reports([ResponseTemplate::new(200).set_body_raw(&b"\xff\x00a"[..], "image/png")]).await;

    let output = tokio::task::spawn_blocking({
        let mut command = command(&server.uri());
        command.args(["poll", "POST", &url(&server)]);
        move || command.output().unwrap()
    })
    .await
    .unwrap();
    let json = run(&server.uri(), &["poll", "POST", &url(&server), "--json"]).await;

    assert_eq!(output.stdout, b"\xff\x00a");
    assert_eq!((&json.json()["body"], &json.json()["bodyBase64"]), (&Value::Null, &json!("/wBh")));
}

#[tokio::test]
async fn an_answer_that_is_no_202_is_the_result_already() {
    let server = MockServer::start().await;
    on(&server, "GET", "/now", ResponseTemplate::new(200).set_body_string("there")).await;

    let run = run(&server.uri(), &["poll", "GET", &format!("{}/now", server.uri())]).await;

    assert_eq!((run.code, run.out.as_str()), (0, "there"), "{run:?}");
}

#[tokio::test]
async fn cookies_are_kept_within_the_operation() {
    let server = MockServer::start().await;
    on(&server, "POST", "/reports", accepted("/work").insert_header("set-cookie", "affinity=7; Path=/"))
        .await;
    Mock::given(path("/work"))
        .and(header("cookie", "affinity=7"))
        .respond_with(answer(200, json!("done")))
        .mount(&server)
        .await;

    let run = run(&server.uri(), &["poll", "POST", &url(&server)]).await;

    assert_eq!((run.code, run.json()), (0, json!("done")), "{run:?}");
}

#[tokio::test]
async fn headers_go_along_with_the_polls_but_not_to_another_origin_unless_it_is_trusted() {
    let (home, abroad) = (MockServer::start().await, MockServer::start().await);
    on(&home, "POST", "/reports", accepted(&format!("{}/work", abroad.uri()))).await;
    on(&abroad, "GET", "/work", answer(200, json!(1))).await;
    let url = url(&home);
    let args = ["poll", "POST", &url, "--header", "X-Key: secret", "-H", "x-other:o"];

    let alone = run(&home.uri(), &args).await;
    let trusted = run(&home.uri(), &[&args[..], &["--trust", &abroad.uri()]].concat()).await;

    assert_eq!((alone.code, trusted.code), (0, 0), "{alone:?} {trusted:?}");
    let start = &home.received_requests().await.unwrap()[0];
    assert_eq!(
        (&start.headers["x-key"], &start.headers["x-other"]),
        (&"secret".parse().unwrap(), &"o".parse().unwrap())
    );
    assert_eq!(start.headers["authorization"], format!("Bearer {KEY}").as_str());
    let polls = abroad.received_requests().await.unwrap();
    let seen = |name: &str| polls.iter().map(|poll| poll.headers.contains_key(name)).collect::<Vec<_>>();
    assert_eq!((seen("x-key"), seen("authorization")), (vec![false, true], vec![false, true]));
}

#[tokio::test]
async fn the_key_of_the_environment_is_not_for_the_apis_of_others_and_a_typed_one_is() {
    let (home, other) = (MockServer::start().await, MockServer::start().await);
    on(&other, "GET", "/now", answer(200, json!(1))).await;
    let url = format!("{}/now", other.uri());

    run(&home.uri(), &["poll", "GET", &url]).await;
    run(&home.uri(), &["poll", "GET", &url, "--api-key", "typed"]).await;
    run(&home.uri(), &["--api-key", "first", "poll", "GET", &url]).await;

    let requests = other.received_requests().await.unwrap();
    let keys: Vec<_> = requests.iter().map(|request| request.headers.get("authorization")).collect();
    assert_eq!(keys[0], None);
    assert_eq!(
        (keys[1].unwrap(), keys[2].unwrap()),
        (&"Bearer typed".parse().unwrap(), &"Bearer first".parse().unwrap())
    );
}

#[tokio::test]
async fn a_file_of_another_type_says_so_by_its_header() {
    let server = reports([answer(200, json!("read"))]).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"%PDF \xff").unwrap();
    let (url, path) = (url(&server), file.path().to_str().unwrap().to_owned());

    let plain = run(&server.uri(), &["poll", "POST", &url, "--body", &path]).await;
    let typed = ["poll", "POST", &url, "--body", &path, "-H", "content-type: application/pdf"];
    let typed = run(&server.uri(), &typed).await;

    assert_eq!((plain.code, typed.code), (2, 0), "{plain:?} {typed:?}");
    assert!(plain.err.contains("Content-Type"), "{plain:?}");
    let start = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        (start.headers["content-type"].to_str().unwrap(), &start.body[..]),
        ("application/pdf", &b"%PDF \xff"[..])
    );
}

#[tokio::test]
async fn headers_come_from_a_file_too_and_are_never_printed() {
    let server = reports([answer(200, json!(1))]).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"X-Key: secret-1\n\nAccept: text/plain\n").unwrap();
    let (url, from) = (url(&server), format!("@{}", file.path().display()));

    let good = run(&server.uri(), &["poll", "POST", &url, "-H", &from]).await;
    let bad = run(&server.uri(), &["poll", "POST", &url, "-H", "a: b", "-H", "secret-2"]).await;
    let broken = run(&server.uri(), &["poll", "POST", &url, "-H", "x-key: secret-3\u{1}", "--json"]).await;

    assert_eq!(good.code, 0, "{good:?}");
    assert_eq!(server.received_requests().await.unwrap()[0].headers["x-key"], "secret-1");
    for run in [bad, broken] {
        assert_eq!(run.code, 2, "{run:?}");
        assert!(!format!("{run:?}").contains("secret"), "{run:?}");
        assert!(run.err.contains("--header number"), "{run:?}");
    }
}

#[tokio::test]
async fn a_query_parameter_and_a_rewrite_go_along() {
    let server = MockServer::start().await;
    let inside = accepted("http://inside:8080/api/work");
    Mock::given(path("/gate/reports"))
        .and(query_param("api-version", "1"))
        .respond_with(inside)
        .mount(&server)
        .await;
    let done = answer(200, json!("done"));
    Mock::given(path("/gate/work"))
        .and(query_param("api-version", "1"))
        .respond_with(done)
        .mount(&server)
        .await;
    let (url, rewrite) =
        (format!("{}/gate/reports", server.uri()), format!("http://inside:8080/api={}/gate", server.uri()));
    let args = ["poll", "PUT", &url, "--carry-query", "api-version=1", "--rewrite", &rewrite];

    let run = run(&server.uri(), &args).await;

    assert_eq!((run.code, run.json()), (0, json!("done")), "{run:?}");
}

#[tokio::test]
async fn the_result_is_where_the_caller_says_it_is() {
    let server = MockServer::start().await;
    let monitored = ResponseTemplate::new(201)
        .insert_header("operation-location", "/monitor")
        .set_body_json(json!({"name": "site"}));
    on(&server, "PUT", "/site", monitored).await;
    on(&server, "GET", "/site", answer(200, json!({"name": "site", "ready": true}))).await;
    on(&server, "GET", "/monitor", answer(200, json!({"status": "Succeeded", "x": 1}))).await;
    let url = format!("{}/site", server.uri());

    let rule = run(&server.uri(), &["poll", "PUT", &url]).await;
    let chosen =
        run(&server.uri(), &["poll", "PUT", &url, "--final-state-via", "azure-async-operation"]).await;

    assert_eq!(rule.json(), json!({"name": "site", "ready": true}), "{rule:?}");
    assert_eq!(chosen.json(), json!({"status": "Succeeded", "x": 1}), "{chosen:?}");
}

#[tokio::test]
async fn a_failed_operation_exits_with_1_and_its_reason() {
    let server = MockServer::start().await;
    on(&server, "POST", "/reports", accepted("/x").insert_header("operation-location", "/monitor")).await;
    let failed = json!({"status": "Failed", "error": {"code": "NoPaper", "message": "Out of paper."}});
    on(&server, "GET", "/monitor", answer(200, failed.clone())).await;

    let text = run(&server.uri(), &["poll", "POST", &url(&server)]).await;
    let json = run(&server.uri(), &["poll", "POST", &url(&server), "--json"]).await;

    assert_eq!((text.code, text.out.as_str()), (1, ""), "{text:?}");
    assert!(text.err.contains("the operation failed: Out of paper. (NoPaper)"), "{text:?}");
    let document = json.json();
    assert_eq!((json.code, &document["status"], &document["body"]), (1, &json!(200), &failed));
    assert_eq!(
        (&document["error"]["code"], &document["operation"]["status"]),
        (&json!("NoPaper"), &json!("Failed"))
    );
}

#[tokio::test]
async fn a_refusal_exits_with_5_and_what_the_server_said() {
    let server = MockServer::start().await;
    let refusal =
        ResponseTemplate::new(403).set_body_string("not today").insert_header("x-request-id", "r-9");
    on(&server, "POST", "/reports", refusal).await;

    let text = run(&server.uri(), &["poll", "POST", &url(&server)]).await;
    let json = run(&server.uri(), &["poll", "POST", &url(&server), "--json"]).await;

    assert_eq!(text.code, 5, "{text:?}");
    assert!(text.err.contains("refused with 403") && text.err.contains("not today"), "{text:?}");
    let document = json.json();
    assert_eq!((json.code, &document["status"], &document["body"]), (5, &json!(403), &json!("not today")));
    assert_eq!(
        (&document["headers"]["x-request-id"], &document["error"]["code"]),
        (&json!("r-9"), &json!("refused"))
    );
}

#[tokio::test]
async fn a_timeout_exits_with_3_and_says_where_to_go_on() {
    let server = reports([accepted("/work").insert_header("retry-after", "600")]).await;

    let text = run(&server.uri(), &["poll", "POST", &url(&server), "--timeout", "1s"]).await;
    let json = run(&server.uri(), &["poll", "POST", &url(&server), "--timeout", "1s", "--json"]).await;

    assert_eq!(text.code, 3, "{text:?}");
    assert!(text.err.contains(&format!("raincheck wait '{}/work'", server.uri())), "{text:?}");
    let document = json.json();
    assert_eq!(
        (json.code, &document["status"], &document["error"]["code"]),
        (3, &Value::Null, &json!("timed-out"))
    );
    assert_eq!(
        document["operation"],
        json!({"status": "Running", "statusUrl": format!("{}/work", server.uri())})
    );
}

#[tokio::test]
async fn no_server_and_wrong_usage_have_their_documents_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/x", listener.local_addr().unwrap());
    drop(listener);

    let unreachable = run("http://h", &["poll", "GET", &nobody, "--timeout", "500ms", "--json"]).await;
    let usage = run("http://h", &["poll", "POST", &nobody, "--body", "no-such-file", "--json"]).await;
    let swapped = run("http://h", &["poll", &nobody, "GET"]).await;

    assert_eq!((unreachable.code, &unreachable.json()["error"]["code"]), (4, &json!("unreachable")));
    assert_eq!((usage.code, &usage.json()["error"]["code"]), (2, &json!("usage")), "{usage:?}");
    assert_eq!(usage.json()["status"], Value::Null);
    assert!(swapped.code == 2 && swapped.err.contains("a method comes first"), "{swapped:?}");
}

#[tokio::test]
async fn a_lost_answer_of_a_post_is_not_sent_again_unless_it_is_repeatable() {
    let server = MockServer::start().await;
    let script = Script::new([ResponseTemplate::new(500), answer(200, json!("done"))]);
    Mock::given(method("POST")).respond_with(script).mount(&server).await;

    let once = run(&server.uri(), &["poll", "POST", &url(&server)]).await;
    let count = server.received_requests().await.unwrap().len();
    server.reset().await;
    let script = Script::new([ResponseTemplate::new(500), answer(200, json!("done"))]);
    Mock::given(method("POST")).respond_with(script).mount(&server).await;
    let again = run(&server.uri(), &["poll", "POST", &url(&server), "--repeatable"]).await;

    assert_eq!((once.code, count), (5, 1), "{once:?}");
    assert_eq!((again.code, again.json()), (0, json!("done")), "{again:?}");
}

#[tokio::test]
async fn a_pause_is_not_longer_than_the_caller_allows() {
    let server =
        reports([accepted("/work").insert_header("retry-after", "600"), answer(200, json!("done"))]).await;
    let args = ["poll", "POST", &url(&server), "--retry-after-max", "10ms", "--timeout", "20s"];

    let run = run(&server.uri(), &args).await;

    assert_eq!(run.code, 0, "{run:?}");
    assert!(server.received_requests().await.unwrap().len() == 3, "{run:?}");
}
