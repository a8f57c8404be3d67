//! What signs a delivery: the scheme of Standard Webhooks (<https://www.standardwebhooks.com>), symmetric.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, PAD, STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// A secret that the sender and the receiver of a delivery share: `whsec_` and base64 of 24 to 64 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

/// A text that is not a signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a signing secret: expected `whsec_` and base64 of 24 to 64 random bytes")]
pub struct NotASecret;

const PREFIX: &str = "whsec_";

/// Takes every text that looks like base64; the bits that its last letter has too many do not count.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

impl SigningSecret {
    /// A fresh secret of 32 bytes.
    ///
    /// # Panics
    /// If the operating system has no random numbers.
    #[must_use]
    pub fn generate() -> Self {
        let mut random = vec![0; 32];
        getrandom::fill(&mut random).expect("the operating system gives random numbers");
        Self(random)
    }

    /// Takes a secret as it is written.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| LENIENT.decode(text).ok());
        bytes.filter(|bytes| (24..=64).contains(&bytes.len())).map(Self).ok_or(NotASecret)
    }

    /// The secret of these bytes, as they were kept.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The signature of a delivery that is sent at `at`, with its version: `v1,…`.
    #[must_use]
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        let signed = mac.chain_update(format!("{id}.{}.", at.as_second())).chain_update(body);
        format!("v1,{}", STANDARD.encode(signed.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_implementation_takes_what_is_signed() {
        let secret = SigningSecret::generate();
        let reference = standardwebhooks::Webhook::new(&secret.reveal()).unwrap();
        let now = Timestamp::now();

        let signature = secret.sign("msg_1", now, br#"{"a":1}"#);

        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.as_second().to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        reference.verify(br#"{"a":1}"#, &headers).unwrap();
        assert!(reference.verify(br#"{"a":2}"#, &headers).is_err());
    }

    #[test]
    fn a_secret_is_read_as_it_is_written_and_never_shown_by_itself() {
        let secret = SigningSecret::generate();

        assert_eq!(SigningSecret::parse(&secret.reveal()), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "SigningSecret(..)");
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        for text in ["", "whsec_", &short, &secret.reveal()[1..], "whsec_?"] {
            assert_eq!(SigningSecret::parse(text), Err(NotASecret), "{text}");
        }
    }
}
