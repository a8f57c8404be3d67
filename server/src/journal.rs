//! The journal of an operation: what its handler learned, in the order in which it was committed.
//!
//! After a crash the handler runs again and is given these results instead of doing the work again. An entry is a
//! few strings and bytes, so that any store, and later another engine, can keep it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Json;
use crate::action::Failure;
use crate::operation::OperationId;

/// The version of the entries' form, kept with each, so that a later release can read an older journal.
pub const FORMAT: u8 = 1;

/// Names a command of a handler: branch path, kind, name, and which occurrence of that name it is in its branch,
/// such as `/step:moderate:0` or `/checks/2/sleep::1`.
pub type CommandId = String;

/// One entry with its place and time.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its place in the journal; ascending from 0, without gaps.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it records.
    pub entry: Entry,
}

/// The result of a step or of a child operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Completion {
    /// It gave this value.
    Value(Json),
    /// It failed for good.
    Failure(Failure),
}

/// What can be recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Entry {
    /// The start; always the first entry.
    #[serde(rename_all = "camelCase")]
    Accepted {
        /// What the caller gave.
        input: Json,
    },

    // Written from outside, by any process.
    /// An event arrived.
    #[serde(rename_all = "camelCase")]
    Event {
        /// Its name.
        name: String,
        /// Its body.
        body: Json,
    },
    /// Somebody asked the operation to stop.
    CancelRequested,

    // Written by the process that runs the operation.
    /// A step ended.
    #[serde(rename_all = "camelCase")]
    Step {
        /// The command.
        command: CommandId,
        /// How often it was tried in this run.
        attempts: u32,
        /// Its result.
        result: Completion,
    },
    /// A wait began: a sleep, or the time limit of an event.
    #[serde(rename_all = "camelCase")]
    Timer {
        /// The command.
        command: CommandId,
        /// When the wait is over.
        until: Timestamp,
    },
    /// A wait is over.
    #[serde(rename_all = "camelCase")]
    Fired {
        /// The command.
        command: CommandId,
    },
    /// The handler took an event.
    #[serde(rename_all = "camelCase")]
    Taken {
        /// The command.
        command: CommandId,
        /// The sequence of the entry that brought the event.
        event: u64,
    },
    /// A child operation was started.
    #[serde(rename_all = "camelCase")]
    Child {
        /// The command.
        command: CommandId,
        /// The child.
        operation: OperationId,
    },
    /// A child operation ended.
    #[serde(rename_all = "camelCase")]
    ChildEnded {
        /// The command.
        command: CommandId,
        /// Its outcome.
        result: Completion,
    },
    /// The handler asked for the time.
    #[serde(rename_all = "camelCase")]
    Now {
        /// The command.
        command: CommandId,
        /// The answer.
        time: Timestamp,
    },
    /// A race was decided.
    #[serde(rename_all = "camelCase")]
    Race {
        /// The command.
        command: CommandId,
        /// The place of the winner among the branches.
        winner: u32,
    },
    /// The handler was told to stop: what it awaited at this point returned `Canceled`.
    CancelObserved,
    /// A step did not stop within its grace after a cancel and was dropped.
    #[serde(rename_all = "camelCase")]
    Dropped {
        /// The command.
        command: CommandId,
    },
}

/// An entry that cannot be read: written by a later release, or damaged.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEntry {
    /// There is nothing.
    #[error("the journal entry is empty")]
    Empty,
    /// A form that this release does not know.
    #[error("the journal entry has format {0}; this release reads {FORMAT}")]
    Format(u8),
    /// Not an entry.
    #[error("the journal entry cannot be read")]
    Json(#[from] serde_json::Error),
}

impl Entry {
    /// The bytes to store: the format's version, then JSON.
    ///
    /// # Panics
    /// Never: every entry has a JSON form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        serde_json::to_writer(&mut bytes, self).expect("entries are strings, numbers and JSON");
        bytes
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// If they are damaged or of a later release.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnreadableEntry> {
        match bytes.split_first() {
            None => Err(UnreadableEntry::Empty),
            Some((&FORMAT, json)) => Ok(serde_json::from_slice(json)?),
            Some((&format, _)) => Err(UnreadableEntry::Format(format)),
        }
    }

    /// Whether it came from outside the handler: an event, a cancel, the start.
    #[must_use]
    pub const fn is_signal(&self) -> bool {
        matches!(self, Self::Accepted { .. } | Self::Event { .. } | Self::CancelRequested)
    }

    /// The command that it completes or begins, if it is about one.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        match self {
            Self::Step { command, .. }
            | Self::Timer { command, .. }
            | Self::Fired { command }
            | Self::Taken { command, .. }
            | Self::Child { command, .. }
            | Self::ChildEnded { command, .. }
            | Self::Now { command, .. }
            | Self::Race { command, .. }
            | Self::Dropped { command } => Some(command),
            Self::Accepted { .. } | Self::Event { .. } | Self::CancelRequested | Self::CancelObserved => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let entry = Entry::Step {
            command: "/step:charge:0".into(),
            attempts: 2,
            result: Completion::Value(Json::of(&42).unwrap()),
        };

        assert_eq!(Entry::decode(&entry.encode()).unwrap(), entry);
    }

    #[test]
    fn an_entry_of_a_later_release_is_refused_by_its_format() {
        let mut bytes = Entry::CancelObserved.encode();
        bytes[0] = 2;

        assert!(matches!(Entry::decode(&bytes), Err(UnreadableEntry::Format(2))));
    }
}
