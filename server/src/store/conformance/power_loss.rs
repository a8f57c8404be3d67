//! A disk that loses power: finds what `kill -9` cannot, a sync that is missing.
//!
//! After a kill the kernel still writes what a process gave it. After a power cut, what was not synced may be there,
//! in part or not at all, in any order. [`PowerLoss`] is an SQLite VFS that keeps account of that: it does everything
//! on real files, and can say at any moment what a power cut would leave of them.
//!
//! ```
//! use raincheck_server::store::conformance::power_loss::PowerLoss;
//! use raincheck_server::store::sqlite::{SqliteOptions, SqliteStore};
//!
//! let (before, after) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! let power = PowerLoss::new();
//! let store = SqliteStore::open(SqliteOptions::new(before.path()).vfs(power.vfs()))?;
//!
//! power.cut(42).restore_into(after.path())?;
//!
//! let recovered = SqliteStore::open(SqliteOptions::new(after.path()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

pub use self::disk::Image;
use self::shared::Shared;
use self::vfs::Registered;

mod disk;
mod shared;
mod vfs;

/// An SQLite VFS over the default one, whose disk can lose power.
///
/// The names of files count as durable at once; what is tested is their content. Shared memory is never on a disk.
pub struct PowerLoss {
    shared: Arc<Shared>,
    registered: Registered,
}

impl PowerLoss {
    /// Makes one under a name of its own. Open a store with it only on files that it has made, or that are synced.
    ///
    /// # Panics
    /// If SQLite cannot register it.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "each one is registered in the process; nobody wants a default"
    )]
    pub fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let registered = Registered::new(&shared);
        Self { shared, registered }
    }

    /// The name under which SQLite knows it.
    #[must_use]
    pub fn vfs(&self) -> &str {
        self.registered.name()
    }

    /// What a power cut now would leave; the seed decides about what was not synced.
    #[must_use]
    pub fn cut(&self, seed: u64) -> Image {
        self.shared.cut(seed)
    }

    /// Cuts the power in the middle of the write or sync that comes after `events` more of them, and hands over what
    /// is left. Whatever the store does until `then` returns cannot be synced before it.
    pub fn cut_after(&self, events: u64, seed: u64, then: impl FnOnce(Image) + Send + 'static) {
        self.shared.cut_after(events, seed, Box::new(then));
    }

    /// From now on, every sync fails, or none does.
    pub fn fail_syncs(&self, fail: bool) {
        self.shared.fail_syncs(fail);
    }

    /// From now on, there is no room for anything more to be written, or there is.
    pub fn fill(&self, full: bool) {
        self.shared.fill(full);
    }

    /// How many syncs have succeeded.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.shared.syncs()
    }
}
