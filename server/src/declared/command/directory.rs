//! The working directory of an operation: its own, empty at the beginning of every attempt, and gone after it.

use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::program::Account;

/// Lets other accounts pass through the data directory, without seeing what is in it: its files are the server's alone.
fn passable(work: &Path) -> io::Result<()> {
    for directory in work.parent().into_iter().chain([work]) {
        let mut permissions = directory.metadata()?.permissions();
        if permissions.mode() & 0o011 != 0o011 {
            permissions.set_mode(permissions.mode() | 0o011);
            std::fs::set_permissions(directory, permissions)?;
        }
    }
    Ok(())
}

/// A directory that is removed when it is dropped.
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes it, readable for nobody but `account` (else the server's).
    pub(super) async fn make(path: PathBuf, account: Option<&Account>) -> io::Result<Self> {
        let account = account.cloned();
        blocking(move || {
            // An attempt of a server that was killed leaves its own.
            remove(&path)?;
            if let Some(parent) = path.parent() {
                // Others pass through it to their own directories.
                std::fs::DirBuilder::new().recursive(true).mode(0o711).create(parent)?;
                if account.is_some() {
                    passable(parent)?;
                }
            }
            std::fs::DirBuilder::new().mode(0o700).create(&path)?;
            let directory = Self(path);
            own(&directory.0, account.as_ref())?;
            Ok(directory)
        })
        .await
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) async fn write(&self, name: &str, text: &str, account: Option<&Account>) -> io::Result<()> {
        let (path, text, account) = (self.0.join(name), text.to_owned(), account.cloned());
        blocking(move || {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            own(&path, account.as_ref())
        })
        .await
    }

    /// Up to one byte more than `limit` of a file.
    pub(super) async fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        let path = self.0.join(name);
        blocking(move || {
            // No link: it would lead to what the command may not read itself. No pipe: it would never end.
            let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
            let file = std::fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("not a file"));
            }
            let mut bytes = Vec::new();
            file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .await
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        let remove = move || {
            if let Err(error) = remove(&path) {
                tracing::warn!(directory = %path.display(), %error, "cannot remove a working directory");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Whether `name` is one of a file in a directory, and no way out of it.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != ".."
}

/// Removes what a server that is gone has left of working directories.
///
/// # Errors
/// If something of it cannot be removed.
pub(crate) fn clear(work: &Path) -> io::Result<()> {
    remove(work)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn own(path: &Path, account: Option<&Account>) -> io::Result<()> {
    match account {
        Some(account) => std::os::unix::fs::lchown(path, Some(account.user), Some(account.group)),
        None => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
