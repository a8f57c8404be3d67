//! The one thread that writes: it commits everything that waits as one synced transaction.

use std::fs::File;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::oneshot;

use super::checkpoint::{self, Checkpointer};
use super::gather::{Closing, Gatherer};
use super::live::{Memory, News};
use super::shown::{Recent, Shown};
use super::{LostSync, StoreError, reader};

/// Something to write. It may be applied more than once, if what was written with it fails.
pub(super) trait Write: Send + 'static {
    type Answer: Send + 'static;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, StoreError>;

    /// About how many bytes of the caller's it writes.
    fn size(&self) -> usize {
        0
    }
}

/// A write that needs nothing but the database.
pub(super) fn plain<T, F>(change: F) -> Plain<F>
where
    F: Fn(&Connection) -> Result<T, StoreError>,
{
    Plain(change)
}

pub(super) struct Plain<F>(F);

impl<T, F> Write for Plain<F>
where
    T: Send + 'static,
    F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    type Answer = T;

    fn apply(&self, tx: &mut Tx<'_>) -> Result<T, StoreError> {
        (self.0)(tx.connection)
    }
}

/// The open transaction, and the memory that goes with it.
pub(super) struct Tx<'a> {
    pub(super) connection: &'a Connection,
    pub(super) memory: &'a mut Memory,
}

pub(super) enum Message {
    Job(Box<dyn Job>),
    Close(Closing),
}

/// A write of any kind, with its answer until the commit.
pub(super) trait Job: Send {
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;
    fn size(&self) -> usize;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Pending<W: Write> {
    write: W,
    answer: Option<W::Answer>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

pub(super) fn job<W: Write>(write: W) -> (Message, oneshot::Receiver<Result<W::Answer, StoreError>>) {
    let (reply, answer) = oneshot::channel();
    (Message::Job(Box::new(Pending { write, answer: None, reply })), answer)
}

impl<W: Write> Job for Pending<W> {
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.answer = Some(self.write.apply(tx)?);
        Ok(())
    }

    fn size(&self) -> usize {
        self.write.size()
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { write: _, answer, reply } = *self;
        // A caller that has gone away changes nothing.
        let _ = reply.send(committed.and_then(|()| answer.ok_or(StoreError::Closed)));
    }
}

pub(super) struct Writer {
    connection: Connection,
    memory: Memory,
    shown: Arc<Shown>,
    recent: Recent,
    lost_sync: LostSync,
    checkpointer: Checkpointer,
    readers: (mpsc::Sender<reader::Message>, Vec<JoinHandle<()>>),
    // Held until the last connection is closed.
    _lock: File,
}

/// Why a transaction was not committed.
enum Failed {
    /// One of its writes failed.
    Write(StoreError),
    /// It could not begin or commit.
    Transaction(StoreError),
}

impl Writer {
    #[expect(clippy::too_many_arguments, reason = "called once; each part has its own type")]
    pub(super) fn new(
        connection: Connection,
        memory: Memory,
        shown: Arc<Shown>,
        recent_bytes: usize,
        lost_sync: LostSync,
        checkpointer: Checkpointer,
        readers: (mpsc::Sender<reader::Message>, Vec<JoinHandle<()>>),
        lock: File,
    ) -> Self {
        let recent = Recent::new(recent_bytes);
        Self { connection, memory, shown, recent, lost_sync, checkpointer, readers, _lock: lock }
    }

    pub(super) fn run(mut self, queue: &mpsc::Receiver<Message>) {
        let _end = EndOnDrop(Arc::clone(&self.shown));
        let mut batch = Vec::new();
        let mut gatherer = Gatherer::default();
        let closing = loop {
            let closing = gatherer.fill(&mut batch, queue);
            if batch.is_empty() && closing.is_none() {
                break None;
            }
            if self.commit(&mut batch).is_err() || closing.is_some() {
                break closing;
            }
        };
        let answer = self.end(closing.is_some());
        if let Some(closing) = closing {
            let _ = closing.send(answer);
        }
    }

    /// Commits a batch and answers it. Fails only if the store must not go on.
    fn commit(&mut self, batch: &mut Vec<Box<dyn Job>>) -> Result<(), StoreError> {
        match self.attempt(batch) {
            Err(Failed::Write(_)) if batch.len() > 1 => {
                // One of them is at fault: the others shall not suffer for it.
                for job in batch.drain(..) {
                    let mut alone = vec![job];
                    let outcome = self.attempt(&mut alone);
                    self.conclude(&mut alone, outcome)?;
                }
                Ok(())
            }
            outcome => self.conclude(batch, outcome),
        }
    }

    fn conclude(
        &mut self,
        batch: &mut Vec<Box<dyn Job>>,
        outcome: Result<News, Failed>,
    ) -> Result<(), StoreError> {
        match outcome {
            Ok(news) => {
                self.publish(&news);
                answer(batch, &Ok(()));
                self.tell(news);
                self.checkpoint()
            }
            Err(Failed::Write(error) | Failed::Transaction(error)) => {
                tracing::error!(%error, writes = batch.len(), "the store could not write");
                let result = self.check_sync(&error);
                answer(batch, &Err(error));
                result
            }
        }
    }

    /// One transaction: all or nothing, on the disk and in memory.
    fn attempt(&mut self, batch: &mut [Box<dyn Job>]) -> Result<News, Failed> {
        let outcome = self.transact(batch);
        if outcome.is_err() {
            self.memory.roll_back();
            // Some errors end the transaction by themselves.
            if !self.connection.is_autocommit()
                && let Err(error) = self.connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "a transaction could not be rolled back");
            }
            self.shown.published();
        }
        outcome
    }

    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<News, Failed> {
        self.execute("BEGIN IMMEDIATE").map_err(Failed::Transaction)?;
        let mut tx = Tx { connection: &self.connection, memory: &mut self.memory };
        let writes = batch.len() as u64;
        for job in batch {
            job.apply(&mut tx).map_err(Failed::Write)?;
        }
        self.shown.begin();
        let began = Instant::now();
        self.execute("COMMIT").map_err(Failed::Transaction)?;
        metrics::histogram!("raincheck_store_commit_duration_seconds").record(began.elapsed().as_secs_f64());
        metrics::counter!("raincheck_store_writes_total").increment(writes);
        Ok(self.memory.commit())
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn publish(&mut self, news: &News) {
        // First, so that whoever has seen an end finds it before the end of the feed.
        self.shown.show_feed_end(news.feed_end);
        for (operation, _) in news.operations.values() {
            self.shown.show(Arc::clone(operation));
            if operation.state.is_terminal() {
                self.recent.add(operation, &self.shown);
            }
        }
        for id in &news.purged {
            self.shown.hide(*id);
        }
        self.shown.published();
    }

    fn tell(&self, news: News) {
        let News { operations, signaled, purged: _, due, feed_end: _, owed } = news;
        self.shown.each_listener(|listener| {
            for (operation, changed) in operations.values() {
                if *changed {
                    listener.changed(operation);
                }
            }
            for id in &signaled {
                listener.signaled(*id);
            }
            if let Some(due) = due {
                listener.due(due);
            }
            if owed {
                listener.owed();
            }
        });
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        let Err(error) = self.checkpointer.after_commit(&self.connection) else { return Ok(()) };
        // What is committed is safe in the WAL: it will be tried again.
        tracing::warn!(%error, "the WAL could not be checkpointed");
        self.check_sync(&error.into())
    }

    fn check_sync(&self, error: &StoreError) -> Result<(), StoreError> {
        if lost_sync(error) {
            tracing::error!(%error, "a sync failed: what the disk holds is unknown until a restart");
            (self.lost_sync)();
            return Err(error.clone());
        }
        Ok(())
    }

    fn end(self, closing: bool) -> Result<(), StoreError> {
        let Self { connection, memory: _, shown, recent: _, lost_sync: _, checkpointer, readers, _lock } =
            self;
        // Or a reader would wait for a commit that failed for good.
        shown.end();
        let (asked, readers) = readers;
        for _ in &readers {
            let _ = asked.send(reader::Message::Stop);
        }
        for reader in readers {
            let _ = reader.join();
        }
        checkpointer.stop();
        if closing {
            checkpoint::run(&connection, checkpoint::Mode::Truncate)?;
        }
        connection.close().map_err(|(_, error)| error)?;
        Ok(())
    }
}

/// Lets waiting readers go, also if the writer panics.
struct EndOnDrop(Arc<Shown>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn answer(batch: &mut Vec<Box<dyn Job>>, result: &Result<(), StoreError>) {
    for job in batch.drain(..) {
        job.answer(result.clone());
    }
}

/// Whether the disk may have forgotten what SQLite believes to be there.
pub(super) fn lost_sync(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else { return false };
    let Some(rusqlite::Error::SqliteFailure(error, _)) = error.downcast_ref::<rusqlite::Error>() else {
        return false;
    };
    error.code == ErrorCode::SystemIoFailure
        && matches!(error.extended_code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::join_all;
    use rusqlite::params;

    use super::super::{SqliteOptions, SqliteStore};
    use super::*;

    /// Keeps the writer busy until everything that shall be in one batch is queued.
    struct Hold(Mutex<mpsc::Receiver<()>>);

    impl Write for Hold {
        type Answer = ();

        fn apply(&self, _: &mut Tx<'_>) -> Result<(), StoreError> {
            // Applied again, with a batch that fails, it finds the sender gone.
            let _ = self.0.lock().unwrap().recv();
            Ok(())
        }
    }

    /// Writes a secret, and then fails if it shall.
    struct Secret(i64, bool);

    impl Write for Secret {
        type Answer = i64;

        fn apply(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
            tx.connection.execute("INSERT INTO secret VALUES ('test', ?1, x'00')", params![self.0])?;
            if self.1 {
                tx.connection.execute("INSERT INTO nowhere VALUES (1)", [])?;
            }
            Ok(self.0)
        }
    }

    /// Says which secrets there are.
    struct Secrets;

    impl Write for Secrets {
        type Answer = Vec<i64>;

        fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<i64>, StoreError> {
            let mut statement = tx.connection.prepare("SELECT number FROM secret ORDER BY number")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        }
    }

    #[tokio::test]
    async fn a_write_that_fails_hurts_no_other_in_its_batch() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(SqliteOptions::new(directory.path())).unwrap();
        let (queued, hold) = mpsc::channel();
        let held = store.write(Hold(Mutex::new(hold)));

        let writes: Vec<_> = (0..5).map(|number| store.write(Secret(number, number == 2))).collect();
        drop(queued);
        held.await.unwrap();
        let answers = join_all(writes).await;

        for (number, answer) in (0..).zip(answers) {
            match answer {
                Ok(answer) => assert_eq!(answer, number),
                Err(error) => assert_eq!(number, 2, "{error}"),
            }
        }
        assert_eq!(store.write(Secrets).await.unwrap(), [0, 1, 3, 4]);
    }
}
