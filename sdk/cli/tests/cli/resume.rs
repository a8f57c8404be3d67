//! `--resume`: killed, and taken up again.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::*;

fn file(directory: &tempfile::TempDir) -> (PathBuf, String) {
    let path = directory.path().join("x.resume");
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

/// Kills a run as soon as this file is there: no signal handler, no clean-up.
async fn kill_once_there(mut child: Child, path: PathBuf) {
    tokio::task::spawn_blocking(move || {
        let begin = Instant::now();
        while !path.exists() {
            assert!(begin.elapsed() < Duration::from_secs(20), "{} never came", path.display());
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    })
    .await
    .unwrap();
}

async fn sent(server: &MockServer, verb: &str) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.method.as_str() == verb).count()
}

fn slow(location: &str) -> ResponseTemplate {
    accepted(location).insert_header("retry-after", "600")
}

#[tokio::test]
async fn a_poll_that_is_killed_goes_on_without_a_second_start_and_with_its_headers() {
    let server = MockServer::start().await;
    on(&server, "POST", "/reports", slow("/work")).await;
    Mock::given(path("/work"))
        .and(header("x-key", "secret"))
        .respond_with(answer(200, json!("done")))
        .mount(&server)
        .await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let url = format!("{}/reports", server.uri());
    let args = ["poll", "POST", &url, "-H", "x-key: secret", "--resume", &resume];

    kill_once_there(command(&server.uri()).args(args).spawn().unwrap(), path.clone()).await;
    let kept = std::fs::read_to_string(&path).unwrap();
    let again = run(&server.uri(), &args).await;

    assert_eq!((again.code, again.json()), (0, json!("done")), "{again:?}");
    assert!(again.err.starts_with("going on with the operation"), "{again:?}");
    assert_eq!(sent(&server, "POST").await, 1);
    assert!(kept.contains("/work") && !kept.contains("secret"), "{kept}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let server = server([answer(202, view("Running")).insert_header("retry-after", "600")]).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    std::fs::write(&path, "").unwrap();

    let run =
        run(&server.uri(), &["wait", &status_url(&server), "--timeout", "500ms", "--resume", &resume]).await;

    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_start_that_is_killed_goes_on_and_the_file_goes_with_its_end() {
    let server = server([succeeded()]).await;
    server.reset().await;
    on(
        &server,
        "POST",
        "/v1/actions/countdown",
        slow(&status_url(&server)).set_body_json(view("NotStarted")),
    )
    .await;
    polls(&server, [succeeded()]).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let args = ["start", "countdown", "--wait", "--resume", &resume];

    kill_once_there(command(&server.uri()).args(args).spawn().unwrap(), path.clone()).await;
    let again = run(&server.uri(), &args).await;

    assert_eq!((again.code, again.json()), (0, json!({"outcome": "Approved"})), "{again:?}");
    assert_eq!(sent(&server, "POST").await, 1);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_start_that_is_killed_before_its_answer_is_repeated_with_the_same_key() {
    let server = MockServer::start().await;
    on(&server, "POST", "/v1/actions/countdown", slow("/x").set_delay(Duration::from_secs(60))).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let starting = PathBuf::from(format!("{}.starting", path.display()));
    let args = ["start", "countdown", "--wait", "--resume", &resume];

    let mut child = command(&server.uri()).args(args).spawn().unwrap();
    while sent(&server, "POST").await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let key = server.received_requests().await.unwrap()[0].headers["idempotency-key"].clone();
    let was_kept = starting.exists() && !path.exists();
    server.reset().await;
    on(&server, "POST", "/v1/actions/countdown", answer(200, with(view("Succeeded"), "output", 7))).await;
    let again = run(&server.uri(), &args).await;

    assert!(was_kept);
    assert_eq!((again.code, again.json()), (0, json!(7)), "{again:?}");
    assert_eq!(server.received_requests().await.unwrap()[0].headers["idempotency-key"], key);
    assert!(!starting.exists());
}

#[tokio::test]
async fn a_post_whose_answer_nobody_saw_is_not_sent_twice() {
    let server = MockServer::start().await;
    on(&server, "POST", "/reports", answer(200, json!("done"))).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let url = format!("{}/reports", server.uri());
    let starting = format!("{}.starting", path.display());
    let line = json!({"startedBy": format!("poll POST {url}"), "idempotencyKey": null});
    std::fs::write(&starting, format!("{line}\n")).unwrap();

    let refused = run(&server.uri(), &["poll", "POST", &url, "--resume", &resume]).await;
    let count = sent(&server, "POST").await;
    let repeated = run(&server.uri(), &["poll", "POST", &url, "--resume", &resume, "--repeatable"]).await;

    assert_eq!((refused.code, count), (2, 0), "{refused:?}");
    assert!(refused.err.contains("--repeatable") && refused.err.contains(&starting), "{refused:?}");
    assert_eq!((repeated.code, repeated.json()), (0, json!("done")), "{repeated:?}");
    assert!(!Path::new(&starting).exists());
}

#[tokio::test]
async fn a_refused_start_leaves_nothing_behind() {
    let server = MockServer::start().await;
    on(&server, "POST", "/v1/actions/countdown", answer(400, problem(400, "invalid", "No."))).await;
    let directory = tempfile::tempdir().unwrap();
    let (_, resume) = file(&directory);

    let run = run(&server.uri(), &["start", "countdown", "--wait", "--resume", &resume]).await;

    assert_eq!(run.code, 5, "{run:?}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_timeout_keeps_the_file_and_wait_goes_on_with_it() {
    let server = server([answer(202, view("Running")).insert_header("retry-after", "600")]).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);

    let args = ["start", "countdown", "--wait", "--timeout", "400ms", "--resume", &resume];
    let timed_out = run(&server.uri(), &args).await;
    server.reset().await;
    polls(&server, [succeeded()]).await;
    let waited = run(&server.uri(), &["wait", "--resume", &resume]).await;

    assert_eq!(timed_out.code, 3, "{timed_out:?}");
    assert!(timed_out.err.contains("the same command, or: raincheck wait --resume"), "{timed_out:?}");
    assert_eq!((waited.code, waited.json()), (0, json!({"outcome": "Approved"})), "{waited:?}");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_leads_to_nothing_says_that_it_can_be_removed() {
    let server = MockServer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let url = format!("{}/reports", server.uri());
    let token = json!({"v": 1, "url": format!("{}/forgotten", server.uri())});
    std::fs::write(&path, token.to_string()).unwrap();

    let forgotten = run(&server.uri(), &["poll", "POST", &url, "--resume", &resume]).await;
    on(&server, "GET", "/forgotten", answer(410, problem(410, "gone", "Over."))).await;
    let gone = run(&server.uri(), &["wait", "--resume", &resume]).await;

    assert_eq!((forgotten.code, gone.code), (5, 5), "{forgotten:?} {gone:?}");
    assert!(forgotten.err.contains("remove it to start anew"), "{forgotten:?}");
    assert!(!gone.err.contains("remove it") && !path.exists(), "{gone:?}");
    assert_eq!(sent(&server, "POST").await, 0);
}

#[tokio::test]
async fn a_wait_whose_server_hangs_can_be_gone_on_with_and_one_for_nothing_leaves_no_file() {
    let server = server([succeeded().set_delay(Duration::from_secs(60))]).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let nothing = format!("{}/nothing", server.uri());

    let wrong = run(&server.uri(), &["wait", &nothing, "--resume", &resume]).await;
    let was_there = path.exists();
    let url = status_url(&server);
    let hung = run(&server.uri(), &["wait", &url, "--timeout", "500ms", "--resume", &resume]).await;
    server.reset().await;
    polls(&server, [succeeded()]).await;
    let again = run(&server.uri(), &["wait", "--resume", &resume]).await;

    assert_eq!((wrong.code, was_there), (5, false), "{wrong:?}");
    assert_eq!((hung.code, again.code), (3, 0), "{hung:?} {again:?}");
}

#[tokio::test]
async fn the_newest_status_url_is_kept() {
    let server = MockServer::start().await;
    on(&server, "POST", "/reports", accepted("/first")).await;
    on(&server, "GET", "/first", slow("/second")).await;
    on(&server, "GET", "/second", slow("/second")).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let url = format!("{}/reports", server.uri());

    let args = ["poll", "POST", &url, "--timeout", "1s", "--resume", &resume];
    let run = run(&server.uri(), &args).await;

    assert_eq!(run.code, 3, "{run:?}");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(kept["url"], format!("{}/second", server.uri()));
}

#[tokio::test]
async fn files_of_others_and_damaged_ones_are_refused_before_anything_is_sent() {
    let server = server([succeeded()]).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let foreign = json!({"v": 1, "url": "http://h/secret", "startedBy": "start http://elsewhere countdown"});
    let args = ["start", "countdown", "--wait", "--resume", &resume];

    let mut runs = Vec::new();
    for content in [foreign.to_string().as_str(), "secret", "{\"v\": 1, \"url\": \"secret\"}", "[\"secret\"]"]
    {
        std::fs::write(&path, content).unwrap();
        runs.push(run(&server.uri(), &args).await);
    }
    std::fs::remove_file(&path).unwrap();
    let missing = run(&server.uri(), &["wait", "--resume", &resume]).await;
    let directory = run(&server.uri(), &["wait", "--resume", "/"]).await;
    let nowhere = run(&server.uri(), &["start", "countdown", "--wait", "--resume", "/no/such/dir/x"]).await;

    for run in runs.iter().chain([&missing, &directory, &nowhere]) {
        assert_eq!(run.code, 2, "{run:?}");
        assert!(!format!("{run:?}").contains("secret"), "{run:?}");
    }
    assert!(runs[0].err.contains("another command") && runs[1].err.contains("damaged"), "{runs:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn several_starts_go_on_each_where_it_was() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(Script::new([slow("/work/1"), slow("/work/2")]))
        .mount(&server)
        .await;
    for (number, at) in [(1, "/work/1"), (2, "/work/2")] {
        let done = answer(200, with(view("Succeeded"), "output", number));
        let script = Script::new([slow(at), done]);
        Mock::given(method("GET"))
            .and(wiremock::matchers::path(at))
            .respond_with(script)
            .mount(&server)
            .await;
    }
    let directory = tempfile::tempdir().unwrap();
    let (path, resume) = file(&directory);
    let args = ["start", "x", "--wait", "--input", "1", "--input", "2", "--resume", &resume];

    let early = run(&server.uri(), &[&args[..], &["--timeout", "1s"]].concat()).await;
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    let again = run(&server.uri(), &args).await;

    assert_eq!((early.code, lines), (3, 2), "{early:?}");
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(sent(&server, "POST").await, 2);
    assert!(!path.exists());
}
