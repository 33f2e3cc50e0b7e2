//! Time, randomness and ids: the only places where they come from.

mod steady;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use steady::Steady;
use types::{PredictionId, Timestamp};

/// What time it is.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Whether it can be believed; a clock of one's own always is.
    steady: Option<Arc<Steady>>,
}

impl Clock {
    /// The clock of the machine. Where that jumps, time goes on by the old one until the new one has stayed for a while.
    pub fn system() -> Self {
        let steady = Arc::new(Steady::new(wall(), since_boot()));
        let read = Arc::clone(&steady);
        Self {
            now: Arc::new(move || Timestamp::from_micros(read.at(wall(), since_boot()))),
            steady: Some(steady),
        }
    }

    /// A clock of one's own, for tests.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            now: Arc::new(now),
            steady: None,
        }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// By how many seconds the clock of the machine is ahead of the time that is gone by, where it has jumped; behind it, where that
    /// is negative.
    pub(crate) fn jumped(&self) -> Option<i64> {
        self.steady.as_ref()?.jumped()
    }

    /// Goes by the clock of the machine at once, wherever it has jumped to.
    pub(crate) fn believe(&self) {
        if let Some(steady) = &self.steady {
            steady.believe(since_boot());
        }
    }

    /// Whether it has gone as fast as time passes for so long.
    pub(crate) fn is_steady_for(&self, time: Duration) -> bool {
        let steady = self.steady.as_ref();
        steady.is_none_or(|steady| steady.steady_for(since_boot()) >= time)
    }
}

/// What the machine says, in microseconds since 1970.
fn wall() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// What nobody can set, in microseconds: it goes on while the machine sleeps.
#[cfg(target_os = "linux")]
fn since_boot() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> i64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let passed = BEGAN.get_or_init(Instant::now).elapsed();
    i64::try_from(passed.as_micros()).unwrap_or(i64::MAX)
}

/// Random bits. The generator is fast and seeded by the system; it is not for secrets.
pub(crate) fn random() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where randomness comes from"
    )]
    fastrand::u64(..)
}

/// Ids whose time is further ahead of the clock than this are no reason to date everything after them. It is an hour.
const AHEAD: u64 = (3600 * 1000) << 12;

/// Gives ids that ascend, also where the clock jumps back a little. Where what was given is far ahead of the clock, because that was
/// wrong then, ids are of the time again, and what was given ahead is left out when its time comes.
pub(crate) struct Ids {
    last: AtomicU64,
    /// The first that was given by this server, and the greatest before it: nothing lies between them. The first is 0 before there
    /// is one.
    first: AtomicU64,
    before: AtomicU64,
    has_ahead: AtomicBool,
    ahead: Mutex<Vec<(u64, u64)>>,
}

/// Orders that have been given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// The greatest that is not ahead of the clock.
    pub(crate) last: u64,
    /// The least and the greatest of those that are.
    pub(crate) ahead: Option<(u64, u64)>,
}

impl Given {
    /// Up to which order ids are not ahead of a moment.
    pub(crate) fn limit(now: Timestamp) -> u64 {
        PredictionId::order_at(now).saturating_add(AHEAD)
    }

    /// One more.
    pub(crate) fn note(&mut self, order: u64, limit: u64) {
        if order <= limit {
            self.last = self.last.max(order);
        } else {
            let (least, greatest) = self.ahead.unwrap_or((order, order));
            self.ahead = Some((least.min(order), greatest.max(order)));
        }
    }
}

impl Ids {
    /// Ids after those that were given.
    pub(crate) fn after(given: Given) -> Self {
        Self {
            last: AtomicU64::new(given.last),
            first: AtomicU64::new(0),
            before: AtomicU64::new(given.last),
            has_ahead: AtomicBool::new(given.ahead.is_some()),
            ahead: Mutex::new(given.ahead.into_iter().collect()),
        }
    }

    pub(crate) fn next(&self, now: Timestamp, random: u64) -> PredictionId {
        let at = PredictionId::order_at(now);
        loop {
            let after =
                |last: u64| (!self.comes_back(last, at)).then(|| self.free(at.max(last + 1)));
            let updated = self
                .last
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
            match updated {
                Ok(last) => {
                    let order = self.free(at.max(last + 1));
                    if self.first.load(Ordering::Relaxed) == 0 {
                        self.first.store(order, Ordering::Relaxed);
                    }
                    return PredictionId::new(order, random);
                }
                Err(_) => self.come_back(at),
            }
        }
    }

    /// The next order that was not given ahead of the clock.
    fn free(&self, order: u64) -> u64 {
        if !self.has_ahead.load(Ordering::Acquire) {
            return order;
        }
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let mut order = order;
        // One stretch may begin where another ends.
        while let Some((_, last)) = ahead
            .iter()
            .find(|(first, last)| (*first..=*last).contains(&order))
        {
            order = last + 1;
        }
        order
    }

    /// Whether what was given last is far ahead of the clock, and nothing was given at its time: a clock that falls behind is not
    /// followed.
    fn comes_back(&self, last: u64, at: u64) -> bool {
        last > at.saturating_add(AHEAD)
            && at > self.before.load(Ordering::Relaxed)
            && at < self.first.load(Ordering::Relaxed)
    }

    /// Ids are of the time again.
    fn come_back(&self, at: u64) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let greatest = self.last.load(Ordering::Relaxed);
        if !self.comes_back(greatest, at) {
            return;
        }
        ahead.push((self.first.swap(0, Ordering::Relaxed), greatest));
        self.has_ahead.store(true, Ordering::Release);
        drop(ahead);
        self.last.store(at.saturating_sub(1), Ordering::Relaxed);
        let until = PredictionId::new(greatest, 0).time();
        tracing::warn!(%until, "predictions are dated ahead of the clock, up to this time; new ones are dated by the clock again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_when_the_clock_jumps_back() {
        let ids = Ids::after(Given::default());
        let at = |micros| ids.next(Timestamp::from_micros(micros), 0);
        let given = [at(2_000), at(2_000), at(1_000), at(3_000)];
        assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
        assert_eq!(given[3].time(), Timestamp::from_micros(3_000));
    }

    #[test]
    fn ids_are_of_the_time_again_when_the_clock_is_right() {
        let hour = 3_600_000_000;
        let order = |micros| PredictionId::order_at(Timestamp::from_micros(micros));
        let ids = Ids::after(Given::default());
        let at = |micros| ids.next(Timestamp::from_micros(micros), 0);
        let (year, now) = (8760 * hour, 10 * hour);
        let wrong = [at(year), at(year), at(year + 5_000_000)];
        let right = [at(now), at(now + 1)];
        assert_eq!(
            right.map(PredictionId::time),
            [now, now + 1].map(Timestamp::from_micros)
        );
        // A little ahead is no reason to come back.
        let later = at(now + hour / 2);
        assert!(at(now + 2) > later);
        // A clock that falls behind is not followed: what was given then would be given twice.
        let later = at(now + 3 * hour);
        assert!(at(now + hour) > later);
        // When the time of the wrong ones comes, none is given twice.
        let then: Vec<PredictionId> = [year - 1, year, year, year + 1].map(at).into();
        assert!(
            then.iter().all(|id| !wrong.contains(id)),
            "{then:?} {wrong:?}"
        );
        assert!(
            then[1..].iter().all(|id| *id > wrong[2]),
            "{then:?} {wrong:?}"
        );
        // A start knows them too.
        let mut given = Given::default();
        let limit = Given::limit(Timestamp::from_micros(now));
        for id in wrong.iter().chain(&right) {
            given.note(id.order(), limit);
        }
        assert_eq!(given.ahead, Some((wrong[0].order(), wrong[2].order())));
        let ids = Ids::after(given);
        let at = |micros| ids.next(Timestamp::from_micros(micros), 0);
        assert!(at(now).order() > right[1].order() && at(now) < wrong[0]);
        assert!(at(year + 1).order() > order(year + 5_000_000));
    }
}
