//! The performance report on the wire.

use crate::VersionStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was measured about versions.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Performance {
    /// One entry per version.
    pub models: Vec<VersionPerformance>,
    /// Predictions of all of them.
    pub total_requests: u64,
    /// A sentence about the model asked for, or the only one with two versions; else null.
    pub recommendation: Option<String>,
    /// One sentence per model with two versions or more.
    pub recommendations: Vec<Recommendation>,
    /// With `where`: the time of the oldest prediction that was looked at, where there are older ones; else left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_back_to: Option<String>,
    /// What was answered and is not in these numbers yet; left out when they hold everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag: Option<crate::LogLag>,
}

/// What the evidence says about a model.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Recommendation {
    /// The model.
    pub name: String,
    /// The sentence.
    pub recommendation: String,
}

/// What was measured about a version. Predictions count for the version that was chosen.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VersionPerformance {
    /// The version.
    pub model_id: String,
    /// The model.
    pub name: String,
    /// Its version string.
    pub version: String,
    /// What it may do.
    pub status: VersionStatus,
    /// Its weight.
    pub traffic_percent: f64,
    /// Predictions, failed ones included.
    pub request_count: u64,
    /// Predictions that the version failed: another one answered or none did.
    pub error_count: u64,
    /// Of these, how many another version answered.
    pub fallback_count: u64,
    /// Predictions whose input the version refused. They have no latency.
    #[serde(default)]
    pub rejected_count: u64,
    /// The mean latency in milliseconds; 0 without predictions.
    pub avg_latency_ms: f64,
    /// The latency that half of the predictions do not exceed, within 1 %.
    pub p50_latency_ms: Option<f64>,
    /// The same for 95 %.
    pub p95_latency_ms: Option<f64>,
    /// The same for 99 %.
    pub p99_latency_ms: Option<f64>,
    /// The mean confidence of its own answers; 0 without any.
    pub avg_confidence: f64,
    /// What its author claims.
    pub claimed_accuracy: f64,
    /// Predictions with a label.
    pub labelled_count: u64,
    /// The share of labelled predictions that were right; null while there is no feedback.
    pub measured_accuracy: Option<f64>,
    /// Its 95 % interval (Wilson), for one look.
    pub measured_accuracy_interval: Option<crate::Interval>,
}

/// What versions did over time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// When the first step begins.
    pub since: String,
    /// How long a step is.
    pub step_seconds: u64,
    /// How many there are.
    pub steps: u32,
    /// One for each version, or for each model.
    pub series: Vec<TimelineSeries>,
    /// What was answered and is not counted yet; left out when everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag: Option<crate::LogLag>,
}

/// What a version, or all versions of a model, did: a number for each step.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TimelineSeries {
    /// The model.
    pub name: String,
    /// The version; null for all of the model.
    pub model_id: Option<String>,
    /// Its version string.
    pub version: Option<String>,
    /// Predictions, failed ones included.
    pub requests: Vec<u64>,
    /// Of these, those that the chosen version failed.
    pub errors: Vec<u64>,
    /// Of these, those whose input was refused.
    pub rejected: Vec<u64>,
    /// The median latency, in milliseconds; null where nothing was measured.
    pub p50_ms: Vec<Option<f64>>,
    /// Its 95th percentile.
    pub p95_ms: Vec<Option<f64>>,
    /// Its 99th percentile.
    pub p99_ms: Vec<Option<f64>>,
}

/// How well versions find a class.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Classification {
    /// The model.
    pub name: String,
    /// The class that counts as positive.
    #[schema(value_type = serde_json::Value)]
    pub positive: serde_json::Value,
    /// One for each version that has labels.
    pub versions: Vec<VersionClassification>,
    /// What was answered and is not counted yet; left out when everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag: Option<crate::LogLag>,
}

/// How well a version finds a class. Intervals are of 95 %, by Wilson, for one look.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VersionClassification {
    /// The version.
    pub model_id: String,
    /// Its version string.
    pub version: String,
    /// Predictions with a label that it answered itself.
    pub labelled: u64,
    /// Predicted positive, and it was.
    pub true_positives: u64,
    /// Predicted positive, and it was not.
    pub false_positives: u64,
    /// Predicted another class, and it was positive.
    pub false_negatives: u64,
    /// Predicted another class, and it was not positive.
    pub true_negatives: u64,
    /// Of what was predicted positive, how much was; null where nothing was predicted positive.
    pub precision: Option<f64>,
    /// Its interval.
    pub precision_interval: Option<crate::Interval>,
    /// Of what was positive, how much was predicted so; null where nothing was positive.
    pub recall: Option<f64>,
    /// Its interval.
    pub recall_interval: Option<crate::Interval>,
    /// The harmonic mean of both.
    pub f1: Option<f64>,
}
