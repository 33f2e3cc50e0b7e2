//! A clock that jumps is not followed at once. One that was a year ahead for five seconds would date what comes then in the future for
//! good, drop what waits, and have what is kept for a while removed.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A clock that is set right by a network moves by less, in microseconds: it is followed at once.
const FOLLOWED: i64 = 10_000_000;
/// How long the clock must stay where it has jumped to, in microseconds, before it is followed: ten minutes.
const PATIENCE: i64 = 600_000_000;

/// Tells the time by the clock of the machine and by what passes since it was started. All times are in microseconds.
pub(super) struct Steady {
    /// The clock less what has passed since the machine was started, as it is followed.
    offset: AtomicI64,
    jumped: AtomicBool,
    state: Mutex<State>,
}

struct State {
    /// Since when the clock has been followed without a jump.
    since: i64,
    /// Where the clock has jumped to: its offset, and since when.
    elsewhere: Option<(i64, i64)>,
}

impl Steady {
    pub(super) fn new(wall: i64, passed: i64) -> Self {
        Self {
            offset: AtomicI64::new(wall - passed),
            jumped: AtomicBool::new(false),
            state: Mutex::new(State {
                since: passed,
                elsewhere: None,
            }),
        }
    }

    /// What time it is, when the clock says `wall`.
    pub(super) fn at(&self, wall: i64, passed: i64) -> i64 {
        let offset = self.offset.load(Ordering::Relaxed);
        let found = wall - passed;
        if (found - offset).abs() > FOLLOWED {
            return self.elsewhere(offset, found, passed);
        }
        if found != offset {
            self.offset.store(found, Ordering::Relaxed);
        }
        if self.jumped.load(Ordering::Relaxed) {
            self.back(passed);
        }
        wall
    }

    /// The clock is not where it should be.
    fn elsewhere(&self, offset: i64, found: i64, passed: i64) -> i64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match state.elsewhere {
            Some((known, since)) if (found - known).abs() <= FOLLOWED => since,
            _ => {
                let seconds = (found - offset) / 1_000_000;
                tracing::error!(
                    seconds,
                    "the clock has jumped by so many seconds; time goes on as before until it has stayed there for ten minutes"
                );
                state.elsewhere = Some((found, passed));
                self.jumped.store(true, Ordering::Relaxed);
                passed
            }
        };
        if passed - since < PATIENCE {
            return offset + passed;
        }
        self.follow(&mut state, found, passed);
        found + passed
    }

    fn follow(&self, state: &mut State, offset: i64, passed: i64) {
        tracing::warn!("the clock is followed to where it has jumped to");
        self.offset.store(offset, Ordering::Relaxed);
        self.jumped.store(false, Ordering::Relaxed);
        *state = State {
            since: passed,
            elsewhere: None,
        };
    }

    /// The clock is where it was before it jumped.
    fn back(&self, passed: i64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.jumped.swap(false, Ordering::Relaxed) {
            tracing::info!("the clock is back where it was before it jumped");
            *state = State {
                since: passed,
                elsewhere: None,
            };
        }
    }

    /// Follows the clock to where it has jumped to.
    pub(super) fn believe(&self, passed: i64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((offset, _)) = state.elsewhere {
            self.follow(&mut state, offset, passed);
        }
    }

    /// By how many seconds it is ahead, where it has jumped.
    pub(super) fn jumped(&self) -> Option<i64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (elsewhere, _) = state.elsewhere?;
        Some((elsewhere - self.offset.load(Ordering::Relaxed)) / 1_000_000)
    }

    /// For how long it has been followed without a jump.
    pub(super) fn steady_for(&self, passed: i64) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let steady = match state.elsewhere {
            None => passed - state.since,
            Some(_) => 0,
        };
        Duration::from_micros(u64::try_from(steady).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const YEAR: i64 = 31_536_000;

    #[test]
    fn a_year_for_five_seconds_is_nothing() {
        let steady = Steady::new(100 * YEAR * SECOND, 0);
        let at = |second: i64, wall: i64| {
            let wall = (100 * YEAR + wall) * SECOND;
            (steady.at(wall, second * SECOND) - 100 * YEAR * SECOND) / SECOND
        };
        assert_eq!([at(1, 1), at(2, 2)], [1, 2]);
        for second in 3..8 {
            assert_eq!(at(second, YEAR + second), second);
            assert_eq!(steady.jumped(), Some(YEAR));
            assert_eq!(steady.steady_for(second * SECOND), Duration::ZERO);
        }
        assert_eq!(at(8, 8), 8);
        assert_eq!(steady.jumped(), None);
        assert_eq!(steady.steady_for(68 * SECOND), Duration::from_secs(60));
        // Seconds that a network sets right are followed, in both directions.
        assert_eq!([at(70, 75), at(71, 71)], [75, 71]);
    }

    #[test]
    fn a_clock_that_stays_where_it_jumped_to_is_followed() {
        for jump in [YEAR, -YEAR] {
            let steady = Steady::new(100 * YEAR * SECOND, 0);
            let at = |second: i64, wall: i64| {
                let wall = (100 * YEAR + wall) * SECOND;
                (steady.at(wall, second * SECOND) - 100 * YEAR * SECOND) / SECOND
            };
            assert_eq!(at(100, 100 + jump), 100);
            // It jumps once more: the time begins anew.
            assert_eq!(at(500, 500 + 2 * jump), 500);
            assert_eq!(at(1099, 1099 + 2 * jump), 1099);
            assert_eq!(at(1100, 1100 + 2 * jump), 1100 + 2 * jump);
            assert_eq!(steady.jumped(), None);
            assert_eq!(at(1200, 1200 + 2 * jump), 1200 + 2 * jump);
            // Somebody who knows better says so.
            assert_eq!(at(1300, 1300), 1300 + 2 * jump);
            steady.believe(1301 * SECOND);
            assert_eq!(at(1302, 1302), 1302);
        }
    }
}
