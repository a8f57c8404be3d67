//! What the URL of a poll asks for, and the URL to poll next. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use raincheck_openapi::paths;
use url::form_urlencoded::Serializer;

use super::super::call::Call;
use super::super::problem::Problem;
use super::super::view;
use crate::operation::State;
use crate::store::feed::FeedPlace;

/// What a poll asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// With one of these outcomes, in their order; with any, if there is none.
    pub(super) outcomes: Vec<State>,
    /// Everybody's operations, not only the caller's own.
    pub(super) everybodys: bool,
    pub(super) mode: Mode,
    /// What was told already; nothing on the first call.
    pub(super) state: Option<FeedPlace>,
}

/// How much an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// One operation.
    Single,
    /// A list of them, for `splitOn`.
    Batch,
}

/// Logic Apps takes no more from a list while the concurrency of its trigger is limited.
const LARGEST_BATCH: usize = 100;

/// The first byte of a state: what is in it.
const STATE_VERSION: u8 = 1;

const OUTCOMES: [State; 3] = [State::Succeeded, State::Failed, State::Canceled];

impl Mode {
    /// How many operations it takes at most.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Batch => LARGEST_BATCH,
        }
    }
}

impl Asked {
    /// Reads the query.
    ///
    /// # Errors
    /// 400 for a value that is none: passing over it would show more than was asked for, or something else.
    pub(super) fn read(call: &Call) -> Result<Self, Problem> {
        let everybodys = match call.parameter("scope").as_deref() {
            None | Some("own") => false,
            Some("all") => true,
            Some(_) => return Err(Problem::parameter("scope", "`own` or `all`")),
        };
        let mode = match call.parameter("mode").as_deref() {
            None | Some("single") => Mode::Single,
            Some("batch") => Mode::Batch,
            Some(_) => return Err(Problem::parameter("mode", "`single` or `batch`")),
        };
        let state = match call.parameter("triggerState") {
            None => None,
            Some(text) => Some(read_state(&text).ok_or_else(|| {
                let expected =
                    "the one of an earlier `Location`; leave it out to begin with what ends from now on";
                Problem::parameter("triggerState", expected)
            })?),
        };
        Ok(Self { outcomes: outcomes(call)?, everybodys, mode, state })
    }

    /// The URL that asks for the same from `state` on. What is the default is not in it.
    pub(super) fn next(&self, base: &str, action: &str, state: FeedPlace, token: &str) -> String {
        let Self { outcomes, everybodys, mode, state: _ } = self;
        let mut query = Serializer::new(format!("{base}{}?", paths::finished(action)));
        if !outcomes.is_empty() {
            let words: Vec<_> = outcomes.iter().map(|state| view::status(*state).as_str()).collect();
            query.append_pair("outcome", &words.join(","));
        }
        if *everybodys {
            query.append_pair("scope", "all");
        }
        if *mode == Mode::Batch {
            query.append_pair("mode", "batch");
        }
        query.append_pair("triggerState", &write_state(state)).append_pair("token", token).finish()
    }
}

// With commas, or the parameter several times: both are usual for lists.
fn outcomes(call: &Call) -> Result<Vec<State>, Problem> {
    let mut asked = Vec::new();
    for list in call.all("outcome") {
        for word in list.split(',') {
            let outcome = OUTCOMES.into_iter().find(|state| view::status(*state).as_str() == word);
            let expected = "`Succeeded`, `Failed` and `Canceled`, with commas between them";
            asked.push(outcome.ok_or_else(|| Problem::parameter("outcome", expected))?);
        }
    }
    asked.sort_unstable();
    asked.dedup();
    // All of them are no filter, and one meaning has one URL.
    if asked == OUTCOMES {
        asked.clear();
    }
    Ok(asked)
}

fn write_state(place: FeedPlace) -> String {
    let mut bytes = [STATE_VERSION; 9];
    bytes[1..].copy_from_slice(&place.number().to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_state(text: &str) -> Option<FeedPlace> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    match bytes.split_first()? {
        (&STATE_VERSION, number) => Some(FeedPlace::from_number(u64::from_be_bytes(number.try_into().ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::super::super::call::loopback;
    use super::*;

    fn read(query: &str) -> Result<Asked, Problem> {
        let uri = format!("/v1/triggers/work/finished?{query}");
        let parts = Request::builder().uri(uri).body(()).unwrap().into_parts().0;
        Asked::read(&Call::new(parts, loopback()))
    }

    fn asked(query: &str) -> Asked {
        read(query).unwrap_or_else(|problem| panic!("{query}: {problem:?}"))
    }

    #[test]
    fn what_is_not_said_is_the_least() {
        let least = Asked { outcomes: vec![], everybodys: false, mode: Mode::Single, state: None };

        for query in ["", "api-version=1&other", "scope=own&mode=single"] {
            assert_eq!(asked(query), least, "{query}");
        }
    }

    #[test]
    fn outcomes_come_in_one_list_or_in_several_parameters_and_in_any_order() {
        let some = vec![State::Succeeded, State::Canceled];

        for query in [
            "outcome=Canceled,Succeeded",
            "outcome=Succeeded&outcome=Canceled",
            "outcome=Canceled%2CSucceeded,Canceled",
        ] {
            assert_eq!(asked(query).outcomes, some, "{query}");
        }
        assert_eq!(asked("outcome=Canceled,Failed,Succeeded").outcomes, []);
    }

    #[test]
    fn a_value_that_is_none_is_refused_with_what_it_may_be() {
        for (query, expected) in [
            ("outcome=failed", "outcome: expected `Succeeded`, `Failed`"),
            ("outcome=Succeeded,Running", "outcome: expected `Succeeded`, `Failed`"),
            ("outcome=", "outcome: expected `Succeeded`, `Failed`"),
            ("scope=", "scope: expected `own` or `all`"),
            ("scope=everybody", "scope: expected `own` or `all`"),
            ("mode=list", "mode: expected `single` or `batch`"),
            ("triggerState=", "triggerState: expected the one of an earlier `Location`"),
            ("triggerState=now", "triggerState: expected the one of an earlier `Location`"),
            ("triggerState=AgAAAAAAAAAA", "triggerState: expected the one of an earlier `Location`"),
        ] {
            let problem = format!("{:?}", read(query).unwrap_err());
            assert!(problem.contains(expected), "{query}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn the_next_url_asks_for_the_same(
            outcomes in proptest::sample::subsequence(OUTCOMES.to_vec(), 0..3),
            everybodys in any::<bool>(), batch in any::<bool>(), number in any::<u64>(),
        ) {
            let mode = if batch { Mode::Batch } else { Mode::Single };
            let state = FeedPlace::from_number(number);
            let first = Asked { outcomes, everybodys, mode, state: None };
            let url = first.next("https://a.example/rc", "work", state, "secret-_1");

            let (path, query) = url.split_once('?').unwrap();
            prop_assert_eq!(path, "https://a.example/rc/v1/triggers/work/finished");
            prop_assert!(query.ends_with("&token=secret-_1") || query.contains("triggerState"));
            prop_assert_eq!(asked(query), Asked { state: Some(state), ..first });
        }

        #[test]
        fn a_state_that_was_made_up_is_refused_without_panic(text in ".{1,24}") {
            if let Some(place) = read_state(&text) {
                prop_assert_eq!(write_state(place), text);
            }
        }
    }
}
