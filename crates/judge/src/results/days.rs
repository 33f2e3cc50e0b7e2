//! The effect from day to day: [`crate::drift`] on the evidence of an experiment.

use super::guard::scale_of;
use crate::claim::Shape;
use crate::drift::{Day, DayMean, Drift};
use crate::sample::Interval;
use crate::special::critical_z;
use evidence::matured_before;
use types::{DayEvidence, DaySums, Evidence, Metric, Timestamp};

/// How the effect of a candidate was from day to day, by the day on which units came to the experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectByDay {
    /// In their order: days that have passed, and whose units have matured. A day with too few units counts together with the
    /// next; one in which the weights changed is there for each of them.
    pub days: Vec<DayEffect>,
    /// The largest e-value of all days so far that the effect has changed.
    pub e: f64,
    /// The change, where that has reached the line.
    pub change: Option<EffectChange>,
}

/// The effect on units that came on one day, or on several that follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayEffect {
    /// The first day, UTC, counted from 1970-01-01.
    pub first: i64,
    /// The last day.
    pub last: i64,
    /// Units of the control and of the candidate.
    pub units: (u64, u64),
    /// candidate − control, each value counted up to the cap.
    pub difference: f64,
    /// Its interval at level 1 − alpha for one look.
    pub interval: Interval,
}

/// That an effect has changed, and how: what was before and after the day that parts both best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectChange {
    /// The last day of the first part, counted from 1970-01-01.
    pub until: i64,
    /// The mean difference until then.
    pub before: f64,
    /// The first day of the second part.
    pub from: i64,
    /// The mean difference since then.
    pub after: f64,
}

/// A change is told when the e-value reaches this for one comparison; for several of one role, so many times that.
const LINE: f64 = 20.0;
/// The least units of an arm on a day.
const LEAST_UNITS: f64 = 100.0;
/// A day needs so many times the squared skewness of its values in each arm.
const UNITS_BY_SKEWNESS: f64 = 10.0;

/// Of a candidate on the metric at a place of the definition; `comparisons` says among how many a change is looked for, and
/// `alpha` is for the interval of each day.
pub(super) fn by_day(
    metric: &Metric,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    (alpha, comparisons): (f64, usize),
    now: Timestamp,
) -> EffectByDay {
    let matured = matured_before(metric, now.seconds());
    let critical = critical_z(alpha, 2.0);
    let mut found = EffectByDay {
        days: Vec::new(),
        e: 1.0,
        change: None,
    };
    let mut each: Vec<Day> = Vec::new();
    let mut drift = Drift::default();
    for epoch in &evidence.epochs {
        let Some(scale) = scale_of(epoch, at) else {
            continue;
        };
        let width = scale.cap - scale.floor;
        let mut open: Option<(i64, [DaySums; 2])> = None;
        let passed = |day: &&DayEvidence| DayEvidence::start(day.day + 1) <= matured;
        for day in epoch.days.iter().take_while(passed) {
            let (first, [control, candidate]) =
                open.get_or_insert((day.day, [DaySums::default(); 2]));
            add(control, &day.arms[0][at]);
            add(candidate, &day.arms[arm][at]);
            let [(a, of_control), (b, of_candidate)] = shapes(control, candidate);
            if !(is_enough(a) && is_enough(b)) {
                continue;
            }
            let closed = Day {
                difference: width * (of_candidate - of_control),
                variance: width * width * (a.variance / a.n + b.variance / b.n),
            };
            drift.push(closed);
            each.push(closed);
            found.e = found.e.max(drift.e());
            found.days.push(DayEffect {
                first: *first,
                last: day.day,
                units: (control.units, candidate.units),
                difference: closed.difference,
                interval: Interval::around(closed.difference, critical * closed.variance.sqrt()),
            });
            open = None;
        }
    }
    if found.e >= LINE * comparisons.max(1) as f64 {
        found.change = change(&found.days, &each);
    }
    found
}

fn add(sums: &mut DaySums, more: &DaySums) {
    sums.units += more.units;
    for (sum, by) in sums.powers.iter_mut().zip(more.powers) {
        *sum += by;
    }
}

/// Size, variance and skewness of the numbers of a day, and their mean.
fn shape(sums: &DaySums) -> (Shape, f64) {
    let n = sums.units as f64;
    let [g, gg, ggg] = sums.powers.map(|sum| sum / n.max(1.0));
    let spread = (gg - g * g).max(0.0);
    let third = ggg - 3.0 * g * gg + 2.0 * g * g * g;
    let shape = Shape {
        n,
        variance: spread * n / (n - 1.0).max(1.0),
        skewness: third / spread.powf(1.5),
    };
    (shape, g)
}

/// The same of both arms. One whose values are all alike says nothing of how much they could differ: it has the variance and
/// the skewness of both arms together.
fn shapes(control: &DaySums, candidate: &DaySums) -> [(Shape, f64); 2] {
    let mut both = *control;
    add(&mut both, candidate);
    let (both, _) = shape(&both);
    [control, candidate].map(|sums| {
        let (own, mean) = shape(sums);
        let n = own.n;
        let shape = if varies(own) {
            own
        } else {
            Shape { n, ..both }
        };
        (shape, mean)
    })
}

/// What is left of rounding is no variance.
fn varies(day: Shape) -> bool {
    day.variance > 1e-18
}

/// Whether the mean of a day is nearly normal.
fn is_enough(day: Shape) -> bool {
    let by_skewness = UNITS_BY_SKEWNESS * day.skewness * day.skewness;
    // What is not a number is not enough.
    varies(day) && day.n >= LEAST_UNITS && day.n >= by_skewness
}

/// The day that parts all into two that differ most, in standard errors.
fn change(days: &[DayEffect], each: &[Day]) -> Option<EffectChange> {
    let parted = (1..each.len()).map(|cut| {
        let (before, after) = (DayMean::of(&each[..cut]), DayMean::of(&each[cut..]));
        let variance = before.weight.recip() + after.weight.recip();
        let apart = (after.mean - before.mean).powi(2) / variance;
        let change = EffectChange {
            until: days[cut - 1].last,
            before: before.mean,
            from: days[cut].first,
            after: after.mean,
        };
        (apart, change)
    });
    let most = parted.max_by(|a, b| a.0.total_cmp(&b.0));
    most.map(|(_, change)| change)
}
