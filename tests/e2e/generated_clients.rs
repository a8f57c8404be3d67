//! Clients that others' tools generate from the OpenAPI document, against the real server: each starts operations, follows
//! them at the server's pace, sees the result, the failure and the cancel in generated types, and is what the guide shows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{PATIENCE, TestServer, skip};

/// What a client saw of one operation.
#[derive(Debug, Deserialize)]
struct Seen {
    /// How the operation was to end.
    end: String,
    id: String,
    /// The status of the last answer.
    http: u16,
    status: String,
    steps: Option<u16>,
    code: Option<String>,
    /// The header of the start, where the client shows headers.
    location: Option<String>,
    /// The custom status of each poll while the operation ran.
    shown: Vec<Option<String>>,
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Runs a client of `language`, and looks at what it saw. A program with a path is one in `target/generated`.
async fn follow(language: &str, program: &str, arguments: &[&str], shows_headers: bool) {
    let made = file("target/generated");
    if !made.join(format!("{language}.mark")).exists() {
        let test = format!("the generated client {}", arguments.last().unwrap_or(&program));
        return skip(&test, "it is not there; `tests/run` makes it");
    }
    let server = TestServer::start().await;
    let program = if program.contains('/') { made.join(program) } else { program.into() };
    let mut client = Command::new(program);
    client.args(arguments).arg(server.url("")).env("RAINCHECK_KEY", &server.key);
    let running = client.current_dir(made.join(language)).stdin(Stdio::null()).kill_on_drop(true).output();

    let output = timeout(PATIENCE, running).await.expect("it ends in time").expect("it runs");

    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");
    let seen: Vec<Seen> = text.lines().map(|line| serde_json::from_str(line).expect("what it saw")).collect();
    let ends: BTreeSet<&str> = seen.iter().map(|one| &*one.end).collect();
    assert_eq!(ends, BTreeSet::from(["succeeds", "fails", "is-canceled"]), "{text}");
    for one in &seen {
        let ended = (one.http, &*one.status, one.steps, one.code.as_deref());
        let expected = match &*one.end {
            "succeeds" => (200, "Succeeded", Some(3), None),
            "fails" => (422, "Failed", None, Some("out-of-paper")),
            _ => (409, "Canceled", None, Some("canceled")),
        };
        assert_eq!(ended, expected, "{one:?}");
        let path = format!("/v1/actions/countdown/operations/{}", one.id);
        let location = one.location.as_ref().map(|location| location.starts_with(&server.url(&path)));
        assert_eq!(location, shows_headers.then_some(true), "{one:?}");
        if one.end == "is-canceled" {
            continue;
        }
        // The server asks for a second at least, before each poll.
        let lasted = server.get(&format!("{path}/status")).await.lasted();
        assert!(one.shown.len() as f64 <= lasted + 1.0, "{lasted} s: {one:?}");
    }
    // On a busy machine, one of them may have ended before its first poll.
    let mut shown = seen.iter().flat_map(|one| one.shown.iter().flatten());
    assert!(shown.any(|status| status.ends_with(" left")), "{text}");
}

#[tokio::test]
async fn openapi_generators_python_client_sees_every_end() {
    follow("python", "venv/bin/python", &["openapi_generator.py"], true).await;
}

#[tokio::test]
async fn openapi_python_client_sees_every_end() {
    follow("python", "venv/bin/python", &["openapi_python_client.py"], true).await;
}

#[tokio::test]
async fn openapi_generators_typescript_client_sees_every_end() {
    follow("typescript", "node", &["out/openapi-generator.js"], true).await;
}

#[tokio::test]
async fn hey_apis_client_sees_every_end() {
    follow("typescript", "node", &["out/hey-api.js"], true).await;
}

#[tokio::test]
async fn openapi_fetch_sees_every_end() {
    follow("typescript", "node", &["out/openapi-typescript.js"], true).await;
}

#[tokio::test]
async fn openapi_generators_rust_client_sees_every_end() {
    follow("rust", "rust-target/debug/with-openapi-generator", &[], false).await;
}

#[tokio::test]
async fn progenitors_client_sees_every_end() {
    follow("rust", "rust-target/debug/with-progenitor", &[], true).await;
}

#[tokio::test]
async fn openapi_generators_java_client_sees_every_end() {
    let classpath = std::fs::read_to_string(file("target/generated/java/classpath")).unwrap_or_default();
    let classpath = format!("classes:{classpath}");
    follow("java", "java", &["-cp", &classpath, "Follow"], true).await;
}

/// What the text has between two marks, each time, without the indentation: a page shows it further to the left.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<Vec<&'a str>> {
    let parts = text.split(begin).skip(1).filter_map(|part| Some(part.split_once('\n')?.1));
    parts
        .map(|part| part.lines().map(str::trim_start).take_while(|line| !line.contains(end)).collect())
        .collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn the_guide_shows_the_programs_and_the_commands_that_are_tested() {
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a text");
    let programs: Vec<_> = files_below(&file("tests/generated")).iter().map(read).collect();
    let page = read(&file("docs/generated-clients.md"));

    let tested = programs.iter().flat_map(|program| between(program, "docs: begin ", "docs: end "));
    let tested: BTreeSet<_> = tested.collect();
    let shown = ["sh", "python", "ts", "rust", "java"]
        .map(|language| between(&page, &format!("```{language}"), "```"));
    let shown: BTreeSet<_> = shown.into_iter().flatten().collect();

    let (untested, unshown) = (shown.difference(&tested), tested.difference(&shown));
    let (untested, unshown): (Vec<_>, Vec<_>) = (untested.collect(), unshown.collect());
    assert!(untested.is_empty(), "no program has these parts of the guide: {untested:#?}");
    assert!(unshown.is_empty(), "the guide lacks these parts of programs: {unshown:#?}");
}
