//! Moves what is committed from the WAL into the database, mostly beside the writer.
//!
//! A checkpoint in the background never catches up with a busy writer, and a WAL that is not moved to its last frame
//! cannot start over: alone, it grew past a gigabyte within seconds. So the background does the bulk, and then the
//! writer moves the few frames that came meanwhile, between two commits. The next commit starts the WAL over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::open::{OpenError, spawn};
use super::writer::lost_sync;
use super::{LostSync, StoreError};

/// The frames of 4 KiB after which the background is woken.
const FRAMES: i64 = 1_024;
const FRAME_BYTES: i64 = 4_096;

/// How long the WAL was after the last commit, in frames.
#[derive(Default)]
pub(super) struct WalLength(AtomicI64);

impl WalLength {
    /// What to say of a WAL that has more than `bytes`.
    pub(super) fn complaint(&self, bytes: i64) -> Option<String> {
        let length = self.0.load(Ordering::Relaxed) * FRAME_BYTES;
        (length > bytes).then(|| {
            format!(
                "the store's WAL has {} MiB: something keeps it from being checkpointed, such as a read that does not end",
                length >> 20
            )
        })
    }
}

pub(super) struct Checkpointer {
    wake: mpsc::SyncSender<()>,
    thread: JoinHandle<()>,
    done: Arc<AtomicBool>,
    length: Arc<WalLength>,
    // How long the WAL may get before the background is woken (again).
    next: i64,
}

impl Checkpointer {
    pub(super) fn start(
        connection: Connection,
        hook: LostSync,
        length: Arc<WalLength>,
    ) -> Result<Self, OpenError> {
        let (wake, woken) = mpsc::sync_channel(1);
        let done = Arc::new(AtomicBool::new(false));
        let finished = Arc::clone(&done);
        let thread = spawn("store-checkpoint", move || {
            while woken.recv().is_ok() {
                match run(&connection, Mode::Passive) {
                    Ok(_) => finished.store(true, Ordering::Release),
                    Err(error) => {
                        let error = StoreError::from(error);
                        tracing::error!(%error, "a checkpoint failed");
                        if lost_sync(&error) {
                            hook();
                            return;
                        }
                    }
                }
            }
        })?;
        Ok(Self { wake, thread, done, length, next: FRAMES })
    }

    /// Does what is to be done after a commit on the writer's connection: nothing, nearly always.
    pub(super) fn after_commit(&mut self, writer: &Connection) -> rusqlite::Result<()> {
        if self.done.swap(false, Ordering::Acquire) {
            run(writer, Mode::Passive)?;
        }
        let frames = run(writer, Mode::Noop)?;
        self.length.0.store(frames, Ordering::Relaxed);
        if frames >= self.next {
            self.next = frames + FRAMES;
            // If it is at work still, it will be woken again.
            let _ = self.wake.try_send(());
        } else if frames < FRAMES {
            self.next = FRAMES;
        }
        Ok(())
    }

    pub(super) fn stop(self) {
        let Self { wake, thread, done: _, length: _, next: _ } = self;
        drop(wake);
        // A panic of that thread was reported by it.
        let _ = thread.join();
    }
}

/// How far a checkpoint goes.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Only tells the numbers.
    Noop,
    /// As far as it gets without waiting for anybody.
    Passive,
    /// To the end, and empties the file.
    Truncate,
}

/// Runs a checkpoint; returns the frames in the WAL.
pub(super) fn run(connection: &Connection, mode: Mode) -> rusqlite::Result<i64> {
    let sql = match mode {
        Mode::Noop => "PRAGMA wal_checkpoint(NOOP)",
        Mode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Mode::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    connection.prepare_cached(sql)?.query_row([], |row| row.get(1))
}
