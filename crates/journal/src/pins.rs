//! Other names for the files of a journal, so that none goes before it is copied.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The folder with the names, beside the journal. Whoever has locked it is the one that makes them.
const FOLDER: &str = ".weir-backup-pins";

/// The files that a journal has had since this was made. One process at a time has them; they go with it.
#[derive(Debug)]
pub struct Pins {
    folder: PathBuf,
    _lock: File,
}

impl Pins {
    /// Of a journal, without any file yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] while another process has some.
    pub fn new(journal: &Path) -> io::Result<Self> {
        let folder = journal.with_file_name(FOLDER);
        let lock = lock(&folder)?.ok_or(io::ErrorKind::ResourceBusy)?;
        empty(&folder)?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// Keeps all files that are there now from going.
    ///
    /// # Errors
    /// When the journal cannot be read, or its files get no other names.
    pub fn keep(&self, journal: &Path) -> io::Result<()> {
        for entry in fs::read_dir(journal)? {
            let entry = entry?;
            let pin = self.folder.join(entry.file_name());
            if !entry.file_type()?.is_file() || pin.exists() {
                continue;
            }
            // One that has gone meanwhile was let go.
            match fs::hard_link(entry.path(), &pin) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what a process has left that was ended by force; false while one has some.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn sweep(journal: &Path) -> io::Result<bool> {
        let folder = journal.with_file_name(FOLDER);
        if !folder.exists() {
            return Ok(true);
        }
        let Some(_lock) = lock(&folder)? else {
            return Ok(false);
        };
        fs::remove_dir_all(&folder)?;
        Ok(true)
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// The folder, made where it is not there, and locked; `None` while another process has it.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    loop {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        let opened = match File::open(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        match opened.try_lock() {
            // Another one may have removed it since it was opened.
            Ok(()) if is_at(&opened, folder) => return Ok(Some(opened)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(unix)]
fn is_at(opened: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    let there = fs::metadata(path).map(place).ok();
    there.is_some() && there == opened.metadata().map(place).ok()
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_pins_and_what_is_left_of_one_goes() {
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("journal");
        fs::create_dir(&journal).unwrap();
        fs::write(journal.join("1"), "one").unwrap();
        let pins = Pins::new(&journal).unwrap();
        pins.keep(&journal).unwrap();
        fs::remove_file(journal.join("1")).unwrap();
        fs::write(journal.join("2"), "two").unwrap();
        pins.keep(&journal).unwrap();
        for (name, content) in [("1", "one"), ("2", "two")] {
            let kept = fs::read_to_string(pins.folder().join(name)).unwrap();
            assert_eq!(kept, content);
        }
        let busy = Pins::new(&journal).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
        assert!(!Pins::sweep(&journal).unwrap(), "somebody has them");
        let folder = pins.folder().to_owned();
        drop(pins);
        assert!(!folder.exists());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("1"), "left").unwrap();
        assert!(Pins::sweep(&journal).unwrap());
        assert!(!folder.exists());
    }
}
