//! How many answers may take their time at once, in all and for each caller: those that are held, and streams.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the answers that are held.
#[derive(Debug)]
pub(crate) struct Holds {
    total: usize,
    per_caller: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    callers: HashMap<Arc<str>, usize>,
}

/// The place of one answer that is held; free again when it is dropped.
pub(crate) struct Hold {
    holds: Arc<Holds>,
    caller: Arc<str>,
}

impl Holds {
    pub(crate) fn new(total: usize, per_caller: usize) -> Self {
        Self { total, per_caller, held: Mutex::default() }
    }

    /// A place for an answer to `caller`; `None` if there is none left.
    pub(crate) fn hold(self: &Arc<Self>, caller: &Arc<str>) -> Option<Hold> {
        let mut held = self.lock();
        let own = held.callers.get(caller).copied().unwrap_or(0);
        if held.total >= self.total || own >= self.per_caller {
            return None;
        }
        held.total += 1;
        held.callers.insert(Arc::clone(caller), own + 1);
        Some(Hold { holds: Arc::clone(self), caller: Arc::clone(caller) })
    }

    /// How many answers are held now.
    #[cfg(test)]
    pub(crate) fn total_held(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Counting cannot be left half done by a panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.holds.lock();
        held.total -= 1;
        match held.callers.get_mut(&self.caller) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                held.callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_cannot_take_every_place_and_places_come_back() {
        let holds = Arc::new(Holds::new(3, 2));
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());

        let first = holds.hold(&a);
        let second = holds.hold(&a);
        assert!(first.is_some() && second.is_some() && holds.hold(&a).is_none());
        let third = holds.hold(&b);
        assert!(third.is_some() && holds.hold(&b).is_none());

        drop(first);
        assert!(holds.hold(&b).is_some());
        drop((second, third));
        assert!(holds.lock().callers.is_empty());
    }
}
