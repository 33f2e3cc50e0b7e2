//! Why a command is refused.

use types::{
    ExperimentId, ExperimentStatus, KeyId, MAX_RULES, MetricName, ModelName, VersionName,
    VersionStatus, WebhookId,
};

/// Why a command is refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
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
    /// The version is not run from files.
    #[error("version {0} is not run from an artifact")]
    NoArtifactNeeded(VersionName),
    /// An artifact never changes.
    #[error("version {0} has another artifact already")]
    HasArtifact(VersionName),
    /// An active version cannot be deleted.
    #[error("the version is active")]
    Active,
    /// The traffic has changed since it was read.
    #[error("the traffic of {name} is at revision {present}, not {given}")]
    Stale {
        /// The model.
        name: ModelName,
        /// The present revision.
        present: i64,
        /// The one that was given.
        given: i64,
    },
    /// There are too many rules.
    #[error("a model may have at most {MAX_RULES} rules, but {0} were sent")]
    TooManyRules(usize),
    /// There is no room for one more.
    #[error("a model has at most {1} {0}")]
    TooMany(&'static str, usize),
    /// Predictions would be gone before what they lead to is known.
    #[error(
        "the metric {metric} waits {window} seconds for its values, but predictions would be kept for only {age} seconds"
    )]
    KeptTooShort {
        /// The metric.
        metric: MetricName,
        /// Its window, in seconds.
        window: u64,
        /// How long predictions would be kept, in seconds.
        age: u64,
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
    #[error("the declaration of the metric {0} has changed")]
    MetricChanged(MetricName),
    /// A rollout gives nearly everything to its control, and that has less of the traffic than another version.
    #[error(
        "the control {control} has {has} % of the traffic and {most} has {most_has} %: the control of a rollout \
         must be the version that has most of the traffic"
    )]
    ControlWithoutTraffic {
        /// The model.
        name: ModelName,
        /// The control.
        control: VersionName,
        /// What it has, in percent.
        has: f64,
        /// The version that has most.
        most: VersionName,
        /// What that has.
        most_has: f64,
    },
    /// The new shares do not fit the arms of the experiment.
    #[error("the shares {0:?} do not fit the experiment's {1} arms")]
    Shares(Vec<f64>, usize),
    /// An experiment that cannot be read runs on the model.
    #[error("an experiment that cannot be read runs on {0}: {1}")]
    UnreadableRuns(ModelName, String),
    /// The id is taken.
    #[error("there is an experiment {0} already")]
    DuplicateExperiment(ExperimentId),
    /// The state of the model has no first event yet, so nothing could be replayed.
    #[error("the state of {0} has no first event")]
    NoBaseline(ModelName),
    /// There is no such webhook.
    #[error("there is no webhook {0}")]
    UnknownWebhook(WebhookId),
    /// There are as many webhooks as there may be.
    #[error("there are already {0} webhooks, which is the maximum")]
    TooManyWebhooks(usize),
    /// The id is taken.
    #[error("there is a webhook {0} already")]
    DuplicateWebhook(WebhookId),
    /// There is no such key.
    #[error("there is no key {0}")]
    UnknownKey(KeyId),
    /// There are as many keys as there may be.
    #[error("there are already {0} keys, which is the maximum")]
    TooManyKeys(usize),
    /// The id is taken.
    #[error("there is a key {0} already")]
    DuplicateKey(KeyId),
    /// Without it nobody could give keys.
    #[error("{0} is the last key that can give others")]
    LastAdminKey(KeyId),
    /// What is to happen is about something that the state does not have.
    #[error("the change does not fit the present state: {0}")]
    NotThere(String),
}

impl Refusal {
    /// Whether the command does not fit what is known of the model, so that somebody has made a mistake; else a rule
    /// forbids it, or somebody was faster.
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Shares(..)
                | Self::NotThere(_)
                | Self::NoBaseline(_)
                | Self::DuplicateExperiment(_)
                | Self::DuplicateWebhook(_)
                | Self::DuplicateKey(_)
        )
    }
}
