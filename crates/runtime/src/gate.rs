//! What one version may take from the others: so many calls at once, and none while it keeps failing.
//!
//! A bulkhead and a circuit breaker (M. Nygard, Release It!, 2007). While the breaker refuses calls, the version is asked
//! with its probe now and then, which costs no caller anything; the first answer lets calls in again.

use crate::Turn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many failures without an answer in between, and calls are refused.
const IN_A_ROW: u32 = 10;
/// So many calls in a stretch of time at least, of which half have failed, and calls are refused.
const CALLS: u32 = 20;
/// The stretch of time, and its parts: the oldest one is forgotten when a new one begins.
const STRETCH: Duration = Duration::from_secs(10);
const PARTS: usize = 10;

/// So many probes in a row of a version that has nothing to do, and it is not ready.
const PROBES_IN_A_ROW: u32 = 3;

/// How often a version is asked with its probe while calls are refused.
pub const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Lets calls in, or not.
#[derive(Debug)]
pub(crate) struct Gate {
    most: usize,
    calls: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    refuses: AtomicBool,
}

/// A call that was let in. Its place is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    _place: OwnedSemaphorePermit,
    /// How often calls had been let in again when it came: what is older says nothing of the version as it is.
    round: u64,
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
    /// When something was last asked of it, a probe included.
    asked: Option<Instant>,
    /// Probes that were not answered since something was.
    probes: u32,
    round: u64,
    /// Why calls are refused, while they are.
    refusing: Option<Arc<str>>,
}

impl Gate {
    /// For so many calls at once.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            calls: Arc::new(Semaphore::new(most)),
            breaker: Mutex::default(),
            refuses: AtomicBool::new(false),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in, until the pass is dropped. Those in place of another version leave it a third of its places for its own.
    pub(crate) fn enter(&self, turn: Turn) -> Result<Pass, Refused> {
        let breaker = self.breaker();
        if let Some(why) = &breaker.refusing {
            return Err(Refused::Failing(Arc::clone(why)));
        }
        let full = || Refused::Full(self.most);
        if turn == Turn::InPlace && self.calls.available_permits() <= self.most / 3 {
            return Err(full());
        }
        Ok(Pass {
            _place: Arc::clone(&self.calls)
                .try_acquire_owned()
                .map_err(|_| full())?,
            round: breaker.round,
        })
    }

    /// Takes note of how a call went: why it failed, where it has.
    pub(crate) fn ended(&self, pass: &Pass, failure: Option<&str>, now: Instant) {
        let mut breaker = self.breaker();
        if pass.round != breaker.round {
            return;
        }
        (breaker.asked, breaker.probes) = (Some(now), 0);
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

    /// Whether nothing has been asked of the version for so long; if so, it is about to be.
    pub(crate) fn is_idle(&self, interval: Duration, now: Instant) -> bool {
        let mut breaker = self.breaker();
        let asked = *breaker.asked.get_or_insert(now);
        let idle = breaker.refusing.is_none() && now.saturating_duration_since(asked) >= interval;
        if idle {
            breaker.asked = Some(now);
        }
        idle
    }

    /// A version that had nothing to do was sent its probe: why that failed, where it has.
    pub(crate) fn probed(&self, failure: Option<&str>) {
        let mut breaker = self.breaker();
        let Some(why) = failure else {
            breaker.probes = 0;
            return;
        };
        breaker.probes += 1;
        if breaker.refusing.is_none() && breaker.probes >= PROBES_IN_A_ROW {
            breaker.refusing = Some(why.into());
            self.refuses.store(true, Ordering::Release);
        }
    }

    /// Its probe was answered: calls are let in again, and what was before is forgotten.
    pub(crate) fn answered(&self) {
        let mut breaker = self.breaker();
        *breaker = Breaker {
            round: breaker.round + 1,
            ..Breaker::default()
        };
        self.refuses.store(false, Ordering::Release);
    }

    /// Whether calls are refused.
    pub(crate) fn is_refusing(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
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
        let gate = Gate::new(3);
        let one = gate.enter(Turn::Own).unwrap();
        let two = gate.enter(Turn::InPlace).unwrap();
        // The last place is for its own.
        let third = gate.enter(Turn::InPlace).unwrap_err();
        assert_eq!(third, Refused::Full(3));
        let three = gate.enter(Turn::Own).unwrap();
        assert_eq!(gate.enter(Turn::Own).unwrap_err(), Refused::Full(3));
        drop(one);
        drop(gate.enter(Turn::Own).unwrap());
        drop((two, three));
    }

    fn end(gate: &Gate, failure: Option<&str>, now: Instant) {
        let pass = gate.enter(Turn::Own).unwrap();
        gate.ended(&pass, failure, now);
    }

    #[test]
    fn calls_are_refused_after_failures_in_a_row_until_the_probe_is_answered() {
        let (gate, now) = (Gate::new(9), Instant::now());
        let (late, later) = (
            gate.enter(Turn::Own).unwrap(),
            gate.enter(Turn::Own).unwrap(),
        );
        for n in 1..=IN_A_ROW {
            end(&gate, Some("no answer"), now);
            assert_eq!(gate.refusing().is_some(), n == IN_A_ROW);
        }
        let why = gate.enter(Turn::Own).unwrap_err();
        assert_eq!(why, Refused::Failing("no answer".into()));
        // Those that were under way say nothing new, and nothing of it as it is then.
        gate.ended(&late, Some("late"), now);
        assert_eq!(gate.refusing().as_deref(), Some("no answer"));
        gate.answered();
        gate.ended(&later, Some("later"), now);
        for _ in 1..IN_A_ROW {
            end(&gate, Some("again"), now);
        }
        assert!(!gate.is_refusing());
    }

    #[test]
    fn an_idle_version_that_does_not_answer_its_probe_is_not_ready() {
        let (gate, start) = (Gate::new(9), Instant::now());
        let interval = Duration::from_secs(30);
        assert!(!gate.is_idle(interval, start));
        assert!(gate.is_idle(interval, start + interval));
        assert!(!gate.is_idle(interval, start + interval));
        // A call in between is an answer, and no reason to ask.
        gate.probed(Some("gone"));
        end(&gate, None, start + interval);
        assert!(!gate.is_idle(interval, start + interval + Duration::from_secs(29)));
        for n in 1..=PROBES_IN_A_ROW {
            assert!(!gate.is_refusing());
            assert!(gate.is_idle(interval, start + (n + 1) * interval));
            gate.probed(Some("gone"));
        }
        assert_eq!(gate.refusing().as_deref(), Some("gone"));
        assert!(!gate.is_idle(interval, start + 100 * interval));
        gate.answered();
        assert!(!gate.is_refusing());
    }

    #[test]
    fn half_of_the_calls_of_ten_seconds_are_too_many() {
        let (gate, start) = (Gate::new(9), Instant::now());
        let step = Duration::from_millis(100);
        // One in three fails, for long.
        let mut now = start;
        for n in 0..1000 {
            now += step;
            end(&gate, (n % 3 == 0).then_some("some"), now);
            assert_eq!(gate.refusing(), None);
        }
        // Then every second one.
        let mut tripped = None;
        for n in 0..200 {
            now += step;
            end(&gate, (n % 2 == 0).then_some("many"), now);
            if gate.is_refusing() {
                tripped = Some(n);
                break;
            }
        }
        assert!(tripped.is_some_and(|n| n < 150), "{tripped:?}");
        // Few failures, long apart, are not many.
        gate.answered();
        for _ in 0..IN_A_ROW - 1 {
            now += 3 * STRETCH;
            end(&gate, Some("rare"), now);
            assert_eq!(gate.refusing(), None);
        }
    }
}
