//! What a process may take of the machine, and that it does not outlive the server: set in the child, right before the
//! program begins.

#![expect(unsafe_code, reason = "there is no other way to set these in the child alone")]

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid, write};

/// What a process may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of its address space; each of its children may take as many.
    pub(super) memory: Option<u64>,
    /// Processes of its account, whoever started them.
    pub(super) processes: Option<u64>,
    /// Bytes of a file that it writes.
    pub(super) file_size: Option<u64>,
}

/// Sets the limits of the process that `command` will start, ties its life to that of the thread that starts it, and
/// has it tell `guard` of itself.
pub(super) fn apply(command: &mut tokio::process::Command, limits: Limits, guard: Option<OwnedFd>) {
    let server = getpid();
    let prepare = move || prepare(limits, server, guard.as_ref());
    // SAFETY: between fork and exec only what is safe in a signal handler may be called. `prepare` makes system calls
    // and writes to the stack; it takes no lock and allocates nothing.
    unsafe { command.pre_exec(prepare) };
}

fn prepare(limits: Limits, server: Pid, guard: Option<&OwnedFd>) -> io::Result<()> {
    let Limits { memory, processes, file_size } = limits;
    let resources = [
        (Resource::RLIMIT_AS, memory),
        (Resource::RLIMIT_NPROC, processes),
        (Resource::RLIMIT_FSIZE, file_size),
        // What it has in memory may be secret, and its directory goes away.
        (Resource::RLIMIT_CORE, Some(0)),
    ];
    for (resource, limit) in resources {
        if let Some(limit) = limit {
            setrlimit(resource, limit, limit)?;
        }
    }
    prctl::set_no_new_privs()?;
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have died before that.
    if getppid() != server {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    let Some(guard) = guard else { return Ok(()) };
    let mut line = [0; 32];
    let mut rest = &mut line[..];
    writeln!(rest, "+ {}", getpid())?;
    let length = 32 - rest.len();
    write(guard, &line[..length])?;
    Ok(())
}
