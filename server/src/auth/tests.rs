use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::clock::ManualClock;
use crate::store::Answer;

#[derive(Default)]
struct Keys {
    keys: StdMutex<Vec<StoredKey>>,
    reads: AtomicUsize,
}

impl KeyStore for Keys {
    fn keys(&self) -> Answer<'_, Vec<StoredKey>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(self.keys.lock().unwrap().clone()) })
    }

    fn add_key(&self, key: StoredKey) -> Answer<'_, bool> {
        self.keys.lock().unwrap().push(key);
        Box::pin(async { Ok(true) })
    }

    fn revoke_keys(&self, name: &str, now: Timestamp) -> Answer<'_, usize> {
        self.keys
            .lock()
            .unwrap()
            .iter_mut()
            .filter(|key| key.name == name)
            .for_each(|key| key.revoked_at = Some(now));
        Box::pin(async { Ok(1) })
    }

    fn link_secrets(&self) -> Answer<'_, Vec<(u32, [u8; 32])>> {
        Box::pin(async { Err(StoreError::Closed) })
    }

    fn content_secret(&self) -> Answer<'_, [u8; 32]> {
        Box::pin(async { Err(StoreError::Closed) })
    }
}

struct World {
    keys: Arc<Keys>,
    clock: ManualClock,
    authenticator: Authenticator,
}

fn world(environment: Option<&ApiKey>) -> World {
    let keys = Arc::new(Keys::default());
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let authenticator =
        Authenticator::new(Arc::clone(&keys) as Arc<dyn KeyStore>, Arc::new(clock.clone()), environment);
    World { keys, clock, authenticator }
}

fn stored(key: &ApiKey, name: &str, roles: &[&str]) -> StoredKey {
    StoredKey {
        hash: key.hash(),
        name: name.to_owned(),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        actions: Vec::new(),
        created_at: Timestamp::UNIX_EPOCH,
        revoked_at: None,
    }
}

#[tokio::test]
async fn a_known_key_is_its_name_with_its_roles() {
    let world = world(None);
    let key = ApiKey::generate();
    world.keys.add_key(stored(&key, "flow", &["start", "work"])).await.unwrap();

    let caller = world.authenticator.authenticate(key.reveal()).await.unwrap().unwrap();

    assert_eq!(&**caller.name(), "flow");
    assert!(caller.may_start("anything"));
    assert!(!caller.may_observe());
}

#[tokio::test]
async fn a_change_takes_effect_after_a_second_and_not_a_query_sooner() {
    let world = world(None);
    let key = ApiKey::generate();
    assert_eq!(world.authenticator.authenticate(key.reveal()).await.unwrap(), None);
    world.keys.add_key(stored(&key, "flow", &["start"])).await.unwrap();

    world.clock.advance(Duration::from_millis(999));
    assert_eq!(world.authenticator.authenticate(key.reveal()).await.unwrap(), None);
    assert_eq!(world.keys.reads.load(Ordering::Relaxed), 1);
    world.clock.advance(Duration::from_millis(1));
    assert!(world.authenticator.authenticate(key.reveal()).await.unwrap().is_some());

    world.keys.revoke_keys("flow", Timestamp::UNIX_EPOCH).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.authenticator.authenticate(key.reveal()).await.unwrap(), None);
}

#[tokio::test]
async fn the_environments_key_has_every_role_and_needs_no_store() {
    let key = ApiKey::generate();
    let world = world(Some(&key));

    let caller = world.authenticator.authenticate(key.reveal()).await.unwrap().unwrap();

    assert_eq!(&**caller.name(), ENVIRONMENT);
    assert!(caller.may_start("x") && caller.may_observe() && caller.may_operate());
    assert_eq!(world.keys.reads.load(Ordering::Relaxed), 0);
}

#[test]
fn operate_includes_observe_but_not_start() {
    let (_, caller) = caller(stored(&ApiKey::generate(), "op", &["operate"])).unwrap();

    assert!(caller.may_operate() && caller.may_observe() && !caller.may_start("x"));
}

#[test]
fn a_key_may_be_bound_to_actions() {
    let mut key = stored(&ApiKey::generate(), "flow", &["start"]);
    key.actions = vec!["countdown".into()];
    let (_, caller) = caller(key).unwrap();

    assert!(caller.may_start("countdown") && !caller.may_start("submit-talk"));
}

#[test]
fn a_key_looks_like_one_and_does_not_show_itself() {
    let key = ApiKey::generate();

    assert_eq!(ApiKey::parse(key.reveal()).unwrap(), key);
    assert_eq!(key.reveal().len(), 47);
    assert_eq!(format!("{key:?}"), "ApiKey(..)");
    for text in ["", "rck_", "rck_short", &key.reveal()[4..], &format!("{}A", key.reveal())] {
        assert_eq!(ApiKey::parse(text), Err(NotAnApiKey), "{text}");
    }
}
