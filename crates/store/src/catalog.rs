//! The words of the catalogue: what is asked of it, and how it is kept.

use serde_json::Value;
use types::{
    Action, AliasName, Author, ExperimentId, ExperimentKey, ExperimentStatus, KeyHash, KeyId,
    ModelId, ModelName, Progress, Timestamp, VersionKey, VersionName, VersionStatus, Webhook,
    WebhookSecrets,
};

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

/// Why a change was not applied. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// It was decided on a state that is not the present one: it has to be decided again.
    #[error("{0} has changed since")]
    Moved(String),
    /// The rows do not take it, on whatever state it is decided.
    #[error("the database does not take it: {0}")]
    Refused(String),
}

/// What a look at a running experiment has shown, where nothing was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The experiment.
    pub key: ExperimentKey,
    /// The revision that was looked at.
    pub revision: i64,
    /// How far its policy has come.
    pub progress: Option<Progress>,
    /// What was seen.
    pub look: types::LookRecord,
}

/// What a look at an experiment showed, kept for a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct LookPoint {
    /// The experiment.
    pub key: ExperimentKey,
    /// When it was looked at.
    pub at: Timestamp,
    /// What it showed, as JSON.
    pub shown: String,
}

/// Which entries of the audit to list.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only those of this model.
    pub name: Option<ModelName>,
    /// Only those of this experiment.
    pub experiment_id: Option<ExperimentId>,
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
    /// Unique, ascending with time.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// The model it was done to; empty where it was done to the settings of the server.
    pub name: String,
    /// The version it was done to, where it was one.
    pub version: Option<String>,
    /// The revision of the model's traffic after it; of the settings, the number of their changes.
    pub revision: i64,
    /// What changed, from what to what.
    pub detail: Value,
    /// Who asked for it; nobody where the server did it by itself, or a release that did not know.
    pub author: Option<Author>,
    /// The hash of this entry and of all before it, in hexadecimal digits; none for entries of releases that made none.
    pub chain: Option<String>,
}

/// Who is told of what happens to experiments, where, and how far.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWebhook {
    /// What was decided of it.
    pub webhook: Webhook,
    /// What no event tells.
    pub secrets: WebhookSecrets,
    /// How far it was told.
    pub delivery: Delivery,
}

/// What is kept of a key beside its definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key.
    pub id: KeyId,
    /// Its hash.
    pub hash: KeyHash,
    /// When it was used last, as far as that is written.
    pub last_used_at: Option<Timestamp>,
}

/// How far a webhook was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
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

impl Delivery {
    /// Of a webhook that was told of everything up to an entry.
    pub fn up_to(entry: i64) -> Self {
        Self {
            delivered: entry,
            attempts: 0,
            next_attempt_at: Timestamp::from_micros(0),
            last_error: None,
            given_up: 0,
        }
    }
}
