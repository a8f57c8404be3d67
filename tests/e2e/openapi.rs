//! The contract as a document: what is committed is what the server shows.

use std::path::{Path, PathBuf};

use raincheck_tests::breaking::breaking_changes;
use serde_json::Value;

use crate::harness::{Launch, TestServer};

/// A file of the contract's folder.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi").join(name)
}

/// What the command prints, away from any configuration.
async fn printed(arguments: &[&str]) -> String {
    let output = Launch::new().command().arg("openapi").args(arguments).output().await;
    let output = output.expect("the server's program");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Compares a committed file with what it should be, or writes it.
fn compare(name: &str, printed: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden(name), printed).expect("a file that can be written");
    }
    let committed = std::fs::read_to_string(golden(name)).unwrap_or_default();
    if committed != printed {
        let place = committed.lines().zip(printed.lines()).position(|(one, other)| one != other);
        panic!("openapi/{name} is not up to date, from line {place:?}; UPDATE_GOLDEN=1 writes it anew");
    }
}

#[tokio::test]
async fn the_committed_document_is_that_of_the_sample_server() {
    compare("openapi.json", &printed(&[]).await);
}

#[tokio::test]
async fn the_committed_older_forms_are_those_of_the_sample_server() {
    compare("openapi-3.0.json", &printed(&["--format", "3.0"]).await);
    compare("swagger-2.0.json", &printed(&["--format", "2.0"]).await);
}

#[test]
fn every_reference_in_every_form_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    for name in
        ["openapi.json", "openapi-3.0.json", "swagger-2.0.json", "connector/apiDefinition.swagger.json"]
    {
        let document: Value =
            std::fs::read_to_string(golden(name)).expect("a document").parse().expect("JSON");
        let mut found = Vec::new();

        references(&document, &mut found);

        assert!(!found.is_empty(), "{name}");
        for target in found {
            let place = target.strip_prefix('#').unwrap_or("not in the document");
            assert!(document.pointer(place).is_some(), "{name}: {target}");
        }
    }
}

/// Before version 1 a contract may still break, but not unseen: `released/intended.txt` has a line for each such change.
#[test]
fn nothing_breaks_the_clients_of_the_last_release() {
    let read =
        |name: &str| std::fs::read_to_string(golden(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let document = |name: &str| read(name).parse::<Value>().unwrap_or_else(|error| panic!("{name}: {error}"));
    let intended = read("released/intended.txt");
    let intended: Vec<_> =
        intended.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();

    let changes = breaking_changes(&document("released/openapi.json"), &document("openapi.json"));

    let new: Vec<_> = changes.iter().filter(|change| !intended.contains(&change.as_str())).collect();
    assert!(new.is_empty(), "clients of the last release would break:\n{new:#?}");
    let gone: Vec<_> = intended.iter().filter(|line| !changes.iter().any(|change| change == *line)).collect();
    assert!(gone.is_empty(), "no longer true, in released/intended.txt:\n{gone:#?}");
}

#[tokio::test]
async fn the_newest_form_is_what_is_printed_by_default() {
    assert_eq!(printed(&["--format", "3.1"]).await, printed(&[]).await);
}

#[tokio::test]
async fn a_server_shows_the_same_document_to_anyone() {
    let server = TestServer::start().await;

    let shown = server.get_bare("/openapi.json").await;

    assert_eq!((shown.status, shown.header("content-type")), (200, "application/json"));
    let (mut shown, mut printed): (Value, Value) = (shown.json(), printed(&[]).await.parse().unwrap());
    // Where the server is, is its own.
    shown["servers"].take();
    printed["servers"].take();
    let different = |key: &&String| shown[key.as_str()] != printed[key.as_str()];
    let parts: Vec<_> = printed.as_object().expect("an object").keys().filter(different).collect();
    assert!(parts.is_empty(), "{parts:?} are different");
}

#[tokio::test]
async fn a_server_without_docs_shows_none() {
    let server = TestServer::with_config(|config| config.docs = false).await;

    for path in ["/openapi.json", "/docs", "/docs/"] {
        assert_eq!(server.get_bare(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_documents_page_needs_no_network() {
    let server = TestServer::start().await;

    let mut page = server.get_bare("/docs").await;
    if page.status / 100 == 3 {
        let base: reqwest::Url = server.url("/docs").parse().expect("a URL");
        page = server.get_bare(base.join(&page.location()).expect("a URL").as_str()).await;
    }

    assert_eq!(page.status, 200, "{page:?}");
    assert!(!page.text.contains("https://"), "{page:?}");
}
