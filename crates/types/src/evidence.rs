//! What the log adds up for an experiment: sums, which the judge reads.

use crate::{Reason, Scale, Timestamp, UnlikeLabels, VersionKey};
use serde::{Deserialize, Serialize};

/// Sums over the units of an arm in an epoch, for one metric. The value of a unit is M, the sum of
/// its values, over D, how many of its predictions count; a prediction without a `unit_id` is a unit
/// of its own.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MetricSums {
    /// Units with D > 0.
    pub units: u64,
    /// ΣD: predictions that count.
    pub count: u64,
    /// The reference point a that the next sums are about: squares of large values that differ little would lose
    /// all of their digits.
    pub about: f64,
    /// Σ(M − aD).
    pub sum: f64,
    /// Σ(M − aD)².
    pub sum_squares: f64,
    /// ΣD².
    pub sum_count_squares: f64,
    /// Σ(M − aD)D.
    pub sum_products: f64,
    /// Predictions with a value.
    pub values: u64,
    /// Units with a value: the first one counts.
    pub value_units: u64,
    /// Of these, those that came to the experiment in this epoch.
    pub fresh_values: u64,
    /// Units with a bad value of a binary metric: the first one in the experiment counts.
    pub events: u64,
    /// Of `fresh_values`, those whose first value came within a quarter of the window.
    pub early: u64,
    /// Values that came after the window of their prediction.
    pub late: u64,
    /// Of the units whose covariate is known.
    pub covariate: CovariateSums,
}

/// Sums over the units of an arm whose covariate x is known; M, D and a are those of [`MetricSums`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CovariateSums {
    /// Units with D > 0.
    pub units: u64,
    /// ΣD.
    pub count: u64,
    /// Σ(M − aD).
    pub sum: f64,
    /// The reference point b that the next sums are about.
    pub about: f64,
    /// Σ(x − b).
    pub covariate: f64,
    /// Σ(x − b)².
    pub squares: f64,
    /// Σ(x − b)(M − aD).
    pub products: f64,
    /// Σ(x − b)D.
    pub count_products: f64,
}

impl CovariateSums {
    /// The same with M − (a − shift)D in place of M − aD.
    fn shifted(self, shift: f64) -> Self {
        Self {
            sum: self.sum + shift * self.count as f64,
            products: self.products + shift * self.count_products,
            ..self
        }
    }

    /// The same about another reference point.
    #[must_use]
    pub fn rebased(self, about: f64) -> Self {
        let shift = self.about - about;
        if shift == 0.0 {
            return self;
        }
        let n = self.units as f64;
        Self {
            about,
            covariate: self.covariate + shift * n,
            squares: self.squares + shift * (2.0 * self.covariate + shift * n),
            products: self.products + shift * self.sum,
            count_products: self.count_products + shift * self.count as f64,
            ..self
        }
    }

    /// Each sum, times a factor.
    fn scaled(self, factor: f64) -> [f64; 5] {
        let sums = [
            self.sum,
            self.covariate,
            self.squares,
            self.products,
            self.count_products,
        ];
        sums.map(|sum| factor * sum)
    }

    fn shift(&mut self, other: &Self, sign: f64, whole: impl Fn(u64, u64) -> u64) {
        if self.units == 0 {
            *self = self.rebased(other.about);
        }
        let moved = other.rebased(self.about).scaled(sign);
        self.units = whole(self.units, other.units);
        self.count = whole(self.count, other.count);
        self.sum += moved[0];
        self.covariate += moved[1];
        self.squares += moved[2];
        self.products += moved[3];
        self.count_products += moved[4];
    }

    fn times(self, n: u64) -> Self {
        let [sum, covariate, squares, products, count_products] = self.scaled(n as f64);
        Self {
            units: self.units * n,
            count: self.count * n,
            sum,
            about: self.about,
            covariate,
            squares,
            products,
            count_products,
        }
    }

    fn agrees_with(&self, other: &Self) -> bool {
        let near = |(a, b): (f64, f64)| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3);
        let there = other.rebased(self.about);
        let sums = self.scaled(1.0).into_iter().zip(there.scaled(1.0));
        (self.units, self.count) == (other.units, other.count) && sums.into_iter().all(near)
    }
}

impl MetricSums {
    /// ΣM.
    pub fn total(&self) -> f64 {
        self.sum + self.about * self.count as f64
    }

    /// The same about another reference point.
    #[must_use]
    pub fn rebased(self, about: f64) -> Self {
        // M − bD = (M − aD) + (a − b)D.
        let shift = self.about - about;
        if shift == 0.0 {
            return self;
        }
        Self {
            about,
            sum: self.sum + shift * self.count as f64,
            sum_squares: self.sum_squares
                + 2.0 * shift * self.sum_products
                + shift * shift * self.sum_count_squares,
            sum_products: self.sum_products + shift * self.sum_count_squares,
            covariate: self.covariate.shifted(shift),
            ..self
        }
    }

    /// Adds `other`, or takes it away when `sign` is −1.
    fn shift(&mut self, other: &Self, sign: f64) {
        let whole = |a: u64, b: u64| {
            if sign > 0.0 {
                a.saturating_add(b)
            } else {
                a.saturating_sub(b)
            }
        };
        if self.count == 0 {
            *self = self.rebased(other.about);
        }
        let moved = other.rebased(self.about);
        self.units = whole(self.units, other.units);
        self.count = whole(self.count, other.count);
        self.values = whole(self.values, other.values);
        self.value_units = whole(self.value_units, other.value_units);
        self.fresh_values = whole(self.fresh_values, other.fresh_values);
        self.events = whole(self.events, other.events);
        self.early = whole(self.early, other.early);
        self.late = whole(self.late, other.late);
        self.sum += sign * moved.sum;
        self.sum_squares += sign * moved.sum_squares;
        self.sum_count_squares += sign * moved.sum_count_squares;
        self.sum_products += sign * moved.sum_products;
        self.covariate.shift(&moved.covariate, sign, whole);
    }

    /// The sums of so many times as many units that are alike.
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        let factor = n as f64;
        Self {
            units: self.units * n,
            count: self.count * n,
            about: self.about,
            sum: self.sum * factor,
            sum_squares: self.sum_squares * factor,
            sum_count_squares: self.sum_count_squares * factor,
            sum_products: self.sum_products * factor,
            values: self.values * n,
            value_units: self.value_units * n,
            fresh_values: self.fresh_values * n,
            events: self.events * n,
            early: self.early * n,
            late: self.late * n,
            covariate: self.covariate.times(n),
        }
    }

    /// Adds the sums of other units.
    pub fn add(&mut self, other: &Self) {
        self.shift(other, 1.0);
    }

    /// Takes sums away that were added.
    pub fn subtract(&mut self, other: &Self) {
        self.shift(other, -1.0);
    }

    /// Whether a recount agrees: counts and events exactly, sums to 1e-9 relative.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3);
        let there = other.rebased(self.about);
        let counts = |s: &Self| {
            (
                s.units,
                s.count,
                s.values,
                s.value_units,
                s.fresh_values,
                s.events,
            )
        };
        counts(self) == counts(other)
            && near(self.total(), other.total())
            && near(self.sum_squares, there.sum_squares)
            && near(self.sum_count_squares, there.sum_count_squares)
            && near(self.sum_products, there.sum_products)
            && self.covariate.agrees_with(&there.covariate)
    }
}

/// Who was exposed to an arm in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exposures {
    /// Units, each counted at its first exposure in the epoch.
    pub units: u64,
    /// Of these, those that were not exposed in the experiment before.
    pub first: u64,
    /// Those that are left out of bets, because nothing was left to chance when they came back.
    pub left_out: u64,
    /// Predictions.
    pub predictions: u64,
    /// Of these, how many another version answered. They count for this arm all the same.
    pub fallbacks: u64,
}

/// How many bets there are on each question, of different sizes.
pub const BETS: usize = 13;

/// What the units of an arm in an epoch add to bets on a metric, each with one number from 0 to 1 (see [`Scale`]).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BetSums {
    /// Units that count.
    pub units: u64,
    /// Of these, those that came to the experiment in this epoch: their probability to be a candidate's is its share.
    pub fresh: u64,
    /// Σg, Σg² and Σg³ over these.
    pub powers: [f64; 3],
    /// Of them again, those with a 0 or a 1 of a binary metric: counts say all of them, and they are not in `logs`.
    pub counted: u64,
    /// Those of them with a 1.
    pub ones: u64,
    /// ln of what each bet has won on the other units: by candidate (one, where the arm is a candidate's), and for each
    /// by question.
    pub logs: Vec<[f64; BETS]>,
    /// Σ of what values lie above the cap, less what they lie below the floor.
    pub beyond: f64,
    /// Where the scale has a line for the covariate: of the same fresh units.
    pub predicted: Option<PredictedSums>,
}

/// Sums over units of what is predicted of each by its covariate, z, with its number g; both are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PredictedSums {
    /// Σz, Σz² and Σz³.
    pub powers: [f64; 3],
    /// Σgz, Σg²z and Σgz².
    pub products: [f64; 3],
}

/// The sums of a metric in an arm and an epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricEvidence {
    /// Predictions whose window has passed.
    pub matured: MetricSums,
    /// All predictions, the young ones included.
    pub all: MetricSums,
    /// Units whose window has passed, as bets see them; empty where the epoch has no scale.
    pub bets: BetSums,
    /// Of `matured`, by parts of the units; a unit is in the same part in all epochs. Empty where parts are not kept.
    pub parts: Vec<PartSums>,
}

/// How many parts units are divided into, by chance, where parts are kept: what differs between parts is how much an estimate
/// errs, whatever the predictions of one unit have to do with each other.
pub const PARTS: usize = 64;

/// Sums over the predictions of a part of the units of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PartSums {
    /// ΣD: predictions that count.
    pub count: u64,
    /// Σ(M − aD), with the a of [`MetricEvidence::matured`] and values within floor and cap of the scale, where there is one.
    pub sum: f64,
}

/// What one arm gathered in an epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArmEvidence {
    /// Who was exposed.
    pub exposures: Exposures,
    /// By metric, in the order of the definition.
    pub metrics: Vec<MetricEvidence>,
}

/// What was gathered while the weights stayed the same.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochEvidence {
    /// The epoch.
    pub epoch: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// The published share of each arm; they sum to 1.
    pub shares: Vec<f64>,
    /// By metric: the scale of its bets, fixed when the epoch began. Empty in epochs of releases that had none.
    pub scales: Vec<Option<Scale>>,
    /// By arm, the control first.
    pub arms: Vec<ArmEvidence>,
    /// By day, oldest first. Empty where an epoch is shorter than a day (those of a bandit), and in epochs of releases that kept
    /// no days.
    pub days: Vec<DayEvidence>,
}

/// Units of an arm that came to the experiment on one day, for one metric: each has one number from 0 to 1 (see [`Scale`]).
/// Units that were in an earlier epoch are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DaySums {
    /// How many.
    pub units: u64,
    /// Σg, Σg² and Σg³.
    pub powers: [f64; 3],
}

/// Units by the day on which they came to an experiment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DayEvidence {
    /// The day, UTC, counted from 1970-01-01.
    pub day: i64,
    /// By arm and metric.
    pub arms: Vec<Vec<DaySums>>,
}

impl DayEvidence {
    /// The day of a moment, in seconds since 1970.
    pub fn of(seconds: i64) -> i64 {
        seconds.div_euclid(SECONDS_PER_DAY)
    }

    /// When a day begins, in seconds since 1970.
    pub fn start(day: i64) -> i64 {
        day.saturating_mul(SECONDS_PER_DAY)
    }
}

const SECONDS_PER_DAY: i64 = 86_400;

/// What an arm met in ten seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ArmSlot {
    /// Its predictions.
    pub calls: u64,
    /// Of metrics that are known at once and had bad events: the place, units with their first one, and predictions with
    /// one.
    pub events: Vec<(u32, u64, u64)>,
}

/// What an arm met in a minute.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ArmMinute {
    /// By ten seconds.
    pub slots: [ArmSlot; 6],
}

impl ArmSlot {
    /// Counts events of a metric.
    pub fn add_events(&mut self, metric: usize, first: u64, bad: u64) {
        let place = u32::try_from(metric).unwrap_or(u32::MAX);
        match self.events.binary_search_by_key(&place, |event| event.0) {
            Ok(at) => {
                self.events[at].1 += first;
                self.events[at].2 += bad;
            }
            Err(at) => self.events.insert(at, (place, first, bad)),
        }
    }

    /// First events and bad predictions of a metric.
    pub fn of(&self, metric: usize) -> (u64, u64) {
        let events = self
            .events
            .iter()
            .filter(|event| event.0 as usize == metric);
        events.fold((0, 0), |sum, event| (sum.0 + event.1, sum.1 + event.2))
    }
}

impl ArmMinute {
    /// The slot that a moment falls into, in seconds.
    pub fn slot(&mut self, seconds: i64) -> &mut ArmSlot {
        let at = seconds.rem_euclid(60) / 10;
        &mut self.slots[at as usize]
    }

    /// Predictions.
    pub fn calls(&self) -> u64 {
        self.slots.iter().map(|slot| slot.calls).sum()
    }

    /// First events and bad predictions of a metric.
    pub fn of(&self, metric: usize) -> (u64, u64) {
        let each = self.slots.iter().map(|slot| slot.of(metric));
        each.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
    }

    /// Adds what others have counted.
    pub fn add(&mut self, other: &Self) {
        for (slot, more) in self.slots.iter_mut().zip(&other.slots) {
            slot.calls += more.calls;
            for (metric, first, bad) in &more.events {
                slot.add_events(*metric as usize, *first, *bad);
            }
        }
    }
}

/// What came in a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteEvidence {
    /// The epoch.
    pub epoch: i64,
    /// Minutes since 1970.
    pub minute: i64,
    /// By arm, the control first.
    pub arms: Vec<ArmMinute>,
}

/// All that an experiment has gathered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// By epoch, oldest first.
    pub epochs: Vec<EpochEvidence>,
    /// By minute and epoch, oldest first; `None` where they were not asked for: only a guardrail that is about to decide
    /// needs them.
    pub minutes: Option<Vec<MinuteEvidence>>,
    /// Predictions of its versions in its epochs that take no part: they named their version, or
    /// their unit is not enrolled.
    pub outside: u64,
    /// Labels that can never equal what an arm answered, by arm and types, in their order.
    pub unlike_labels: Vec<UnlikeLabels>,
    /// Values that took the place of others, by metric and arm, in their order.
    pub corrections: Vec<Corrections>,
}

/// Values of an arm that took the place of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Corrections {
    /// The metric, by its place in the definition.
    pub metric: usize,
    /// The arm.
    pub arm: usize,
    /// How many took the place of another one.
    pub replaced: u64,
    /// Predictions whose value was replaced after its window: means have the new value, and evidence the one that was in time.
    pub late: u64,
}

/// Logged predictions of a version that were chosen alike in a stretch of time, and what they earned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoggedGroup {
    /// The stretch of time, counted from the first.
    pub period: i64,
    /// The epoch of the weights.
    pub epoch: i64,
    /// Why the version was chosen.
    pub reason: Reason,
    /// The version that was chosen.
    pub version: VersionKey,
    /// The probability with which it was.
    pub propensity: f64,
    /// Which part of the units they are of: all predictions of a unit are in one, and parts know nothing of each other.
    pub part: u32,
    /// Predictions with a value.
    pub n: u64,
    /// Σ of the values.
    pub sum: f64,
    /// Σ of their squares.
    pub sum_squares: f64,
}

/// Which units a segment has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentOf {
    /// Those with a value of an attribute, as text.
    Value(String),
    /// Those with one of the values that came when many were told apart already.
    Other,
    /// Those without the attribute.
    None,
}

/// What an experiment has gathered of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentEvidence {
    /// The attribute.
    pub dimension: String,
    /// Which of its values.
    pub of: SegmentOf,
    /// What was gathered. It has no minutes, nothing outside, and no unlike labels.
    pub evidence: Evidence,
}
