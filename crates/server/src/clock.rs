//! Time, randomness and ids: the only places where they come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use types::{PredictionId, Timestamp};

/// What time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self::new(|| {
            #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        })
    }

    /// A clock of one's own, for tests.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// Whether the clock can be believed where a wrong one would do harm that cannot be undone: it has gone as fast as time passes,
/// for a while.
pub(crate) struct Steady {
    clock: Clock,
    /// How long it must have.
    wanted: Duration,
    /// The same moment by the clock and by what cannot be set.
    since: (Timestamp, Instant),
    /// What was said of it last.
    told: bool,
}

/// A clock that is set right by a network moves by less.
const JUMP: Duration = Duration::from_secs(30);

impl Steady {
    pub(crate) fn new(clock: &Clock, wanted: Duration) -> Self {
        Self {
            since: (clock.now(), Instant::now()),
            clock: clock.clone(),
            wanted,
            told: false,
        }
    }

    /// What time it is, where that can be believed.
    pub(crate) fn now(&mut self) -> Option<Timestamp> {
        self.at(Instant::now())
    }

    fn at(&mut self, instant: Instant) -> Option<Timestamp> {
        let now = self.clock.now();
        let passed = instant.saturating_duration_since(self.since.1);
        let moved = now.micros_since(self.since.0);
        let off = i128::from(moved) - i128::try_from(passed.as_micros()).unwrap_or(i128::MAX);
        if off.unsigned_abs() > JUMP.as_micros() {
            let seconds = off / 1_000_000;
            tracing::error!(
                seconds,
                "the clock has jumped; nothing is removed for its age until it has been steady for a while"
            );
            self.since = (now, instant);
            self.told = true;
            // Without any patience it is believed at once.
            return self.wanted.is_zero().then_some(now);
        }
        let steady = passed >= self.wanted;
        if steady && std::mem::take(&mut self.told) {
            tracing::info!("the clock has been steady for a while, and is believed again");
        }
        steady.then_some(now)
    }
}

/// Random bits. The generator is fast and seeded by the system; it is not for secrets.
pub(crate) fn random() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where randomness comes from"
    )]
    fastrand::u64(..)
}

/// Gives ids that ascend whatever the clock does.
pub(crate) struct Ids {
    last: AtomicU64,
}

impl Ids {
    /// Ids after an order.
    pub(crate) fn after(last: u64) -> Self {
        Self {
            last: AtomicU64::new(last),
        }
    }

    pub(crate) fn next(&self, now: Timestamp, random: u64) -> PredictionId {
        let at = PredictionId::order_at(now);
        let after = |last: u64| Some(at.max(last + 1));
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        let last = last.unwrap_or_else(|last| last);
        PredictionId::new(at.max(last + 1), random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_is_not_believed_for_a_while() {
        use std::sync::atomic::AtomicI64;
        let wall = Arc::new(AtomicI64::new(1_000_000_000_000));
        let read = Arc::clone(&wall);
        let clock = Clock::new(move || Timestamp::from_micros(read.load(Ordering::Relaxed)));
        let mut steady = Steady::new(&clock, Duration::from_secs(600));
        let begin = steady.since.1;
        let mut at = |second: u64, wall_second: i64| {
            wall.store(
                1_000_000_000_000 + wall_second * 1_000_000,
                Ordering::Relaxed,
            );
            steady.at(begin + Duration::from_secs(second)).is_some()
        };
        assert!(
            !at(0, 0) && !at(300, 300) && at(600, 605),
            "the beginning is a while too"
        );
        let year = 31_536_000;
        assert!(!at(660, year + 660), "it is a year ahead");
        assert!(!at(720, 720), "and back again");
        assert!(!at(1200, 1200) && at(1320, 1325));
        // One that stays where it has jumped is believed in the end.
        assert!(!at(1400, year) && !at(1900, year + 500) && at(2000, year + 600));
    }

    #[test]
    fn ids_ascend_when_the_clock_jumps_back() {
        let ids = Ids::after(0);
        let at = |micros| ids.next(Timestamp::from_micros(micros), 0);
        let given = [at(2_000), at(2_000), at(1_000), at(3_000)];
        assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
        assert_eq!(given[3].time(), Timestamp::from_micros(3_000));
    }
}
