//! Time, randomness and ids: the only places where they come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
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
    fn ids_ascend_when_the_clock_jumps_back() {
        let ids = Ids::after(0);
        let at = |micros| ids.next(Timestamp::from_micros(micros), 0);
        let given = [at(2_000), at(2_000), at(1_000), at(3_000)];
        assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
        assert_eq!(given[3].time(), Timestamp::from_micros(3_000));
    }
}
