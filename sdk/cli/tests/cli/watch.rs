//! `raincheck watch`: what ends, as it ends.

use std::io::{BufRead, BufReader};
use std::process::Command;

use serde_json::Value;
use wiremock::MockServer;

use crate::feed::*;
use crate::support::*;

/// A server, and a state file that is at the beginning of what ends.
async fn begun(args: &[&str]) -> (MockServer, Feed, tempfile::TempDir, String) {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.state").to_str().unwrap().to_owned();
    let args = [&["watch", "countdown", "--state", &file, "--once"], args].concat();
    let begun = run(&server.uri(), &args).await;
    assert_eq!((begun.code, begun.out.as_str(), begun.err.as_str()), (0, "", ""), "{begun:?}");
    (server, feed, directory, file)
}

#[tokio::test]
async fn each_end_is_a_line_for_people_or_a_document_for_scripts() {
    let (server, feed, _directory, file) = begun(&[]).await;
    feed.end(named("a"));
    feed.end(failed("b"));
    let copy = format!("{file}.json");
    std::fs::copy(&file, &copy).unwrap();

    let lines = run(&server.uri(), &["watch", "countdown", "--state", &file, "--once"]).await;
    let json = run(&server.uri(), &["watch", "countdown", "--state", &copy, "--once", "--json"]).await;

    assert_eq!(
        (lines.code, lines.out.as_str()),
        (
            0,
            "2026-11-24T08:00:01.000Z  Succeeded  a  7\n\
             2026-11-24T08:00:01.000Z  Failed     b  no-luck: None today.\n"
        ),
        "{lines:?}"
    );
    let documents: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((json.code, documents), (0, vec![named("a"), failed("b")]), "{json:?}");
}

#[tokio::test]
async fn a_run_goes_on_where_the_last_one_has_stopped_even_within_an_answer() {
    let (server, feed, _directory, file) = begun(&[]).await;
    ["a", "b", "c"].iter().for_each(|id| feed.end(named(id)));
    let one = ["watch", "countdown", "--state", &file, "--max", "1", "--json"];

    let mut seen = Vec::new();
    for _ in 0..3 {
        let run = run(&server.uri(), &one).await;
        assert_eq!(run.code, 0, "{run:?}");
        seen.push(run.json()["id"].clone());
    }
    let rest = run(&server.uri(), &["watch", "countdown", "--state", &file, "--once"]).await;

    assert_eq!(seen, ["a", "b", "c"]);
    assert_eq!((rest.code, rest.out.as_str()), (0, ""), "{rest:?}");
}

#[tokio::test]
async fn without_a_file_it_waits_for_what_ends_from_now_on_until_its_reader_goes() {
    let server = MockServer::start().await;
    let feed = Feed::at(&server).await;
    feed.end(named("history"));
    let mut child = command(&server.uri()).args(["watch", "countdown"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // It has begun.
    while server.received_requests().await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    feed.end(named("a"));

    let (out, line) = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        (out, line)
    })
    .await
    .unwrap();
    drop(out);
    feed.end(named("b"));
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();

    assert!(line.contains("  a  "), "{line}");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_wish_is_asked_for_and_its_file_is_no_other_wishes_file() {
    let (server, _feed, _directory, file) = begun(&["--outcome", "failed,Canceled", "--all"]).await;

    let other = run(&server.uri(), &["watch", "countdown", "--state", &file, "--once"]).await;
    let same = ["--state", &file, "--once", "--all", "--outcome", "Canceled", "--outcome", "Failed"];
    let same = run(&server.uri(), &[&["watch", "countdown"], &same[..]].concat()).await;

    let first = &server.received_requests().await.unwrap()[0];
    assert_eq!(first.url.query(), Some("mode=batch&outcome=Failed&outcome=Canceled&scope=all"));
    assert_eq!(first.headers["authorization"], format!("Bearer {KEY}").as_str());
    assert!(other.code == 2 && other.err.contains("belongs to another command"), "{other:?}");
    assert_eq!((same.code, same.err.as_str()), (0, ""), "{same:?}");
}

#[tokio::test]
async fn the_file_is_for_its_owner_and_a_damaged_one_is_refused_without_showing_it() {
    use std::os::unix::fs::PermissionsExt;
    let (server, _feed, _directory, file) = begun(&[]).await;

    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    std::fs::write(&file, r#"{"v":1,"url":"tell-nobody"}"#).unwrap();
    let damaged = run(&server.uri(), &["watch", "countdown", "--state", &file, "--once"]).await;

    assert_eq!(mode & 0o077, 0);
    assert!(damaged.code == 2 && damaged.err.contains("no state file"), "{damaged:?}");
    assert!(!damaged.err.contains("tell-nobody"), "{damaged:?}");
}

#[tokio::test]
async fn a_refusal_and_a_server_that_is_not_there_have_their_codes_and_one_line_of_json() {
    let server = MockServer::start().await;
    on(&server, "GET", FEED, answer(404, problem(404, "not-found", "there is no such action"))).await;

    let refused = run(&server.uri(), &["watch", "countdown", "--json"]).await;
    let missing = run("http://127.0.0.1:1", &["watch", "countdown"]).await;
    let usage = run(&server.uri(), &["watch", "countdown", "--once"]).await;

    assert_eq!((refused.code, refused.json()["code"].as_str()), (5, Some("not-found")), "{refused:?}");
    assert_eq!(refused.out.lines().count(), 1);
    assert_eq!(missing.code, 4, "{missing:?}");
    assert!(usage.code == 2 && usage.err.contains("--state"), "{usage:?}");
}

#[tokio::test]
async fn an_interrupt_ends_it_without_a_word() {
    let server = MockServer::start().await;
    Feed::at(&server).await;
    let child = command(&server.uri()).args(["watch", "countdown", "--json"]).spawn().unwrap();
    while server.received_requests().await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }

    let output = tokio::task::spawn_blocking(move || {
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap();

    assert_eq!(output.status.code(), Some(130));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}
