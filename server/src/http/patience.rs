//! A connection that does not wait for ever: for a request's head, for the next request, for a reader.
//!
//! hyper has one limit for the head that also runs while a kept-alive connection is silent between requests. Here
//! the two differ, and no timer is set for a request that arrives in one piece.
//!
//! And whoever still sends a body that was refused gets to read why: a socket that is closed while bytes arrive takes
//! its answer back.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long to wait for the other side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the first byte of a request's head to its last.
    pub(crate) head: Duration,
    /// Without a byte: between requests, or when the other side does not read its answer.
    pub(crate) idle: Duration,
}

/// How long a connection that ends takes in what is left of a refused body.
const LINGER: Duration = Duration::from_secs(5);

/// How far the current request is; shared by the stream and whoever answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    state: AtomicU8,
    unread: AtomicBool,
    stalled: AtomicBool,
    flowing: AtomicWaker,
}

/// No answer since the last look.
const QUIET: u8 = 0;
/// A request is being answered.
const ANSWERING: u8 = 1;
/// A request was answered since the last look.
const ANSWERED: u8 = 2;

impl Busy {
    /// A request's head is complete.
    pub(crate) fn begin(&self) {
        self.0.state.store(ANSWERING, Ordering::Relaxed);
    }

    /// Its answer is ready to be written. `unread`: some of its body may not have been read.
    pub(crate) fn end(&self, unread: bool) {
        self.0.unread.store(unread, Ordering::Relaxed);
        self.0.state.store(ANSWERED, Ordering::Relaxed);
    }

    /// Ready while the other side takes what is written. An answer that has no end asks before it says more, so that
    /// nothing piles up for a reader that does not read.
    pub(crate) fn poll_flowing(&self, cx: &Context<'_>) -> Poll<()> {
        let is_stalled = || self.0.stalled.load(Ordering::Relaxed);
        if is_stalled() {
            self.0.flowing.register(cx.waker());
            if is_stalled() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    fn stalls(&self) {
        self.0.stalled.store(true, Ordering::Relaxed);
    }

    fn flows(&self) {
        self.0.stalled.store(false, Ordering::Relaxed);
        self.0.flowing.wake();
    }
}

/// A stream with [`Patience`].
pub(crate) struct Patient<S> {
    stream: S,
    patience: Patience,
    busy: Busy,
    reading: Reading,
    reading_timer: Timer,
    writing_timer: Timer,
    /// Until when to linger, once nothing more is written.
    lingers: Option<Instant>,
}

/// What the next byte will be part of.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// A request that has not begun; silent since.
    Nothing(Instant),
    /// The head of a request that began then.
    Head(Instant),
    /// The body of a request that is being answered; whoever answers has a limit for it.
    Body,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, patience: Patience, busy: Busy) -> Self {
        let reading = Reading::Nothing(Instant::now());
        let (reading_timer, writing_timer) = (Timer(None), Timer(None));
        Self { stream, patience, busy, reading, reading_timer, writing_timer, lingers: None }
    }

    // What answers have done since the last look says what the next byte is part of. Both run in the connection's
    // task, so nothing can happen in between.
    fn look(&mut self) {
        match self.busy.0.state.load(Ordering::Relaxed) {
            ANSWERING => self.reading = Reading::Body,
            ANSWERED => {
                self.busy.0.state.store(QUIET, Ordering::Relaxed);
                self.reading = Reading::Nothing(Instant::now());
            }
            _ => {}
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.look();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            if let Reading::Nothing(_) = this.reading {
                this.reading = Reading::Head(Instant::now());
            }
            return Poll::Ready(read);
        }
        let until = match this.reading {
            Reading::Nothing(since) => since + this.patience.idle,
            Reading::Head(since) => since + this.patience.head,
            // Nobody waits for a byte, but hyper may not ask again once the answer is out, and this is the last chance
            // to be woken when the silence after it has lasted too long.
            Reading::Body => Instant::now() + this.patience.idle,
        };
        ready!(this.reading_timer.poll(cx, until));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.look();
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.or_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.look();
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.or_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let until = match this.lingers {
            Some(until) => until,
            None => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                if !this.busy.0.unread.load(Ordering::Relaxed) {
                    return Poll::Ready(Ok(()));
                }
                *this.lingers.insert(Instant::now() + LINGER)
            }
        };
        this.poll_linger(cx, until).map(Ok)
    }
}

impl<S: AsyncRead + Unpin> Patient<S> {
    // Takes in what the other side still sends, until it ends the connection too, or it is too late.
    fn poll_linger(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let mut bytes = [MaybeUninit::uninit(); 4096];
        while Instant::now() < until {
            let mut buf = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => break,
                Poll::Pending => return self.reading_timer.poll(cx, until),
            }
        }
        Poll::Ready(())
    }
}

impl<S> Patient<S> {
    fn or_stalled(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            // It runs only while nothing could be written.
            if self.writing_timer.stop() {
                self.busy.flows();
            }
            return written;
        }
        self.busy.stalls();
        let until = self.writing_timer.deadline().unwrap_or_else(|| Instant::now() + self.patience.idle);
        ready!(self.writing_timer.poll(cx, until));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A timer that is made when it is first needed, and moved only when it goes off too early.
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
        Poll::Pending
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().map(|sleep| sleep.deadline())
    }

    /// Returns whether it ran.
    fn stop(&mut self) -> bool {
        self.0.take().is_some()
    }
}
