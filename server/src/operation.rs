//! An operation: its id, its states, and the moves between them. Pure: no I/O and no clock.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Json;
use crate::clock::after;

/// Names one operation: a `UUIDv7`, so that ids sort by the time of acceptance. Not a secret.
///
/// ```
/// use raincheck_server::OperationId;
/// let id: OperationId = "0198f3a0-5c1e-7abc-8def-0123456789ab".parse()?;
/// assert_eq!(id.to_string(), "0198f3a0-5c1e-7abc-8def-0123456789ab");
/// # Ok::<(), raincheck_server::NotAnOperationId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(Uuid);

/// A text that is not an operation id in its one written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an operation id: expected a lower-case UUIDv7 with hyphens")]
pub struct NotAnOperationId;

impl OperationId {
    /// A fresh id for an operation that is accepted `now`.
    ///
    /// # Panics
    /// If the operating system has no random numbers.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(fresh_uuid(now))
    }

    /// The id of the operation that this one starts by `command`: the same whenever the handler runs again.
    #[must_use]
    pub fn child(self, command: &str) -> Self {
        let digest = Sha256::new().chain_update(self.0.as_bytes()).chain_update(command).finalize();
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        Self(uuid(self.accepted_at(), &random))
    }

    /// The id of these sixteen bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The time that it begins with: of its acceptance, or of its parent's.
    pub(crate) fn accepted_at(self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.0.as_bytes()[..6]);
        Timestamp::from_millisecond(i64::from_be_bytes(millis)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// A `UUIDv7` (RFC 9562, §5.7) that nobody else has.
///
/// # Panics
/// If the operating system has no random numbers.
pub(crate) fn fresh_uuid(now: Timestamp) -> Uuid {
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("the operating system gives random numbers");
    uuid(now, &random)
}

fn uuid(now: Timestamp, random: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for OperationId {
    type Err = NotAnOperationId;

    /// Takes the canonical form only: one operation has one URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let uuid = Uuid::try_parse(text).map_err(|_| NotAnOperationId)?;
        if canonical && uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(NotAnOperationId) }
    }
}

/// Where an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Accepted; nothing of it has run.
    NotStarted,
    /// At work or waiting.
    Running,
    /// Asked to stop.
    Canceling,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by a cancel, or terminated.
    Canceled,
}

impl State {
    /// Whether this state is the last one.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

/// Why an operation failed or was canceled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people; public.
    pub message: String,
    /// The HTTP status with which the status URL answers: the code's own 4xx as the action declared it.
    pub http_status: u16,
    /// What only operators see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Json>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With this output.
    Succeeded(Json),
    /// With this error.
    Failed(Problem),
    /// By a cancel or a termination.
    Canceled(Problem),
}

/// What never changes of an operation: what was started, by whom, and how long it may take and is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Its name.
    pub id: OperationId,
    /// The action that was started.
    pub action: Arc<str>,
    /// The version of the action at acceptance.
    pub version: u32,
    /// Who started it.
    pub caller: Arc<str>,
    /// The operation that started it, if one did.
    pub parent: Option<OperationId>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ends at the latest.
    pub deadline: Timestamp,
    /// How long it is kept after its end; a tombstone stays for as long again.
    pub retention: Duration,
    /// The key that signs its links.
    pub link_key: u32,
    /// The caller's own id for the run.
    pub tracking_id: Option<Arc<str>>,
    /// The W3C trace context of the start.
    pub traceparent: Option<Arc<str>>,
}

impl Origin {
    /// When the last trace of it goes, at the latest: links to it live until then.
    #[must_use]
    pub fn forgotten_at(&self) -> Timestamp {
        after(self.deadline, self.retention * 2)
    }
}

/// One accepted run of an action, as far as anyone may see it without its journal.
///
/// A value of this type is a snapshot: what is in it was durable when it was made. It reads as one record, but only
/// what may change is its own: many snapshots of an operation are made, and many operations wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What never changes, shared by all snapshots.
    pub origin: Arc<Origin>,
    /// Where it is.
    pub state: State,
    /// What the handler published about it.
    pub custom_status: Option<Json>,
    /// How far it is, 0 to 100.
    pub percent: Option<u8>,
    /// When anything that a poll shows last changed. Never goes back.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its output, if it succeeded.
    pub output: Option<Json>,
    /// Its error, if it failed or was canceled.
    pub problem: Option<Box<Problem>>,
}

impl Deref for Operation {
    type Target = Origin;

    fn deref(&self) -> &Origin {
        &self.origin
    }
}

impl Operation {
    /// A new operation, as it is accepted.
    #[must_use]
    pub fn accepted(origin: Origin) -> Self {
        Self {
            state: State::NotStarted,
            custom_status: None,
            percent: None,
            updated_at: origin.created_at,
            finished_at: None,
            output: None,
            problem: None,
            origin: Arc::new(origin),
        }
    }

    /// When the operation's next change that nobody has to ask for is due: its deadline, or the end of its retention.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        match self.finished_at {
            Some(finished_at) => after(finished_at, self.retention),
            None => self.deadline,
        }
    }

    /// Publishes a custom status and a progress: makes the operation `Running` if it was not yet.
    pub fn publish(&mut self, published: Published, now: Timestamp) {
        let Published { custom_status, percent } = published;
        if self.state == State::NotStarted {
            self.state = State::Running;
        }
        if let Some(custom_status) = custom_status {
            self.custom_status = Some(custom_status);
        }
        if let Some(percent) = percent {
            self.percent = Some(percent.min(100));
        }
        self.touch(now);
    }

    /// Asks it to stop: a running operation is `Canceling`; one that has ended, or was asked before, stays as it is.
    pub fn cancel(&mut self, now: Timestamp) {
        if !self.state.is_terminal() && self.state != State::Canceling {
            self.state = State::Canceling;
            self.touch(now);
        }
    }

    /// Ends it. The first end stands: returns false, and changes nothing, if it had ended already.
    pub fn finish(&mut self, outcome: Outcome, now: Timestamp) -> bool {
        if self.state.is_terminal() {
            return false;
        }
        match outcome {
            Outcome::Succeeded(output) => {
                self.state = State::Succeeded;
                self.output = Some(output);
                // Whoever succeeded is done, whatever it said last.
                self.percent = self.percent.map(|_| 100);
            }
            Outcome::Failed(problem) => {
                self.state = State::Failed;
                self.problem = Some(Box::new(problem));
            }
            Outcome::Canceled(problem) => {
                self.state = State::Canceled;
                self.problem = Some(Box::new(problem));
            }
        }
        self.touch(now);
        self.finished_at = Some(self.updated_at);
        true
    }

    // A machine's clock may be set back; what readers have seen does not go back with it.
    fn touch(&mut self, now: Timestamp) {
        self.updated_at = self.updated_at.max(now);
    }
}

/// What a handler publishes while it runs. The last writer wins; an absent part stays as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Published {
    /// The custom status.
    pub custom_status: Option<Json>,
    /// The progress, 0 to 100.
    pub percent: Option<u8>,
}

/// What is left of an operation once its retention is over: enough to say that it is gone, to those who may know.
#[derive(Debug, Clone, PartialEq)]
pub struct Tombstone {
    /// Its name.
    pub id: OperationId,
    /// The action that was started.
    pub action: Arc<str>,
    /// Who started it.
    pub caller: Arc<str>,
    /// The key that signed its links.
    pub link_key: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation() -> Operation {
        Operation::accepted(Origin {
            id: OperationId::new(Timestamp::UNIX_EPOCH),
            action: "countdown".into(),
            version: 1,
            caller: "me".into(),
            parent: None,
            created_at: at(0),
            deadline: at(10_000),
            retention: Duration::from_secs(60),
            link_key: 1,
            tracking_id: None,
            traceparent: None,
        })
    }

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn null() -> Json {
        Json::of(&()).unwrap()
    }

    #[test]
    fn the_first_end_stands() {
        let mut operation = operation();
        assert!(operation.finish(Outcome::Succeeded(null()), at(5)));
        let ended = operation.clone();

        let problem =
            Problem { code: "late".into(), message: "late".into(), http_status: 422, details: None };
        assert!(!operation.finish(Outcome::Failed(problem), at(6)));
        operation.cancel(at(7));

        assert_eq!(operation, ended);
    }

    #[test]
    fn what_readers_saw_never_goes_back_with_the_clock() {
        let mut operation = operation();
        operation.publish(Published { percent: Some(10), ..Published::default() }, at(500));

        operation.publish(Published { percent: Some(20), ..Published::default() }, at(300));

        assert_eq!(operation.updated_at, at(500));
        assert_eq!(operation.percent, Some(20));
    }

    #[test]
    fn a_status_published_while_canceling_leaves_it_canceling() {
        let mut operation = operation();
        operation.cancel(at(1));

        operation.publish(Published { custom_status: Some(null()), percent: None }, at(2));

        assert_eq!(operation.state, State::Canceling);
    }

    #[test]
    fn only_the_canonical_form_of_an_id_is_read() {
        let id = OperationId::new(at(1_700_000_000_000));
        assert_eq!(id.to_string().parse(), Ok(id));

        for other in [
            id.to_string().to_uppercase(),
            id.to_string().replace('-', ""),
            format!("{{{id}}}"),
            "0198f3a0-5c1e-4abc-8def-0123456789ab".to_owned(),
        ] {
            assert_eq!(other.parse::<OperationId>(), Err(NotAnOperationId), "{other}");
        }
    }

    #[test]
    fn a_child_has_the_same_id_in_every_run() {
        let parent = OperationId::new(at(1_700_000_000_000));

        assert_eq!(parent.child("0/child:report:0"), parent.child("0/child:report:0"));
        assert_ne!(parent.child("0/child:report:0"), parent.child("0/child:report:1"));
        assert_eq!(parent.child("x").to_string().parse(), Ok(parent.child("x")));
    }
}
