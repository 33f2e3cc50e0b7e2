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
