//! Links: a signed token for one operation and one right, short enough to live in a URL. Pure.
//!
//! A token says its version, which key signed it, until when it holds and which kind of right it gives. It says
//! neither the operation nor an event's name: those stand in the URL beside it, and the signature covers them, so a
//! token that is moved to another URL verifies for nothing.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use raincheck_openapi::paths;
use sha2::Sha256;

use crate::operation::{OperationId, Origin};
use crate::subscription::SubscriptionId;

mod trigger;

pub use trigger::{Trigger, TriggerLink};

/// What a link lets its holder do with its operation.
///
/// ```
/// use raincheck_server::capability::Right;
/// assert_eq!("event:decision".parse(), Ok(Right::Event("decision".into())));
/// assert_eq!(Right::Cancel.to_string(), "cancel");
/// assert!("everything".parse::<Right>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Right {
    /// Read its status.
    Status,
    /// Ask it to stop.
    Cancel,
    /// Send it the event of this name.
    Event(String),
}

/// A word that names no right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a right: there are `status`, `cancel` and `event:NAME`")]
pub struct NotARight;

impl Right {
    const fn kind(&self) -> u8 {
        match self {
            Self::Status => 1,
            Self::Cancel => 2,
            Self::Event(_) => 3,
        }
    }

    /// The name of the event that it is for; empty if it is for none.
    pub(crate) fn event(&self) -> &str {
        match self {
            Self::Status | Self::Cancel => "",
            Self::Event(name) => name,
        }
    }
}

impl FromStr for Right {
    type Err = NotARight;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "status" => Ok(Self::Status),
            "cancel" => Ok(Self::Cancel),
            _ => match word.strip_prefix("event:") {
                Some(name) if !name.is_empty() => Ok(Self::Event(name.to_owned())),
                _ => Err(NotARight),
            },
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Cancel => f.write_str("cancel"),
            Self::Event(name) => write!(f, "event:{name}"),
        }
    }
}

/// A token. Whoever has it has its right, so it never shows itself in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Capability(String);

impl Capability {
    /// The text for the URL: 32 characters that need no escaping.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capability(..)")
    }
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It gives the right.
    Granted,
    /// It is genuine, but its time is over.
    Expired,
    /// It gives nothing here.
    NotGranted,
}

/// Signs and verifies links. The newest key signs; all of them verify, so that keys can be changed.
#[derive(Clone)]
pub struct Signer {
    // Ascending by number; never empty.
    keys: Vec<(u32, Hmac<Sha256>)>,
}

/// Secrets that cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadSecrets {
    /// There is none.
    #[error("there is no key to sign links with")]
    Missing,
    /// Two have the same number.
    #[error("link key number {0} is given twice")]
    Twice(u32),
    /// A token has three bytes for the number.
    #[error("link key number {0} is too large: at most 16777215")]
    Number(u32),
}

/// Separates these signatures from everything else that may ever be signed with the same secret.
const DOMAIN: &[u8] = b"raincheck link";
const VERSION: u8 = 1;
/// The kind of right that ends a subscription; those on operations are [`Right::kind`].
const UNSUBSCRIBE: u8 = 5;
const HEAD: usize = 8;
/// 128 bits: nobody guesses that, and a URL stays short.
const MAC: usize = 16;
const LENGTH: usize = HEAD + MAC;
/// Base64 of 24 bytes, without a rest: one token has one spelling.
const TEXT: usize = LENGTH / 3 * 4;
const LARGEST_NUMBER: u32 = 0x00FF_FFFF;

impl Signer {
    /// A signer with these secrets: (number, secret). The highest number signs.
    ///
    /// # Errors
    /// If there is none, or a number is taken twice or too large.
    pub fn new(secrets: impl IntoIterator<Item = (u32, [u8; 32])>) -> Result<Self, BadSecrets> {
        let mut keys = Vec::new();
        for (number, secret) in secrets {
            if number > LARGEST_NUMBER {
                return Err(BadSecrets::Number(number));
            }
            let key = Hmac::new_from_slice(&secret).expect("HMAC takes keys of every length");
            keys.push((number, key));
        }
        keys.sort_by_key(|(number, _)| *number);
        if let Some(pair) = keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(BadSecrets::Twice(pair[0].0));
        }
        if keys.is_empty() { Err(BadSecrets::Missing) } else { Ok(Self { keys }) }
    }

    /// The number of the key that signs: what new operations record as their link key.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.keys.last().map_or(0, |(number, _)| *number)
    }

    /// The token that gives `right` on `operation` for as long as anything is left of it.
    ///
    /// It depends on the record alone, so a replayed start gives the same link again. If the record's key has been
    /// retired, its links have ended, and the newest key signs new ones.
    #[must_use]
    pub fn sign(&self, operation: &Origin, right: &Right) -> Capability {
        self.sign_parts(operation.link_key, operation.id, right, operation.forgotten_at())
    }

    /// The URL below `base` that carries the token for `right` on `operation`.
    #[must_use]
    pub fn link_url(&self, base: &str, operation: &Origin, right: &Right) -> String {
        let id = operation.id.to_string();
        let path = match right {
            Right::Status | Right::Cancel => paths::operation(&operation.action, &id),
            Right::Event(name) => paths::event(&operation.action, &id, name),
        };
        format!("{base}{path}?token={}", self.sign(operation, right).reveal())
    }

    /// The token that ends a subscription, for as long as it lasts. `link_key` is the key that its record names.
    #[must_use]
    pub fn sign_unsubscribe(&self, link_key: u32, subscription: SubscriptionId) -> Capability {
        self.sign_subject(link_key, &Subject::unsubscribe(&subscription), Timestamp::MAX)
    }

    /// What `token` is worth for ending a subscription. Needs no record: one that is gone still verifies.
    #[must_use]
    pub fn verify_unsubscribe(&self, token: &str, subscription: SubscriptionId, now: Timestamp) -> Verdict {
        self.verify_subject(token, &Subject::unsubscribe(&subscription), now)
    }

    /// What `token` is worth for `right` on `operation`. Needs no record: a tombstone's links still verify.
    #[must_use]
    pub fn verify(&self, token: &str, operation: OperationId, right: &Right, now: Timestamp) -> Verdict {
        self.verify_subject(token, &Subject::operation(&operation, right), now)
    }

    fn verify_subject(&self, token: &str, subject: &Subject<'_>, now: Timestamp) -> Verdict {
        let Some((head, mac)) = decode(token) else {
            return Verdict::NotGranted;
        };
        let [kind, n0, n1, n2, expiry @ ..] = head;
        let number = u32::from_be_bytes([0, n0, n1, n2]);
        let Some((_, key)) = self.keys.iter().find(|(known, _)| *known == number) else {
            return Verdict::NotGranted;
        };
        // The head that this right must have; a token of another kind of right does not even get to the signature.
        if kind != VERSION << 4 | subject.kind {
            return Verdict::NotGranted;
        }
        // Compares in constant time.
        if authenticate(key, &head, subject).verify_truncated_left(&mac).is_err() {
            return Verdict::NotGranted;
        }
        let expiry = i64::from(u32::from_be_bytes(expiry));
        if now.as_second() < expiry { Verdict::Granted } else { Verdict::Expired }
    }

    fn sign_parts(
        &self,
        number: u32,
        operation: OperationId,
        right: &Right,
        expiry: Timestamp,
    ) -> Capability {
        self.sign_subject(number, &Subject::operation(&operation, right), expiry)
    }

    fn sign_subject(&self, number: u32, subject: &Subject<'_>, expiry: Timestamp) -> Capability {
        let known = self.keys.iter().find(|(known, _)| *known == number);
        let (number, key) = known.or(self.keys.last()).expect("a signer has a key");
        // The next whole second: a link lives no shorter than its operation. Four bytes last until 2106.
        let seconds = u32::try_from(expiry.as_second().max(0).saturating_add(1)).unwrap_or(u32::MAX);
        let [_, n0, n1, n2] = number.to_be_bytes();
        let [e0, e1, e2, e3] = seconds.to_be_bytes();
        let head = [VERSION << 4 | subject.kind, n0, n1, n2, e0, e1, e2, e3];
        let mac = authenticate(key, &head, subject).finalize().into_bytes();
        let mut token = [0; LENGTH];
        token[..HEAD].copy_from_slice(&head);
        token[HEAD..].copy_from_slice(&mac[..MAC]);
        Capability(URL_SAFE_NO_PAD.encode(token))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(number, _)| number)).finish()
    }
}

/// What a token is for: a kind of right, on what, and the name that belongs to it.
struct Subject<'a> {
    kind: u8,
    id: &'a [u8; 16],
    name: &'a str,
}

impl<'a> Subject<'a> {
    fn operation(id: &'a OperationId, right: &'a Right) -> Self {
        Self { kind: right.kind(), id: id.as_bytes(), name: right.event() }
    }

    fn unsubscribe(id: &'a SubscriptionId) -> Self {
        Self { kind: UNSUBSCRIBE, id: id.as_bytes(), name: "" }
    }
}

// Every part has a fixed length or its length before it, so no two meanings have one encoding.
fn authenticate(key: &Hmac<Sha256>, head: &[u8; HEAD], subject: &Subject<'_>) -> Hmac<Sha256> {
    let Subject { kind: _, id, name } = subject;
    key.clone()
        .chain_update([DOMAIN.len() as u8])
        .chain_update(DOMAIN)
        .chain_update(head)
        .chain_update(id)
        .chain_update((name.len() as u64).to_be_bytes())
        .chain_update(name)
}

fn decode(token: &str) -> Option<([u8; HEAD], [u8; MAC])> {
    if token.len() != TEXT {
        return None;
    }
    let mut bytes = [0; LENGTH];
    match URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) {
        Ok(LENGTH) => {}
        _ => return None,
    }
    let (head, mac) = bytes.split_at(HEAD);
    Some((head.try_into().ok()?, mac.try_into().ok()?))
}

#[cfg(test)]
mod tests;
