//! The state of a model, and what changes of it. Commands are decided on the state; what follows is a
//! [`Change`], which a store applies as it is.

use crate::{
    Action, AliasName, Artifact, Described, Experiment, ExperimentId, ExperimentKey,
    ExperimentStatus, Hold, Metric, MetricName, ModelName, ModelTraffic, Percent, Privacy,
    Progress, Retention, Rule, RunningExperiment, Scale, Timestamp, TrafficVersion, VerdictKind,
    Version, VersionKey, VersionName, VersionStatus,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that is decided of a model.
///
/// What only passes by is not in it: how far a soak has come and what the last look has shown stand beside it
/// in a store, and so do the frozen results of what has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelState {
    /// Its name.
    pub name: ModelName,
    /// How many changes it has had: each has one event, and is decided by this number.
    pub changes: i64,
    /// Counts the changes of its versions and its traffic.
    pub revision: i64,
    /// Counts the changes of its weights.
    pub epoch: i64,
    /// What the hash of its units is salted with.
    pub salt: String,
    /// Whether another version answers when the chosen one fails.
    pub fallback: bool,
    /// Its versions, oldest first, without the deleted ones.
    pub versions: Vec<Version>,
    /// Who gets a certain version: the first rule that is met.
    pub rules: Vec<Rule>,
    /// What is kept of its predictions.
    pub privacy: Privacy,
    /// How long they are kept.
    pub retention: Retention,
    /// Where its aliases point.
    pub aliases: BTreeMap<AliasName, VersionKey>,
    /// The metrics that were declared for it.
    pub metrics: BTreeMap<MetricName, Metric>,
    /// An experiment runs on it that cannot be read: which, and why. Its traffic goes by the weights of its versions.
    pub unreadable: Option<String>,
    /// Its experiments, in the order of their keys. Their `history`, `verdict` and `decided` are not part of the
    /// state. They are shared by the states before and after, because there may be thousands.
    pub experiments: Vec<Arc<Experiment>>,
}

impl ModelState {
    /// One to which nothing has happened.
    pub fn new(name: ModelName) -> Self {
        Self {
            name,
            changes: 0,
            revision: 0,
            epoch: 0,
            salt: String::new(),
            fallback: true,
            versions: Vec::new(),
            rules: Vec::new(),
            privacy: Privacy::default(),
            retention: Retention::default(),
            aliases: BTreeMap::new(),
            metrics: BTreeMap::new(),
            unreadable: None,
            experiments: Vec::new(),
        }
    }

    /// The version with this version string.
    pub fn version(&self, version: &VersionName) -> Option<&Version> {
        self.versions.iter().find(|v| v.version == *version)
    }

    /// The experiment with this id.
    pub fn experiment(&self, id: ExperimentId) -> Option<&Experiment> {
        let mut all = self.experiments.iter();
        all.find(|e| e.id == id).map(|found| &**found)
    }

    /// The experiment whose weights rule.
    pub fn running(&self) -> Option<&Experiment> {
        let mut all = self.experiments.iter().rev();
        let running = all.find(|e| e.status == ExperimentStatus::Running);
        running.map(|found| &**found)
    }

    /// The same as routing sees it.
    pub fn traffic(&self) -> ModelTraffic {
        let version = |version: &Version| TrafficVersion {
            key: version.key,
            model_id: version.model_id,
            version: version.version.clone(),
            status: version.status,
            weight: version.traffic_percent,
            shadow: version.shadow_percent,
        };
        let experiment = |running: &Experiment| {
            let keys = running.definition.arms.iter().map(|arm| arm.key);
            RunningExperiment {
                key: running.key,
                id: running.id,
                salt: running.definition.salt.clone(),
                enrolment: running.definition.enrolment,
                audience: running.definition.audience.clone(),
                shares: keys.zip(running.shares.iter().copied()).collect(),
            }
        };
        ModelTraffic {
            name: self.name.clone(),
            revision: self.revision,
            epoch: self.epoch,
            salt: self.salt.clone(),
            fallback: self.fallback,
            versions: self.versions.iter().map(version).collect(),
            rules: self.rules.clone(),
            experiment: self.running().map(experiment),
        }
    }
}

/// What is decided of a running experiment, by the evidence or by a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// A rollout takes a step.
    Advance {
        /// The new shares.
        shares: Vec<f64>,
    },
    /// A bandit moves the weights, or begins a new epoch with the same.
    Reweigh {
        /// The new shares.
        shares: Vec<f64>,
    },
    /// A new epoch begins with the same weights, because a scale of a metric is known now.
    Rescale {
        /// The shares as they are.
        shares: Vec<f64>,
    },
    /// Everything goes to the control, because a candidate is no good.
    RollBack,
    /// Everything goes to an arm, and the alias `champion`.
    Promote {
        /// The arm.
        arm: usize,
    },
    /// It waits.
    Hold(Hold),
    /// It waits no more.
    Release,
    /// A bandit has found the best arm.
    Winner {
        /// The arm.
        arm: usize,
    },
    /// A person has stopped the clock.
    Pause,
    /// It goes on.
    Resume,
    /// It ends with the weights as they are.
    Stop,
    /// It ends with everything on the control.
    Abort,
    /// Only the verdict has changed.
    Verdict,
    /// An effect is not what it was in the beginning.
    EffectChanged,
}

impl Decision {
    /// The event that tells of it.
    pub fn action(&self) -> Action {
        match self {
            Self::Advance { .. } => Action::ExperimentAdvanced,
            Self::Reweigh { .. } => Action::ExperimentReweighted,
            Self::Rescale { .. } => Action::ExperimentRescaled,
            Self::RollBack => Action::ExperimentRolledBack,
            Self::Promote { .. } => Action::ExperimentPromoted,
            Self::Hold(_) => Action::ExperimentHeld,
            Self::Release => Action::ExperimentReleased,
            Self::Winner { .. } => Action::ExperimentWinner,
            Self::Pause => Action::ExperimentPaused,
            Self::Resume => Action::ExperimentResumed,
            Self::Stop => Action::ExperimentStopped,
            Self::Abort => Action::ExperimentAborted,
            Self::Verdict => Action::ExperimentVerdict,
            Self::EffectChanged => Action::ExperimentEffectChanged,
        }
    }

    /// The weights that it publishes while the experiment goes on.
    pub fn shares(&self) -> Option<&[f64]> {
        match self {
            Self::Advance { shares } | Self::Reweigh { shares } | Self::Rescale { shares } => {
                Some(shares)
            }
            _ => None,
        }
    }

    /// Where the experiment is in its life after it.
    pub fn leads_to(&self) -> ExperimentStatus {
        match self {
            Self::RollBack => ExperimentStatus::RolledBack,
            Self::Promote { .. } => ExperimentStatus::Promoted,
            Self::Stop => ExperimentStatus::Stopped,
            Self::Abort => ExperimentStatus::Aborted,
            _ => ExperimentStatus::Running,
        }
    }
}

crate::words! {
    /// Who did something to an experiment.
    pub enum Actor as "Actor" {
        /// The controller, by the evidence.
        Controller = "controller",
        /// Somebody.
        Person = "person",
    }
}

/// What a look at a running experiment leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct LookRecord {
    /// What all looks have shown now, as JSON.
    pub history: String,
    /// What this one said.
    pub verdict: VerdictKind,
}

/// One thing that happened to a model: what is written, and what is told of it for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The model.
    pub name: ModelName,
    /// How many changes the model had when this was decided: it is applied to no other state.
    pub decided_on: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// The rows that follow, in order.
    pub writes: Vec<Write>,
    /// The event that the audit keeps.
    pub event: EventRecord,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    /// What was done, such as `version.activated`.
    pub action: Action,
    /// The version it was done to, where it was one.
    pub version: Option<VersionName>,
    /// The experiment it was done to, where it was one.
    pub experiment_key: Option<ExperimentKey>,
    /// The revision of the model after it.
    pub revision: i64,
    /// What changed, as JSON: enough to do the same to a state again.
    pub detail: String,
    /// Who asked for it, from where and why; nobody where the server did it by itself.
    pub author: Option<Box<Author>>,
}

/// Who asked for a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Author {
    /// The key that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<crate::KeyId>,
    /// The user, as a proxy before the server has named him.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The address that the call came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What was said as the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An event of a model as it is read again.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Which change of the model it tells of, from 1.
    pub change: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// The version it was done to, where it was one.
    pub version: Option<VersionName>,
    /// What changed, as JSON.
    pub detail: String,
}

/// What may change of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentRow {
    /// The experiment.
    pub key: ExperimentKey,
    /// Where it is in its life.
    pub status: ExperimentStatus,
    /// Its new revision.
    pub revision: i64,
    /// When it starts by itself.
    pub starts_at: Option<Timestamp>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended, if somebody said so.
    pub end_reason: Option<String>,
    /// The place of the arm that was promoted.
    pub winner: Option<usize>,
    /// How far its policy has come.
    pub progress: Option<Progress>,
}

/// A row that changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// The model itself, which is made where it is missing.
    Model {
        /// What units are hashed with.
        salt: String,
        /// Its new revision.
        revision: i64,
        /// Its new epoch.
        epoch: i64,
        /// Whether another version answers when the chosen one fails.
        fallback: bool,
        /// Who gets a certain version.
        rules: Vec<Rule>,
        /// What is kept of its predictions.
        privacy: Box<Privacy>,
        /// How long they are kept.
        retention: Retention,
    },
    /// A version that is new.
    NewVersion(Box<Version>),
    /// What a version does in the traffic.
    Weight {
        /// The version.
        key: VersionKey,
        /// Its new status.
        status: VersionStatus,
        /// Its new weight.
        traffic_percent: Percent,
        /// When it was last activated.
        activated_at: Option<Timestamp>,
    },
    /// What people say of a version.
    Described {
        /// The version.
        key: VersionKey,
        /// All of it.
        described: Described,
    },
    /// A version gets its artifact.
    Artifact {
        /// The version.
        key: VersionKey,
        /// Its files.
        artifact: Artifact,
    },
    /// A version gets copies of requests, or no more.
    Shadow {
        /// The version.
        key: VersionKey,
        /// The share of the requests.
        percent: Percent,
    },
    /// A version goes, and its rows with it.
    DeleteVersion(VersionKey),
    /// An alias points somewhere, or nowhere any more.
    Alias {
        /// The alias.
        alias: AliasName,
        /// Its target; `None` deletes it.
        version: Option<VersionKey>,
    },
    /// A metric is declared, or not any more.
    Metric {
        /// The metric.
        metric: MetricName,
        /// Its declaration; `None` deletes it.
        declared: Option<Box<Metric>>,
    },
    /// An experiment that is new.
    NewExperiment(Box<Experiment>),
    /// What may change of an experiment.
    Experiment(Box<ExperimentRow>),
    /// A draft goes.
    DeleteExperiment(ExperimentKey),
    /// An epoch of an experiment begins.
    Epoch {
        /// The experiment.
        experiment: ExperimentKey,
        /// The epoch of its model.
        epoch: i64,
        /// The share of each arm.
        shares: Vec<f64>,
        /// By metric, the scale of its bets.
        scales: Vec<Option<Scale>>,
    },
    /// What a look has shown.
    Look {
        /// The experiment.
        experiment: ExperimentKey,
        /// What to keep of it.
        look: LookRecord,
    },
    /// The results of an experiment as they were when it ended, as JSON.
    Decided {
        /// The experiment.
        experiment: ExperimentKey,
        /// The results.
        results: String,
    },
}
