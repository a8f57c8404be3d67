//! The second, tiny port: API keys, and the secrets that every process on one store shares.

use jiff::Timestamp;

use super::Answer;

/// Keeps API keys (as hashes only) and the secrets that links and idempotency depend on.
///
/// Keys may change from another process at any time (`raincheck-server keys …` beside a running server).
pub trait KeyStore: Send + Sync + 'static {
    /// All keys, revoked and expired ones too.
    fn keys(&self) -> Answer<'_, Vec<StoredKey>>;

    /// Adds a key. Returns false, and adds nothing, if a key of that name is in use.
    fn add_key(&self, key: StoredKey) -> Answer<'_, bool>;

    /// Ends every key of that name. Returns how many there were.
    fn revoke_keys(&self, name: &str, now: Timestamp) -> Answer<'_, usize>;

    /// The secrets of this store, made on first use: (number, 32 bytes), ascending. The last one signs.
    fn link_secrets(&self) -> Answer<'_, Vec<(u32, [u8; 32])>>;

    /// The secret that keys the idempotency hashes, made on first use and never changed.
    fn content_secret(&self) -> Answer<'_, [u8; 32]>;
}

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// SHA-256 of the key. A key has 256 random bits, so nothing slower is needed.
    pub hash: [u8; 32],
    /// Who uses it: the caller's name, and the owner of what it starts.
    pub name: String,
    /// What it may do, as words.
    pub roles: Vec<String>,
    /// The only actions that it may start; empty for all.
    pub actions: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}
