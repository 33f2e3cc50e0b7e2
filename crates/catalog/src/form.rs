//! Events as JSON: what is kept, shown and read again. A field that is not known is passed over, so later
//! releases add some.

use crate::event::{DecidedExperiment, Event, Moved, Patched, Weights};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use types::{
    Accuracy, Action, Actor, AliasName, Artifact, Decision, Described, EventRecord, Experiment,
    ExperimentDefinition, ExperimentId, ExperimentKey, ExperimentStatus, Hold, Metric, MetricName,
    ModelId, ModelName, ModelState, Percent, Privacy, Progress, Retention, Rule, RuntimeSpec,
    Scale, Tags, Timestamp, Version, VersionKey, VersionName, VersionStatus,
};

impl Event {
    /// The kind of it, in a word.
    pub fn action(&self) -> Action {
        match self {
            Self::Baseline(_) => Action::ModelBaseline,
            Self::VersionRegistered(..) => Action::VersionRegistered,
            Self::VersionActivated(..) => Action::VersionActivated,
            Self::VersionDeactivated(..) => Action::VersionDeactivated,
            Self::VersionPatched(..) => Action::VersionPatched,
            Self::VersionArtifactSet(..) => Action::VersionArtifactSet,
            Self::VersionShadowSet(..) => Action::VersionShadowSet,
            Self::VersionDeleted(..) => Action::VersionDeleted,
            Self::TrafficSet(..) => Action::TrafficSet,
            Self::AliasSet(..) => Action::AliasSet,
            Self::RulesSet(..) => Action::RulesSet,
            Self::PrivacySet(..) => Action::PrivacySet,
            Self::RetentionSet(..) => Action::RetentionSet,
            Self::AliasDeleted(..) => Action::AliasDeleted,
            Self::MetricSet(..) => Action::MetricSet,
            Self::MetricDeleted(..) => Action::MetricDeleted,
            Self::ExperimentCreated(_) => Action::ExperimentCreated,
            Self::ExperimentScheduled(_, Some(_), ..) => Action::ExperimentScheduled,
            Self::ExperimentScheduled(_, None, None, _) => Action::ExperimentUnscheduled,
            Self::ExperimentScheduled(_, None, Some(_), _) => Action::ExperimentStartFailed,
            Self::ExperimentStarted(..) => Action::ExperimentStarted,
            Self::ExperimentDeleted(..) => Action::ExperimentDeleted,
            Self::ExperimentDecided(decided) => decided.decision.action(),
        }
    }

    /// The version that it is about.
    fn version(&self) -> Option<&VersionName> {
        match self {
            Self::VersionRegistered(version, _) => Some(&version.version),
            Self::VersionActivated(version, ..)
            | Self::VersionDeactivated(version, _)
            | Self::VersionPatched(version, ..)
            | Self::VersionArtifactSet(version, ..)
            | Self::VersionShadowSet(version, ..)
            | Self::VersionDeleted(version, ..)
            | Self::AliasSet(_, _, version) => Some(version),
            _ => None,
        }
    }

    /// The experiment that it is about.
    fn experiment_id(&self) -> Option<ExperimentId> {
        match self {
            Self::ExperimentCreated(draft) => Some(draft.id),
            Self::ExperimentScheduled(id, ..)
            | Self::ExperimentStarted(id, ..)
            | Self::ExperimentDeleted(id, _) => Some(*id),
            Self::ExperimentDecided(decided) => Some(decided.id),
            _ => None,
        }
    }

    /// The form that is kept, of an event between two states.
    pub(crate) fn record(&self, old: &ModelState, new: &ModelState) -> EventRecord {
        let id = self.experiment_id();
        let found = id.and_then(|id| new.experiment(id).or_else(|| old.experiment(id)));
        EventRecord {
            action: self.action(),
            version: self.version().cloned(),
            experiment_key: found.map(|experiment| experiment.key),
            revision: new.revision,
            detail: self.detail().to_string(),
            author: None,
        }
    }

    fn detail(&self) -> Value {
        match self {
            Self::Baseline(state) => to_value(&StateForm::of(state)),
            Self::VersionRegistered(version, salt) => json!({
                "model_id": version.model_id,
                "registered": VersionForm::of(version),
                "salt": salt,
            }),
            Self::VersionShadowSet(_, from, to) => json!({"from": from.get(), "to": to.get()}),
            Self::VersionActivated(_, from, to) => json!({"from": from.get(), "to": to.get()}),
            Self::VersionDeactivated(_, from) => json!({"from": from.get(), "to": 0}),
            Self::VersionPatched(_, from, to) => {
                json!({"from": PatchedForm::of(from), "to": PatchedForm::of(to)})
            }
            Self::VersionArtifactSet(_, id, artifact) => {
                json!({"model_id": id, "artifact": artifact})
            }
            Self::VersionDeleted(_, id, status, was) => json!({
                "model_id": id,
                "status": status.as_str(),
                "from": was.as_deref().map(VersionForm::of),
                "to": null,
            }),
            Self::TrafficSet(moved, fallback) => json!({
                "from": numbers(&moved.from),
                "to": numbers(&moved.to),
                "fallback": fallback,
            }),
            Self::AliasSet(alias, from, to) => json!({"alias": alias, "from": from, "to": to}),
            Self::RulesSet(from, to) => json!({"from": from, "to": to}),
            Self::PrivacySet(from, to) => json!({"from": from, "to": to}),
            Self::RetentionSet(from, to) => json!({"from": from, "to": to}),
            Self::AliasDeleted(alias, from) => json!({"alias": alias, "from": from, "to": null}),
            Self::MetricSet(from, to) => json!({"from": from, "to": to}),
            Self::MetricDeleted(metric, from) => {
                json!({"metric": metric, "from": from, "to": null})
            }
            Self::ExperimentCreated(draft) => json!({
                "experiment": draft.id,
                "by": "person",
                "title": draft.definition.title,
                "key": draft.key.0,
                "definition": draft.definition,
            }),
            Self::ExperimentScheduled(id, starts_at, because, by) => json!({
                "experiment": id,
                "by": by.as_str(),
                "starts_at": starts_at.map(|at| at.to_string()),
                "because": because,
            }),
            Self::ExperimentStarted(id, moved, progress, scales, by) => json!({
                "experiment": id,
                "by": by.as_str(),
                "from": numbers(&moved.from),
                "to": numbers(&moved.to),
                "progress": progress,
                "scales": scales,
            }),
            Self::ExperimentDeleted(id, from) => {
                json!({"experiment": id, "by": "person", "from": from, "to": null})
            }
            Self::ExperimentDecided(decided) => decided.detail(),
        }
    }

    /// Reads an event again; `None` where it is none of these.
    pub fn read(
        name: &ModelName,
        action: Action,
        version: Option<&VersionName>,
        detail: &str,
    ) -> Option<Self> {
        let detail: Detail = serde_json::from_str(detail).ok()?;
        let version = version.cloned();
        Some(match action {
            Action::ModelBaseline => {
                let form: StateForm = detail.whole()?;
                Self::Baseline(Box::new(form.state(name)?))
            }
            Action::VersionRegistered => {
                let form: VersionForm = detail.get("registered")?;
                let version = Box::new(form.version(name)?);
                Self::VersionRegistered(version, detail.get("salt")?)
            }
            Action::VersionActivated => {
                Self::VersionActivated(version?, detail.percent("from")?, detail.percent("to")?)
            }
            Action::VersionShadowSet => {
                Self::VersionShadowSet(version?, detail.percent("from")?, detail.percent("to")?)
            }
            Action::VersionDeactivated => {
                Self::VersionDeactivated(version?, detail.percent("from")?)
            }
            Action::VersionPatched => {
                let patched = |of| detail.get::<PatchedForm>(of)?.read();
                let (from, to) = (patched("from")?, patched("to")?);
                Self::VersionPatched(version?, Box::new(from), Box::new(to))
            }
            Action::VersionArtifactSet => {
                let (id, artifact) = (detail.get("model_id")?, detail.get("artifact")?);
                Self::VersionArtifactSet(version?, id, artifact)
            }
            Action::VersionDeleted => {
                let status = detail.get::<String>("status")?.parse().ok()?;
                let form: Option<VersionForm> = detail.get("from");
                let was = form.and_then(|form| form.version(name)).map(Box::new);
                Self::VersionDeleted(version?, detail.get("model_id")?, status, was)
            }
            Action::TrafficSet => Self::TrafficSet(detail.moved()?, detail.get("fallback")?),
            Action::AliasSet => {
                Self::AliasSet(detail.get("alias")?, detail.get("from")?, detail.get("to")?)
            }
            Action::RulesSet => Self::RulesSet(detail.get("from")?, detail.get("to")?),
            Action::PrivacySet => Self::PrivacySet(detail.get("from")?, detail.get("to")?),
            Action::RetentionSet => Self::RetentionSet(detail.get("from")?, detail.get("to")?),
            Action::AliasDeleted => Self::AliasDeleted(detail.get("alias")?, detail.get("from")?),
            Action::MetricSet => Self::MetricSet(detail.get("from")?, detail.get("to")?),
            Action::MetricDeleted => Self::MetricDeleted(detail.get("metric")?, detail.get("from")),
            Action::ExperimentCreated => {
                let key = ExperimentKey(detail.get("key")?);
                let definition = detail.get::<ExperimentDefinition>("definition")?;
                let at = Timestamp::from_micros(0);
                let draft = Experiment::draft(key, detail.experiment_id()?, definition, at);
                Self::ExperimentCreated(Box::new(draft))
            }
            Action::ExperimentScheduled
            | Action::ExperimentUnscheduled
            | Action::ExperimentStartFailed => {
                let starts_at = detail.get::<Option<String>>("starts_at")?;
                let starts_at = starts_at.map(|at| at.parse()).transpose().ok()?;
                let because = detail.get("because")?;
                Self::ExperimentScheduled(detail.experiment_id()?, starts_at, because, detail.by()?)
            }
            Action::ExperimentStarted => Self::ExperimentStarted(
                detail.experiment_id()?,
                detail.moved()?,
                detail.get("progress")?,
                detail.get("scales").unwrap_or_default(),
                detail.by()?,
            ),
            Action::ExperimentDeleted => {
                Self::ExperimentDeleted(detail.experiment_id()?, detail.get("from"))
            }
            decided => Self::ExperimentDecided(Box::new(DecidedExperiment::read(decided, detail)?)),
        })
    }
}

impl DecidedExperiment {
    fn detail(&self) -> Value {
        let mut detail = json!({
            "experiment": self.id,
            "by": self.by.as_str(),
            "because": self.because,
            "experiment_revision": self.revision,
            "progress": self.progress,
            "evidence": self.evidence,
        });
        let mut add = |key: &str, value: Value| detail[key] = value;
        if let Some(moved) = &self.moved {
            add("from", numbers(&moved.from));
            add("to", numbers(&moved.to));
        }
        if self.decision.leads_to().has_ended() {
            add("reason", json!(self.reason));
        }
        if let Some(limit) = &self.limit {
            add("limit", json!(limit));
        }
        match &self.decision {
            Decision::Advance { shares }
            | Decision::Reweigh { shares }
            | Decision::Rescale { shares } => {
                add("shares", json!(shares));
                add("scales", json!(self.scales));
            }
            Decision::Promote { arm } => {
                add("arm", json!(arm));
                add("champion", json!({"from": self.champion}));
            }
            Decision::Winner { arm } => add("arm", json!(arm)),
            Decision::Hold(hold) => add("hold", json!(hold)),
            _ => {}
        }
        detail
    }

    fn read(action: Action, mut detail: Detail) -> Option<Self> {
        let shares = |detail: &Detail| detail.get("shares");
        let decision = match action {
            Action::ExperimentAdvanced => Decision::Advance {
                shares: shares(&detail)?,
            },
            Action::ExperimentReweighted => Decision::Reweigh {
                shares: shares(&detail)?,
            },
            Action::ExperimentRescaled => Decision::Rescale {
                shares: shares(&detail)?,
            },
            Action::ExperimentRolledBack => Decision::RollBack,
            Action::ExperimentPromoted => Decision::Promote {
                arm: detail.get("arm")?,
            },
            Action::ExperimentHeld => Decision::Hold(detail.get::<Hold>("hold")?),
            Action::ExperimentReleased => Decision::Release,
            Action::ExperimentWinner => Decision::Winner {
                arm: detail.get("arm")?,
            },
            Action::ExperimentPaused => Decision::Pause,
            Action::ExperimentResumed => Decision::Resume,
            Action::ExperimentStopped => Decision::Stop,
            Action::ExperimentAborted => Decision::Abort,
            Action::ExperimentVerdict => Decision::Verdict,
            Action::ExperimentEffectChanged => Decision::EffectChanged,
            _ => return None,
        };
        let champion: Option<Value> = detail.get("champion");
        let champion = champion.and_then(|moved| moved["from"].as_str().map(VersionName::parse));
        let moved = detail.0.contains_key("to").then(|| detail.moved());
        Some(Self {
            id: detail.experiment_id()?,
            revision: detail.get("experiment_revision")?,
            decision,
            by: detail.by()?,
            because: detail.get("because")?,
            reason: detail.get("reason").unwrap_or_default(),
            progress: detail.get("progress")?,
            limit: detail.get("limit").unwrap_or_default(),
            scales: detail.get("scales").unwrap_or_default(),
            moved: match moved {
                None => None,
                Some(moved) => Some(moved?),
            },
            champion: champion.transpose().ok()?,
            evidence: detail.0.remove("evidence").unwrap_or_default(),
        })
    }
}

/// The detail of an event as it is read.
#[derive(Deserialize)]
struct Detail(Map<String, Value>);

impl Detail {
    fn get<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        let value = self.0.get(key).cloned().unwrap_or_default();
        serde_json::from_value(value).ok()
    }

    fn whole<T: serde::de::DeserializeOwned>(self) -> Option<T> {
        serde_json::from_value(Value::Object(self.0)).ok()
    }

    fn percent(&self, key: &str) -> Option<Percent> {
        Percent::new(self.get(key)?).ok()
    }

    fn experiment_id(&self) -> Option<ExperimentId> {
        self.get("experiment")
    }

    fn by(&self) -> Option<Actor> {
        self.get::<String>("by")?.parse().ok()
    }

    fn moved(&self) -> Option<Moved> {
        let weights = |key| -> Option<Weights> {
            let numbers: BTreeMap<VersionName, f64> = self.get(key)?;
            let percent = |(version, number)| Some((version, Percent::new(number).ok()?));
            numbers.into_iter().map(percent).collect()
        };
        Some(Moved {
            from: weights("from")?,
            to: weights("to")?,
        })
    }
}

fn numbers(weights: &Weights) -> Value {
    let number =
        |(version, weight): (&VersionName, &Percent)| (version.to_string(), json!(weight.get()));
    Value::Object(weights.iter().map(number).collect())
}

fn to_value(form: &impl Serialize) -> Value {
    serde_json::to_value(form).expect("plain structs with texts as keys are JSON")
}

/// What people say of a version. An event of a release that had less of it says nothing of the rest.
#[derive(Serialize, Deserialize)]
struct DescribedForm {
    description: String,
    tags: Tags,
}

impl DescribedForm {
    fn of(described: &Described) -> Self {
        Self {
            description: described.description.clone(),
            tags: described.tags.clone(),
        }
    }

    fn read(self) -> Described {
        Described {
            description: self.description,
            tags: self.tags,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct PatchedForm {
    status: String,
    #[serde(flatten)]
    described: DescribedForm,
}

impl PatchedForm {
    fn of(patched: &Patched) -> Self {
        Self {
            status: patched.status.to_string(),
            described: DescribedForm::of(&patched.described),
        }
    }

    fn read(self) -> Option<Patched> {
        Some(Patched {
            status: self.status.parse().ok()?,
            described: self.described.read(),
        })
    }
}

/// How deeply a runtime may be nested that stands in an event.
const MOST_NESTED: usize = 100;

#[derive(Serialize, Deserialize)]
struct StateForm {
    revision: i64,
    epoch: i64,
    salt: String,
    fallback: bool,
    versions: Vec<VersionForm>,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    privacy: Privacy,
    #[serde(default)]
    retention: Retention,
    aliases: BTreeMap<AliasName, VersionKey>,
    metrics: BTreeMap<MetricName, Metric>,
    experiments: Vec<ExperimentForm>,
}

impl StateForm {
    fn of(state: &ModelState) -> Self {
        Self {
            revision: state.revision,
            epoch: state.epoch,
            salt: state.salt.clone(),
            fallback: state.fallback,
            versions: state.versions.iter().map(VersionForm::of).collect(),
            rules: state.rules.clone(),
            privacy: state.privacy.clone(),
            retention: state.retention.clone(),
            aliases: state.aliases.clone(),
            metrics: state.metrics.clone(),
            experiments: state
                .experiments
                .iter()
                .map(|experiment| ExperimentForm::of(experiment))
                .collect(),
        }
    }

    fn state(self, name: &ModelName) -> Option<ModelState> {
        let versions = self.versions.into_iter().map(|form| form.version(name));
        let experiments = self.experiments.into_iter();
        let experiments = experiments.map(|form| form.experiment().map(Arc::new));
        Some(ModelState {
            name: name.clone(),
            changes: 0,
            revision: self.revision,
            epoch: self.epoch,
            salt: self.salt,
            fallback: self.fallback,
            versions: versions.collect::<Option<_>>()?,
            rules: self.rules,
            privacy: self.privacy,
            retention: self.retention,
            aliases: self.aliases,
            metrics: self.metrics,
            unreadable: None,
            experiments: experiments.collect::<Option<_>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct VersionForm {
    key: i64,
    model_id: ModelId,
    version: VersionName,
    #[serde(flatten)]
    described: DescribedForm,
    accuracy: f64,
    runtime: Option<RuntimeSpec>,
    /// The text of the runtime, where what it sends to a service is not the same as a value (the order of keys, long numbers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runtime_text: Option<String>,
    /// Why the runtime is not known.
    unreadable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact: Option<Artifact>,
    status: String,
    traffic_percent: f64,
    #[serde(default)]
    shadow_percent: f64,
    created_at: i64,
    activated_at: Option<i64>,
}

/// The text of a runtime that another one would come of through a value.
fn exact(runtime: &RuntimeSpec) -> Option<String> {
    let again: Option<RuntimeSpec> = serde_json::from_value(to_value(runtime)).ok();
    let differs = again.as_ref() != Some(runtime);
    differs
        .then(|| serde_json::to_string(runtime).ok())
        .flatten()
}

impl VersionForm {
    fn of(version: &Version) -> Self {
        let (runtime, unreadable) = match &version.runtime {
            RuntimeSpec::Unreadable(why) => (None, Some(why.clone())),
            // Within an event it could not be read again.
            deep if deep.depth() > MOST_NESTED => (None, Some("it is nested too deeply".into())),
            runtime => (Some(runtime.clone()), None),
        };
        Self {
            key: version.key.0,
            model_id: version.model_id,
            version: version.version.clone(),
            described: DescribedForm::of(&version.described),
            accuracy: version.accuracy.get(),
            runtime_text: runtime.as_ref().and_then(exact),
            runtime,
            unreadable,
            artifact: version.artifact.clone(),
            status: version.status.to_string(),
            traffic_percent: version.traffic_percent.get(),
            shadow_percent: version.shadow_percent.get(),
            created_at: version.created_at.micros(),
            activated_at: version.activated_at.map(Timestamp::micros),
        }
    }

    fn version(self, name: &ModelName) -> Option<Version> {
        let unreadable = || RuntimeSpec::Unreadable(self.unreadable.unwrap_or_default());
        let text = self.runtime_text.as_deref();
        let exact = text.and_then(|text| serde_json::from_str(text).ok());
        Some(Version {
            key: VersionKey(self.key),
            model_id: self.model_id,
            name: name.clone(),
            version: self.version,
            described: self.described.read(),
            accuracy: Accuracy::new(self.accuracy).ok()?,
            runtime: exact.or(self.runtime).unwrap_or_else(unreadable),
            artifact: self.artifact,
            status: self.status.parse::<VersionStatus>().ok()?,
            traffic_percent: Percent::new(self.traffic_percent).ok()?,
            shadow_percent: Percent::new(self.shadow_percent).ok()?,
            created_at: Timestamp::from_micros(self.created_at),
            activated_at: self.activated_at.map(Timestamp::from_micros),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct ExperimentForm {
    key: i64,
    experiment: ExperimentId,
    definition: ExperimentDefinition,
    status: String,
    created_at: i64,
    starts_at: Option<i64>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    end_reason: Option<String>,
    revision: i64,
    shares: Vec<f64>,
    #[serde(default)]
    scales: Vec<Option<Scale>>,
    progress: Option<Progress>,
}

impl ExperimentForm {
    fn of(experiment: &Experiment) -> Self {
        let micros = |at: Option<Timestamp>| at.map(Timestamp::micros);
        Self {
            key: experiment.key.0,
            experiment: experiment.id,
            definition: experiment.definition.clone(),
            status: experiment.status.to_string(),
            created_at: experiment.created_at.micros(),
            starts_at: micros(experiment.starts_at),
            started_at: micros(experiment.started_at),
            ended_at: micros(experiment.ended_at),
            end_reason: experiment.end_reason.clone(),
            revision: experiment.revision,
            shares: experiment.shares.clone(),
            scales: experiment.scales.clone(),
            progress: experiment.progress.clone(),
        }
    }

    fn experiment(self) -> Option<Experiment> {
        let time = |at: Option<i64>| at.map(Timestamp::from_micros);
        Some(Experiment {
            key: ExperimentKey(self.key),
            id: self.experiment,
            definition: self.definition,
            status: self.status.parse::<ExperimentStatus>().ok()?,
            created_at: Timestamp::from_micros(self.created_at),
            starts_at: time(self.starts_at),
            started_at: time(self.started_at),
            ended_at: time(self.ended_at),
            end_reason: self.end_reason,
            revision: self.revision,
            shares: self.shares,
            scales: self.scales,
            progress: self.progress,
            history: None,
            verdict: None,
            decided: None,
        })
    }
}
