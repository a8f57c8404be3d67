//! `raincheck start`: asks for operations and prints where their statuses are, or their outputs.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use raincheck::{Client, Error, Operation, Start};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{self, Server};
use crate::exit::{self, Failure};
use crate::progress::Board;
use crate::resume::{Pending, Resume, Slot};
use crate::watch::{Begun, conclude, watch};
use crate::{input, several, show};

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
    let inputs = inputs(&command)?;
    let client = client(&server.url, server)?;
    let name = format!("start {} {}", server.url, command.action);
    let resume = Resume::open(command.resume.as_deref(), vec![name; inputs.len()])?;
    let several = inputs.len() > 1;
    let slots = (0..inputs.len()).map(|index| resume.slot(index));
    let starts: Vec<Start<Value>> = slots
        .zip(&inputs)
        .enumerate()
        .map(|(index, (slot, input))| {
            let key = key(&command, several.then_some(index), slot);
            prepare(&client, &command, input, key)
        })
        .collect();
    let keys: Vec<String> = starts.iter().map(|start| start.key().to_owned()).collect();
    resume.announce(keys.iter().cloned().map(Some))?;
    let board = Board::new(starts.len());
    if !command.wait {
        return start_only(starts, several, json).await;
    }
    let tasks = starts.into_iter().enumerate().map(|(index, start)| {
        let slot = resume.slot(index);
        let begin = begin(&client, start, command.timeout, slot, &board);
        watch(begin, board.progress(index, &command.action), slot)
    });
    let mut tasks: Vec<_> = tasks.collect();
    match tasks.pop() {
        Some(only) if tasks.is_empty() => {
            let watched = only.await;
            if watched.is_interrupted_start() {
                eprintln!("{}", repeat(&keys[0]));
            }
            conclude(watched, &resume, json).await
        }
        last => Ok(several::follow(&board, &resume, tasks.into_iter().chain(last)).await),
    }
}

fn inputs(command: &args::Start) -> Result<Vec<Value>, Failure> {
    match &command.inputs {
        Some(lines) => input::lines(lines),
        None if command.input.is_empty() => Ok(vec![json!({})]),
        None => command.input.iter().map(|input| input::read(input)).collect(),
    }
}

/// The idempotency key that was typed, or that of a start whose answer never came.
fn key(command: &args::Start, index: Option<usize>, slot: Slot<'_>) -> Option<String> {
    match (&command.idempotency_key, index) {
        (Some(key), Some(index)) => Some(format!("{key}-{}", index + 1)),
        (Some(key), None) => Some(key.clone()),
        (None, _) => slot.pending().and_then(|Pending(key)| key),
    }
}

fn prepare(client: &Client, command: &args::Start, input: &Value, key: Option<String>) -> Start<Value> {
    let mut start = client.start(&command.action, input).links(command.links.iter().cloned());
    if let Some(key) = key {
        start = start.idempotency_key(key);
    }
    if let Some(timeout) = command.timeout {
        start = start.timeout(timeout);
    }
    start
}

/// Sends the start, unless an earlier run has done that.
async fn begin(
    client: &Client,
    start: Start<Value>,
    timeout: Option<Duration>,
    slot: Slot<'_>,
    board: &Board,
) -> Result<Begun, Failure> {
    if let Some(token) = slot.token() {
        board.beside(|| eprintln!("going on with the operation that an earlier run has started"));
        let operation = client.attach(token);
        return Ok(Begun::Attached(match timeout {
            Some(timeout) => operation.timeout(timeout),
            None => operation,
        }));
    }
    let operation = send(start).await?;
    board.beside(|| print_links(&operation));
    Ok(Begun::Accepted(operation))
}

async fn send(start: Start<Value>) -> Result<Operation<Value>, Failure> {
    let key = start.key().to_owned();
    start.await.map_err(|error| {
        if is_uncertain(&error) {
            eprintln!("{}", repeat(&key));
        }
        error.into()
    })
}

/// Whether a start may have been accepted, although it has no answer that says so.
fn is_uncertain(error: &Error) -> bool {
    error.is_timeout() || error.is_unavailable() || (error.is_transport() && !error.is_connect())
}

fn repeat(key: &str) -> String {
    format!("it may have been accepted; repeat it safely with: --idempotency-key {key}")
}

async fn start_only(mut starts: Vec<Start<Value>>, several: bool, json: bool) -> Result<ExitCode, Failure> {
    if let Some(start) = starts.pop_if(|_| !several) {
        let operation = send(start).await?;
        print(&operation, json, several);
        if !json {
            eprintln!("accepted; go on with: {}", show::wait_command(operation.token().url()));
        }
        return Ok(operation.view().map_or(ExitCode::SUCCESS, |view| exit::of_status(view.status)));
    }
    let mut worst = 0;
    several::in_order(starts.into_iter().map(send), async |index, started| match started {
        Ok(operation) => print(&operation, json, several),
        Err(failure) => {
            worst = worst.max(failure.code());
            if json {
                show::compact(&failure.document());
            }
            several::explain(index, &failure);
        }
    })
    .await;
    Ok(ExitCode::from(worst))
}

fn print(operation: &Operation<Value>, json: bool, several: bool) {
    let token = operation.token();
    if json {
        let started = Started {
            status_url: token.url(),
            view: operation.view().map(show::body),
            links: operation.links(),
        };
        if several { show::compact(&started) } else { show::document(&started) }
    } else {
        // The URL alone on stdout, so that it can be caught in a variable.
        show::line(token.url());
        print_links(operation);
    }
}

fn print_links(operation: &Operation<Value>) {
    for (right, link) in operation.links() {
        eprintln!("{right}: {link}");
    }
}

/// A client of `url` with the key that was given.
pub(crate) fn client(url: &str, server: &Server) -> Result<Client, Failure> {
    let mut builder = Client::builder(url);
    if let Some(key) = server.key() {
        builder = builder.api_key(key);
    }
    Ok(builder.build()?)
}
