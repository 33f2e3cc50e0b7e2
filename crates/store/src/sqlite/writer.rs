//! The one thread that writes: predictions in groups, other changes between two groups.

use super::rollups::OpenRollups;
use super::{Durability, StoreOptions, predictions};
use crate::StoreError;
use rusqlite::Connection;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use types::PredictionRecord;

/// The most predictions in one transaction, so that none waits for a very long one.
const MAX_GROUP: usize = 4096;
/// Rows of a deleted version that are removed at once: no prediction waits for more.
const PURGE_CHUNK: usize = 2000;
/// How long a writer for whom nobody waits lets predictions gather: fewer, larger groups cost less.
const GATHER: Duration = Duration::from_millis(5);
/// How long a writer that has nobody to tell waits before it tries again.
const RETRY: Duration = Duration::from_millis(200);

type Done = oneshot::Sender<Result<(), StoreError>>;
type Change = Box<dyn FnOnce(&mut Connection) + Send>;

enum Command {
    /// Log a prediction; tell `done`, where there is one, when it is committed.
    Append(Box<PredictionRecord>, Option<Done>),
    /// Change something else.
    Change(Change),
    /// Look for versions to purge.
    Purge,
    /// Write out what came before and end.
    Stop,
}

/// The handle to the writing thread.
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
    failure: Arc<Mutex<Option<String>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, options: StoreOptions) -> Result<Self, StoreError> {
        let (commands, receiver) = mpsc::channel(options.queue.max(1));
        let failure = Arc::new(Mutex::new(None));
        let thread = WriterThread {
            connection,
            commands: receiver,
            failure: Arc::clone(&failure),
            rollups: OpenRollups::default(),
            group: Vec::new(),
            purging: true,
            relaxed: options.durability == Durability::Relaxed,
        };
        let thread = thread::Builder::new()
            .name("weir-writer".into())
            .spawn(move || thread.run())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            commands,
            failure,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Queues a prediction and returns at once when there is room.
    pub(super) async fn queue(&self, record: PredictionRecord) -> Result<(), StoreError> {
        self.send(Command::Append(Box::new(record), None)).await
    }

    /// Queues a prediction and waits until it is committed.
    pub(super) async fn append(&self, record: PredictionRecord) -> Result<(), StoreError> {
        let (done, committed) = oneshot::channel();
        self.send(Command::Append(Box::new(record), Some(done)))
            .await?;
        committed.await.unwrap_or_else(|_| Err(stopped()))
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
        self.send(Command::Change(Box::new(run))).await?;
        changed.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// Has the rows of deleted versions removed, chunk by chunk.
    pub(super) async fn purge(&self) -> Result<(), StoreError> {
        self.send(Command::Purge).await
    }

    async fn send(&self, command: Command) -> Result<(), StoreError> {
        self.commands.send(command).await.map_err(|_| stopped())
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().ok().and_then(|failure| failure.clone())
    }

    pub(super) fn pending(&self) -> usize {
        self.commands.max_capacity() - self.commands.capacity()
    }

    pub(super) async fn stop(&self) -> Result<(), StoreError> {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        let Some(thread) = thread else {
            return Ok(());
        };
        // The thread may have ended by itself; joining tells.
        let _ = self.send(Command::Stop).await;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        match joined {
            Ok(Ok(())) => Ok(()),
            _ => Err(StoreError::Unavailable("the writer panicked".into())),
        }
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

struct WriterThread {
    connection: Connection,
    commands: mpsc::Receiver<Command>,
    failure: Arc<Mutex<Option<String>>>,
    rollups: OpenRollups,
    group: Vec<(Box<PredictionRecord>, Option<Done>)>,
    /// Whether a deleted version may still have rows.
    purging: bool,
    /// Whether nobody waits for a commit: groups may gather, and a failed one is tried again.
    relaxed: bool,
}

impl WriterThread {
    fn run(mut self) {
        let mut received = Vec::new();
        loop {
            if self.receive(&mut received) == 0 {
                break;
            }
            let mut stop = false;
            for command in received.drain(..) {
                match command {
                    Command::Append(record, done) => self.group.push((record, done)),
                    Command::Change(change) => {
                        self.commit_group();
                        change(&mut self.connection);
                    }
                    Command::Purge => self.purging = true,
                    Command::Stop => stop = true,
                }
            }
            self.commit_group();
            if stop {
                break;
            }
        }
    }

    /// Takes what is queued, up to a group. While there is something to purge, a chunk is purged
    /// instead of waiting for the queue to fill.
    fn receive(&mut self, received: &mut Vec<Command>) -> usize {
        while self.purging && self.commands.is_empty() && !self.commands.is_closed() {
            self.purge_chunk();
        }
        if self.purging {
            self.purge_chunk();
        }
        let count = self.commands.blocking_recv_many(received, MAX_GROUP);
        let only_predictions = || received.iter().all(|c| matches!(c, Command::Append(..)));
        if self.relaxed && count > 0 && only_predictions() {
            thread::park_timeout(GATHER);
            while received.len() < MAX_GROUP
                && let Ok(command) = self.commands.try_recv()
            {
                received.push(command);
            }
        }
        count
    }

    fn commit_group(&mut self) {
        if self.group.is_empty() {
            return;
        }
        let mut result = self.try_commit_group();
        while self.relaxed && result.is_err() && !self.commands.is_closed() {
            thread::park_timeout(RETRY);
            result = self.try_commit_group();
        }
        set_failure(
            &self.failure,
            result.as_ref().err().map(ToString::to_string),
        );
        for (_, done) in self.group.drain(..) {
            if let Some(done) = done {
                // The caller may have given up waiting; the record stands.
                let _ = done.send(result.clone());
            }
        }
    }

    fn try_commit_group(&mut self) -> Result<(), StoreError> {
        let records = self.group.iter().map(|(record, _)| record.as_ref());
        let result = in_transaction(&mut self.connection, |transaction| {
            for record in records {
                predictions::insert(transaction, record)?;
                self.rollups.add(transaction, record)?;
            }
            self.rollups.write(transaction)
        });
        if result.is_err() {
            // What memory added was rolled back in the database.
            self.rollups.forget();
        }
        result
    }

    fn purge_chunk(&mut self) {
        let purged = in_transaction(&mut self.connection, |transaction| {
            predictions::purge(transaction, PURGE_CHUNK)
        });
        self.rollups.forget();
        match purged {
            Ok(more) => self.purging = more,
            Err(error) => {
                set_failure(&self.failure, Some(error.to_string()));
                // Tried again at the next start or deletion.
                self.purging = false;
            }
        }
    }
}
