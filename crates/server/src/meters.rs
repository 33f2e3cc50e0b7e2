//! What is counted in memory while requests are answered: for `/metrics`. A count costs an addition that nobody waits for.

use crate::access::rights::ROWS;
use api::ErrorCode;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets of every histogram, in seconds; the last one is without end.
pub(crate) const BOUNDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How long things took.
#[derive(Debug, Default)]
pub(crate) struct Timing {
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
        let seconds = took.as_secs_f64();
        let at = BOUNDS.partition_point(|bound| seconds > *bound);
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Timed {
        let counts = self.buckets.iter();
        Timed {
            seconds: self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9,
            buckets: counts.map(|count| count.load(Ordering::Relaxed)).collect(),
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
    by_status: [AtomicU64; 5],
    pub(crate) time: Timing,
}

impl RouteMeter {
    pub(crate) fn add(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.by_status[class].fetch_add(1, Ordering::Relaxed);
        self.time.add(took);
    }

    /// The classes of statuses that were sent, and how often.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        let counts = self
            .by_status
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        classes
            .into_iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
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
    fn every_code_has_a_place_of_its_own() {
        let meters = Meters::default();
        for code in ErrorCode::ALL {
            meters.refused(*code);
        }
        assert!(meters.refusals().all(|(_, count)| count == 1));
        assert_eq!(meters.refusals().count(), ErrorCode::ALL.len());
    }
}
