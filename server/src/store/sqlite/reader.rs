//! The threads that read: each takes what waits and serves it under one short transaction.

use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::StoreError;
use super::row::{self, integer};
use super::shown::Shown;
use crate::journal::Record;
use crate::operation::OperationId;
use crate::store::Found;

/// What one thread takes at once; the rest is for the other one.
const LARGEST_BATCH: usize = 64;
/// A read transaction keeps the WAL from being reused: none begins another query after this.
const LONGEST_TRANSACTION: Duration = Duration::from_millis(20);

/// Something to read.
pub(super) trait Query: Send + 'static {
    type Answer: Send + 'static;

    /// Whether the answer may tell of a commit that is not yet shown to those who read from memory.
    const AHEAD: bool;

    fn run(&self, session: &Session<'_>) -> Result<Self::Answer, StoreError>;
}

pub(super) enum Message {
    Job(Box<dyn Job>),
    Stop,
}

pub(super) trait Job: Send {
    fn run(self: Box<Self>, session: &Session<'_>, shown: &Shown);
}

struct Pending<Q: Query> {
    query: Q,
    reply: oneshot::Sender<Result<Q::Answer, StoreError>>,
}

pub(super) fn job<Q: Query>(query: Q) -> (Message, oneshot::Receiver<Result<Q::Answer, StoreError>>) {
    let (reply, answer) = oneshot::channel();
    (Message::Job(Box::new(Pending { query, reply })), answer)
}

impl<Q: Query> Job for Pending<Q> {
    fn run(self: Box<Self>, session: &Session<'_>, shown: &Shown) {
        if self.reply.is_closed() {
            return;
        }
        let answer = self.query.run(session);
        if Q::AHEAD {
            shown.catch_up();
        }
        // A caller that has gone away changes nothing.
        let _ = self.reply.send(answer);
    }
}

/// A reader's connection, in a transaction that never grows old.
pub(super) struct Session<'a> {
    pub(super) connection: &'a Connection,
    begun: std::cell::Cell<Instant>,
}

impl<'a> Session<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self { connection, begun: std::cell::Cell::new(Instant::now()) })
    }

    /// Begins a new transaction if this one is old. Between two queries that need not see the same.
    pub(super) fn refresh(&self) -> rusqlite::Result<()> {
        if self.begun.get().elapsed() > LONGEST_TRANSACTION {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            self.connection.prepare_cached("BEGIN")?.execute([])?;
            self.begun.set(Instant::now());
        }
        Ok(())
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let ended = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if let Err(error) = ended {
            tracing::error!(%error, "a read transaction could not be ended");
        }
    }
}

pub(super) fn run(connection: &Connection, queue: &Mutex<mpsc::Receiver<Message>>, shown: &Shown) {
    let mut jobs = Vec::new();
    loop {
        let mut stop = false;
        {
            let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let mut next = queue.recv().ok();
            loop {
                match next {
                    Some(Message::Job(job)) => jobs.push(job),
                    Some(Message::Stop) => stop = true,
                    None => break,
                }
                if stop || jobs.len() == LARGEST_BATCH {
                    break;
                }
                next = queue.try_recv().ok();
            }
        }
        if jobs.is_empty() {
            return;
        }
        if let Err(error) = serve(connection, &mut jobs, shown) {
            // Those that were not served find that nobody will answer them.
            tracing::error!(%error, "a read transaction failed");
            jobs.clear();
        }
        if stop {
            return;
        }
    }
}

fn serve(connection: &Connection, jobs: &mut Vec<Box<dyn Job>>, shown: &Shown) -> rusqlite::Result<()> {
    let session = Session::begin(connection)?;
    for job in jobs.drain(..) {
        session.refresh()?;
        job.run(&session, shown);
    }
    Ok(())
}

/// [`Store::read`](crate::store::Store::read) of an operation that is not in memory.
pub(super) struct Read {
    pub(super) id: OperationId,
}

impl Query for Read {
    type Answer = Option<Found>;
    // What is not in memory has ended, or has just been accepted and not changed since.
    const AHEAD: bool = false;

    fn run(&self, session: &Session<'_>) -> Result<Self::Answer, StoreError> {
        row::find(session.connection, self.id)
    }
}

/// [`Store::history`](crate::store::Store::history).
pub(super) struct History {
    pub(super) id: OperationId,
    pub(super) after: Option<u64>,
    pub(super) max: usize,
}

impl Query for History {
    type Answer = Vec<Record>;
    const AHEAD: bool = true;

    fn run(&self, session: &Session<'_>) -> Result<Self::Answer, StoreError> {
        let mut statement = session.connection.prepare_cached(
            "SELECT sequence, at, entry FROM journal WHERE operation = ?1 AND sequence > ?2 \
             ORDER BY sequence LIMIT ?3",
        )?;
        let after = self.after.map_or(-1, integer);
        let mut rows = statement.query((self.id.as_bytes(), after, integer(self.max)))?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            records.push(row::record(row, 0, self.id)?);
        }
        Ok(records)
    }
}
