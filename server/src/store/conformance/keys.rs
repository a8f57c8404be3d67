//! [`KeyStore`].

use super::Factory;
use super::sample::at;
use crate::store::keys::{KeyStore, StoredKey};

fn key(hash: u8, name: &str, created_at: i64) -> StoredKey {
    StoredKey {
        hash: [hash; 32],
        name: name.to_owned(),
        roles: vec!["start".to_owned(), "observe".to_owned()],
        actions: vec!["submit-talk".to_owned()],
        created_at: at(created_at),
        revoked_at: None,
    }
}

/// Also one for all actions.
pub async fn a_key_is_stored_as_it_was_given(factory: &impl Factory) {
    let store = factory.open().await;
    let for_all = StoredKey { actions: vec![], ..key(2, "two", 2) };

    assert!(store.add_key(key(1, "one", 1)).await.expect("the store works"));
    assert!(store.add_key(for_all.clone()).await.expect("the store works"));
    drop(store);

    let store = factory.open().await;
    assert_eq!(store.keys().await.expect("the store works"), [key(1, "one", 1), for_all]);
}

/// And adds nothing.
pub async fn a_name_in_use_is_refused(factory: &impl Factory) {
    let store = factory.open().await;
    assert!(store.add_key(key(1, "one", 1)).await.expect("the store works"));

    assert!(!store.add_key(key(2, "one", 2)).await.expect("the store works"));

    assert_eq!(store.keys().await.expect("the store works"), [key(1, "one", 1)]);
}

/// So that a key can be replaced while its owner stays the same.
pub async fn a_revoked_key_stays_and_its_name_is_free(factory: &impl Factory) {
    let store = factory.open().await;
    store.add_key(key(1, "one", 1)).await.expect("the store works");

    assert_eq!(store.revoke_keys("one", at(5)).await.expect("the store works"), 1);
    assert_eq!(store.revoke_keys("one", at(6)).await.expect("the store works"), 0);
    assert_eq!(store.revoke_keys("nobody", at(6)).await.expect("the store works"), 0);
    assert!(store.add_key(key(2, "one", 7)).await.expect("the store works"));

    let revoked = StoredKey { revoked_at: Some(at(5)), ..key(1, "one", 1) };
    assert_eq!(store.keys().await.expect("the store works"), [revoked, key(2, "one", 7)]);
}

/// Every process on the store, now and later, has the same ones.
pub async fn secrets_are_made_once_and_stay(factory: &impl Factory) {
    let store = factory.open().await;

    let (links, content) = (store.link_secrets().await, store.content_secret().await);
    let first = (links.expect("the store works"), content.expect("the store works"));
    drop(store);
    let store = factory.open().await;
    let (links, content) = (store.link_secrets().await, store.content_secret().await);

    assert_eq!((links.expect("the store works"), content.expect("the store works")), first);
    assert_eq!(first.0.len(), 1);
    assert_ne!(first.0[0].1, first.1);
    assert_ne!(first.1, [0; 32]);
}
