//! What operators see: the members of [`raincheck_openapi::management`], borrowed from the domain.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::view::{Millis, Text, View};
use crate::Json;
use crate::journal::{Entry, Record};
use crate::operation::{Operation, OperationId};

/// The members of `OperationSummary`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary<'a> {
    #[serde(flatten)]
    view: View<'a>,
    caller: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_tracking_id: Option<&'a str>,
}

impl<'a> Summary<'a> {
    pub(super) fn new(operation: &'a Operation) -> Self {
        Self::of(operation, View::without_output(operation))
    }

    fn of(operation: &'a Operation, view: View<'a>) -> Self {
        Self { view, caller: &operation.caller, client_tracking_id: operation.tracking_id.as_deref() }
    }
}

/// The members of `OperationPage`.
#[derive(Serialize)]
pub(super) struct OperationPage<'a> {
    pub(super) operations: Vec<Summary<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// The members of `OperationDetail`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    action_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Text<OperationId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

impl<'a> Detail<'a> {
    pub(super) fn new(operation: &'a Operation, input: Option<&'a Json>) -> Self {
        let details = operation.problem.as_ref().and_then(|problem| problem.details.as_ref());
        Self {
            summary: Summary::of(operation, View::new(operation)),
            action_version: operation.version,
            input: input.map(Json::raw),
            error_details: details.map(Json::raw),
            parent: operation.parent.map(Text),
            traceparent: operation.traceparent.as_deref(),
        }
    }
}

/// The members of `JournalEntry`.
#[derive(Serialize)]
pub(super) struct Recorded<'a> {
    sequence: u64,
    at: Millis,
    entry: &'a Entry,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(record: &'a Record) -> Self {
        let Record { sequence, at, entry } = record;
        Self { sequence: *sequence, at: Millis(*at), entry }
    }
}

/// The members of `JournalPage`.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    pub(super) entries: Vec<Recorded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<u64>,
}
