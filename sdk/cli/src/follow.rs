//! `raincheck status`, `wait` and `cancel`: operations by their status URLs.

use std::future::ready;
use std::process::ExitCode;

use raincheck::{Client, Operation, ResumeToken};
use serde_json::{Value, json};

use crate::args::{Server, Target, Wait};
use crate::exit::{self, Failure};
use crate::progress::Board;
use crate::resume::Resume;
use crate::start::client;
use crate::watch::{Begun, conclude, watch};
use crate::{access, several, show};

pub(crate) async fn status(server: &Server, target: &Target, json: bool) -> Result<ExitCode, Failure> {
    let mut operation = client(&server.url, server)?.attach_url::<Value>(&target.status_url)?;
    let status = operation.poll().await?;
    match operation.view() {
        Some(view) if json => show::document(&show::body(view)),
        Some(view) => show::pairs(&show::status(view)),
        None if json => show::document(&json!({"status": status})),
        None => show::pairs(&[("status", status.to_string())]),
    }
    Ok(exit::of_status(status))
}

pub(crate) async fn cancel(server: &Server, target: &Target, json: bool) -> Result<ExitCode, Failure> {
    let mut operation = client(&server.url, server)?.attach_url::<Value>(&target.status_url)?;
    let status = operation.cancel().await?;
    if json {
        show::document(&json!({"id": operation.id(), "status": status}));
    } else {
        show::line(status.as_str());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn wait(server: &Server, command: &Wait, json: bool) -> Result<ExitCode, Failure> {
    let mut builder = Client::builder(&server.url);
    if let Some(key) = server.key() {
        builder = builder.api_key(key);
    }
    let client = access::configure(builder, &command.access)?.build()?;
    let headers = access::headers(&command.access)?;
    let urls = &command.status_urls;
    let resume = match &command.resume {
        Some(path) if urls.is_empty() => Resume::whatever(path)?,
        path => Resume::open(path.as_deref(), urls.iter().map(|url| format!("wait {url}")).collect())?,
    };
    let mut operations = Vec::new();
    for index in 0..resume.len() {
        let token = match (resume.slot(index).token(), urls.get(index)) {
            (Some(token), _) => token,
            (None, Some(url)) => ResumeToken::from_url(url)?,
            (None, None) => continue,
        };
        operations.push((index, attach(&client, command, &headers, token)?));
    }
    let board = Board::new(operations.len());
    let tasks = operations.into_iter().map(|(index, operation)| {
        watch(ready(Ok(Begun::Attached(operation))), board.progress(index, ""), resume.slot(index))
    });
    let mut tasks: Vec<_> = tasks.collect();
    match tasks.pop() {
        Some(only) if tasks.is_empty() => conclude(only.await, &resume, json).await,
        last => Ok(several::follow(&board, &resume, tasks.into_iter().chain(last)).await),
    }
}

/// An operation with the headers that its API wants to see.
fn attach(
    client: &Client,
    command: &Wait,
    headers: &[(String, String)],
    token: ResumeToken,
) -> Result<Operation<Value>, Failure> {
    let mut request = client.request("GET", token.url())?;
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut start = client.operation(request);
    if let Some(timeout) = command.timeout {
        start = start.timeout(timeout);
    }
    Ok(start.attach(token)?)
}
