//! What one version may take from the others: so many calls at once, and none while it keeps failing.
//!
//! A bulkhead and a circuit breaker (M. Nygard, Release It!, 2007). While the breaker refuses calls, the version is asked
//! with its probe now and then, which costs no caller anything; the first answer lets calls in again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// So many failures without an answer in between, and calls are refused.
const IN_A_ROW: u32 = 10;
/// So many calls in a stretch of time at least, of which half have failed, and calls are refused.
const CALLS: u32 = 20;
/// The stretch of time, and its parts: the oldest one is forgotten when a new one begins.
const STRETCH: Duration = Duration::from_secs(10);
const PARTS: usize = 10;

/// How often a version is asked with its probe while calls are refused.
pub const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Lets calls in, or not.
#[derive(Debug)]
pub(crate) struct Gate {
    most: usize,
    calls: Semaphore,
    breaker: Mutex<Breaker>,
    refuses: AtomicBool,
}

/// Why a call is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Others have not come back.
    #[error("{0} calls of the version are under way, as many as it may have")]
    Full(usize),
    /// It keeps failing.
    #[error("the version keeps failing, so it is not called until its probe is answered: {0}")]
    Failing(Arc<str>),
}

#[derive(Debug, Default)]
struct Breaker {
    /// Calls and failures, by part of the stretch.
    parts: [(u32, u32); PARTS],
    /// The part that is added to, and when it began.
    present: usize,
    began: Option<Instant>,
    in_a_row: u32,
    /// Why calls are refused, while they are.
    refusing: Option<Arc<str>>,
}

impl Gate {
    /// For so many calls at once.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            calls: Semaphore::new(most),
            breaker: Mutex::default(),
            refuses: AtomicBool::new(false),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in, until the pass is dropped.
    pub(crate) fn enter(&self) -> Result<SemaphorePermit<'_>, Refused> {
        if self.refuses.load(Ordering::Acquire)
            && let Some(why) = &self.breaker().refusing
        {
            return Err(Refused::Failing(Arc::clone(why)));
        }
        self.calls
            .try_acquire()
            .map_err(|_| Refused::Full(self.most))
    }

    /// Takes note of how a call went: why it failed, where it has.
    pub(crate) fn ended(&self, failure: Option<&str>, now: Instant) {
        let mut breaker = self.breaker();
        breaker.turn(now);
        let present = breaker.present;
        let (calls, failures) = &mut breaker.parts[present];
        *calls += 1;
        let Some(why) = failure else {
            breaker.in_a_row = 0;
            return;
        };
        *failures += 1;
        breaker.in_a_row += 1;
        let (calls, failures) = breaker
            .parts
            .iter()
            .fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        let often = calls >= CALLS && 2 * failures >= calls;
        if breaker.refusing.is_none() && (often || breaker.in_a_row >= IN_A_ROW) {
            breaker.refusing = Some(why.into());
            self.refuses.store(true, Ordering::Release);
        }
    }

    /// Its probe was answered: calls are let in again, and what was before is forgotten.
    pub(crate) fn answered(&self) {
        *self.breaker() = Breaker::default();
        self.refuses.store(false, Ordering::Release);
    }

    /// Why calls are refused, while they are.
    pub(crate) fn refusing(&self) -> Option<Arc<str>> {
        self.breaker().refusing.clone()
    }
}

impl Breaker {
    /// Begins new parts for the time that has passed.
    fn turn(&mut self, now: Instant) {
        let part = STRETCH / PARTS as u32;
        let mut began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) >= 2 * STRETCH {
            // All of it is long ago.
            self.parts = Default::default();
            began = now;
        }
        while now.saturating_duration_since(began) >= part {
            began += part;
            self.present = (self.present + 1) % PARTS;
            self.parts[self.present] = (0, 0);
        }
        self.began = Some(began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_calls_than_may_be_are_let_in() {
        let gate = Gate::new(2);
        let one = gate.enter().unwrap();
        let two = gate.enter().unwrap();
        assert_eq!(gate.enter().unwrap_err(), Refused::Full(2));
        drop(one);
        drop(gate.enter().unwrap());
        drop(two);
    }

    #[test]
    fn calls_are_refused_after_failures_in_a_row_until_the_probe_is_answered() {
        let (gate, now) = (Gate::new(9), Instant::now());
        for n in 1..=IN_A_ROW {
            gate.ended(Some("no answer"), now);
            assert_eq!(gate.refusing().is_some(), n == IN_A_ROW);
        }
        let why = gate.enter().unwrap_err();
        assert_eq!(why, Refused::Failing("no answer".into()));
        // Those that were under way say nothing new.
        gate.ended(Some("late"), now);
        assert_eq!(gate.refusing().as_deref(), Some("no answer"));
        gate.answered();
        assert!(gate.enter().is_ok());
        gate.ended(Some("once"), now);
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn half_of_the_calls_of_ten_seconds_are_too_many() {
        let (gate, start) = (Gate::new(9), Instant::now());
        let step = Duration::from_millis(100);
        // One in three fails, for long.
        let mut now = start;
        for n in 0..1000 {
            now += step;
            gate.ended((n % 3 == 0).then_some("some"), now);
            assert_eq!(gate.refusing(), None);
        }
        // Then every second one.
        let mut tripped = None;
        for n in 0..200 {
            now += step;
            gate.ended((n % 2 == 0).then_some("many"), now);
            if gate.refusing().is_some() {
                tripped = Some(n);
                break;
            }
        }
        assert!(tripped.is_some_and(|n| n < 150), "{tripped:?}");
        // Few failures, long apart, are not many.
        gate.answered();
        for _ in 0..IN_A_ROW - 1 {
            now += 3 * STRETCH;
            gate.ended(Some("rare"), now);
            assert_eq!(gate.refusing(), None);
        }
    }
}
