//! The store on SQLite: one writer, many readers, in one directory.

mod catalog;
mod checkpoint;
mod evidence;
mod feedback;
mod logged;
mod predictions;
mod queue;
mod rollups;
mod verify;
mod writer;

pub use feedback::FeedbackResult;
pub use predictions::Queued;
pub use verify::{VerifyReport, verify};

use crate::{OpenError, StoreError};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use writer::Writer;

/// The schema that this program writes; kept in `user_version`.
const SCHEMA: i64 = 4;
const DATABASE: &str = "weir.db";
/// Connections kept for the next reader; more are opened and closed when more read at once.
const IDLE_READERS: usize = 4;

/// When a reply may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// As soon as the prediction is queued. A crash may lose the last moments.
    Relaxed,
    /// After its transaction has committed. A killed process loses nothing that was answered.
    #[default]
    Commit,
    /// After it has reached the disk. A power cut loses nothing that was answered.
    Fsync,
}

/// How a store behaves.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// When a reply may leave.
    pub durability: Durability,
    /// How many predictions may wait for the writer; more wait outside.
    pub queue: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            queue: 8192,
        }
    }
}

/// A data directory, opened by this process alone. Clones are handles to the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Writer,
    durability: Durability,
    readers: Mutex<Vec<Connection>>,
    /// Held as long as the store is open.
    _lock: File,
}

impl Store {
    /// Opens a data directory, which is made where it is missing.
    ///
    /// # Errors
    /// When the directory cannot be used, another process uses it, or its database is from a newer
    /// program (which is left untouched).
    ///
    /// # Panics
    /// Outside a tokio runtime: a task there tells the callers of a group that it is committed.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let lock = lock(directory)?;
        let path = directory.join(DATABASE);
        refuse_newer(&path)?;
        let mut connection = Connection::open(&path)?;
        prepare(&mut connection, options.durability)?;
        let writer = Writer::start(connection, &path, options)?;
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                writer,
                durability: options.durability,
                readers: Mutex::default(),
                _lock: lock,
            }),
        })
    }

    /// Writes out what is queued and ends the writer. What comes later is refused.
    ///
    /// # Errors
    /// When the writer cannot be waited for.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner.writer.stop().await
    }

    /// Why the last write failed, while none has succeeded since.
    pub fn failure(&self) -> Option<String> {
        self.inner.writer.failure()
    }

    /// How many commands wait for the writer.
    pub fn pending(&self) -> usize {
        self.inner.writer.pending()
    }

    /// When a reply may leave.
    pub fn durability(&self) -> Durability {
        self.inner.durability
    }

    /// Runs a query on a connection for reading, away from the async threads.
    async fn read<T, E>(
        &self,
        query: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = inner.reader()?;
            let result = query(&mut connection);
            inner.give_back(connection);
            result
        });
        let gone = |error| StoreError::Unavailable(format!("a query did not end: {error}"));
        task.await.map_err(gone)?
    }
}

impl Inner {
    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self.readers.lock().ok().and_then(|mut idle| idle.pop());
        match idle {
            Some(connection) => Ok(connection),
            None => open_reader(&self.path),
        }
    }

    fn give_back(&self, connection: Connection) {
        if let Ok(mut idle) = self.readers.lock()
            && idle.len() < IDLE_READERS
        {
            idle.push(connection);
        }
    }
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    // Reading a WAL database needs its shared-memory file, so the file is opened for writing and
    // the connection told not to.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let fail = |error: std::io::Error| OpenError::Directory {
        path: directory.to_owned(),
        reason: error.to_string(),
    };
    fs::create_dir_all(directory).map_err(fail)?;
    let file = File::create(directory.join("weir.lock")).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}

fn refuse_newer(path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let found = schema_of(&connection)?;
    if found > SCHEMA {
        return Err(OpenError::Newer {
            found,
            known: SCHEMA,
        });
    }
    Ok(())
}

fn schema_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn prepare(connection: &mut Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    let synchronous = match durability {
        Durability::Fsync => "FULL",
        Durability::Commit | Durability::Relaxed => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // In KiB. Rows of units are read at random; SQLite's own 2 MiB would hold the pages of 20,000.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(connection)
}

/// The steps from each older schema to the next.
const STEPS: [&str; SCHEMA as usize - 1] = [
    include_str!("schema_from_1.sql"),
    include_str!("schema_from_2.sql"),
    include_str!("schema_from_3.sql"),
];

/// Brings a database to the present schema: the whole of it where there is none, else step by step.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    match schema_of(&transaction)? {
        SCHEMA => return Ok(()),
        0 => transaction.execute_batch(include_str!("schema.sql"))?,
        found => {
            let known = usize::try_from(found).unwrap_or(usize::MAX);
            for step in STEPS.iter().skip(known - 1) {
                transaction.execute_batch(step)?;
            }
        }
    }
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    transaction.commit()
}
