//! A running command: a group of processes, its streams, and the ways in which it ends.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin};

use super::answer::Exit;
use super::directory::Directory;
use super::group::Group;
use super::streams::{Heard, Written};
use super::{Command, guard, limits, spawn};
use crate::action::StepContext;
use crate::declared::reports::Reports;

/// A command that runs. Dropped, it is killed with all that it has started.
pub(super) struct Process {
    group: Group,
    child: Child,
    reports: Option<pipe::Receiver>,
    /// The descriptor on which it reports.
    descriptor: i32,
}

/// What a command may take.
pub(super) struct Limits {
    pub(super) timeout: Option<Duration>,
    pub(super) grace: Duration,
    /// Bytes of standard output; `None`: it is not the output, but words for operators.
    pub(super) output: Option<usize>,
}

/// How a command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, or by somebody else.
    Exited(Exit),
    /// The operation was asked to stop.
    Canceled,
    /// It took longer than it may.
    TimedOut(Duration),
    /// It gave more than it may.
    OutputTooLarge,
}

/// How long the streams of a command are read after its end: whoever left its group may have them open.
const AFTERWARDS: Duration = Duration::from_secs(2);

impl Process {
    pub(super) async fn spawn(
        command: &Command,
        directory: &Directory,
        step: &StepContext<Value>,
    ) -> io::Result<Self> {
        let mut process = tokio::process::Command::new(&command.program);
        process
            .args(&command.arguments)
            .current_dir(directory.path())
            .env_clear()
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path())
            .env("LANG", "C.UTF-8")
            .env("RAINCHECK_OPERATION", step.operation().to_string())
            .env("RAINCHECK_IDEMPOTENCY_KEY", step.idempotency_key())
            .env("RAINCHECK_REPORTS", format!("/dev/fd/{}", command.reports))
            .envs(command.input_file.iter().map(|name| ("RAINCHECK_INPUT", directory.path().join(name))))
            .envs(command.output_file.iter().map(|name| ("RAINCHECK_OUTPUT", directory.path().join(name))))
            .envs(&command.env)
            .envs(command.secrets.iter().map(|(name, secret)| (name, secret.reveal())))
            .stdin(if command.stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(account) = &command.account {
            process.uid(account.user).gid(account.group);
        }
        let mut reports = None;
        if command.reports > 2 {
            let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
            let mapping = FdMapping { parent_fd: write, child_fd: command.reports };
            process.fd_mappings(vec![mapping]).map_err(io::Error::other)?;
            reports = Some(pipe::Receiver::from_owned_fd(read)?);
        }
        limits::apply(&mut process, command.limits, guard::line());
        let child = spawn::spawn(process).await?;
        let group = Group::led_by(&child)?;
        Ok(Self { group, child, reports, descriptor: command.reports })
    }

    /// Gives it its input, hears what it tells, and waits for its end.
    ///
    /// # Cancel safety
    /// If it is dropped, the command is killed.
    pub(super) async fn finish(
        self,
        input: Option<&str>,
        reports: Reports,
        limits: Limits,
        canceled: impl Future<Output = ()>,
    ) -> io::Result<(End, Written)> {
        let Self { mut group, mut child, reports: told, descriptor } = self;
        let heard = Heard::new(reports, limits.output.unwrap_or(0));
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let streams = async {
            let feed = feed(stdin, input);
            let out = async {
                match stdout {
                    Some(stdout) if descriptor == 1 => heard.reports(stdout, true).await,
                    Some(stdout) if limits.output.is_none() => heard.words(stdout).await,
                    Some(stdout) => heard.output(stdout).await,
                    None => {}
                }
            };
            let err = async {
                match stderr {
                    Some(stderr) if descriptor == 2 => heard.reports(stderr, true).await,
                    Some(stderr) => heard.words(stderr).await,
                    None => {}
                }
            };
            let told = async {
                if let Some(told) = told {
                    heard.reports(told, false).await;
                }
            };
            tokio::join!(feed, out, err, told);
        };
        let ending = async {
            let end = tokio::select! {
                exit = group.exited() => return exit.map(End::Exited),
                () = canceled => End::Canceled,
                limit = elapsed(limits.timeout) => End::TimedOut(limit),
                () = heard.too_large() => End::OutputTooLarge,
            };
            group.signal(Signal::SIGTERM);
            // After a cancel the engine counts the grace, and drops all of this when it is over.
            let grace = if end == End::Canceled { None } else { Some(limits.grace) };
            tokio::select! {
                exit = group.exited() => drop(exit?),
                _ = elapsed(grace) => {}
            }
            Ok(end)
        };
        let end = {
            let (mut streams, mut ending) = (std::pin::pin!(streams), std::pin::pin!(ending));
            let mut open = true;
            // The streams are read all the while: a command whose pipe is full stalls.
            let end = loop {
                tokio::select! {
                    end = &mut ending => break end?,
                    () = &mut streams, if open => open = false,
                }
            };
            // Nobody of the group stays behind. Its leader is not reaped yet, so the number is still its own.
            group.signal(Signal::SIGKILL);
            if open {
                let _ = tokio::time::timeout(AFTERWARDS, streams).await;
            }
            end
        };
        child.wait().await?;
        group.is_gone();
        Ok((end, heard.take()))
    }
}

async fn feed(stdin: Option<ChildStdin>, input: Option<&str>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        // A command need not read its input.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
}

/// The time, once it is over.
async fn elapsed(time: Option<Duration>) -> Duration {
    match time {
        Some(time) => {
            tokio::time::sleep(time).await;
            time
        }
        None => std::future::pending().await,
    }
}
