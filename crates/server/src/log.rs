//! The log: a journal before the store. An entry is in the journal before its caller is answered; one
//! thread moves entries from there into the store.

mod ingest;
mod receipts;
mod sync;
mod tidy;

pub(crate) use receipts::{Answered, Awaited};

use crate::Durability;
use crate::clock::{Clock, Given};
use crate::meters::Meters;
use ingest::Wake;
use journal::{AppendError, Frame, Journal, Room};
use receipts::Receipts;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::entry::{Entry, Kind, encode_prediction};
use store::{LogStore, Store};
use sync::Syncs;
use tokio::sync::watch;
use types::{PredictionRecord, Timestamp};

/// How long a caller who finds no room waits before he looks again; room that is made wakes him sooner.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Whoever reads waits so long for what was answered before, and says how much is missing otherwise.
pub(crate) const FRESH_WITHIN: Duration = Duration::from_secs(2);

/// The log. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct Log(Arc<Shared>);

struct Shared {
    journal: Journal,
    store: Store,
    clock: Clock,
    /// Only with `fsync`.
    syncs: Option<Syncs>,
    /// The position that the store has reached.
    ingested: watch::Sender<u64>,
    /// The room, in bytes, that somebody has waited for in vain since it was there last.
    lacking: AtomicU64,
    /// Counts what may have made room.
    room: watch::Sender<u64>,
    wake: Wake,
    tidying: tidy::End,
    receipts: Receipts,
    /// When the store last held everything, in microseconds.
    caught_up_at: AtomicI64,
    /// Entries that were set aside since the start.
    set_aside: AtomicU64,
    /// The store did not take entries the last time.
    store_waits: AtomicBool,
    /// Why the journal could not be read the last time.
    unreadable: Mutex<Option<String>>,
    /// Why nothing is appended, whatever room there is.
    refused: Mutex<Option<String>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    meters: Arc<Meters>,
}

/// How far the store is behind the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lag {
    /// Entries that are to be counted.
    pub(crate) entries: u64,
    /// For how long there have been some, in microseconds.
    pub(crate) micros: i64,
}

/// Why a prediction is not in the log.
#[derive(Debug)]
pub(crate) struct NotLogged(pub(crate) String);

impl Log {
    /// Starts the threads of a log whose journal is open.
    pub(crate) fn start(
        journal: Journal,
        store: Store,
        clock: Clock,
        durability: Durability,
        meters: Arc<Meters>,
    ) -> std::io::Result<Self> {
        let now = clock.now().micros();
        let log = Self(Arc::new(Shared {
            syncs: match durability {
                Durability::Commit => None,
                Durability::Fsync => Some(Syncs::new(journal.appended())),
            },
            ingested: watch::Sender::new(store.position()),
            lacking: AtomicU64::new(0),
            room: watch::Sender::new(0),
            wake: Wake::default(),
            tidying: tidy::End::default(),
            receipts: Receipts::default(),
            caught_up_at: AtomicI64::new(now),
            set_aside: AtomicU64::new(0),
            store_waits: AtomicBool::new(false),
            unreadable: Mutex::default(),
            refused: Mutex::default(),
            threads: Mutex::default(),
            journal,
            store,
            clock,
            meters,
        }));
        let mut threads = vec![
            log.spawn("weir-ingest", ingest::run)?,
            log.spawn("weir-tidy", tidy::run)?,
        ];
        if log.0.syncs.is_some() {
            threads.push(log.spawn("weir-sync", sync::run)?);
        }
        *log.0.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        // What was found in the journal has waited long enough.
        log.hurry();
        Ok(log)
    }

    fn spawn(&self, name: &str, run: fn(&Shared)) -> std::io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.0);
        let builder = std::thread::Builder::new().name(name.into());
        builder.spawn(move || run(&shared))
    }

    /// Keeps room for an entry of so many bytes, where there is some. In nearly all cases there is.
    pub(crate) fn reserve_at_once(&self, bytes: u64) -> Option<Room> {
        self.0.journal.reserve(bytes)
    }

    /// Keeps room for an entry of so many bytes; waits for it until the deadline.
    pub(crate) async fn reserve(&self, bytes: u64, deadline: Instant) -> Option<Room> {
        self.wait_for_room(bytes, deadline, || self.0.journal.reserve(bytes))
            .await
    }

    /// The same for several entries, for all of them or none.
    pub(crate) async fn reserve_all(&self, bytes: &[u64], deadline: Instant) -> Option<Vec<Room>> {
        self.wait_for_room(bytes.iter().sum(), deadline, || {
            self.0.journal.reserve_all(bytes)
        })
        .await
    }

    async fn wait_for_room<T>(
        &self,
        bytes: u64,
        deadline: Instant,
        take: impl Fn() -> Option<T>,
    ) -> Option<T> {
        let mut made = self.0.room.subscribe();
        loop {
            if let Some(room) = take() {
                self.0.lacking.store(0, Ordering::Relaxed);
                return Some(room);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.0.lacking.fetch_max(bytes, Ordering::Relaxed);
                return None;
            }
            self.0.wake.urgently();
            // Whether it was woken or the time was up, it looks again.
            let _ = tokio::time::timeout(LOOK_AGAIN.min(left), made.changed()).await;
        }
    }

    /// Why there was no room.
    pub(crate) fn why_full(&self) -> String {
        self.failure()
            .unwrap_or_else(|| "the log does not keep up".into())
    }

    /// Appends a prediction: it has a position when this returns, and will be written whatever becomes of the
    /// caller. Before that is told to anybody, [`Log::write_out`] and [`Log::confirm`] have to agree.
    pub(crate) fn append(
        &self,
        room: &mut Room,
        record: &PredictionRecord,
        at: Timestamp,
    ) -> Result<u64, AppendError> {
        let mut frame = Frame::default();
        encode_prediction(record, at, frame.payload());
        self.append_frame(room, &mut frame)
    }

    /// Appends bytes that are an entry.
    pub(crate) fn append_frame(
        &self,
        room: &mut Room,
        frame: &mut Frame,
    ) -> Result<u64, AppendError> {
        let position = room.stage(frame)?;
        self.0.wake.appended();
        Ok(position)
    }

    /// Returns when an entry is in the system's hands. Others that are about to append do so first, and all of
    /// them are written together.
    pub(crate) async fn write_out(&self, position: u64) -> Result<(), NotLogged> {
        if self.0.journal.appended() >= position {
            return Ok(());
        }
        tokio::task::yield_now().await;
        if self.0.journal.appended() >= position {
            return Ok(());
        }
        let began = Instant::now();
        let written = self.0.journal.write_out(position);
        self.0.meters.commit.add(began.elapsed());
        written.map_err(|error| NotLogged(error.to_string()))
    }

    /// Returns when entries are as durable as is promised.
    pub(crate) async fn confirm(
        &self,
        positions: RangeInclusive<u64>,
        deadline: Instant,
    ) -> Result<(), NotLogged> {
        let Some(syncs) = &self.0.syncs else {
            return Ok(());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let late = |_| NotLogged("the disk does not answer".into());
        tokio::time::timeout(left, syncs.wait(positions))
            .await
            .map_err(late)?
    }

    /// Somebody waits for what was appended.
    pub(crate) fn hurry(&self) {
        self.0.wake.urgently();
    }

    /// Waits until the store holds everything that was appended before, at most for so long.
    pub(crate) async fn catch_up(&self, within: Duration) -> Result<(), Lag> {
        let wanted = self.0.journal.staged();
        if *self.0.ingested.borrow() >= wanted {
            return Ok(());
        }
        let mut ingested = self.0.ingested.subscribe();
        self.0.wake.urgently();
        let reached = ingested.wait_for(|position| *position >= wanted);
        match tokio::time::timeout(within, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => self.lag().map_or(Ok(()), Err),
        }
    }

    /// How far the store is behind; `None` when it holds everything.
    pub(crate) fn lag(&self) -> Option<Lag> {
        let entries = self.0.behind();
        let since = Timestamp::from_micros(self.0.caught_up_at.load(Ordering::Relaxed));
        (entries > 0).then(|| Lag {
            entries,
            micros: self.0.clock.now().micros_since(since),
        })
    }

    /// Why entries cannot be appended, where they cannot.
    pub(crate) fn failure(&self) -> Option<String> {
        let journal = &self.0.journal;
        let refused = self.0.refused.lock();
        if let Some(why) = &*refused.unwrap_or_else(PoisonError::into_inner) {
            return Some(why.clone());
        }
        if journal.free() >= self.least_free() {
            return None;
        }
        let full = || format!("the journal is full ({} bytes)", journal.bytes());
        Some(journal.failure().unwrap_or_else(full))
    }

    /// Looks whether the files of the journal are where they were; while they are not, or for the given reason,
    /// nothing is appended. Says why. On this thread.
    pub(crate) fn look(&self, refused: Option<String>) -> Option<String> {
        let gone = self.0.journal.look(refused.is_some());
        let why = refused.or(gone.map(|gone| format!("the journal: {gone}")));
        let mut told = self
            .0
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        told.clone_from(&why);
        why
    }

    /// The same after waiting a moment for room, so that the answer turns as soon as there is some.
    pub(crate) async fn failure_after(&self, within: Duration) -> Option<String> {
        self.failure()?;
        let room = self
            .reserve(self.least_free(), Instant::now() + within)
            .await;
        if room.is_some() { None } else { self.failure() }
    }

    /// With less room than this the log counts as full: more than most entries need, and than somebody has
    /// lacked.
    fn least_free(&self) -> u64 {
        let lacking = self.0.lacking.load(Ordering::Relaxed);
        LEAST_FREE.min(self.largest() / 2).max(lacking)
    }

    /// Why the journal could not be read the last time.
    pub(crate) fn unreadable(&self) -> Option<String> {
        let unreadable = self.0.unreadable.lock();
        unreadable.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The position of the last entry that somebody was given, written or not.
    pub(crate) fn staged(&self) -> u64 {
        self.0.journal.staged()
    }

    /// Whether the files of the journal may still hold an entry up to a position.
    pub(crate) fn holds(&self, position: u64) -> bool {
        self.0.journal.holds(position)
    }

    /// Goes on in another file of the journal where the present one holds an entry up to a position, so that it is let go when the
    /// store has all of it.
    ///
    /// # Errors
    /// When entries that wait cannot be written.
    pub(crate) fn roll(&self, position: u64) -> Result<(), AppendError> {
        self.0.journal.roll(position)?;
        self.0.wake.urgently();
        Ok(())
    }

    /// What its segments take on the disk, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.journal.bytes()
    }

    /// The position of the last entry.
    pub(crate) fn position(&self) -> u64 {
        self.0.journal.appended()
    }

    /// The largest entry, in bytes.
    pub(crate) fn largest(&self) -> u64 {
        self.0.journal.largest_payload()
    }

    /// The most that entries of one request can have together, in bytes.
    pub(crate) fn largest_request(&self) -> u64 {
        self.0.journal.capacity() / 2
    }

    pub(crate) fn receipts(&self) -> &Receipts {
        &self.0.receipts
    }

    /// Stores what can be stored, and ends. What remains is in the journal for the next start.
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        self.0.wake.end();
        self.0.tidying.now();
        if let Some(syncs) = &self.0.syncs {
            syncs.end();
        }
        let shared = Arc::clone(&self.0);
        let close = move || {
            let mut threads = shared
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for thread in threads.drain(..) {
                // A panic there has been printed.
                let _ = thread.join();
            }
            drop(threads);
            let durable = shared.store.make_durable();
            shared.journal.close()?;
            if let Ok(position) = durable {
                shared.journal.let_go(position)?;
            }
            Ok(())
        };
        tokio::task::spawn_blocking(close).await?
    }
}

/// What most entries do not need, in bytes.
const LEAST_FREE: u64 = 64 << 10;

impl Shared {
    fn behind(&self) -> u64 {
        self.journal
            .appended()
            .saturating_sub(*self.ingested.borrow())
    }
}

/// The orders of the predictions that a journal holds after a position.
pub(crate) fn given(journal: &Journal, after: u64, limit: u64) -> std::io::Result<Given> {
    let mut reader = journal.read_after(after);
    let mut batch = journal::Batch::default();
    let mut given = Given::default();
    while reader.behind() > 0 {
        reader.read(&mut batch, ingest::GROUP)?;
        for (_, bytes) in batch.frames() {
            if let Ok(Entry {
                kind: Kind::Prediction(prediction),
                ..
            }) = Entry::decode(bytes)
            {
                given.note(prediction.id.order(), limit);
            }
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests;
