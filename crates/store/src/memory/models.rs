//! Models, as rows in memory.

use crate::chain::{self, AuditRow, Chain};
use crate::{
    Alias, Applied, AuditEntry, AuditFilter, Checkpoint, Delivery, ExperimentFilter, LookPoint,
    NotApplied, StoredKey, StoredWebhook, VersionFilter,
};
use evidence::Terms;
use std::collections::BTreeMap;
use std::sync::Arc;
use types::{
    AccessKey, AliasName, Change, EventRecord, Experiment, ExperimentId, ExperimentKey,
    ExperimentRow, ExperimentStatus, KeyDefinition, KeyId, Metric, MetricName, ModelName,
    ModelState, Privacy, Retention, Rule, Scale, Settings, SettingsChange, SettingsWrite,
    StoredEvent, Timestamp, Version, VersionKey, VersionName, VersionStatus, Webhook, WebhookId,
    WebhookSecrets, Write,
};

/// All rows. A group of changes that does not fit is taken back by putting a copy in its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Models {
    models: BTreeMap<ModelName, Model>,
    /// Deleted ones keep their rows, so that their keys are never given again.
    versions: BTreeMap<VersionKey, Row>,
    aliases: BTreeMap<(ModelName, AliasName), (VersionKey, Timestamp)>,
    metrics: BTreeMap<(ModelName, MetricName), Metric>,
    experiments: BTreeMap<ExperimentKey, Experiment>,
    epochs: BTreeMap<(ExperimentKey, i64), Epoch>,
    /// What looks showed, as JSON.
    points: BTreeMap<(ExperimentKey, Timestamp), String>,
    /// The greatest key that an experiment has had.
    newest_experiment: i64,
    events: Vec<Told>,
    settings: Settings,
    webhooks: BTreeMap<WebhookId, (WebhookSecrets, Delivery)>,
    keys: BTreeMap<KeyId, StoredKey>,
}

#[derive(Debug, Clone)]
struct Model {
    changes: i64,
    salt: String,
    revision: i64,
    epoch: i64,
    fallback: bool,
    rules: Vec<Rule>,
    privacy: Privacy,
    retention: Retention,
}

#[derive(Debug, Clone)]
struct Row {
    version: Version,
    deleted: bool,
}

/// While the weights of an experiment stay the same.
#[derive(Debug, Clone)]
pub(super) struct Epoch {
    pub(super) shares: Vec<f64>,
    pub(super) scales: Vec<Option<Scale>>,
    pub(super) started_at: Timestamp,
}

/// An event, whose number is its place.
#[derive(Debug, Clone)]
struct Told {
    /// `None` where it is of the settings.
    name: Option<ModelName>,
    at: Timestamp,
    change: i64,
    event: EventRecord,
}

impl Told {
    fn after(&self, before: &Chain) -> Chain {
        let event = &self.event;
        let author = event.author.as_ref();
        let author = author.and_then(|author| serde_json::to_string(author).ok());
        let row = AuditRow {
            at: self.at.micros(),
            action: event.action.as_str(),
            name: self.name.as_ref().map_or("", ModelName::as_str),
            version: event.version.as_ref().map(VersionName::as_str),
            revision: event.revision,
            detail: &event.detail,
            experiment_key: event.experiment_key.map(|key| key.0),
            change: Some(self.change),
            author: author.as_deref(),
        };
        row.after(before)
    }
}

/// A row that was written: nothing where its row is missing, or there already.
type Written = Option<()>;

impl Models {
    pub(super) fn apply(&mut self, changes: &[Change]) -> Vec<Applied> {
        let mut applied = Vec::with_capacity(changes.len());
        for of_model in changes.chunk_by(|one, next| one.name == next.name) {
            let before = self.clone();
            let all = of_model.iter().try_for_each(|change| self.change(change));
            if all.is_err() {
                *self = before;
            }
            applied.extend(of_model.iter().map(|_| all.clone()));
        }
        applied
    }

    fn change(&mut self, change: &Change) -> Applied {
        let new = Model {
            changes: 0,
            salt: String::new(),
            revision: 0,
            epoch: 0,
            fallback: true,
            rules: Vec::new(),
            privacy: Privacy::default(),
            retention: Retention::default(),
        };
        let known = self
            .models
            .get(&change.name)
            .map_or(0, |model| model.changes);
        if known != change.decided_on {
            return Err(NotApplied::Moved(change.name.to_string()));
        }
        let model = self.models.entry(change.name.clone()).or_insert(new);
        model.changes += 1;
        for write in &change.writes {
            let refused = || NotApplied::Refused(format!("{write:?}"));
            self.write(&change.name, write, change.at)
                .ok_or_else(refused)?;
        }
        self.events.push(Told {
            name: Some(change.name.clone()),
            at: change.at,
            change: change.decided_on + 1,
            event: change.event.clone(),
        });
        Ok(())
    }

    fn write(&mut self, name: &ModelName, write: &Write, at: Timestamp) -> Written {
        match write {
            Write::Model {
                salt,
                revision,
                epoch,
                fallback,
                rules,
                privacy,
                retention,
            } => {
                let model = self.models.get_mut(name)?;
                model.salt.clone_from(salt);
                model.rules.clone_from(rules);
                model.privacy.clone_from(privacy);
                model.retention.clone_from(retention);
                (model.revision, model.epoch, model.fallback) = (*revision, *epoch, *fallback);
            }
            Write::NewVersion(version) => self.register(version)?,
            Write::Weight {
                key,
                status,
                traffic_percent,
                activated_at,
            } => {
                let version = self.version_mut(*key)?;
                version.status = *status;
                version.traffic_percent = *traffic_percent;
                version.activated_at = *activated_at;
            }
            Write::Described { key, described } => {
                self.version_mut(*key)?.described.clone_from(described);
            }
            Write::Artifact { key, artifact } => {
                self.version_mut(*key)?.artifact = Some(artifact.clone());
            }
            Write::Shadow { key, percent } => {
                self.version_mut(*key)?.shadow_percent = *percent;
            }
            Write::DeleteVersion(key) => {
                let row = self.versions.get_mut(key)?;
                row.deleted = true;
                row.version.status = VersionStatus::Inactive;
            }
            Write::Alias { alias, version } => {
                let key = (name.clone(), alias.clone());
                match version {
                    None => drop(self.aliases.remove(&key)?),
                    Some(version) => {
                        self.versions.get(version)?;
                        self.aliases.insert(key, (*version, at));
                    }
                }
            }
            Write::Metric { metric, declared } => {
                let key = (name.clone(), metric.clone());
                match declared {
                    None => drop(self.metrics.remove(&key)?),
                    Some(declared) => drop(self.metrics.insert(key, Metric::clone(declared))),
                }
            }
            Write::NewExperiment(experiment) => self.draft(experiment)?,
            Write::Experiment(row) => become_row(self.experiment_mut(row.key)?, row),
            Write::DeleteExperiment(key) => drop(self.experiments.remove(key)?),
            Write::Epoch {
                experiment,
                epoch,
                shares,
                scales,
            } => self.begin_epoch(*experiment, *epoch, (shares, scales), at)?,
            Write::Look { experiment, look } => {
                let experiment = self.experiment_mut(*experiment)?;
                experiment.history = Some(look.history.clone());
                experiment.verdict = Some(look.verdict);
            }
            Write::Decided {
                experiment,
                results,
            } => self.experiment_mut(*experiment)?.decided = Some(results.clone()),
        }
        Some(())
    }

    fn register(&mut self, version: &Version) -> Written {
        let taken = |row: &Row| {
            let other = &row.version;
            let same = other.name == version.name && other.version == version.version;
            other.model_id == version.model_id || same && !row.deleted
        };
        if self.versions.contains_key(&version.key) || self.versions.values().any(taken) {
            return None;
        }
        let row = Row {
            version: version.clone(),
            deleted: false,
        };
        self.versions.insert(version.key, row);
        Some(())
    }

    fn draft(&mut self, experiment: &Experiment) -> Written {
        let mut all = self.experiments.values();
        if all.any(|other| other.id == experiment.id || other.key == experiment.key) {
            return None;
        }
        self.newest_experiment = self.newest_experiment.max(experiment.key.0);
        self.experiments.insert(experiment.key, experiment.clone());
        Some(())
    }

    fn begin_epoch(
        &mut self,
        experiment: ExperimentKey,
        epoch: i64,
        (shares, scales): (&[f64], &[Option<Scale>]),
        started_at: Timestamp,
    ) -> Written {
        let opened = Epoch {
            shares: shares.to_vec(),
            scales: scales.to_vec(),
            started_at,
        };
        let begun = self.epochs.insert((experiment, epoch), opened);
        let experiment = self.experiment_mut(experiment)?;
        experiment.shares = shares.to_vec();
        experiment.scales = scales.to_vec();
        begun.is_none().then_some(())
    }

    fn version_mut(&mut self, key: VersionKey) -> Option<&mut Version> {
        self.versions.get_mut(&key).map(|row| &mut row.version)
    }

    fn experiment_mut(&mut self, key: ExperimentKey) -> Option<&mut Experiment> {
        self.experiments.get_mut(&key)
    }

    pub(super) fn checkpoint(&mut self, look: Checkpoint) -> Applied {
        let found = self.experiments.get_mut(&look.key);
        let found = found.filter(|experiment| {
            experiment.status == ExperimentStatus::Running && experiment.revision == look.revision
        });
        let experiment = found.ok_or_else(|| NotApplied::Moved("the experiment".into()))?;
        experiment.progress = look.progress;
        experiment.history = Some(look.look.history);
        experiment.verdict = Some(look.look.verdict);
        Ok(())
    }

    pub(super) fn keep_points(&mut self, points: Vec<LookPoint>) {
        for point in points {
            self.points
                .entry((point.key, point.at))
                .or_insert(point.shown);
        }
    }

    pub(super) fn points(&self, key: ExperimentKey) -> Vec<LookPoint> {
        let of = self.points.iter().filter(|((of, _), _)| *of == key);
        let point = |((key, at), shown): (&(ExperimentKey, Timestamp), &String)| LookPoint {
            key: *key,
            at: *at,
            shown: shown.clone(),
        };
        of.map(point).collect()
    }

    pub(super) fn apply_settings(&mut self, change: SettingsChange) -> Applied {
        if change.decided_on != self.settings.changes {
            return Err(NotApplied::Moved("the settings".into()));
        }
        let before = self.clone();
        let newest = self.events.len() as i64;
        for write in &change.writes {
            if self.write_setting(write, newest).is_none() {
                *self = before;
                return Err(NotApplied::Refused(format!("{write:?}")));
            }
        }
        self.settings.changes += 1;
        self.events.push(Told {
            name: None,
            at: change.at,
            change: change.decided_on + 1,
            event: change.event,
        });
        Ok(())
    }

    fn write_setting(&mut self, write: &SettingsWrite, newest: i64) -> Written {
        let webhooks = &mut self.settings.webhooks;
        match write {
            SettingsWrite::DefaultModel(name) => self.settings.default_model = Some(name.clone()),
            SettingsWrite::NewWebhook(webhook, secrets) => {
                let told = (secrets.clone(), Delivery::up_to(newest));
                if self.webhooks.insert(webhook.id, told).is_some() {
                    return None;
                }
                webhooks.push(Webhook::clone(webhook));
            }
            SettingsWrite::DeleteWebhook(id) => {
                self.webhooks.remove(id)?;
                webhooks.retain(|webhook| webhook.id != *id);
            }
            SettingsWrite::NewKey(key, hash) => {
                let kept = StoredKey {
                    id: key.id,
                    hash: *hash,
                    last_used_at: None,
                };
                if self.keys.insert(key.id, kept).is_some() {
                    return None;
                }
                self.settings.keys.push(AccessKey::clone(key));
            }
            SettingsWrite::SetKey(id, definition) => {
                let mut keys = self.settings.keys.iter_mut();
                keys.find(|key| key.id == *id)?.definition = KeyDefinition::clone(definition);
            }
            // The log in memory is forgotten soon enough.
            SettingsWrite::BeginErasure(_) | SettingsWrite::EndErasure(_) => {}
            SettingsWrite::DeleteKey(id) => {
                self.keys.remove(id)?;
                self.settings.keys.retain(|key| key.id != *id);
            }
        }
        Some(())
    }

    pub(super) fn settings(&self) -> Settings {
        self.settings.clone()
    }

    pub(super) fn webhooks(&self) -> Vec<StoredWebhook> {
        let each = self.settings.webhooks.iter().filter_map(|webhook| {
            let (secrets, delivery) = self.webhooks.get(&webhook.id)?;
            Some(StoredWebhook {
                webhook: webhook.clone(),
                secrets: secrets.clone(),
                delivery: delivery.clone(),
            })
        });
        each.collect()
    }

    pub(super) fn keys(&self) -> Vec<StoredKey> {
        self.settings
            .keys
            .iter()
            .filter_map(|key| self.keys.get(&key.id).cloned())
            .collect()
    }

    pub(super) fn keep_uses(&mut self, uses: &[(KeyId, Timestamp)]) {
        for (id, at) in uses {
            if let Some(key) = self.keys.get_mut(id) {
                key.last_used_at = Some(*at);
            }
        }
    }

    pub(super) fn keep_delivery(&mut self, id: WebhookId, delivery: Delivery) {
        if let Some((_, known)) = self.webhooks.get_mut(&id) {
            *known = delivery;
        }
    }

    /// Versions that are not deleted, oldest first.
    pub(super) fn live(&self) -> impl Iterator<Item = &Version> {
        let live = self.versions.values().filter(|row| !row.deleted);
        live.map(|row| &row.version)
    }

    /// A version, and whether it is deleted.
    pub(super) fn known(&self, key: VersionKey) -> Option<(&Version, bool)> {
        self.versions
            .get(&key)
            .map(|row| (&row.version, row.deleted))
    }

    pub(super) fn versions(&self, filter: &VersionFilter) -> Vec<Version> {
        let fits = |version: &&Version| {
            filter
                .name
                .as_ref()
                .is_none_or(|name| version.name == *name)
                && filter.status.is_none_or(|status| version.status == status)
                && filter.before.is_none_or(|before| version.key < before)
        };
        let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        let mut found: Vec<Version> = self.live().filter(fits).cloned().collect();
        found.reverse();
        found.truncate(most);
        found
    }

    pub(super) fn aliases(&self, name: &ModelName) -> Vec<Alias> {
        let of_model = self.aliases.iter().filter(|((of, _), _)| of == name);
        let each = of_model.filter_map(|((_, alias), (key, updated_at))| {
            let version = &self.versions.get(key)?.version;
            Some(Alias {
                alias: alias.clone(),
                model_id: version.model_id,
                version: version.version.clone(),
                updated_at: *updated_at,
            })
        });
        each.collect()
    }

    pub(super) fn metrics(&self, name: &ModelName) -> Vec<Metric> {
        let of_model = self.metrics.iter().filter(|((of, _), _)| of == name);
        of_model.map(|(_, metric)| metric.clone()).collect()
    }

    pub(super) fn state(&self, name: &ModelName) -> Option<ModelState> {
        let model = self.models.get(name)?;
        let aliases = self.aliases.iter().filter(|((of, _), _)| of == name);
        let experiments = self.experiments.values();
        let stripped = |experiment: &Experiment| Experiment {
            history: None,
            verdict: None,
            decided: None,
            ..experiment.clone()
        };
        Some(ModelState {
            changes: model.changes,
            revision: model.revision,
            epoch: model.epoch,
            salt: model.salt.clone(),
            fallback: model.fallback,
            rules: model.rules.clone(),
            privacy: model.privacy.clone(),
            retention: model.retention.clone(),
            versions: self
                .live()
                .filter(|version| version.name == *name)
                .cloned()
                .collect(),
            aliases: aliases
                .map(|((_, alias), (key, _))| (alias.clone(), *key))
                .collect(),
            metrics: self
                .metrics(name)
                .into_iter()
                .map(|metric| (metric.name.clone(), metric))
                .collect(),
            experiments: experiments
                .filter(|experiment| experiment.definition.name == *name)
                .map(|experiment| Arc::new(stripped(experiment)))
                .collect(),
            ..ModelState::new(name.clone())
        })
    }

    pub(super) fn states(&self) -> impl Iterator<Item = ModelState> {
        self.models.keys().filter_map(|name| self.state(name))
    }

    pub(super) fn unused_keys(&self) -> (VersionKey, ExperimentKey) {
        let newest = self.versions.keys().next_back().map_or(0, |key| key.0);
        (
            VersionKey(newest + 1),
            ExperimentKey(self.newest_experiment + 1),
        )
    }

    pub(super) fn experiment(&self, id: ExperimentId) -> Option<&Experiment> {
        self.experiments
            .values()
            .find(|experiment| experiment.id == id)
    }

    pub(super) fn by_key(&self, key: ExperimentKey) -> Option<&Experiment> {
        self.experiments.get(&key)
    }

    /// The experiments of a model that have started, oldest first.
    pub(super) fn started(&self, name: &ModelName) -> impl Iterator<Item = &Experiment> {
        let all = self.experiments.values();
        all.filter(move |found| found.definition.name == *name && found.started_at.is_some())
    }

    /// The models, by name.
    pub(super) fn names(&self) -> Vec<ModelName> {
        self.models.keys().cloned().collect()
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Experiment> {
        let all = self.experiments.values();
        all.filter(|experiment| experiment.status == ExperimentStatus::Running)
    }

    pub(super) fn experiments(&self, filter: &ExperimentFilter) -> Vec<Experiment> {
        let fits = |experiment: &&Experiment| {
            filter
                .name
                .as_ref()
                .is_none_or(|name| experiment.definition.name == *name)
                && filter
                    .status
                    .is_none_or(|status| experiment.status == status)
                && filter.before.is_none_or(|before| experiment.key < before)
        };
        let most = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        let all = self.experiments.values().rev().filter(fits);
        all.take(most).cloned().collect()
    }

    pub(super) fn due(&self, now: Timestamp) -> Vec<Experiment> {
        let due = |experiment: &&Experiment| {
            experiment.status == ExperimentStatus::Scheduled
                && experiment.starts_at.is_some_and(|at| at <= now)
        };
        self.experiments.values().filter(due).cloned().collect()
    }

    /// The epochs of an experiment, oldest first.
    pub(super) fn epochs(&self, key: ExperimentKey) -> impl Iterator<Item = (i64, &Epoch)> {
        let of_experiment = self.epochs.range((key, i64::MIN)..=(key, i64::MAX));
        of_experiment.map(|((_, epoch), opened)| (*epoch, opened))
    }

    /// The terms of the bets of an epoch.
    pub(super) fn terms(&self, experiment: &Experiment, epoch: i64) -> Terms {
        let opened = self.epochs.get(&(experiment.key, epoch));
        let (shares, scales) = opened.map_or((&[][..], &[][..]), |e| (&e.shares, &e.scales));
        Terms::new(&experiment.definition, shares, scales)
    }

    /// Of a model, or of the settings.
    pub(super) fn events_of(&self, name: Option<&ModelName>) -> Vec<StoredEvent> {
        let of_model = self.events.iter().filter(|told| told.name.as_ref() == name);
        let each = of_model.map(|told| StoredEvent {
            change: told.change,
            at: told.at,
            action: told.event.action,
            version: told.event.version.clone(),
            detail: told.event.detail.clone(),
        });
        each.collect()
    }

    /// Oldest first.
    pub(super) fn audit(&self, filter: &AuditFilter) -> Vec<AuditEntry> {
        let key = filter
            .experiment_id
            .map(|id| self.experiment(id).map(|found| found.key));
        let fits = |told: &Told| {
            let of = told.event.experiment_key;
            filter
                .name
                .as_ref()
                .is_none_or(|name| told.name.as_ref() == Some(name))
                && key.is_none_or(|key| of.is_some() && of == key)
                && (of.is_some() || !filter.experiments_only)
        };
        let mut chain = chain::BEGINNING;
        let chained = self.events.iter().map(|told| {
            chain = told.after(&chain);
            (told, chain)
        });
        let chained: Vec<_> = chained.collect();
        let numbered = (1..).zip(chained);
        let numbered = numbered.filter(|(_, (told, _))| fits(told));
        let each = numbered.map(|(id, (told, chain))| AuditEntry {
            id,
            at: told.at,
            action: told.event.action,
            name: told
                .name
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            version: told.event.version.as_ref().map(ToString::to_string),
            revision: told.event.revision,
            detail: serde_json::from_str(&told.event.detail).unwrap_or_default(),
            author: told.event.author.as_deref().cloned(),
            chain: Some(chain::to_hex(&chain)),
        });
        each.collect()
    }

    pub(super) fn changed(&self, after: i64) -> (i64, Vec<ModelName>) {
        let later = usize::try_from(after).unwrap_or(0).min(self.events.len());
        let names = self.events[later..]
            .iter()
            .filter_map(|told| told.name.clone());
        let mut names: Vec<ModelName> = names.collect();
        names.sort();
        names.dedup();
        (self.events.len() as i64, names)
    }
}

fn become_row(experiment: &mut Experiment, row: &ExperimentRow) {
    experiment.status = row.status;
    experiment.revision = row.revision;
    experiment.starts_at = row.starts_at;
    experiment.started_at = row.started_at;
    experiment.ended_at = row.ended_at;
    experiment.end_reason.clone_from(&row.end_reason);
    experiment.progress.clone_from(&row.progress);
    // Where everything goes when it has ended.
    let winner = match row.status {
        ExperimentStatus::Aborted | ExperimentStatus::RolledBack => 0,
        ExperimentStatus::Promoted => row.winner.unwrap_or(0),
        _ => return,
    };
    let share = |arm| if arm == winner { 1.0 } else { 0.0 };
    experiment.shares = (0..experiment.shares.len()).map(share).collect();
}
