//! A tool that reads the document and tries everything that it allows and forbids, against the server that shows it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::{Launch, long, seed, skip};

/// A daily run takes half a minute.
const PATIENCE: Duration = Duration::from_secs(300);

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every check and every phase, with or without a key, against a server of its own.
async fn no_failures(with_key: bool) {
    let program = file("../target/venv/bin/schemathesis");
    if !program.exists() {
        let test = if with_key { "schemathesis with a key" } else { "schemathesis without a key" };
        return skip(test, "it is not installed in target/venv; `tests/run` does that");
    }
    // Answers that are held for long, streams that stay open, and desks that take their time, would only make it wait.
    let launch = Launch::new().config(
        "[polling]\nlongest_wait = \"1s\"\n\
         [limits]\nstreams = 0\n\
         [samples.submit_talk.moderation]\ntakes = \"10ms\"\n\
         [samples.submit_talk.shortlisting]\ntakes = \"10ms\"\n\
         [samples.submit_talk.selection]\ntakes = \"10ms\"\n",
    );
    let server = launch.start().await;
    // What it tries is its own affair; so the daily run tries the same each day, and the long one something else.
    let (examples, seed) = if long() { ("200", seed() & 0xffff_ffff) } else { ("15", 1) };
    let mut command = Command::new(program);
    command
        .arg("--config-file")
        .arg(file("schemathesis/schemathesis.toml"))
        .args(["run", &server.url("/openapi.json"), "--no-color", "--request-timeout", "30"])
        // DELETE asks an operation to stop and deletes nothing: its status stays readable, as the contract wants.
        .args(["--checks", "all", "--exclude-checks", "use_after_free"])
        .args(["--max-examples", examples, "--seed", &seed.to_string()])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", file("schemathesis"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // It keeps what it found in its working directory.
        .current_dir(launch.directory())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if with_key {
        command.env("RAINCHECK_KEY", &server.key);
    } else {
        command.env_remove("RAINCHECK_KEY");
    }
    let patience = if long() { PATIENCE * 10 } else { PATIENCE };

    let output = timeout(patience, command.output()).await.expect("it ends in time").expect("it runs");

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    // All phases, the stateful one too, have looked at all operations.
    for phase in ["Examples", "Coverage", "Fuzzing", "Stateful"] {
        assert!(text.contains(&format!("✅ {phase}")), "{phase}: {text}");
    }
    let refused = text.contains("Authentication failed: 20 operations returned only 401/403");
    assert_eq!(refused, !with_key, "{text}");
}

#[tokio::test]
async fn with_a_key_the_server_does_what_its_document_says() {
    no_failures(true).await;
}

#[tokio::test]
async fn without_a_key_the_server_refuses_as_its_document_says() {
    no_failures(false).await;
}
