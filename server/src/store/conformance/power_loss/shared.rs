//! What the VFS and its handle share: the account of the disk, and what is to go wrong.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, Image};

/// What takes the image of a cut.
type Then = Box<dyn FnOnce(Image) + Send>;

#[derive(Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    disk: Disk,
    cut: Option<Cut>,
    fail_syncs: bool,
    full: bool,
    syncs: u64,
}

struct Cut {
    left: u64,
    seed: u64,
    then: Then,
}

/// Why something was not done.
pub(super) enum Refused {
    Full,
    Sync,
    /// By the VFS beneath, with its code.
    Beneath(i32),
}

impl Shared {
    pub(super) fn cut(&self, seed: u64) -> Image {
        self.state().disk.image(seed)
    }

    pub(super) fn cut_after(&self, left: u64, seed: u64, then: Then) {
        self.state().cut = Some(Cut { left, seed, then });
    }

    pub(super) fn fail_syncs(&self, fail: bool) {
        self.state().fail_syncs = fail;
    }

    pub(super) fn fill(&self, full: bool) {
        self.state().full = full;
    }

    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Forgets the files, so that a VFS that is no longer used takes no room.
    pub(super) fn clear(&self) {
        *self.state() = State::default();
    }

    pub(super) fn open(&self, path: &Path) {
        let mut state = self.state();
        // Only before the first connection: closing a file releases the locks that this process has on it.
        if !state.disk.knows(path) {
            state.disk.add(path, std::fs::read(path).unwrap_or_default());
        }
    }

    // In all of these, the account is locked until the VFS beneath is done: what is synced is what was written before.

    pub(super) fn write(
        &self,
        path: &Path,
        offset: usize,
        bytes: &[u8],
        beneath: impl FnOnce() -> i32,
    ) -> Result<(), Refused> {
        let mut state = self.state();
        if state.full {
            return Err(Refused::Full);
        }
        check(beneath())?;
        state.disk.write(path, offset, bytes);
        state.event();
        Ok(())
    }

    pub(super) fn truncate(
        &self,
        path: &Path,
        length: usize,
        beneath: impl FnOnce() -> i32,
    ) -> Result<(), Refused> {
        let mut state = self.state();
        check(beneath())?;
        state.disk.truncate(path, length);
        state.event();
        Ok(())
    }

    pub(super) fn sync(&self, path: &Path, beneath: impl FnOnce() -> i32) -> Result<(), Refused> {
        let mut state = self.state();
        state.event();
        if state.fail_syncs {
            return Err(Refused::Sync);
        }
        check(beneath())?;
        state.disk.sync(path);
        state.syncs += 1;
        Ok(())
    }

    pub(super) fn delete(&self, path: &Path, beneath: impl FnOnce() -> i32) -> Result<(), Refused> {
        let mut state = self.state();
        check(beneath())?;
        state.disk.delete(path);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn event(&mut self) {
        if let Some(cut) = &mut self.cut {
            if cut.left > 0 {
                cut.left -= 1;
            } else if let Some(Cut { left: _, seed, then }) = self.cut.take() {
                then(self.disk.image(seed));
            }
        }
    }
}

fn check(code: i32) -> Result<(), Refused> {
    if code == rusqlite::ffi::SQLITE_OK { Ok(()) } else { Err(Refused::Beneath(code)) }
}
