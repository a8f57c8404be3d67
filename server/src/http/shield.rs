//! The duplicate shield: by what a start without an `Idempotency-Key` is recognised when it comes again.
//!
//! Logic Apps sends a POST again on its own when an answer is lost, and few workflows give a key. What it sends along says
//! which run and which action of it the request belongs to; an equal body from there within a short time is hardly new work.

use http::HeaderMap;
use jiff::Timestamp;
use raincheck_openapi::headers;

use super::call::Call;
use crate::action::{Registered, Shield};
use crate::auth::Caller;
use crate::clock::before;
use crate::content::ContentSecret;
use crate::store::Idempotency;

/// Whether `action` shields this start; by what, besides its caller and its content.
pub(crate) fn origin(call: &Call, action: &Registered) -> Option<String> {
    let shield = action.settings().duplicate_shield?;
    place(&call.headers).or_else(|| shield.of_everyone.then(String::new))
}

/// The key that stands for such a start.
pub(crate) fn key(
    origin: &str,
    caller: &Caller,
    action: &Registered,
    content: [u8; 32],
    secret: &ContentSecret,
    now: Timestamp,
) -> Option<Idempotency> {
    let Shield { window, of_everyone: _ } = action.settings().duplicate_shield?;
    let under = |name: &str| secret.shield_key(caller.name(), name, origin, content);
    let former = action.settings().aliases.iter().map(|name| under(name)).collect();
    Some(Idempotency { key: under(action.name()), former, content, since: Some(before(now, window)) })
}

/// The place in a workflow's run that a request comes from: its run, its action, and its turn in a loop if that is told.
fn place(headers: &HeaderMap) -> Option<String> {
    let one = |name: &str| {
        let mut lines = headers.get_all(name).into_iter();
        // Two of them would leave open which run is meant.
        match (lines.next(), lines.next()) {
            (Some(only), None) => only.to_str().ok().filter(|value| !value.is_empty()),
            _ => None,
        }
    };
    let (run, action) = (one(headers::WORKFLOW_RUN_ID)?, one(headers::WORKFLOW_OPERATION_NAME)?);
    let mut turns: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(headers::WORKFLOW_REPEAT_ITEM))
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    turns.sort_unstable();
    Some(format!("{run}\n{action}\n{}", turns.join("\n")))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn place_of(lines: &[(&'static str, &'static str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        place(&headers)
    }

    #[test]
    fn a_place_is_a_run_an_action_and_a_turn() {
        let (run, action) = (("x-ms-workflow-run-id", "r1"), ("x-ms-workflow-operation-name", "Submit"));
        let turn = |index| ("x-ms-workflow-repeatitem-index", index);

        let plain = place_of(&[run, action]);
        assert!(plain.is_some());
        assert_eq!(plain, place_of(&[action, ("x-ms-client-tracking-id", "other"), run]));
        let others = [
            place_of(&[("x-ms-workflow-run-id", "r2"), action]),
            place_of(&[run, ("x-ms-workflow-operation-name", "Other")]),
            place_of(&[run, action, turn("0")]),
            place_of(&[run, action, turn("1")]),
        ];
        for (index, other) in others.iter().enumerate() {
            assert!(other.is_some() && *other != plain && !others[..index].contains(other), "{index}");
        }
    }

    #[test]
    fn without_a_run_and_an_action_there_is_no_place() {
        let (run, action) = (("x-ms-workflow-run-id", "r1"), ("x-ms-workflow-operation-name", "Submit"));

        for lines in
            [&[][..], &[run], &[action], &[run, run, action], &[("x-ms-workflow-run-id", ""), action]]
        {
            assert_eq!(place_of(lines), None, "{lines:?}");
        }
    }
}
