//! Who is calling: API keys, the roles they have, and a look-up that notices changes within a second.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use crate::clock::{Clock, after};
use crate::store::StoreError;
use crate::store::keys::{KeyStore, StoredKey};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Start actions.
    Start,
    /// Read every operation, on both listeners.
    Observe,
    /// Manage every operation; includes `observe`, but not `start`.
    Operate,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Start, Self::Observe, Self::Operate];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Observe => "observe",
            Self::Operate => "operate",
        }
    }

    /// The role that a word stands for.
    ///
    /// ```
    /// use raincheck_server::auth::Role;
    /// assert_eq!(Role::from_word("operate"), Some(Role::Operate));
    /// assert_eq!(Role::from_word("root"), None);
    /// ```
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// An API key: `rck_` and 32 random bytes in base64url. A secret, so it never shows itself in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// A text that is not an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an API key: expected `rck_` and 43 characters of base64url, as `raincheck-server keys create` makes it"
)]
pub struct NotAnApiKey;

const PREFIX: &str = "rck_";

impl ApiKey {
    /// A fresh key.
    ///
    /// # Panics
    /// If the operating system has no random numbers.
    #[must_use]
    pub fn generate() -> Self {
        let mut random = [0; 32];
        getrandom::fill(&mut random).expect("the operating system gives random numbers");
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
    }

    /// Takes a key as it was given out.
    ///
    /// # Errors
    /// If it does not look like one.
    pub fn parse(text: &str) -> Result<Self, NotAnApiKey> {
        let random = text.strip_prefix(PREFIX).and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok());
        if random.is_some_and(|bytes| bytes.len() == 32) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnApiKey)
        }
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

// A key has 256 random bits, so nothing slower is needed, and a look-up by hash tells nothing by its time.
fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// Somebody whose key is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    name: Arc<str>,
    roles: Vec<Role>,
    actions: Vec<String>,
}

impl Caller {
    /// The name of its key, and the owner of what it starts. A new key of the same name is the same caller.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether it may start `action`.
    #[must_use]
    pub fn may_start(&self, action: &str) -> bool {
        self.roles.contains(&Role::Start)
            && (self.actions.is_empty() || self.actions.iter().any(|own| own == action))
    }

    /// Whether it may read every operation.
    #[must_use]
    pub fn may_observe(&self) -> bool {
        self.roles.contains(&Role::Observe) || self.may_operate()
    }

    /// Whether it may manage every operation.
    #[must_use]
    pub fn may_operate(&self) -> bool {
        self.roles.contains(&Role::Operate)
    }
}

/// The name of the key that the environment gives.
pub const ENVIRONMENT: &str = "environment";

/// How old the keys in memory may be: `keys revoke` beside a running server takes effect within this time.
const FRESH: Duration = Duration::from_secs(1);

/// Knows who a key belongs to.
///
/// Keys are read again when one is looked up and the last reading is a second old: no timer, and no query while
/// nobody calls.
pub struct Authenticator {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    environment: Option<([u8; 32], Arc<Caller>)>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    read_at: Option<Timestamp>,
    callers: HashMap<[u8; 32], Arc<Caller>>,
}

impl Authenticator {
    /// Looks keys up in `store`. `environment` is one more key, with every role, that is in no store.
    pub fn new(store: Arc<dyn KeyStore>, clock: Arc<dyn Clock>, environment: Option<&ApiKey>) -> Self {
        let environment = environment.map(|key| {
            let caller = Caller { name: ENVIRONMENT.into(), roles: Role::ALL.to_vec(), actions: Vec::new() };
            (key.hash(), Arc::new(caller))
        });
        Self { store, clock, environment, known: Mutex::default() }
    }

    /// Who `key` belongs to; `None` if to nobody, or no longer.
    ///
    /// # Errors
    /// If the keys cannot be read. Then nobody is let in: a revoked key must not outlive a broken store.
    pub async fn authenticate(&self, key: &str) -> Result<Option<Arc<Caller>>, StoreError> {
        if !key.starts_with(PREFIX) {
            return Ok(None);
        }
        let hash = hash(key);
        if let Some((known, caller)) = &self.environment
            && *known == hash
        {
            return Ok(Some(Arc::clone(caller)));
        }
        Ok(self.known().await?.callers.get(&hash).cloned())
    }

    /// The caller of that name, if a key of that name is in use: for links that stand for a caller.
    ///
    /// # Errors
    /// If the keys cannot be read.
    pub async fn named(&self, name: &str) -> Result<Option<Arc<Caller>>, StoreError> {
        if name == ENVIRONMENT {
            return Ok(self.environment.as_ref().map(|(_, caller)| Arc::clone(caller)));
        }
        Ok(self.known().await?.callers.values().find(|caller| &*caller.name == name).cloned())
    }

    // Those who come while one reads wait for that reading instead of starting their own.
    async fn known(&self) -> Result<MutexGuard<'_, Known>, StoreError> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if !known.is_fresh(now) {
            let callers = self.store.keys().await?.into_iter().filter_map(caller).collect();
            *known = Known { read_at: Some(now), callers };
        }
        Ok(known)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

impl Known {
    // A clock that was set back must not make old keys last.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.read_at.is_some_and(|read_at| read_at <= now && now < after(read_at, FRESH))
    }
}

fn caller(key: StoredKey) -> Option<([u8; 32], Arc<Caller>)> {
    let StoredKey { hash, name, roles, actions, created_at: _, revoked_at } = key;
    if revoked_at.is_some() {
        return None;
    }
    // A role that this release does not know gives nothing.
    let roles = roles.iter().filter_map(|word| Role::from_word(word)).collect();
    Some((hash, Arc::new(Caller { name: name.into(), roles, actions })))
}

#[cfg(test)]
mod tests;
