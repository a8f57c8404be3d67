//! What an answer of a trigger means: a pure function.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::page::Item;
use crate::Error;
use crate::answer::{Answer, Observed, names};
use crate::step::{Moment, Policy, pace};

/// What to do after a poll.
pub(super) enum Step {
    /// These are new, or there is nothing; ask `next`, if there is one, after the pause.
    Told { items: Vec<Item>, next: Option<Url>, pause: Duration, paced: bool },
    /// The poll failed, which says nothing about what is new.
    Retry { error: Error, pause: Duration },
    /// The answer is elsewhere: ask there at once.
    Follow(Url),
    /// It would be the same every time.
    Stop(Error),
}

/// Decides what follows from what was seen.
pub(super) fn next_step(seen: Observed, policy: &Policy, now: &Moment<'_>) -> Step {
    let failed = |error, hint| {
        let pause = policy.retry.after_failure(hint, now.failures, (now.random)()).min(policy.max_pause);
        Step::Retry { error, pause }
    };
    let answer = match seen {
        Observed::Answer(answer) => answer,
        Observed::Lost(error) if error.is_transport() => return failed(error, None),
        Observed::Lost(error) => return Step::Stop(error),
    };
    match answer.status {
        200 => told(&answer, policy, now).unwrap_or_else(Step::Stop),
        // 202 by the contract; other servers say 204.
        201..=299 => next(&answer, policy).map_or_else(Step::Stop, |next| {
            let (pause, paced) = pace(&answer, policy, now);
            Step::Told { items: Vec::new(), next, pause, paced }
        }),
        301 | 302 | 303 | 307 | 308 => match answer.location(&policy.routes) {
            Some(url) => Step::Follow(url),
            None => Step::Stop(
                Error::unexpected("a redirect that leads nowhere, or out of https")
                    .with_status(answer.status),
            ),
        },
        _ if answer.is_temporary() => failed(answer.refusal(), answer.hint(now.clock)),
        _ => Step::Stop(answer.refusal()),
    }
}

fn told(answer: &Answer, policy: &Policy, now: &Moment<'_>) -> Result<Step, Error> {
    let items = items(answer)?;
    let next = next(answer, policy)?;
    let (pause, paced) = pace(answer, policy, now);
    Ok(Step::Told { items, next, pause, paced })
}

/// The URL to ask next; `None` for the same again. Going on at the old one, because the new one cannot be
/// asked, would tell everything twice.
fn next(answer: &Answer, policy: &Policy) -> Result<Option<Url>, Error> {
    let location = answer.header(&names::LOCATION).filter(|text| !text.trim().is_empty());
    let next = answer.location(&policy.routes);
    if next.is_none() && location.is_some() {
        let error = Error::unexpected("a Location that leads nowhere, or out of https");
        return Err(error.with_status(answer.status));
    }
    Ok(next)
}

/// Each item of a list, or the one thing that is no list.
fn items(answer: &Answer) -> Result<Vec<Item>, Error> {
    let decoded = |cause| Error::decode(cause).with_status(answer.status);
    let bodies: Vec<Box<RawValue>> = match answer.json_text().trim_ascii() {
        // A 200 is news, even if it has nothing to say.
        b"" => vec![RawValue::NULL.to_owned()],
        list if list.starts_with(b"[") => serde_json::from_slice(list).map_err(decoded)?,
        one => vec![serde_json::from_slice(one).map_err(decoded)?],
    };
    Ok(bodies.into_iter().map(|body| Item { id: id(&body), body }).collect())
}

/// The member by which nearly every API tells its things apart.
fn id(body: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Members {
        id: Value,
    }
    match serde_json::from_str::<Members>(body.get()).ok()?.id {
        Value::String(id) => Some(id),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RetryPolicy;
    use crate::address::Routes;
    use crate::answer::tests::{answer, with};
    use crate::step::tests::NOW;

    fn step(answer: Answer) -> Step {
        let policy = Policy {
            retry: RetryPolicy::new(),
            max_pause: Duration::from_secs(60),
            routes: Routes::default(),
        };
        next_step(Observed::Answer(Box::new(answer)), &policy, &NOW)
    }

    /// What was told, where to go on, and the pause in milliseconds.
    fn heard(answer: Answer) -> (Vec<String>, Option<String>, u128) {
        match step(answer) {
            Step::Told { items, next, pause, .. } => {
                let items = items.iter().map(|item| item.body.get().to_owned()).collect();
                (items, next.map(|next| next.query().unwrap_or_default().to_owned()), pause.as_millis())
            }
            Step::Retry { error, .. } | Step::Stop(error) => panic!("{error:?}"),
            Step::Follow(_) => panic!("a redirect"),
        }
    }

    fn stopped(answer: Answer) -> Error {
        match step(answer) {
            Step::Stop(error) => error,
            _ => panic!("it goes on"),
        }
    }

    #[test]
    fn one_thing_and_a_list_of_things_are_told_alike() {
        let news = |body| with(with(answer(200, body), "location", "?s=2"), "retry-after", "7");

        let next = || Some("s=2".to_owned());
        assert_eq!(heard(news(r#"{"id":1}"#)), (vec![r#"{"id":1}"#.to_owned()], next(), 7000));
        assert_eq!(heard(news(r#"[{"id":1}, 2]"#)), (vec![r#"{"id":1}"#.into(), "2".into()], next(), 7000));
        assert_eq!(heard(news("")), (vec!["null".to_owned()], next(), 7000));
        assert_eq!(heard(news("[]")), (vec![], next(), 7000));
    }

    #[test]
    fn an_answer_without_news_may_move_the_place_or_leave_it() {
        let moved = with(with(answer(202, ""), "location", "?s=2"), "retry-after", "15");

        assert_eq!(heard(moved), (vec![], Some("s=2".to_owned()), 15_000));
        assert_eq!(heard(answer(202, "[1]")), (vec![], None, 500), "without a pace, the back-off is one");
        assert_eq!(heard(with(answer(204, ""), "location", " ")), (vec![], None, 500));
        assert_eq!(heard(with(answer(202, ""), "retry-after", "86400")).2, 60_000);
    }

    #[test]
    fn a_place_that_cannot_be_asked_ends_it() {
        for location in ["file:///etc/passwd", "http://[broken"] {
            assert!(stopped(with(answer(200, "1"), "location", location)).is_unexpected(), "{location}");
            assert!(stopped(with(answer(202, ""), "location", location)).is_unexpected(), "{location}");
        }
        assert!(stopped(answer(302, "")).is_unexpected());
    }

    #[test]
    fn what_is_no_json_ends_it_and_so_does_a_refusal() {
        assert!(stopped(answer(200, "<html>")).is_decode());
        assert!(stopped(answer(401, "")).is_unauthorized());
        assert!(stopped(answer(404, "")).is_not_found());
        assert!(stopped(answer(410, "")).is_gone());
        assert!(stopped(answer(501, "")).is_unexpected());
    }

    #[test]
    fn a_failed_poll_is_repeated_when_the_server_says() {
        for status in [408, 429, 500, 502, 503] {
            let Step::Retry { error, pause } = step(with(answer(status, ""), "retry-after", "3")) else {
                panic!("{status} is no end")
            };
            assert_eq!((error.status(), pause.as_secs()), (Some(status), 3));
        }
    }

    #[test]
    fn things_are_known_by_an_id_that_is_a_text_or_a_number() {
        let known = |body: &str| id(&RawValue::from_string(body.to_owned()).unwrap());

        assert_eq!(known(r#"{"id":"a","x":1}"#), Some("a".to_owned()));
        assert_eq!(known(r#"{"id":7}"#), Some("7".to_owned()));
        for other in [r#"{"id":null}"#, r#"{"id":[1]}"#, r#"{"x":1}"#, "7", "\"a\""] {
            assert_eq!(known(other), None, "{other}");
        }
    }
}
