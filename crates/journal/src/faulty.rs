//! A disk in memory whose power can be cut at any moment: what was not synced is then kept, lost or torn by
//! chance, and bits may flip.

use crate::{Disk, DiskFile};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a power cut does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Everything that was not synced is lost.
    DropUnsynced,
    /// Of what was not synced, each sector of 512 bytes is kept or lost by chance.
    Tear,
    /// The same, and one bit of what is there flips. Says where, by file and byte.
    FlipBit,
}

/// The disk.
#[derive(Default, Clone)]
pub struct FaultyDisk {
    files: Arc<Mutex<BTreeMap<String, Arc<FaultyFile>>>>,
    shrunk: Arc<AtomicU64>,
}

/// A file of it.
#[derive(Default)]
pub struct FaultyFile {
    content: Mutex<Content>,
    shrunk: Arc<AtomicU64>,
}

#[derive(Default)]
struct Content {
    /// As a program sees it.
    now: Vec<u8>,
    /// As it was at the last sync.
    synced: Vec<u8>,
    /// Syncs fail from now on.
    fails: bool,
    /// So many bytes are written of the next frames, and then nothing.
    writes_fail_after: Option<usize>,
}

const SECTOR: usize = 512;

impl FaultyDisk {
    /// Cuts the power: gives the disk as the next start finds it, and the file and byte of a flipped bit.
    #[must_use]
    pub fn cut_power(&self, fault: Fault, random: &mut Rng) -> (Self, Option<(String, usize)>) {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (name, file) in files.iter() {
            let content = file.lock();
            let mut left = content.synced.clone();
            if fault != Fault::DropUnsynced {
                left.resize(content.now.len(), 0);
                for (sector, written) in left.chunks_mut(SECTOR).zip(content.now.chunks(SECTOR)) {
                    if random.bool() {
                        sector.copy_from_slice(written);
                    }
                }
            }
            after.insert(name.clone(), left);
        }
        let mut flipped = None;
        let written: Vec<(String, usize)> = after
            .iter()
            .filter_map(|(name, bytes)| {
                let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
                Some((name.clone(), end))
            })
            .collect();
        if fault == Fault::FlipBit && !written.is_empty() {
            let (name, end) = &written[random.usize(..written.len())];
            let at = random.usize(..*end);
            if let Some(bytes) = after.get_mut(name) {
                bytes[at] ^= 1 << random.u8(..8);
            }
            flipped = Some((name.clone(), at));
        }
        let revived = |(name, bytes): (String, Vec<u8>)| {
            let content = Content {
                now: bytes.clone(),
                synced: bytes,
                ..Content::default()
            };
            let file = FaultyFile {
                content: Mutex::new(content),
                shrunk: Arc::clone(&self.shrunk),
            };
            (name, Arc::new(file))
        };
        let files = after.into_iter().map(revived).collect();
        let disk = Self {
            files: Arc::new(Mutex::new(files)),
            shrunk: Arc::clone(&self.shrunk),
        };
        (disk, flipped)
    }

    /// How often something was removed, renamed or cut off: while this stays the same, all is there that was.
    #[must_use]
    pub fn shrunk(&self) -> u64 {
        self.shrunk.load(Ordering::SeqCst)
    }

    /// Has every sync of the files that are there fail.
    pub fn fail_syncs(&self) {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.values().for_each(|file| file.lock().fails = true);
    }

    /// Has the next write to each file that is there stop half way, and all later ones to it fail.
    pub fn fail_writes(&self) {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files
            .values()
            .for_each(|file| file.lock().writes_fail_after = Some(7));
    }

    /// Changes a byte of a file.
    pub fn damage(&self, name: &str, at: usize) {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(name) {
            let mut content = file.lock();
            content.now[at] ^= 0x55;
        }
    }

    fn find(&self, name: &str) -> Option<Arc<FaultyFile>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(name).cloned()
    }
}

impl FaultyFile {
    fn lock(&self) -> std::sync::MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(files.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64, head: &[u8]) -> io::Result<Arc<dyn DiskFile>> {
        let mut now = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        now[..head.len()].copy_from_slice(head);
        let content = Content {
            synced: now.clone(),
            now,
            ..Content::default()
        };
        let file = Arc::new(FaultyFile {
            content: Mutex::new(content),
            shrunk: Arc::clone(&self.shrunk),
        });
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let found = self.find(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(found)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.shrunk.fetch_add(1, Ordering::SeqCst);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.shrunk.fetch_add(1, Ordering::SeqCst);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files
            .remove(name)
            .map(drop)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl DiskFile for FaultyFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = self.lock();
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(written) = content.writes_fail_after {
            content.writes_fail_after = Some(0);
            let written = written.min(bytes.len());
            if let Some(place) = content.now.get_mut(at..at + written) {
                place.copy_from_slice(&bytes[..written]);
            }
            return Err(io::Error::other("the disk does not answer"));
        }
        let Some(place) = content.now.get_mut(at..at + bytes.len()) else {
            return Err(io::ErrorKind::StorageFull.into());
        };
        place.copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.lock();
        let at = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(content.now.len());
        let length = bytes.len().min(content.now.len() - at);
        bytes[..length].copy_from_slice(&content.now[at..at + length]);
        Ok(length)
    }

    fn sync(&self) -> io::Result<()> {
        let mut seen = {
            let content = self.lock();
            if content.fails {
                return Err(io::Error::other("the disk does not answer"));
            }
            content.now.clone()
        };
        // What is written while a sync is under way may not be in it.
        std::thread::yield_now();
        let mut content = self.lock();
        seen.truncate(content.now.len());
        content.synced = seen;
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().now.len() as u64)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        self.shrunk.fetch_add(1, Ordering::SeqCst);
        let mut content = self.lock();
        content.now.truncate(len);
        content.synced.truncate(len);
        Ok(())
    }
}
