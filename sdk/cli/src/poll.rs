//! `raincheck poll`: any request to any API, followed to its result.

use std::process::ExitCode;

use raincheck::{Client, OperationRequest};
use serde_json::Value;
use url::Url;

use crate::args::{Poll, Server};
use crate::exit::Failure;
use crate::progress::Board;
use crate::reply::Reply;
use crate::resume::{Resume, Slot};
use crate::watch::{Begun, Watched, watch};
use crate::{access, input, show};

/// Methods that HTTP itself calls idempotent, and headers that make another one so.
const REPEATABLE: [&str; 6] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];
const REPEATABLE_BY: [&str; 2] = ["idempotency-key", "repeatability-request-id"];

pub(crate) async fn run(server: &Server, command: &Poll, json: bool) -> ExitCode {
    let resume = match open(command) {
        Ok(resume) => resume,
        Err(failure) => return report(&failure, Reply::default(), json),
    };
    let board = Board::new(1);
    let name = format!("{} {}", command.method, host(&command.request_url));
    let begin = begin(server, command, &resume);
    let watched = watch(begin, board.progress(0, &name), resume.slot(0)).await;
    let code = conclude(watched, command, &resume, json).await;
    resume.close();
    code
}

fn open(command: &Poll) -> Result<Resume, Failure> {
    Resume::open(command.resume.as_deref(), vec![format!("poll {} {}", command.method, command.request_url)])
}

/// A URL may have a secret in its path and query.
fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Sends the request, unless an earlier run has done that.
async fn begin(server: &Server, command: &Poll, resume: &Resume) -> Result<Begun, Failure> {
    let slot = resume.slot(0);
    let client = client(server, command)?;
    let headers = access::headers(&command.access)?;
    if let Some(token) = slot.token() {
        eprintln!("going on with the operation that an earlier run has started");
        return Ok(Begun::Attached(request(&client, command, &headers, None)?.attach(token)?));
    }
    let named = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let is_typed = named("content-type");
    let body = command.body.as_deref().map(|body| input::body(body, is_typed)).transpose()?;
    let is_repeatable = command.repeatable
        || REPEATABLE.contains(&command.method.as_str())
        || REPEATABLE_BY.iter().any(|name| named(name));
    refuse_a_second(command, slot, is_repeatable)?;
    let request = request(&client, command, &headers, body.map(|body| (body, is_typed)))?;
    resume.announce([None])?;
    Ok(Begun::Accepted(request.await?))
}

/// An earlier run was killed before the answer came. Nobody here can tell whether it was accepted.
fn refuse_a_second(command: &Poll, slot: Slot<'_>, is_repeatable: bool) -> Result<(), Failure> {
    let Some(path) = command.resume.as_ref().filter(|_| slot.pending().is_some() && !is_repeatable) else {
        return Ok(());
    };
    Err(Failure::Usage(format!(
        "an earlier run ended before the answer came, so the request may have been accepted already\n  If sending \
         it twice does no harm, use --repeatable; or look at the server, and remove '{}.starting'.",
        path.display()
    )))
}

fn client(server: &Server, command: &Poll) -> Result<Client, Failure> {
    let mut builder = Client::builder(&command.request_url).keep_cookies();
    // The key in the environment is that of --url, and nobody else's.
    if let Some(key) =
        server.key().filter(|_| server.key_is_typed || is_home(&server.url, &command.request_url))
    {
        builder = builder.api_key(key);
    }
    Ok(access::configure(builder, &command.access)?.build()?)
}

fn is_home(home: &str, url: &str) -> bool {
    matches!((Url::parse(home), Url::parse(url)), (Ok(home), Ok(url)) if home.origin() == url.origin())
}

fn request(
    client: &Client,
    command: &Poll,
    headers: &[(String, String)],
    body: Option<(Vec<u8>, bool)>,
) -> Result<OperationRequest<Value>, Failure> {
    let mut request = client.request(&command.method, &command.request_url)?;
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if let Some((body, is_typed)) = body {
        if !is_typed {
            request = request.header("content-type", "application/json");
        }
        request = request.body(body);
    }
    let mut start = client.operation(request);
    if let Some(dialect) = command.dialect {
        start = start.dialect(dialect.into());
    }
    if let Some(via) = command.final_state_via {
        start = start.final_state_via(via.into());
    }
    if let Some(timeout) = command.timeout {
        start = start.timeout(timeout);
    }
    Ok(if command.repeatable { start.repeatable() } else { start })
}

/// Prints the result, or why there is none and how to go on.
async fn conclude(watched: Watched, command: &Poll, resume: &Resume, json: bool) -> ExitCode {
    let reply = Reply::of(&watched);
    if let Some(url) = watched.status_url() {
        let way_on = resume.way_on().unwrap_or_else(|| {
            format!("{} (and the same options; --resume makes that simpler)", show::wait_command(&url))
        });
        eprintln!("not ended yet; go on with: {way_on}");
    } else if watched.is_interrupted_start() {
        eprintln!("interrupted before the answer came; {} may have been accepted", command.method);
    }
    match watched.outcome(true).await {
        Ok(_) if json => show::document(&reply),
        Ok(outcome) => outcome.print(),
        Err(failure) => {
            resume.explain_refusal(&failure);
            return report(&failure, reply, json);
        }
    }
    ExitCode::SUCCESS
}

fn report(failure: &Failure, mut reply: Reply, json: bool) -> ExitCode {
    failure.explain("");
    if json {
        reply.fail(failure);
        show::document(&reply);
    } else if let Some(text) = reply.unexplained(failure) {
        eprintln!("  It said: {text}");
    }
    ExitCode::from(failure.code())
}
