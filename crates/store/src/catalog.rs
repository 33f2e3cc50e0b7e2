//! The words of the catalogue: what is asked of it and how it refuses.

use crate::StoreError;
use serde_json::Value;
use types::{
    Accuracy, AliasName, ExperimentId, ExperimentKey, ExperimentStatus, MetricName, ModelId,
    ModelName, Percent, RuntimeSpec, Tags, Timestamp, VersionKey, VersionName, VersionStatus,
};

/// A version to be registered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// Its id.
    pub model_id: ModelId,
    /// The model.
    pub name: ModelName,
    /// Its version string.
    pub version: VersionName,
    /// What its author says.
    pub description: String,
    /// What its author claims.
    pub accuracy: Accuracy,
    /// Free labels.
    pub tags: Tags,
    /// How it is run.
    pub runtime: RuntimeSpec,
    /// The salt of the model's hash, used when this is its first version.
    pub salt: String,
}

/// Which versions to list: newest first.
#[derive(Debug, Clone, Default)]
pub struct VersionFilter {
    /// Only those of this model.
    pub name: Option<ModelName>,
    /// Only those with this status.
    pub status: Option<VersionStatus>,
    /// Only those registered before this one.
    pub before: Option<VersionKey>,
    /// At most this many.
    pub limit: Option<u32>,
}

/// Changes of a version; `None` leaves as it is.
#[derive(Debug, Clone, Default)]
pub struct VersionPatch {
    /// The new description.
    pub description: Option<String>,
    /// The new tags, all of them.
    pub tags: Option<Tags>,
    /// The new status.
    pub status: Option<VersionStatus>,
}

/// New weights for a model.
#[derive(Debug, Clone)]
pub struct WeightChange {
    /// The revision that the weights were chosen by; refused when it is not the present one.
    pub revision: i64,
    /// The weights by version string; versions that are not named get 0.
    pub weights: Vec<(VersionName, Percent)>,
    /// Whether another version answers when the chosen one fails.
    pub fallback: Option<bool>,
    /// Stops a running experiment; without it the change is refused while one runs.
    pub takeover: Option<Takeover>,
}

/// A change of the weights by hand that stops a running experiment.
#[derive(Debug, Clone, Default)]
pub struct Takeover {
    /// The results as they are now, as JSON.
    pub decided: Option<String>,
}

/// Which experiments to list: newest first.
#[derive(Debug, Clone, Default)]
pub struct ExperimentFilter {
    /// Only those of this model.
    pub name: Option<ModelName>,
    /// Only those with this status.
    pub status: Option<ExperimentStatus>,
    /// Only those made before this one.
    pub before: Option<ExperimentKey>,
    /// At most this many.
    pub limit: Option<u32>,
}

/// How an experiment ends.
#[derive(Debug, Clone)]
pub struct ExperimentEnd {
    /// Stopped: the weights stay; aborted: everything goes to the control.
    pub status: ExperimentStatus,
    /// Why.
    pub reason: Option<String>,
    /// The results as they are now, as JSON.
    pub decided: Option<String>,
}

/// Where an alias points.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The alias.
    pub alias: AliasName,
    /// The version.
    pub model_id: ModelId,
    /// Its version string.
    pub version: VersionName,
    /// Since when.
    pub updated_at: Timestamp,
}

/// A change that somebody made, as it is kept for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Ascending.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What was done, such as `version.activated`.
    pub action: String,
    /// The model it was done to.
    pub name: String,
    /// The version it was done to, where it was one.
    pub version: Option<String>,
    /// The revision of the model's traffic after it.
    pub revision: i64,
    /// What changed, from what to what.
    pub detail: Value,
}

/// Why the catalogue refuses a change.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    /// The name and version are taken.
    #[error("version {version} of {name} exists already")]
    Duplicate {
        /// The model.
        name: ModelName,
        /// The version string.
        version: VersionName,
    },
    /// There is no such model.
    #[error("no model is called {0}")]
    UnknownModel(ModelName),
    /// There is no such version.
    #[error("no such version: {0}")]
    UnknownVersion(String),
    /// The status does not allow it.
    #[error("a version that is {from} cannot become {to}")]
    Transition {
        /// The present status.
        from: VersionStatus,
        /// The refused one.
        to: VersionStatus,
    },
    /// An active version cannot be deleted.
    #[error("the version is active")]
    Active,
    /// The traffic has changed since it was read.
    #[error("the traffic is at revision {present}, not {given}")]
    Stale {
        /// The present revision.
        present: i64,
        /// The one that was given.
        given: i64,
    },
    /// A running experiment sets the weights.
    #[error("the experiment {0} sets the weights")]
    ExperimentRunning(ExperimentId),
    /// Another experiment runs on the model.
    #[error("the experiment {0} runs on the model")]
    AnotherRuns(ExperimentId),
    /// There is no such experiment.
    #[error("no such experiment: {0}")]
    UnknownExperiment(ExperimentId),
    /// The experiment is not in a state for it.
    #[error("the experiment is {0}")]
    ExperimentStatus(ExperimentStatus),
    /// A running experiment counts the metric.
    #[error("the experiment {0} counts the metric")]
    MetricInUse(ExperimentId),
    /// A metric is not declared as it was when the experiment was made.
    #[error("the metric {0} is not declared as it was")]
    MetricChanged(MetricName),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for CatalogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
