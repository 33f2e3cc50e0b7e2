//! The store on SQLite: one writer at a time, many readers, in one directory.

mod append;
mod backup;
mod calls;
mod catalog;
mod checkpoint;
mod corrections;
mod directory;
mod erasure;
mod evidence;
mod feedback;
mod hash;
mod journal_state;
mod logged;
mod outcomes;
mod predictions;
mod receipts;
mod request_ids;
mod retention;
mod rewrite;
mod rollups;
mod row;
mod shadows;
mod stretches;
mod unlike_labels;
mod verify;

pub use backup::{Copied, copy_database};
pub use directory::Gone;
pub use erasure::StoredErasure;
pub use journal_state::server_of;
pub use retention::{Retain, Retained};
pub use verify::{
    StoredModel, StoredSettings, VerifyReport, stored_models, stored_settings, verify, verify_audit,
};

use crate::{LabelHash, OpenError, StoreError};
use append::Writer;
use catalog::gathered::Kept;
use directory::Directory;
use request_ids::WaitingIds;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) const DATABASE: &str = "weir.db";
/// Connections kept for the next reader; more are opened and closed when more read at once.
const IDLE_READERS: usize = 4;
/// How long to wait for another process that writes to the database. A group is tried again after that, and
/// a command is refused.
const BUSY: Duration = Duration::from_secs(1);

/// What the write-ahead log may keep of the disk while it is not needed, in bytes.
const LARGEST_LOG: i64 = 64 << 20;

/// What is allowed at the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// It may begin anew although it has held data.
    pub may_be_empty: bool,
    /// As another server than before, where entries of a journal have been counted: what a journal of the one
    /// before still holds is not counted here any more. For the time when that journal is lost.
    pub renewed: bool,
}

/// Identifies a server: 128 random bits, made with its data directory.
pub type ServerId = [u8; 16];

/// A data directory, opened by this process alone. Clones are handles to the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    server: ServerId,
    /// Whoever writes takes turns, in the order of asking. `None` when the store is closed.
    writer: Arc<tokio::sync::Mutex<Option<Writer>>>,
    /// The position that the database has reached.
    position: AtomicU64,
    /// Whether there may be something to tidy up.
    untidy: AtomicBool,
    /// What is kept no longer.
    retain: Mutex<Vec<Retain>>,
    /// The write-ahead log, or pages that it has not been moved to yet, may hold what was erased.
    unclean: AtomicBool,
    failure: Mutex<Option<String>>,
    readers: Mutex<Vec<Connection>>,
    request_ids: WaitingIds,
    /// What running experiments had gathered at the look before.
    kept: Kept,
    directory: Directory,
    /// Why nothing is written any more, where the database is not the file that was opened.
    gone: Mutex<Option<String>>,
}

impl Store {
    /// Opens a data directory, which is made where it is missing.
    ///
    /// # Errors
    /// When the directory cannot be used, another process uses it, or its database is from a newer
    /// program (which is left untouched).
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_with(directory, OpenOptions::default())
    }

    /// The same, although something is lost.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(path: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        let directory = Directory::lock(path)?;
        directory.prepare(options.may_be_empty)?;
        let path = path.join(DATABASE);
        refuse_newer(&path)?;
        let mut connection = Connection::open(&path)?;
        let newest = newest_event(&connection)?;
        directory.check(newest, options.may_be_empty)?;
        prepare(&mut connection)?;
        if options.renewed {
            journal_state::renew(&mut connection)?;
        }
        directory.opened(newest)?;
        let server = journal_state::server(&connection)?;
        let writer = Writer::new(connection, &path, server)?;
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                server,
                position: AtomicU64::new(writer.position()),
                request_ids: writer.request_ids(),
                kept: Kept::new(writer.changed()),
                writer: Arc::new(tokio::sync::Mutex::new(Some(writer))),
                untidy: AtomicBool::new(true),
                retain: Mutex::default(),
                // A start may follow an erasure that a kill has cut short.
                unclean: AtomicBool::new(true),
                failure: Mutex::default(),
                readers: Mutex::default(),
                directory,
                gone: Mutex::default(),
            }),
        })
    }

    /// Ends writing, and has all of it reach the disk. What comes later is refused.
    ///
    /// # Errors
    /// When that fails; a journal holds what is not on the disk then.
    pub async fn close(&self) -> Result<(), StoreError> {
        let mut writer = Arc::clone(&self.inner.writer).lock_owned().await;
        let inner = Arc::clone(&self.inner);
        let close = move || {
            if let Ok(mut readers) = inner.readers.lock() {
                readers.clear();
            }
            // The last connection moves the write-ahead log into the database.
            writer.take();
            let synced = inner.sync();
            inner.directory.close();
            synced
        };
        let gone = |error| StoreError::Unavailable(format!("closing did not end: {error}"));
        tokio::task::spawn_blocking(close).await.map_err(gone)?
    }

    /// Whether what was erased or removed may still stand in the write-ahead log.
    pub fn is_unclean(&self) -> bool {
        self.inner.unclean.load(Ordering::Acquire)
    }

    /// Labels of predictions of which only a hash is kept are compared by this hash from now on. To be said before anything is
    /// appended.
    pub fn hash_labels(&self, hash: LabelHash) {
        if let Ok(mut writer) = self.inner.writer.try_lock()
            && let Some(writer) = writer.as_mut()
        {
            writer.hash_labels(hash);
        }
    }

    /// Who writes here.
    pub fn server(&self) -> ServerId {
        self.inner.server
    }

    /// Looks whether the files of the directory are where they were. Where the database is not, nothing is written
    /// any more until it is there again.
    pub fn look(&self) -> Option<Gone> {
        let gone = self.inner.directory.look();
        let unwritable = gone.as_ref().map(|gone| match gone {
            Gone::Database(why) | Gone::Directory(why) => why.clone(),
        });
        *self
            .inner
            .gone
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = unwritable;
        gone
    }

    /// Why the last write failed, while none has succeeded since.
    pub fn failure(&self) -> Option<String> {
        if let Err(error) = self.inner.in_place() {
            return Some(error.to_string());
        }
        self.inner
            .failure
            .lock()
            .ok()
            .and_then(|failure| failure.clone())
    }

    /// Runs a change in a transaction that ends with its result, when its turn has come. It is synced, so that no
    /// entry of the log speaks of a change that a power cut takes back.
    async fn change<T, E>(
        &self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut writer = Arc::clone(&self.inner.writer).lock_owned().await;
        let inner = Arc::clone(&self.inner);
        let run = move || {
            inner.in_place()?;
            let writer = writer.as_mut().ok_or_else(closed)?;
            let value = writer.change(change)?;
            // It is done and seen whatever the sync says; that fails loudly, and only a power cut could undo it.
            if inner.sync().is_ok() {
                inner.note(None);
            }
            Ok(value)
        };
        let gone = |error| StoreError::Unavailable(format!("a change did not end: {error}"));
        tokio::task::spawn_blocking(run).await.map_err(gone)?
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
        let (answer, answered) = tokio::sync::oneshot::channel();
        // One type of task for all queries: tokio is compiled once for them, not seventy times.
        let task: Box<dyn FnOnce() + Send> = Box::new(move || {
            let result = inner.reader().map_err(E::from).and_then(|mut connection| {
                let result = query(&mut connection);
                inner.give_back(connection);
                result
            });
            // Nobody waits any more where the call was given up.
            let _ = answer.send(result);
        });
        tokio::task::spawn_blocking(task);
        let gone = |error| StoreError::Unavailable(format!("a query did not end: {error}"));
        answered.await.map_err(gone)?
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

impl Inner {
    /// Nothing is written to a file that is lost with the process.
    fn in_place(&self) -> Result<(), StoreError> {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.as_ref()
            .map_or(Ok(()), |why| Err(StoreError::Unavailable(why.clone())))
    }

    /// Has everything that was committed reach the disk: the write-ahead log holds what the database has not.
    fn sync(&self) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| {
            let reason = format!("the database cannot be synced: {error}");
            self.note(Some(&reason));
            StoreError::Unavailable(reason)
        };
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        match File::open(log) {
            Ok(log) => log.sync_data().map_err(failed),
            // It was moved into the database, which was synced then.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn note(&self, failure: Option<&str>) {
        if let Ok(mut noted) = self.failure.lock()
            && noted.as_deref() != failure
        {
            *noted = failure.map(str::to_owned);
        }
    }

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
    keep_plans(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

fn refuse_newer(path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    let found = |flags| schema_of(&Connection::open_with_flags(path, flags)?);
    let found = match found(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // A transaction that a kill has cut short is taken back first.
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::ReadOnly => {
            found(OpenFlags::SQLITE_OPEN_READ_WRITE)?
        }
        found => found?,
    };
    schema_is_known(found)
}

/// Refuses what this program cannot have written, or does not know yet.
pub(super) fn schema_is_known(found: i64) -> Result<(), OpenError> {
    let known = schema();
    if found < 0 {
        return Err(OpenError::NotOurs { found });
    }
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    Ok(())
}

/// The number of the newest event, 0 where there is none.
fn newest_event(connection: &Connection) -> rusqlite::Result<i64> {
    if schema_of(connection)? == 0 {
        return Ok(0);
    }
    connection.query_row("SELECT COALESCE(MAX(id), 0) FROM audit", [], |row| {
        row.get(0)
    })
}

fn schema_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Has plans not depend on what is bound. Without it SQLite plans a statement anew whenever a value that a range or a
/// comparison of a key is bound to changes, which took 40 % of an export, and nobody here gathers the statistics that it
/// would look the values up in.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    keep_plans(connection)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // What a power cut takes is in the journal; changes of the catalogue are synced one by one.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A log that a long backlog or a slow reader has let grow is cut back when it begins anew.
    connection.pragma_update(None, "journal_size_limit", LARGEST_LOG)?;
    // In KiB. Rows of units are read at random; SQLite's own 2 MiB would hold the pages of 20,000.
    connection.pragma_update(None, "cache_size", -16_384)?;
    // What is deleted or written over leaves nothing behind in the file.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(connection)?;
    connection.busy_timeout(BUSY)
}

/// The schema that this program writes; kept in `user_version`.
fn schema() -> i64 {
    1 + migrations().count() as i64
}

/// What leads from each schema to the next, the first one first.
fn migrations() -> impl Iterator<Item = &'static str> {
    include_str!("migrations.sql")
        .split("-- To schema ")
        .skip(1)
}

/// Brings a database to the present schema: the whole of it where there is none, else step by step.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    match schema_of(&transaction)? {
        present if present == schema() => return Ok(()),
        0 => transaction.execute_batch(include_str!("schema.sql"))?,
        found => {
            let known = usize::try_from(found).unwrap_or(usize::MAX);
            for step in migrations().skip(known - 1) {
                // It begins with its number.
                let sql = step.split_once('\n').map_or("", |(_, sql)| sql);
                transaction.execute_batch(sql)?;
            }
        }
    }
    transaction.pragma_update(None, "user_version", schema())?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_migration_names_the_schema_that_it_leads_to() {
        for (number, step) in (2..).zip(migrations()) {
            assert_eq!(step.lines().next(), Some(number.to_string().as_str()));
        }
        assert!(schema() >= 7);
    }
}
