//! A copy of the database at one moment, while a server writes it.

use super::journal_state;
use super::verify::open;
use super::{DATABASE, ServerId};
use crate::{OpenError, StoreError};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::path::Path;
use std::time::Duration;

/// Pages that are copied at a time.
const PAGES: i32 = 1000;
/// How long is waited where another writer is in the way.
const BUSY: Duration = Duration::from_millis(50);

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Whose journal it goes on with.
    pub server: ServerId,
    /// The position of that journal up to which all is in it.
    pub position: u64,
    /// The newest entry of the audit.
    pub audit: i64,
    /// Predictions that it holds.
    pub predictions: u64,
}

/// Copies the database of a data directory into an empty one. `on_part` is told how many pages are copied, and of how many.
///
/// # Errors
/// When there is none of this schema, or it cannot be copied.
pub fn copy_database(
    directory: &Path,
    to: &Path,
    mut on_part: impl FnMut(u64, u64),
) -> Result<Copied, OpenError> {
    let mut from = open(directory)?;
    // All of it is of this moment: what is written meanwhile does not have it begin again.
    let snapshot = from.transaction()?;
    let server = journal_state::server(&snapshot)?;
    let number = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0));
    let copied = Copied {
        position: journal_state::position(&snapshot, &server)?,
        server,
        audit: number("SELECT coalesce(max(id), 0) FROM audit")?,
        predictions: number("SELECT count(*) FROM predictions")?.max(0) as u64,
    };
    let mut copy = Connection::open(to.join(DATABASE))?;
    {
        let backup = Backup::new(&snapshot, &mut copy)?;
        loop {
            let step = backup.step(PAGES)?;
            let progress = backup.progress();
            let (all, left) = (
                progress.pagecount.max(0) as u64,
                progress.remaining.max(0) as u64,
            );
            on_part(all - left.min(all), all);
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => std::thread::park_timeout(BUSY),
            }
        }
    }
    // The copy is a file of its own, without a log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    copy.close().map_err(|(_, error)| StoreError::from(error))?;
    Ok(copied)
}
