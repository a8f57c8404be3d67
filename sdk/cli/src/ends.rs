//! `raincheck watch`: a line for every operation of an action that ends.

use std::process::ExitCode;

use raincheck::{Status, StatusView};

use crate::args::{Server, Watch};
use crate::exit::Failure;
use crate::feed::{End, Feed};
use crate::{show, table};

pub(crate) async fn run(server: &Server, command: &Watch, json: bool) -> Result<ExitCode, Failure> {
    interruptible(json, watch(server, command, json)).await
}

/// Goes on until it is done, fails, or Ctrl-C comes. With `--json` a failure is a line like all the others.
pub(crate) async fn interruptible(
    json: bool,
    work: impl Future<Output = Result<ExitCode, Failure>>,
) -> Result<ExitCode, Failure> {
    let done = tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    };
    match done {
        Ok(code) => Ok(code),
        Err(failure) => {
            if json && !matches!(failure, Failure::Interrupted) {
                show::compact(&failure.document());
            }
            failure.explain("");
            Ok(ExitCode::from(failure.code()))
        }
    }
}

async fn watch(server: &Server, command: &Watch, json: bool) -> Result<ExitCode, Failure> {
    let mut feed = Feed::open(server, &command.ends).await?;
    loop {
        let end = if command.once { feed.at_once().await? } else { feed.next().await? };
        let Some(end) = end else { return Ok(ExitCode::SUCCESS) };
        if show::checked(&line(&end, json)).is_err() {
            // A reader that has gone away (`| head`) is no error, but has not had this one.
            return Ok(ExitCode::SUCCESS);
        }
        feed.done(&end)?;
    }
}

/// An end on one line.
pub(crate) fn line(end: &End, json: bool) -> String {
    match end.read() {
        Ok(view) if json => serde_json::to_string(&view).expect("a view is JSON"),
        Ok(view) => summary(&view),
        // Of a server that says more, or other things, than this version knows.
        Err(_) if json => end.body().replace(['\n', '\r'], " "),
        Err(_) => table::short(end.body(), 200),
    }
}

fn summary(view: &StatusView) -> String {
    let detail = match (&view.error, &view.output) {
        (Some(error), _) => format!("{}: {}", error.code, error.message),
        (None, Some(output)) => show::value(output),
        (None, None) => String::new(),
    };
    let at = view.finished_at.as_deref().unwrap_or(&view.updated_at);
    let width = Status::Succeeded.as_str().len();
    let line = format!("{at}  {:width$}  {}  {}", view.status.as_str(), view.id, table::short(&detail, 120));
    show::clean(line.trim_end())
}
