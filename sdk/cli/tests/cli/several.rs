//! Several operations at once.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{body_json, method};
use wiremock::{Mock, MockServer};

use crate::support::*;

/// Operations under `/op/N`: the odd ones take two polls more than the even ones.
async fn operations(count: usize) -> MockServer {
    let server = MockServer::start().await;
    for number in 0..count {
        let at = format!("/op/{number}");
        let accepted = accepted(&at).set_body_json(view("NotStarted"));
        Mock::given(method("POST")).and(body_json(number)).respond_with(accepted).mount(&server).await;
        let running = answer(202, view("Running"));
        let done = answer(200, with(view("Succeeded"), "output", number));
        let answers = if number % 2 == 1 { vec![running.clone(), running, done] } else { vec![done] };
        Mock::given(method("GET"))
            .and(wiremock::matchers::path(at))
            .respond_with(Script::new(answers))
            .mount(&server)
            .await;
    }
    server
}

fn outputs(run: &Run) -> Vec<Value> {
    run.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["output"].clone()).collect()
}

#[tokio::test]
async fn several_waits_print_json_lines_in_the_order_given() {
    let server = operations(4).await;
    let urls: Vec<_> = [1, 0, 3, 2].map(|number| format!("{}/op/{number}", server.uri())).into();
    let args: Vec<&str> = ["wait"].into_iter().chain(urls.iter().map(String::as_str)).collect();

    let run = run(&server.uri(), &args).await;

    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(outputs(&run), [1, 0, 3, 2].map(Value::from));
    assert!(run.err.contains("[1] Running") && run.err.contains("[4] Succeeded"), "{run:?}");
}

#[tokio::test]
async fn several_inputs_start_several_operations() {
    let server = operations(3).await;

    let typed = run(&server.uri(), &["start", "x", "--wait", "--input", "2", "-i", "1"]).await;
    let lines =
        run_with_stdin(&server.uri(), &["start", "x", "--wait", "--inputs", "-"], "0\n\n1\n2\n").await;
    let started = run(&server.uri(), &["start", "x", "--input", "1", "--input", "0"]).await;

    assert_eq!((typed.code, outputs(&typed)), (0, vec![json!(2), json!(1)]), "{typed:?}");
    assert_eq!((lines.code, outputs(&lines)), (0, vec![json!(0), json!(1), json!(2)]), "{lines:?}");
    assert_eq!(started.out, format!("{0}/op/1\n{0}/op/0\n", server.uri()), "{started:?}");
}

#[tokio::test]
async fn a_key_for_several_starts_is_a_key_for_each() {
    let server = operations(2).await;

    let args = ["start", "x", "--input", "0", "--input", "1", "--idempotency-key", "k", "--json"];
    let run = run(&server.uri(), &args).await;

    let requests = server.received_requests().await.unwrap();
    let mut keys: Vec<_> =
        requests.iter().map(|it| it.headers["idempotency-key"].to_str().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!((run.code, keys), (0, vec!["k-1", "k-2"]), "{run:?}");
    let first: Value = serde_json::from_str(run.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["statusUrl"], format!("{}/op/0", server.uri()));
}

#[tokio::test]
async fn the_exit_code_is_the_highest_and_each_has_its_line() {
    let server = operations(1).await;
    let failed = with(view("Failed"), "error", json!({"code": "no-luck", "message": "It rained."}));
    on(&server, "GET", "/failed", answer(200, failed)).await;
    let at = |path: &str| format!("{}{path}", server.uri());
    let (failed, gone, good) = (at("/failed"), at("/nothing"), at("/op/0"));

    let some = run(&server.uri(), &["wait", &failed, &good]).await;
    let all = run(&server.uri(), &["wait", &failed, &gone, &good]).await;

    assert_eq!((some.code, all.code), (1, 5), "{all:?}");
    let lines: Vec<Value> = all.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["error"]["code"], &lines[2]["output"]), (&json!("no-luck"), &json!(0)));
    assert_eq!(lines[1]["error"]["code"], "refused");
    assert!(all.err.contains("raincheck: [1] the operation failed: It rained."), "{all:?}");
    assert!(all.err.contains("raincheck: [2] the server refused with 404"), "{all:?}");
}

#[tokio::test]
async fn broken_input_lines_are_named_and_nothing_is_sent() {
    let server = operations(1).await;

    let run = run_with_stdin(&server.uri(), &["start", "x", "--inputs", "-"], "1\n{broken\n").await;

    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("line 2 of stdin is not JSON"), "{run:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_interrupt_stops_all_watching_and_says_how_to_go_on() {
    let server = operations(1).await;
    on(&server, "GET", "/slow", answer(202, view("Running")).insert_header("retry-after", "600")).await;
    let (slow, quick) = (format!("{}/slow", server.uri()), format!("{}/op/0", server.uri()));
    let mut child = command(&server.uri()).args(["wait", &slow, &quick, &slow]).spawn().unwrap();

    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let (code, out, err) = tokio::task::spawn_blocking(move || {
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let mut line = String::new();
            errors.read_line(&mut line).unwrap();
            seen.push(line);
        }
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        errors.read_to_string(&mut err).unwrap();
        (child.wait().unwrap().code(), out, err)
    })
    .await
    .unwrap();

    assert_eq!(code, Some(130), "{out} {err}");
    assert_eq!(err, format!("2 not ended yet; go on with: raincheck wait '{slow}' '{slow}'\n"));
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["error"]["code"], &lines[1]["output"]), (&json!("interrupted"), &json!(0)));
}

// `script` gives the process a terminal; it belongs to every Debian, and BSDs have another one.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn on_a_terminal_each_operation_has_a_bar() {
    let server = operations(2).await;
    for number in 0..2 {
        let half =
            answer(202, with(view("Running"), "percentComplete", 50)).set_delay(Duration::from_millis(300));
        Mock::given(method("GET"))
            .and(wiremock::matchers::path(format!("/bar/{number}")))
            .respond_with(Script::new([half, answer(200, with(view("Succeeded"), "output", number))]))
            .mount(&server)
            .await;
    }
    let line = format!("{} wait {1}/bar/0 {1}/bar/1", env!("CARGO_BIN_EXE_raincheck"), server.uri());

    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).stdin(std::process::Stdio::null());
    let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for bar in ["[1] countdown", "[2] countdown", "[============> ", " 50% Running"] {
        assert!(text.contains(bar), "{bar}: {text}");
    }
}
