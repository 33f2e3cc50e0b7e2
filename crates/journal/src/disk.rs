//! The files that a journal needs of a disk. Two implementations: a folder of the file system, and one in
//! memory whose power can be cut.

use crate::OpenError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place for the files of one journal.
pub trait Disk: Send + Sync {
    /// The names of the files.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a file of this many zeros that begins with `head`. It and its name have reached the disk, and
    /// so has the room for all of it, where the file system keeps such promises.
    ///
    /// # Errors
    /// When there is no room, or it exists, or the disk fails. Nothing is left of it then.
    fn create(&self, name: &str, bytes: u64, head: &[u8]) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file.
    ///
    /// # Errors
    /// When that fails.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name.
    ///
    /// # Errors
    /// When that fails.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// When that fails.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A file of a journal.
pub trait DiskFile: Send + Sync {
    /// Writes at a place.
    ///
    /// # Errors
    /// When not all was written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Reads at a place; less than asked for at the end.
    ///
    /// # Errors
    /// When reading fails.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Returns when all that was written has reached the disk.
    ///
    /// # Errors
    /// When it has not: nothing is known then of what was written since the last sync.
    fn sync(&self) -> io::Result<()>;

    /// Its length in bytes.
    ///
    /// # Errors
    /// When that cannot be told.
    fn len(&self) -> io::Result<u64>;

    /// Where what was ever written ends, as far as that is known: from there on all is zeros.
    ///
    /// # Errors
    /// When that cannot be told.
    fn data_end(&self) -> io::Result<u64> {
        self.len()
    }

    /// Whether it holds nothing.
    ///
    /// # Errors
    /// When that cannot be told.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts off what stands from here on.
    ///
    /// # Errors
    /// When that fails.
    fn cut(&self, len: u64) -> io::Result<()>;
}

/// A folder of the file system.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held as long as this is.
    _lock: Option<File>,
}

impl Folder {
    /// The folder at a path, which is made, readable by its owner alone, where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)?;
            match path.parent() {
                Some(parent) if parent != Path::new("") => sync_directory(parent)?,
                _ => sync_directory(Path::new("."))?,
            }
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: None,
        })
    }

    /// The same, for this process alone.
    ///
    /// # Errors
    /// When it cannot be made, or another process has it.
    pub fn lock(path: &Path) -> Result<Self, OpenError> {
        let folder = Self::new(path)?;
        let lock = File::open(path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                _lock: Some(lock),
                ..folder
            }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        sync_directory(&self.path)
    }

    fn make(&self, path: &Path, bytes: u64, head: &[u8]) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        allocate(&file, bytes)?;
        FileExt::write_all_at(&file, head, 0)?;
        file.sync_all()?;
        self.sync()?;
        Ok(Arc::new(file))
    }
}

/// A name in a directory has reached the disk when the directory has.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.path)?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, name: &str, bytes: u64, head: &[u8]) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.path.join(name);
        self.make(&path, bytes, head).inspect_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                // What it was to be is lost in any case.
                let _ = fs::remove_file(&path);
            }
        })
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.path.join(name);
        Ok(Arc::new(
            OpenOptions::new().read(true).write(true).open(path)?,
        ))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}

impl DiskFile for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // On macOS the standard library asks for F_FULLFSYNC here.
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    /// Room that was allocated ahead is a hole to the file system: a start need not read it.
    #[cfg(target_os = "linux")]
    fn data_end(&self) -> io::Result<u64> {
        use rustix::fs::{SeekFrom, seek};
        use rustix::io::Errno;
        let mut end = 0;
        loop {
            let found = seek(self, SeekFrom::Data(end));
            match found.and_then(|data| seek(self, SeekFrom::Hole(data))) {
                Ok(hole) => end = hole,
                Err(Errno::NXIO) => return Ok(end),
                // Some file systems cannot tell.
                Err(_) => return self.metadata().map(|found| found.len()),
            }
        }
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// Has the file system keep room for so many bytes.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::FallocateFlags;
        use rustix::io::Errno;
        loop {
            match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
                Err(Errno::INTR) => {}
                // Some file systems cannot.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => break,
                other => return Ok(other?),
            }
        }
    }
    write_zeros(file, bytes)
}

/// The portable way.
fn write_zeros(mut file: &File, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::repeat(0).take(bytes), &mut file).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_there_on_file_systems_without_fallocate_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("zeros")).unwrap();
        write_zeros(&file, 100_000).unwrap();
        assert_eq!(DiskFile::len(&file).unwrap(), 100_000);
    }
}
