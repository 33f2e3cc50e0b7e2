//! The effect from day to day: [`crate::drift`] on the evidence of an experiment. Under a bandit, whose epochs are shorter than
//! days, from one stretch of epochs to the next.

use super::adaptive::Contrast;
use super::guard::scale_of;
use crate::claim::Shape;
use crate::drift::{Day, DayMean, Drift};
use crate::sample::Interval;
use crate::special::critical_z;
use evidence::matured_before;
use types::{
    DayEvidence, DaySums, Evidence, ExperimentDefinition, Metric, MetricEvidence, MetricKind,
    Timestamp,
};

/// How the effect of a candidate was from day to day, by the day on which units came to the experiment; under a bandit, by when
/// predictions were made.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectByDay {
    /// In their order: days that have passed, and whose units have matured. A day with too few units counts together with the
    /// next; one in which the weights changed is there for each of them. Under a bandit: stretches of epochs, each at least a
    /// tenth as long as all before it.
    pub days: Vec<DayEffect>,
    /// ln of the largest e-value of all days so far that the effect has changed.
    pub ln_e: f64,
    /// The change, where that has reached the line.
    pub change: Option<EffectChange>,
}

/// The effect on units that came on one day, or on several that follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayEffect {
    /// When it begins, in seconds since 1970: for days, midnight UTC.
    pub from: i64,
    /// When it ends: the first second that is not in it.
    pub to: i64,
    /// Units of the control and of the candidate; under a bandit, predictions.
    pub units: (u64, u64),
    /// candidate − control, each value counted up to the cap.
    pub difference: f64,
    /// Its interval at level 1 − alpha for one look.
    pub interval: Interval,
}

/// That an effect has changed, and how: what was before and after the day that parts both best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectChange {
    /// When the first part ends, in seconds since 1970: the first second that is not in it.
    pub until: i64,
    /// The mean difference until then.
    pub before: f64,
    /// When the second part begins.
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

/// Blocks that follow each other, and what they say so far.
struct Blocks {
    /// The quantile of the interval of each.
    critical: f64,
    /// Those that are compared with each other: the last ones.
    each: Vec<Day>,
    drift: Drift,
    found: EffectByDay,
    /// The change that was found first, among blocks that are compared.
    change: Option<EffectChange>,
    /// What E has to reach.
    ln_line: f64,
}

impl Blocks {
    /// Where a change is looked for among so many comparisons.
    fn new(alpha: f64, comparisons: usize) -> Self {
        Self {
            critical: critical_z(alpha, 2.0),
            each: Vec::new(),
            drift: Drift::default(),
            found: EffectByDay {
                days: Vec::new(),
                ln_e: 0.0,
                change: None,
            },
            change: None,
            ln_line: (LINE * comparisons.max(1) as f64).ln(),
        }
    }

    /// Blocks that follow are not compared with those before: values count up to another cap.
    fn part(&mut self) {
        self.close();
        self.each.clear();
        self.drift = Drift::default();
    }

    /// Tells how the effect has changed, where it has.
    fn close(&mut self) {
        let compared = &self.found.days[self.found.days.len() - self.each.len()..];
        if self.found.ln_e >= self.ln_line && self.change.is_none() {
            self.change = change(compared, &self.each);
        }
    }

    fn push(&mut self, (from, to): (i64, i64), units: (u64, u64), closed: Day) {
        self.drift.push(closed);
        self.each.push(closed);
        if self.drift.may_be_above_1() {
            self.found.ln_e = self.found.ln_e.max(self.drift.ln_e());
        }
        let half = self.critical * closed.variance.sqrt();
        self.found.days.push(DayEffect {
            from,
            to,
            units,
            difference: closed.difference,
            interval: Interval::around(closed.difference, half),
        });
    }

    fn end(mut self) -> EffectByDay {
        self.close();
        self.found.change = self.change;
        self.found
    }
}

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
    let mut blocks = Blocks::new(alpha, comparisons);
    let mut ends = None;
    for epoch in &evidence.epochs {
        let Some(scale) = scale_of(epoch, at) else {
            continue;
        };
        if ends.is_some_and(|ends| ends != (scale.floor, scale.cap)) {
            blocks.part();
        }
        ends = Some((scale.floor, scale.cap));
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
            let span = (DayEvidence::start(*first), DayEvidence::start(day.day + 1));
            blocks.push(span, (control.units, candidate.units), closed);
            open = None;
        }
    }
    blocks.end()
}

/// A stretch of a bandit's epochs is at least this part of the time before it, so that there are not thousands of them, and the
/// hours of a day are soon one.
const LEAST_PART: f64 = 0.1;
/// Its error is taken between about this many parts of the units at least.
const LEAST_DEGREES: f64 = 25.0;

/// The same under a bandit: stretches of epochs that have ended and matured, with the estimates that stay honest when the
/// weights follow the data. `None` where the sums are not kept by parts.
pub(super) fn by_epochs(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    comparisons: usize,
    now: Timestamp,
) -> Option<EffectByDay> {
    let metric = &definition.metrics[at];
    let matured = matured_before(metric, now.seconds());
    let mut blocks = Blocks::new(definition.alpha, comparisons);
    let epochs = &evidence.epochs;
    let began = |epoch: usize| epochs[epoch].started_at.seconds();
    let (mut first, mut fresh) = (0, [DaySums::default(); 2]);
    let mut open = Contrast::new(evidence, at, (0, arm));
    let mut units = (0, 0);
    for next in 1..epochs.len() {
        open.add(metric, &epochs[next - 1], at)?;
        let count = |arm: usize| epochs[next - 1].arms[arm].metrics[at].matured.count;
        units = (units.0 + count(0), units.1 + count(arm));
        for (sums, arm) in fresh.iter_mut().zip([0, arm]) {
            add(
                sums,
                &of_bets(metric, &epochs[next - 1].arms[arm].metrics[at]),
            );
        }
        let (from, to) = (began(first), began(next));
        if to > matured {
            break;
        }
        if ((to - from) as f64) < LEAST_PART * (from - began(0)) as f64 {
            continue;
        }
        let skewed = shapes(&fresh[0], &fresh[1]).map(|(shape, _)| shape.skewness);
        let enough = |(n, skewness): (u64, f64)| is_many(n as f64, skewness);
        let pairs = [(units.0, skewed[0]), (units.1, skewed[1])];
        if !pairs.into_iter().all(enough) {
            continue;
        }
        let known = open
            .estimate()
            .filter(|(_, _, degrees)| *degrees >= LEAST_DEGREES);
        let Some((difference, error, _)) = known else {
            continue;
        };
        let closed = Day {
            difference,
            variance: error * error,
        };
        blocks.push((from, to), units, closed);
        (first, units) = (next, (0, 0));
        open = Contrast::new(evidence, at, (0, arm));
    }
    Some(blocks.end())
}

/// Numbers of units that are new to the experiment, as bets see them; of a rate without bets, of each prediction with a 0 or a 1.
fn of_bets(metric: &Metric, sums: &MetricEvidence) -> DaySums {
    if sums.bets.fresh > 0 || metric.kind != MetricKind::Binary {
        return DaySums {
            units: sums.bets.fresh,
            powers: sums.bets.powers,
        };
    }
    DaySums {
        units: sums.matured.count,
        powers: [sums.matured.total(); 3],
    }
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
        skewness: third / (spread * spread.sqrt()),
    };
    (shape, g)
}

/// The same of both arms. One whose values are all alike says nothing of how much they could differ: it has the variance and
/// the skewness of both arms together.
fn shapes(control: &DaySums, candidate: &DaySums) -> [(Shape, f64); 2] {
    let own = [control, candidate].map(shape);
    if own.iter().all(|(shape, _)| varies(*shape)) {
        return own;
    }
    let mut both = *control;
    add(&mut both, candidate);
    let (both, _) = shape(&both);
    own.map(|(shape, mean)| match varies(shape) {
        true => (shape, mean),
        false => (Shape { n: shape.n, ..both }, mean),
    })
}

/// What is left of rounding is no variance.
fn varies(day: Shape) -> bool {
    day.variance > 1e-18
}

/// Whether the mean of a day is nearly normal.
fn is_enough(day: Shape) -> bool {
    varies(day) && is_many(day.n, day.skewness)
}

/// Whether so many units are enough for values of this skewness.
fn is_many(n: f64, skewness: f64) -> bool {
    // What is not a number is not enough.
    n >= LEAST_UNITS && n >= UNITS_BY_SKEWNESS * skewness * skewness
}

/// The day that parts all into two that differ most, in standard errors.
fn change(days: &[DayEffect], each: &[Day]) -> Option<EffectChange> {
    let parted = (1..each.len()).map(|cut| {
        let (before, after) = (DayMean::of(&each[..cut]), DayMean::of(&each[cut..]));
        let variance = before.weight.recip() + after.weight.recip();
        let apart = (after.mean - before.mean).powi(2) / variance;
        let change = EffectChange {
            until: days[cut - 1].to,
            before: before.mean,
            from: days[cut].from,
            after: after.mean,
        };
        (apart, change)
    });
    let most = parted.max_by(|a, b| a.0.total_cmp(&b.0));
    most.map(|(_, change)| change)
}
