//! [`read`](crate::store::Store::read), [`history`](crate::store::Store::history) and
//! [`listen`](crate::store::Store::listen).

use super::Factory;
use super::sample::{Heard, accept, append, at, entries, hear, history, listen, new, published, read, step};
use crate::operation::OperationId;
use crate::store::Store;

/// Not an error.
pub async fn an_unknown_operation_is_nothing(factory: &impl Factory) {
    let store = factory.open().await;
    let id = OperationId::new(at(1));

    assert_eq!(store.read(id).await.expect("the store works"), None);
    assert_eq!(history(&*store, id).await, []);
}

/// After a sequence, and no more than asked for.
pub async fn a_journal_comes_in_pages(factory: &impl Factory) {
    let store = factory.open().await;
    let (operation, claim) = accept(&*store, new(1)).await;
    append(&*store, claim, entries(2, &["a", "b", "c", "d"].map(step))).await;
    let sequences = async |after, max| {
        let page = store.history(operation.id, after, max).await.expect("the store works");
        page.iter().map(|record| record.sequence).collect::<Vec<_>>()
    };

    assert_eq!(sequences(None, 2).await, [0, 1]);
    assert_eq!(sequences(Some(1), 2).await, [2, 3]);
    assert_eq!(sequences(Some(3), 2).await, [4]);
    assert!(sequences(Some(4), 2).await.is_empty());
    assert!(sequences(None, 0).await.is_empty());
}

/// Who reads after the hint finds the change or a later one.
pub async fn a_change_is_told_to_the_listener_once_it_is_readable(factory: &impl Factory) {
    let store = factory.open().await;
    let mut heard = listen(&*store);
    let (operation, claim) = accept(&*store, new(1)).await;

    for percent in 1..=100 {
        let call = store.append(claim, published(i64::from(percent), "at work", percent));
        let told = hear(&mut heard, |heard| match heard {
            Heard::Changed(changed) if changed.percent >= Some(percent) => Some(changed),
            _ => None,
        })
        .await;

        let shown = read(&*store, operation.id).await;
        assert!(shown.updated_at >= told.updated_at);
        assert!(shown.percent >= told.percent);
        call.await.expect("the store works");
    }
}
