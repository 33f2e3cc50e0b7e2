//! One candidate against the control on one metric.

use super::checks::pair_stages;
use super::{
    Comparison, EventComparison, Needed, Sequential, View, guarded_by, one_each, pooled, role,
    sample,
};
use crate::asymptotic::{BURN_IN_EVENTS, BURN_IN_UNITS, ln_e, p_of_ln_e, rho};
use crate::bayes::{self, NormalPrior, Posterior};
use crate::bounded::bernoulli;
use crate::events::{DEFAULT_TAU, one_sided_and_ratio};
use crate::fixed::{Proportion, Test, two_proportions, welch, wilson};
use crate::power::{Design, Tightest, sequential as sequential_units};
use crate::sample::{Effect, Interval, Sample};
use crate::stage_product::{self, MIN_TREATED};
use types::{
    Direction, Evidence, ExperimentDefinition, Finding, Metric, MetricKind, MetricRole, MetricSums,
    Missing, Policy, SequenceMethod,
};

/// 1 where more is better, −1 where less is.
pub(super) fn sign(metric: &Metric) -> f64 {
    match metric.direction {
        Direction::Up => 1.0,
        Direction::Down => -1.0,
    }
}

/// What a comparison is made of, epoch by epoch.
struct Pair {
    /// Effects of the epochs that are burnt in: a sequence begins there.
    effects: Vec<Effect>,
    /// Over all epochs: for showing and for planning, not for comparing.
    control: MetricSums,
    candidate: MetricSums,
    /// Of the epochs that have data, the samples, where it is only one.
    only: Option<(Sample, Sample)>,
    /// The sums of the last epoch with data in both arms, and the part of alpha that exact sequences of
    /// it may spend: all of it where the weights do not change, else 1/(s(s + 1)) in the s-th epoch.
    last: Option<(MetricSums, MetricSums, f64)>,
}

impl Pair {
    fn new(definition: &ExperimentDefinition, evidence: &Evidence, at: usize, arm: usize) -> Self {
        let metric = &definition.metrics[at];
        let mut effects = Vec::new();
        let mut samples = Vec::new();
        let mut last = None;
        for (stage, epoch) in (1..).zip(&evidence.epochs) {
            let sums = |arm: usize| &epoch.arms[arm].metrics[at].matured;
            let pair = sample(metric, sums(0)).zip(sample(metric, sums(arm)));
            if is_burnt_in(metric, sums(0)) && is_burnt_in(metric, sums(arm)) {
                effects.extend(pair.and_then(|(a, b)| Effect::difference(&a, &b)));
            }
            if pair.is_some() {
                let stage = f64::from(stage);
                let part = match definition.policy {
                    Policy::Fixed => 1.0,
                    Policy::Rollout(_) | Policy::Bandit(_) => 1.0 / (stage * (stage + 1.0)),
                };
                last = Some((*sums(0), *sums(arm), part));
            }
            samples.extend(pair);
        }
        Self {
            effects,
            control: pooled(evidence, at, 0).0,
            candidate: pooled(evidence, at, arm).0,
            only: match samples[..] {
                [only] => Some(only),
                _ => None,
            },
            last,
        }
    }

    /// Both arms as shares of units, where one epoch has all of them.
    fn proportions(&self, metric: &Metric) -> Option<(Proportion, Proportion)> {
        self.only?;
        proportion(metric, &self.control).zip(proportion(metric, &self.candidate))
    }
}

/// Whether the asymptotic forms hold for an arm in an epoch: enough units, and enough events of both
/// kinds.
fn is_burnt_in(metric: &Metric, sums: &MetricSums) -> bool {
    let rare = sums.sum.min(sums.count as f64 - sums.sum);
    let events = metric.kind != MetricKind::Binary || rare >= BURN_IN_EVENTS;
    sums.units as f64 >= BURN_IN_UNITS && events
}

/// A binary metric of units with one prediction each, so that units are what is counted.
fn proportion(metric: &Metric, sums: &MetricSums) -> Option<Proportion> {
    let counted = metric.kind == MetricKind::Binary && sums.units > 0 && one_each(sums);
    counted.then_some(Proportion {
        successes: sums.sum,
        n: sums.units as f64,
    })
}

pub(super) fn compare(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    elapsed_days: f64,
    view: View,
) -> Comparison {
    let metric = &definition.metrics[at];
    let pair = Pair::new(definition, evidence, at, arm);
    // Intervals of the primary metric hold for all candidates together.
    let family = match role(definition, metric) {
        MetricRole::Primary => (definition.arms.len() - 1) as f64,
        MetricRole::Guardrail => guarded_by(definition, metric),
        MetricRole::Secondary => 1.0,
    };
    let alpha = definition.alpha / family;
    let (sequential, estimate) = sequential(definition, metric, &pair, alpha);
    let difference = estimate.or_else(|| {
        let (a, b) = pair.only?;
        Some(b.mean - a.mean)
    });
    let base = mean(&pair.control).filter(|base| *base != 0.0);
    let lift = difference.zip(base).map(|(d, base)| d / base.abs());
    let relative = pair.only.and_then(|(a, b)| Effect::relative(&a, &b));
    let asymptotic = sequential.method == SequenceMethod::Asymptotic;
    let lift_interval = relative.filter(|_| asymptotic).map(|effect| {
        let rho = rho(alpha, definition.planned_units);
        let half = crate::asymptotic::half_width(&effect, alpha, rho);
        let interval = Interval::around(effect.estimate, half);
        // Nothing that cannot be negative falls by more than all of it.
        let least = if can_be_negative(metric) {
            f64::NEG_INFINITY
        } else {
            -1.0
        };
        Interval {
            lower: interval.lower.max(least),
            ..interval
        }
    });
    // A missing value is a failure too, but no event that came: the means say what harm there is.
    let comes = metric.missing == Missing::Excluded;
    let rollout = definition.policy.rollout();
    let tolerated = rollout.map_or(1.0, |settings| settings.ratio_tolerated);
    let events = (metric.kind == MetricKind::Binary && comes).then(|| {
        let stages = pair_stages(evidence, arm, |arm| arm.metrics[at].all.events);
        let (ln_e, rate_ratio) = one_sided_and_ratio(&stages, tolerated, alpha, DEFAULT_TAU);
        EventComparison { ln_e, rate_ratio }
    });
    let ln_e_harm = events
        .map(|events| events.ln_e)
        .or_else(|| ln_e_worse(definition, metric, evidence, at, arm));
    let mut comparison = Comparison {
        arm,
        difference,
        lift,
        sequential,
        lift_interval,
        fixed: None,
        bayesian: None,
        events,
        ln_e_harm,
        finding: Finding::TooLittle,
        needed: None,
    };
    if view == View::Whole {
        comparison.fixed = fixed(metric, &pair, definition.alpha);
        comparison.bayesian = bayesian(metric, &pair);
        comparison.needed = needed(definition, metric, &pair, &comparison, elapsed_days);
    }
    comparison
}

fn mean(sums: &MetricSums) -> Option<f64> {
    (sums.count > 0).then(|| sums.sum / sums.count as f64)
}

/// The asymptotic sequence. With epochs of different weights it is {δ: Σ ln E_s(δ) < ln(1/α)}: each
/// ln E_s is a parabola a_s(d_s − δ)² − b_s, so their sum is one and its roots are in closed form. With
/// one epoch it is the sequence of [`crate::asymptotic`] to the last digit. Also gives the estimate.
fn sequential(
    definition: &ExperimentDefinition,
    metric: &Metric,
    pair: &Pair,
    alpha: f64,
) -> (Sequential, Option<f64>) {
    let nothing = Sequential {
        interval: None,
        p: 1.0,
        adjusted_p: 1.0,
        ln_e: 0.0,
        method: SequenceMethod::None,
    };
    if pair.effects.is_empty() {
        let interval = exact(metric, pair, alpha);
        let method = if interval.is_some() {
            SequenceMethod::ExactBernoulli
        } else {
            SequenceMethod::None
        };
        let p = exact_p(metric, pair);
        let sequential = Sequential {
            interval,
            p,
            method,
            ..nothing
        };
        return (sequential, None);
    }
    let rho = rho(alpha, definition.planned_units);
    let ln_e: f64 = pair
        .effects
        .iter()
        .map(|effect| ln_e(effect, 0.0, rho))
        .sum();
    // Σ a_s(d_s − δ)² − Σ b_s = ln(1/α).
    let (mut a, mut ad, mut add, mut b) = (0.0, 0.0, 0.0, 0.0);
    for effect in &pair.effects {
        let v = effect.n * rho * rho + 1.0;
        let square = rho * rho * effect.n / (2.0 * v * effect.standard_error.powi(2));
        a += square;
        ad += square * effect.estimate;
        add += square * effect.estimate * effect.estimate;
        b += 0.5 * v.ln();
    }
    let center = ad / a;
    let rest = (b - alpha.ln() - (add - ad * center)) / a;
    let sequential = Sequential {
        interval: Some(Interval::around(center, rest.max(0.0).sqrt())),
        p: p_of_ln_e(ln_e),
        ln_e,
        method: SequenceMethod::Asymptotic,
        ..nothing
    };
    (sequential, Some(center))
}

/// The difference of two exact sequences of shares, each at α/2; it holds for any n, any number of
/// events and any allocation. Only where units are what is counted, and of one epoch.
fn exact(metric: &Metric, pair: &Pair, alpha: f64) -> Option<Interval> {
    let (control, candidate, part) = pair.last.as_ref()?;
    let (a, b) = proportion(metric, control).zip(proportion(metric, candidate))?;
    let sequence = |p: Proportion| bernoulli(p.successes, p.n, 0.5 * part * alpha, 1000.0);
    let (a, b) = (sequence(a), sequence(b));
    Some(Interval {
        lower: b.lower - a.upper,
        upper: b.upper - a.lower,
    })
}

/// The smallest level at which the exact interval does not hold 0.
fn exact_p(metric: &Metric, pair: &Pair) -> f64 {
    let excludes = |ln_p: f64| {
        let interval = exact(metric, pair, ln_p.exp());
        interval.is_some_and(|interval| !interval.contains(0.0))
    };
    let (least, most) = (LEAST_P.ln(), 0.0);
    if !excludes(0.5f64.ln()) {
        1.0
    } else if excludes(least) {
        LEAST_P
    } else {
        bisect_roughly(most, least, excludes).exp()
    }
}

/// No exact p-value is given below this.
const LEAST_P: f64 = 1e-12;

/// Where a condition that holds at `yes` and not at `no` changes, to three digits, on the side where
/// it holds.
fn bisect_roughly(mut yes: f64, mut no: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..16 {
        let middle = 0.5 * (yes + no);
        if holds(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

fn can_be_negative(metric: &Metric) -> bool {
    metric.kind == MetricKind::Continuous && metric.lower_bound.is_none_or(|bound| bound < 0.0)
}

fn fixed(metric: &Metric, pair: &Pair, alpha: f64) -> Option<Test> {
    let (a, b) = pair.only?;
    if let Some((control, candidate)) = pair.proportions(metric) {
        return Some(two_proportions(control, candidate, alpha));
    }
    Effect::difference(&a, &b).map(|effect| welch(&effect, alpha))
}

fn bayesian(metric: &Metric, pair: &Pair) -> Option<Posterior> {
    let (a, b) = pair.only?;
    let posterior = if let Some((control, candidate)) = pair.proportions(metric) {
        let counts = |p: Proportion| (p.successes, p.n);
        bayes::beta_binomial(counts(control), counts(candidate))
    } else {
        let effect = Effect::difference(&a, &b)?;
        bayes::normal(&effect, NormalPrior::FLAT, 0.05).posterior
    };
    Some(match metric.direction {
        Direction::Up => posterior,
        Direction::Down => Posterior {
            chance_to_win: 1.0 - posterior.chance_to_win,
            loss_candidate: posterior.loss_control,
            loss_control: posterior.loss_candidate,
        },
    })
}

/// ln of the stage-product e-value that the candidate's mean is worse.
fn ln_e_worse(
    definition: &ExperimentDefinition,
    metric: &Metric,
    evidence: &Evidence,
    at: usize,
    arm: usize,
) -> Option<f64> {
    let mut harms = Vec::new();
    for epoch in &evidence.epochs {
        let sums = |arm: usize| &epoch.arms[arm].metrics[at].matured;
        if (sums(arm).units as f64) < MIN_TREATED || (sums(0).units as f64) < MIN_TREATED {
            continue;
        }
        let samples = sample(metric, sums(0)).zip(sample(metric, sums(arm)));
        let Some(effect) = samples.and_then(|(a, b)| Effect::difference(&a, &b)) else {
            continue;
        };
        harms.push(Effect {
            estimate: -sign(metric) * effect.estimate,
            ..effect
        });
    }
    let alpha = definition.alpha / guarded_by(definition, metric);
    let planned_units = definition.planned_units;
    let rollout = definition.policy.rollout();
    let margin = rollout.and_then(|settings| settings.margins.get(&metric.name));
    let margin = margin.copied().unwrap_or(0.0);
    (!harms.is_empty()).then(|| stage_product::ln_e(&harms, margin, alpha, planned_units))
}

/// What the adjusted always-valid p-value allows to say.
pub(super) fn finding(metric: &Metric, comparison: &Comparison, alpha: f64) -> Finding {
    let sequential = &comparison.sequential;
    if sequential.method == SequenceMethod::None {
        return Finding::TooLittle;
    }
    if sequential.adjusted_p > alpha {
        return match sequential.method {
            SequenceMethod::ExactBernoulli => Finding::TooLittle,
            _ => Finding::Unclear,
        };
    }
    let side = sequential.interval.map_or(0.0, |interval| {
        if interval.lower > 0.0 {
            1.0
        } else if interval.upper < 0.0 {
            -1.0
        } else {
            comparison.difference.unwrap_or(0.0)
        }
    });
    let gain = sign(metric) * side;
    if gain > 0.0 {
        Finding::Better
    } else if gain < 0.0 {
        Finding::Worse
    } else {
        Finding::Unclear
    }
}

/// A guardrail is harmed or not: it never speaks for a candidate.
pub(super) fn guardrail_finding(comparison: &Comparison, harm: f64) -> Finding {
    match comparison.ln_e_harm {
        None => Finding::TooLittle,
        Some(ln_e) if ln_e >= harm => Finding::Worse,
        Some(_) => Finding::Unclear,
    }
}

/// An interval of an arm's mean for one look: Wilson's of a share, else of the t distribution.
pub(super) fn mean_interval(metric: &Metric, sums: &MetricSums, alpha: f64) -> Option<Interval> {
    let sample = sample(metric, sums)?;
    if let Some(share) = proportion(metric, sums) {
        return Some(wilson(share, alpha));
    }
    if sample.n < 2.0 || sample.variance <= 0.0 {
        return None;
    }
    let critical = crate::special::student_critical(alpha, sample.n - 1.0);
    let half = critical * (sample.variance / sample.n).sqrt();
    let interval = Interval::around(sample.mean, half);
    let (least, most) = match metric.kind {
        MetricKind::Binary => (Some(0.0), Some(1.0)),
        MetricKind::Count => (Some(0.0), metric.upper_bound),
        MetricKind::Continuous => (metric.lower_bound, metric.upper_bound),
    };
    let interval = Interval {
        lower: interval
            .lower
            .max(least.unwrap_or(f64::NEG_INFINITY))
            .min(sample.mean),
        upper: interval
            .upper
            .min(most.unwrap_or(f64::INFINITY))
            .max(sample.mean),
    };
    interval.lower.is_finite().then_some(interval)
}

/// How many units decide: for the smallest effect that matters, else for the effect as it is.
fn needed(
    definition: &ExperimentDefinition,
    metric: &Metric,
    pair: &Pair,
    comparison: &Comparison,
    elapsed_days: f64,
) -> Option<Needed> {
    let (a, b) = (
        sample(metric, &pair.control)?,
        sample(metric, &pair.candidate)?,
    );
    let minimum = definition
        .minimum_detectable_effect
        .filter(|_| metric.name == definition.primary_metric)
        .map(|effect| {
            let base = if definition.relative {
                a.mean.abs()
            } else {
                1.0
            };
            effect * base
        });
    let effect = minimum.or(comparison.difference).map(f64::abs)?;
    if effect <= 0.0 || a.variance + b.variance <= 0.0 {
        return None;
    }
    let ratio = b.n / a.n;
    let candidates = (definition.arms.len() - 1) as f64;
    let design = Design {
        alpha: definition.alpha / candidates,
        power: definition.power,
        sides: 2.0,
    };
    let tightest = Tightest::At(definition.planned_units);
    let control = sequential_units(effect, (a.variance, b.variance), ratio, tightest, design);
    let units = (control * (1.0 + ratio)).ceil();
    let so_far = a.n + b.n;
    let more = (units - so_far).max(0.0);
    // A burst of minutes says nothing of a day.
    let days = (elapsed_days >= 1.0 / 24.0).then(|| more * elapsed_days / so_far);
    (units < 1e15).then_some(Needed {
        units,
        more,
        days,
        for_minimum_effect: minimum.is_some(),
    })
}
