//! The words of the catalogue: what is asked of it and how it refuses.

use crate::StoreError;
use serde_json::Value;
use types::{
    Accuracy, AliasName, Experiment, ExperimentId, ExperimentKey, ExperimentStatus, MetricName,
    ModelId, ModelName, Percent, Progress, RuntimeSpec, Tags, Timestamp, VersionKey, VersionName,
    VersionStatus, WebhookId,
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
    /// Stopped: the weights stay; aborted and rolled back: everything goes to the control; promoted:
    /// everything goes to `winner`.
    pub status: ExperimentStatus,
    /// The arm that is promoted.
    pub winner: usize,
    /// Why.
    pub reason: Option<String>,
    /// The results as they are now, as JSON.
    pub decided: Option<String>,
}

/// Who did something to an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The controller, by the evidence.
    Controller,
    /// Somebody.
    Person,
}

impl Actor {
    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Person => "person",
        }
    }
}

/// The next state of a running experiment, decided by its revision.
#[derive(Debug, Clone)]
pub struct ExperimentStep {
    /// The experiment.
    pub key: ExperimentKey,
    /// The revision that was decided by; refused when it is not the present one.
    pub revision: i64,
    /// How far its policy has come.
    pub progress: Option<Progress>,
    /// What a look has shown; `None` for a person's command, which has not looked.
    pub look: Option<LookRecord>,
    /// What happened, where something did; it makes a new revision.
    pub event: Option<ExperimentEvent>,
}

/// What a look leaves behind.
#[derive(Debug, Clone)]
pub struct LookRecord {
    /// What all looks have shown now, as JSON.
    pub history: String,
    /// What this one said, in a word.
    pub verdict: String,
}

impl ExperimentStep {
    /// One that leaves an experiment as it is.
    pub fn staying(experiment: &Experiment) -> Self {
        Self {
            key: experiment.key,
            revision: experiment.revision,
            progress: experiment.progress.clone(),
            look: None,
            event: None,
        }
    }
}

/// Something that happened to a running experiment, kept for ever.
#[derive(Debug, Clone)]
pub struct ExperimentEvent {
    /// In a word, such as `advanced`.
    pub action: &'static str,
    /// Who did it.
    pub by: Actor,
    /// Why.
    pub because: String,
    /// New shares of the arms, which open an epoch.
    pub shares: Option<Vec<f64>>,
    /// Ends it.
    pub end: Option<ExperimentEnd>,
    /// The results that it was decided by.
    pub evidence: Value,
}

/// Which entries of the audit to list.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only those of this model.
    pub name: Option<ModelName>,
    /// Only those of this experiment.
    pub experiment: Option<ExperimentId>,
    /// Only those of experiments.
    pub experiments_only: bool,
    /// Only those before this one.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: u32,
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
    /// The experiment has moved since it was read.
    #[error("the experiment is at revision {present}, not {given}")]
    StaleExperiment {
        /// The present revision.
        present: i64,
        /// The one that was given.
        given: i64,
    },
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

/// A webhook to be made.
#[derive(Clone)]
pub struct NewWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Only what happens to this model.
    pub name: Option<ModelName>,
    /// Where it is told.
    pub url: String,
    /// What deliveries are signed with.
    pub secret: String,
}

/// Who is told of what happens to experiments. Its `Debug` form keeps the secret.
#[derive(Clone)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Only what happens to this model.
    pub name: Option<ModelName>,
    /// Where it is told.
    pub url: String,
    /// What deliveries are signed with.
    pub secret: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last entry of the audit that it was told of, or that was given up.
    pub delivered: i64,
    /// Failed deliveries of the next one.
    pub attempts: u32,
    /// When to try again.
    pub next_attempt_at: Timestamp,
    /// Why the last delivery failed, while none has succeeded since.
    pub last_error: Option<String>,
    /// Entries that were given up.
    pub given_up: u64,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({} to {})", self.id, self.url)
    }
}
