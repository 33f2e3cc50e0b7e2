//! How the sums of an arm change when a unit gains a prediction or a value.

use crate::bets::Bets;
use crate::exact::ExactSum;
use crate::part::Parts;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use types::{CovariateSums, Exposures, Metric, MetricSums, PartSums, Scale};

/// Whole numbers up to here are exact.
const WHOLE: f64 = 9_007_199_254_740_992.0;
/// What values that are all alike may differ by from their mean, as it is rounded: 2^-48.
const ROUNDING: f64 = 3.552_713_678_800_501e-15;

/// Changes of [`MetricSums`]; corrections can be negative.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    /// Units with predictions that count.
    pub units: i64,
    /// ΣD: predictions that count.
    pub count: i64,
    /// ΣM: their values.
    pub sum: ExactSum,
    /// ΣM² over units.
    pub sum_squares: ExactSum,
    /// ΣD² over units.
    pub sum_count_squares: f64,
    /// ΣMD over units.
    pub sum_products: ExactSum,
    /// Predictions with a value.
    pub values: i64,
    /// Units with a value.
    pub value_units: i64,
    /// Of these, those that came to the experiment in the epoch.
    pub fresh_values: i64,
    /// Units with a bad value, the first one of each.
    pub events: i64,
    /// Of `fresh_values`, those whose first value came within a quarter of the window.
    pub early: i64,
    /// Values that came after the window of their prediction.
    pub late: i64,
    /// What they put into bets.
    pub bets: Bets,
    /// Of the units whose covariate is known; `None` where the metric has none.
    pub covariate: Option<Box<CovariateDelta>>,
    /// By parts of the units, where these are kept: ΣD, and the sum of the values within floor and cap of the scale.
    pub parts: Parts,
}

/// Changes of [`types::CovariateSums`], about 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CovariateDelta {
    units: i64,
    count: i64,
    /// ΣM.
    sum: ExactSum,
    /// Σx.
    covariate: ExactSum,
    /// Σx².
    squares: ExactSum,
    /// ΣxM.
    products: ExactSum,
    /// ΣxD.
    count_products: ExactSum,
}

impl CovariateDelta {
    /// Of a unit with a covariate, of which so much changes.
    fn of(x: f64, change: &Delta) -> Self {
        let covariate = ExactSum::from(x);
        let mut of = Self {
            units: change.units,
            count: change.count,
            sum: change.sum.clone(),
            ..Self::default()
        };
        of.covariate.add_multiple(&covariate, change.units as f64);
        of.squares
            .add_product(&covariate, &covariate, change.units as f64);
        of.products.add_multiple(&change.sum, x);
        of.count_products
            .add_multiple(&covariate, change.count as f64);
        of
    }

    fn shift(&mut self, other: &Self, sign: i64) {
        self.units += sign * other.units;
        self.count += sign * other.count;
        let mut add = |own: fn(&mut Self) -> &mut ExactSum, more: &ExactSum| {
            if sign > 0 {
                own(self).add_sum(more);
            } else {
                own(self).subtract_sum(more);
            }
        };
        add(|own| &mut own.sum, &other.sum);
        add(|own| &mut own.covariate, &other.covariate);
        add(|own| &mut own.squares, &other.squares);
        add(|own| &mut own.products, &other.products);
        add(|own| &mut own.count_products, &other.count_products);
    }

    /// The sums, with M − aD in place of M, about the mean of the covariate.
    fn sums(&self, a: f64) -> CovariateSums {
        let whole = |n: i64| u64::try_from(n).unwrap_or(0);
        let b = match self.units {
            0 => 0.0,
            units => self.covariate.value() / units as f64,
        };
        let (n, count) = (self.units as f64, self.count as f64);
        let mut sum = self.sum.clone();
        sum.add_multiple(&a.into(), -count);
        let mut covariate = self.covariate.clone();
        covariate.add_multiple(&b.into(), -n);
        // Σx² − 2bΣx + nb² = Σx² − bΣx − bΣ(x − b), and likewise.
        let mut squares = self.squares.clone();
        squares.add_multiple(&self.covariate, -b);
        squares.add_multiple(&covariate, -b);
        let mut count_products = self.count_products.clone();
        count_products.add_multiple(&b.into(), -count);
        let mut products = self.products.clone();
        products.add_multiple(&self.count_products, -a);
        products.add_multiple(&sum, -b);
        CovariateSums {
            units: whole(self.units),
            count: whole(self.count),
            sum: sum.value(),
            about: b,
            covariate: covariate.value(),
            squares: squares.value().max(0.0),
            products: products.value(),
            count_products: count_products.value(),
        }
    }
}

impl Delta {
    /// Adds what others have added.
    pub fn add(&mut self, other: &Self) {
        self.shift(other, 1);
        self.sum.add_sum(&other.sum);
        self.sum_squares.add_sum(&other.sum_squares);
        self.sum_products.add_sum(&other.sum_products);
        self.bets.add(&other.bets);
        self.parts.add(&other.parts);
    }

    /// Takes away what was added.
    pub fn subtract(&mut self, other: &Self) {
        self.shift(other, -1);
        self.sum.subtract_sum(&other.sum);
        self.sum_squares.subtract_sum(&other.sum_squares);
        self.sum_products.subtract_sum(&other.sum_products);
        self.bets.subtract(&other.bets);
        self.parts.subtract(&other.parts);
    }

    fn shift(&mut self, other: &Self, sign: i64) {
        self.units += sign * other.units;
        self.count += sign * other.count;
        self.sum_count_squares += sign as f64 * other.sum_count_squares;
        self.values += sign * other.values;
        self.value_units += sign * other.value_units;
        self.fresh_values += sign * other.fresh_values;
        self.events += sign * other.events;
        self.early += sign * other.early;
        self.late += sign * other.late;
        if let Some(more) = &other.covariate {
            let own = self.covariate.get_or_insert_default();
            own.shift(more, sign);
        }
    }

    /// The same of a unit whose covariate is known.
    #[must_use]
    pub fn with_covariate(mut self, x: Option<f64>) -> Self {
        let nothing = self.units == 0 && self.count == 0 && self.sum == ExactSum::default();
        if let Some(x) = x.filter(|_| !nothing) {
            self.covariate = Some(Box::new(CovariateDelta::of(x, &self)));
        }
        self
    }

    /// The sums by part, about the reference point of [`Self::sums`].
    pub fn part_sums(&self) -> Vec<PartSums> {
        self.parts.sums(self.reference())
    }

    /// The sums that have come together, where these are all.
    pub fn sums(&self) -> MetricSums {
        let whole = |n: i64| u64::try_from(n).unwrap_or(0);
        let about = self.reference();
        let (sum, sum_squares, sum_products) = self.about(about);
        MetricSums {
            units: whole(self.units),
            count: whole(self.count),
            about,
            sum,
            sum_squares,
            sum_count_squares: self.sum_count_squares,
            sum_products,
            values: whole(self.values),
            value_units: whole(self.value_units),
            fresh_values: whole(self.fresh_values),
            events: whole(self.events),
            early: whole(self.early),
            late: whole(self.late),
            covariate: match &self.covariate {
                Some(covariate) => covariate.sums(about),
                None => CovariateSums::default(),
            },
        }
    }

    /// What its sums are best given about: their mean, or 0 where they are whole numbers that need no help.
    fn reference(&self) -> f64 {
        let (sum, squares) = (self.sum.value(), self.sum_squares.value());
        let whole = sum.fract() == 0.0 && squares.fract() == 0.0 && squares <= WHOLE;
        if whole || self.count <= 0 {
            return 0.0;
        }
        sum / self.count as f64
    }

    /// Σ(M − aD), Σ(M − aD)² and Σ(M − aD)D, from the exact sums.
    fn about(&self, a: f64) -> (f64, f64, f64) {
        if a == 0.0 {
            let squares = self.sum_squares.value();
            return (self.sum.value(), squares, self.sum_products.value());
        }
        let mut sum = self.sum.clone();
        sum.add_multiple(&a.into(), -(self.count as f64));
        let mut products = self.sum_products.clone();
        products.add_multiple(&a.into(), -self.sum_count_squares);
        // ΣM² − 2aΣMD + a²ΣD² = ΣM² − aΣMD − aΣ(M − aD)D.
        let mut squares = self.sum_squares.clone();
        squares.add_multiple(&self.sum_products, -a);
        squares.add_multiple(&products, -a);
        let rounding = a * ROUNDING;
        if squares.value() <= rounding * rounding * self.sum_count_squares {
            // All are alike: the reference point is only the nearest number.
            return (0.0, 0.0, 0.0);
        }
        (sum.value(), squares.value(), products.value())
    }

    /// Exposures, where these are the sums of them in an epoch with these scales; see [`Exposure::delta`].
    ///
    /// [`Exposure::delta`]: crate::Exposure::delta
    pub fn exposures(&self, scales: &[Option<Scale>]) -> Exposures {
        let sums = self.sums();
        Exposures {
            units: sums.units,
            // Releases without scales did not tell first ones apart.
            first: if scales.is_empty() {
                sums.units
            } else {
                sums.value_units
            },
            left_out: sums.values,
            predictions: sums.count,
            fallbacks: sums.events,
        }
    }

    /// What a fresh unit with these predictions adds, that was not there before.
    pub fn of_unit(count: u64, sum: &ExactSum, values: i64) -> Self {
        let d = count as f64;
        let mut change = Self {
            units: i64::from(count > 0),
            count: count as i64,
            sum: sum.clone(),
            sum_count_squares: d * d,
            values,
            value_units: i64::from(values > 0),
            fresh_values: i64::from(values > 0),
            ..Self::default()
        };
        change.sum_squares.add_product(sum, sum, 1.0);
        change.sum_products.add_multiple(sum, d);
        change
    }
}

/// What happened to one prediction of a unit, for one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Gain {
    /// Begins to count: 1 when it did not before, else 0.
    pub count: u64,
    /// Its value, minus the one it had.
    pub sum: ExactSum,
    /// What it was worth before; `None` where it did not count.
    pub before: Option<f64>,
    /// What it is worth.
    pub after: f64,
    /// A value has come that was not there before.
    pub valued: bool,
    /// The value is the bad one of a binary metric.
    pub bad: bool,
    /// And so was the one whose place it took: an event that nothing is left of is taken back.
    pub was_bad: bool,
    /// The event of its unit is counted in another epoch.
    pub counted_elsewhere: bool,
    /// Its unit came to the experiment in this epoch.
    pub fresh: bool,
    /// How long after the prediction the value came, in seconds.
    pub delay: i64,
}

/// Of a window, this part is early.
const EARLY: u64 = 4;

impl Gain {
    /// Whether its value came early in the window, and whether it came after it.
    pub fn timing(&self, metric: &Metric) -> (bool, bool) {
        let window = metric.window_seconds;
        let delay = u64::try_from(self.delay).unwrap_or(0);
        let timed = self.valued && window > 0 && metric.from_feedback();
        (timed && delay <= window / EARLY, timed && delay > window)
    }
}

/// What is known of a unit for one metric: by stretch of exposure time, oldest first, how many of
/// its predictions count and the sum of their values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitMetric {
    /// One, where the metric has no window.
    stretches: SmallVec<[Stretch; 1]>,
    valued: bool,
    /// The stretch in which a bad value was counted as the event of the unit.
    event: Option<i64>,
    /// What bets see of it.
    pub outcome: UnitOutcome,
}

/// The outcome of a unit as bets see it: one number, fixed at one time. With a window it is the mean of its values over
/// its first window in the epoch, without one its first value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UnitOutcome {
    count: u32,
    sum: ExactSum,
    /// Without a window: the prediction whose value it is, by the order of its id. Of a metric per unit: when the unit was
    /// exposed first in the experiment, in microseconds; `None` in the epochs to which it came later.
    pub of: Option<u64>,
}

/// What happened to a prediction for one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Happening {
    /// The prediction, by the order of its id.
    pub order: u64,
    /// When it was made, in seconds.
    pub made: i64,
    /// When this happened, in seconds.
    pub at: i64,
    /// What it was worth before; `None` where it did not count.
    pub before: Option<f64>,
    /// What it is worth.
    pub after: Option<f64>,
}

impl UnitOutcome {
    /// Of a unit with one prediction.
    pub fn of_one(order: u64, worth: Option<f64>) -> Self {
        Self {
            count: u32::from(worth.is_some()),
            sum: worth.unwrap_or(0.0).into(),
            of: worth.map(|_| order),
        }
    }

    /// The number, where there is one.
    pub fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value() / f64::from(self.count))
    }

    /// Takes what happened to a prediction of a unit that was seen first at `began`, in seconds; says whether it was in
    /// time to count.
    pub fn take(&mut self, metric: &Metric, began: i64, happened: &Happening) -> bool {
        if metric.window_seconds > 0 {
            let window = i64::try_from(metric.window_seconds).unwrap_or(i64::MAX);
            let until = began.saturating_add(window);
            if happened.made > until || happened.at > until {
                return false;
            }
        } else if happened.after.is_none()
            || *self.of.get_or_insert(happened.order) != happened.order
        {
            return false;
        }
        if let Some(before) = happened.before {
            self.count = self.count.saturating_sub(1);
            self.sum.add(-before);
        }
        if let Some(after) = happened.after {
            self.count += 1;
            self.sum.add(after);
        }
        true
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stretch {
    start: i64,
    count: u64,
    sum: ExactSum,
    /// Bad values.
    bad: u64,
}

/// The sums of a unit up to some stretch.
struct Running {
    count: u64,
    sum: ExactSum,
}

impl Running {
    fn of(stretch: &Stretch) -> Self {
        Self {
            count: stretch.count,
            sum: stretch.sum.clone(),
        }
    }

    fn add(&mut self, stretch: &Stretch) {
        self.count += stretch.count;
        self.sum.add_sum(&stretch.sum);
    }
}

/// Where stretches are put together that have matured: no comparison tells them apart any more.
const MATURED: i64 = -1;
/// So many stretches of a unit are kept apart before the matured ones are put together.
const MANY: usize = 8;

impl UnitMetric {
    /// Of a unit with one prediction: whether it counts, its value so far, and whether that was counted as an event, of which there
    /// is one for each bad value.
    pub fn of_one(start: i64, counts: bool, value: Option<f64>, event: bool) -> Self {
        let one = Stretch {
            start,
            count: u64::from(counts),
            sum: value.unwrap_or(0.0).into(),
            bad: u64::from(event),
        };
        Self {
            stretches: SmallVec::from_buf([one]),
            valued: value.is_some(),
            event: event.then_some(start),
            outcome: UnitOutcome::default(),
        }
    }

    /// Takes a gain of a prediction in the stretch that begins at `start`, and tells what changes in
    /// the sums of each stretch. The squares of a unit are kept as differences of its running sums,
    /// so that the sums up to any stretch are those of the unit up to there.
    ///
    /// With R and N the sum and the count of the unit before a stretch, and s and d its own, the stretch
    /// has (R + s)² − R² = 2Rs + s² of the squares, and so on; x and δ are what is added to s and d.
    pub fn take(
        &mut self,
        start: i64,
        gain: &Gain,
        cutoff: i64,
        mut changes: impl FnMut(i64, Delta),
    ) {
        if self.stretches.len() >= MANY {
            self.put_together(cutoff);
        }
        let at = self.place(start, cutoff);
        let (x, delta) = (&gain.sum, gain.count as f64);
        // R + s, and N + d.
        let mut until = Running::of(&self.stretches[at]);
        self.stretches[..at].iter().for_each(|s| until.add(s));
        let counts_event = gain.bad && !gain.counted_elsewhere && self.event.is_none();
        let own = &mut self.stretches[at];
        let count = until.count as f64;
        let mut change = Delta {
            units: i64::from(until.count == 0 && gain.count > 0),
            count: gain.count as i64,
            sum: x.clone(),
            sum_count_squares: (2.0 * count + delta) * delta,
            values: i64::from(gain.valued),
            value_units: i64::from(gain.valued && !self.valued),
            fresh_values: i64::from(gain.valued && !self.valued && gain.fresh),
            events: i64::from(counts_event),
            ..Delta::default()
        };
        // 2(R + s)x + x², and x(N + d + δ) + (R + s)δ.
        change.sum_squares.add_product(&until.sum, x, 2.0);
        change.sum_squares.add_product(x, x, 1.0);
        change.sum_products.add_multiple(x, count + delta);
        change.sum_products.add_multiple(&until.sum, delta);
        changes(own.start, change);
        own.count += gain.count;
        own.sum.add_sum(x);
        own.bad = (own.bad + u64::from(gain.bad)).saturating_sub(u64::from(gain.was_bad));
        self.valued |= gain.valued;
        if counts_event {
            self.event = Some(own.start);
        } else if gain.was_bad
            && self.stretches.iter().all(|stretch| stretch.bad == 0)
            && let Some(start) = self.event.take()
        {
            // Where it was counted, which need not be the stretch of this prediction.
            let taken_back = Delta {
                events: -1,
                ..Delta::default()
            };
            changes(start, taken_back);
        }
        // The later ones, whose running sums begin higher by x and δ.
        let mut counted = until.count;
        for stretch in &self.stretches[at + 1..] {
            let d = stretch.count as f64;
            let mut change = Delta {
                // The unit was new there, and is not any more.
                units: -i64::from(counted == 0 && gain.count > 0 && stretch.count > 0),
                sum_count_squares: 2.0 * d * delta,
                ..Delta::default()
            };
            change.sum_squares.add_product(&stretch.sum, x, 2.0);
            change.sum_products.add_multiple(x, d);
            change.sum_products.add_multiple(&stretch.sum, delta);
            changes(stretch.start, change);
            counted += stretch.count;
        }
    }

    /// Whether an event of the unit is counted here.
    pub fn had_event(&self) -> bool {
        self.event.is_some()
    }

    /// Counts an event of a unit that has none, where it has a bad value: tells in which stretch.
    pub fn count_event(&mut self) -> Option<i64> {
        let first = self.stretches.iter().find(|stretch| stretch.bad > 0);
        let counted = first.map(|stretch| stretch.start);
        let counted = counted.filter(|_| self.event.is_none())?;
        self.event = Some(counted);
        Some(counted)
    }

    /// The place of a stretch, which is made where it is missing.
    fn place(&mut self, start: i64, cutoff: i64) -> usize {
        let matured = self.stretches.first().is_some_and(|s| s.start == MATURED);
        let start = if start <= cutoff && matured {
            MATURED
        } else {
            start
        };
        match self.stretches.binary_search_by_key(&start, |s| s.start) {
            Ok(at) => at,
            Err(at) => {
                let empty = Stretch {
                    start,
                    count: 0,
                    sum: ExactSum::default(),
                    bad: 0,
                };
                self.stretches.insert(at, empty);
                at
            }
        }
    }

    fn put_together(&mut self, cutoff: i64) {
        let matured = self.stretches.partition_point(|s| s.start <= cutoff);
        if matured < 2 {
            return;
        }
        let mut together = Stretch {
            start: MATURED,
            count: 0,
            sum: ExactSum::default(),
            bad: 0,
        };
        for stretch in self.stretches.drain(..matured) {
            together.count += stretch.count;
            together.sum.add_sum(&stretch.sum);
            together.bad += stretch.bad;
        }
        self.stretches.insert(0, together);
    }
}

/// The state of a unit as earlier releases stored it.
pub mod earlier {
    use super::{
        ExactSum, MATURED, SmallVec, Stretch as Present, UnitMetric as PresentMetric, UnitOutcome,
    };
    use serde::Deserialize;

    /// Of releases that did not know how many bad values there are: an event was never taken back.
    #[derive(Deserialize)]
    pub struct WithoutBad {
        stretches: SmallVec<[Stretch<ExactSum>; 1]>,
        valued: bool,
        event: bool,
        outcome: UnitOutcome,
    }

    /// Of releases without bets.
    #[derive(Deserialize)]
    pub struct WithoutBets {
        stretches: SmallVec<[Stretch<ExactSum>; 1]>,
        valued: bool,
        event: bool,
    }

    /// Of releases before the journal: sums were plain numbers.
    #[derive(Deserialize)]
    pub struct UnitMetric {
        stretches: SmallVec<[Stretch<f64>; 1]>,
        valued: bool,
        event: bool,
    }

    #[derive(Deserialize)]
    struct Stretch<S> {
        start: i64,
        count: u64,
        sum: S,
    }

    /// The bad value that was counted as an event is in the first stretch, as far as is known.
    fn present<S: Into<ExactSum>>(
        stretches: SmallVec<[Stretch<S>; 1]>,
        (valued, event): (bool, bool),
        outcome: UnitOutcome,
    ) -> PresentMetric {
        let mut bad = u64::from(event);
        let stretch = |old: Stretch<S>| Present {
            start: old.start,
            count: old.count,
            sum: old.sum.into(),
            bad: std::mem::take(&mut bad),
        };
        PresentMetric {
            stretches: stretches.into_iter().map(stretch).collect(),
            valued,
            event: event.then_some(MATURED),
            outcome,
        }
    }

    impl From<WithoutBad> for PresentMetric {
        fn from(old: WithoutBad) -> Self {
            present(old.stretches, (old.valued, old.event), old.outcome)
        }
    }

    impl From<WithoutBets> for PresentMetric {
        fn from(old: WithoutBets) -> Self {
            let known = (old.valued, old.event);
            present(old.stretches, known, UnitOutcome::default())
        }
    }

    impl From<UnitMetric> for PresentMetric {
        fn from(old: UnitMetric) -> Self {
            let known = (old.valued, old.event);
            present(old.stretches, known, UnitOutcome::default())
        }
    }
}

/// The stretch that a moment falls into, in seconds; 0 for a metric without a window.
pub fn start_of(metric: &Metric, seconds: i64) -> i64 {
    let bucket = metric.bucket_seconds();
    bucket.map_or(0, |bucket| seconds.div_euclid(bucket) * bucket)
}

/// Stretches that begin at or before this have matured at `now`, in seconds.
pub fn cutoff(metric: &Metric, now: i64) -> i64 {
    let window = i64::try_from(metric.window_seconds).unwrap_or(i64::MAX);
    now.saturating_sub(window)
        .saturating_sub(metric.bucket_seconds().unwrap_or(0))
}

/// What was made before this has matured at `now`, both in seconds.
pub fn matured_before(metric: &Metric, now: i64) -> i64 {
    cutoff(metric, now).saturating_add(metric.bucket_seconds().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sums of one unit from all of its predictions, at once.
    fn whole(predictions: &[(i64, f64)], until: i64) -> Delta {
        let counted = predictions.iter().filter(|(start, _)| *start <= until);
        let (mut n, mut sum) = (0, ExactSum::default());
        for (_, value) in counted {
            n += 1;
            sum.add(*value);
        }
        Delta::of_unit(n, &sum, 0)
    }

    #[test]
    fn every_prefix_is_what_the_unit_was_up_to_there() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut unit = UnitMetric::default();
            let mut predictions = Vec::new();
            let mut by_start = std::collections::BTreeMap::<i64, Delta>::new();
            for _ in 0..random.usize(1..12) {
                let start = random.i64(0..6) * 10;
                let value = (random.f64() - 0.5) * 10f64.powi(random.i32(-9..15));
                predictions.push((start, value));
                let gain = Gain {
                    before: None,
                    after: 0.0,
                    count: 1,
                    sum: value.into(),
                    valued: true,
                    bad: false,
                    was_bad: false,
                    counted_elsewhere: false,
                    fresh: true,
                    delay: 0,
                };
                unit.take(start, &gain, i64::MIN, |start, change| {
                    by_start.entry(start).or_default().add(&change);
                });
            }
            for until in (0..60).step_by(10) {
                let mut sum = Delta::default();
                for (_, change) in by_start.range(..=until) {
                    sum.add(change);
                }
                (sum.values, sum.value_units, sum.fresh_values) = (0, 0, 0);
                assert_eq!(
                    sum,
                    whole(&predictions, until),
                    "{predictions:?} until {until}"
                );
            }
        }
    }

    #[test]
    fn a_value_that_is_corrected_leaves_nothing_behind() {
        for (wrong, right) in [(1e12, 1.0), (1e15, 1e-9), (-1e15, 0.3), (1e100, 7.0)] {
            let mut sums = Delta::default();
            let mut unit = UnitMetric::default();
            let mut take = |sum: ExactSum, count| {
                let gain = Gain {
                    before: None,
                    after: 0.0,
                    count,
                    sum,
                    valued: count > 0,
                    bad: false,
                    was_bad: false,
                    counted_elsewhere: false,
                    fresh: true,
                    delay: 0,
                };
                unit.take(0, &gain, i64::MIN, |_, change| sums.add(&change));
            };
            take(0.1.into(), 1);
            take(wrong.into(), 1);
            let mut correction = ExactSum::from(right);
            correction.add(-wrong);
            take(correction, 0);
            let mut expected = ExactSum::from(0.1);
            expected.add(right);
            assert_eq!(
                sums,
                Delta {
                    values: 2,
                    value_units: 1,
                    fresh_values: 1,
                    ..Delta::of_unit(2, &expected, 0)
                }
            );
        }
    }

    #[test]
    fn matured_stretches_are_put_together_without_changing_the_total() {
        let mut unit = UnitMetric::default();
        let mut total = Delta::default();
        let mut predictions = Vec::new();
        for n in 0..40 {
            let gain = Gain {
                before: None,
                after: 0.0,
                count: 1,
                sum: f64::from(n).into(),
                valued: true,
                bad: n % 2 == 0,
                was_bad: false,
                counted_elsewhere: false,
                fresh: true,
                delay: 0,
            };
            let start = i64::from(n) * 10;
            predictions.push((start, f64::from(n)));
            unit.take(start, &gain, start - 50, |_, change| total.add(&change));
        }
        assert!(unit.stretches.len() <= MANY + 1, "{}", unit.stretches.len());
        assert_eq!((total.values, total.value_units, total.events), (40, 1, 1));
        (total.values, total.value_units, total.events) = (0, 0, 0);
        total.fresh_values = 0;
        assert_eq!(total, whole(&predictions, i64::MAX));
    }
}
