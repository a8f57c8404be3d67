//! The contract as a document: what is committed is what the server shows.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Launch, TestServer};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/openapi.json")
}

/// The document as the command prints it, away from any configuration.
async fn printed() -> String {
    let output = Launch::new().command().arg("openapi").output().await.expect("the server's program");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test]
async fn the_committed_document_is_that_of_the_sample_server() {
    let printed = printed().await;

    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden(), &printed).expect("a file that can be written");
    }
    let committed = std::fs::read_to_string(golden()).unwrap_or_default();
    if committed != printed {
        let place = committed.lines().zip(printed.lines()).position(|(one, other)| one != other);
        panic!(
            "openapi/openapi.json is not up to date, from line {:?}; UPDATE_GOLDEN=1 writes it anew",
            place
        );
    }
}

#[tokio::test]
async fn a_server_shows_the_same_document_to_anyone() {
    let server = TestServer::start().await;

    let shown = server.get_bare("/openapi.json").await;

    assert_eq!((shown.status, shown.header("content-type")), (200, "application/json"));
    let (mut shown, mut printed): (Value, Value) = (shown.json(), printed().await.parse().unwrap());
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
