//! The port below [`Context`](super::Context): what a handler asks of whatever runs it.
//!
//! Strings, bytes and durations only, and object-safe, so that the same handlers run on another engine later. A
//! command is issued, then polled until it is done; a step is run by the context when the engine says so, and its
//! result proposed to the engine, which makes it durable and decides about another attempt.

use std::task::{Context as Task, Poll};
use std::time::Duration;

use super::{Failure, RetryPolicy};
use crate::Json;
use crate::journal::CommandId;
use crate::operation::{OperationId, Published};

/// What a handler can ask for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Run something that touches the world, and remember its result.
    Step(Box<RetryPolicy>),
    /// Wait for a time, across restarts.
    Sleep(Duration),
    /// Wait for an event, up to a time.
    Event {
        /// Its name.
        name: String,
        /// How long to wait; `None`: until the deadline.
        timeout: Option<Duration>,
    },
    /// Run another action and wait for its end.
    Child {
        /// The action.
        action: String,
        /// Its input.
        input: Json,
    },
    /// Tell the time, the same in every run.
    Now,
    /// Remember which branch won. Done at once.
    Race(u32),
}

impl Command {
    /// The word for this kind of command in a [`CommandId`].
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Step(_) => "step",
            Self::Sleep(_) => "sleep",
            Self::Event { .. } => "event",
            Self::Child { .. } => "child",
            Self::Now => "now",
            Self::Race(_) => "race",
        }
    }
}

/// An issued command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(pub(crate) usize);

/// Where an issued command is.
#[derive(Debug)]
pub enum Turn {
    /// It is a step, and to be run now, or on with.
    Run,
    /// It is done: with this value (`None`: a sleep is over, or an event did not come in time), or a failure.
    Done(Result<Option<Json>, Failure>),
}

/// What runs a handler.
pub trait Port: Send + Sync {
    /// The operation that the handler works on.
    fn operation(&self) -> OperationId;

    /// Issues a command. The ticket is good until it is done or abandoned.
    fn issue(&self, id: CommandId, command: Command) -> Ticket;

    /// Where the command is. While pending, the task is woken when it is worth asking again. A step's attempt is to be
    /// dropped on any answer but [`Turn::Run`]: its time is over, or it was canceled.
    fn poll(&self, ticket: Ticket, task: &mut Task<'_>) -> Poll<Turn>;

    /// The result of a step's attempt. The engine decides whether it counts; poll again to know.
    fn propose(&self, ticket: Ticket, result: Result<Json, Failure>);

    /// Nobody waits for the command any more.
    fn abandon(&self, ticket: Ticket);

    /// Publishes a custom status or a progress. Silent during replay.
    fn publish(&self, published: Published);

    /// Ready once the operation was asked to stop, or its run is over.
    fn poll_canceled(&self, task: &mut Task<'_>) -> Poll<()>;

    /// A URL that lets whoever has it send the event to this operation.
    ///
    /// # Errors
    /// If the action does not declare the event.
    fn event_url(&self, name: &str) -> Result<String, Failure>;
}
