//! What is on the disk for sure, and what may be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The files, as far as SQLite asked for them to be kept.
#[derive(Default)]
pub(super) struct Disk {
    files: BTreeMap<PathBuf, Content>,
}

#[derive(Default)]
struct Content {
    synced: Vec<u8>,
    /// Since the last sync, in order.
    pending: Vec<Change>,
}

enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

impl Disk {
    pub(super) fn knows(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// A file that was there before.
    pub(super) fn add(&mut self, path: &Path, synced: Vec<u8>) {
        self.files.insert(path.to_owned(), Content { synced, pending: Vec::new() });
    }

    pub(super) fn write(&mut self, path: &Path, offset: usize, bytes: &[u8]) {
        self.change(path, Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn truncate(&mut self, path: &Path, length: usize) {
        self.change(path, Change::Truncate { length });
    }

    fn change(&mut self, path: &Path, change: Change) {
        if let Some(content) = self.files.get_mut(path) {
            content.pending.push(change);
        }
    }

    pub(super) fn sync(&mut self, path: &Path) {
        if let Some(content) = self.files.get_mut(path) {
            for change in content.pending.drain(..) {
                change.apply(&mut content.synced);
            }
        }
    }

    pub(super) fn delete(&mut self, path: &Path) {
        self.files.remove(path);
    }

    pub(super) fn image(&self, seed: u64) -> Image {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let files = self.files.iter().map(|(path, content)| (path.clone(), content.image(&mut random)));
        Image { files: files.collect() }
    }
}

impl Change {
    fn apply(self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[offset..end].copy_from_slice(&bytes);
            }
            Self::Truncate { length } => file.truncate(length),
        }
    }
}

/// How the disk treated what was not synced. Each is something that disks and kernels do.
#[derive(Clone, Copy)]
enum Fate {
    /// Nothing got there.
    None,
    /// All of it did.
    All,
    /// Up to some change, and some sectors of that one.
    Prefix,
    /// Each sector was written last at a moment of its own.
    Scattered,
}

impl Content {
    fn image(&self, random: &mut ChaCha8Rng) -> Vec<u8> {
        let fates = [Fate::None, Fate::All, Fate::Prefix, Fate::Scattered];
        let fate = fates[random.random_range(0..fates.len())];
        let changes = self.pending.len();
        let prefix = random.random_range(0..=changes);
        // How many of the changes had been made when a sector, or the length of the file, was last written.
        let mut moment = || match fate {
            Fate::None => 0,
            Fate::All => changes,
            Fate::Prefix => (prefix + usize::from(random.random::<bool>())).min(changes),
            Fate::Scattered => random.random_range(0..=changes),
        };

        let lengths = self.lengths();
        let length = lengths[moment()];
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let moments: Vec<usize> = (0..longest.div_ceil(SECTOR)).map(|_| moment()).collect();
        let mut file = self.synced.clone();
        file.resize(longest, 0);
        for (index, change) in self.pending.iter().enumerate() {
            let (from, to, bytes) = match change {
                Change::Write { offset, bytes } => (*offset, offset + bytes.len(), Some(bytes)),
                Change::Truncate { length } => (*length, longest, None),
            };
            for place in from..to {
                if index < moments[place / SECTOR] {
                    file[place] = bytes.map_or(0, |bytes| bytes[place - from]);
                }
            }
        }
        file.truncate(length);
        file
    }

    /// The length of the file after each number of changes.
    fn lengths(&self) -> Vec<usize> {
        let mut lengths = vec![self.synced.len()];
        for change in &self.pending {
            let before = lengths[lengths.len() - 1];
            lengths.push(match change {
                Change::Write { offset, bytes } => before.max(offset + bytes.len()),
                Change::Truncate { length } => before.min(*length),
            });
        }
        lengths
    }
}

/// The content of every file after a power cut.
#[derive(Debug, Clone)]
pub struct Image {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Image {
    /// Writes the files into `directory`, for a store to be opened there.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn restore_into(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)?;
        for (path, content) in &self.files {
            if let Some(name) = path.file_name() {
                File::create(directory.join(name))?.write_all(content)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (Disk, PathBuf) {
        let path = PathBuf::from("file");
        let mut disk = Disk::default();
        disk.add(&path, vec![b'a'; 4 * SECTOR]);
        (disk, path)
    }

    #[test]
    fn what_is_synced_is_there_whatever_happens() {
        let (mut disk, path) = disk();
        disk.write(&path, 100, &[b'b'; 1000]);
        disk.truncate(&path, 1100);
        disk.sync(&path);
        let mut expected = vec![b'a'; 100];
        expected.resize(1100, b'b');

        for seed in 0..50 {
            assert_eq!(disk.image(seed).files[&path], expected);
        }
    }

    #[test]
    fn what_is_not_synced_may_be_there_in_whole_sectors_only() {
        let (mut disk, path) = disk();
        disk.write(&path, 0, &[b'b'; 4 * SECTOR]);

        let images: Vec<_> = (0..100).map(|seed| disk.image(seed).files[&path].clone()).collect();

        assert!(images.iter().any(|image| image.iter().all(|byte| *byte == b'a')));
        assert!(images.iter().any(|image| image.iter().all(|byte| *byte == b'b')));
        assert!(images.iter().any(|image| image.contains(&b'a') && image.contains(&b'b')));
        for sector in images.iter().flat_map(|image| image.chunks(SECTOR)) {
            assert!(sector.iter().all(|byte| *byte == sector[0]));
        }
    }

    #[test]
    fn a_sector_never_has_a_later_write_without_an_earlier_one() {
        let (mut disk, path) = disk();
        disk.write(&path, 0, b"1");
        disk.write(&path, 1, b"2");

        for seed in 0..100 {
            let image = &disk.image(seed).files[&path];
            assert!(!image.starts_with(b"a2"));
        }
    }
}
