//! `raincheck ops`: every operation of a server, for its operators.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use raincheck::management::{Filter, OperationDetail, OperationSummary, Operations};
use raincheck::{OperationReference, Status};
use serde_json::json;

use crate::args::{OpsArgs, Server};
use crate::exit::Failure;
use crate::start::client;
use crate::{input, show, table};

#[derive(Debug, Subcommand)]
pub(crate) enum OpsCommand {
    /// List operations, newest first
    #[command(
        after_help = "Example:\n  raincheck ops list --status Running --created-after 2026-11-24T08:00:00Z"
    )]
    List(List),
    /// Show one operation with its input
    #[command(after_help = "Example:\n  raincheck ops show 0198f3a0-…")]
    Show {
        /// The operation's id
        id: String,
    },
    /// Show what an operation has done so far
    #[command(after_help = "Example:\n  raincheck ops journal 0198f3a0-… --after 40")]
    Journal {
        /// The operation's id
        id: String,
        /// Only the entries that follow this one
        #[arg(long, value_name = "SEQUENCE")]
        after: Option<u64>,
    },
    /// Ask an operation to stop
    #[command(after_help = "Example:\n  raincheck ops cancel 0198f3a0-…")]
    Cancel {
        /// The operation's id
        id: String,
    },
    /// End an operation at once, without clean-up
    #[command(after_help = "Example:\n  raincheck ops terminate 0198f3a0-…")]
    Terminate {
        /// The operation's id
        id: String,
    },
    /// Send an event to an operation
    #[command(
        after_help = "Example:\n  raincheck ops send-event 0198f3a0-… decision --data '{\"approved\": true}'"
    )]
    SendEvent {
        /// The operation's id
        id: String,
        /// The event, as the action declares it
        name: String,
        /// Its payload: a file, JSON itself, or - for stdin
        #[arg(long, short, value_name = "FILE|JSON|-", default_value = "null")]
        data: String,
    },
    /// Make links to an operation; each is a secret
    #[command(after_help = "Example:\n  raincheck ops links 0198f3a0-… status event:decision")]
    Links {
        /// The operation's id
        id: String,
        /// What the links are for: status, cancel, event:NAME
        #[arg(required = true, value_name = "RIGHT")]
        rights: Vec<String>,
    },
    /// Remove an operation that has ended, before its retention is over
    #[command(after_help = "Example:\n  raincheck ops purge 0198f3a0-…")]
    Purge {
        /// The operation's id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of this action
    #[arg(long)]
    action: Option<String>,

    /// Only those in this status
    #[arg(long, value_parser = status)]
    status: Option<Status>,

    /// Only those that this caller started
    #[arg(long)]
    caller: Option<String>,

    /// Only those accepted at this time or later, such as 2026-11-24T08:00:00Z
    #[arg(long, value_name = "TIME")]
    created_after: Option<Timestamp>,

    /// Only those accepted before this time
    #[arg(long, value_name = "TIME")]
    created_before: Option<Timestamp>,

    /// Only those whose status last changed at this time or later
    #[arg(long, value_name = "TIME")]
    updated_after: Option<Timestamp>,

    /// Only those whose status last changed before this time
    #[arg(long, value_name = "TIME")]
    updated_before: Option<Timestamp>,

    /// Not more than this
    #[arg(long, value_name = "N")]
    limit: Option<u32>,

    /// Go on where an earlier list ended
    #[arg(long)]
    cursor: Option<String>,
}

impl From<List> for Filter {
    fn from(list: List) -> Self {
        let List {
            action,
            status,
            caller,
            created_after,
            created_before,
            updated_after,
            updated_before,
            limit,
            cursor,
        } = list;
        let mut filter = Self::new();
        filter = narrow(filter, action, Self::action);
        filter = narrow(filter, status, Self::status);
        filter = narrow(filter, caller, Self::caller);
        filter = narrow(filter, created_after.map(|time| time.to_string()), Self::created_after);
        filter = narrow(filter, created_before.map(|time| time.to_string()), Self::created_before);
        filter = narrow(filter, updated_after.map(|time| time.to_string()), Self::updated_after);
        filter = narrow(filter, updated_before.map(|time| time.to_string()), Self::updated_before);
        filter = narrow(filter, limit, Self::limit);
        narrow(filter, cursor, Self::cursor)
    }
}

fn narrow<V>(filter: Filter, value: Option<V>, by: fn(Filter, V) -> Filter) -> Filter {
    match value {
        Some(value) => by(filter, value),
        None => filter,
    }
}

pub(crate) async fn run(server: &Server, args: OpsArgs, json: bool) -> Result<ExitCode, Failure> {
    let operations = client(&args.admin_url, server)?.operations();
    match args.command {
        OpsCommand::List(narrowed) => list(&operations, &narrowed.into(), json).await?,
        OpsCommand::Show { id } => print_detail(&operations.show(&id).await?, json),
        OpsCommand::Journal { id, after } => journal(&operations, &id, after, json).await?,
        OpsCommand::Cancel { id } => print_reference(&operations.cancel(&id).await?, json),
        OpsCommand::Terminate { id } => print_reference(&operations.terminate(&id).await?, json),
        OpsCommand::SendEvent { id, name, data } => {
            let payload = input::read(&data)?;
            print_reference(&operations.send_event(&id, &name, &payload).await?, json);
        }
        OpsCommand::Links { id, rights } => links(&operations, &id, rights, json).await?,
        OpsCommand::Purge { id } => {
            operations.purge(&id).await?;
            if json {
                show::document(&json!({"id": id, "purged": true}));
            } else {
                show::line("purged");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn status(text: &str) -> Result<Status, String> {
    use Status as S;
    [S::NotStarted, S::Running, S::Canceling, S::Succeeded, S::Failed, S::Canceled]
        .into_iter()
        .find(|status| status.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| "one of NotStarted, Running, Canceling, Succeeded, Failed, Canceled".to_owned())
}

async fn list(operations: &Operations, filter: &Filter, json: bool) -> Result<(), Failure> {
    let page = operations.list(filter).await?;
    if json {
        show::document(&page);
        return Ok(());
    }
    let rows: Vec<_> = page.operations.iter().map(row).collect();
    table::print(["ID", "ACTION", "STATUS", "CREATED", "CALLER", "DETAIL"], &rows);
    if let Some(next) = page.next {
        eprintln!("there are more: --cursor '{next}'");
    }
    Ok(())
}

fn row(operation: &OperationSummary) -> [String; 6] {
    let OperationSummary { view, caller, client_tracking_id: _ } = operation;
    let mut detail = view.custom_status.as_ref().map(show::value).unwrap_or_default();
    if let Some(error) = &view.error {
        detail = format!("{}: {}", error.code, error.message);
    }
    if let Some(percent) = view.percent_complete.filter(|_| !view.status.is_terminal()) {
        detail = format!("{percent}% {detail}");
    }
    let cells = [&view.id, &view.action, view.status.as_str(), &view.created_at, caller, &detail];
    cells.map(|cell| table::short(cell, 40))
}

fn print_detail(detail: &OperationDetail, json: bool) {
    if json {
        show::document(detail);
        return;
    }
    let OperationDetail { summary, action_version, input, error_details, parent, traceparent } = detail;
    let mut pairs = show::view(&summary.view);
    pairs.push(("caller", summary.caller.clone()));
    pairs.push(("version", action_version.to_string()));
    let more = [
        ("input", input.as_ref().map(show::value)),
        ("for operators", error_details.as_ref().map(show::value)),
        ("parent", parent.clone()),
        ("tracking id", summary.client_tracking_id.clone()),
        ("trace", traceparent.clone()),
    ];
    pairs.extend(more.into_iter().filter_map(|(name, text)| Some((name, text?))));
    show::pairs(&pairs);
}

async fn journal(operations: &Operations, id: &str, after: Option<u64>, json: bool) -> Result<(), Failure> {
    let page = operations.journal(id, after).await?;
    if json {
        show::document(&page);
        return Ok(());
    }
    let rows: Vec<_> = page
        .entries
        .iter()
        .map(|entry| {
            [entry.sequence.to_string(), entry.at.clone(), table::short(&entry.entry.to_string(), 200)]
        })
        .collect();
    table::print(["#", "AT", "ENTRY"], &rows);
    if let Some(next) = page.next {
        eprintln!("there are more: --after {next}");
    }
    Ok(())
}

async fn links(operations: &Operations, id: &str, rights: Vec<String>, json: bool) -> Result<(), Failure> {
    let made = operations.links(id, rights).await?;
    if json {
        show::document(&made);
    } else {
        let pairs: Vec<_> = made.links.iter().map(|(right, link)| (right.as_str(), link.clone())).collect();
        show::pairs(&pairs);
    }
    Ok(())
}

fn print_reference(reference: &OperationReference, json: bool) {
    if json {
        show::document(reference);
    } else {
        show::line(reference.status.as_str());
    }
}
