//! `raincheck start`: asks for an operation and prints where its status is, or its output.

use std::collections::BTreeMap;
use std::process::ExitCode;

use raincheck::{Client, Operation};
use serde::Serialize;
use serde_json::Value;

use crate::args::{self, Server};
use crate::exit::{self, Failure};
use crate::{follow, input, show};

/// What `start --json` prints: the status URL first, since that is what a script goes on with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Started<'a> {
    status_url: &'a str,
    #[serde(flatten)]
    view: Option<show::Body>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: &'a BTreeMap<String, String>,
}

pub(crate) async fn run(server: &Server, command: args::Start, json: bool) -> Result<ExitCode, Failure> {
    let args::Start { action, input, wait, idempotency_key, links, timeout } = command;
    let input = input::read(&input)?;
    let client = client(&server.url, server)?;
    let mut start = client.start::<Value>(&action, &input).links(links);
    if let Some(key) = idempotency_key {
        start = start.idempotency_key(key);
    }
    if let Some(timeout) = timeout {
        start = start.timeout(timeout);
    }
    let key = start.key().to_owned();
    let operation = match start.await {
        Ok(operation) => operation,
        Err(error) => {
            if error.is_timeout() || error.is_unavailable() || (error.is_transport() && !error.is_connect()) {
                eprintln!("it may have been accepted; repeat it safely with: --idempotency-key {key}");
            }
            return Err(error.into());
        }
    };
    if wait {
        for (right, link) in operation.links() {
            eprintln!("{right}: {link}");
        }
        return follow::to_the_end(operation, &action, json).await;
    }
    Ok(print(&operation, json))
}

fn print(operation: &Operation<Value>, json: bool) -> ExitCode {
    let token = operation.token();
    if json {
        show::document(&Started {
            status_url: token.url(),
            view: operation.view().map(show::body),
            links: operation.links(),
        });
    } else {
        // The URL alone on stdout, so that it can be caught in a variable.
        show::line(token.url());
        for (right, link) in operation.links() {
            eprintln!("{right}: {link}");
        }
        eprintln!("accepted; go on with: {}", show::wait_command(token.url()));
    }
    operation.view().map_or(ExitCode::SUCCESS, |view| exit::of_status(view.status))
}

/// A client of `url` with the key that was given.
pub(crate) fn client(url: &str, server: &Server) -> Result<Client, Failure> {
    let mut builder = Client::builder(url);
    if let Some(key) = server.api_key.as_deref().filter(|key| !key.is_empty()) {
        builder = builder.api_key(key);
    }
    Ok(builder.build()?)
}
