//! `raincheck status`, `wait` and `cancel`: an operation by its status URL.

use std::process::ExitCode;

use raincheck::Operation;
use serde_json::{Value, json};

use crate::args::{Server, Target, Wait};
use crate::exit::{self, Failure};
use crate::progress::Progress;
use crate::show;
use crate::start::client;

pub(crate) async fn status(server: &Server, target: &Target, json: bool) -> Result<ExitCode, Failure> {
    let mut operation = attach(server, target)?;
    let status = operation.poll().await?;
    match operation.view() {
        Some(view) if json => show::document(&show::body(view)),
        Some(view) => show::pairs(&show::status(view)),
        None if json => show::document(&json!({"status": status})),
        None => show::pairs(&[("status", status.to_string())]),
    }
    Ok(exit::of_status(status))
}

pub(crate) async fn wait(server: &Server, command: &Wait, json: bool) -> Result<ExitCode, Failure> {
    let mut operation = attach(server, &command.target)?;
    if let Some(timeout) = command.timeout {
        operation = operation.timeout(timeout);
    }
    // Later polls are repeated for as long as it takes. If not even the first one gets through, then more
    // likely the URL is wrong or the server does not run, and the user should know now.
    if let Err(error) = operation.poll().await
        && !error.is_unavailable()
    {
        return Err(error.into());
    }
    to_the_end(operation, "", json).await
}

pub(crate) async fn cancel(server: &Server, target: &Target, json: bool) -> Result<ExitCode, Failure> {
    let mut operation = attach(server, target)?;
    let status = operation.cancel().await?;
    if json {
        show::document(&json!({"id": operation.id(), "status": status}));
    } else {
        show::line(status.as_str());
    }
    Ok(ExitCode::SUCCESS)
}

/// Watches an operation until it ends, and prints its output; Ctrl-C stops the watching, not the operation.
pub(crate) async fn to_the_end(
    mut operation: Operation<Value>,
    action: &str,
    json: bool,
) -> Result<ExitCode, Failure> {
    let token = operation.token();
    let watched = tokio::select! {
        watched = watch(&mut operation, action) => watched,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    };
    let goes_on = match &watched {
        Err(Failure::Interrupted) => true,
        Err(Failure::Sdk(error)) => error.is_timeout() || error.is_transport(),
        _ => false,
    };
    if goes_on {
        // The newest URL; the one that was typed may have moved.
        let token = if operation.id().is_some() { operation.token() } else { token };
        eprintln!("not ended yet; go on with: {}", show::wait_command(token.url()));
    }
    watched?;
    let view = operation.view().cloned();
    let output = operation.await?;
    match view {
        Some(view) if json => show::document(&show::body(&view)),
        _ => show::document(&output),
    }
    Ok(ExitCode::SUCCESS)
}

async fn watch(operation: &mut Operation<Value>, action: &str) -> Result<(), Failure> {
    let mut progress = Progress::new(action);
    let mut updates = operation.updates();
    while let Some(view) = updates.next().await {
        progress.show(&view?);
    }
    Ok(())
}

fn attach(server: &Server, target: &Target) -> Result<Operation<Value>, Failure> {
    Ok(client(&server.url, server)?.attach_url(&target.status_url)?)
}
