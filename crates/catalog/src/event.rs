//! What is told of a change, for ever: enough to do the same to a state again.

use crate::replay::NotReplayed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use types::{
    Actor, AliasName, Artifact, Decision, Described, Experiment, ExperimentDefinition,
    ExperimentId, ExperimentStatus, Metric, MetricName, ModelId, ModelState, Percent, Privacy,
    Progress, Retention, Rule, Scale, Timestamp, Version, VersionName, VersionStatus,
};

/// Weights in percent by version.
pub type Weights = BTreeMap<VersionName, Percent>;

/// By metric, the scale of its bets in an epoch.
pub type Scales = Vec<Option<Scale>>;

/// The alias that a promotion moves.
pub(crate) const CHAMPION: &str = "champion";

/// Weights before and after.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moved {
    /// The weights before.
    pub from: Weights,
    /// The weights after.
    pub to: Weights,
}

/// What may be changed of a version by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    pub(crate) status: VersionStatus,
    pub(crate) described: Described,
}

/// What happened to a model.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A snapshot; later events apply to it.
    Baseline(Box<ModelState>),
    /// A version is new. The salt is the model's, which may be new too.
    VersionRegistered(Box<Version>, String),
    /// A version is active, with a weight.
    VersionActivated(VersionName, Percent, Percent),
    /// A version is inactive, and had this weight.
    VersionDeactivated(VersionName, Percent),
    /// What is said of a version has changed.
    VersionPatched(VersionName, Box<Patched>, Box<Patched>),
    /// A version has an artifact.
    VersionArtifactSet(VersionName, ModelId, Artifact),
    /// A version gets copies of another share of the requests: before, and after.
    VersionShadowSet(VersionName, Percent, Percent),
    /// A version is gone. What it was is not known of releases before, as with all that is gone.
    VersionDeleted(VersionName, ModelId, VersionStatus, Option<Box<Version>>),
    /// Several weights have moved, and perhaps whether another version answers.
    TrafficSet(Moved, Option<bool>),
    /// Who gets a certain version was set: before, and after.
    RulesSet(Vec<Rule>, Vec<Rule>),
    /// What is kept of predictions was set: before, and after.
    PrivacySet(Box<Privacy>, Box<Privacy>),
    /// How long predictions are kept was set: before, and after.
    RetentionSet(Retention, Retention),
    /// An alias points elsewhere.
    AliasSet(AliasName, Option<VersionName>, VersionName),
    /// An alias is gone.
    AliasDeleted(AliasName, Option<VersionName>),
    /// A metric is declared.
    MetricSet(Option<Box<Metric>>, Box<Metric>),
    /// A metric is no longer declared.
    MetricDeleted(MetricName, Option<Box<Metric>>),
    /// There is a new draft.
    ExperimentCreated(Box<Experiment>),
    /// A draft starts at a time; without one it is a draft again, for a reason perhaps.
    ExperimentScheduled(ExperimentId, Option<Timestamp>, Option<String>, Actor),
    /// An experiment runs, and its weights rule.
    ExperimentStarted(ExperimentId, Moved, Option<Progress>, Scales, Actor),
    /// A draft is gone.
    ExperimentDeleted(ExperimentId, Option<Box<ExperimentDefinition>>),
    /// Something was decided of a running experiment.
    ExperimentDecided(Box<DecidedExperiment>),
}

/// What was decided of a running experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct DecidedExperiment {
    pub(crate) id: ExperimentId,
    /// Its revision after it.
    pub(crate) revision: i64,
    pub(crate) decision: Decision,
    pub(crate) by: Actor,
    pub(crate) because: String,
    pub(crate) reason: Option<String>,
    pub(crate) progress: Option<Progress>,
    /// The damage limit that was passed.
    pub(crate) limit: Option<String>,
    /// By metric, the scale of its bets in the epoch that begins.
    pub(crate) scales: Scales,
    /// Where weights have moved.
    pub(crate) moved: Option<Moved>,
    /// Where the alias `champion` has moved: where it pointed before.
    pub(crate) champion: Option<VersionName>,
    pub(crate) evidence: Value,
}

impl Event {
    /// Does to a state what has happened at a moment.
    ///
    /// # Errors
    /// When the event cannot have happened to this state.
    pub fn apply(&self, state: &mut ModelState, at: Timestamp) -> Result<(), NotReplayed> {
        match self {
            Self::Baseline(baseline) => {
                let changes = state.changes;
                *state = ModelState::clone(baseline);
                state.changes = changes;
            }
            Self::VersionRegistered(version, salt) => {
                if state.salt.is_empty() {
                    state.salt.clone_from(salt);
                }
                state.versions.push(Version {
                    created_at: at,
                    ..Version::clone(version)
                });
                state.revision += 1;
            }
            Self::VersionActivated(version, _, to) => {
                weigh(state, version, VersionStatus::Active, *to, at)?;
                moved(state, true);
            }
            Self::VersionDeactivated(version, _) => {
                weigh(state, version, VersionStatus::Inactive, Percent::ZERO, at)?;
                moved(state, true);
            }
            Self::VersionPatched(version, _, to) => {
                let version = version_of(state, version)?;
                version.status = to.status;
                version.described.clone_from(&to.described);
                moved(state, false);
            }
            Self::VersionArtifactSet(version, _, artifact) => {
                version_of(state, version)?.artifact = Some(artifact.clone());
                moved(state, false);
            }
            Self::VersionShadowSet(version, _, to) => {
                version_of(state, version)?.shadow_percent = *to;
                moved(state, false);
            }
            Self::VersionDeleted(version, ..) => {
                let key = version_of(state, version)?.key;
                state.rules.retain(|rule| rule.version != *version);
                state.versions.retain(|version| version.key != key);
                state.aliases.retain(|_, target| *target != key);
                moved(state, false);
            }
            Self::TrafficSet(weights, fallback) => {
                for (version, weight) in &weights.to {
                    weigh(state, version, VersionStatus::Active, *weight, at)?;
                }
                state.fallback = fallback.unwrap_or(state.fallback);
                moved(state, weights.from != weights.to);
            }
            Self::RulesSet(_, to) => {
                state.rules.clone_from(to);
                moved(state, false);
            }
            Self::PrivacySet(_, to) => state.privacy.clone_from(to),
            Self::RetentionSet(_, to) => state.retention.clone_from(to),
            Self::AliasSet(alias, _, to) => point(state, alias, to)?,
            Self::AliasDeleted(alias, _) => drop(state.aliases.remove(alias)),
            Self::MetricSet(_, to) => {
                state.metrics.insert(to.name.clone(), Metric::clone(to));
            }
            Self::MetricDeleted(metric, _) => drop(state.metrics.remove(metric)),
            Self::ExperimentCreated(draft) => state.experiments.push(Arc::new(Experiment {
                created_at: at,
                ..Experiment::clone(draft)
            })),
            Self::ExperimentScheduled(id, starts_at, ..) => {
                let experiment = experiment_of(state, *id)?;
                experiment.status = match starts_at {
                    Some(_) => ExperimentStatus::Scheduled,
                    None => ExperimentStatus::Draft,
                };
                experiment.starts_at = *starts_at;
                experiment.revision += 1;
            }
            Self::ExperimentStarted(id, weights, progress, scales, _) => {
                let experiment = experiment_of(state, *id)?;
                experiment.status = ExperimentStatus::Running;
                experiment.started_at = Some(at);
                experiment.progress.clone_from(progress);
                experiment.scales.clone_from(scales);
                experiment.revision += 1;
                for (version, weight) in &weights.to {
                    weigh(state, version, VersionStatus::Active, *weight, at)?;
                }
                moved(state, true);
            }
            Self::ExperimentDeleted(id, _) => state.experiments.retain(|e| e.id != *id),
            Self::ExperimentDecided(decided) => decided.apply(state, at)?,
        }
        state.changes += 1;
        Ok(())
    }
}

impl DecidedExperiment {
    fn apply(&self, state: &mut ModelState, at: Timestamp) -> Result<(), NotReplayed> {
        let experiment = experiment_of(state, self.id)?;
        let status = self.decision.leads_to();
        experiment.status = status;
        experiment.revision = self.revision;
        experiment.progress.clone_from(&self.progress);
        let arms = experiment.definition.arms.clone();
        if let Some(shares) = self.decision.shares() {
            experiment.shares = shares.to_vec();
            experiment.scales.clone_from(&self.scales);
        }
        if status.has_ended() {
            experiment.ended_at = Some(at);
            experiment.end_reason.clone_from(&self.reason);
        }
        let winner = match self.decision {
            Decision::RollBack | Decision::Abort => Some(0),
            Decision::Promote { arm } => Some(arm),
            _ => None,
        };
        if let Some(winner) = winner {
            let all = |arm| if arm == winner { 1.0 } else { 0.0 };
            experiment.shares = (0..arms.len()).map(all).collect();
        }
        for (at_arm, arm) in arms.iter().enumerate() {
            let Some(weight) = self
                .moved
                .as_ref()
                .and_then(|moved| moved.to.get(&arm.version))
            else {
                continue;
            };
            // The control stays active, so that going back is one change of the weights.
            let gone = winner.is_some_and(|winner| at_arm != winner && at_arm != 0);
            let status = if gone {
                VersionStatus::Inactive
            } else {
                VersionStatus::Active
            };
            weigh(state, &arm.version, status, *weight, at)?;
        }
        if let Decision::Promote { arm } = self.decision {
            let champion = AliasName::parse(CHAMPION).map_err(|_| NotReplayed::Unreadable)?;
            let version = arms.get(arm).ok_or(NotReplayed::Unreadable)?;
            point(state, &champion, &version.version)?;
        }
        // Where it has ended units are hashed with the salt of the model again, so an epoch begins in any case.
        moved(
            state,
            status.has_ended() || self.decision.shares().is_some(),
        );
        Ok(())
    }
}

fn moved(state: &mut ModelState, weights: bool) {
    state.revision += 1;
    state.epoch += i64::from(weights);
}

fn weigh(
    state: &mut ModelState,
    version: &VersionName,
    status: VersionStatus,
    weight: Percent,
    at: Timestamp,
) -> Result<(), NotReplayed> {
    let version = version_of(state, version)?;
    if status == VersionStatus::Active && version.status != status {
        version.activated_at = Some(at);
    }
    version.status = status;
    version.traffic_percent = weight;
    Ok(())
}

fn point(
    state: &mut ModelState,
    alias: &AliasName,
    version: &VersionName,
) -> Result<(), NotReplayed> {
    let key = version_of(state, version)?.key;
    state.aliases.insert(alias.clone(), key);
    Ok(())
}

fn version_of<'a>(
    state: &'a mut ModelState,
    version: &VersionName,
) -> Result<&'a mut Version, NotReplayed> {
    let mut all = state.versions.iter_mut();
    let found = all.find(|v| v.version == *version);
    found.ok_or_else(|| NotReplayed::Unknown(version.to_string()))
}

fn experiment_of(state: &mut ModelState, id: ExperimentId) -> Result<&mut Experiment, NotReplayed> {
    let mut all = state.experiments.iter_mut();
    let found = all.find(|e| e.id == id).map(Arc::make_mut);
    found.ok_or_else(|| NotReplayed::Unknown(id.to_string()))
}
