//! The data directory: who may use it, and whether its files are the ones that were opened.
//!
//! A file that somebody removes under a running server goes on to be written, and is lost with the process. So the
//! files that are open are compared with what is on the disk, again and again.

use super::DATABASE;
use crate::OpenError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const LOCK: &str = "weir.lock";
/// A data directory that this process alone uses.
pub(super) struct Directory {
    path: PathBuf,
    /// The lock file, which older releases look at, and the directory itself, whose lock cannot be deleted.
    locks: Mutex<Option<[File; 2]>>,
    /// The database as it was opened: device and number of the file.
    database: Mutex<Option<(u64, u64)>>,
}

/// What is not where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// The database: what is answered waits in the journal.
    Database(String),
    /// The directory or its lock: another server may use it.
    Directory(String),
}

impl Directory {
    /// Locks a directory, which is made where it is missing, readable by its owner alone.
    pub(super) fn lock(path: &Path) -> Result<Self, OpenError> {
        let fail = |error: io::Error| failed(path, &error);
        if !path.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(fail)?;
        }
        let named = open_own(&path.join(LOCK)).map_err(fail)?;
        let itself = File::open(path).map_err(fail)?;
        for file in [&named, &itself] {
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
                Err(TryLockError::Error(error)) => return Err(fail(error)),
            }
        }
        Ok(Self {
            path: path.to_owned(),
            locks: Mutex::new(Some([named, itself])),
            database: Mutex::new(None),
        })
    }

    /// Makes the database file where it is missing, for its owner alone, before anything opens it: SQLite would take
    /// an empty file beside a write-ahead log for a new database, and forget the log.
    pub(super) fn prepare(&self, may_be_empty: bool) -> Result<(), OpenError> {
        let fail = |error: io::Error| failed(&self.path, &error);
        let database = self.path.join(DATABASE);
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        let logged = bytes(&self.path.join(format!("{DATABASE}-wal"))) > 0;
        let journal = self.path.join("journal").join("server").exists();
        if !may_be_empty && bytes(&database) == 0 && (logged || journal) {
            let beside = if logged {
                "its write-ahead log"
            } else {
                "a journal"
            };
            return Err(self.emptied(format!("it is gone or empty, beside {beside}")));
        }
        open_own(&database).map_err(fail)?;
        // Earlier releases made files that others could read.
        for name in [DATABASE, "weir.db-wal", "weir.db-shm", LOCK] {
            let path = self.path.join(name);
            if let Ok(found) = fs::metadata(&path)
                && found.permissions().mode() & 0o077 != 0
            {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Compares the newest event of the database with the newest that was ever there, which the lock file says: a
    /// write-ahead log that has vanished, or a copy from before, must not be gone on from in silence.
    pub(super) fn check(&self, newest: i64, may_be_empty: bool) -> Result<(), OpenError> {
        let known = self.said().map_err(|error| failed(&self.path, &error))?;
        if known > newest && !may_be_empty {
            let reason = format!(
                "changes {} to {known} are not in it; was it copied without its weir.db-wal, or from a backup?",
                newest + 1
            );
            return Err(self.emptied(reason));
        }
        Ok(())
    }

    /// The database is open, and this is its newest event.
    pub(super) fn opened(&self, newest: i64) -> Result<(), OpenError> {
        let fail = |error: io::Error| failed(&self.path, &error);
        let found = fs::metadata(self.path.join(DATABASE)).map_err(fail)?;
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((found.dev(), found.ino()));
        if newest == 0 {
            // The names of new files reach the disk.
            self.with_locks(|[_, itself]| itself.sync_all())
                .map_err(fail)?;
        }
        self.say(newest);
        Ok(())
    }

    /// Gives the directory free.
    pub(super) fn close(&self) {
        self.locks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Whether the database is the file that was opened.
    pub(super) fn database_is_there(&self) -> Result<(), String> {
        let known = *self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.join(DATABASE);
        match fs::metadata(&path) {
            Ok(found) if known == Some((found.dev(), found.ino())) => Ok(()),
            Ok(_) => Err(format!(
                "{} is another file than the one that was opened",
                path.display()
            )),
            Err(error) => Err(format!("{} is gone: {error}", path.display())),
        }
    }

    /// What is not where it was.
    pub(super) fn look(&self) -> Option<Gone> {
        let same = |file: &File, path: &Path| {
            let (open, found) = (file.metadata()?, fs::metadata(path)?);
            Ok::<_, io::Error>((open.dev(), open.ino()) == (found.dev(), found.ino()))
        };
        let locked = self.with_locks(|[named, itself]| {
            Ok(same(itself, &self.path)? && same(named, &self.path.join(LOCK))?)
        });
        match locked {
            Ok(true) => self.database_is_there().err().map(Gone::Database),
            Ok(false) => Some(Gone::Directory(format!(
                "{} or its {LOCK} was replaced",
                self.path.display()
            ))),
            Err(error) => Some(Gone::Directory(format!(
                "{} or its {LOCK} is gone: {error}",
                self.path.display()
            ))),
        }
    }

    fn with_locks<T>(&self, run: impl FnOnce(&mut [File; 2]) -> io::Result<T>) -> io::Result<T> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        run(locks.as_mut().ok_or(io::ErrorKind::NotFound)?)
    }

    /// The newest event that was ever there; 0 where no release that says so was here.
    fn said(&self) -> io::Result<i64> {
        self.with_locks(|[named, _]| {
            let mut text = String::new();
            named.rewind()?;
            named.take(64).read_to_string(&mut text)?;
            Ok(text.trim().parse().unwrap_or(0))
        })
    }

    /// Remembers the newest event outside the database. Where that fails only this check is weaker.
    pub(super) fn say(&self, newest: i64) {
        let text = format!("{newest}\n");
        let said = self.with_locks(|[named, _]| {
            named.rewind()?;
            named.write_all(text.as_bytes())?;
            named.set_len(text.len() as u64)
        });
        // Nothing depends on it.
        drop(said);
    }

    fn emptied(&self, reason: String) -> OpenError {
        OpenError::Emptied {
            path: self.path.clone(),
            reason,
        }
    }
}

/// Opens a file, which is made for its owner alone where it is missing.
fn open_own(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).open(path)
}

fn failed(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Directory {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
