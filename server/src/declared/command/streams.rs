//! What a command writes: its output, its words for operators, and its reports, each within bounds.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::Notify;

use super::answer::Told;
use crate::declared::reports::Reports;

/// What a command has written so far.
pub(super) struct Heard {
    reports: Reports,
    /// Bytes of standard output.
    limit: usize,
    written: Mutex<Written>,
    too_large: Notify,
}

#[derive(Default)]
pub(super) struct Written {
    pub(super) stdout: Vec<u8>,
    /// The end of standard error.
    stderr: Vec<u8>,
    pub(super) failure: Option<Told>,
}

/// A line that reports something.
#[derive(Deserialize)]
#[serde(untagged)]
enum Report {
    Progress { progress: f64 },
    Status { status: Value },
    Failure { failure: Told },
}

/// How much of standard error is kept for operators: its end, where the reason of a failure stands.
const STDERR: usize = 16 << 10;

/// How long a report may be: more than the largest custom status.
const LINE: usize = 128 << 10;

impl Heard {
    pub(super) fn new(reports: Reports, limit: usize) -> Self {
        Self { reports, limit, written: Mutex::default(), too_large: Notify::new() }
    }

    /// Ends once there is more output than there may be.
    pub(super) async fn too_large(&self) {
        self.too_large.notified().await;
    }

    /// Reads the output. What is too much is read and forgotten, so that the command does not stall.
    pub(super) async fn output(&self, stream: impl AsyncRead) {
        each_chunk(stream, |chunk| {
            let mut written = self.written();
            let room = self.limit.saturating_sub(written.stdout.len());
            written.stdout.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                self.too_large.notify_one();
            }
        })
        .await;
    }

    /// Reads words for operators.
    pub(super) async fn words(&self, stream: impl AsyncRead) {
        each_chunk(stream, |chunk| self.note(chunk)).await;
    }

    /// Reads reports, line by line. With `words`, other lines are for operators.
    pub(super) async fn reports(&self, stream: impl AsyncRead, words: bool) {
        let mut line = Vec::new();
        each_chunk(stream, |chunk| {
            for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                // A line that is too long is no report, and is not kept until it ends.
                line.extend_from_slice(&part[..part.len().min((LINE + 1).saturating_sub(line.len()))]);
                if part.ends_with(b"\n") {
                    self.line(&line, words);
                    line.clear();
                }
            }
        })
        .await;
        self.line(&line, words);
    }

    fn line(&self, line: &[u8], words: bool) {
        match serde_json::from_slice(line) {
            Ok(Report::Progress { progress }) => self.reports.progress(progress),
            Ok(Report::Status { status }) => self.reports.status(status),
            Ok(Report::Failure { failure }) => self.written().failure = Some(failure),
            Err(_) if words => self.note(line),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => self.note(b"(a line of its reports is not {\"progress\": \xe2\x80\xa6}, {\"status\": \xe2\x80\xa6} or {\"failure\": {\"code\": \xe2\x80\xa6, \"message\": \xe2\x80\xa6}})\n"),
        }
    }

    fn note(&self, words: &[u8]) {
        let mut written = self.written();
        written.stderr.extend_from_slice(&words[words.len().saturating_sub(STDERR)..]);
        let surplus = written.stderr.len().saturating_sub(STDERR);
        written.stderr.drain(..surplus);
    }

    /// All of it.
    pub(super) fn take(&self) -> Written {
        std::mem::take(&mut *self.written())
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    pub(super) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Reads a stream to its end. One that breaks off has ended.
async fn each_chunk(stream: impl AsyncRead, mut take: impl FnMut(&[u8])) {
    let mut stream = std::pin::pin!(stream);
    let mut chunk = vec![0; 16 << 10];
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) => return,
            Ok(length) => take(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
