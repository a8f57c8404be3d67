//! How many handlers of an action may run a step at a time, and who is next: first come, first served.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use super::core::Queued;
use crate::action::Registry;

/// The highest limit. Twice as many are the most that a semaphore holds, so there is always room to let everybody go.
const MOST: usize = Semaphore::MAX_PERMITS / 2;

/// The permits of the actions that have a limit.
pub(super) struct Permits(ArcSwap<HashMap<Arc<str>, Limited>>);

#[derive(Clone)]
struct Limited {
    limit: usize,
    permits: Arc<Semaphore>,
}

impl Permits {
    pub(super) fn of(registry: &Registry) -> Self {
        let permits = Self(ArcSwap::default());
        permits.follow(registry);
        permits
    }

    pub(super) fn is_limited(&self, action: &str) -> bool {
        self.0.load().contains_key(action)
    }

    /// The right to run a step of `action`: its place in the queue is that of this call. `None` if there is no limit.
    pub(super) fn queue(&self, action: &str) -> Option<Queued> {
        let permits = Arc::clone(&self.0.load().get(action)?.permits);
        let mut turn: Queued = Box::pin(async move { permits.acquire_owned().await.ok() });
        // It queues when it is polled for the first time.
        Some(match (&mut turn).now_or_never() {
            Some(permit) => Box::pin(std::future::ready(permit)),
            None => turn,
        })
    }

    /// Takes over the limits of `registry`. Whoever has a permit keeps it, and whoever queues keeps the place; a limit
    /// that got lower is reached once enough of those who run have come to the end of their steps.
    pub(super) fn follow(&self, registry: &Registry) {
        let old = self.0.load();
        let limited = registry.iter().filter_map(|action| {
            let limit = action.settings().concurrency?.clamp(1, MOST);
            let permits = match old.get(action.name()) {
                Some(known) => known.changed(limit),
                None => Arc::new(Semaphore::new(limit)),
            };
            Some((Arc::clone(action.name()), Limited { limit, permits }))
        });
        let new: HashMap<_, _> = limited.collect();
        for (name, known) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            tracing::debug!(action = %name, "the action has no limit any more");
            // Those who queue for it go on.
            known.permits.add_permits(MOST - known.permits.available_permits().min(MOST));
        }
        self.0.store(Arc::new(new));
    }
}

impl Limited {
    fn changed(&self, limit: usize) -> Arc<Semaphore> {
        if limit >= self.limit {
            self.permits.add_permits(limit - self.limit);
        } else {
            let surplus = self.limit - limit;
            let missing = surplus - self.permits.forget_permits(surplus);
            for _ in 0..missing {
                let permits = Arc::clone(&self.permits);
                // One by one, so that they do not hold up those who queue for long.
                tokio::spawn(async move { permits.acquire_owned().await.map(|permit| permit.forget()) });
            }
        }
        Arc::clone(&self.permits)
    }
}
