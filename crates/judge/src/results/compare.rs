//! One candidate against the control on one metric.

use super::{
    AdjustedBy, Comparison, Corrected, Needed, Over, View, claims, guard, guarded_by, one_each,
    pooled, pooled_matured, role, sample,
};
use crate::bayes::{self, NormalPrior, Posterior};
use crate::cuped::{self, PairSums};
use crate::fixed::{Proportion, Test, two_proportions, welch, wilson};
use crate::power::{Design, Tightest, sequential as sequential_units};
use crate::sample::{Effect, Interval, Sample};
use types::{
    Direction, Evidence, ExperimentDefinition, Finding, Metric, MetricKind, MetricRole, MetricSums,
    SequenceMethod,
};

/// 1 where more is better, −1 where less is.
pub(super) fn sign(metric: &Metric) -> f64 {
    match metric.direction {
        Direction::Up => 1.0,
        Direction::Down => -1.0,
    }
}

/// What a comparison is made of.
struct Pair {
    /// Over all epochs: for showing and for planning, not for comparing.
    control: MetricSums,
    candidate: MetricSums,
    /// The samples of both arms, where exactly one epoch has data, or several that are like one.
    only: Option<(Sample, Sample)>,
    /// The same, adjusted by the covariate.
    adjusted: Option<(Sample, Sample)>,
}

impl Pair {
    fn new(definition: &ExperimentDefinition, evidence: &Evidence, at: usize, arm: usize) -> Self {
        let metric = &definition.metrics[at];
        let mut samples = Vec::new();
        for epoch in &evidence.epochs {
            let sums = |arm: usize| guard::due(metric, &epoch.arms[arm].metrics[at]);
            let both = sample(metric, sums(0)).zip(sample(metric, sums(arm)));
            samples.extend(both.map(|both| (both, adjusted(both, (sums(0), sums(arm))))));
        }
        let control = pooled_matured(evidence, at, 0);
        let candidate = pooled_matured(evidence, at, arm);
        let only = match samples[..] {
            [only] => Some(only),
            [_, _, ..] if are_like_one(evidence, [0, arm]) => {
                let all = |arm| pooled(evidence, at, arm, |found| guard::due(metric, found));
                let (a, b) = (all(0), all(arm));
                let both = sample(metric, &a).zip(sample(metric, &b));
                both.map(|both| (both, adjusted(both, (&a, &b))))
            }
            _ => None,
        };
        Self {
            control,
            candidate,
            only: only.map(|(samples, _)| samples),
            adjusted: only.and_then(|(_, adjusted)| adjusted),
        }
    }

    /// Both arms as shares of units, where one epoch has all of them.
    fn proportions(&self, metric: &Metric) -> Option<(Proportion, Proportion)> {
        self.only?;
        proportion(metric, &self.control).zip(proportion(metric, &self.candidate))
    }
}

/// Whether the epochs of two arms can be taken together: the shares were the same in all of them (a scale that became known
/// begins an epoch and moves nothing), and hardly a unit came back in a later one, where it would count twice.
fn are_like_one(evidence: &Evidence, arms: [usize; 2]) -> bool {
    let epochs = &evidence.epochs;
    let same = epochs.windows(2).all(|two| two[0].shares == two[1].shares);
    let exposed = || {
        let each = epochs.iter().skip(1);
        each.flat_map(|epoch| arms.map(|arm| epoch.arms[arm].exposures))
    };
    let units: u64 = exposed().map(|exposures| exposures.units).sum();
    let first: u64 = exposed().map(|exposures| exposures.first).sum();
    same && units.saturating_sub(first) * 100 <= units
}

/// Samples adjusted by what was known of the units before (CUPED), where it was known for some; a unit without a covariate
/// counts as one with the mean of all.
fn adjusted(
    (control, candidate): (Sample, Sample),
    (of_control, of_candidate): (&MetricSums, &MetricSums),
) -> Option<(Sample, Sample)> {
    let known = [of_control, of_candidate].map(|sums| sums.covariate);
    let units: f64 = known.iter().map(|sums| sums.units as f64).sum();
    let totals = known.iter();
    let total: f64 = totals
        .map(|sums| sums.about * sums.units as f64 + sums.covariate)
        .sum();
    let mean = total / units.max(1.0);
    let of = |sample: Sample, sums: &MetricSums| {
        let x = sums.covariate.rebased(mean);
        let each = sums.count as f64 / sums.units.max(1) as f64;
        let ratio = sums.sum / sums.count.max(1) as f64;
        // Means are taken about the control's, so that nothing of large ones is lost.
        let y = sample.mean - control.mean;
        let (n, v) = (sample.n, sample.variance);
        PairSums {
            n,
            sum_y: n * y,
            sum_yy: (n - 1.0) * v + n * y * y,
            sum_x: x.covariate,
            sum_xx: x.squares,
            sum_xy: y * x.covariate + (x.products - ratio * x.count_products) / each,
        }
    };
    let sums = (of(control, of_control), of(candidate, of_candidate));
    let theta = cuped::theta(&sums.0, &sums.1);
    if theta == 0.0 || !theta.is_finite() {
        return None;
    }
    let (mut a, mut b) = cuped::adjust(&sums.0, &sums.1, theta);
    a.mean += control.mean;
    b.mean += control.mean;
    Some((a, b))
}

/// A binary metric of units with one prediction each, so that units are what is counted.
fn proportion(metric: &Metric, sums: &MetricSums) -> Option<Proportion> {
    let counted = metric.kind == MetricKind::Binary && sums.units > 0 && one_each(sums);
    counted.then_some(Proportion {
        successes: sums.total(),
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
    let is_guardrail = definition.role(metric) == MetricRole::Guardrail;
    let mut claim = claims::claim(definition, evidence, (at, arm), alpha, is_guardrail);
    let events = guard::events(definition, metric, evidence, (at, arm));
    let guards = definition.guardrails.contains(&metric.name);
    let guard = guards.then(|| guard::guard(definition, evidence, (at, arm), events));
    if is_guardrail {
        claim.guards(metric, guard.as_ref());
    }
    let mut comparison = comparison(definition, (at, arm), &pair, &claim, alpha);
    comparison.ln_e_harm = match &guard {
        // What is not looked through yet is not remembered.
        Some(guard) if guard.awaits_minutes => None,
        Some(guard) => guard.ln_e,
        None => events.map(|events| events.ln_e),
    };
    (comparison.events, comparison.guard) = (events, guard);
    comparison.corrected = Corrected::of(evidence, (at, arm), claim.spread);
    if view == View::Whole {
        comparison.fixed = fixed(metric, &pair, definition.alpha);
        comparison.bayesian = bayesian(metric, &pair);
        comparison.needed = needed(definition, metric, &pair, &comparison, elapsed_days);
    }
    comparison
}

/// What may be claimed of a candidate by part of the evidence, whatever the metric is for: nothing guards there.
pub(super) fn of_part(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    (at, arm): (usize, usize),
    alpha: f64,
) -> Comparison {
    let pair = Pair::new(definition, evidence, at, arm);
    let claim = claims::claim(definition, evidence, (at, arm), alpha, false);
    comparison(definition, (at, arm), &pair, &claim, alpha)
}

fn comparison(
    definition: &ExperimentDefinition,
    (at, arm): (usize, usize),
    pair: &Pair,
    claim: &claims::Claim,
    alpha: f64,
) -> Comparison {
    let metric = &definition.metrics[at];
    let difference = claim.difference.or_else(|| {
        let (a, b) = pair.only?;
        Some(b.mean - a.mean)
    });
    let base = claim
        .base
        .or_else(|| mean(&pair.control))
        .filter(|base| *base != 0.0);
    let lift = difference.zip(base).map(|(d, base)| d / base.abs());
    Comparison {
        arm,
        difference,
        lift,
        sequential: claim.sequential,
        lift_interval: claims::lift_interval(definition, metric, claim, alpha),
        fixed: None,
        bayesian: None,
        events: None,
        guard: None,
        ln_e_harm: None,
        covariate: Some(AdjustedBy {
            units: pair.control.covariate.units + pair.candidate.covariate.units,
            of: pair.control.units + pair.candidate.units,
            variance_reduction: claim.variance_reduction.unwrap_or(0.0),
        })
        .filter(|_| metric.covariate.is_some()),
        by_day: None,
        claimed: None,
        change_was_told: false,
        was_corrected: false,
        corrected: Corrected::default(),
        kept_of: None,
        finding: Finding::TooLittle,
        needed: None,
    }
}

fn mean(sums: &MetricSums) -> Option<f64> {
    (sums.count > 0).then(|| sums.about + sums.sum / sums.count as f64)
}

fn fixed(metric: &Metric, pair: &Pair, alpha: f64) -> Option<Test> {
    let (a, b) = pair.only?;
    if let Some((a, b)) = pair.adjusted {
        return Effect::difference(&a, &b).map(|effect| welch(&effect, alpha));
    }
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

/// What the adjusted always-valid p-value allows to say, of so many comparisons. What earlier looks have claimed holds as long as
/// the difference so far, and what the effect has become, are on its side.
pub(super) fn finding(
    metric: &Metric,
    comparison: &Comparison,
    (alpha, comparisons): (f64, usize),
) -> Finding {
    let sequential = &comparison.sequential;
    if sequential.method == SequenceMethod::None {
        return Finding::TooLittle;
    }
    // A claim stands until it is over; then, and before there is one, what can be said is said by the evidence.
    if let Some(standing) = comparison.standing(metric) {
        return standing;
    }
    let (p_now, more_now) = sequential.now;
    let now = (p_now * comparisons as f64, more_now);
    // What was claimed once begins again by what is known now, not by what was shown long ago.
    let shown = match comparison.claimed {
        Some(_) => now,
        None => (sequential.adjusted_p, sequential.more),
    };
    let holds = |(p, more): &(f64, bool)| *p <= alpha && comparison.against(*more).is_none();
    match [shown, now].into_iter().find(holds) {
        None => Finding::Unclear,
        Some((_, more)) if more == (metric.direction == Direction::Up) => Finding::Better,
        Some(_) => Finding::Worse,
    }
}

impl Comparison {
    /// What is against a claim that the candidate's mean is the greater one, or the smaller one: what the effect has become, or the
    /// difference so far, is not on its side.
    pub(super) fn against(&self, more: bool) -> Option<Over> {
        let is_against = |difference: &f64| *difference == 0.0 || (*difference > 0.0) != more;
        let change = self.by_day.as_ref().and_then(|days| days.change);
        if change.is_some_and(|change| is_against(&change.after)) {
            return Some(Over::Changed);
        }
        self.difference.filter(is_against).map(Over::Turned)
    }

    /// Takes back all that is said of the difference but the difference.
    pub(super) fn distrust(&mut self) {
        let sequential = &mut self.sequential;
        (sequential.p, sequential.adjusted_p, sequential.ln_e) = (1.0, 1.0, 0.0);
        (sequential.interval, sequential.now.0) = (None, 1.0);
        sequential.method = SequenceMethod::None;
        (self.lift_interval, self.fixed, self.bayesian) = (None, None, None);
        (self.events, self.ln_e_harm) = (None, None);
        (self.by_day, self.needed) = (None, None);
        if let Some(guard) = &mut self.guard {
            (guard.ln_e, guard.limit, guard.burst_until) = (None, None, None);
            guard.awaits_minutes = false;
            guard.silent = Some("many labels can never equal what was answered".into());
        }
        self.finding = Finding::Unclear;
    }

    /// Leaves of the intervals what is on the side of the finding.
    pub(super) fn clip(&mut self, metric: &Metric) {
        let more = (self.finding == Finding::Better) == (metric.direction == Direction::Up);
        let clipped = |found| claims::without_zero(found, more);
        self.sequential.interval = self.sequential.interval.map(clipped);
        self.lift_interval = self.lift_interval.map(clipped);
    }

    /// An estimate is inside its interval, whatever the interval was made of.
    pub(super) fn hold_estimates(&mut self) {
        let hold = |interval: Option<Interval>, estimate: Option<f64>| {
            interval.map(|found| match estimate {
                Some(estimate) => Interval {
                    lower: found.lower.min(estimate),
                    upper: found.upper.max(estimate),
                },
                None => found,
            })
        };
        self.sequential.interval = hold(self.sequential.interval, self.difference);
        self.lift_interval = hold(self.lift_interval, self.lift);
    }
}

/// A guardrail is harmed or not: it never speaks for a candidate.
pub(super) fn guardrail_finding(comparison: &Comparison, units: [u64; 2], harm: f64) -> Finding {
    match comparison.ln_e_harm {
        None => Finding::TooLittle,
        Some(ln_e) if ln_e >= harm => Finding::Worse,
        Some(_) if units.contains(&0) => Finding::TooLittle,
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
    // What the covariate explains need not be found out.
    let left = 1.0 - comparison.covariate.map_or(0.0, |by| by.variance_reduction);
    let ratio = b.n / a.n;
    let candidates = (definition.arms.len() - 1) as f64;
    let design = Design {
        alpha: definition.alpha / candidates,
        power: definition.power,
        sides: 2.0,
    };
    let tightest = Tightest::At(definition.planned_units);
    let control = sequential_units(
        effect,
        (left * a.variance, left * b.variance),
        ratio,
        tightest,
        design,
    );
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
