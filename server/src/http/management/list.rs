//! `GET /admin/v1/operations`: a page of operations, newest first.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use warp::reply::Response;

use super::super::App;
use super::super::access::require;
use super::super::call::Call;
use super::super::problem::Problem;
use super::super::status::json;
use super::super::view;
use super::unusable;
use super::views::{OperationPage, Summary};
use crate::action::Registry;
use crate::auth::Caller;
use crate::operation::{OperationId, State};
use crate::store::{Filter, Place};

/// How many operations a page has, unless the caller says otherwise, and at most.
const PAGE: usize = 50;
const LONGEST_PAGE: usize = 200;

/// A page of operations.
pub(crate) async fn list(call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    require(&app, &call, Caller::may_observe).await?;
    let filter = filter(&call, &app.operations.registry())?;
    let before = match call.parameter("cursor") {
        Some(cursor) => Some(read_cursor(&cursor).ok_or_else(|| unusable("cursor", "a page's `next`"))?),
        None => None,
    };
    let size = page_size(&call)?;
    let mut operations = app.operations.list(filter, before, size + 1).await?;
    let more = operations.len() > size;
    operations.truncate(size);
    let next = operations.last().filter(|_| more).map(|last| cursor(Place::of(last)));
    let operations = operations.iter().map(|operation| Summary::new(operation)).collect();
    Ok(json(StatusCode::OK, view::json(&OperationPage { operations, next })))
}

/// How many entries a page of a listing has.
pub(super) fn page_size(call: &Call) -> Result<usize, Problem> {
    match call.parameter("limit") {
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=LONGEST_PAGE).contains(size))
            .ok_or_else(|| unusable("limit", "a number from 1 to 200")),
        None => Ok(PAGE),
    }
}

fn filter(call: &Call, registry: &Registry) -> Result<Filter, Problem> {
    let text =
        |name| call.parameter(name).filter(|value| !value.is_empty()).map(std::borrow::Cow::into_owned);
    let time = |name| match text(name) {
        Some(value) => match value.parse::<Timestamp>() {
            Ok(time) => Ok(Some(time)),
            Err(_) => Err(unusable(name, "an RFC 3339 time")),
        },
        None => Ok(None),
    };
    let state = match text("status") {
        Some(word) => Some(state(&word).ok_or_else(|| unusable("status", "a status, such as `Running`"))?),
        None => None,
    };
    // By whichever name: what was started before the action was renamed is still under the one that it had.
    let actions = text("action").map_or_else(Vec::new, |name| match registry.find(&name) {
        Some(action) => action.names().map(str::to_owned).collect(),
        None => vec![name],
    });
    Ok(Filter {
        actions,
        state,
        caller: text("caller"),
        tracking_id: text("clientTrackingId"),
        traceparent: text("traceparent"),
        created_from: time("createdFrom")?,
        created_before: time("createdBefore")?,
        updated_from: time("updatedFrom")?,
        updated_before: time("updatedBefore")?,
    })
}

fn state(word: &str) -> Option<State> {
    const ALL: [State; 6] = [
        State::NotStarted,
        State::Running,
        State::Canceling,
        State::Succeeded,
        State::Failed,
        State::Canceled,
    ];
    ALL.into_iter().find(|state| view::status(*state).as_str() == word)
}

// Opaque, so that what is in it may change.
fn cursor(Place { created_at, id }: Place) -> String {
    URL_SAFE_NO_PAD.encode([&created_at.as_millisecond().to_be_bytes()[..], id.as_bytes()].concat())
}

fn read_cursor(cursor: &str) -> Option<Place> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (created_at, id) = bytes.split_at_checked(8)?;
    let created_at = i64::from_be_bytes(created_at.try_into().ok()?);
    Some(Place {
        created_at: Timestamp::from_millisecond(created_at).ok()?,
        id: OperationId::from_bytes(id.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_was_written() {
        let created_at = Timestamp::from_millisecond(1_800_000_000_123).unwrap();
        let place = Place { created_at, id: OperationId::from_bytes([9; 16]) };

        assert_eq!(read_cursor(&cursor(place)), Some(place));
        assert_eq!(read_cursor(&cursor(place)[1..]), None);
        assert_eq!(read_cursor("x"), None);
        assert_eq!(read_cursor(""), None);
    }

    #[test]
    fn a_status_is_named_as_on_the_wire() {
        assert_eq!(state("NotStarted"), Some(State::NotStarted));
        assert_eq!(state("running"), None);
    }
}
