//! The store inside passes the suite of all stores.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use raincheck_server::store::conformance::Factory;
use raincheck_server::store::sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

struct InDirectory {
    directory: TempDir,
    recent_bytes: usize,
}

impl InDirectory {
    fn new(recent_bytes: usize) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), recent_bytes }
    }
}

impl Factory for InDirectory {
    type Store = SqliteStore;

    async fn open(&self) -> Arc<SqliteStore> {
        let options = SqliteOptions::new(self.directory.path()).recent_bytes(self.recent_bytes);
        Arc::new(SqliteStore::open(options).unwrap())
    }

    async fn stop_owner(&self, store: &SqliteStore) {
        store.disown_all().await.unwrap();
    }
}

mod with_ended_operations_in_memory {
    use super::*;

    raincheck_server::store_conformance!(InDirectory::new(1 << 20));
}

mod with_ended_operations_on_disk_only {
    use super::*;

    raincheck_server::store_conformance!(InDirectory::new(0));
}
