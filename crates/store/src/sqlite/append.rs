//! The writing connection: groups of entries, and the changes of the catalogue between them.
//!
//! A group is one transaction: rows, roll-ups, evidence, and the position that they reach. Where the
//! database will never take an entry, the group is halved until that one is found, and it is set aside;
//! where it cannot take anything just now, nothing is lost, because the journal has it all.

use super::catalog::gathered::Changed;
use super::checkpoint::Checkpointer;
use super::erasure::{self, Erasing, Mirrored, Piece};
use super::evidence::{OpenEvidence, exposure_of};
use super::feedback::OpenFeedback;
use super::journal_state::{self, Origin};
use super::predictions::{self, PurgeCursor};
use super::receipts::Receipts;
use super::request_ids::{OpenRequestIds, WaitingIds};
use super::retention::{self, OutcomeCursors, Retain};
use super::rollups::OpenRollups;
use super::shadows;
use super::stretches::OpenStretch;
use super::{ServerId, Store, closed};
use crate::entry::{Entry, FeedbackEntry, Kind, NotUnderstood, PredictionEntry, erased_shadow};
use crate::{Appended, Incoming, LabelHash, LogStore, Part, StoreError, unit_number};
use evidence::{Exposure, Sample};
use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use types::{PredictionId, Timestamp, VersionKey};

/// Entries that are tried again in one turn.
const RETRIED: u32 = 100;
/// Rows that are looked at in one step of removing a deleted version: nothing waits for more.
const PURGE_CHUNK: usize = 4000;

/// Entries that are decoded at once, and whose units are fetched at once.
const CHUNK: usize = 64;

/// An entry at its position.
type Placed<'a> = (u64, &'a [u8]);

/// Stores what a journal has to say next, in its turn.
pub(super) fn append(
    store: &Store,
    incoming: &Incoming<'_>,
    appended: &mut Appended,
) -> Result<(), StoreError> {
    store.inner.in_place()?;
    let mut writer = store.inner.writer.blocking_lock();
    let writer = writer.as_mut().ok_or_else(closed)?;
    let result = writer.append(incoming, appended);
    let failure = result.as_ref().err().map(ToString::to_string);
    store.inner.note(failure.as_deref());
    store
        .inner
        .position
        .store(writer.position, Ordering::Release);
    result
}

/// Tries the entries again that were set aside.
pub(super) async fn retry_set_aside(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let (mut after, mut taken) = (0, 0);
    loop {
        // Others take their turns between two pieces.
        let mut writer = Arc::clone(&store.inner.writer).lock_owned().await;
        let inner = Arc::clone(&store.inner);
        let run = move || {
            inner.in_place()?;
            let writer = writer.as_mut().ok_or_else(closed)?;
            writer.retry_set_aside(after, now)
        };
        let gone = |error| StoreError::Unavailable(format!("trying again did not end: {error}"));
        let (last, more) = tokio::task::spawn_blocking(run).await.map_err(gone)??;
        taken += more;
        match last {
            Some(last) => after = last,
            None => return Ok(taken),
        }
    }
}

impl Store {
    /// Has what the database holds now reach the disk, on this thread: up to the position that is given.
    ///
    /// # Errors
    /// When it does not.
    pub fn make_durable(&self) -> Result<u64, StoreError> {
        let position = self.position();
        self.inner.sync()?;
        // What was written to a file that somebody has removed is not durable.
        let there = self.inner.directory.database_is_there();
        there.map_err(StoreError::Unavailable)?;
        Ok(position)
    }

    /// Moves the write-ahead log into the database where it is long, on this thread.
    ///
    /// # Errors
    /// When the store is closed.
    ///
    /// # Panics
    /// Within an async task.
    pub fn shorten_log(&self) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.blocking_lock();
        let writer = writer.as_mut().ok_or_else(closed)?;
        writer.checkpointer.after_commit(&writer.connection);
        Ok(())
    }

    /// Does a piece of what can wait, on this thread: erases units, removes rows of deleted versions and what is kept no longer, and
    /// moves the write-ahead log into the database. Says whether there is more.
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
            let retain = self.inner.retain.lock();
            let retain = retain.map(|retain| retain.clone()).unwrap_or_default();
            let tidied = writer.tidy_chunk(&retain);
            more = *tidied.as_ref().unwrap_or(&true);
            self.inner.untidy.fetch_or(more, Ordering::AcqRel);
            tidied?;
        }
        writer.checkpointer.after_commit(&writer.connection);
        // What was written over stands in the log until that begins anew, and in the database until then.
        self.inner.unclean.fetch_or(more, Ordering::AcqRel);
        if !more && self.inner.unclean.load(Ordering::Acquire) {
            let is_left = !writer.begin_log_anew();
            self.inner.unclean.store(is_left, Ordering::Release);
        }
        Ok(more)
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
    server_key: i64,
    position: u64,
    stretches: OpenStretch,
    rollups: OpenRollups,
    evidence: OpenEvidence,
    /// Whoever looks at running experiments is told what was committed.
    changed: Arc<Changed>,
    feedback: OpenFeedback,
    receipts: Receipts,
    /// Whether versions are deleted.
    deleted: HashMap<VersionKey, bool>,
    purge_cursor: PurgeCursor,
    /// How far outcomes of units have been looked at that are kept no longer.
    outcome_cursors: OutcomeCursors,
    /// Units that are renamed.
    erasing: Arc<Erasing>,
    /// Calls that have begun and have no outcome yet.
    begun: usize,
}

/// An entry that is to be stored.
struct Decoded<'a> {
    placed: Placed<'a>,
    entry: Result<Entry<'a>, NotUnderstood>,
    /// The number of the unit that it exposes.
    unit: Option<i64>,
}

impl<'a> Decoded<'a> {
    fn of(placed: &Placed<'a>) -> Self {
        let entry = Entry::decode(placed.1);
        let unit = entry.as_ref().ok().and_then(unit_of);
        Self {
            placed: *placed,
            entry,
            unit,
        }
    }

    /// Whom it exposes to what, where that is a named unit.
    fn exposure(&self) -> Option<Exposure> {
        let (Ok(entry), Some(_)) = (&self.entry, self.unit) else {
            return None;
        };
        match &entry.kind {
            Kind::Prediction(prediction) => {
                let experiment = prediction.experiment?;
                Some(exposure_of(prediction, experiment, self.unit))
            }
            Kind::Begun(_) | Kind::Shadow(..) | Kind::Feedback(_) => None,
        }
    }
}

/// The number of the named unit that an entry exposes in an experiment.
fn unit_of(entry: &Entry<'_>) -> Option<i64> {
    match &entry.kind {
        Kind::Prediction(prediction) => {
            let unit_id = prediction.experiment.and(prediction.unit_id);
            unit_id.map(unit_number)
        }
        Kind::Begun(_) | Kind::Shadow(..) | Kind::Feedback(_) => None,
    }
}

fn count_begun(connection: &Connection) -> Result<usize, StoreError> {
    let count: i64 =
        connection.query_row("SELECT COUNT(*) FROM begun_calls", [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        path: &Path,
        server: ServerId,
    ) -> Result<Self, StoreError> {
        let position = journal_state::position(&connection, &server)?;
        let server_key = journal_state::server_key(&connection, &server)?;
        let request_ids = OpenRequestIds::read(&connection)?;
        let begun = count_begun(&connection)?;
        let erasing = Arc::new(Erasing::read(&connection)?);
        let mut feedback = OpenFeedback::of(server_key, request_ids);
        feedback.erasing = Arc::clone(&erasing);
        let checkpointer = Checkpointer::start(path, &mut connection)?;
        Ok(Self {
            connection,
            checkpointer,
            server,
            server_key,
            position,
            stretches: OpenStretch::default(),
            rollups: OpenRollups::of(server_key),
            evidence: OpenEvidence::of(server_key),
            changed: Arc::default(),
            feedback,
            receipts: Receipts::default(),
            deleted: HashMap::default(),
            purge_cursor: PurgeCursor::default(),
            outcome_cursors: OutcomeCursors::default(),
            erasing,
            begun,
        })
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn changed(&self) -> Arc<Changed> {
        Arc::clone(&self.changed)
    }

    pub(super) fn hash_labels(&mut self, hash: LabelHash) {
        self.feedback.label_hash = Some(hash);
    }

    pub(super) fn request_ids(&self) -> WaitingIds {
        self.feedback.requests.waiting()
    }

    /// Runs a change in a transaction. What is kept in memory of the catalogue is forgotten.
    pub(super) fn change<T, E: From<StoreError>>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.feedback.forget_catalog();
        self.deleted.clear();
        let value = in_transaction(&mut self.connection, change)?;
        // A start after a crash reads all of the log, so changes alone must not let it grow.
        self.checkpointer.after_commit(&self.connection);
        Ok(value)
    }

    fn append(
        &mut self,
        incoming: &Incoming<'_>,
        appended: &mut Appended,
    ) -> Result<(), StoreError> {
        let known = incoming
            .entries
            .partition_point(|(position, _)| *position <= self.position);
        let renamed = self.renamed(&incoming.entries[known..]);
        for ((_, bytes), (_, original)) in renamed.iter().zip(&incoming.entries[known..]) {
            if let Cow::Owned(_) = bytes {
                self.feedback.forget_waiting(&self.connection, original)?;
            }
        }
        let renamed: Vec<Placed<'_>> = renamed
            .iter()
            .map(|(position, bytes)| (*position, bytes.as_ref()))
            .collect();
        let entries = match self.erasing.is_empty() {
            true => &incoming.entries[known..],
            false => &renamed[..],
        };
        let last = entries.last().map(|(position, _)| *position);
        let missing = incoming.missing.last().map(|missing| *missing.end());
        let until = last.max(missing).unwrap_or(0);
        if until <= self.position {
            return Ok(());
        }
        self.append_all(entries, until, incoming, appended)
    }

    /// Entries as they are stored where units are renamed; none where no unit is.
    fn renamed<'a>(&self, entries: &[Placed<'a>]) -> Vec<(u64, Cow<'a, [u8]>)> {
        if self.erasing.is_empty() {
            return Vec::new();
        }
        let each = entries.iter().map(|(position, bytes)| {
            let renamed = self.erasing.rename(*position, bytes);
            (*position, renamed.map_or(Cow::Borrowed(*bytes), Cow::Owned))
        });
        each.collect()
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
            Ok(group) => {
                self.position = until;
                appended.add(group);
                return Ok(());
            }
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => error,
        };
        if entries.is_empty() {
            return Err(error);
        }
        if let [(position, bytes)] = entries {
            let reason = error.to_string();
            // It may be what panicked.
            let entry = catch_unwind(|| Entry::decode(bytes).ok()).ok().flatten();
            self.guarded(|writer| {
                writer.set_aside(&entries[0], entry.as_ref(), until, &reason, incoming)
            })?;
            self.position = until;
            appended.set_aside.push((*position, reason));
            if let Some(Entry {
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
            .map_or(self.position, |(position, _)| *position);
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
            self.stretches = OpenStretch::default();
            self.rollups.forget();
            self.evidence.forget();
            self.feedback.forget();
            self.receipts.forget();
            // Where even that cannot be read, looking for each is right as well.
            self.begun = count_begun(&self.connection).unwrap_or(usize::MAX);
        }
        result
    }

    /// One transaction, begun and ended by prepared statements: it may run a thousand times a second.
    fn write_group(
        &mut self,
        entries: &[Placed<'_>],
        until: u64,
        incoming: &Incoming<'_>,
    ) -> Result<Appended, StoreError> {
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        let mut group = Appended::default();
        let mut decoded = Vec::with_capacity(CHUNK);
        for chunk in entries.chunks(CHUNK) {
            decoded.extend(chunk.iter().map(Decoded::of));
            let exposures = decoded.iter().filter_map(Decoded::exposure);
            self.evidence.fetch(exposures);
            for entry in decoded.drain(..) {
                self.take_decoded(entry, incoming, &mut group)?;
            }
        }
        journal_state::count_dropped(&self.connection, group.dropped)?;
        self.finish_group(until, incoming)?;
        Ok(group)
    }

    /// Takes an entry. One that is of a newer release, or was damaged before it was written, is set aside.
    fn take_decoded(
        &mut self,
        decoded: Decoded<'_>,
        incoming: &Incoming<'_>,
        group: &mut Appended,
    ) -> Result<(), StoreError> {
        let (position, bytes) = decoded.placed;
        match decoded.entry {
            Ok(entry) => self.take(decoded.placed, &entry, decoded.unit, incoming, group),
            Err(error) => {
                let (reason, now) = (error.to_string(), incoming.now);
                let (connection, server) = (&self.connection, &self.server);
                journal_state::set_aside(connection, server, position, &reason, bytes, now)?;
                group.set_aside.push((position, reason));
                Ok(())
            }
        }
    }

    /// Writes what memory holds, and the position.
    fn finish_group(&mut self, until: u64, incoming: &Incoming<'_>) -> Result<(), StoreError> {
        let connection = &self.connection;
        self.stretches.write(connection)?;
        self.rollups.write(connection)?;
        self.evidence.write(connection)?;
        self.feedback.write(connection)?;
        journal_state::note_missing(connection, &self.server, incoming.missing, incoming.now)?;
        journal_state::reach(connection, &self.server, until)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        self.feedback.requests.committed();
        self.changed.note(self.evidence.committed());
        Ok(())
    }

    fn take(
        &mut self,
        (position, bytes): Placed<'_>,
        entry: &Entry<'_>,
        unit: Option<i64>,
        incoming: &Incoming<'_>,
        group: &mut Appended,
    ) -> Result<(), StoreError> {
        let origin = Origin {
            server_key: self.server_key,
            position: position as i64,
        };
        match &entry.kind {
            Kind::Prediction(prediction) => {
                let taken = self.take_prediction(prediction, unit, origin)?;
                group.dropped += u64::from(!taken);
            }
            Kind::Shadow(shadow, mirrors) => {
                let dropped = self.is_deleted(shadow.version)?;
                if !dropped {
                    self.take_shadow(shadow, *mirrors, bytes, origin)?;
                }
                group.dropped += u64::from(dropped);
            }
            Kind::Begun(call) => {
                let mut insert = self.connection.prepare_cached(
                    "INSERT OR REPLACE INTO begun_calls (prediction_order, entry) VALUES (?1, ?2)",
                )?;
                insert.execute(params![call.id.order() as i64, bytes])?;
                self.begun += 1;
            }
            Kind::Feedback(feedback) => {
                let awaited = (incoming.awaited)(feedback.receipt);
                let part = self.take_feedback(feedback, entry.at, awaited, origin)?;
                group.parts.push(part);
            }
        }
        Ok(())
    }

    fn take_shadow(
        &self,
        shadow: &PredictionEntry<'_>,
        mirrors: PredictionId,
        bytes: &[u8],
        origin: Origin,
    ) -> Result<(), StoreError> {
        let connection = &self.connection;
        let order = mirrors.order() as i64;
        match erasure::mirrored(connection, &self.erasing, order)? {
            // It is removed, and what mirrors it would stay for ever.
            Mirrored::Gone => Ok(()),
            Mirrored::Erased => {
                let without = erased_shadow(bytes);
                let entry = without.as_deref().map(Entry::decode);
                match entry {
                    Some(Ok(Entry {
                        kind: Kind::Shadow(shadow, mirrors),
                        ..
                    })) => shadows::insert(connection, &shadow, mirrors, origin),
                    _ => Ok(()),
                }
            }
            Mirrored::There => shadows::insert(connection, shadow, mirrors, origin),
        }
    }

    /// Stores a prediction; says false where its version is deleted.
    fn take_prediction(
        &mut self,
        prediction: &PredictionEntry<'_>,
        unit: Option<i64>,
        origin: Origin,
    ) -> Result<bool, StoreError> {
        self.end_begun(prediction)?;
        if self.is_deleted(prediction.version)? {
            return Ok(false);
        }
        let connection = &self.connection;
        let row = predictions::row_of(prediction, origin);
        predictions::insert(connection, &row)?;
        let request_id = row.request.map(|(id, _)| id);
        self.feedback
            .requests
            .add(connection, (row.order, row.input.len()), request_id)?;
        self.stretches.add(connection, &row)?;
        let sample = Sample::new(prediction.measured()).hashed(row.hash());
        let series = (prediction.version, prediction.epoch);
        self.rollups
            .add(connection, series, prediction.id.time(), &sample)?;
        if let Some(experiment) = prediction.experiment {
            let exposure = exposure_of(prediction, experiment, unit);
            self.evidence.expose(connection, prediction, exposure)?;
        }
        self.feedback
            .appeared(connection, &mut self.evidence, prediction, origin)?;
        Ok(true)
    }

    /// A prediction may be the outcome of a call that has begun.
    fn end_begun(&mut self, prediction: &PredictionEntry<'_>) -> Result<(), StoreError> {
        if self.begun > 0 {
            let mut delete = self
                .connection
                .prepare_cached("DELETE FROM begun_calls WHERE prediction_order = ?1")?;
            self.begun -= delete
                .execute([prediction.id.order() as i64])?
                .min(self.begun);
        }
        Ok(())
    }

    fn take_feedback(
        &mut self,
        request: &FeedbackEntry,
        at: Timestamp,
        awaited: bool,
        origin: Origin,
    ) -> Result<Part, StoreError> {
        let connection = &self.connection;
        let mut results = Vec::with_capacity(request.values.len());
        for (line, value) in &request.values {
            let evidence = &mut self.evidence;
            let result = self
                .feedback
                .store(connection, evidence, value, at, origin)?;
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
        (position, bytes): &Placed<'_>,
        entry: Option<&Entry<'_>>,
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
        if let Some(Entry {
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
            match self.guarded(|writer| writer.take_again((position, &bytes), &entry, &incoming)) {
                Ok(()) => taken += 1,
                Err(error) if error.may_pass() => return Err(error),
                Err(_) => {}
            }
        }
        Ok((last, taken))
    }

    fn take_again(
        &mut self,
        (position, bytes): Placed<'_>,
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
        let mut group = Appended::default();
        self.take(
            (position, bytes),
            entry,
            unit_of(entry),
            incoming,
            &mut group,
        )?;
        journal_state::count_dropped(&self.connection, group.dropped)?;
        journal_state::forget_set_aside(&self.connection, &self.server, position)?;
        self.finish_group(self.position, incoming)
    }

    /// Does a piece of what can wait; says whether there is more.
    fn tidy_chunk(&mut self, retain: &[Retain]) -> Result<bool, StoreError> {
        // In this order: what somebody has asked for comes before what goes by itself.
        Ok(self.erase_chunk()? || self.purge_chunk()? || self.retention_chunk(retain)?)
    }

    fn erase_chunk(&mut self) -> Result<bool, StoreError> {
        match erasure::next(&self.connection, &self.erasing)? {
            Piece::Nothing => {
                // The last of them may have ended.
                if !self.erasing.is_empty() {
                    self.read_erasing()?;
                }
                return Ok(false);
            }
            Piece::Begin(beginnings) => {
                self.guarded(|writer| {
                    let evidence = &mut writer.evidence;
                    in_transaction(&mut writer.connection, |t| {
                        evidence.settle(t)?;
                        erasure::begin(t, &beginnings)
                    })
                })?;
            }
            Piece::Walk(walk) => {
                let forgotten = self.guarded(|writer| {
                    in_transaction(&mut writer.connection, |t| erasure::walk(t, &walk))
                })?;
                self.feedback.requests.removed(&forgotten);
                self.rollups.forget();
            }
        }
        self.read_erasing()?;
        Ok(true)
    }

    /// Moves all of the write-ahead log into the database and cuts it off; says whether no reader was in the way.
    fn begin_log_anew(&self) -> bool {
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                row.get::<_, i64>("busy")
            });
        moved.is_ok_and(|busy| busy == 0)
    }

    fn read_erasing(&mut self) -> Result<(), StoreError> {
        self.erasing = Arc::new(Erasing::read(&self.connection)?);
        self.feedback.erasing = Arc::clone(&self.erasing);
        Ok(())
    }

    fn retention_chunk(&mut self, retain: &[Retain]) -> Result<bool, StoreError> {
        if retain.is_empty() {
            return Ok(false);
        }
        let cursors = &mut self.outcome_cursors;
        let step = in_transaction(&mut self.connection, |t| {
            retention::step(t, retain, cursors)
        });
        self.rollups.forget();
        let step = step?;
        self.feedback.requests.removed(&step.forgotten);
        Ok(step.more)
    }

    fn purge_chunk(&mut self) -> Result<bool, StoreError> {
        let (cursor, mut removed) = (&mut self.purge_cursor, Vec::new());
        let purged = in_transaction(&mut self.connection, |transaction| {
            predictions::purge(transaction, cursor, PURGE_CHUNK, &mut removed)
        });
        if purged.is_ok() {
            self.feedback.requests.removed(&removed);
        }
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
