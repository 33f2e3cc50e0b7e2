//! What an experiment's evidence says, all of it: every number that a decision uses, and the
//! decision in words.
//!
//! What is claimed stays valid while people watch: bets on units whose arm was left to chance ([`crate::betting`]), and
//! beside them asymptotic evidence, once it has earned to count ([`crate::claim`]). Sums of epochs with different weights
//! are never pooled. Guardrails have the rule that fits their metric ([`Guard`]).

mod adaptive;
mod bursts;
mod checks;
mod claims;
mod compare;
mod days;
mod guard;
mod history;
mod regret;
mod requests;
mod segments;
mod summary;

use crate::bayes::Posterior;
use crate::fixed::Test;
use crate::limits::Limit;
use crate::sample::{Interval, Sample};
use adaptive::adaptive;
pub use adaptive::{AdaptiveArm, AdaptiveComparison, AdaptiveResult};
pub(crate) use adaptive::{ByParts, Contrast};
use checks::{feedback_checks, label_checks, ratio_check, window_checks};
use compare::compare;
pub use days::{DayEffect, EffectByDay, EffectChange};
pub use guard::{Guard, bad_units_differ, needs_minutes};
pub use history::{Claimed, Corrected, History, Over, Shown};
pub use regret::Regret;
pub use segments::{SegmentMetric, SegmentResult, segments};
pub use summary::{begin, changes, end};
use types::{
    BuiltIn, Evidence, EvidenceRule, Experiment, ExperimentDefinition, Finding, Metric,
    MetricEvidence, MetricKind, MetricRole, MetricSums, Mismatch, SequenceMethod, Timestamp,
    VerdictKind,
};

/// What the evidence says about an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// What to do.
    pub verdict: Verdict,
    /// The same in a few sentences, which claim no more than the evidence.
    pub summary: String,
    /// Whether the arms got the units that their weights promise.
    pub sample_ratio: RatioCheck,
    /// By metric: whether feedback came alike for all arms.
    pub feedback: Vec<FeedbackCheck>,
    /// By arm with labels that can never equal what it answered: how many there are.
    pub labels: Vec<LabelCheck>,
    /// By metric with a window: whether it holds the delays of feedback.
    pub windows: Vec<WindowCheck>,
    /// By metric, in the order of the definition.
    pub metrics: Vec<MetricResult>,
    /// Units exposed so far, by arm.
    pub units: Vec<u64>,
    /// Predictions, by arm.
    pub predictions: Vec<u64>,
    /// Predictions that another version answered, by arm; they count for the arm that was chosen.
    pub fallbacks: Vec<u64>,
    /// Predictions that took no part.
    pub outside: u64,
    /// By metric, over all arms: values that took the place of others in the evidence, and those that came too late for that.
    pub corrected: Vec<(u64, u64)>,
}

/// What to do about an experiment. Arms are places in its definition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The arms did not get the units that their weights promise: nothing can be concluded.
    SampleRatioMismatch,
    /// Feedback came more often for one arm: outcomes cannot be compared.
    DifferentialFeedback,
    /// Many labels of an arm can never equal what it answers: nothing can be said of the metric that decides.
    LabelsNeverMatch,
    /// A guardrail is worse in an arm.
    GuardrailHarmed {
        /// The candidate.
        arm: usize,
        /// The metric.
        metric: usize,
    },
    /// A candidate is better than the control on the primary metric.
    Winner {
        /// The candidate.
        arm: usize,
    },
    /// Every candidate is worse than the control.
    ControlBetter,
    /// No candidate differs by as much as matters.
    NoRelevantDifference,
    /// The evidence does not decide yet.
    KeepGoing,
}

impl Verdict {
    /// The same in a word.
    pub fn kind(self) -> VerdictKind {
        match self {
            Self::SampleRatioMismatch => VerdictKind::SampleRatioMismatch,
            Self::DifferentialFeedback => VerdictKind::DifferentialFeedback,
            Self::LabelsNeverMatch => VerdictKind::LabelsNeverMatch,
            Self::GuardrailHarmed { .. } => VerdictKind::GuardrailHarmed,
            Self::Winner { .. } => VerdictKind::Winner,
            Self::ControlBetter => VerdictKind::ControlBetter,
            Self::NoRelevantDifference => VerdictKind::NoRelevantDifference,
            Self::KeepGoing => VerdictKind::KeepGoing,
        }
    }
}

/// Counts of first exposures against the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioCheck {
    /// The always-valid p-value over all epochs; below 0.001 is an alarm.
    pub p: f64,
    /// ln of the e-value.
    pub ln_e: f64,
    /// The p-value of the χ² test over the epochs, for one look; `None` below 8 units per arm.
    pub chi_square_p: Option<f64>,
    /// Whether the counts contradict the weights: p is below 0.001.
    pub alarm: bool,
}

/// Whether feedback for a metric comes as often for a candidate as for the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeedbackCheck {
    /// The metric.
    pub metric: usize,
    /// The candidate.
    pub arm: usize,
    /// The always-valid p-value; below 0.001 is an alarm.
    pub p: f64,
    /// Whether feedback comes more often for one of them: p is below 0.001.
    pub alarm: bool,
}

impl LabelCheck {
    /// Whether they are half as many as an alarm takes, or more.
    pub(crate) fn is_half_of_an_alarm(&self) -> bool {
        2 * self.unlike * checks::LABELS_PER_UNLIKE > self.labels
    }
}

/// Labels of an arm that can never equal what it answered, because they are of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelCheck {
    /// The metric that is made of labels: `correct`.
    pub metric: usize,
    /// The arm.
    pub arm: usize,
    /// How many.
    pub unlike: u64,
    /// Of so many labels.
    pub labels: u64,
    /// The types of most of them.
    pub mismatch: Mismatch,
    /// Whether they are more than one in a hundred. Then nothing is said of the metric.
    pub alarm: bool,
}

/// Whether the window of a metric is long enough, and whether feedback takes as long for a candidate as for the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowCheck {
    /// The metric.
    pub metric: usize,
    /// The candidate.
    pub arm: usize,
    /// The share of the slower arm's values that came within the window; `None` without any.
    pub held: Option<f64>,
    /// The always-valid p-value of the hypothesis that values take equally long to come for both.
    pub timing_p: f64,
    /// Whether values take longer for one of them: p is below 0.001. This describes the feedback; nothing
    /// is decided by it.
    pub timing_alarm: bool,
}

/// A metric in all arms.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricResult {
    /// What it is for.
    pub role: MetricRole,
    /// The control first.
    pub arms: Vec<ArmResult>,
    /// By candidate.
    pub comparisons: Vec<Comparison>,
    /// Under a bandit: estimates that stay honest when the weights follow the data.
    pub adaptive: Option<AdaptiveResult>,
    /// Why it has no scale yet, where it waits for one and the reason was asked for.
    pub no_scale: Option<String>,
}

/// A metric in one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmResult {
    /// Units that count.
    pub units: u64,
    /// Predictions that count.
    pub predictions: u64,
    /// Predictions that have no value yet and may still get one.
    pub immature: u64,
    /// Matured predictions without a value that count as failures.
    pub missing: u64,
    /// The mean per prediction; `None` without any.
    pub mean: Option<f64>,
    /// An interval of the mean at level 1 − alpha for one look.
    pub interval: Option<Interval>,
    /// Units with a bad value of a binary metric.
    pub events: Option<u64>,
    /// Σ of what values lie above the cap, less what they lie below the floor.
    pub beyond: f64,
}

/// A candidate against the control on one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The candidate.
    pub arm: usize,
    /// candidate − control of the means; with several epochs the estimate of the sequence.
    pub difference: Option<f64>,
    /// The difference over the control's mean.
    pub lift: Option<f64>,
    /// The view to act on.
    pub sequential: Sequential,
    /// The same for the lift, where the control is not 0.
    pub lift_interval: Option<Interval>,
    /// For one look at a planned size; `None` where the shares have moved, or without variance.
    pub fixed: Option<Test>,
    /// The Bayesian view: better is higher, whatever the direction of the metric. Not to act on.
    pub bayesian: Option<Posterior>,
    /// Of a binary metric: bad events.
    pub events: Option<EventComparison>,
    /// Of a guardrail: the evidence that the candidate is worse.
    pub guard: Option<Guard>,
    /// ln of the e-value that the candidate is worse, the largest of all looks.
    pub ln_e_harm: Option<f64>,
    /// What a covariate does for the comparison, where the metric has one.
    pub covariate: Option<AdjustedBy>,
    /// The effect from day to day, where it is followed.
    pub by_day: Option<EffectByDay>,
    /// What can be said.
    pub finding: Finding,
    /// What was claimed last, by this look or an earlier one, and until when it held.
    pub claimed: Option<Claimed>,
    /// Whether an earlier look has told that the effect has changed.
    pub change_was_told: bool,
    /// Whether what earlier looks have shown does not count any more, because values were corrected since.
    pub was_corrected: bool,
    /// How many were by now.
    pub corrected: Corrected,
    /// And by the earlier look whose p-value or evidence of harm this one has, where it has.
    pub kept_of: Option<Corrected>,
    /// Units (both arms) that would decide if the effect is the smallest that matters, or stays as it
    /// is; and how many days that takes at the rate so far.
    pub needed: Option<Needed>,
}

/// What a covariate does for a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdjustedBy {
    /// Units of both arms whose covariate is known, of those that count.
    pub units: u64,
    /// Units that count.
    pub of: u64,
    /// By how much it lowers the variance of the difference in the always-valid view, from 0 to 1: with .5 half of the units
    /// tell as much.
    pub variance_reduction: f64,
}

/// The always-valid view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequential {
    /// The confidence sequence of the difference; `None` where nothing bounds it yet.
    pub interval: Option<Interval>,
    /// The always-valid p-value, before the adjustment for several comparisons.
    pub p: f64,
    /// After it: Holm's over the candidates (primary) or over metrics and candidates (secondary);
    /// Bonferroni's over guardrails and candidates.
    pub adjusted_p: f64,
    /// ln of the e-value against no difference.
    pub ln_e: f64,
    /// How the interval was made.
    pub method: SequenceMethod,
    /// Whether the candidate's mean is more likely to be the greater one.
    pub more: bool,
    /// The p-value of this look alone, and whether the candidate's mean is the greater one by it.
    pub now: (f64, bool),
    /// Units of both arms that it rests on: those that came when the scale was known, and whose arm was left to chance.
    pub units: u64,
}

/// Bad events of a candidate and of the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventComparison {
    /// ln of the e-value that the candidate's rate is higher.
    pub ln_e: f64,
    /// The confidence sequence of the ratio of the rates.
    pub rate_ratio: Interval,
}

/// What is missing for a decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needed {
    /// Units of both arms, all together.
    pub units: f64,
    /// Units that are still missing.
    pub more: f64,
    /// How long these take at the rate so far.
    pub days: Option<f64>,
    /// Whether the units are for the smallest effect that matters; else for the effect as it is.
    pub for_minimum_effect: bool,
}

impl Results {
    /// Says why the metric at a place of the definition has no scale yet.
    pub fn explain(&mut self, experiment: &Experiment, at: usize, why: &str) {
        let metric = &mut self.metrics[at];
        metric.no_scale = Some(why.to_owned());
        let guards = metric.comparisons.iter_mut();
        for guard in guards.filter_map(|comparison| comparison.guard.as_mut()) {
            guard.silent = Some(why.to_owned());
        }
        let ended = experiment.status.has_ended();
        self.summary = summary::say(&experiment.definition, self, ended);
    }

    /// The metric of which nothing is said, because many labels can never equal what was answered.
    pub fn mislabelled(&self) -> Option<usize> {
        mislabelled(&self.labels)
    }

    /// A candidate whose answers are of another type than the labels, while the control's fit them: its answers are at fault.
    pub fn answers_otherwise(&self) -> Option<&LabelCheck> {
        let of_control = self.labels.iter().find(|check| check.arm == 0);
        let metric = self
            .mislabelled()
            .filter(|_| of_control.is_none_or(|check| !check.alarm))?;
        let fits = self.metrics[metric].arms[0].predictions >= ENOUGH_LABELS;
        let mut candidates = self.labels.iter().filter(|check| check.arm > 0);
        candidates
            .find(|check| fits && check.unlike >= ENOUGH_LABELS && 2 * check.unlike > check.labels)
    }

    /// When a burst was seen last that keeps a guardrail from deciding, in minutes since 1970.
    pub fn burst_until(&self) -> Option<i64> {
        let comparisons = self.metrics.iter().flat_map(|metric| &metric.comparisons);
        let guards = comparisons.filter_map(|c| c.guard.as_ref());
        guards.filter_map(|guard| guard.burst_until).max()
    }

    /// The damage limit that a candidate has passed on a guardrail, by the guardrail's place.
    pub fn limit(&self) -> Option<(usize, Limit)> {
        let metrics = self.metrics.iter().enumerate();
        let mut guards = metrics.flat_map(|(at, metric)| {
            let guards = metric.comparisons.iter().filter_map(|c| c.guard.as_ref());
            guards.map(move |guard| (at, guard))
        });
        guards.find_map(|(at, guard)| Some((at, guard.limit?)))
    }

    /// Whether a guardrail would decide, and the minutes of the evidence are needed to say so.
    pub fn awaits_minutes(&self) -> bool {
        let comparisons = self.metrics.iter().flat_map(|metric| &metric.comparisons);
        let mut guards = comparisons.filter_map(|c| c.guard.as_ref());
        guards.any(|guard| guard.awaits_minutes)
    }

    /// Candidates and the guardrails that they harm, the first guardrail first.
    pub fn harm(&self, definition: &ExperimentDefinition) -> impl Iterator<Item = (usize, usize)> {
        let metrics = self.metrics.iter().zip(&definition.metrics).enumerate();
        metrics
            .filter(|(_, (_, metric))| definition.guardrails.contains(&metric.name))
            .flat_map(|(at, (result, metric))| {
                let alarm = harm_threshold(definition, metric);
                let harms = move |c: &&Comparison| {
                    let awaits = c.guard.as_ref().is_some_and(|guard| guard.awaits_minutes);
                    !awaits && c.ln_e_harm.is_some_and(|ln_e| ln_e >= alarm)
                };
                result
                    .comparisons
                    .iter()
                    .filter(harms)
                    .map(move |c| (c.arm, at))
            })
    }
}

/// So many labels show of which type they are.
const ENOUGH_LABELS: u64 = 20;

fn mislabelled(labels: &[LabelCheck]) -> Option<usize> {
    let check = labels.iter().find(|check| check.alarm)?;
    Some(check.metric)
}

/// How much of the results is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Everything that people are shown.
    Whole,
    /// What is decided by: without the summary, the tests for one look, the Bayesian view and the units that
    /// are missing.
    Deciding,
}

/// Judges an experiment by its evidence at a moment, and by what earlier looks have shown.
pub fn results(
    experiment: &Experiment,
    evidence: &Evidence,
    history: &History,
    now: Timestamp,
) -> Results {
    view(experiment, evidence, history, now, View::Whole)
}

/// The same, or what of it is asked for.
pub fn view(
    experiment: &Experiment,
    evidence: &Evidence,
    history: &History,
    now: Timestamp,
    view: View,
) -> Results {
    let definition = &experiment.definition;
    let sample_ratio = ratio_check(evidence);
    let feedback = feedback_checks(definition, evidence);
    let labels = label_checks(definition, evidence);
    let mislabelled = mislabelled(&labels);
    let elapsed_days = experiment.started_at.map_or(0.0, |start| {
        let end = experiment.ended_at.unwrap_or(now);
        (end.micros() - start.micros()).max(0) as f64 / 86_400e6
    });
    let mut metrics: Vec<MetricResult> = (0..definition.metrics.len())
        .map(|at| metric_result(definition, evidence, at, elapsed_days, view))
        .collect();
    for shown in &history.0 {
        let comparisons = metrics.get_mut(shown.metric).map(|m| &mut m.comparisons);
        let mut comparisons = comparisons.into_iter().flatten();
        if let Some(comparison) = comparisons.find(|c| c.arm == shown.arm) {
            comparison.remember(shown);
        }
    }
    let of_role = |role| comparisons_of(definition, role);
    for (at, result) in metrics.iter_mut().enumerate() {
        let metric = &definition.metrics[at];
        let among = of_role(result.role);
        for comparison in &mut result.comparisons {
            let pair = (at, comparison.arm);
            if definition.keeps_days(metric) {
                let looked_for = (definition.alpha, among);
                comparison.by_day = Some(days::by_day(metric, evidence, pair, looked_for, now));
            } else if definition.keeps_parts(metric) && metric.rule() != EvidenceRule::None {
                comparison.by_day = days::by_epochs(definition, evidence, pair, among, now);
            }
        }
    }
    if let Some(at) = mislabelled {
        metrics[at].distrust();
    }
    adjust(&mut metrics, MetricRole::Primary);
    adjust(&mut metrics, MetricRole::Secondary);
    adjust_guardrails(&mut metrics, definition);
    for (at, (metric, result)) in definition.metrics.iter().zip(&mut metrics).enumerate() {
        if mislabelled == Some(at) {
            continue;
        }
        for comparison in &mut result.comparisons {
            comparison.finding = if result.role == MetricRole::Guardrail {
                // A bad event counts before its window has passed.
                let units = [0, comparison.arm]
                    .map(|arm| pooled(evidence, at, arm, |found| &found.all).units);
                compare::guardrail_finding(comparison, units, harm_threshold(definition, metric))
            } else {
                let family = of_role(result.role);
                compare::finding(metric, comparison, (definition.alpha, family))
            };
            if matches!(comparison.finding, Finding::Better | Finding::Worse) {
                comparison.needed = None;
                // What was claimed first is not taken back by the interval of the present look.
                comparison.clip(metric);
            }
            comparison.hold_estimates();
            // Once it has ended nothing is kept of a look, and a claim would end anew at each.
            if result.role != MetricRole::Guardrail && !experiment.status.has_ended() {
                comparison.note_claim(metric, now);
            }
        }
    }
    let total = |f: fn(&types::ArmEvidence) -> u64| -> Vec<u64> {
        let arm = |at: usize| evidence.epochs.iter().map(|e| f(&e.arms[at])).sum();
        (0..definition.arms.len()).map(arm).collect()
    };
    let mut results = Results {
        verdict: Verdict::KeepGoing,
        summary: String::new(),
        sample_ratio,
        feedback,
        labels,
        windows: window_checks(definition, evidence),
        metrics,
        units: total(|arm| arm.exposures.units),
        predictions: total(|arm| arm.exposures.predictions),
        fallbacks: total(|arm| arm.exposures.fallbacks),
        outside: evidence.outside,
        corrected: (0..definition.metrics.len())
            .map(|at| {
                let all = evidence.corrections.iter();
                let of = all.filter(|of| of.metric == at);
                of.fold((0, 0), |sum, of| (sum.0 + of.replaced, sum.1 + of.late))
            })
            .collect(),
    };
    results.verdict = verdict(definition, &results);
    if view == View::Whole {
        results.summary = summary::say(definition, &results, experiment.status.has_ended());
    }
    results
}

impl MetricResult {
    /// Says nothing of how candidates compare: their values are not what they seem. Means stay, and what was claimed before stays
    /// on the record.
    fn distrust(&mut self) {
        self.adaptive = None;
        for comparison in &mut self.comparisons {
            comparison.distrust();
        }
    }
}

fn role(definition: &ExperimentDefinition, metric: &Metric) -> MetricRole {
    definition.role(metric)
}

/// How many comparisons can take a candidate back, ceilings included: each gets its part of alpha. `error`
/// and `rejected` together count as one, see [`guarded_by`].
pub(crate) fn guarded(definition: &ExperimentDefinition) -> f64 {
    let rollout = definition.policy.rollout();
    let ceilings = rollout.map_or(0, |settings| settings.ceilings.len());
    let pair = usize::from(guards_both(definition));
    let guardrails = definition.guardrails.len() - pair + ceilings;
    (guardrails.max(1) * (definition.arms.len() - 1)) as f64
}

/// The part of alpha that `error` keeps where `rejected` guards beside it: an input that is refused is mostly
/// the caller's doing, so most of it stays where most of the harm is.
const ERROR_PART: f64 = 0.8;

/// One over the part of alpha that a guardrail has, for each candidate.
pub(crate) fn guarded_by(definition: &ExperimentDefinition, metric: &Metric) -> f64 {
    let family = guarded(definition);
    match metric.built_in() {
        Some(BuiltIn::Error) if guards_both(definition) => family / ERROR_PART,
        Some(BuiltIn::Rejected) if guards_both(definition) => family / (1.0 - ERROR_PART),
        _ => family,
    }
}

pub(crate) fn guards_both(definition: &ExperimentDefinition) -> bool {
    let guards = |built_in: BuiltIn| {
        let mut names = definition.guardrails.iter();
        names.any(|name| name.as_str() == built_in.as_str())
    };
    guards(BuiltIn::Error) && guards(BuiltIn::Rejected)
}

/// Comparisons of metrics with a role.
fn comparisons_of(definition: &ExperimentDefinition, role: MetricRole) -> usize {
    let metrics = definition.metrics.iter();
    let of_role = metrics.filter(|metric| definition.role(metric) == role);
    of_role.count() * (definition.arms.len() - 1)
}

/// The place of the metric that decides.
pub(crate) fn primary_of(definition: &ExperimentDefinition) -> Option<usize> {
    definition.metric(definition.primary_metric.as_str())
}

/// ln of the e-value at which a guardrail counts as harmed.
fn harm_threshold(definition: &ExperimentDefinition, metric: &Metric) -> f64 {
    (guarded_by(definition, metric) / definition.alpha).ln()
}

fn metric_result(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    at: usize,
    elapsed_days: f64,
    view: View,
) -> MetricResult {
    let arms = 0..definition.arms.len();
    let metric = &definition.metrics[at];
    MetricResult {
        role: role(definition, metric),
        arms: arms
            .clone()
            .map(|arm| arm_result(definition, evidence, at, arm))
            .collect(),
        comparisons: arms
            .skip(1)
            .map(|arm| compare(definition, evidence, (at, arm), elapsed_days, view))
            .collect(),
        // Of what no parts are kept, a user who comes back would count as many.
        adaptive: if definition.role(metric) == MetricRole::Guardrail {
            None
        } else {
            adaptive(definition, evidence, at)
        },
        no_scale: None,
    }
}

/// Sums of an arm over all epochs: for showing, not for comparing.
fn pooled(
    evidence: &Evidence,
    metric: usize,
    arm: usize,
    of: impl Fn(&MetricEvidence) -> &MetricSums,
) -> MetricSums {
    let mut pooled = MetricSums::default();
    for epoch in &evidence.epochs {
        pooled.add(of(&epoch.arms[arm].metrics[metric]));
    }
    pooled
}

pub(crate) fn pooled_matured(evidence: &Evidence, metric: usize, arm: usize) -> MetricSums {
    pooled(evidence, metric, arm, |found| &found.matured)
}

/// The point about which the sums of the control are, in the first epoch that has some.
fn reference(evidence: &Evidence, metric: usize) -> f64 {
    let mut of_epochs = evidence
        .epochs
        .iter()
        .map(|epoch| &epoch.arms[0].metrics[metric].matured);
    of_epochs
        .find(|sums| sums.count > 0)
        .map_or(0.0, |sums| sums.about)
}

fn arm_result(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    at: usize,
    arm: usize,
) -> ArmResult {
    let metric = &definition.metrics[at];
    let matured = pooled_matured(evidence, at, arm);
    let all = pooled(evidence, at, arm, |found| &found.all);
    let mean = (matured.count > 0).then(|| matured.about + matured.sum / matured.count as f64);
    let interval = compare::mean_interval(metric, &matured, definition.alpha);
    ArmResult {
        units: matured.units,
        predictions: matured.count,
        immature: all.count.saturating_sub(matured.count),
        missing: matured.count.saturating_sub(matured.values),
        mean: mean.filter(|mean| mean.is_finite()),
        interval,
        events: (metric.kind == MetricKind::Binary).then_some(all.events),
        beyond: evidence
            .epochs
            .iter()
            .map(|epoch| epoch.arms[arm].metrics[at].bets.beyond)
            .sum(),
    }
}

/// Whether units have several requests, so that requests are not units: a few that come back among many do not make it so.
pub(crate) fn has_several(requests: u64, units: u64) -> bool {
    requests > units + units / 20
}

/// Whether every unit has one prediction that counts, so that units are what is counted.
fn one_each(sums: &MetricSums) -> bool {
    sums.sum_count_squares == sums.count as f64
}

/// The arm as a test sees it; `None` without units.
fn sample(metric: &Metric, sums: &MetricSums) -> Option<Sample> {
    if sums.units == 0 {
        return None;
    }
    let n = sums.units as f64;
    let about = |sample: Sample| Sample {
        mean: sums.about + sample.mean,
        ..sample
    };
    if !one_each(sums) {
        let ratio = crate::ratio::RatioSums {
            n,
            sum_m: sums.sum,
            sum_mm: sums.sum_squares,
            sum_d: sums.count as f64,
            sum_dd: sums.sum_count_squares,
            sum_md: sums.sum_products,
        };
        return ratio.sample().map(about);
    }
    if metric.kind == MetricKind::Binary {
        return Some(Sample::proportion(sums.total(), n));
    }
    Some(about(Sample::from_sums(n, sums.sum, sums.sum_squares)))
}

/// Adjusts the p-values of the metrics of a role by Holm: always-valid p-values may be fed in.
fn adjust(metrics: &mut [MetricResult], role: MetricRole) {
    let family = |metrics: &mut [MetricResult]| -> Vec<f64> {
        let of_role = metrics.iter().filter(|metric| metric.role == role);
        let comparisons = of_role.flat_map(|metric| &metric.comparisons);
        comparisons.map(|c| c.sequential.p).collect()
    };
    let adjusted = crate::multiplicity::holm(&family(metrics));
    let of_role = metrics.iter_mut().filter(|metric| metric.role == role);
    let comparisons = of_role.flat_map(|metric| &mut metric.comparisons);
    for (comparison, p) in comparisons.zip(adjusted) {
        comparison.sequential.adjusted_p = p;
    }
}

/// Bonferroni: each guardrail of each candidate has its part of alpha.
fn adjust_guardrails(metrics: &mut [MetricResult], definition: &ExperimentDefinition) {
    for (result, metric) in metrics.iter_mut().zip(&definition.metrics) {
        if result.role != MetricRole::Guardrail {
            continue;
        }
        let family = guarded_by(definition, metric);
        for comparison in &mut result.comparisons {
            let sequential = &mut comparison.sequential;
            sequential.adjusted_p = (family * sequential.p).min(1.0);
        }
    }
}

/// In the order of what must be right before anything else can be: the assignment, the guardrails,
/// the labels, the feedback, the primary metric.
fn verdict(definition: &ExperimentDefinition, results: &Results) -> Verdict {
    if results.sample_ratio.alarm {
        return Verdict::SampleRatioMismatch;
    }
    if let Some((arm, metric)) = results.harm(definition).next() {
        return Verdict::GuardrailHarmed { arm, metric };
    }
    let Some(primary) = results
        .metrics
        .iter()
        .position(|m| m.role == MetricRole::Primary)
    else {
        return Verdict::KeepGoing;
    };
    if results.mislabelled() == Some(primary) {
        return Verdict::LabelsNeverMatch;
    }
    let unlike = |check: &FeedbackCheck| check.alarm && check.metric == primary;
    if results.feedback.iter().any(unlike) {
        return Verdict::DifferentialFeedback;
    }
    let metric = &definition.metrics[primary];
    let comparisons = &results.metrics[primary].comparisons;
    let better = comparisons.iter().filter(|c| c.finding == Finding::Better);
    let gain = |c: &&Comparison| compare::sign(metric) * c.difference.unwrap_or(0.0);
    if let Some(best) = better.max_by(|a, b| gain(a).total_cmp(&gain(b))) {
        return Verdict::Winner { arm: best.arm };
    }
    if comparisons.iter().all(|c| c.finding == Finding::Worse) {
        return Verdict::ControlBetter;
    }
    let matters = |c: &Comparison| {
        let effect = definition.minimum_detectable_effect?;
        let interval = if definition.relative {
            c.lift_interval
        } else {
            c.sequential.interval
        }?;
        Some(interval.lower <= -effect || interval.upper >= effect)
    };
    let settled = |c: &Comparison| c.finding == Finding::Worse || matters(c) == Some(false);
    if comparisons.iter().all(settled) {
        return Verdict::NoRelevantDifference;
    }
    Verdict::KeepGoing
}

#[cfg(test)]
mod tests;
