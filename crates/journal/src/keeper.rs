//! The thread that makes room ahead: so that no append waits for the file system to find some.

use crate::segment::{self, Spare};
use crate::write::Shared;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long to wait before room that could not be made is tried for again.
const RETRY: Duration = Duration::from_millis(200);

/// Wakes the keeper.
#[derive(Default)]
pub(crate) struct Wake {
    asked: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Asked {
    #[default]
    Nothing,
    Look,
    End,
}

impl Wake {
    pub(crate) fn now(&self) {
        self.ask(Asked::Look);
    }

    fn ask(&self, what: Asked) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if *asked == Asked::Nothing || what == Asked::End {
            *asked = what;
            self.changed.notify_one();
        }
    }

    /// Sleeps until there is something to do, at most for so long; says false at the end.
    fn wait(&self, at_most: Option<Duration>) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |asked: &mut Asked| *asked == Asked::Nothing;
        let mut asked = match at_most {
            None => self
                .changed
                .wait_while(asked, nothing)
                .unwrap_or_else(PoisonError::into_inner),
            Some(at_most) => {
                let waited = self.changed.wait_timeout_while(asked, at_most, nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if *asked == Asked::End {
            return false;
        }
        *asked = Asked::Nothing;
        true
    }
}

/// The thread; ends when dropped.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let kept = Arc::clone(&shared);
        let run = move || {
            let mut satisfied = true;
            while kept.wake.wait((!satisfied).then_some(RETRY)) {
                // A panic is printed, and tried again: without room ahead the journal would end.
                let kept = catch_unwind(AssertUnwindSafe(|| kept.keep()));
                satisfied = kept.unwrap_or(false);
            }
        };
        let thread = thread::Builder::new()
            .name("weir-journal".into())
            .spawn(run)?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) fn stop(&self) {
        self.shared.wake.ask(Asked::End);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Why there is no room, for people.
fn describe(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::StorageFull => format!("the disk is full: {error}"),
        _ => error.to_string(),
    }
}

impl Shared {
    /// Does what is due; says whether there is as much room ahead as there should be, or may be.
    pub(crate) fn keep(&self) -> bool {
        self.trim_closed();
        while self.wants_spare() {
            if let Err(error) = self.make_spare() {
                self.lock().failure = Some(describe(&error));
                return false;
            }
        }
        // Whoever still wants more than there can be now asks again.
        self.wanted.store(0, Ordering::Relaxed);
        true
    }

    /// Closed segments give back what was allocated and not used.
    fn trim_closed(&self) {
        let untrimmed: Vec<_> = {
            let state = self.lock();
            let closed = state
                .closed
                .iter()
                .filter(|closed| closed.bytes > closed.end && !closed.damaged);
            closed.cloned().collect()
        };
        for closed in untrimmed {
            // It may have been let go meanwhile; otherwise it just stays larger than it need be.
            if closed.segment.file.cut(closed.end).is_err() {
                continue;
            }
            let mut state = self.lock();
            let number = closed.segment.number;
            let trimmed = state.closed.iter_mut().find(|c| c.segment.number == number);
            if let Some(trimmed) = trimmed {
                trimmed.bytes = trimmed.end;
            }
        }
    }

    fn wants_spare(&self) -> bool {
        let state = self.lock();
        let fits = state.bytes() + self.options.segment_bytes <= self.options.max_bytes;
        let least = self.least_free().max(self.wanted.load(Ordering::Relaxed));
        let little = self.free.load(Ordering::Relaxed) < least;
        fits && (state.spares.is_empty() || little)
    }

    fn make_spare(&self) -> std::io::Result<()> {
        let number = {
            let mut state = self.lock();
            state.next_number += 1;
            state.next_number - 1
        };
        let bytes = self.options.segment_bytes;
        let spare = match Spare::make(&*self.disk, number, bytes, &self.server) {
            // A file that could not be removed when it could not be made.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                self.disk.remove(&segment::name(number))?;
                Spare::make(&*self.disk, number, bytes, &self.server)?
            }
            made => made?,
        };
        let usable = self.usable(spare.bytes);
        let mut state = self.lock();
        state.spares.push_back(spare);
        state.failure = None;
        self.free.fetch_add(usable, Ordering::Relaxed);
        Ok(())
    }
}
