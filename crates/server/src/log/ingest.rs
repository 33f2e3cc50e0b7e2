//! The thread that moves entries from the journal into the store, in large groups.
//!
//! It gathers for a moment, because a large group costs less per entry than several small ones; whoever
//! waits for what it does ends the gathering. Where the store cannot be written it tries again, and the
//! journal grows meanwhile.

use super::Shared;
use journal::{Batch, Reader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Appended, Incoming, LogStore, StoreError};
use types::Timestamp;

/// The most entries in one transaction, so that nobody waits for a very long one.
pub(super) const GROUP: usize = 8192;
/// How long entries are gathered while nobody waits for them.
const GATHER: Duration = Duration::from_millis(100);
/// How long to wait before the store is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How often it is looked what can be let go while nothing comes.
const IDLE: Duration = Duration::from_secs(1);

/// Wakes the thread.
#[derive(Default)]
pub(super) struct Wake {
    asked: Mutex<Asked>,
    changed: Condvar,
    /// The thread sleeps until something is appended.
    idle: AtomicBool,
}

#[derive(Default)]
struct Asked {
    /// Something was appended while it was idle.
    appended: bool,
    /// Somebody waits.
    urgent: bool,
    end: bool,
}

impl Wake {
    /// Something was appended. Costs a look at a flag while the thread is at work.
    pub(super) fn appended(&self) {
        // Ordered after the append, as the thread's look at the journal is after its going idle: one of both
        // sees the other.
        fence(Ordering::SeqCst);
        if self.idle.load(Ordering::Relaxed) && self.idle.swap(false, Ordering::Relaxed) {
            self.ask(|asked| asked.appended = true);
        }
    }

    /// Somebody waits for what was appended.
    pub(super) fn urgently(&self) {
        self.ask(|asked| asked.urgent = true);
    }

    pub(super) fn end(&self) {
        self.ask(|asked| asked.end = true);
    }

    fn ask(&self, what: impl FnOnce(&mut Asked)) {
        what(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Sleeps for so long, whoever waits: what failed just now would fail again. Only the end ends it.
    fn pause(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(asked, time, |asked| !asked.end);
        !waited.unwrap_or_else(PoisonError::into_inner).0.end
    }

    /// Sleeps until there is something to do, at most for so long; says false at the end.
    fn wait(&self, at_most: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |asked: &mut Asked| !(asked.appended || asked.urgent || asked.end);
        let waited = self.changed.wait_timeout_while(asked, at_most, nothing);
        let mut asked = waited.unwrap_or_else(PoisonError::into_inner).0;
        (asked.appended, asked.urgent) = (false, false);
        !asked.end
    }

    /// The same for a moment in which more may be appended: only who waits ends it.
    fn gather(&self, at_most: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |asked: &mut Asked| !(asked.urgent || asked.end);
        let waited = self.changed.wait_timeout_while(asked, at_most, nothing);
        let mut asked = waited.unwrap_or_else(PoisonError::into_inner).0;
        asked.urgent = false;
        !asked.end
    }
}

/// Runs to the end. A panic is noted, and begun again from what the store has: without this thread the
/// journal would fill up, and nothing be counted any more.
pub(super) fn run(log: &Shared) {
    while catch_unwind(AssertUnwindSafe(|| run_once(log))).is_err() {
        let reason = "counting the log panicked, and is tried again";
        tracing::error!("{reason}");
        log.note_unreadable(Some(reason.into()));
        if !log.wake.pause(RETRY) {
            return;
        }
    }
}

fn run_once(log: &Shared) {
    let mut reader = log.journal.read_after(log.store.position());
    let mut batch = Batch::default();
    let mut going_on = true;
    while going_on {
        // What nobody has written whose caller has gone.
        if let Err(error) = log.journal.write_out(u64::MAX) {
            tracing::warn!(%error, "entries cannot be written");
        }
        if reader.behind() == 0 {
            going_on = log.idle(&reader);
            // Until a moment ago everything was stored.
            log.note_caught_up(log.clock.now());
        } else if (reader.behind() as usize) < GROUP {
            going_on = log.wake.gather(GATHER);
        }
        going_on &= log.move_all(&mut reader, &mut batch, going_on);
    }
}

impl Shared {
    /// Sleeps until something is appended.
    fn idle(&self, reader: &Reader) -> bool {
        self.shorten_log();
        self.let_go();
        self.wake.idle.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // What is staged will be written by its caller, or by this thread.
        let at_most = if self.journal.staged() >= reader.next_position() {
            Duration::ZERO
        } else {
            IDLE
        };
        let going_on = self.wake.wait(at_most);
        self.wake.idle.store(false, Ordering::Relaxed);
        going_on
    }

    /// Moves all that is there, group by group. At the end (`going_on` is false) it gives up at the first
    /// group that cannot be stored; says false then.
    fn move_all(&self, reader: &mut Reader, batch: &mut Batch, mut going_on: bool) -> bool {
        while reader.behind() > 0 {
            let (appended, now) = (self.journal.appended(), self.clock.now());
            if let Err(error) = reader.read(batch, GROUP) {
                // What the failed read knew of holes is found again.
                reader.rewind(self.store.position());
                self.note_unreadable(Some(error.to_string()));
                tracing::error!(%error, "the journal cannot be read; answers go on and are not counted");
                if !going_on || !self.wake.pause(RETRY) {
                    return false;
                }
                continue;
            }
            self.note_unreadable(None);
            while let Err(error) = self.store_batch(batch) {
                // The store says so when it can be written again; until then one line is enough.
                if self.noted_failure(Some(&error)) {
                    tracing::warn!(%error, behind = self.behind(), "the log waits for the store");
                }
                if !going_on {
                    return false;
                }
                going_on = self.wake.pause(RETRY);
            }
            if self.noted_failure(None) {
                tracing::info!("the store takes entries again");
            }
            if self.store.position() >= appended {
                self.note_caught_up(now);
            }
            self.let_go();
            // The write-ahead log waits for no quiet moment.
            self.shorten_log();
            // A group of large entries is cut short by its bytes: then there are more of the same moment.
            let few = batch.frames().len() < GROUP / 8;
            let cut_short = few && reader.next_position() <= appended;
            if going_on && !cut_short && (reader.behind() as usize) < GROUP / 2 {
                // The next moment's entries are gathered first.
                return true;
            }
        }
        true
    }

    fn shorten_log(&self) {
        if let Err(error) = self.store.shorten_log() {
            tracing::debug!(%error, "the write-ahead log stays as it is");
        }
    }

    fn store_batch(&self, batch: &Batch) -> Result<(), StoreError> {
        for missing in &batch.missing {
            tracing::error!(
                first = missing.start(),
                last = missing.end(),
                "entries of the journal cannot be read; they are counted as missing"
            );
        }
        let mut appended = Appended::default();
        let incoming = Incoming {
            entries: batch.frames().collect(),
            missing: &batch.missing,
            awaited: &|receipt| self.receipts.is_awaited(receipt),
            now: self.clock.now(),
        };
        let began = Instant::now();
        let stored = self.store.append(&incoming, &mut appended);
        self.meters.ingest.add(began.elapsed());
        // What was stored before a failure stands.
        for (position, reason) in &appended.set_aside {
            self.set_aside.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                position,
                reason,
                "an entry cannot be stored; it is set aside"
            );
        }
        if appended.dropped > 0 {
            tracing::info!(
                entries = appended.dropped,
                "entries of deleted versions were dropped"
            );
        }
        self.receipts.deliver(appended.parts);
        let position = self.store.position();
        self.ingested.send_if_modified(|reached| {
            let moved = *reached != position;
            *reached = position;
            moved
        });
        stored
    }

    /// Lets segments go that the store has for good.
    fn let_go(&self) {
        if !self.journal.could_let_go(self.store.position()) {
            return;
        }
        let gone = self
            .store
            .make_durable()
            .map_err(|error| error.to_string())
            .and_then(|position| self.journal.let_go(position).map_err(|e| e.to_string()));
        match gone {
            Ok(0) => {}
            Ok(_) => self
                .room
                .send_modify(|count| *count = count.wrapping_add(1)),
            Err(error) => tracing::warn!(error, "segments of the journal could not be let go"),
        }
    }

    /// Everything that was appended at a moment is stored.
    fn note_caught_up(&self, at: Timestamp) {
        self.caught_up_at.store(at.micros(), Ordering::Relaxed);
    }

    /// Remembers whether the store takes entries; says whether that has changed.
    fn noted_failure(&self, error: Option<&StoreError>) -> bool {
        self.store_waits.swap(error.is_some(), Ordering::Relaxed) != error.is_some()
    }

    fn note_unreadable(&self, reason: Option<String>) {
        let mut unreadable = self
            .unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *unreadable != reason {
            *unreadable = reason;
        }
    }
}
