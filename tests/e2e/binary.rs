//! The program: what it prints, what it refuses, and how it starts and stops.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::harness::{Answer, Launch, PATIENCE, ServerProcess};

/// Runs a command of the server's program beside it.
async fn run(launch: &Launch, arguments: &[&str]) -> (i32, String, String) {
    let output = launch.command().args(arguments).output().await.expect("the server's program");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

async fn start_countdown(server: &ServerProcess, key: &str) -> Answer {
    let start = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(key);
    Answer::to(start.json(&json!({ "seconds": 0, "steps": 1 }))).await
}

#[tokio::test]
async fn the_first_start_makes_a_development_key_that_only_its_owner_can_read() {
    let launch = Launch::new().env("RAINCHECK_ROOT_KEY", "");
    let mut server = launch.start().await;

    let mut introduction = String::new();
    let read = async {
        let mut buffer = [0; 1024];
        while !introduction.contains("curl") || !introduction.ends_with('\n') {
            let count = server.output().read(&mut buffer).await.expect("readable");
            introduction.push_str(std::str::from_utf8(&buffer[..count]).expect("UTF-8"));
        }
    };
    timeout(PATIENCE, read).await.expect("a curl line to try");

    let at = introduction.find("rck_").expect("a key");
    let key: String = introduction[at..]
        .chars()
        .take_while(|&c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        .collect();
    assert_eq!(start_countdown(&server, &key).await.status, 202, "{introduction}");
    let files: Vec<_> =
        std::fs::read_dir(launch.data_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let holds_key =
        |path: &&std::path::PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"rck_"));
    let kept = files.iter().find(holds_key).expect("a file with the key");
    for path in [kept, &launch.data_dir().join("raincheck.db")] {
        let mode =
            std::fs::metadata(path).unwrap_or_else(|error| panic!("{error}: {files:?}")).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_beside_a_running_server() {
    let launch = Launch::new();
    let server = launch.start().await;

    let (code, key, _) = run(&launch, &["keys", "create", "--role", "start", "--name", "flow"]).await;
    assert_eq!(code, 0);
    let key = key.trim();
    // Nobody has asked for a key yet, so the first request reads them.
    assert_eq!(start_countdown(&server, key).await.status, 202);
    let (code, list, _) = run(&launch, &["keys", "list"]).await;
    assert!(code == 0 && list.contains("flow") && !list.contains(key), "{list}");

    let (code, ..) = run(&launch, &["keys", "revoke", "flow"]).await;
    assert_eq!(code, 0);
    let revoked = Instant::now();
    while start_countdown(&server, key).await.status != 401 {
        assert!(revoked.elapsed() < Duration::from_secs(5), "a revoked key is still taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_key_for_one_action_starts_no_other() {
    let launch = Launch::new();
    let server = launch.start().await;
    let arguments = ["keys", "create", "--role", "start", "--action", "submit-talk", "--name", "talks"];

    let (_, key, _) = run(&launch, &arguments).await;

    let answer = start_countdown(&server, key.trim()).await;
    assert_eq!((answer.status, &*answer.code()), (403, "forbidden"));
}

#[tokio::test]
async fn a_second_server_on_the_same_data_says_why_it_does_not_start() {
    let launch = Launch::new();
    let _server = launch.start().await;

    let second = timeout(PATIENCE, run(&launch, &["serve"])).await.expect("it does not start");

    let (code, out, error) = second;
    assert_eq!((code, &*out), (1, ""), "{error}");
    assert!(error.contains("another raincheck server") && error.contains("/data"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_advice() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let (code, _, error) = run(&Launch::new(), &["--listen", &address]).await;

    assert_eq!(code, 1);
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
}

#[tokio::test]
async fn a_wrong_configuration_names_the_place_the_key_and_what_is_allowed() {
    let cases: [(&str, &[&str]); 4] = [
        ("drain_time = \"soon\"", &["raincheck.toml", "drain_time", "\"10s\""]),
        ("[log]\nformat = \"xml\"", &["raincheck.toml", "log.format", "text", "json"]),
        ("lissten = \"127.0.0.1:1\"", &["raincheck.toml", "lissten", "listen"]),
        ("listen = [", &["raincheck.toml"]),
    ];
    for (toml, words) in cases {
        let launch = Launch::new().config(toml);
        for command in [&["check"] as &[&str], &["serve"]] {
            let (code, _, error) = run(&launch, command).await;
            assert_eq!(code, 2, "{toml}: {error}");
            assert!(words.iter().all(|word| error.contains(word)), "{toml}: {error}");
        }
    }
    let variable = Launch::new().env("RAINCHECK_ROOT_KEY", "secret-but-no-key");
    let (code, _, error) = run(&variable, &["check"]).await;
    assert!(code == 2 && error.contains("RAINCHECK_ROOT_KEY") && error.contains("rck_"), "{error}");
    assert!(!error.contains("secret-but-no-key"), "{error}");
}

#[tokio::test]
async fn a_server_that_others_can_reach_needs_a_public_url() {
    let (code, _, error) = run(&Launch::new(), &["check", "--listen", "0.0.0.0:0"]).await;

    assert_eq!(code, 2, "{error}");
    assert!(error.contains("public_url"), "{error}");
}

#[tokio::test]
async fn a_terminated_server_answers_what_is_held_and_leaves_operations_to_the_next() {
    let launch = Launch::new().env("RAINCHECK_PUBLIC_URL", "https://raincheck.test");
    let server = launch.start().await;
    let here =
        |server: &ServerProcess, url: &str| server.url(url.strip_prefix("https://raincheck.test").unwrap());
    let start = server.http.post(server.url("/v1/actions/request-approval")).bearer_auth(&server.key);
    let started = Answer::to(start.json(&json!({ "subject": "a long talk" }))).await;
    let location = started.location();
    // Once it shows its status, the next change is a decision: this poll is held until the server goes.
    let poll = server.http.get(here(&server, &location)).header("prefer", "wait=30");
    while Answer::to(server.http.get(here(&server, &location))).await.view().custom_status.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let held = tokio::spawn(Answer::to(poll));
    tokio::time::sleep(Duration::from_millis(200)).await;

    let begin = Instant::now();
    let status = server.terminate().await;

    assert!(status.success(), "{status:?}: {}", launch.log());
    assert!(begin.elapsed() < Duration::from_secs(15), "it took {:?} to stop", begin.elapsed());
    assert_eq!(held.await.unwrap().status, 202);
    let server = launch.start().await;
    let event = format!("{}/events/decision", here(&server, location.split('?').next().unwrap()));
    let sent = server.http.post(event).bearer_auth(&server.key).json(&json!({ "approved": true }));
    assert_eq!(Answer::to(sent).await.status, 202);
    let ended = Answer::to(server.http.get(here(&server, &location)).header("prefer", "wait=30")).await;
    assert_eq!((ended.status, &ended.json()["output"]["approved"]), (200, &json!(true)));
}

#[tokio::test]
async fn a_start_of_the_program_to_its_first_202_is_quick() {
    let launch = Launch::new();
    let begin = Instant::now();

    let server = launch.start().await;
    let answer = start_countdown(&server, &server.key).await;

    assert_eq!(answer.status, 202);
    // A bound for a slow machine and a debug build; the figure itself is in the benchmarks.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn the_version_and_the_commands_are_told() {
    let launch = Launch::new();

    let (_, version, _) = run(&launch, &["--version"]).await;
    let (_, help, _) = run(&launch, &["--help"]).await;

    assert!(version.starts_with("raincheck-server "), "{version}");
    for word in ["serve", "keys", "openapi", "check", "--listen", "RAINCHECK_DATA_DIR"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    // Nothing of this makes a store.
    assert!(!launch.data_dir().exists());
}
