//! The one thread that writes: predictions and feedback in groups, other changes between two groups.

use super::checkpoint::Checkpointer;
use super::evidence::OpenEvidence;
use super::feedback::{FeedbackResult, OpenFeedback};
use super::predictions::PurgeCursor;
use super::queue::{Patience, Queue};
use super::rollups::OpenRollups;
use super::{Durability, StoreOptions, predictions};
use crate::{Feedback, StoreError};
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use types::{PredictionRecord, Timestamp};

/// The most predictions in one transaction, so that none waits for a very long one.
const MAX_GROUP: usize = 4096;
/// Rows that are looked at in one step of removing a deleted version: no prediction waits for more.
const PURGE_CHUNK: usize = 4000;
/// How long a writer for whom callers wait lets them gather: a group costs about as much as fifteen
/// rows, so a few large groups serve everybody sooner than many small ones. With `fsync` the disk
/// takes longer than this, and they gather meanwhile.
const GATHER: Duration = Duration::from_micros(200);
/// It gathers only when at least so many came last time; a lone caller waits at most once.
const SIBLINGS: usize = 4;
/// How long a writer for whom nobody waits lets predictions gather, and how many at most.
const GATHER_RELAXED: Duration = Duration::from_millis(20);
const GATHER_RELAXED_MOST: usize = 1024;
/// How long to wait before a failed write that nobody waits for is tried again.
const RETRY: Duration = Duration::from_millis(200);

type Done = oneshot::Sender<Result<(), StoreError>>;
type FeedbackDone = oneshot::Sender<Result<Vec<FeedbackResult>, StoreError>>;
type Change = Box<dyn FnOnce(&mut Connection) + Send>;

enum Command {
    /// Log a prediction; tell `Done`, where there is one, when it is committed.
    Append(PredictionRecord, Option<Done>),
    /// Store values for predictions and say what became of each when that is committed.
    Feedback(Vec<Feedback>, Timestamp, FeedbackDone),
    /// Change something else.
    Change(Change),
    /// Look for versions to purge.
    Purge,
}

/// What a group writes, in the order it came.
enum Entry {
    Prediction(PredictionRecord),
    Feedback(Vec<Feedback>, Timestamp),
}

/// Who waits for the end of a group.
enum Waiting {
    Logged(Done),
    Feedback(FeedbackDone, Vec<FeedbackResult>),
}

/// The end of a group that is still to come.
pub(super) struct Committed(oneshot::Receiver<Result<(), StoreError>>);

impl Committed {
    pub(super) async fn wait(self) -> Result<(), StoreError> {
        self.0.await.unwrap_or_else(|_| Err(stopped()))
    }
}

/// The handle to the writing thread.
pub(super) struct Writer {
    queue: Arc<Queue<Command>>,
    durability: Durability,
    failure: Arc<Mutex<Option<String>>>,
    /// Gives the number of queued predictions that could not be written.
    thread: Mutex<Option<JoinHandle<usize>>>,
}

impl Writer {
    /// Must be called within a runtime, which tells the callers of each group.
    pub(super) fn start(
        mut connection: Connection,
        path: &Path,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new(options.queue.max(1)));
        let failure = Arc::new(Mutex::new(None));
        let checkpointer = Checkpointer::start(path, &mut connection)?;
        let thread = WriterThread {
            connection,
            checkpointer,
            queue: Arc::clone(&queue),
            acknowledge: acknowledger(),
            failure: Arc::clone(&failure),
            rollups: OpenRollups::default(),
            evidence: OpenEvidence::default(),
            feedback: OpenFeedback::default(),
            group: Vec::new(),
            group_size: 0,
            results: Vec::new(),
            waiting: Vec::new(),
            feedback_waiting: Vec::new(),
            purge: Purge::Now,
            purge_cursor: PurgeCursor::default(),
            durability: options.durability,
            largest_group: 0,
            lost: 0,
            gather: 1,
        };
        let thread = thread::Builder::new()
            .name("weir-writer".into())
            .spawn(move || thread.run())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            queue,
            durability: options.durability,
            failure,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues a prediction and returns at once when there is room.
    pub(super) async fn queue(&self, record: PredictionRecord) -> Result<(), StoreError> {
        self.send(Command::Append(record, None), false).await
    }

    /// Queues a prediction whose commit can be waited for.
    pub(super) async fn append(&self, record: PredictionRecord) -> Result<Committed, StoreError> {
        let (done, committed) = oneshot::channel();
        self.send(Command::Append(record, Some(done)), false)
            .await?;
        Ok(Committed(committed))
    }

    /// Stores values for predictions.
    pub(super) async fn feedback(
        &self,
        items: Vec<Feedback>,
        now: Timestamp,
    ) -> Result<Vec<FeedbackResult>, StoreError> {
        let (done, stored) = oneshot::channel();
        // With `relaxed` the writer gathers for long, and here somebody waits.
        let urgent = self.durability == Durability::Relaxed;
        let command = Command::Feedback(items, now, done);
        self.send(command, urgent).await?;
        stored.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Runs a change between two groups, in a transaction that ends with its result.
    pub(super) async fn change<T, E>(
        &self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (done, changed) = oneshot::channel();
        let failure = Arc::clone(&self.failure);
        let run = move |connection: &mut Connection| {
            let result = in_transaction(connection, change);
            if result.is_ok() {
                set_failure(&failure, None);
            }
            // Whoever asked may have gone; the change stands.
            let _ = done.send(result);
        };
        self.send(Command::Change(Box::new(run)), true).await?;
        changed.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// Has the rows of deleted versions removed, chunk by chunk.
    pub(super) async fn purge(&self) -> Result<(), StoreError> {
        self.send(Command::Purge, true).await
    }

    async fn send(&self, command: Command, urgent: bool) -> Result<(), StoreError> {
        self.queue
            .push(command, urgent)
            .await
            .map_err(|_| stopped())
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().ok().and_then(|failure| failure.clone())
    }

    pub(super) fn pending(&self) -> usize {
        self.queue.len()
    }

    pub(super) async fn stop(&self) -> Result<(), StoreError> {
        self.queue.close();
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        let Some(thread) = thread else {
            return Ok(());
        };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        match joined {
            Ok(Ok(0)) => Ok(()),
            Ok(Ok(lost)) => Err(StoreError::Unavailable(format!(
                "{lost} queued predictions could not be written: {}",
                self.failure().unwrap_or_default()
            ))),
            _ => Err(StoreError::Unavailable("the writer panicked".into())),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread writes out what is queued and ends.
        self.queue.close();
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

fn set_failure(failure: &Mutex<Option<String>>, reason: Option<String>) {
    if let Ok(mut failure) = failure.lock() {
        *failure = reason;
    }
}

fn in_transaction<T, E: From<StoreError>>(
    connection: &mut Connection,
    change: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection.transaction().map_err(StoreError::from)?;
    let value = change(&transaction)?;
    transaction.commit().map_err(StoreError::from)?;
    Ok(value)
}

/// The callers of a group, and what became of it.
struct Acknowledgement {
    waiting: Vec<Waiting>,
    result: Result<(), StoreError>,
}

/// Tells the callers of a group from within the runtime: waking each of them from the writer's
/// thread would interrupt both it and the runtime once per caller instead of once per group.
fn acknowledger() -> mpsc::Sender<Acknowledgement> {
    let (sender, mut receiver) = mpsc::channel::<Acknowledgement>(16);
    // Ends with the writer, which holds the sender.
    tokio::spawn(async move {
        while let Some(Acknowledgement { waiting, result }) = receiver.recv().await {
            for waiting in waiting {
                // The caller may have given up waiting; what was written stands.
                match waiting {
                    Waiting::Logged(done) => drop(done.send(result.clone())),
                    Waiting::Feedback(done, receipts) => {
                        drop(done.send(result.clone().map(|()| receipts)));
                    }
                }
            }
        }
    });
    sender
}

/// What deleted versions left behind.
#[derive(PartialEq)]
enum Purge {
    /// Nothing.
    Nothing,
    /// Perhaps something, to be removed when there is time.
    Now,
    /// Something that could not be removed just now.
    Later,
}

struct WriterThread {
    connection: Connection,
    checkpointer: Checkpointer,
    queue: Arc<Queue<Command>>,
    acknowledge: mpsc::Sender<Acknowledgement>,
    failure: Arc<Mutex<Option<String>>>,
    rollups: OpenRollups,
    evidence: OpenEvidence,
    feedback: OpenFeedback,
    group: Vec<Entry>,
    /// Predictions and values in the group.
    group_size: usize,
    /// What became of the values of the group, batch by batch.
    results: Vec<Vec<FeedbackResult>>,
    waiting: Vec<Waiting>,
    /// Who waits for the batches of the group, in their order.
    feedback_waiting: Vec<FeedbackDone>,
    purge: Purge,
    purge_cursor: PurgeCursor,
    durability: Durability,
    /// How many predictions are worth waiting for where callers wait.
    gather: usize,
    /// The size of the largest group of late.
    largest_group: usize,
    /// Predictions that were queued and nobody waits for, and that could not be written.
    lost: usize,
}

impl Drop for WriterThread {
    /// However the thread ends, by a panic too: nobody waits for a writer that is gone.
    fn drop(&mut self) {
        if thread::panicking() {
            let reason = "the writer panicked; restart the server".to_owned();
            set_failure(&self.failure, Some(reason));
        }
        self.queue.close();
        self.queue.clear();
    }
}

impl WriterThread {
    fn run(mut self) -> usize {
        let mut received = Vec::new();
        while self.queue.take(&mut received, self.patience()) {
            let mut predictions = 0;
            for command in received.drain(..) {
                match command {
                    Command::Append(record, done) => {
                        predictions += 1;
                        self.waiting.extend(done.map(Waiting::Logged));
                        self.push(Entry::Prediction(record), 1);
                    }
                    Command::Feedback(items, now, done) => {
                        predictions += 1;
                        self.feedback_waiting.push(done);
                        let size = items.len();
                        self.push(Entry::Feedback(items, now), size);
                    }
                    Command::Change(change) => {
                        self.commit_group();
                        change(&mut self.connection);
                        self.feedback.forget_catalog();
                    }
                    Command::Purge => self.purge = Purge::Now,
                }
            }
            self.commit_group();
            self.adapt_gathering(predictions);
            if self.purge != Purge::Nothing {
                self.purge_chunk();
            }
            self.checkpointer.after_commit(&self.connection);
        }
        self.lost
    }

    fn push(&mut self, entry: Entry, size: usize) {
        self.group.push(entry);
        self.group_size += size;
        if self.group_size >= MAX_GROUP {
            self.commit_group();
        }
    }

    /// From how many came last: half of the most that came at once lately are worth waiting for. The
    /// other half is then being answered or asks again while this half is committed.
    fn adapt_gathering(&mut self, last: usize) {
        let faded = self
            .largest_group
            .saturating_sub(self.largest_group.div_ceil(64));
        self.largest_group = last.max(faded);
        self.gather = if last < SIBLINGS {
            1
        } else {
            self.largest_group.div_ceil(2)
        };
    }

    fn patience(&self) -> Patience {
        let (gather, gather_for) = match self.durability {
            Durability::Relaxed => (GATHER_RELAXED_MOST, GATHER_RELAXED),
            Durability::Commit => (self.gather, GATHER),
            Durability::Fsync => (1, Duration::ZERO),
        };
        Patience {
            first: match self.purge {
                Purge::Nothing => None,
                Purge::Now => Some(Duration::ZERO),
                Purge::Later => Some(RETRY),
            },
            gather,
            gather_for,
        }
    }

    fn commit_group(&mut self) {
        if self.group.is_empty() {
            return;
        }
        let mut result = self.try_commit_group();
        // Nobody waits, so nobody could be told: it is tried until it succeeds.
        let relaxed = self.durability == Durability::Relaxed;
        while relaxed && result.is_err() && !self.queue.is_closed() {
            set_failure(
                &self.failure,
                result.as_ref().err().map(ToString::to_string),
            );
            thread::park_timeout(RETRY);
            result = self.try_commit_group();
        }
        set_failure(
            &self.failure,
            result.as_ref().err().map(ToString::to_string),
        );
        if relaxed && result.is_err() {
            let lost = |entry: &&Entry| matches!(entry, Entry::Prediction(_));
            self.lost += self.group.iter().filter(lost).count();
        }
        self.group.clear();
        self.group_size = 0;
        // Where the group failed, fewer batches have results than wait.
        let results = self
            .results
            .drain(..)
            .chain(std::iter::repeat_with(Vec::new));
        let batches = self.feedback_waiting.drain(..).zip(results);
        let batches = batches.map(|(done, results)| Waiting::Feedback(done, results));
        self.waiting.extend(batches);
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            // Fails only when the runtime has ended, and the callers with it.
            let _ = self
                .acknowledge
                .blocking_send(Acknowledgement { waiting, result });
        }
    }

    fn try_commit_group(&mut self) -> Result<(), StoreError> {
        let result = self.write_group();
        if result.is_err() {
            // Fails when SQLite has rolled back by itself, as it does on a full disk.
            let _ = self.connection.execute_batch("ROLLBACK");
            // What memory added was rolled back in the database.
            self.rollups.forget();
            self.evidence.forget();
            self.feedback.forget();
        }
        result
    }

    /// One transaction, begun and ended by prepared statements: it runs a thousand times a second.
    fn write_group(&mut self) -> Result<(), StoreError> {
        let connection = &self.connection;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut inserter = predictions::Inserter::new(connection)?;
        self.results.clear();
        for entry in &self.group {
            match entry {
                Entry::Prediction(record) => {
                    inserter.insert(record)?;
                    self.rollups.add(connection, record)?;
                    if let Some(experiment) = record.experiment {
                        self.evidence.expose(connection, record, experiment)?;
                    }
                    self.feedback
                        .appeared(connection, &mut self.evidence, record.id)?;
                }
                Entry::Feedback(items, now) => {
                    let mut results = Vec::with_capacity(items.len());
                    for item in items {
                        let evidence = &mut self.evidence;
                        results.push(self.feedback.store(connection, evidence, item, *now)?);
                    }
                    self.results.push(results);
                }
            }
        }
        self.rollups.write(connection)?;
        self.evidence.write(connection)?;
        self.feedback.write(connection)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn purge_chunk(&mut self) {
        let purged = in_transaction(&mut self.connection, |transaction| {
            predictions::purge(transaction, &mut self.purge_cursor, PURGE_CHUNK)
        });
        self.rollups.forget();
        match purged {
            Ok(true) => self.purge = Purge::Now,
            Ok(false) => self.purge = Purge::Nothing,
            Err(error) => {
                // What the failed step would have removed is still there.
                self.purge_cursor = PurgeCursor::default();
                set_failure(&self.failure, Some(error.to_string()));
                self.purge = Purge::Later;
            }
        }
    }
}
