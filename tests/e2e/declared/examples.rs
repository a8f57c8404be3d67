//! The examples, as they are written: they are in the README, they are good, and they do what they say.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::common::{Orchestrated, as_root};
use super::suite::Worker as _;
use super::target::Target;
use super::world::{SECRET, World};
use crate::harness::{Answer, Launch};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn example(name: &str) -> String {
    let path = path("server/examples/actions").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A server with an example, whose other server is here instead.
async fn start(example: &str, away: &str, here: &str, variable: &str) -> World {
    let launch = Launch::new().env(variable, SECRET);
    let script = self::example("word_count.py");
    std::fs::write(launch.directory().join("word_count.py"), script).expect("a script");
    let example = example.replace(away, here);
    let example = match example.contains("\"command\"") {
        true => example.replacen("kind = \"command\"\n", &format!("kind = \"command\"\n{}", as_root()), 1),
        false => example,
    };
    World::start(launch, &example).await
}

#[test]
fn the_readme_has_the_examples_as_they_are() {
    let readme = std::fs::read_to_string(path("README.md")).expect("the README");

    for name in ["report.toml", "word-count.toml", "expenses.toml"] {
        assert!(readme.contains(&format!("```toml\n{}```", example(name))), "{name} is not in the README");
    }
}

#[tokio::test]
async fn the_report_is_made() {
    let target = Target::start().await;
    let world = start(&example("report.toml"), "https://reports.example", &target.url, "REPORTS_TOKEN").await;

    let answer = world.run("yearly-report", json!({"year": 2026})).await;

    // The target says 401 to everybody else.
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(target.seen()[0].path, "/yearly/2026");
    let refused = world.post("yearly-report", json!({"year": "2026/../.."})).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], json!("/year"));
}

#[tokio::test]
async fn the_words_are_counted() {
    let world = start(&example("word-count.toml"), "", "", "NOTHING").await;

    let answer = world.run("count-words", json!({"text": "no rust\nat all"})).await;
    assert_eq!(answer.json()["output"], json!({"words": 4}), "{answer:?}");

    let answer = world.run("count-words", json!({"text": ""})).await;
    let told = (answer.code(), answer.json()["detail"].clone());
    assert_eq!(told, ("no-text".to_owned(), json!("there is nothing to count")), "{answer:?}");
}

#[tokio::test]
async fn the_expense_is_approved() {
    let app = Orchestrated::new(&Launch::new()).await.0;
    let keys = format!(
        "https://expenses.example\"\ntask_hub = \"{}\"\nconnection = \"Storage",
        super::durable::TASK_HUB
    );
    let text =
        example("expenses.toml").replace("https://expenses.example", &keys).replace("ApproveExpense", "Work");
    let world = start(&text, "https://expenses.example", &app.url, "DURABLE_KEY").await;

    let started = world.post("approve-expense?links=event:approval", json!({"do": "await"})).await;
    let link = started.json()["links"]["event:approval"].as_str().expect("a link").to_owned();
    assert_eq!(Answer::to(world.server.http.post(link).json(&json!(true))).await.status, 202);

    let answer = world.ended(&started.location()).await;
    assert_eq!(answer.json()["output"]["events"][0]["body"], json!(true), "{answer:?}");
}
