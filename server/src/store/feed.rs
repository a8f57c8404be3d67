//! The feed: everything that has ended and is still kept, in the order in which it became readable.

use std::sync::Arc;

use crate::operation::{Operation, State};

/// Which ends of a feed to read. An absent part lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feed {
    /// Of operations of one of these actions, by the names that they had at acceptance; of any, if there is none.
    pub actions: Vec<Arc<str>>,
    /// Of operations that this caller started.
    pub caller: Option<Arc<str>>,
    /// With one of these states; with any, if there is none.
    pub outcomes: Vec<State>,
}

/// A place in the feed of everything: between two ends.
///
/// Opaque: only the store that gave it out knows how it is made, and all that others may do is keep it, compare it,
/// and come back with it. There is one order for all actions: the order of the commits. Whatever became readable
/// later has the higher place, from whatever process, and nothing is ever added below a place that was given out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedPlace(u64);

impl FeedPlace {
    /// Before everything.
    pub const START: Self = Self(0);

    /// The place of that number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The place as a number, to keep it somewhere.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// An end in the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The place right after it.
    pub place: FeedPlace,
    /// The operation, which has ended.
    pub operation: Arc<Operation>,
}

/// A part of a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedPage {
    /// What has ended, in order.
    pub finished: Vec<Finished>,
    /// Where to go on: past all of these, and past what the feed does not let through, as far as it was looked at.
    pub next: FeedPlace,
    /// Whether to go on at once: the page was full, or the store did not look at everything that there is.
    pub more: bool,
}
