//! Links that follow what ends of an action. Pure.
//!
//! Such a link is not about one operation, and a poller goes from one link to the next, so a token says whose
//! operations it follows. It lives on with every answer: an expiry only ends the links that nobody polls any more.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::{Capability, DOMAIN, HEAD, MAC, Signer, VERSION};
use crate::operation::State;

/// What a trigger link lets its holder follow: the right `trigger:<action>`.
///
/// All of it is signed, so a URL that was changed to show more (another action, everybody's operations, other
/// outcomes) has no token that is good for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The action, by the name in the URL.
    pub action: Arc<str>,
    /// Whether everybody's operations, not only those of the caller whom the token names.
    pub everybodys: bool,
    /// Only those that ended like this; empty for all. In the order of [`State`], each once.
    pub outcomes: Vec<State>,
}

/// A genuine trigger token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerLink {
    /// The caller who was given the first one.
    pub caller: Arc<str>,
    /// Whether its time is over.
    pub expired: bool,
}

/// The kind of right in a token's head, beside those of [`Right`](super::Right).
const KIND: u8 = 4;
/// A link that nobody has polled for so many days ends. It ends with its day, so that it stays the same for a day.
const DAYS: i64 = 90;
const DAY: i64 = 24 * 3600;

impl Signer {
    /// The token that lets `caller` follow `trigger` for the next ninety days.
    #[must_use]
    pub fn sign_trigger(&self, trigger: &Trigger, caller: &str, now: Timestamp) -> Capability {
        let expiry = (now.as_second() / DAY + DAYS + 1).saturating_mul(DAY);
        let (number, key) = self.keys.last().expect("a signer has a key");
        let [_, n0, n1, n2] = number.to_be_bytes();
        let [e0, e1, e2, e3] = u32::try_from(expiry.max(0)).unwrap_or(u32::MAX).to_be_bytes();
        let head = [VERSION << 4 | KIND, n0, n1, n2, e0, e1, e2, e3];
        let mac = authenticate(key, &head, trigger, caller).finalize().into_bytes();
        Capability(URL_SAFE_NO_PAD.encode([&head[..], &mac[..MAC], caller.as_bytes()].concat()))
    }

    /// Who follows `trigger` with this token; `None` if it is not good for that.
    #[must_use]
    pub fn verify_trigger(&self, token: &str, trigger: &Trigger, now: Timestamp) -> Option<TriggerLink> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let (mac, caller) = rest.split_at_checked(MAC)?;
        let head: [u8; HEAD] = head.try_into().ok()?;
        let caller = std::str::from_utf8(caller).ok()?;
        let [kind, n0, n1, n2, expiry @ ..] = head;
        let number = u32::from_be_bytes([0, n0, n1, n2]);
        let (_, key) = self.keys.iter().find(|(known, _)| *known == number)?;
        if kind != VERSION << 4 | KIND {
            return None;
        }
        // Compares in constant time.
        authenticate(key, &head, trigger, caller).verify_truncated_left(mac).ok()?;
        let expired = now.as_second() >= i64::from(u32::from_be_bytes(expiry));
        Some(TriggerLink { caller: caller.into(), expired })
    }
}

// As for the links of operations: no two meanings have one encoding, and the kind in the head keeps these apart.
fn authenticate(key: &Hmac<Sha256>, head: &[u8; HEAD], trigger: &Trigger, caller: &str) -> Hmac<Sha256> {
    let Trigger { action, everybodys, outcomes } = trigger;
    let outcomes = outcomes.iter().map(|state| match state {
        State::Succeeded => 1,
        State::Failed => 2,
        State::Canceled => 4,
        State::NotStarted | State::Running | State::Canceling => 8,
    });
    key.clone()
        .chain_update([DOMAIN.len() as u8])
        .chain_update(DOMAIN)
        .chain_update(head)
        .chain_update([u8::from(*everybodys), outcomes.fold(0, |all, one| all | one)])
        .chain_update((action.len() as u64).to_be_bytes())
        .chain_update(&**action)
        .chain_update((caller.len() as u64).to_be_bytes())
        .chain_update(caller)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capability::Right;
    use crate::operation::OperationId;

    fn signer() -> Signer {
        Signer::new([(1, [1; 32]), (7, [7; 32])]).unwrap()
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * DAY + 5).unwrap()
    }

    fn any_trigger() -> impl Strategy<Value = Trigger> {
        let outcomes =
            proptest::sample::subsequence(vec![State::Succeeded, State::Failed, State::Canceled], 0..=3);
        ("[a-z-]{1,20}", any::<bool>(), outcomes).prop_map(|(action, everybodys, outcomes)| Trigger {
            action: action.into(),
            everybodys,
            outcomes,
        })
    }

    #[test]
    fn a_link_stays_the_same_for_a_day_and_ends_when_nobody_polled_for_ninety() {
        let trigger = Trigger { action: "work".into(), everybodys: false, outcomes: vec![] };
        let token = signer().sign_trigger(&trigger, "somebody", day(100));

        assert_eq!(
            signer().sign_trigger(&trigger, "somebody", day(100) + std::time::Duration::from_secs(9)),
            token
        );
        assert_ne!(signer().sign_trigger(&trigger, "somebody", day(101)), token);
        let expired = |now| signer().verify_trigger(token.reveal(), &trigger, now).unwrap().expired;
        assert_eq!((expired(day(190)), expired(day(191))), (false, true));
    }

    #[test]
    fn a_link_of_an_operation_follows_nothing_and_a_trigger_link_shows_no_operation() {
        let signer = signer();
        let id = OperationId::from_bytes([0; 16]);
        let trigger = Trigger { action: "work".into(), everybodys: false, outcomes: vec![] };
        let status = signer.sign_parts(7, id, &Right::Status, day(100));
        let follow = signer.sign_trigger(&trigger, "", day(1));

        assert_eq!(signer.verify_trigger(status.reveal(), &trigger, day(1)), None);
        let verdict = signer.verify(follow.reveal(), id, &Right::Status, day(1));
        assert_eq!(verdict, crate::capability::Verdict::NotGranted);
    }

    proptest! {
        #[test]
        fn a_token_is_good_for_what_was_signed_and_nothing_else(
            trigger in any_trigger(), other in any_trigger(), caller in ".{0,40}",
        ) {
            let token = signer().sign_trigger(&trigger, &caller, day(1));
            let link = signer().verify_trigger(token.reveal(), &trigger, day(2));

            prop_assert_eq!(link, Some(TriggerLink { caller: caller.into(), expired: false }));
            if other != trigger {
                prop_assert_eq!(signer().verify_trigger(token.reveal(), &other, day(2)), None);
            }
        }

        #[test]
        fn every_flipped_bit_is_refused(trigger in any_trigger(), caller in "[a-z]{1,20}", place in any::<prop::sample::Index>()) {
            let token = signer().sign_trigger(&trigger, &caller, day(1));
            let mut bytes = URL_SAFE_NO_PAD.decode(token.reveal()).unwrap();
            let bit = place.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);

            prop_assert_eq!(signer().verify_trigger(&URL_SAFE_NO_PAD.encode(bytes), &trigger, day(1)), None);
        }

        #[test]
        fn garbage_is_refused_without_panic(token in ".{0,64}", trigger in any_trigger()) {
            prop_assert_eq!(signer().verify_trigger(&token, &trigger, day(1)), None);
        }
    }
}
