//! Kills what the commands of a server have started, should the server die without doing so itself.
//!
//! The kernel kills a command with its parent, but not what the command has started in turn. So a small process stands
//! by: it is told of every group of processes, and when its standard input ends, because the server is gone, it kills
//! those that are left.

use std::collections::HashSet;
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::unistd::Pid;

/// Reads `+ GROUP` and `- GROUP` until nobody is left to write them. Signals for the server are not for it.
const SCRIPT: &str = r#"trap '' HUP INT TERM
groups=' '
while read -r change group; do
  case "$change" in
    +) groups="$groups$group " ;;
    -) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
  esac
done
for group in $groups; do kill -KILL "-$group"; done"#;

/// One for the process: commands of all its servers are told to it.
static GUARD: Mutex<Guard> = Mutex::new(Guard { process: None, groups: None, missing: false });

struct Guard {
    process: Option<Child>,
    /// Those that it should know of, should it have to be replaced.
    groups: Option<HashSet<Pid>>,
    /// It cannot be started here; that was said.
    missing: bool,
}

fn guard() -> MutexGuard<'static, Guard> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a process that is about to begin writes its own line. `None` if there is no guard here.
pub(super) fn line() -> Option<OwnedFd> {
    guard().line()?.as_fd().try_clone_to_owned().ok()
}

/// Remembers a group that has begun and has told the guard of itself.
pub(super) fn began(group: Pid) {
    guard().groups.get_or_insert_default().insert(group);
}

/// A group is gone.
pub(super) fn ended(group: Pid) {
    let mut guard = guard();
    guard.groups.get_or_insert_default().remove(&group);
    guard.tell(&format!("- {group}\n"));
}

impl Guard {
    fn line(&mut self) -> Option<&ChildStdin> {
        let lives = self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)));
        if !lives && !self.missing {
            self.start();
        }
        self.process.as_ref()?.stdin.as_ref()
    }

    fn start(&mut self) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT]).env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(process) => {
                self.process = Some(process);
                let known: String =
                    self.groups.iter().flatten().map(|group| format!("+ {group}\n")).collect();
                self.tell(&known);
            }
            Err(error) => {
                self.missing = true;
                tracing::warn!(%error, "without /bin/sh, what commands have started may outlive a server that is killed");
            }
        }
    }

    fn tell(&mut self, lines: &str) {
        let stdin = self.process.as_mut().and_then(|process| process.stdin.as_mut());
        if let Some(stdin) = stdin
            && let Err(error) = stdin.write_all(lines.as_bytes())
        {
            // The next command gets another one.
            tracing::debug!(%error, "the guard of commands is gone");
        }
    }
}
