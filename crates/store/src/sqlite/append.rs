//! The writing connection: groups of entries, and the changes of the catalogue between them.
//!
//! A group is one transaction: rows, roll-ups, evidence, and the position that they reach. Where the
//! database will never take an entry, the group is halved until that one is found, and it is set aside;
//! where it cannot take anything just now, nothing is lost, because the journal has it all.

use super::checkpoint::Checkpointer;
use super::evidence::OpenEvidence;
use super::feedback::{FeedbackResult, OpenFeedback};
use super::journal_state;
use super::predictions::{self, Inserter, PurgeCursor};
use super::receipts::Receipts;
use super::rollups::OpenRollups;
use super::{ServerId, Store, closed};
use crate::StoreError;
use crate::entry::{Entry, FeedbackEntry, Kind, NotUnderstood, PredictionEntry};
use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension, Transaction};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use types::{ReceiptId, Timestamp, VersionKey};

/// Entries that are tried again in one turn.
const RETRIED: u32 = 100;
/// Rows that are looked at in one step of removing a deleted version: nothing waits for more.
const PURGE_CHUNK: usize = 4000;

/// What a journal has to say next.
pub struct Incoming<'a> {
    /// Positions and entries, in order.
    pub entries: Vec<(u64, &'a [u8])>,
    /// Positions that cannot be read.
    pub missing: &'a [RangeInclusive<u64>],
    /// Whether somebody waits for the receipt of a request, so that none need be kept.
    pub awaited: &'a dyn Fn(ReceiptId) -> bool,
    /// What time it is.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Appended {
    /// What was counted of requests with feedback, in order.
    pub parts: Vec<Part>,
    /// Entries of deleted versions.
    pub dropped: u64,
    /// Positions and reasons of entries that were set aside.
    pub set_aside: Vec<(u64, String)>,
}

/// What became of a part of a request with feedback.
#[derive(Debug)]
pub struct Part {
    /// The request.
    pub receipt: ReceiptId,
    /// How many parts it has.
    pub parts: u32,
    /// By line; none where it was set aside.
    pub results: Vec<(u64, FeedbackResult)>,
}

/// An entry at its position.
type Placed<'a> = (u64, &'a [u8], Result<Entry<'a>, NotUnderstood>);

impl Store {
    /// Stores what a journal has to say next, on this thread. Entries up to the position that the database
    /// has reached are passed over, so everything counts once however often it is sent.
    ///
    /// # Errors
    /// When the database cannot be written now: what was stored before that is in `appended`, and the
    /// position says how far it goes.
    ///
    /// # Panics
    /// Within an async task.
    pub fn append(
        &self,
        incoming: &Incoming<'_>,
        appended: &mut Appended,
    ) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.blocking_lock();
        let writer = writer.as_mut().ok_or_else(closed)?;
        let result = writer.append(incoming, appended);
        let failure = result.as_ref().err().map(ToString::to_string);
        self.inner.note(failure.as_deref());
        self.inner
            .position
            .store(writer.position, Ordering::Release);
        result
    }

    /// The position that the database has reached.
    pub fn position(&self) -> u64 {
        self.inner.position.load(Ordering::Acquire)
    }

    /// Has what the database holds now reach the disk, on this thread: up to the position that is given.
    ///
    /// # Errors
    /// When it does not.
    pub fn make_durable(&self) -> Result<u64, StoreError> {
        let position = self.position();
        self.inner.sync()?;
        Ok(position)
    }

    /// Does a piece of what can wait, on this thread: removes rows of deleted versions, moves the write-ahead
    /// log into the database. Says whether there is more.
    ///
    /// # Errors
    /// When the database cannot be written now.
    ///
    /// # Panics
    /// Within an async task.
    pub fn tidy(&self) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer.blocking_lock();
        let writer = writer.as_mut().ok_or_else(closed)?;
        let mut more = false;
        if self.inner.untidy.swap(false, Ordering::AcqRel) {
            let purged = writer.purge_chunk();
            more = *purged.as_ref().unwrap_or(&true);
            self.inner.untidy.fetch_or(more, Ordering::AcqRel);
            purged?;
        }
        writer.checkpointer.after_commit(&writer.connection);
        Ok(more)
    }

    /// Tries the entries again that were set aside; says how many were taken now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn retry_set_aside(&self, now: Timestamp) -> Result<u64, StoreError> {
        let (mut after, mut taken) = (0, 0);
        loop {
            // Others take their turns between two pieces.
            let mut writer = Arc::clone(&self.inner.writer).lock_owned().await;
            let run = move || {
                let writer = writer.as_mut().ok_or_else(closed)?;
                writer.retry_set_aside(after, now)
            };
            let gone =
                |error| StoreError::Unavailable(format!("trying again did not end: {error}"));
            let (last, more) = tokio::task::spawn_blocking(run).await.map_err(gone)??;
            taken += more;
            match last {
                Some(last) => after = last,
                None => return Ok(taken),
            }
        }
    }

    pub(super) fn wants_tidying(&self) {
        self.inner.untidy.store(true, Ordering::Release);
    }
}

/// The writing connection, and what is kept in memory of what it writes.
pub(super) struct Writer {
    connection: Connection,
    checkpointer: Checkpointer,
    server: ServerId,
    position: u64,
    rollups: OpenRollups,
    evidence: OpenEvidence,
    feedback: OpenFeedback,
    receipts: Receipts,
    /// Whether versions are deleted.
    deleted: HashMap<VersionKey, bool>,
    purge_cursor: PurgeCursor,
}

/// What an entry says, without its feedback's results.
enum Taken {
    Prediction,
    Dropped,
    Feedback(Part),
    /// It is of a newer release, or damaged before it was written.
    NotUnderstood(u64, String),
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        path: &Path,
        server: ServerId,
    ) -> Result<Self, StoreError> {
        let position = journal_state::position(&connection, &server)?;
        let checkpointer = Checkpointer::start(path, &mut connection)?;
        Ok(Self {
            connection,
            checkpointer,
            server,
            position,
            rollups: OpenRollups::default(),
            evidence: OpenEvidence::default(),
            feedback: OpenFeedback::default(),
            receipts: Receipts::default(),
            deleted: HashMap::default(),
            purge_cursor: PurgeCursor::default(),
        })
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Runs a change in a transaction. What is kept in memory of the catalogue is forgotten.
    pub(super) fn change<T, E: From<StoreError>>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.feedback.forget_catalog();
        self.deleted.clear();
        in_transaction(&mut self.connection, change)
    }

    fn append(
        &mut self,
        incoming: &Incoming<'_>,
        appended: &mut Appended,
    ) -> Result<(), StoreError> {
        let new = incoming
            .entries
            .iter()
            .filter(|(position, _)| *position > self.position);
        let entries: Vec<Placed<'_>> = new
            .map(|(position, bytes)| (*position, *bytes, Entry::decode(bytes)))
            .collect();
        let last = entries.last().map(|(position, ..)| *position);
        let missing = incoming.missing.last().map(|missing| *missing.end());
        let until = last.max(missing).unwrap_or(0);
        if until <= self.position {
            return Ok(());
        }
        self.append_all(&entries, until, incoming, appended)
    }

    /// Stores entries in one transaction, or in halves where one of them cannot be stored.
    fn append_all(
        &mut self,
        entries: &[Placed<'_>],
        until: u64,
        incoming: &Incoming<'_>,
        appended: &mut Appended,
    ) -> Result<(), StoreError> {
        let error = match self.guarded(|writer| writer.write_group(entries, until, incoming)) {
            Ok(taken) => {
                self.position = until;
                for taken in taken {
                    match taken {
                        Taken::Prediction => {}
                        Taken::Dropped => appended.dropped += 1,
                        Taken::Feedback(part) => appended.parts.push(part),
                        Taken::NotUnderstood(position, reason) => {
                            appended.set_aside.push((position, reason));
                        }
                    }
                }
                return Ok(());
            }
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => error,
        };
        if let [(position, _, entry)] = entries {
            let reason = error.to_string();
            self.guarded(|writer| writer.set_aside(&entries[0], until, &reason, incoming))?;
            self.position = until;
            appended.set_aside.push((*position, reason));
            if let Ok(Entry {
                kind: Kind::Feedback(feedback),
                ..
            }) = entry
            {
                appended.parts.push(Part {
                    receipt: feedback.receipt,
                    parts: feedback.parts,
                    results: Vec::new(),
                });
            }
            return Ok(());
        }
        let (first, second) = entries.split_at(entries.len() / 2);
        let middle = first
            .last()
            .map_or(self.position, |(position, ..)| *position);
        self.append_all(first, middle, incoming, appended)?;
        self.append_all(second, until, incoming, appended)
    }

    /// What is done whole or not at all. A panic is an error that does not pass.
    fn guarded<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = catch_unwind(AssertUnwindSafe(|| write(self)));
        let result =
            result.unwrap_or_else(|_| Err(StoreError::Corrupt("storing it panicked".into())));
        if result.is_err() {
            // Fails when SQLite has rolled back by itself, as it does on a full disk.
            let _ = self.connection.execute_batch("ROLLBACK");
            // What memory added was rolled back in the database.
            self.rollups.forget();
            self.evidence.forget();
            self.feedback.forget();
            self.receipts.forget();
        }
        result
    }

    /// One transaction, begun and ended by prepared statements: it may run a thousand times a second.
    fn write_group(
        &mut self,
        entries: &[Placed<'_>],
        until: u64,
        incoming: &Incoming<'_>,
    ) -> Result<Vec<Taken>, StoreError> {
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        let mut taken = Vec::with_capacity(entries.len());
        for (position, bytes, entry) in entries {
            taken.push(match entry {
                Ok(entry) => self.take(entry, incoming)?,
                Err(error) => {
                    let (reason, now) = (error.to_string(), incoming.now);
                    let (connection, server) = (&self.connection, &self.server);
                    journal_state::set_aside(connection, server, *position, &reason, bytes, now)?;
                    Taken::NotUnderstood(*position, reason)
                }
            });
        }
        let dropped = taken.iter().filter(|taken| matches!(taken, Taken::Dropped));
        journal_state::count_dropped(&self.connection, dropped.count())?;
        self.finish_group(until, incoming)?;
        Ok(taken)
    }

    /// Writes what memory holds, and the position.
    fn finish_group(&mut self, until: u64, incoming: &Incoming<'_>) -> Result<(), StoreError> {
        let connection = &self.connection;
        self.rollups.write(connection)?;
        self.evidence.write(connection)?;
        self.feedback.write(connection)?;
        journal_state::note_missing(connection, &self.server, incoming.missing, incoming.now)?;
        journal_state::reach(connection, &self.server, until)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn take(&mut self, entry: &Entry<'_>, incoming: &Incoming<'_>) -> Result<Taken, StoreError> {
        match &entry.kind {
            Kind::Prediction(prediction) => self.take_prediction(prediction),
            Kind::Feedback(feedback) => {
                let awaited = (incoming.awaited)(feedback.receipt);
                self.take_feedback(feedback, entry.at, awaited)
                    .map(Taken::Feedback)
            }
        }
    }

    fn take_prediction(&mut self, prediction: &PredictionEntry<'_>) -> Result<Taken, StoreError> {
        if self.is_deleted(prediction.version)? {
            return Ok(Taken::Dropped);
        }
        let connection = &self.connection;
        Inserter::new(connection)?.insert(prediction)?;
        self.rollups.add(connection, prediction)?;
        if let Some(experiment) = prediction.experiment {
            self.evidence.expose(connection, prediction, experiment)?;
        }
        self.feedback
            .appeared(connection, &mut self.evidence, prediction.id)?;
        Ok(Taken::Prediction)
    }

    fn take_feedback(
        &mut self,
        request: &FeedbackEntry,
        at: Timestamp,
        awaited: bool,
    ) -> Result<Part, StoreError> {
        let connection = &self.connection;
        let mut results = Vec::with_capacity(request.values.len());
        for (line, value) in &request.values {
            let evidence = &mut self.evidence;
            let result = self.feedback.store(connection, evidence, value, at)?;
            results.push((*line, result));
        }
        let part = Part {
            receipt: request.receipt,
            parts: request.parts,
            results,
        };
        let last = request.part + 1 >= request.parts;
        self.receipts.keep(connection, &part, last, awaited, at)?;
        Ok(part)
    }

    /// Whether a version is deleted; one that never was is an error.
    fn is_deleted(&mut self, version: VersionKey) -> Result<bool, StoreError> {
        if let Some(deleted) = self.deleted.get(&version) {
            return Ok(*deleted);
        }
        let mut select = self
            .connection
            .prepare_cached("SELECT deleted_at IS NOT NULL FROM versions WHERE version_key = ?1")?;
        let found: Option<bool> = select.query_row([version.0], |row| row.get(0)).optional()?;
        let unknown = || StoreError::Corrupt(format!("the entry is of no version ({})", version.0));
        let deleted = found.ok_or_else(unknown)?;
        self.deleted.insert(version, deleted);
        Ok(deleted)
    }

    /// Keeps an entry apart that cannot be stored, and goes on behind it.
    fn set_aside(
        &mut self,
        (position, bytes, entry): &Placed<'_>,
        until: u64,
        reason: &str,
        incoming: &Incoming<'_>,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        let connection = &self.connection;
        journal_state::set_aside(
            connection,
            &self.server,
            *position,
            reason,
            bytes,
            incoming.now,
        )?;
        if let Ok(Entry {
            kind: Kind::Feedback(feedback),
            ..
        }) = entry
        {
            self.receipts.keep_set_aside(connection, feedback)?;
        }
        self.finish_group(until, incoming)
    }

    /// Tries the next entries after a position; gives the last position tried, `None` when there was none, and
    /// how many were taken.
    fn retry_set_aside(
        &mut self,
        after: u64,
        now: Timestamp,
    ) -> Result<(Option<u64>, u64), StoreError> {
        let next = journal_state::next_set_aside(&self.connection, &self.server, after, RETRIED)?;
        let last = next.last().map(|(position, _)| *position);
        let mut taken = 0;
        for (position, bytes) in next {
            let Ok(entry) = Entry::decode(&bytes) else {
                continue;
            };
            let incoming = Incoming {
                entries: Vec::new(),
                missing: &[],
                awaited: &|_| false,
                now,
            };
            match self.guarded(|writer| writer.take_again(position, &entry, &incoming)) {
                Ok(()) => taken += 1,
                Err(error) if error.may_pass() => return Err(error),
                Err(_) => {}
            }
        }
        Ok((last, taken))
    }

    fn take_again(
        &mut self,
        position: u64,
        entry: &Entry<'_>,
        incoming: &Incoming<'_>,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        if let Kind::Feedback(feedback) = &entry.kind {
            self.receipts
                .take_back_set_aside(&self.connection, feedback)?;
        }
        let taken = self.take(entry, incoming)?;
        let dropped = usize::from(matches!(taken, Taken::Dropped));
        journal_state::count_dropped(&self.connection, dropped)?;
        journal_state::forget_set_aside(&self.connection, &self.server, position)?;
        self.finish_group(self.position, incoming)
    }

    fn purge_chunk(&mut self) -> Result<bool, StoreError> {
        let cursor = &mut self.purge_cursor;
        let purged = in_transaction(&mut self.connection, |transaction| {
            predictions::purge(transaction, cursor, PURGE_CHUNK)
        });
        self.rollups.forget();
        if purged.is_err() {
            // What the failed step would have removed is still there.
            self.purge_cursor = PurgeCursor::default();
        }
        purged
    }
}

fn in_transaction<T, E: From<StoreError>>(
    connection: &mut Connection,
    change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection.transaction().map_err(StoreError::from)?;
    let value = change(&transaction)?;
    transaction.commit().map_err(StoreError::from)?;
    Ok(value)
}
