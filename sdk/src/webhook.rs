//! The receiving end of a webhook: checks who sent it, and reads what has ended (feature `webhook`).
//!
//! The scheme is that of [Standard Webhooks], symmetric, so [`verify`] serves every sender that keeps to it
//! as far as the signature goes. It knows no web framework: it takes the headers, the body as it came, and
//! the clock.
//!
//! ```
//! use std::time::SystemTime;
//! use raincheck::webhook::{Secret, verify};
//!
//! #[derive(serde::Deserialize)]
//! struct Decision { outcome: String }
//!
//! /// What a receiver answers: 2xx is "taken", and anything else makes the server send it again, or give up.
//! fn receive(header: impl Fn(&str) -> Option<&'static str>, body: &[u8], secret: &Secret) -> u16 {
//!     match verify::<Decision>(header, body, [secret], SystemTime::now()) {
//!         // Sent at least once: `id` is the same when it comes again.
//!         Ok(event) => {
//!             println!("{} {} {}", event.id, event.operation.id, event.operation.status);
//!             204
//!         }
//!         Err(rejected) if rejected.is_signed() => 422,
//!         Err(_) => 401,
//!     }
//! }
//! # let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().expect("a secret");
//! # assert_eq!(receive(|_| None, b"{}", &secret), 401);
//! ```
//!
//! While a secret is changed, the server signs with both for a day, and a receiver may know both: give
//! [`verify`] the new one and the former one.
//!
//! [Standard Webhooks]: https://www.standardwebhooks.com

mod delivery;
mod event;
mod secret;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;

pub use delivery::Delivery;
pub use event::{CloudEvent, Event};
pub use secret::{NotASecret, Secret};

/// How far the sender's clock and the receiver's may be apart. What is older may be a recording.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// A time as it is sent and signed.
fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Why what came is not taken.
///
/// Answer 401 to whatever is not [signed](Self::is_signed). A server that is told 4xx gives up; 5xx makes
/// it try again.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rejected {
    /// A header of the scheme is not there, or is not of its shape.
    Header(&'static str),
    /// It was sent too long ago, or a copy of it was sent again by somebody else; or the receiver's clock is
    /// wrong.
    TooOld,
    /// It was sent in the future. One of the clocks is wrong.
    TooNew,
    /// It was signed with none of the secrets, or changed on its way. The body must be the bytes as they
    /// came, before any framework has read and rewritten them.
    Signature,
    /// The signature is right, but what it signs is no end of an operation of that action.
    Body(serde_json::Error),
}

impl Rejected {
    /// Whether the sender knows one of the secrets, so that only the content is not as expected.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Body(_))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "the header {name} is missing or not of its shape"),
            Self::TooOld => f.write_str("it was signed more than five minutes ago"),
            Self::TooNew => f.write_str("it was signed more than five minutes in the future"),
            Self::Signature => f.write_str("none of the secrets has made one of its signatures"),
            Self::Body(_) => f.write_str("what was signed is no end of an operation that is known here"),
        }
    }
}

impl std::error::Error for Rejected {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Body(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Checks who has sent this, and reads what has ended. `T` is the action's output.
///
/// `header` looks up a header by its lower-case name, `body` is the body as it came, and `now` the clock.
/// One right signature by one of the secrets is enough. The comparison takes the same time wherever the
/// difference is.
///
/// # Errors
/// [`Rejected`], with what to do about it.
pub fn verify<'h, 's, T: DeserializeOwned>(
    header: impl Fn(&'static str) -> Option<&'h str>,
    body: &[u8],
    secrets: impl IntoIterator<Item = &'s Secret>,
    now: SystemTime,
) -> Result<Event<T>, Rejected> {
    let (id, sent_at) = signed(&header, body, secrets, now)?;
    Event::read(header, body, id, sent_at).map_err(Rejected::Body)
}

/// The id and the time of what one of the secrets has signed.
fn signed<'h, 's>(
    header: impl Fn(&'static str) -> Option<&'h str>,
    body: &[u8],
    secrets: impl IntoIterator<Item = &'s Secret>,
    now: SystemTime,
) -> Result<(&'h str, SystemTime), Rejected> {
    let named = |name| header(name).filter(|value| !value.is_empty()).ok_or(Rejected::Header(name));
    let (id, timestamp, signatures) = (named(ID)?, named(TIMESTAMP)?, named(SIGNATURE)?);
    let sent_at = timestamp
        .parse()
        .ok()
        .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
        .ok_or(Rejected::Header(TIMESTAMP))?;
    if now.duration_since(sent_at).is_ok_and(|age| age > TOLERANCE) {
        return Err(Rejected::TooOld);
    }
    if sent_at.duration_since(now).is_ok_and(|ahead| ahead > TOLERANCE) {
        return Err(Rejected::TooNew);
    }
    let is_made_by = |secret: &Secret| secret.has_made(signatures, id, timestamp, body);
    if secrets.into_iter().any(is_made_by) { Ok((id, sent_at)) } else { Err(Rejected::Signature) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The vector that the specification and its implementations share.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SENT_AT: u64 = 1_614_265_330;
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret(text: &str) -> Secret {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn headers(signature: &str) -> HashMap<&'static str, String> {
        [
            (ID, "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
            (TIMESTAMP, SENT_AT.to_string()),
            (SIGNATURE, signature.to_owned()),
        ]
        .into()
    }

    /// Whether this is taken `late` seconds after it was sent.
    fn check(
        headers: &HashMap<&'static str, String>,
        body: &[u8],
        secrets: &[&str],
        late: i64,
    ) -> Result<(), String> {
        let secrets: Vec<Secret> = secrets.iter().map(|text| secret(text)).collect();
        let now = at(SENT_AT.checked_add_signed(late).unwrap());
        let header = |name| headers.get(name).map(String::as_str);
        signed(header, body, &secrets, now).map(drop).map_err(|rejected| format!("{rejected:?}"))
    }

    #[test]
    fn the_published_vector_is_taken_and_made() {
        assert_eq!(check(&headers(SIGNED), BODY, &[SECRET], 0), Ok(()));
        let made = secret(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at(SENT_AT), BODY);
        assert_eq!(made, SIGNED);
    }

    #[test]
    fn whatever_was_signed_by_another_or_changed_is_refused() {
        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let changed = |name: &'static str, value: &str| {
            let mut headers = headers(SIGNED);
            headers.insert(name, value.to_owned());
            headers
        };
        let refused = Err("Signature".to_owned());

        assert_eq!(check(&headers(SIGNED), br#"{"test": 2432232315}"#, &[SECRET], 0), refused);
        assert_eq!(check(&headers(SIGNED), BODY, &[other], 0), refused);
        assert_eq!(check(&headers(SIGNED), BODY, &[], 0), refused);
        assert_eq!(check(&changed(ID, "msg_2"), BODY, &[SECRET], 0), refused);
        assert_eq!(check(&changed(TIMESTAMP, "1614265331"), BODY, &[SECRET], 0), refused);
        assert_eq!(check(&changed(TIMESTAMP, "01614265330"), BODY, &[SECRET], 0), refused);
        for signature in ["v1,", "v1", "v1,?", "v1a,g0hM9SsE", &SIGNED[3..], &SIGNED[..SIGNED.len() - 4]] {
            assert_eq!(check(&headers(signature), BODY, &[SECRET], 0), refused, "{signature}");
        }
    }

    #[test]
    fn one_right_signature_among_several_by_one_of_several_secrets_is_enough() {
        let (former, newer) = ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SECRET);
        let both = format!("v1a,x v1,AAAA {SIGNED} v2,{SIGNED}");

        assert_eq!(check(&headers(&both), BODY, &[former, newer], 0), Ok(()));
        assert_eq!(check(&headers(SIGNED), BODY, &[newer, former], 0), Ok(()));
    }

    #[test]
    fn what_is_not_of_these_five_minutes_is_refused() {
        let taken = |late| check(&headers(SIGNED), BODY, &[SECRET], late);

        assert_eq!((taken(300), taken(-300)), (Ok(()), Ok(())));
        assert_eq!(taken(301), Err("TooOld".to_owned()));
        assert_eq!(taken(-301), Err("TooNew".to_owned()));
    }

    #[test]
    fn a_header_that_is_missing_or_no_number_is_named() {
        for (name, value) in
            [(ID, ""), (TIMESTAMP, ""), (SIGNATURE, ""), (TIMESTAMP, "soon"), (TIMESTAMP, "-1")]
        {
            let mut headers = headers(SIGNED);
            headers.insert(name, value.to_owned());
            assert_eq!(check(&headers, BODY, &[SECRET], 0), Err(format!("Header({name:?})")), "{value}");
            headers.remove(name);
            assert_eq!(check(&headers, BODY, &[SECRET], 0), Err(format!("Header({name:?})")));
        }
        let far =
            HashMap::from([(ID, "m".into()), (TIMESTAMP, u64::MAX.to_string()), (SIGNATURE, SIGNED.into())]);
        assert!(check(&far, BODY, &[SECRET], 0).is_err());
    }
}
