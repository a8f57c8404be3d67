//! Opening: the directory, the lock, the connections, the active operations, the threads.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::checkpoint::{Checkpointer, WalLength};
use super::live::Memory;
use super::shown::Shown;
use super::writer::Writer;
use super::{Joined, SqliteOptions, SqliteStore, StoreError, deliveries, feed, reader, row, schema};

/// The file of the database, in the store's directory.
const DATABASE: &str = "raincheck.db";
/// The file that a running server holds locked.
const LOCK: &str = "raincheck.lock";
/// The first SQLite without the race that could lose a WAL when it was reset.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Only `raincheck-server keys` writes beside the server, for milliseconds.
const BUSY: Duration = Duration::from_secs(5);
/// One serves while the other runs a listing.
const READERS: usize = 2;

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another server has it open.
    #[error("another raincheck server is running on {} (it holds {LOCK})", .0.display())]
    InUse(PathBuf),
    /// A later release wrote it.
    #[error("this database was written by a newer raincheck (schema {found}; this one knows {known})")]
    Newer {
        /// The version of the database's schema.
        found: i64,
        /// The latest version that this release knows.
        known: usize,
    },
    /// The SQLite in use has a bug that loses data.
    #[error("SQLite {0} is too old: 3.51.3 is the first without a race that can lose commits")]
    OldSqlite(&'static str),
    /// The directory or a file in it cannot be made or opened.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database refuses.
    #[error("the database cannot be opened")]
    Database(#[from] rusqlite::Error),
    /// A stored operation cannot be read.
    #[error(transparent)]
    Unreadable(#[from] StoreError),
    /// The operating system gives no thread.
    #[error("cannot start a thread of the store")]
    Thread(#[source] io::Error),
}

pub(super) fn open(options: SqliteOptions) -> Result<SqliteStore, OpenError> {
    prepare(&options.directory)?;
    let lock = lock(&options.directory)?;
    let connection = connect(&options)?;
    let feed_end = feed::end(&connection)?;
    let mut memory = Memory::new(feed_end);
    let shown = Arc::new(Shown::default());
    shown.show_feed_end(feed_end);
    row::each_active(&connection, |operation| {
        let operation = memory.load(operation);
        shown.show(operation);
    })?;
    for operation in deliveries::expecting(&connection)? {
        memory.expect_callback(operation);
    }
    tracing::debug!(operations = memory.active(), "the store is open");

    let (writes, written) = mpsc::channel();
    let (reads, asked) = mpsc::channel();
    let asked = Arc::new(Mutex::new(asked));
    let readers = (0..READERS)
        .map(|_| {
            let (connection, asked, shown) =
                (connect_reader(&options)?, Arc::clone(&asked), Arc::clone(&shown));
            spawn("store-reader", move || reader::run(&connection, &asked, &shown))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let wal = Arc::<WalLength>::default();
    let checkpointer =
        Checkpointer::start(connect(&options)?, Arc::clone(&options.lost_sync), Arc::clone(&wal))?;
    let writer = Writer::new(
        connection,
        memory,
        Arc::clone(&shown),
        options.recent_bytes,
        options.lost_sync,
        checkpointer,
        (reads.clone(), readers),
        lock,
    );
    let writer = spawn("store-writer", move || writer.run(&written))?;
    let large_wal = options.large_wal;
    Ok(SqliteStore { writes, reads, shown, wal, large_wal, _writer: Joined(Some(writer)) })
}

/// Makes the directory and the database file if they are missing, for nobody else to read.
pub(super) fn prepare(directory: &Path) -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite(rusqlite::version()));
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::File { path, source }
    };
    if !directory.exists() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory).map_err(failed(directory))?;
        // The name of the directory must survive a power cut as well as what is in it.
        #[cfg(unix)]
        if let Some(parent) = std::path::absolute(directory).map_err(failed(directory))?.parent() {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed(parent))?;
        }
    }
    let database = directory.join(DATABASE);
    file_options().open(&database).map_err(failed(&database))?;
    Ok(())
}

/// A connection of its own to the prepared database, set up and with the tables of this release.
pub(super) fn connect(options: &SqliteOptions) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = options.directory.join(DATABASE);
    let mut connection = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(path, flags)?,
    };
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", if options.synced { "full" } else { "off" })?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // In KiB. The pages that starts and steps touch are the newest ones of a few trees.
    connection.pragma_update(None, "cache_size", -32_768)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

fn connect_reader(options: &SqliteOptions) -> Result<Connection, OpenError> {
    let connection = connect(options)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -8_192)?;
    Ok(connection)
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK);
    let file = file_options().open(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path, source }),
    }
}

fn file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(super) fn spawn(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, OpenError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(OpenError::Thread)
}
