//! Everything that can change a model.

use serde_json::Value;
use types::{
    Accuracy, Actor, AliasName, Artifact, Decision, Described, DescribedChange,
    ExperimentDefinition, ExperimentId, ExperimentKey, LookRecord, Metric, MetricName, ModelId,
    Percent, Privacy, Progress, Retention, Rule, RuntimeSpec, Scale, Timestamp, VersionKey,
    VersionName, VersionStatus,
};

/// What somebody wants of a model: a person, the controller, the demo.
#[derive(Debug, Clone)]
pub enum Command {
    /// A new version, which takes no traffic yet.
    Register(Box<NewVersion>),
    /// A version becomes active with a weight, or has another one.
    Activate {
        /// The version.
        id: ModelId,
        /// Its weight.
        weight: Percent,
    },
    /// A version becomes inactive.
    Deactivate {
        /// The version.
        id: ModelId,
    },
    /// What a person may change of a version by hand.
    Patch(Box<Patch>),
    /// A version that has none gets its artifact.
    SetArtifact {
        /// The version.
        id: ModelId,
        /// Its files.
        artifact: Artifact,
    },
    /// A version gets copies of a share of the requests.
    SetShadow {
        /// The version.
        id: ModelId,
        /// The share.
        percent: Percent,
    },
    /// A version goes, with its predictions.
    Delete {
        /// The version.
        id: ModelId,
    },
    /// Several weights at once; versions that are not named get 0.
    SetTraffic {
        /// The revision that the weights were chosen by; the present one where it is left out.
        revision: Option<i64>,
        /// The weights.
        weights: Vec<(VersionName, Percent)>,
        /// Whether another version answers when the chosen one fails, where that changes.
        fallback: Option<bool>,
    },
    /// Who gets a certain version, all rules at once.
    SetRules {
        /// The revision of the traffic that they were chosen by; the present one where it is left out.
        revision: Option<i64>,
        /// The rules, the first that is met first.
        rules: Vec<Rule>,
    },
    /// What is kept of predictions from now on.
    SetPrivacy(Box<Privacy>),
    /// How long predictions are kept.
    SetRetention(Retention),
    /// An alias points at a version.
    SetAlias {
        /// The alias.
        alias: AliasName,
        /// The version.
        version: VersionName,
    },
    /// An alias goes.
    DeleteAlias(AliasName),
    /// A metric is declared, or declared otherwise.
    SetMetric(Box<Metric>),
    /// A declaration goes.
    DeleteMetric(MetricName),
    /// A new experiment, a draft.
    CreateExperiment {
        /// The key of its row: one that was never used.
        key: ExperimentKey,
        /// The id that it gets.
        id: ExperimentId,
        /// What it compares.
        definition: Box<ExperimentDefinition>,
    },
    /// A draft starts by itself at a moment; without one it is a draft again.
    ScheduleExperiment {
        /// The experiment.
        id: ExperimentId,
        /// The time to start at; `None` makes it a draft again.
        starts_at: Option<Timestamp>,
        /// Why it could not start, where that is why it is a draft again.
        failed: Option<String>,
        /// The revision that this is decided by, where it matters.
        revision: Option<i64>,
        /// Who decided it.
        by: Actor,
    },
    /// A draft starts now.
    StartExperiment {
        /// The experiment.
        id: ExperimentId,
        /// Where its policy begins.
        progress: Option<Progress>,
        /// By metric, the scale of its bets.
        scales: Vec<Option<Scale>>,
        /// The revision that this is decided by, where it matters.
        revision: Option<i64>,
        /// Who decided it.
        by: Actor,
    },
    /// A draft goes.
    DeleteExperiment(ExperimentId),
    /// A running experiment moves.
    DecideExperiment(Box<ExperimentDecision>),
    /// Whatever experiment runs stops, because the weights are to be moved by hand. The results of one of them are
    /// given with its id.
    MakeWay(Option<(ExperimentId, Value)>),
    /// The state as it is becomes the first event: for models of releases that kept none.
    Baseline,
}

/// A version to be registered.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The key of its row: one that was never used.
    pub key: VersionKey,
    /// The id that it gets.
    pub model_id: ModelId,
    /// Its version string.
    pub version: VersionName,
    /// What its author says of it.
    pub described: Described,
    /// What its author claims.
    pub accuracy: Accuracy,
    /// How it is run.
    pub runtime: RuntimeSpec,
    /// The salt of the model's hash, used when this is its first version.
    pub salt: String,
}

/// Changes of a version; `None` leaves as it is.
#[derive(Debug, Clone)]
pub struct Patch {
    /// The version.
    pub id: ModelId,
    /// What is to be said of it.
    pub described: DescribedChange,
    /// The new status.
    pub status: Option<VersionStatus>,
}

/// What happens to a running experiment.
#[derive(Debug, Clone)]
pub struct ExperimentDecision {
    /// The experiment.
    pub id: ExperimentId,
    /// The revision that it was decided by.
    pub revision: i64,
    /// What is decided.
    pub decision: Decision,
    /// Who decided it.
    pub by: Actor,
    /// Why, in a sentence.
    pub because: String,
    /// Why it ends, where somebody said so or the evidence does.
    pub reason: Option<String>,
    /// How far its policy has come then.
    pub progress: Option<Progress>,
    /// By metric, the scale of its bets in the epoch that begins, where one does.
    pub scales: Vec<Option<Scale>>,
    /// The damage limit that was passed, where that is why.
    pub limit: Option<String>,
    /// The results that it was decided by; null where there are none.
    pub evidence: Value,
    /// What the look has shown; `None` for a person's, who has not looked.
    pub look: Option<LookRecord>,
}
