//! A server with declared actions, and what a caller and an operator see of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, Launch, PATIENCE, ServerProcess};

/// A secret of the declarations. Nothing that anybody sees may have it.
pub(super) const SECRET: &str = "hunter2-is-my-secret";

/// A server whose configuration declares actions, on a directory that outlives it.
pub(super) struct World {
    pub(super) launch: Launch,
    pub(super) server: ServerProcess,
}

impl World {
    /// Starts a server with these lines of configuration.
    pub(super) async fn start(launch: Launch, actions: &str) -> Self {
        let launch = launch.env("TARGET_SECRET", SECRET).config(&configuration(actions));
        let server = launch.start().await;
        Self { launch, server }
    }

    /// Starts an operation and gives its status URL.
    pub(super) async fn begin(&self, action: &str, input: Value) -> String {
        let answer = self.post(action, input).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.location()
    }

    pub(super) async fn post(&self, action: &str, input: Value) -> Answer {
        let url = self.server.url(&format!("/v1/actions/{action}"));
        Answer::to(self.server.http.post(url).bearer_auth(&self.server.key).json(&input)).await
    }

    /// Polls a status URL until the operation has ended. After a restart the server is elsewhere.
    pub(super) async fn ended(&self, location: &str) -> Answer {
        let here = self.server.url(&path(location));
        let ended = async {
            loop {
                let answer = Answer::to(self.server.http.get(&here).header("prefer", "wait=10")).await;
                if answer.status != 202 {
                    return answer;
                }
            }
        };
        let answer = tokio::time::timeout(PATIENCE, ended).await.expect("the operation ends");
        assert!(!answer.text.contains(SECRET), "{answer:?}");
        answer
    }

    /// Starts an operation and waits for its end.
    pub(super) async fn run(&self, action: &str, input: Value) -> Answer {
        let location = self.begin(action, input).await;
        self.ended(&location).await
    }

    /// What an operator sees of an operation.
    pub(super) async fn operator(&self, location: &str) -> Value {
        let url = self.server.admin(&format!("/admin/v1/operations/{}", id(location)));
        Answer::to(self.server.http.get(url).bearer_auth(&self.server.key)).await.json()
    }

    /// The journal of an operation.
    pub(super) async fn journal(&self, location: &str) -> Value {
        let url = self.server.admin(&format!("/admin/v1/operations/{}/journal", id(location)));
        Answer::to(self.server.http.get(url).bearer_auth(&self.server.key)).await.json()
    }

    /// Asks an operation to stop.
    pub(super) async fn cancel(&self, location: &str) {
        let url = self.server.url(&path(location));
        let answer = Answer::to(self.server.http.delete(url).bearer_auth(&self.server.key)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// `kill -9`, and another start on the same data.
    pub(super) async fn crash(self) -> Self {
        let Self { launch, server } = self;
        server.kill9().await;
        let server = launch.start().await;
        Self { launch, server }
    }

    /// Looks at everything that the server has shown of an operation, and has kept.
    pub(super) async fn has_kept_its_secret(&self, location: &str) {
        for text in [
            self.operator(location).await.to_string(),
            self.journal(location).await.to_string(),
            self.launch.log(),
        ] {
            assert!(!text.contains(SECRET), "{text}");
        }
        let files = std::fs::read_dir(self.launch.data_dir()).expect("the data directory");
        for file in files.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()) {
            let bytes = std::fs::read(&file).expect("a file of the store");
            let found = bytes.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes());
            assert!(!found, "the secret is in {}", file.display());
        }
    }
}

/// A whole configuration with these actions.
pub(super) fn configuration(actions: &str) -> String {
    format!(
        "[samples]\nenabled = false\n\n[outbound]\nallow = [\"127.0.0.1\"]\nallow_plain_http = true\n\n{actions}"
    )
}

/// The id of an operation, from its status URL.
pub(super) fn id(location: &str) -> String {
    let path = path(location);
    let path = path.split('?').next().unwrap_or_default().to_owned();
    path.rsplit('/').next().expect("an id").to_owned()
}

/// A URL without the server that it leads to.
fn path(location: &str) -> String {
    let rest = location.split_once("://").expect("an absolute URL").1;
    rest[rest.find('/').expect("a path")..].to_owned()
}

/// Waits until something is so.
pub(super) async fn until(what: &str, so: impl Fn() -> bool) {
    let waited = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// An order for the workers of the suite.
pub(super) fn order(what: &str) -> Value {
    json!({ "do": what, "echo": null })
}
