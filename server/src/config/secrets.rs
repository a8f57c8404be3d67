//! Secrets from the environment. None of them shows itself.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The keys that sign links, by number; the highest one signs, all of them verify.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkKeys(Vec<(u32, [u8; 32])>);

impl fmt::Debug for LinkKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKeys(..)")
    }
}

/// A text that nobody but its user sees.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a list of link keys looks like, for messages.
pub(super) const FORM: &str = "32 random bytes in base64url without padding (43 characters), or several \
                               as NUMBER:KEY,NUMBER:KEY with numbers from 1 to 16777215, of which the highest signs";

impl LinkKeys {
    /// Takes the keys from text: `KEY`, or `NUMBER:KEY,NUMBER:KEY`. One key without a number is number 1.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut keys: Vec<(u32, [u8; 32])> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (number, key) = part.split_once(':').unwrap_or(("1", part));
            let number = number.parse().ok().filter(|number| (1..1 << 24).contains(number))?;
            let secret = URL_SAFE_NO_PAD.decode(key).ok()?.try_into().ok()?;
            if keys.iter().any(|(taken, _)| *taken == number) {
                return None;
            }
            keys.push((number, secret));
        }
        keys.sort_by_key(|(number, _)| *number);
        Some(Self(keys))
    }

    /// The keys with their numbers, ascending.
    #[must_use]
    pub fn reveal(&self) -> &[(u32, [u8; 32])] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        URL_SAFE_NO_PAD.encode([byte; 32])
    }

    #[test]
    fn one_key_needs_no_number_and_several_do() {
        assert_eq!(LinkKeys::parse(&key(1)).unwrap().reveal(), [(1, [1; 32])]);

        let several = LinkKeys::parse(&format!("3:{}, 2:{}", key(3), key(2))).unwrap();

        assert_eq!(several.reveal(), [(2, [2; 32]), (3, [3; 32])]);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "short", "0:", &format!("{0},{0}", key(1)), &format!("0:{}", key(1)), &key(1)[1..]] {
            assert_eq!(LinkKeys::parse(text), None, "{text}");
        }
    }

    #[test]
    fn keys_do_not_show_themselves() {
        let keys = LinkKeys::parse(&key(7)).unwrap();

        assert_eq!(format!("{keys:?}"), "LinkKeys(..)");
    }
}
