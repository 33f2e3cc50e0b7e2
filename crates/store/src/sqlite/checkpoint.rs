//! Moves the write-ahead log into the database beside the writer, so that predictions do not wait
//! for it.
//!
//! SQLite checkpoints inside a commit every 1,000 pages and syncs the log and the database while it
//! does. Here a thread of its own syncs the log and copies the bulk of the pages, every 8,192; the
//! writer then copies the few that it wrote meanwhile and syncs the database, after which SQLite
//! begins the log anew. Without that last step the log of a busy server would grow for ever. The sync
//! of the database stays with the writer, but comes eight times less often.

use super::open_reader;
use crate::StoreError;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// How many pages the log may hold before it is moved: 32 MiB.
const PAGES: u32 = 8_192;

/// The writer's side.
pub(super) struct Checkpointer {
    /// Pages in the log after the last commit.
    pages: Arc<AtomicU32>,
    /// Pages in the log when it was last moved: a reader may have kept it from beginning anew.
    moved_at: u32,
    /// The thread has been asked to move the bulk.
    asked: bool,
    /// It has done so.
    moved: Arc<AtomicBool>,
    requests: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Takes over from SQLite's own checkpoints on this connection.
    pub(super) fn start(path: &Path, connection: &mut Connection) -> Result<Self, StoreError> {
        let pages = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: i32| {
            counted.store(count.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        let beside = open_for_checkpoints(path)?;
        let moved = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&moved);
        let (requests, requested) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("weir-checkpoint".into())
            .spawn(move || run(&beside, &requested, &told))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            pages,
            moved_at: 0,
            asked: false,
            moved,
            requests,
            thread: Some(thread),
        })
    }

    /// To be called between two transactions of the writer.
    pub(super) fn after_commit(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.moved_at {
            self.moved_at = 0;
        }
        if self.moved.swap(false, Ordering::Acquire) {
            checkpoint(connection);
            self.moved_at = pages;
            self.asked = false;
        } else if !self.asked && pages >= self.moved_at + PAGES {
            self.asked = self.requests.try_send(()).is_ok();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        // Ends the thread.
        self.requests = sync_channel(0).0;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed, and the last connection moves the log as well.
            let _ = thread.join();
        }
    }
}

fn open_for_checkpoints(path: &Path) -> Result<Connection, StoreError> {
    let connection = open_reader(path)?;
    connection.pragma_update(None, "query_only", false)?;
    Ok(connection)
}

fn run(connection: &Connection, requested: &Receiver<()>, moved: &AtomicBool) {
    while requested.recv().is_ok() {
        checkpoint(connection);
        moved.store(true, Ordering::Release);
    }
}

/// Moves what no reader still needs. A failure loses nothing: the log keeps the pages, and a disk
/// that is full or broken is seen by the next commit.
fn checkpoint(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
}
