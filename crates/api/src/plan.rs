//! Plans on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to plan.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The control's share, or its mean with `standard_deviation`; from the log where `name` and `metric` are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The model whose log is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The metric of which the log tells baseline, standard deviation and units a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The log from this time on; two weeks when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The smallest effect that matters; a tenth of the baseline when left out and the log is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
    /// Whether the effect is relative to the baseline.
    #[serde(default)]
    pub relative: bool,
    /// The standard deviation of one unit, for a mean that is not a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
    /// The correlation between values of units and a covariate, above -1 and below 1: the part of the variance that it
    /// explains takes no units. It replaces the correlation from the log, where the log is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariate_correlation: Option<f64>,
    /// The chance of a false claim, over all candidates, two-sided; 0.05 when left out.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// The chance of finding the effect; 0.8 when left out.
    #[serde(default = "power")]
    pub power: f64,
    /// Arms, the control included; 2 when left out.
    #[serde(default = "arms")]
    pub arms: u32,
    /// The share of the units that each candidate gets; equal shares when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<f64>,
    /// Whether results are watched while they come in.
    #[serde(default)]
    pub sequential: bool,
    /// Units a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<f64>,
}

fn alpha() -> f64 {
    0.05
}

fn power() -> f64 {
    0.8
}

fn arms() -> u32 {
    2
}

/// What is needed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanReply {
    /// Units of the control.
    pub control_units: f64,
    /// Units of each candidate.
    pub candidate_units: f64,
    /// Units of all arms.
    pub total_units: f64,
    /// Days that takes, where the units a day are known.
    pub days: Option<f64>,
    /// The mean that is looked for.
    pub target: f64,
    /// The part of alpha for each comparison with the control.
    pub alpha_per_comparison: f64,
    /// What to give an experiment as `planned_units`.
    pub planned_units: f64,
    /// How the units were computed.
    pub formula: String,
    /// What the log told, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_log: Option<FromLog>,
    /// What other effects need.
    pub units_by_effect: Vec<EffectUnits>,
    /// What other numbers of units can show.
    pub power_by_units: Vec<UnitsPower>,
}

/// An effect and what it needs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EffectUnits {
    /// The effect, absolute.
    pub effect: f64,
    /// Units of all arms.
    pub units: f64,
    /// Days that takes, where the units a day are known.
    pub days: Option<f64>,
}

/// What the log told of a metric.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FromLog {
    /// The mean over predictions.
    pub baseline: f64,
    /// The standard deviation of a unit about it, as experiments compare them.
    pub standard_deviation: f64,
    /// Of these units, those whose covariate is known; null where the metric has none.
    pub covariate_units: Option<u64>,
    /// The correlation between values of units and the covariate of the metric, from -1 to 1, where a unit without a
    /// covariate counts as one with the mean; null where the metric has none, or too few are known.
    pub covariate_correlation: Option<f64>,
    /// Whether it is a share: every unit has one prediction, with a 0 or a 1.
    pub is_share: bool,
    /// Units that were looked at, the newest.
    pub units: u64,
    /// Units a day: predictions a day, divided by the predictions of a unit. Where units return, an experiment meets new
    /// ones ever more slowly, and takes longer. Null while the log has less than a day.
    pub per_day: Option<f64>,
    /// The time of the oldest prediction that was looked at.
    pub since: String,
}

/// A number of units and what it can show.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UnitsPower {
    /// Units of all arms.
    pub units: f64,
    /// The chance of finding the effect at one look.
    pub power: f64,
}

/// Which units of the log to list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoggedUnitsRequest {
    /// The model.
    pub name: String,
    /// A metric of it.
    pub metric: String,
    /// The log from this time on; two weeks when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// The values of units of the log for a metric: the newest 20,000 units, in no order, without their names.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LoggedUnits {
    /// The metric.
    pub metric: crate::Metric,
    /// The time of the oldest prediction that was looked at.
    pub since: String,
    /// For each unit: how many of its predictions count, and the sum of their values.
    pub units: Vec<[f64; 2]>,
}
