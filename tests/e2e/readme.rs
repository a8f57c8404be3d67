//! The README says what is so: its commands run, and its code is the example that is built.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::harness::{Launch, binary};

fn file(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of code in a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// The commands of a block of shell code; one goes on over the lines of a quoted text.
fn commands(block: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    for line in block.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match commands.last_mut() {
            Some(command) if open => command.extend(["\n", line]),
            _ => commands.push(line.to_owned()),
        }
        open ^= line.matches('\'').count() % 2 == 1;
    }
    commands
}

/// Runs a command in a shell, as somebody who follows the README would, at this server.
async fn run(launch: &Launch, variables: &str, command: &str) -> String {
    let output = Command::new("bash")
        .args(["-c", &format!("{variables}\n{command}")])
        .current_dir(launch.directory())
        .output()
        .await
        .expect("bash");
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test]
async fn the_commands_of_the_readme_show_the_whole_story() {
    let desks = ["moderation", "shortlisting", "selection"];
    let quick =
        desks.map(|desk| format!("[samples.submit_talk.{desk}]\ntakes = \"50ms\"\ndecides = \"accept\"\n"));
    let launch = Launch::new().env("RAINCHECK_ROOT_KEY", "").config(&quick.concat());
    let server = launch.start().await;
    let readme = file("README.md");
    let shell: Vec<_> = blocks(&readme, "sh").iter().flat_map(|block| commands(block)).collect();
    // The same commands, where this server is.
    let here = |command: &str| {
        command
            .replace("http://127.0.0.1:8080", &server.url(""))
            .replace("raincheck-data", "data")
            .replace("cargo run --release -p raincheck-cli --", &binary("raincheck").to_string_lossy())
    };
    let mut variables =
        format!("export RAINCHECK_URL={} RAINCHECK_ADMIN_URL={}", server.url(""), server.admin(""));
    let mut location = String::new();
    let mut answers = Vec::new();

    for command in &shell {
        if command.starts_with("KEY=") || command.starts_with("export ") {
            variables = format!("{variables}\n{}", here(command));
        } else if command.starts_with("curl") {
            let ticket = here("http://127.0.0.1:8080/v1/actions/submit-talk/operations/…?token=…");
            let answer = run(&launch, &variables, &here(command).replace(&ticket, &location)).await;
            if let Some(line) = answer.lines().find(|line| line.starts_with("location: ")) {
                location = line.trim_start_matches("location: ").trim().to_owned();
            }
            answers.push(answer);
        } else if command.contains("raincheck-cli") {
            answers.push(run(&launch, &variables, &here(command)).await);
        }
    }

    let [started, polled, held, waited, listed] = answers.as_slice() else { panic!("{answers:#?}") };
    assert!(started.starts_with("HTTP/1.1 202") && started.contains("retry-after: "), "{started}");
    for status in [polled, held] {
        assert!(status.starts_with("HTTP/1.1 20") && status.contains("\"submit-talk\""), "{status}");
    }
    assert!(waited.contains("Approved"), "{waited}");
    assert!(listed.contains("submit-talk"), "{listed}");
}

#[test]
fn the_example_of_the_readme_is_the_one_that_is_built() {
    let example = file("server/examples/embed.rs");

    assert!(
        blocks(&file("README.md"), "rust").contains(&example),
        "server/examples/embed.rs is not in the README"
    );
}
