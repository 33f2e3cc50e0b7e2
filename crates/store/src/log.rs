//! The words of the prediction log.

use crate::Rollup;
use types::{
    ExperimentId, Input, ModelId, ModelName, PredictionId, Reason, Status, TimeRange, VersionKey,
    VersionName,
};

/// Which predictions to list: newest first.
#[derive(Debug, Clone, Default)]
pub struct PredictionFilter {
    /// Only those of this model.
    pub name: Option<ModelName>,
    /// Only those meant for the version with this version string.
    pub version: Option<VersionName>,
    /// Only those meant for this version.
    pub model_id: Option<ModelId>,
    /// Only those that ended so.
    pub status: Option<Status>,
    /// Only those of this time.
    pub range: TimeRange,
    /// Only those before this one.
    pub before: Option<PredictionId>,
    /// At most this many.
    pub limit: u32,
}

/// A prediction as it is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedPrediction {
    /// Its id.
    pub id: PredictionId,
    /// The model.
    pub name: ModelName,
    /// The version it was meant for.
    pub model_id: ModelId,
    /// Its version string.
    pub version: VersionName,
    /// The version that answered, if one did.
    pub served_model_id: Option<ModelId>,
    /// How it ended.
    pub status: Status,
    /// Why the version was chosen.
    pub reason: Reason,
    /// The epoch of the weights.
    pub epoch: i64,
    /// The probability of the choice.
    pub propensity: f64,
    /// Who asked.
    pub unit_id: Option<String>,
    /// What came in.
    pub input: Input,
    /// What was answered.
    pub prediction: Option<serde_json::Value>,
    /// How sure the answering version was.
    pub confidence: Option<f64>,
    /// How long it took, in nanoseconds.
    pub latency_ns: u64,
    /// Why the chosen version failed.
    pub error: Option<String>,
    /// The experiment it takes part in.
    pub experiment_id: Option<ExperimentId>,
    /// Its position in the journal that it came from; `None` where a release before the journal stored it.
    pub position: Option<u64>,
}

/// The roll-up of one version over the epochs and a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionTotals {
    /// The version.
    pub version: VersionKey,
    /// Its sums.
    pub rollup: Rollup,
}
