//! Plans on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to plan.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The control's share, or its mean with `standard_deviation`.
    pub baseline: f64,
    /// The smallest effect that matters.
    pub effect: f64,
    /// Whether the effect is relative to the baseline.
    #[serde(default)]
    pub relative: bool,
    /// The standard deviation of one unit, for a mean that is no share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
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
    /// What is left of alpha for each comparison with the control.
    pub alpha_per_comparison: f64,
    /// What to give an experiment as `planned_units`.
    pub planned_units: f64,
    /// How the units were computed.
    pub formula: String,
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
}

/// A number of units and what it can show.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UnitsPower {
    /// Units of all arms.
    pub units: f64,
    /// The chance of finding the effect at one look.
    pub power: f64,
}
