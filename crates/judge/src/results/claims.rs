//! What may be claimed of a difference, and its interval: [`crate::claim`] on the evidence of an experiment.

use super::Sequential;
use super::guard::{Guard, arrived, scale_of, winnings};
use crate::asymptotic::{half_width, ln_e, p_of_ln_e, rho};
use crate::claim::{self, EpochSums, Shape, is_asymptotic};
use crate::sample::{Effect, Interval, Sample};
use evidence::betting::{Bet, Harm, Tolerance, Winnings};
use evidence::pair_share;
use types::{
    BetSums, Direction, Evidence, EvidenceRule, ExperimentDefinition, Metric, MetricRole, Scale,
    SequenceMethod,
};

/// A difference, with what is known of it.
pub(super) struct Claim {
    pub(super) sequential: Sequential,
    /// candidate − control, in the unit of the metric.
    pub(super) difference: Option<f64>,
    /// The mean of the control, each value counted up to the cap.
    pub(super) base: Option<f64>,
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
}

impl Units {
    fn of(share: f64, scale: &Scale, control: &BetSums, candidate: &BetSums) -> Self {
        let width = scale.cap - scale.floor;
        let mut sums = EpochSums {
            share,
            centre: scale.centre,
            width,
            n: (control.fresh + candidate.fresh) as f64,
            sum: 0.0,
            sum_squares: 0.0,
        };
        for (weight, bets) in [(-share, control), (1.0 - share, candidate)] {
            let (n, m) = (bets.fresh as f64, scale.centre);
            let [g, gg, _] = bets.powers;
            sums.sum += weight * (g - n * m);
            sums.sum_squares += weight * weight * (gg - 2.0 * m * g + n * m * m).max(0.0);
        }
        let (control, candidate) = (moments(control), moments(candidate));
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

/// Size, variance and skewness of the numbers of fresh units, and their mean.
fn moments(bets: &BetSums) -> (Shape, f64) {
    let n = bets.fresh as f64;
    let [g, gg, ggg] = bets.powers.map(|power| power / n.max(1.0));
    let spread = (gg - g * g).max(0.0);
    let third = ggg - 3.0 * g * gg + 2.0 * g * g * g;
    let shape = Shape {
        n,
        // A share has no Bessel's correction.
        variance: if bets.counted == bets.fresh {
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
    (shape, g)
}

/// What may be claimed of a candidate on the metric at a place of the definition; `alpha` is for the interval.
pub(super) fn claim(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    pair: (usize, usize),
    alpha: f64,
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
    let guards = definition.role(metric) == MetricRole::Guardrail;
    let interval = if guards {
        found
    } else if ln_e >= line {
        without_zero(found, more)
    } else {
        Interval {
            lower: found.lower.min(0.0),
            upper: found.upper.max(0.0),
        }
    };
    let several = units.iter().filter(counted).count() > 1;
    let earned = units.iter().any(|units| units.asymptotic);
    Claim {
        sequential: Sequential {
            interval: Some(interval),
            p: p_of_ln_e(ln_e),
            adjusted_p: 1.0,
            ln_e,
            method: if earned {
                SequenceMethod::Mixture
            } else {
                SequenceMethod::Betting
            },
            more,
        },
        difference: Some(difference),
        base: Some(last.floor + last.width * last.control.mean),
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
    let (mut sum, mut weight) = (0.0, 0.0);
    for units in units {
        let (a, b) = (units.control.n, units.candidate.n);
        if a > 0.0 && b > 0.0 {
            let known = a * b / (a + b);
            weight += known;
            sum += known * units.width * (units.candidate.mean - units.control.mean);
        }
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
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
                centre: units.sums.centre,
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
        if ln_e >= guard.line {
            let more = metric.direction == Direction::Down;
            sequential.more = more;
            sequential.interval = sequential.interval.map(|found| without_zero(found, more));
        }
    }

    fn nothing() -> Self {
        Self {
            sequential: Sequential {
                interval: None,
                p: 1.0,
                adjusted_p: 1.0,
                ln_e: 0.0,
                method: SequenceMethod::None,
                more: false,
            },
            difference: None,
            base: None,
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
