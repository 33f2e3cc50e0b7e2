//! Who waits for the receipt of a request with feedback.
//!
//! A receipt that somebody waits for needs no row. So that none is lost, a caller who runs out of patience
//! while his request is just being stored waits for the end of that; before and after, his leaving is seen
//! in time, and the row is written.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{FeedbackResult, Part};
use tokio::sync::{Notify, oneshot};
use types::ReceiptId;

/// The results of a request, by line.
pub(crate) type Answered = Vec<(u64, FeedbackResult)>;

/// The requests that are on their way.
#[derive(Default)]
pub(crate) struct Receipts {
    waiting: Mutex<Waitings>,
    /// Told when a group was stored, or could not be.
    attempted: Notify,
}

#[derive(Default)]
struct Waitings {
    by_id: HashMap<ReceiptId, Waiting>,
    /// Those that are being stored in the belief that somebody waits.
    relied_on: Vec<ReceiptId>,
    /// Requests that nobody waits for any more, and of which nothing is stored.
    left: HashSet<ReceiptId>,
}

/// So many of those are remembered; of others it is said that the log is behind.
const LEFT_MOST: usize = 100_000;

struct Waiting {
    answer: oneshot::Sender<Answered>,
    /// The results of the parts that are stored.
    results: Answered,
    parts: u32,
    stored: u32,
}

/// A request that is on its way.
pub(crate) struct Awaited {
    id: ReceiptId,
    answer: oneshot::Receiver<Answered>,
}

impl Receipts {
    /// Somebody will wait for a request of so many parts. To be called before the first is appended.
    pub(crate) fn expect(&self, id: ReceiptId, parts: u32) -> Awaited {
        let (sender, answer) = oneshot::channel();
        let waiting = Waiting {
            answer: sender,
            results: Vec::new(),
            parts,
            stored: 0,
        };
        self.lock().by_id.insert(id, waiting);
        Awaited { id, answer }
    }

    /// Whether a request is on its way, as far as this process knows.
    pub(crate) fn is_pending(&self, id: ReceiptId) -> bool {
        let waitings = self.lock();
        waitings.by_id.contains_key(&id) || waitings.left.contains(&id)
    }

    /// Expects a request no more that was not appended after all.
    pub(crate) fn forget(&self, id: ReceiptId) {
        self.lock().by_id.remove(&id);
    }

    /// Waits for the results, at most for so long; `None` when they are not there by then. Their receipt is
    /// kept in that case.
    pub(crate) async fn wait(&self, awaited: Awaited, at_most: Duration) -> Option<Answered> {
        let Awaited { id, mut answer } = awaited;
        if let Ok(answered) = tokio::time::timeout(at_most, &mut answer).await {
            return answered.ok();
        }
        loop {
            let attempted = self.attempted.notified();
            if self.leave(id) {
                return None;
            }
            // It is being stored, or was just now.
            tokio::select! {
                answered = &mut answer => return answered.ok(),
                () = attempted => {}
            }
        }
    }

    /// Nobody waits any more; says false where that was relied on.
    fn leave(&self, id: ReceiptId) -> bool {
        let mut waitings = self.lock();
        if waitings.relied_on.contains(&id) {
            return false;
        }
        // Where it is gone, its answer is on its way.
        let Some(waiting) = waitings.by_id.remove(&id) else {
            return false;
        };
        if waiting.stored == 0 && waitings.left.len() < LEFT_MOST {
            waitings.left.insert(id);
        }
        true
    }

    /// Whether somebody waits for a request that is about to be stored.
    pub(super) fn is_awaited(&self, id: ReceiptId) -> bool {
        let mut waitings = self.lock();
        let waiting = waitings.by_id.get(&id);
        let awaited = waiting.is_some_and(|waiting| !waiting.answer.is_closed());
        if awaited {
            waitings.relied_on.push(id);
        }
        awaited
    }

    /// These parts are stored. What was relied on and not stored is not relied on any more.
    pub(super) fn deliver(&self, parts: Vec<Part>) {
        {
            let mut waitings = self.lock();
            waitings.relied_on.clear();
            parts.into_iter().for_each(|part| waitings.deliver(part));
        }
        self.attempted.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Waitings> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waitings {
    fn deliver(&mut self, part: Part) {
        // From now on there is a row that says how far it is.
        self.left.remove(&part.receipt);
        let Entry::Occupied(mut entry) = self.by_id.entry(part.receipt) else {
            return;
        };
        let request = entry.get_mut();
        request.stored += 1;
        request.results.extend(part.results);
        if request.stored < request.parts {
            return;
        }
        let request = entry.remove();
        // Fails when the caller has gone.
        let _ = request.answer.send(request.results);
    }
}
