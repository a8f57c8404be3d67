//! What sender and receiver share, and what is signed with it.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::seconds;

/// The secret of a subscription: `whsec_` and base64 of 24 to 64 bytes. `Debug` does not show it.
///
/// ```
/// let secret: raincheck::webhook::Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// # Ok::<(), raincheck::webhook::NotASecret>(())
/// ```
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

/// A text that is no secret. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotASecret;

const PREFIX: &str = "whsec_";
/// The symmetric signatures of the scheme.
const VERSION: &str = "v1";

impl Secret {
    /// The signature, with its version, of what is sent at `at` under this id: `v1,…`. For senders, and for
    /// the tests of receivers.
    #[must_use]
    pub fn sign(&self, id: &str, at: SystemTime, body: &[u8]) -> String {
        let made = self.mac(id, &seconds(at).to_string(), body).finalize().into_bytes();
        format!("{VERSION},{}", STANDARD.encode(made))
    }

    /// Whether it has made one of these signatures.
    pub(super) fn has_made(&self, signatures: &str, id: &str, timestamp: &str, body: &[u8]) -> bool {
        let mac = self.mac(id, timestamp, body);
        signatures
            .split(' ')
            .filter_map(|signature| signature.strip_prefix(VERSION)?.strip_prefix(','))
            .filter_map(|signature| STANDARD.decode(signature).ok())
            // In constant time.
            .any(|signature| mac.clone().verify_slice(&signature).is_ok())
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.chain_update(format!("{id}.{timestamp}.")).chain_update(body)
    }
}

impl FromStr for Secret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let bytes = text.trim().strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len()));
        bytes.map(|bytes| Self(bytes.into())).ok_or(NotASecret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for NotASecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a secret of a webhook: expected `whsec_` and base64 of 24 to 64 bytes")
    }
}

impl std::error::Error for NotASecret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_secret_is_refused_and_a_secret_is_not_shown() {
        let secret = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));

        for text in ["", "whsec_", "whsec_?", &secret(23), &secret(65), &secret(24)[1..]] {
            assert_eq!(text.parse::<Secret>().unwrap_err(), NotASecret, "{text}");
        }
        for bytes in [24, 32, 64] {
            assert_eq!(format!("{:?}", secret(bytes).parse::<Secret>().unwrap()), "Secret(…)");
        }
    }
}
