//! The group of processes of a command: itself, and what it has started.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

use super::answer::Exit;
use super::guard;

/// A group of processes. Dropped, all of them are killed.
pub(super) struct Group {
    leader: Pid,
    gone: bool,
}

impl Group {
    /// The group that `child` leads.
    pub(super) fn led_by(child: &Child) -> io::Result<Self> {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).ok_or(io::ErrorKind::NotFound)?;
        let leader = Pid::from_raw(leader);
        guard::began(leader);
        Ok(Self { leader, gone: false })
    }

    /// How the leader ended, once it has. It is not reaped by that: until then, the group's number is nobody else's.
    pub(super) async fn exited(&self) -> io::Result<Exit> {
        let mut children = signal(SignalKind::child())?;
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        loop {
            match waitid(Id::Pid(self.leader), flags)? {
                WaitStatus::Exited(_, code) => return Ok(Exit::Code(code)),
                WaitStatus::Signaled(_, signal, _) => return Ok(Exit::Signal(signal as i32)),
                _ => drop(children.recv().await),
            }
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        match killpg(self.leader, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            // A program that took other rights by itself; those are told by nobody but themselves.
            Err(error) => tracing::warn!(group = %self.leader, %signal, %error, "cannot signal a command"),
        }
    }

    /// The leader is reaped, and everybody else was killed.
    pub(super) fn is_gone(&mut self) {
        self.gone = true;
        guard::ended(self.leader);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.gone {
            self.signal(Signal::SIGKILL);
            guard::ended(self.leader);
        }
    }
}
