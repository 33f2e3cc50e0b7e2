//! What is counted in memory while requests are answered: for `/metrics`. A count costs an addition that nobody waits for.

use crate::access::rights::ROWS;
use api::ErrorCode;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets of every histogram, in seconds; the last one is without end.
pub(crate) const BOUNDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The same in nanoseconds.
const BOUNDS_NS: [u64; BOUNDS.len()] = {
    let mut bounds = [0; BOUNDS.len()];
    let mut at = 0;
    while at < bounds.len() {
        bounds[at] = (BOUNDS[at] * 1e9) as u64;
        at += 1;
    }
    bounds
};

/// Counts that threads keep beside each other, so that none waits for a line of the cache that another has just written; they are
/// added up when they are read.
#[derive(Debug, Default)]
struct Lanes<T>([Lane<T>; LANES]);

/// A line of the cache, and the one that is fetched with it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane<T>(T);

/// More threads than these share a lane.
const LANES: usize = 4;

impl<T> Lanes<T> {
    /// The one of this thread.
    fn mine(&self) -> &T {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
        }
        &self.0[MINE.with(|mine| *mine)].0
    }

    /// The sum of a count.
    fn sum(&self, count: impl Fn(&T) -> &AtomicU64) -> u64 {
        let each = self.0.iter().map(|lane| &lane.0);
        each.map(|lane| count(lane).load(Ordering::Relaxed)).sum()
    }
}

/// How long things took.
#[derive(Debug, Default)]
pub(crate) struct Timing(Lanes<Times>);

#[derive(Debug, Default)]
struct Times {
    /// One for each of [`BOUNDS`], and one beyond.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// What a [`Timing`] has counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Timed {
    pub(crate) seconds: f64,
    pub(crate) buckets: Vec<u64>,
}

impl Timing {
    pub(crate) fn add(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let at = BOUNDS_NS.partition_point(|bound| nanoseconds > *bound);
        let times = self.0.mine();
        times.buckets[at].fetch_add(1, Ordering::Relaxed);
        times.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Timed {
        let buckets = (0..=BOUNDS.len()).map(|at| self.0.sum(|times| &times.buckets[at]));
        Timed {
            seconds: self.0.sum(|times| &times.nanoseconds) as f64 / 1e9,
            buckets: buckets.collect(),
        }
    }
}

impl Timed {
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// The calls of a route.
#[derive(Debug, Default)]
pub(crate) struct RouteMeter {
    /// By the first digit of the status, from 1.
    by_status: Lanes<[AtomicU64; 5]>,
    pub(crate) time: Timing,
}

impl RouteMeter {
    pub(crate) fn add(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.by_status.mine()[class].fetch_add(1, Ordering::Relaxed);
        self.time.add(took);
    }

    /// The classes of statuses that were sent, and how often.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        let counts = classes.into_iter().enumerate();
        let counts = counts.map(|(at, class)| (class, self.by_status.sum(|counts| &counts[at])));
        counts.filter(|(_, count)| *count > 0)
    }
}

/// All that is counted.
#[derive(Debug)]
pub(crate) struct Meters {
    /// By the place of the route in [`ROWS`]; the last one is of paths that are none.
    routes: Vec<RouteMeter>,
    /// Problems that were sent, by their code.
    refusals: Vec<AtomicU64>,
    /// How long it takes to hand entries of the journal to the system.
    pub(crate) commit: Timing,
    /// How long it takes to store a group of entries.
    pub(crate) ingest: Timing,
    /// How long a look at all experiments takes.
    pub(crate) tick: Timing,
    /// When the last one ended, in microseconds since 1970.
    pub(crate) ticked_at: AtomicI64,
    /// Connections that are open.
    pub(crate) connections: AtomicI64,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            routes: (0..=ROWS.len()).map(|_| RouteMeter::default()).collect(),
            refusals: ErrorCode::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            commit: Timing::default(),
            ingest: Timing::default(),
            tick: Timing::default(),
            ticked_at: AtomicI64::new(0),
            connections: AtomicI64::new(0),
        }
    }
}

impl Meters {
    /// A call of a route, by its place in [`ROWS`].
    pub(crate) fn called(&self, route: Option<usize>, status: u16, took: Duration) {
        let at = route.unwrap_or(ROWS.len());
        self.routes[at].add(status, took);
    }

    pub(crate) fn refused(&self, code: ErrorCode) {
        self.refusals[code as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The routes that were called, with their method and path.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (&'static str, &'static str, &RouteMeter)> {
        let named = ROWS.iter().map(|row| (row.method, row.path));
        let named = named.chain([("other", "other")]);
        let all = named.zip(&self.routes);
        all.map(|((method, path), meter)| (method, path, meter))
            .filter(|(_, _, meter)| meter.statuses().next().is_some())
    }

    /// The codes of problems that were sent, and how often.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        let counts = self
            .refusals
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let all = ErrorCode::ALL.iter().copied().zip(counts);
        all.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_within_their_bounds() {
        let timing = Timing::default();
        for micros in [1, 500, 501, 10_000_000, 10_000_001] {
            timing.add(Duration::from_micros(micros));
        }
        let read = timing.read();
        assert_eq!(
            (
                read.buckets[0],
                read.buckets[1],
                read.buckets[13],
                read.buckets[14]
            ),
            (2, 1, 1, 1)
        );
        assert!((read.seconds - 20.001_003).abs() < 1e-9);
        assert_eq!(read.count(), 5);
    }

    #[test]
    fn what_many_threads_count_is_added_up() {
        let meter = RouteMeter::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * LANES + 1 {
                scope.spawn(|| (0..1000).for_each(|_| meter.add(200, Duration::from_millis(1))));
            }
        });
        let all = 1000 * (2 * LANES as u64 + 1);
        assert_eq!(meter.statuses().collect::<Vec<_>>(), [("2xx", all)]);
        assert_eq!(
            (meter.time.read().count(), meter.time.read().buckets[1]),
            (all, all)
        );
    }

    #[test]
    fn every_code_has_a_place_of_its_own() {
        let meters = Meters::default();
        for code in ErrorCode::ALL {
            meters.refused(*code);
        }
        assert!(meters.refusals().all(|(_, count)| count == 1));
        assert_eq!(meters.refusals().count(), ErrorCode::ALL.len());
    }
}
