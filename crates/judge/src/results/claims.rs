//! What may be claimed of a difference, and its interval: [`crate::claim`] on the evidence of an experiment.

use super::Sequential;
use super::guard::{Guard, arrived, scale_of, winnings};
use crate::asymptotic::{half_width, ln_e, p_of_ln_e, rho};
use crate::claim::{self, EpochSums, Shape, is_asymptotic};
use crate::sample::{Effect, Interval, Sample};
use evidence::betting::{Bet, Harm, Tolerance, Winnings};
use evidence::pair_share;
use types::{
    BetSums, Direction, Evidence, EvidenceRule, ExperimentDefinition, Metric, PredictedSums, Scale,
    SequenceMethod,
};

/// A difference, with what is known of it.
pub(super) struct Claim {
    pub(super) sequential: Sequential,
    /// candidate − control, in the unit of the metric.
    pub(super) difference: Option<f64>,
    /// The mean of the control, each value counted up to the cap.
    pub(super) base: Option<f64>,
    /// By how much the covariate lowers the variance of the difference, where there is one: 0 is not at all.
    pub(super) variance_reduction: Option<f64>,
    /// The standard deviation of the sum of each arm's numbers, on the scale from 0 to 1: what chance moves it by.
    pub(super) spread: [f64; 2],
    /// The units, where one epoch has them.
    only: Option<Units>,
}

/// The units of an epoch.
#[derive(Debug, Clone, Copy)]
struct Units {
    sums: EpochSums,
    /// The width of the scale in the unit of the metric, and its floor.
    width: f64,
    floor: f64,
    control: Sample,
    candidate: Sample,
    /// Whether the asymptotic form holds.
    asymptotic: bool,
    /// The squared standard error of the difference, without what the covariate explains and with it.
    squared_error: (f64, f64),
}

impl Units {
    fn of(share: f64, scale: &Scale, control: &BetSums, candidate: &BetSums) -> Self {
        let width = scale.cap - scale.floor;
        let mut sums = EpochSums {
            share,
            centres: scale.centres(),
            width,
            n: (control.fresh + candidate.fresh) as f64,
            sum: 0.0,
            sum_squares: 0.0,
        };
        for (weight, bets) in [(-share, control), (1.0 - share, candidate)] {
            let [g, gg, _] = bets.powers;
            let PredictedSums { powers, products } = predicted(scale, bets);
            sums.sum += weight * (g - powers[0]);
            let squares = gg - 2.0 * products[0] + powers[1];
            sums.sum_squares += weight * weight * squares.max(0.0);
        }
        let arms = [control, candidate].map(|bets| Moments::of(bets, predicted(scale, bets)));
        let plain = arms.map(|arm| arm.adjusted(Adjustment::NONE));
        let [control, candidate] = match scale.line {
            Some(_) => {
                let adjustment = Adjustment::of(arms);
                arms.map(|arm| arm.adjusted(adjustment))
            }
            None => plain,
        };
        let squared_error = |arms: [(Shape, f64); 2]| -> f64 {
            let errors = arms.map(|(shape, _)| shape.variance / shape.n.max(1.0));
            errors.iter().sum()
        };
        let squared_error = (squared_error(plain), squared_error([control, candidate]));
        let sample = |(shape, mean): (Shape, f64)| Sample {
            n: shape.n,
            mean,
            variance: shape.variance,
        };
        Self {
            sums,
            width,
            floor: scale.floor,
            control: sample(control),
            candidate: sample(candidate),
            asymptotic: is_asymptotic(control.0, candidate.0),
            squared_error,
        }
    }

    /// The asymptotic evidence against any difference, where it counts.
    fn asymptotic(&self, rho: f64) -> Option<Parabola> {
        let effect = Effect::difference(&self.control, &self.candidate)?;
        let least = ln_e(&effect, effect.estimate, rho);
        let one_beside = ln_e(&effect, effect.estimate + 1.0, rho);
        self.asymptotic.then(|| Parabola {
            estimate: effect.estimate * self.width,
            least,
            curvature: (one_beside - least) / (self.width * self.width),
        })
    }
}

/// ln of asymptotic evidence by the difference that it is against, worked out once.
struct Parabola {
    estimate: f64,
    /// ln E against the estimate.
    least: f64,
    curvature: f64,
}

impl Parabola {
    fn at(&self, difference: f64) -> f64 {
        let apart = difference - self.estimate;
        self.least + self.curvature * apart * apart
    }
}

/// What is predicted of fresh units: by their covariates, or the centre of the scale of each.
fn predicted(scale: &Scale, bets: &BetSums) -> PredictedSums {
    bets.predicted.unwrap_or_else(|| {
        let (n, m) = (bets.fresh as f64, scale.centre);
        let [g, gg, _] = bets.powers;
        PredictedSums {
            powers: [n * m, n * m * m, n * m * m * m],
            products: [m * g, m * gg, m * m * g],
        }
    })
}

/// Means over the fresh units of an arm: their number g, what is predicted of each, z, and products of both.
#[derive(Debug, Clone, Copy)]
struct Moments {
    n: f64,
    /// Whether all are counted as shares, which have no Bessel's correction.
    is_share: bool,
    /// Of g, g² and g³, and of z, z² and z³.
    g: [f64; 3],
    z: [f64; 3],
    /// Of gz, g²z and gz².
    products: [f64; 3],
}

/// Regression adjustment (CUPED): z − `mean` times θ is taken from each number.
#[derive(Debug, Clone, Copy)]
struct Adjustment {
    theta: f64,
    mean: f64,
}

impl Adjustment {
    const NONE: Self = Self {
        theta: 0.0,
        mean: 0.0,
    };

    /// θ = Cov(g, z)/Var(z) over the units of both arms as one sample (Deng, Xu, Kohavi and Walker, WSDM 2013); 0 where z
    /// does not vary.
    fn of(arms: [Moments; 2]) -> Self {
        let n: f64 = arms.iter().map(|arm| arm.n).sum();
        let mean = |of: fn(&Moments) -> f64| -> f64 {
            arms.iter().map(|arm| arm.n * of(arm)).sum::<f64>() / n.max(1.0)
        };
        let (g, z) = (mean(|arm| arm.g[0]), mean(|arm| arm.z[0]));
        let variance = mean(|arm| arm.z[1]) - z * z;
        let covariance = mean(|arm| arm.products[0]) - g * z;
        // What is left of rounding is no variance.
        let varies = variance > 1e-9 * z * z && variance > 1e-18;
        Self {
            theta: if varies { covariance / variance } else { 0.0 },
            mean: z,
        }
    }
}

impl Moments {
    fn of(bets: &BetSums, predicted: PredictedSums) -> Self {
        let n = bets.fresh as f64;
        let per_unit = |sums: [f64; 3]| sums.map(|sum| sum / n.max(1.0));
        Self {
            n,
            is_share: bets.counted == bets.fresh,
            g: per_unit(bets.powers),
            z: per_unit(predicted.powers),
            products: per_unit(predicted.products),
        }
    }

    /// Size, variance and skewness of the adjusted numbers, and their mean.
    fn adjusted(&self, by: Adjustment) -> (Shape, f64) {
        let (n, [g, gg, ggg], [z, zz, zzz]) = (self.n, self.g, self.z);
        let [gz, ggz, gzz] = self.products;
        let t = by.theta;
        let mut spread = gg - g * g;
        let mut third = ggg - 3.0 * g * gg + 2.0 * g * g * g;
        if t != 0.0 {
            let squares = (zz - z * z, gz - g * z);
            spread += t * (t * squares.0 - 2.0 * squares.1);
            let of_ggz = ggz - 2.0 * g * gz - z * gg + 2.0 * g * g * z;
            let of_gzz = gzz - 2.0 * z * gz - g * zz + 2.0 * z * z * g;
            let of_zzz = zzz - 3.0 * z * zz + 2.0 * z * z * z;
            third += t * (3.0 * (t * of_gzz - of_ggz) - t * t * of_zzz);
        }
        let spread = spread.max(0.0);
        let shape = Shape {
            n,
            variance: if self.is_share {
                spread
            } else {
                spread * n / (n - 1.0).max(1.0)
            },
            skewness: if spread > 0.0 {
                third / spread.powf(1.5)
            } else {
                f64::NAN
            },
        };
        (shape, g - t * (z - by.mean))
    }
}

/// What may be claimed of a candidate on the metric at a place of the definition; `alpha` is for the interval, and
/// `only_guards` says that nothing is claimed.
pub(super) fn claim(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    pair: (usize, usize),
    alpha: f64,
    only_guards: bool,
) -> Claim {
    let metric = &definition.metrics[pair.0];
    let units = match metric.rule() {
        EvidenceRule::Arrivals => of_arrivals(metric, evidence, pair),
        EvidenceRule::Exposures | EvidenceRule::Events => of_exposures(definition, evidence, pair),
        EvidenceRule::None => Vec::new(),
    };
    let counted = |units: &&Units| units.control.n > 0.0 && units.candidate.n > 0.0;
    let Some(last) = units.iter().rev().find(counted) else {
        return Claim::nothing();
    };
    let rho = rho(alpha, definition.planned_units);
    let asymptotic: Vec<Parabola> = units.iter().filter_map(|u| u.asymptotic(rho)).collect();
    let ln_a = |difference: f64| -> f64 { asymptotic.iter().map(|part| part.at(difference)).sum() };
    let sums: Vec<EpochSums> = units.iter().map(|units| units.sums).collect();
    let (more, less) = both_ways(definition, metric, evidence, pair, &units);
    let ln_e = claim::ln_e(&more, &less, ln_a(0.0));
    let line = -alpha.ln();
    let beside = claim::Beside::of(&sums);
    let against = |difference: f64| beside.ln_e_against(difference, ln_a(difference));
    let difference = between_means(&units);
    let found = claim::interval(&sums, difference, line, against);
    // Which way: by what carries the evidence. Where the centre of the scale is far from the values, bets alone follow the
    // number of units that each arm happened to get.
    let ln_bets = claim::ln_e(&more, &less, f64::NEG_INFINITY);
    let more = if ln_a(0.0) + 0.5f64.ln() > ln_bets {
        difference > 0.0
    } else {
        more.ln_e() > less.ln_e()
    };
    // The claim and the interval are two tests; what is shown never says both.
    let interval = found.map(|found| {
        if only_guards {
            found
        } else if ln_e >= line && more == (difference > 0.0) {
            without_zero(found, more)
        } else {
            Interval {
                lower: found.lower.min(0.0),
                upper: found.upper.max(0.0),
            }
        }
    });
    let several = units.iter().filter(counted).count() > 1;
    let earned = units.iter().any(|units| units.asymptotic);
    Claim {
        sequential: Sequential {
            interval,
            p: p_of_ln_e(ln_e),
            now: (p_of_ln_e(ln_e), more),
            adjusted_p: 1.0,
            ln_e,
            method: if earned {
                SequenceMethod::Mixture
            } else {
                SequenceMethod::Betting
            },
            more,
            units: sums.iter().map(|sums| sums.n).sum::<f64>() as u64,
        },
        difference: Some(difference),
        base: Some(between(&units, |units| {
            units.floor + units.width * units.control.mean
        })),
        variance_reduction: metric
            .covariate
            .as_ref()
            .map(|_| variance_reduction(&units)),
        spread: spread(&units),
        only: (!several).then_some(*last),
    }
}

/// The part of an interval on one side of 0; 0 itself where it has none there.
pub(super) fn without_zero(interval: Interval, more: bool) -> Interval {
    if more {
        Interval {
            lower: interval.lower.max(0.0),
            upper: interval.upper.max(0.0),
        }
    } else {
        Interval {
            lower: interval.lower.min(0.0),
            upper: interval.upper.min(0.0),
        }
    }
}

/// The difference of the means of fresh units, capped, epochs by what they know of it.
fn between_means(units: &[Units]) -> f64 {
    between(units, |units| {
        units.width * (units.candidate.mean - units.control.mean)
    })
}

/// The mean of something over the epochs, each by what it knows of the difference.
fn between(units: &[Units], of: impl Fn(&Units) -> f64) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for units in units {
        let (a, b) = (units.control.n, units.candidate.n);
        if a > 0.0 && b > 0.0 {
            let known = a * b / (a + b);
            weight += known;
            sum += known * of(units);
        }
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// The standard deviation of the sum of the numbers of each arm.
fn spread(units: &[Units]) -> [f64; 2] {
    let of = |arm: fn(&Units) -> Sample| {
        let each = units.iter().map(arm);
        each.map(|sample| sample.n * sample.variance)
            .sum::<f64>()
            .sqrt()
    };
    [of(|units| units.control), of(|units| units.candidate)]
}

/// By how much covariates lower the variance of the difference, each epoch by how many units it has.
fn variance_reduction(units: &[Units]) -> f64 {
    let (mut plain, mut adjusted) = (0.0, 0.0);
    for units in units {
        let (a, b) = (units.control.n, units.candidate.n);
        if a > 0.0 && b > 0.0 {
            let known = a * b / (a + b) * units.width;
            plain += known * known * units.squared_error.0;
            adjusted += known * known * units.squared_error.1;
        }
    }
    if plain > 0.0 {
        (1.0 - adjusted / plain).max(0.0)
    } else {
        0.0
    }
}

/// What bets have won that the candidate is above the control, and that it is below.
fn both_ways(
    definition: &ExperimentDefinition,
    metric: &Metric,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    units: &[Units],
) -> (Winnings, Winnings) {
    if metric.rule() != EvidenceRule::Exposures && !evidence::has_bets(definition, metric) {
        return of_counts(units);
    }
    let won = |harm: Harm| {
        winnings(definition, metric, evidence, (at, arm), |asked| {
            asked
                .iter()
                .position(|question| *question == (harm, Tolerance::NONE))
        })
    };
    // A guardrail asks one way only, and claims nothing.
    (won(Harm::More), won(Harm::Less))
}

/// The same of counts: each unit has a 0 or a 1.
fn of_counts(units: &[Units]) -> (Winnings, Winnings) {
    let won = |harm: Harm| {
        let mut won = Winnings::default();
        for units in units {
            let bet = Bet {
                harm,
                tolerance: Tolerance::NONE,
                share: units.sums.share,
                // Counts have no line.
                centre: units.sums.centres.0,
            };
            for (candidate, sample) in [(false, &units.control), (true, &units.candidate)] {
                let ones = (sample.mean * sample.n).round();
                won.add(&Winnings::of_counts(&bet, candidate, ones, sample.n));
            }
        }
        won
    };
    (won(Harm::More), won(Harm::Less))
}

/// Counts of a metric whose values come at their own time.
fn of_arrivals(metric: &Metric, evidence: &Evidence, pair: (usize, usize)) -> Vec<Units> {
    let splits = arrived(metric, evidence, pair);
    let units = splits.iter().map(|split| {
        let of = |values: f64, bad: f64| {
            let ones = match metric.direction {
                Direction::Up => values - bad.min(values),
                Direction::Down => bad.min(values),
            };
            counts(ones, values)
        };
        let (control, candidate) = (
            of(split.values.0, split.bad.0),
            of(split.values.1, split.bad.1),
        );
        Units::of(
            split.share(),
            &Scale::binary(split.centre),
            &control,
            &candidate,
        )
    });
    units.collect()
}

fn counts(ones: f64, units: f64) -> BetSums {
    let units = units as u64;
    BetSums {
        units,
        fresh: units,
        powers: [ones; 3],
        counted: units,
        ones: ones as u64,
        ..BetSums::default()
    }
}

/// Fresh units of epochs with a scale.
fn of_exposures(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    (at, arm): (usize, usize),
) -> Vec<Units> {
    let has_bets = evidence::has_bets(definition, &definition.metrics[at]);
    let units = evidence.epochs.iter().filter_map(|epoch| {
        let scale = scale_of(epoch, at)?;
        let share = pair_share(&epoch.shares, arm);
        let of = |arm: usize| {
            let sums = &epoch.arms[arm].metrics[at];
            if has_bets {
                sums.bets.clone()
            } else {
                // A guardrail of rates: its first events say how many units have one.
                counts(sums.all.events as f64, sums.all.units as f64)
            }
        };
        let open = share > 0.0 && share < 1.0;
        open.then(|| Units::of(share, &scale, &of(0), &of(arm)))
    });
    units.collect()
}

impl Claim {
    /// What guards is evidence of harm, and the interval does not contradict it.
    pub(super) fn guards(&mut self, metric: &Metric, guard: Option<&Guard>) {
        let Some((guard, ln_e)) = guard.and_then(|guard| Some((guard, guard.ln_e?))) else {
            return;
        };
        let sequential = &mut self.sequential;
        (sequential.ln_e, sequential.p) = (ln_e, p_of_ln_e(ln_e));
        sequential.now = (sequential.p, sequential.more);
        if ln_e >= guard.line {
            let more = metric.direction == Direction::Down;
            (sequential.more, sequential.now.1) = (more, more);
            sequential.interval = sequential.interval.map(|found| without_zero(found, more));
        }
    }

    fn nothing() -> Self {
        Self {
            sequential: Sequential {
                interval: None,
                p: 1.0,
                now: (1.0, false),
                adjusted_p: 1.0,
                ln_e: 0.0,
                method: SequenceMethod::None,
                more: false,
                units: 0,
            },
            difference: None,
            base: None,
            variance_reduction: None,
            spread: [0.0; 2],
            only: None,
        }
    }
}

/// The interval of the lift, in the same direction as that of the difference: of capped means, where one epoch has them and
/// the asymptotic form holds; else of the difference over what the control's mean may be.
pub(super) fn lift_interval(
    definition: &ExperimentDefinition,
    metric: &Metric,
    claim: &Claim,
    alpha: f64,
) -> Option<Interval> {
    let interval = claim.sequential.interval?;
    let units = claim.only.as_ref()?;
    let mean = |sample: &Sample| Sample {
        mean: units.floor + units.width * sample.mean,
        variance: units.width * units.width * sample.variance,
        ..*sample
    };
    let (control, candidate) = (mean(&units.control), mean(&units.candidate));
    let relative = Effect::relative(&control, &candidate).filter(|_| units.asymptotic);
    let found = match relative {
        Some(effect) => {
            // As in the claim, half of the evidence.
            let alpha = 0.5 * alpha;
            let rho = rho(alpha, definition.planned_units);
            Interval::around(effect.estimate, half_width(&effect, alpha, rho))
        }
        None => over_base(interval, &control)?,
    };
    // It never says what the interval of the difference does not.
    let found = if interval.lower < 0.0 && interval.upper > 0.0 {
        Interval {
            lower: found.lower.min(0.0),
            upper: found.upper.max(0.0),
        }
    } else {
        without_zero(found, interval.lower >= 0.0)
    };
    // Nothing that cannot be negative falls by more than all of it.
    let least = if metric.is_never_negative() {
        -1.0
    } else {
        f64::NEG_INFINITY
    };
    Some(Interval {
        lower: found.lower.max(least),
        upper: found.upper.max(least),
    })
}

/// A difference over what the mean of the control may be: within four standard errors, where these leave out 0.
fn over_base(difference: Interval, control: &Sample) -> Option<Interval> {
    let error = 4.0 * (control.variance / control.n).sqrt();
    let (near, far) = (control.mean.abs() - error, control.mean.abs() + error);
    (near > 0.0).then(|| Interval {
        lower: difference.lower / if difference.lower < 0.0 { near } else { far },
        upper: difference.upper / if difference.upper > 0.0 { near } else { far },
    })
}
