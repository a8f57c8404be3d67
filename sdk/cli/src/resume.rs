//! `--resume FILE`: what survives the end of this process, whichever way it ends.
//!
//! FILE has a line for each operation of the command: its resume token as the library writes it, and the
//! command that it is of. It is written as soon as the server has accepted the operation, and removed once all
//! of them have ended. Between the sending of a start and its answer there is no token yet; for that time a
//! second file, `FILE.starting`, has the idempotency keys, so that a start can be repeated with the same one.

pub(crate) mod file;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use raincheck::ResumeToken;
use serde_json::{Value, json};

use crate::exit::Failure;
use file::Line;

/// With more operations than this the files are not written at once when something changes, since they are
/// written as a whole. What can be lost then is not much: a start is repeated with its key, and an older token
/// still leads to the operation.
const MANY: usize = 100;
/// The time between two writes about many operations.
const PAUSE: Duration = Duration::from_millis(200);

/// How to go on with the operations of one command; without a file it keeps nothing.
pub(crate) struct Resume {
    path: Option<PathBuf>,
    entries: RefCell<Vec<Entry>>,
    written: Cell<Option<Instant>>,
    /// Something has changed since.
    unwritten: Cell<bool>,
}

/// One operation.
struct Entry {
    command: String,
    pending: Option<Pending>,
    token: Option<ResumeToken>,
    over: bool,
}

/// A start that was sent and has no answer yet, with its idempotency key if it had one.
#[derive(Clone)]
pub(crate) struct Pending(pub(crate) Option<String>);

impl Resume {
    /// Reads FILE, if there is one, for these commands.
    pub(crate) fn open(path: Option<&Path>, commands: Vec<String>) -> Result<Self, Failure> {
        let resume = Self::new(path, commands);
        let Some(path) = path else { return Ok(resume) };
        let mut entries = resume.entries.borrow_mut();
        for (at, is_start) in [(path.to_owned(), false), (file::starting(path), true)] {
            let Some(lines) = file::read(&at)? else { continue };
            let fits = lines.len() == entries.len()
                && lines.iter().flatten().zip(entries.iter()).all(|(line, entry)| line.is_of(&entry.command));
            if !fits {
                return Err(Failure::Usage(format!(
                    "'{}' belongs to another command\n  Give another file; or remove it, if that one is over.",
                    at.display()
                )));
            }
            for (entry, line) in entries.iter_mut().zip(lines) {
                let Some(line) = line else { continue };
                if is_start {
                    entry.pending = Some(Pending(line.key));
                } else {
                    entry.token = line.token;
                }
            }
        }
        drop(entries);
        Ok(resume)
    }

    /// Reads FILE, whatever command it is of.
    pub(crate) fn whatever(path: &Path) -> Result<Self, Failure> {
        let lines = file::read(path)?.ok_or_else(|| {
            Failure::Usage(format!("there is nothing to go on with in '{}'", path.display()))
        })?;
        let command =
            |line: &Option<Line>| line.as_ref().map(|line| line.command.clone()).unwrap_or_default();
        let resume = Self::new(Some(path), lines.iter().map(command).collect());
        for (entry, line) in resume.entries.borrow_mut().iter_mut().zip(lines) {
            entry.token = line.and_then(|line| line.token);
        }
        Ok(resume)
    }

    fn new(path: Option<&Path>, commands: Vec<String>) -> Self {
        let entry = |command| Entry { command, pending: None, token: None, over: false };
        Self {
            path: path.map(Path::to_owned),
            entries: RefCell::new(commands.into_iter().map(entry).collect()),
            written: Cell::new(None),
            unwritten: Cell::new(false),
        }
    }

    /// How many operations it is about.
    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// One of its operations.
    pub(crate) fn slot(&self, index: usize) -> Slot<'_> {
        Slot { resume: self, index }
    }

    /// Notes that starts are about to be sent, for those that have no token yet.
    pub(crate) fn announce(&self, keys: impl IntoIterator<Item = Option<String>>) -> Result<(), Failure> {
        for (entry, key) in self.entries.borrow_mut().iter_mut().zip(keys) {
            if entry.token.is_none() {
                entry.pending = Some(Pending(key));
            }
        }
        self.write().map_err(Failure::Usage)
    }

    /// Writes what has been put off, or removes the files if everything is over.
    pub(crate) fn close(&self) {
        self.save();
    }

    /// Says what to do about a file that leads to an operation which the server does not show.
    pub(crate) fn explain_refusal(&self, failure: &Failure) {
        let is_refused = matches!(failure, Failure::Sdk(error) if error.is_refused());
        let is_kept = self.entries.borrow().iter().any(|entry| entry.token.is_some() && !entry.over);
        if let Some(path) = self.path.as_ref().filter(|_| is_refused && is_kept) {
            eprintln!("'{}' leads to this operation; remove it to start anew", path.display());
        }
    }

    /// How people go on with what has not ended.
    pub(crate) fn way_on(&self) -> Option<String> {
        let path = self.path.as_ref()?.display().to_string().replace('\'', r"'\''");
        Some(format!("the same command, or: raincheck wait --resume '{path}'"))
    }

    /// Writes what has changed, if it is time for it.
    fn catch_up(&self) {
        let is_early = self.written.get().is_some_and(|at| at.elapsed() < PAUSE) && self.len() > MANY;
        if self.unwritten.get() && !is_early {
            self.save();
        }
    }

    fn save(&self) {
        if let Err(error) = self.write() {
            eprintln!("raincheck: {error}");
        }
        self.unwritten.set(false);
        self.written.set(Some(Instant::now()));
    }

    fn write(&self) -> Result<(), String> {
        let Some(path) = &self.path else { return Ok(()) };
        let entries = self.entries.borrow();
        let open = |entry: &&Entry| !entry.over;
        let tokens = entries.iter().filter(open).any(|entry| entry.token.is_some());
        let pending = entries.iter().filter(open).any(|entry| entry.pending.is_some());
        // Those that are over stay in, as long as there are others: a result is there for some time.
        let lines = tokens.then(|| entries.iter().map(Entry::token_line).collect());
        file::replace(path, lines)?;
        // In this order: there is always one of them.
        let lines = pending.then(|| entries.iter().map(Entry::pending_line).collect());
        file::replace(&file::starting(path), lines)
    }
}

impl Entry {
    fn token_line(&self) -> Value {
        self.token.as_ref().map_or(Value::Null, |token| file::token(token, &self.command))
    }

    fn pending_line(&self) -> Value {
        let line = |Pending(key): &Pending| json!({file::COMMAND: self.command, file::KEY: key});
        self.pending.as_ref().map_or(Value::Null, line)
    }
}

/// One operation of a [`Resume`].
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a> {
    resume: &'a Resume,
    index: usize,
}

impl Slot<'_> {
    /// Where an earlier run has left off.
    pub(crate) fn token(&self) -> Option<ResumeToken> {
        self.resume.entries.borrow()[self.index].token.clone()
    }

    /// A start of an earlier run whose answer is not known.
    pub(crate) fn pending(&self) -> Option<Pending> {
        self.resume.entries.borrow()[self.index].pending.clone()
    }

    /// Keeps the token, if it is another one than before.
    pub(crate) fn keep(&self, token: ResumeToken) {
        let mut entries = self.resume.entries.borrow_mut();
        let entry = &mut entries[self.index];
        if entry.token.as_ref() != Some(&token) {
            entry.token = Some(token);
            entry.pending = None;
            self.resume.unwritten.set(true);
        }
        drop(entries);
        self.resume.catch_up();
    }

    /// Notes that the server has accepted nothing.
    pub(crate) fn refused(&self) {
        self.resume.entries.borrow_mut()[self.index].pending = None;
    }

    /// Notes that nothing more will come. The files are removed by [`Resume::close`], after the result was
    /// printed.
    pub(crate) fn over(&self) {
        self.resume.entries.borrow_mut()[self.index].over = true;
    }
}
