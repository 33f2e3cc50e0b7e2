//! What another split, or another policy, would have earned.

use crate::Interval;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use types::Algorithm;
use utoipa::ToSchema;

/// A question to the log: weights, or an algorithm.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluateRequest {
    /// The model.
    pub name: String,
    /// The metric.
    pub metric: String,
    /// The split to evaluate: weights by version string; only ratios count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<BTreeMap<String, f64>>,
    /// Or the bandit algorithm to evaluate, over the versions that the log has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The share that every version keeps under the algorithm: from 0 to 0.5, and times the versions that were last chosen side
    /// by side less than 1. When left out, 0.2 over their number, and at most 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// How often the algorithm moves the weights, in seconds; 3600 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_seconds: Option<u64>,
    /// The first moment of the log that counts, RFC 3339; a week ago when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The end of that time: the first moment that does not count; when left out, now, or the moment up to
    /// which predictions have had their window to get a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What that split or bandit would have earned.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EvaluateReply {
    /// The model.
    pub name: String,
    /// The metric.
    pub metric: String,
    /// The same in a sentence.
    pub summary: String,
    /// The first moment of the log that counts.
    pub since: String,
    /// The end of that time: the first moment that does not count.
    pub until: String,
    /// The split that was evaluated, from 0 to 1; of an algorithm, the last one.
    pub weights: BTreeMap<String, f64>,
    /// Of an algorithm: how often it moved the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<u64>,
    /// Predictions that count.
    pub predictions: u64,
    /// Predictions left out because a version of the policy had no chance of being chosen then, or next to
    /// none.
    pub without_support: u64,
    /// (Σw)²/Σw²: how many predictions these are worth.
    pub effective_sample_size: f64,
    /// The largest importance weight.
    pub largest_weight: f64,
    /// What the log earned as it was.
    pub logged: f64,
    /// Doubly robust: the one to read.
    pub dr: Estimate,
    /// Self-normalised inverse propensity scoring.
    pub snips: Estimate,
    /// Inverse propensity scoring.
    pub ips: Estimate,
    /// What was answered and is not in these numbers yet; left out when they hold everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag: Option<crate::LogLag>,
}

/// An estimate of the mean per prediction.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error, between parts of the units: predictions of one unit may depend on each other.
    pub standard_error: f64,
    /// The 95 % interval, for one look.
    pub interval: Interval,
}
