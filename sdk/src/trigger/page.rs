//! The items of one answer, and the state after each.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;
use url::Url;

use super::state::TriggerState;

/// An item, and the `id` by which it is known when it comes again.
pub(super) struct Item {
    pub(super) id: Option<String>,
    pub(super) body: Box<RawValue>,
}

/// Items that were answered and not given out yet.
#[derive(Default)]
pub(super) struct Page {
    left: VecDeque<(Box<RawValue>, TriggerState)>,
}

impl Page {
    /// What an answer means for whoever asked at `state`: where they are now, and what is new to them.
    ///
    /// Those that were dealt with before are known by their id, and not by their place: others may have
    /// been purged since. Those without an id are counted.
    pub(super) fn turn(state: &TriggerState, items: Vec<Item>, next: Arc<Url>) -> (TriggerState, Self) {
        let answers = !items.is_empty();
        let mut missing: Vec<&Option<String>> = state.handled().iter().collect();
        let (mut known, mut new) = (Vec::new(), Vec::new());
        for item in items {
            match missing.iter().position(|id| **id == item.id) {
                Some(found) => {
                    missing.remove(found);
                    known.push(item.id);
                }
                None => new.push(item),
            }
        }
        let Some(last) = new.len().checked_sub(1) else {
            // All of them are known. If this answer was a shorter one, the others come next.
            let still: Vec<_> = missing.into_iter().filter(|_| answers).cloned().collect();
            let handled = still.len();
            return (TriggerState::after(next, still.into(), handled), Self::default());
        };
        let handled = known.len();
        known.extend(new.iter().map(|item| item.id.clone()));
        let items: Arc<[_]> = known.into();
        let at = |handled| TriggerState::after(Arc::clone(state.url()), Arc::clone(&items), handled);
        let left = new.into_iter().enumerate().map(|(index, item)| {
            let after = if index == last {
                TriggerState::after(Arc::clone(&next), Arc::default(), 0)
            } else {
                at(handled + index + 1)
            };
            (item.body, after)
        });
        let left = left.collect();
        (at(handled), Self { left })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The next item, and the state after it.
    pub(super) fn next(&mut self) -> Option<(Box<RawValue>, TriggerState)> {
        self.left.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(place: usize) -> Url {
        Url::parse(&format!("http://h/?place={place}")).unwrap()
    }

    fn place(state: &TriggerState) -> usize {
        state.url().query().unwrap().strip_prefix("place=").unwrap().parse().unwrap()
    }

    /// A feed of numbers, some of which are purged and some of which have no id: what an answer to `state`
    /// with up to `size` items has, and where to go on.
    fn answer(state: &TriggerState, purged: &[usize], end: usize, size: usize) -> (Vec<Item>, Arc<Url>) {
        let kept = (place(state)..end).filter(|number| !purged.contains(number));
        let told: Vec<usize> = kept.take(size).collect();
        let next = told.last().map_or(end, |last| last + 1);
        let item = |number: usize| Item {
            id: (!number.is_multiple_of(5)).then(|| number.to_string()),
            body: RawValue::from_string(number.to_string()).unwrap(),
        };
        (told.into_iter().map(item).collect(), Arc::new(url(next)))
    }

    proptest! {
        /// A consumer that is killed after any number of items, in front of a server that cuts its answers
        /// anew each time, sees everything once and in order.
        #[test]
        fn nothing_is_lost_and_nothing_comes_twice(
            runs in proptest::collection::vec((1_usize..8, 0_usize..9), 1..12), end in 1_usize..40,
        ) {
            let (mut state, mut seen) = (TriggerState::new(url(0)), Vec::new());
            let ending = [(7, end), (3, end)];
            for (size, reads) in runs.into_iter().chain(ending) {
                // As it is stored.
                state = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
                let (mut at, mut page) = (state.clone(), Page::default());
                for _ in 0..reads {
                    while page.is_empty() {
                        let (items, next) = answer(&at, &[], end, size);
                        let over = items.is_empty();
                        (at, page) = Page::turn(&at, items, next);
                        if over {
                            break;
                        }
                    }
                    let Some((body, after)) = page.next() else { break };
                    seen.push(body.get().parse::<usize>().unwrap());
                    (at, state) = (after.clone(), after);
                }
            }
            prop_assert_eq!(seen, (0..end).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_was_purged_since_hides_nothing_that_is_new() {
        let (items, next) = answer(&TriggerState::new(url(1)), &[], 5, 9);
        let (_, mut page) = Page::turn(&TriggerState::new(url(1)), items, next);
        page.next().unwrap();
        let (_, after_two) = page.next().unwrap();

        let (items, next) = answer(&after_two, &[1], 5, 9);
        let (_, mut page) = Page::turn(&after_two, items, next);

        assert_eq!(page.next().unwrap().0.get(), "3");
    }

    #[test]
    fn two_items_of_the_same_id_are_two() {
        let twice = || {
            let item =
                || Item { id: Some("7".to_owned()), body: RawValue::from_string("7".to_owned()).unwrap() };
            vec![item(), item()]
        };
        let (_, mut page) = Page::turn(&TriggerState::new(url(0)), twice(), Arc::new(url(2)));
        let (_, after_one) = page.next().unwrap();

        let (_, mut page) = Page::turn(&after_one, twice(), Arc::new(url(2)));

        assert!(page.next().is_some() && page.next().is_none());
    }
}
