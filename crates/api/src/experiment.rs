//! Experiments on the wire.

use crate::word::Word;
use crate::{
    ArmRole, EvidenceRule, ExperimentStatus, Finding, Intervention, Metric, MetricRole,
    SequenceMethod, Verdict,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use types::{BanditSettings, Hold, RolloutSettings, Wait};
use utoipa::ToSchema;

/// Who sets the weights of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// They stay as they are: an A/B test.
    Fixed,
    /// A candidate climbs a ladder of steps, or goes back.
    Rollout,
    /// They follow what has been learnt.
    Bandit,
}

/// A new experiment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateExperiment {
    /// The model.
    pub name: String,
    /// What people call the experiment.
    #[serde(default)]
    pub title: String,
    /// Who sets the weights; `fixed` when left out.
    #[serde(default = "fixed")]
    pub policy: Policy,
    /// How a rollout climbs; only with the policy `rollout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutSettings>,
    /// How a bandit moves the weights; only with the policy `bandit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandit: Option<BanditSettings>,
    /// The version that the others are compared with, by version string.
    pub control: String,
    /// The versions that are compared with it.
    pub candidates: Vec<String>,
    /// The weight of each arm by version string; only ratios count. Equal when left out. A rollout has
    /// its steps instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<BTreeMap<String, f64>>,
    /// The metric that decides: `correct`, `error`, `rejected`, `latency_ms`, `slow`, `confidence`, or a declared
    /// one.
    pub primary_metric: String,
    /// Metrics that inform.
    #[serde(default)]
    pub secondary_metrics: Vec<String>,
    /// Metrics that must not get worse; `error` and `rejected` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<Vec<String>>,
    /// The chance of a false claim about the primary metric, over all candidates; 0.05 when left out.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// The chance of finding the minimum detectable effect; 0.8 when left out.
    #[serde(default = "power")]
    pub power: f64,
    /// The smallest effect on the primary metric that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_detectable_effect: Option<f64>,
    /// Whether that is relative to the control.
    #[serde(default)]
    pub relative: bool,
    /// Units of a comparison (both arms) at which the intervals are tightest; 5000 when left out.
    /// `POST /plan` computes it.
    #[serde(default = "planned_units")]
    pub planned_units: f64,
    /// The share of the units that take part, above 0 and at most 1; the rest goes to the control. 1
    /// when left out.
    #[serde(default = "enrolment")]
    pub enrolment: f64,
    /// Who can take part, by the attributes of a request, such as `country in [DE, AT] and version(app_version) >= 2.3`;
    /// everybody else gets the control and is not counted. Everybody when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Up to 5 attributes by whose values results are told apart too, as they were at a unit's first exposure: the first 20
    /// values that come, the others together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<String>,
    /// The salt for the hashes that assign units to arms; random when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The latency over which a prediction is `slow`, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo_ms: Option<f64>,
    /// Whether bad events of one short burst count as one accident in the guardrails `error`, `rejected` and `slow`; yes
    /// when left out.
    #[serde(default = "burst_protection")]
    pub burst_protection: bool,
}

fn burst_protection() -> bool {
    true
}

fn fixed() -> Policy {
    Policy::Fixed
}

fn alpha() -> f64 {
    0.05
}

fn power() -> f64 {
    0.8
}

fn planned_units() -> f64 {
    5000.0
}

fn enrolment() -> f64 {
    1.0
}

/// An experiment as callers see it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Experiment {
    /// Identifies it: `exp-` and 12 hexadecimal digits.
    pub experiment: String,
    /// The model.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Who sets the weights.
    pub policy: Policy,
    /// How a rollout climbs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutSettings>,
    /// How a bandit moves the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandit: Option<BanditSettings>,
    /// Where it is in its life.
    pub status: ExperimentStatus,
    /// Counts its changes. Send it with a command, so that the command is refused if something has changed
    /// since you looked.
    pub revision: i64,
    /// How far its policy has come, while it runs with a policy that moves the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What may be done to it now.
    pub allowed: Vec<Intervention>,
    /// The control first.
    pub arms: Vec<ExperimentArm>,
    /// The metric that decides.
    pub primary_metric: String,
    /// Metrics that inform.
    pub secondary_metrics: Vec<String>,
    /// Metrics that must not get worse.
    pub guardrails: Vec<String>,
    /// All of these as they were declared when the experiment was made.
    pub metrics: Vec<Metric>,
    /// The chance of a false claim about the primary metric.
    pub alpha: f64,
    /// The chance of finding the minimum detectable effect.
    pub power: f64,
    /// The smallest effect that matters.
    pub minimum_detectable_effect: Option<f64>,
    /// Whether that is relative to the control.
    pub relative: bool,
    /// Units of a comparison at which the intervals are tightest.
    pub planned_units: f64,
    /// The share of the units that take part.
    pub enrolment: f64,
    /// Who can take part; everybody where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Up to 5 attributes by whose values results are told apart too, as they were at a unit's first exposure: the first 20
    /// values that come, the others together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<String>,
    /// What the hash of its units is salted with.
    pub salt: String,
    /// The latency over which a prediction is `slow`, in milliseconds.
    pub slo_ms: Option<f64>,
    /// When it was made.
    pub created_at: String,
    /// When it starts by itself, where it is scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// When it started.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Why it ended, where somebody said so.
    pub end_reason: Option<String>,
}

types::words! {
    /// What a policy is doing.
    pub enum PhaseWord as "Phase" {
        /// A rollout observes its step.
        Soaking = "soaking",
        /// A rollout has observed its step for long enough, and the evidence does not allow the next one yet.
        Evaluating = "evaluating",
        /// A bandit moves the weights.
        Adapting = "adapting",
        /// A bandit has found the best arm.
        Decided = "decided",
        /// It waits; `held` says why.
        Held = "held",
        /// A person has stopped the clock.
        Paused = "paused",
    }
}

/// What a policy is doing.
pub type Phase = Word<PhaseWord>;

/// How far a policy has come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Why it waits, where it is `held`.
    pub held: Option<Hold>,
    /// The step of a rollout, from 1.
    pub step: Option<usize>,
    /// How many steps the rollout has.
    pub steps: Option<usize>,
    /// Seconds with traffic under observation at this step.
    pub soaked_seconds: Option<f64>,
    /// Seconds that the step needs.
    pub soak_seconds: Option<u64>,
    /// Units that the candidate has at this step.
    pub units: Option<u64>,
    /// Units that it needs there.
    pub min_units: Option<u64>,
    /// What the step of a rollout still lacks, where nothing holds it: `time`, `units`, the end of a `burst` of bad events, or
    /// the `proof` that `promotion: strict` asks for.
    #[serde(default)]
    pub waits_for: Vec<Wait>,
    /// How many seconds the step is likely to last still, if units come as they did; null where that is not known yet.
    #[serde(default)]
    pub seconds_left: Option<f64>,
    /// The version that a bandit found to be the best.
    pub winner: Option<String>,
    /// Versions that harmed a guardrail of a bandit and get nothing any more.
    pub dropped: Vec<String>,
}

/// A version's part in an experiment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExperimentArm {
    /// The version.
    pub model_id: String,
    /// Its version string.
    pub version: String,
    /// Its part in the experiment.
    pub role: ArmRole,
    /// Its weight.
    pub weight: f64,
    /// Its share of the enrolled units, from 0 to 1.
    pub share: f64,
}

/// An experiment that starts, and what that changes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StartedExperiment {
    /// The experiment.
    pub experiment: Experiment,
    /// Whether this was only a dry run: nothing was changed.
    pub dry_run: bool,
    /// `traffic_percent` by version, before.
    pub traffic_before: BTreeMap<String, f64>,
    /// `traffic_percent` by version, after.
    pub traffic_after: BTreeMap<String, f64>,
}

/// Two ends; null where nothing bounds it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    /// The lower end.
    pub lower: Option<f64>,
    /// The upper end.
    pub upper: Option<f64>,
}

/// What the evidence of an experiment says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExperimentResults {
    /// The experiment.
    pub experiment: String,
    /// The model.
    pub name: String,
    /// Where it is in its life.
    pub status: ExperimentStatus,
    /// The moment of the evidence.
    pub as_of: String,
    /// What the evidence says, in a word.
    pub verdict: Verdict,
    /// The version that won, or that harms a guardrail.
    pub verdict_version: Option<String>,
    /// The same in a few sentences.
    pub summary: String,
    /// The control first.
    pub arms: Vec<ResultArm>,
    /// Whether the arms got the units that their weights promise.
    pub sample_ratio: SampleRatio,
    /// Whether feedback came alike for all arms.
    pub feedback_checks: Vec<FeedbackCheck>,
    /// For each arm with labels that can never equal what it answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_checks: Vec<LabelCheck>,
    /// For each metric of feedback with a window.
    pub window_checks: Vec<WindowCheck>,
    /// By metric.
    pub metrics: Vec<MetricResults>,
    /// By the values of the experiment's dimensions: where a version is better or worse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentResults>,
    /// How shadow versions answered copies of its requests, compared with each arm: the newest 10,000 of each version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<crate::ExperimentShadow>,
    /// What was left out of every comparison, and why.
    pub excluded: Vec<Excluded>,
    /// What else to know of the numbers.
    pub notes: Vec<String>,
    /// What was answered and is not in these numbers yet; left out when they hold everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag: Option<crate::LogLag>,
    /// The results when the experiment ended. Feedback that came later changes the other fields, but not
    /// this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Value>,
}

types::words! {
    /// Which units a segment has.
    pub enum SegmentWord as "SegmentKind" {
        /// Those with the value.
        Value = "value",
        /// Those with one of the values that came after the first 20, all together.
        Other = "other",
        /// Those without the attribute.
        None = "none",
    }
}

/// Which units a segment has.
pub type SegmentKind = Word<SegmentWord>;

/// What the evidence says about the units that had a certain value of an attribute at their first exposure. For each metric,
/// claims are adjusted for all segments of all dimensions together (Holm); segments do not change the verdict.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SegmentResults {
    /// The attribute.
    pub dimension: String,
    /// Which units these are.
    pub kind: SegmentKind,
    /// The value, as text.
    pub value: Option<String>,
    /// Units exposed, by arm, the control first.
    pub units: Vec<u64>,
    /// By metric.
    pub metrics: Vec<SegmentMetric>,
}

/// What the evidence says of a metric in a segment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SegmentMetric {
    /// Its name.
    pub metric: String,
    /// Its means by arm, the control first; null without units that count.
    pub means: Vec<Option<f64>>,
    /// Units that count, by arm.
    pub units: Vec<u64>,
    /// By candidate.
    pub comparisons: Vec<SegmentComparison>,
}

/// A candidate against the control in a segment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SegmentComparison {
    /// The version string of the candidate.
    pub version: String,
    /// candidate − control.
    pub difference: Option<f64>,
    /// The always-valid interval of the difference, adjusted for all segments together.
    pub interval: Option<Interval>,
    /// The always-valid p-value, adjusted for all segments that there may be and all candidates.
    pub adjusted_p: f64,
    /// What can be said.
    pub finding: Finding,
}

/// Who was exposed to an arm.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ResultArm {
    /// The version.
    pub model_id: String,
    /// Its version string.
    pub version: String,
    /// Its part in the experiment.
    pub role: ArmRole,
    /// Its share of the enrolled units.
    pub share: f64,
    /// Units: users, and predictions without a `unit_id`.
    pub units: u64,
    /// Predictions.
    pub predictions: u64,
    /// Of these, how many another version answered; they count for this arm.
    pub fallbacks: u64,
}

/// Counts against weights.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SampleRatio {
    /// The always-valid p-value.
    pub p: f64,
    /// ln of the e-value.
    pub ln_e: f64,
    /// The p-value of the χ² test, for one look.
    pub chi_square_p: Option<f64>,
    /// Whether p is below 0.001.
    pub alarm: bool,
}

/// Whether a window is long enough, and feedback takes as long for a candidate as for the control.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WindowCheck {
    /// The metric.
    pub metric: String,
    /// The candidate.
    pub version: String,
    /// The share of the slower arm's values that came within the window. Below 0.99 the window is too short: comparisons
    /// leave out more of one arm than of the other.
    pub held: Option<f64>,
    /// The always-valid p-value of the hypothesis that values take equally long to come for both.
    pub timing_p: f64,
    /// Whether it is below 0.001. Nothing is decided by it.
    pub timing_alarm: bool,
}

/// Feedback of a candidate against the control's.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FeedbackCheck {
    /// The metric.
    pub metric: String,
    /// The candidate.
    pub version: String,
    /// The always-valid p-value.
    pub p: f64,
    /// Whether it is below 0.001.
    pub alarm: bool,
}

/// Labels of a version that can never equal what it answered, because they are of another type.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LabelCheck {
    /// The version.
    pub version: String,
    /// How many there are.
    pub unlike: u64,
    /// Of so many labels.
    pub labels: u64,
    /// The type of most of the answers: `number`, `text`, `boolean`, `list` or `object`.
    pub prediction: String,
    /// That of their labels.
    pub label: String,
    /// Whether they are more than one in a hundred. Then nothing is said of `correct`, and policies hold.
    pub alarm: bool,
}

/// Something that was left out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Excluded {
    /// How many predictions.
    pub predictions: u64,
    /// Why they were left out.
    pub reason: String,
}

/// A metric in all arms.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MetricResults {
    /// The metric.
    pub metric: Metric,
    /// What it is for.
    pub role: MetricRole,
    /// The control first.
    pub arms: Vec<MetricArm>,
    /// By candidate.
    pub comparisons: Vec<Comparison>,
    /// Under a bandit: estimates that stay honest when the weights follow the data (adaptively weighted
    /// AIPW). For one look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<Adaptive>,
}

/// Estimates for weights that followed the data.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Adaptive {
    /// For each arm that has an estimate, the control first.
    pub arms: Vec<AdaptiveEstimate>,
    /// candidate − control, by candidate.
    pub differences: Vec<AdaptiveEstimate>,
}

/// An estimate with its interval.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdaptiveEstimate {
    /// The version.
    pub version: String,
    /// The estimate.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Its interval.
    pub interval: Interval,
}

/// A metric in one arm.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MetricArm {
    /// The version string.
    pub version: String,
    /// Units that count.
    pub units: u64,
    /// Predictions that count.
    pub predictions: u64,
    /// Predictions whose value may still come.
    pub immature: u64,
    /// Predictions without a value that count as failures.
    pub missing: u64,
    /// Units with a bad value of a binary metric, the first of which counts; null for other metrics.
    pub events: Option<u64>,
    /// The mean per prediction.
    pub mean: Option<f64>,
    /// Its interval for one look.
    pub interval: Option<Interval>,
    /// By how much values lie above the cap in total, minus by how much others lie below the floor: comparisons
    /// leave this out.
    pub beyond: f64,
}

/// A candidate against the control.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// The candidate.
    pub version: String,
    /// What can be said of it. As a guardrail a metric is never `better`.
    pub finding: Finding,
    /// candidate − control.
    pub difference: Option<f64>,
    /// The difference over the control's mean.
    pub lift: Option<f64>,
    /// The view to act on: valid however often it is looked at.
    pub sequential: Sequential,
    /// For one look at a planned size only.
    pub fixed_horizon: Option<FixedHorizon>,
    /// Not to act on: it does not stay valid under repeated looks.
    pub bayesian: Option<Bayesian>,
    /// The effect from day to day, by the day on which units came to the experiment; under a bandit, from one stretch of epochs to
    /// the next. Left out for guardrails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_day: Option<EffectByDay>,
    /// What the covariate of the metric does for the comparison; null where it has none. Means of arms are without it.
    pub covariate: Option<AdjustedBy>,
    /// Bad events of a binary metric.
    pub events: Option<Events>,
    /// Of a guardrail: the evidence that the candidate is worse, and the line at which it decides.
    pub guard: Option<Guard>,
    /// ln of the e-value that the candidate is worse, the largest of all looks.
    pub ln_e_harm: Option<f64>,
    /// What is missing for a decision.
    pub needed: Option<Needed>,
}

/// The effect from day to day, and whether it has changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EffectByDay {
    /// Days that have passed and whose units have matured, oldest first. A day with fewer than 100 units in an arm (or fewer than
    /// ten times the squared skewness of its values) counts together with the next. Under a bandit: stretches of epochs, each at
    /// least a tenth as long as all before it.
    pub days: Vec<DayEffect>,
    /// ln of the largest e-value so far that the effect has changed.
    pub ln_e: f64,
    /// How it has changed, once the e-value has reached 20 times the number of comparisons of the metric's
    /// role.
    pub change: Option<EffectChange>,
}

/// The effect on the units that came on one day, or on several that follow each other.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DayEffect {
    /// The first day, UTC; under a bandit, the moment at which it begins.
    pub first: String,
    /// The last day; under a bandit, the moment at which it ends.
    pub last: String,
    /// Units of the control and of the candidate; under a bandit, predictions.
    pub units: [u64; 2],
    /// candidate − control.
    pub difference: f64,
    /// Its interval for one look.
    pub interval: Interval,
}

/// That an effect has changed, and how.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EffectChange {
    /// The last day of the first part, UTC; under a bandit, a moment.
    pub until: String,
    /// candidate − control until then.
    pub before: f64,
    /// The first day of the second part; under a bandit, a moment.
    pub from: String,
    /// candidate − control since then.
    pub after: f64,
}

/// What a covariate does for a comparison.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdjustedBy {
    /// Units of both arms whose covariate is known, of those that count.
    pub units: u64,
    /// Units of both arms that count.
    pub of: u64,
    /// By how much it lowers the variance of the difference in the always-valid view, from 0 to 1: with 0.5 half of the units
    /// tell as much.
    pub variance_reduction: f64,
}

/// The always-valid view.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Sequential {
    /// The interval of the difference.
    pub interval: Option<Interval>,
    /// The interval of the lift.
    pub lift_interval: Option<Interval>,
    /// The p-value.
    pub p: f64,
    /// The p-value adjusted for several comparisons: Holm's for the primary and for secondary metrics,
    /// Bonferroni's for guardrails.
    pub adjusted_p: f64,
    /// ln of the e-value against no difference; of a guardrail, that the candidate is worse.
    pub ln_e: f64,
    /// How the interval was made.
    pub method: SequenceMethod,
    /// Units of both arms that it is based on: those that came when the scale of the metric was known, and whose arm was left
    /// to chance.
    pub units: u64,
}

/// A fixed-horizon test.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FixedHorizon {
    /// The interval of the difference.
    pub interval: Interval,
    /// The p-value.
    pub p: f64,
    /// t or z.
    pub statistic: f64,
}

/// The Bayesian view.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Bayesian {
    /// The probability that the candidate is better.
    pub chance_to_win: f64,
    /// The expected loss of choosing the candidate.
    pub loss_candidate: f64,
    /// The expected loss of choosing the control.
    pub loss_control: f64,
}

/// Bad events of the candidate against the control's.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// ln of the e-value that the candidate's rate is higher.
    pub ln_e: f64,
    /// The interval of the ratio of the rates, always valid.
    pub rate_ratio: Interval,
}

/// The evidence by which a guardrail is decided.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Guard {
    /// How evidence on the metric is counted.
    pub rule: EvidenceRule,
    /// The page that explains the rule.
    pub docs: String,
    /// ln of the e-value that the candidate is worse, now; null where there is no evidence yet.
    pub ln_e: Option<f64>,
    /// The guardrail counts as harmed when `ln_e` reaches this line.
    pub line: f64,
    /// The ratio of candidate to control up to which the guardrail does not count as harmed.
    pub tolerated_ratio: f64,
    /// Values below count as this, in the present epoch; null where the metric has no such scale.
    pub floor: Option<f64>,
    /// Values above count as this.
    pub cap: Option<f64>,
    /// Units of both arms that count.
    pub units: u64,
    /// Units that are left out, because their arm was no longer left to chance when they came back.
    pub left_out: u64,
    /// Why there is no evidence yet, where there is none.
    pub silent: Option<String>,
    /// ln of the e-value of all events, given where `ln_e` counts those of short bursts less.
    pub ln_e_with_bursts: Option<f64>,
    /// The burst of events that keeps the guardrail from deciding, where one does.
    pub burst: Option<String>,
}

/// What is missing for a decision.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Needed {
    /// Units of both arms that are needed in total.
    pub units: f64,
    /// Units that are still missing.
    pub more: f64,
    /// Days that these take at the rate so far.
    pub days: Option<f64>,
    /// Whether this is for the smallest effect that matters; otherwise it is for the effect seen so far.
    pub for_minimum_effect: bool,
}

/// What earlier looks have shown of a candidate on a metric, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Shown {
    /// The metric, by its place in the definition.
    pub metric: usize,
    /// The candidate, by its place among the arms.
    pub arm: usize,
    /// The smallest p-value, before any adjustment.
    pub p: f64,
    /// Whether the candidate's mean was the greater one then.
    #[serde(default)]
    pub more: bool,
    /// The lower end of the interval of the last look.
    pub lower: Option<f64>,
    /// The upper end.
    pub upper: Option<f64>,
    /// The largest ln of the e-value that the candidate is worse.
    pub ln_e_harm: Option<f64>,
    /// What was claimed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Claimed>,
    /// Whether the effect has changed since the beginning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub effect_changed: bool,
    /// How many values of the control and of the candidate had taken the place of others by the look that `p` and `ln_e_harm` are of.
    #[serde(default)]
    pub replaced: [u64; 2],
    /// How many more of each leave them as they are.
    #[serde(default)]
    pub tolerated: [f64; 2],
}

/// That a candidate was better, or worse, as it is stored; times are in microseconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Claimed {
    /// Which.
    pub finding: String,
    /// When a look said so first.
    pub since: i64,
    /// The first look at which it did not hold any more.
    pub until: Option<Over>,
}

/// That a claim does not hold any more, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Over {
    /// Since when, in microseconds since 1970.
    pub at: i64,
    /// Why.
    pub why: OverWord,
    /// The difference then, where that has turned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
}

/// Why a claim does not hold any more, as it is stored.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OverWord {
    /// The effect has changed, and is not on its side now.
    Changed,
    /// The difference is not on its side.
    Turned,
    /// Values were corrected.
    Corrected,
}

/// What looks at an experiment showed over time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LookPage {
    /// The experiment.
    pub experiment: String,
    /// Its primary metric, which the points are about.
    pub metric: String,
    /// The chance of a false claim: p below it is evidence.
    pub alpha: f64,
    /// The points, oldest first.
    pub looks: Vec<Looked>,
}

/// What one look showed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Looked {
    /// When it was.
    pub at: String,
    /// Of each candidate.
    pub arms: Vec<LookArm>,
    /// The shares of the arms, in their order, control first; empty before they are set.
    pub shares: Vec<f64>,
    /// Of a bandit: what its predictions would have been worth more, all together, had each of them got the best arm (by the
    /// differences as they were known at this look).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regret: Option<f64>,
    /// The same for a split into equal parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regret_of_equal_split: Option<f64>,
}

/// What a look showed of a candidate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LookArm {
    /// The candidate.
    pub version: String,
    /// Units of both arms that the evidence stands on.
    pub units: u64,
    /// The difference to the control.
    pub difference: Option<f64>,
    /// The lower end of its always-valid interval.
    pub lower: Option<f64>,
    /// The upper end.
    pub upper: Option<f64>,
    /// The always-valid p-value so far.
    pub p: f64,
}
