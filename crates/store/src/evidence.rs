//! How the sums of an arm change when a unit gains a prediction or a value. Pure, so that the
//! writer and a recount do the same.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use types::{Metric, MetricSums};

/// Changes of [`MetricSums`]; corrections can be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Change {
    pub(crate) units: i64,
    pub(crate) count: i64,
    pub(crate) sum: f64,
    pub(crate) sum_squares: f64,
    pub(crate) sum_count_squares: f64,
    pub(crate) sum_products: f64,
    pub(crate) values: i64,
    pub(crate) value_units: i64,
    pub(crate) events: i64,
}

impl Change {
    pub(crate) fn add(&mut self, other: &Self) {
        self.units += other.units;
        self.count += other.count;
        self.sum += other.sum;
        self.sum_squares += other.sum_squares;
        self.sum_count_squares += other.sum_count_squares;
        self.sum_products += other.sum_products;
        self.values += other.values;
        self.value_units += other.value_units;
        self.events += other.events;
    }

    fn negated(self) -> Self {
        Self {
            units: -self.units,
            count: -self.count,
            sum: -self.sum,
            sum_squares: -self.sum_squares,
            sum_count_squares: -self.sum_count_squares,
            sum_products: -self.sum_products,
            values: -self.values,
            value_units: -self.value_units,
            events: -self.events,
        }
    }

    pub(crate) fn sums(&self) -> MetricSums {
        let whole = |n: i64| u64::try_from(n).unwrap_or(0);
        MetricSums {
            units: whole(self.units),
            count: whole(self.count),
            sum: self.sum,
            sum_squares: self.sum_squares,
            sum_count_squares: self.sum_count_squares,
            sum_products: self.sum_products,
            values: whole(self.values),
            value_units: whole(self.value_units),
            events: whole(self.events),
        }
    }
}

/// What happened to one prediction of a unit, for one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// Begins to count: 1 when it did not before, else 0.
    pub(crate) count: u64,
    /// Its value, minus the one it had.
    pub(crate) sum: f64,
    /// A value has come that was not there before.
    pub(crate) valued: bool,
    /// The value is the bad one of a binary metric.
    pub(crate) bad: bool,
}

/// What is known of a unit for one metric: by stretch of exposure time, oldest first, how many of
/// its predictions count and the sum of their values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct UnitMetric {
    /// One, where the metric has no window.
    stretches: SmallVec<[Stretch; 1]>,
    valued: bool,
    /// A bad value was counted as an event of the unit.
    pub(crate) event: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Stretch {
    start: i64,
    count: u64,
    sum: f64,
}

/// The sums of a unit up to some stretch.
#[derive(Clone, Copy, Default)]
struct Running {
    count: f64,
    sum: f64,
}

impl Running {
    fn plus(self, stretch: &Stretch) -> Self {
        Self {
            count: self.count + stretch.count as f64,
            sum: self.sum + stretch.sum,
        }
    }

    /// What a stretch adds to the sums of the arm that brings the unit from here to `next`.
    fn part(self, next: Self) -> Change {
        Change {
            units: i64::from(self.count == 0.0 && next.count > 0.0),
            count: (next.count - self.count) as i64,
            sum: next.sum - self.sum,
            sum_squares: next.sum * next.sum - self.sum * self.sum,
            sum_count_squares: next.count * next.count - self.count * self.count,
            sum_products: next.sum * next.count - self.sum * self.count,
            ..Change::default()
        }
    }
}

/// Where stretches are put together that have matured: no comparison tells them apart any more.
const MATURED: i64 = -1;
/// So many stretches of a unit are kept apart before the matured ones are put together.
const MANY: usize = 8;

impl UnitMetric {
    /// Of a unit with one prediction: whether it counts, and its value so far.
    pub(crate) fn of_one(start: i64, counts: bool, value: Option<f64>) -> Self {
        let one = Stretch {
            start,
            count: u64::from(counts),
            sum: value.unwrap_or(0.0),
        };
        Self {
            stretches: SmallVec::from_buf([one]),
            valued: value.is_some(),
            event: false,
        }
    }

    /// Takes a step of a prediction in the stretch that begins at `start`, and tells what changes in
    /// the sums of each stretch. The squares of a unit are kept as differences of its running sums,
    /// so that the sums up to any stretch are those of the unit up to there.
    pub(crate) fn take(
        &mut self,
        start: i64,
        step: Step,
        cutoff: i64,
        mut changes: impl FnMut(i64, Change),
    ) {
        if self.stretches.len() >= MANY {
            self.put_together(cutoff);
        }
        let matured = self.stretches.first().is_some_and(|s| s.start == MATURED);
        let start = if start <= cutoff && matured {
            MATURED
        } else {
            start
        };
        let at = match self.stretches.binary_search_by_key(&start, |s| s.start) {
            Ok(at) => at,
            Err(at) => {
                let empty = Stretch {
                    start,
                    count: 0,
                    sum: 0.0,
                };
                self.stretches.insert(at, empty);
                at
            }
        };
        let earlier = self.stretches[..at].iter();
        let mut running = earlier.fold(Running::default(), |running, s| running.plus(s));
        let mut own = Change {
            values: i64::from(step.valued),
            value_units: i64::from(step.valued && !self.valued),
            events: i64::from(step.bad && !self.event),
            ..Change::default()
        };
        self.valued |= step.valued;
        self.event |= step.bad;
        // The stretch itself, and the later ones, whose running sums begin higher.
        let mut before = running;
        for (later, stretch) in self.stretches[at..].iter_mut().enumerate() {
            let old = before.part(before.plus(stretch));
            before = before.plus(stretch);
            if later == 0 {
                stretch.count += step.count;
                stretch.sum += step.sum;
            }
            let mut change = running.part(running.plus(stretch));
            running = running.plus(stretch);
            change.add(&old.negated());
            change.add(&std::mem::take(&mut own));
            changes(stretch.start, change);
        }
    }

    fn put_together(&mut self, cutoff: i64) {
        let matured = self.stretches.partition_point(|s| s.start <= cutoff);
        if matured < 2 {
            return;
        }
        let old = self.stretches.drain(..matured);
        let (count, sum) = old.fold((0, 0.0), |(count, sum), s| (count + s.count, sum + s.sum));
        let together = Stretch {
            start: MATURED,
            count,
            sum,
        };
        self.stretches.insert(0, together);
    }
}

/// The stretch that a moment falls into, in seconds; 0 for a metric without a window.
pub(crate) fn start_of(metric: &Metric, seconds: i64) -> i64 {
    let bucket = metric.bucket_seconds();
    bucket.map_or(0, |bucket| seconds.div_euclid(bucket) * bucket)
}

/// Stretches that begin at or before this have matured at `now`, in seconds.
pub(crate) fn cutoff(metric: &Metric, now: i64) -> i64 {
    let window = i64::try_from(metric.window_seconds).unwrap_or(i64::MAX);
    now.saturating_sub(window)
        .saturating_sub(metric.bucket_seconds().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sums of one unit from all of its predictions, at once.
    fn whole(predictions: &[(i64, f64)], until: i64) -> Change {
        let counted = predictions.iter().filter(|(start, _)| *start <= until);
        let (mut n, mut sum) = (0.0, 0.0);
        for (_, value) in counted {
            n += 1.0;
            sum += value;
        }
        Change {
            units: i64::from(n > 0.0),
            count: n as i64,
            sum,
            sum_squares: sum * sum,
            sum_count_squares: n * n,
            sum_products: n * sum,
            ..Change::default()
        }
    }

    #[test]
    fn every_prefix_is_what_the_unit_was_up_to_there() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut unit = UnitMetric::default();
            let mut predictions = Vec::new();
            let mut by_start = std::collections::BTreeMap::<i64, Change>::new();
            for _ in 0..random.usize(1..12) {
                let start = random.i64(0..6) * 10;
                // Whole numbers add up without rounding.
                let value = random.i64(-5..6) as f64;
                predictions.push((start, value));
                let step = Step {
                    count: 1,
                    sum: value,
                    valued: true,
                    bad: false,
                };
                unit.take(start, step, i64::MIN, |start, change| {
                    by_start.entry(start).or_default().add(&change);
                });
            }
            for until in (0..60).step_by(10) {
                let mut sum = Change::default();
                for (_, change) in by_start.range(..=until) {
                    sum.add(change);
                }
                (sum.values, sum.value_units) = (0, 0);
                assert_eq!(
                    sum,
                    whole(&predictions, until),
                    "{predictions:?} until {until}"
                );
            }
        }
    }

    #[test]
    fn matured_stretches_are_put_together_without_changing_the_total() {
        let mut unit = UnitMetric::default();
        let mut total = Change::default();
        let mut predictions = Vec::new();
        for n in 0..40 {
            let step = Step {
                count: 1,
                sum: f64::from(n),
                valued: true,
                bad: n % 2 == 0,
            };
            let start = i64::from(n) * 10;
            predictions.push((start, f64::from(n)));
            unit.take(start, step, start - 50, |_, change| total.add(&change));
        }
        assert!(unit.stretches.len() <= MANY + 1, "{}", unit.stretches.len());
        assert_eq!((total.values, total.value_units, total.events), (40, 1, 1));
        (total.values, total.value_units, total.events) = (0, 0, 0);
        assert_eq!(total, whole(&predictions, i64::MAX));
    }
}
