//! Shadows on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The share of the requests of which a version gets a copy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetShadow {
    /// From 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: f64,
}

/// How a version answered its copies, compared with what callers got.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ShadowReport {
    /// The version that gets copies.
    pub model_id: String,
    /// Its version string.
    pub model_version: String,
    /// The share of the requests that it gets now.
    pub shadow_percent: f64,
    /// Copies that were left out since the server started, because too many were under way, or the version could not be
    /// called.
    pub dropped: u64,
    /// All pairs, at most the newest 100,000, whichever version was chosen for callers.
    #[serde(flatten)]
    pub all: ShadowPairs,
    /// The same pairs, by the version that was chosen for callers.
    pub by_version: Vec<ShadowBeside>,
}

/// How a version answered its copies, compared with one version that was chosen for callers.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ShadowBeside {
    /// The version that was chosen for callers.
    pub model_id: String,
    /// Its version string.
    pub model_version: String,
    /// Their pairs.
    #[serde(flatten)]
    pub pairs: ShadowPairs,
}

/// How a version answered copies of the requests of an experiment, compared with one of its arms.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ExperimentShadow {
    /// The version that got copies.
    pub shadow_model_id: String,
    /// Its version string.
    pub shadow_version: String,
    /// The arm that callers were assigned to.
    #[serde(flatten)]
    pub beside: ShadowBeside,
}

/// Requests that two versions got: one answered its caller, the other one nobody.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ShadowPairs {
    /// Requests that were mirrored.
    pub pairs: u64,
    /// When the oldest of them was answered.
    pub oldest: Option<String>,
    /// What callers got.
    pub answered: ShadowSide,
    /// What the shadow version answered.
    pub shadow: ShadowSide,
    /// Pairs in which both answered.
    pub both_answered: u64,
    /// Of these, those with the same prediction.
    pub agreed: u64,
    /// The share of these.
    pub agreement: Option<f64>,
    /// Pairs with a label, in which both answered.
    pub labelled: u64,
    /// Both predicted the label.
    pub both_right: u64,
    /// Only what callers got was right.
    pub answer_alone_right: u64,
    /// Only the shadow was right.
    pub shadow_alone_right: u64,
    /// Neither was.
    pub neither_right: u64,
    /// How much more often the shadow is right, as a share.
    pub accuracy_difference: Option<f64>,
    /// A 95 % interval for that.
    pub accuracy_difference_interval: Option<[f64; 2]>,
    /// The p-value of the hypothesis that both are right equally often: McNemar's exact test, for one look.
    pub p_value: Option<f64>,
}

/// One side of the pairs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ShadowSide {
    /// Calls that failed; of what callers got, those that another version answered count too.
    pub errors: u64,
    /// Inputs that were refused.
    pub rejected: u64,
    /// The mean confidence.
    pub avg_confidence: Option<f64>,
    /// The mean latency.
    pub avg_latency_ms: Option<f64>,
    /// Half of the calls took no longer.
    pub p50_latency_ms: Option<f64>,
    /// 99 in 100 took no longer.
    pub p99_latency_ms: Option<f64>,
}
