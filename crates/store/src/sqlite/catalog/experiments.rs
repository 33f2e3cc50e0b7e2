//! Experiments as rows, and what starting and ending them does to the traffic.

use super::audit::{audit, bump};
use super::{Catalog, corrupt, list as list_versions, metrics, set_traffic, to_text};
use crate::sqlite::Store;
use crate::sqlite::evidence::{ALL_TIME, COLUMNS, EXPOSURES, read_sums};
use crate::{CatalogError, ExperimentEnd, ExperimentFilter, StoreError, Takeover, VersionFilter};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use serde_json::{Map, json};
use types::{
    ArmEvidence, EpochEvidence, Evidence, Experiment, ExperimentDefinition, ExperimentId,
    ExperimentKey, ExperimentStatus, Exposures, MetricEvidence, ModelName, Percent,
    RunningExperiment, Timestamp, Version, VersionStatus,
};

impl Store {
    /// Makes an experiment, a draft.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn create_experiment(
        &self,
        id: ExperimentId,
        definition: ExperimentDefinition,
        now: Timestamp,
    ) -> Catalog<Experiment> {
        let change = move |t: &Transaction<'_>| {
            t.execute(
                "INSERT INTO experiments (experiment_id, name, status, definition, created_at) \
                 VALUES (?1, ?2, 'draft', ?3, ?4)",
                params![
                    id.to_string(),
                    definition.name.as_str(),
                    to_text(&definition)?,
                    now.micros()
                ],
            )?;
            let detail = json!({"experiment": id.to_string(), "title": definition.title});
            audit(
                t,
                &definition.name,
                None,
                "experiment.created",
                &detail,
                now,
            )?;
            require(t, id)
        };
        self.inner.writer.change(change).await
    }

    /// One experiment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn experiment(&self, id: ExperimentId) -> Result<Option<Experiment>, StoreError> {
        self.read(move |connection| find(connection, id)).await
    }

    /// Experiments, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn experiments(
        &self,
        filter: ExperimentFilter,
    ) -> Result<Vec<Experiment>, StoreError> {
        self.read(move |connection| {
            let text = |text: Option<String>| text.map_or(Sql::Null, Sql::Text);
            let values = [
                text(filter.name.as_ref().map(ToString::to_string)),
                text(filter.status.map(|status| status.to_string())),
                Sql::Integer(filter.before.map_or(i64::MAX, |key| key.0)),
                Sql::Integer(filter.limit.map_or(-1, i64::from)),
            ];
            let mut select = connection.prepare_cached(&format!(
                "{SELECT} WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR status = ?2) \
                 AND experiment_key < ?3 ORDER BY experiment_key DESC LIMIT ?4"
            ))?;
            let rows = select.query_map(params_from_iter(values), read_experiment)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Starts a draft: its weights rule from now on, in a new epoch.
    ///
    /// # Errors
    /// [`CatalogError::UnknownExperiment`], [`CatalogError::ExperimentStatus`] for one that is no
    /// draft, [`CatalogError::AnotherRuns`] when another one runs on the model,
    /// [`CatalogError::MetricChanged`] when a metric is not declared as it was, and
    /// [`CatalogError::UnknownVersion`] or [`CatalogError::Transition`] for a version that cannot be
    /// active.
    pub async fn start_experiment(&self, id: ExperimentId, now: Timestamp) -> Catalog<Experiment> {
        self.inner.writer.change(move |t| start(t, id, now)).await
    }

    /// Ends a running experiment.
    ///
    /// # Errors
    /// [`CatalogError::UnknownExperiment`], or [`CatalogError::ExperimentStatus`] for one that does
    /// not run.
    pub async fn end_experiment(
        &self,
        id: ExperimentId,
        end: ExperimentEnd,
        now: Timestamp,
    ) -> Catalog<Experiment> {
        let change = move |t: &Transaction<'_>| {
            let experiment = require(t, id)?;
            if experiment.status != ExperimentStatus::Running {
                return Err(CatalogError::ExperimentStatus(experiment.status));
            }
            finish(t, &experiment, &end, now)?;
            require(t, id)
        };
        self.inner.writer.change(change).await
    }

    /// Keeps what the looks so far have shown of a running experiment, as JSON. It is no change that
    /// anybody made, so it is not audited.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn save_history(&self, key: ExperimentKey, history: String) -> Catalog<()> {
        let change = move |t: &Transaction<'_>| {
            t.execute(
                "UPDATE experiments SET history = ?2 WHERE experiment_key = ?1 AND status = 'running'",
                params![key.0, history],
            )?;
            Ok(())
        };
        self.inner.writer.change(change).await
    }

    /// Deletes a draft.
    ///
    /// # Errors
    /// [`CatalogError::UnknownExperiment`], or [`CatalogError::ExperimentStatus`] for one that ran:
    /// what was decided by it must stay explainable.
    pub async fn delete_experiment(&self, id: ExperimentId, now: Timestamp) -> Catalog<()> {
        let change = move |t: &Transaction<'_>| {
            let experiment = require(t, id)?;
            if experiment.status != ExperimentStatus::Draft {
                return Err(CatalogError::ExperimentStatus(experiment.status));
            }
            let key = experiment.key.0;
            t.execute("DELETE FROM experiments WHERE experiment_key = ?1", [key])?;
            let name = &experiment.definition.name;
            let detail = json!({"experiment": id.to_string()});
            audit(t, name, None, "experiment.deleted", &detail, now)
        };
        self.inner.writer.change(change).await
    }

    /// What an experiment has gathered until `now`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn evidence(
        &self,
        experiment: Experiment,
        now: Timestamp,
    ) -> Result<Evidence, StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            read_evidence(&transaction, &experiment, now)
        })
        .await
    }
}

fn start(t: &Transaction<'_>, id: ExperimentId, now: Timestamp) -> Catalog<Experiment> {
    let experiment = require(t, id)?;
    if experiment.status != ExperimentStatus::Draft {
        return Err(CatalogError::ExperimentStatus(experiment.status));
    }
    let definition = &experiment.definition;
    let name = &definition.name;
    if let Some(running) = running_of(t, name)? {
        return Err(CatalogError::AnotherRuns(running.id));
    }
    let declared = metrics::list(t, name)?;
    let counted = definition.metrics.iter();
    for metric in counted.filter(|metric| metric.built_in().is_none()) {
        if !declared.contains(metric) {
            return Err(CatalogError::MetricChanged(metric.name.clone()));
        }
    }
    let versions = versions_of(t, name)?;
    let (mut before, mut after) = (Map::new(), Map::new());
    let (shares, effective) = (definition.shares(), definition.effective_shares());
    for arm in &definition.arms {
        if !versions.iter().any(|version| version.key == arm.key) {
            let missing = format!("{} of {name}", arm.version);
            return Err(CatalogError::UnknownVersion(missing));
        }
    }
    for old in &versions {
        let at = definition.arms.iter().position(|arm| arm.key == old.key);
        if at.is_none() && old.status != VersionStatus::Active {
            continue;
        }
        if old.status == VersionStatus::Deprecated {
            let (from, to) = (old.status, VersionStatus::Active);
            return Err(CatalogError::Transition { from, to });
        }
        let weight = at.map_or(0.0, |at| effective[at]);
        set_traffic(t, old, VersionStatus::Active, percent(weight), now)?;
        before.insert(old.version.to_string(), old.traffic_percent.get().into());
        after.insert(old.version.to_string(), percent(weight).get().into());
    }
    bump(t, name, true)?;
    t.execute(
        "UPDATE experiments SET status = 'running', started_at = ?2 WHERE experiment_key = ?1",
        params![experiment.key.0, now.micros()],
    )?;
    t.execute(
        "INSERT INTO experiment_epochs SELECT ?1, epoch, ?3 FROM models WHERE name = ?2",
        params![experiment.key.0, name.as_str(), to_text(&shares)?],
    )?;
    let detail = json!({"experiment": id.to_string(), "from": before, "to": after});
    audit(t, name, None, "experiment.started", &detail, now)?;
    require(t, id)
}

fn percent(share: f64) -> Percent {
    Percent::new((share * 100.0).clamp(0.0, 100.0)).unwrap_or(Percent::ZERO)
}

fn finish(
    t: &Transaction<'_>,
    experiment: &Experiment,
    end: &ExperimentEnd,
    now: Timestamp,
) -> Catalog<()> {
    let name = &experiment.definition.name;
    t.execute(
        "UPDATE experiments SET status = ?2, ended_at = ?3, end_reason = ?4, decided = ?5 \
         WHERE experiment_key = ?1",
        params![
            experiment.key.0,
            end.status.as_str(),
            now.micros(),
            end.reason,
            end.decided
        ],
    )?;
    let (mut before, mut after) = (Map::new(), Map::new());
    if end.status == ExperimentStatus::Aborted {
        for old in versions_of(t, name)? {
            let arms = &experiment.definition.arms;
            let (status, weight) = match arms.iter().position(|arm| arm.key == old.key) {
                Some(0) => (VersionStatus::Active, percent(1.0)),
                Some(_) => (VersionStatus::Inactive, Percent::ZERO),
                None => continue,
            };
            set_traffic(t, &old, status, weight, now)?;
            before.insert(old.version.to_string(), old.traffic_percent.get().into());
            after.insert(old.version.to_string(), weight.get().into());
        }
    }
    // Units are hashed with the salt of the model again, so an epoch begins in either case.
    bump(t, name, true)?;
    let detail = json!({
        "experiment": experiment.id.to_string(), "reason": end.reason, "from": before, "to": after,
    });
    let action = format!("experiment.{}", end.status);
    audit(t, name, None, &action, &detail, now)
}

/// Refuses a change of the weights by hand while an experiment sets them, or stops it.
pub(super) fn make_way(
    t: &Transaction<'_>,
    name: &ModelName,
    takeover: Option<&Takeover>,
    now: Timestamp,
) -> Catalog<()> {
    let Some(running) = running_of(t, name)? else {
        return Ok(());
    };
    let Some(takeover) = takeover else {
        return Err(CatalogError::ExperimentRunning(running.id));
    };
    let end = ExperimentEnd {
        status: ExperimentStatus::Stopped,
        reason: Some("a change of the weights by hand took over".into()),
        decided: takeover.decided.clone(),
    };
    finish(t, &running, &end, now)
}

fn versions_of(t: &Transaction<'_>, name: &ModelName) -> Result<Vec<Version>, StoreError> {
    let filter = VersionFilter {
        name: Some(name.clone()),
        ..VersionFilter::default()
    };
    list_versions(t, &filter)
}

const SELECT: &str = "SELECT experiment_key, experiment_id, status, definition, created_at, \
     started_at, ended_at, end_reason, decided, history FROM experiments";

fn read_experiment(row: &Row<'_>) -> rusqlite::Result<Experiment> {
    let text = |column| row.get::<_, String>(column);
    let time = |column| {
        let micros = row.get::<_, Option<i64>>(column)?;
        Ok::<_, rusqlite::Error>(micros.map(Timestamp::from_micros))
    };
    Ok(Experiment {
        key: ExperimentKey(row.get(0)?),
        id: text(1)?.parse().map_err(|_| corrupt(1))?,
        status: text(2)?.parse().map_err(|()| corrupt(2))?,
        definition: serde_json::from_str(&text(3)?).map_err(|_| corrupt(3))?,
        created_at: Timestamp::from_micros(row.get(4)?),
        started_at: time(5)?,
        ended_at: time(6)?,
        end_reason: row.get(7)?,
        decided: row.get(8)?,
        history: row.get(9)?,
    })
}

fn find(connection: &Connection, id: ExperimentId) -> Result<Option<Experiment>, StoreError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE experiment_id = ?1"))?;
    Ok(select
        .query_row([id.to_string()], read_experiment)
        .optional()?)
}

fn require(connection: &Connection, id: ExperimentId) -> Catalog<Experiment> {
    find(connection, id)?.ok_or(CatalogError::UnknownExperiment(id))
}

/// The experiment that runs on a model.
pub(super) fn running_of(
    connection: &Connection,
    name: &ModelName,
) -> Result<Option<Experiment>, StoreError> {
    let sql = format!("{SELECT} WHERE name = ?1 AND status = 'running'");
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select
        .query_row([name.as_str()], read_experiment)
        .optional()?)
}

/// Every experiment that runs, as routing sees it.
pub(super) fn running(
    t: &Transaction<'_>,
) -> Result<Vec<(ModelName, RunningExperiment)>, StoreError> {
    let mut select = t.prepare_cached(&format!("{SELECT} WHERE status = 'running'"))?;
    let rows = select.query_map([], read_experiment)?;
    let mut found = Vec::new();
    for experiment in rows {
        let experiment = experiment?;
        let definition = experiment.definition;
        let shares = definition.shares();
        let keys = definition.arms.iter().map(|arm| arm.key);
        let running = RunningExperiment {
            key: experiment.key,
            id: experiment.id,
            salt: definition.salt.clone(),
            enrolment: definition.enrolment,
            shares: keys.zip(shares).collect(),
        };
        found.push((definition.name, running));
    }
    Ok(found)
}

fn read_evidence(
    t: &Transaction<'_>,
    experiment: &Experiment,
    now: Timestamp,
) -> Result<Evidence, StoreError> {
    let definition = &experiment.definition;
    let mut evidence = Evidence::default();
    let mut select = t.prepare_cached(
        "SELECT epoch, shares FROM experiment_epochs WHERE experiment_key = ?1 ORDER BY epoch",
    )?;
    let mut rows = select.query([experiment.key.0])?;
    let empty = ArmEvidence {
        exposures: Exposures::default(),
        metrics: vec![MetricEvidence::default(); definition.metrics.len()],
    };
    while let Some(row) = rows.next()? {
        let shares: String = row.get(1)?;
        evidence.epochs.push(EpochEvidence {
            epoch: row.get(0)?,
            shares: serde_json::from_str(&shares).map_err(|_| corrupt(1))?,
            arms: vec![empty.clone(); definition.arms.len()],
        });
    }
    add_all_time(t, experiment, &mut evidence)?;
    for (at, metric) in definition.metrics.iter().enumerate() {
        if metric.window_seconds > 0 {
            let cutoff = crate::evidence::cutoff(metric, now.seconds());
            take_young(t, experiment, at, cutoff, &mut evidence)?;
        }
    }
    evidence.outside = outside(t, experiment, &evidence)?;
    Ok(evidence)
}

fn add_all_time(
    t: &Transaction<'_>,
    experiment: &Experiment,
    evidence: &mut Evidence,
) -> Result<(), StoreError> {
    let mut select = t.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
         AND version_key = ?3 AND metric = ?4 AND start = ?5"
    ))?;
    for epoch in &mut evidence.epochs {
        for (arm, place) in experiment.definition.arms.iter().zip(&mut epoch.arms) {
            let mut sums_of = |metric: i64| {
                let key = params![experiment.key.0, epoch.epoch, arm.key.0, metric, ALL_TIME];
                let sums = select.query_row(key, |row| read_sums(row, 0)).optional()?;
                Ok::<_, StoreError>(sums.unwrap_or_default().sums())
            };
            let exposures = sums_of(EXPOSURES)?;
            place.exposures = Exposures {
                units: exposures.units,
                predictions: exposures.count,
                fallbacks: exposures.events,
            };
            for (metric, evidence) in (0..).zip(&mut place.metrics) {
                let all = sums_of(metric)?;
                *evidence = MetricEvidence { matured: all, all };
            }
        }
    }
    Ok(())
}

/// Takes the stretches that have not matured out of the matured sums: a bounded number of rows,
/// however long the experiment runs.
fn take_young(
    t: &Transaction<'_>,
    experiment: &Experiment,
    metric: usize,
    cutoff: i64,
    evidence: &mut Evidence,
) -> Result<(), StoreError> {
    let mut select = t.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM evidence WHERE experiment_key = ?1 AND epoch = ?2 \
         AND version_key = ?3 AND metric = ?4 AND start > ?5"
    ))?;
    let after = cutoff.max(ALL_TIME);
    for epoch in &mut evidence.epochs {
        for (arm, place) in experiment.definition.arms.iter().zip(&mut epoch.arms) {
            let key = params![
                experiment.key.0,
                epoch.epoch,
                arm.key.0,
                metric as i64,
                after
            ];
            let mut rows = select.query(key)?;
            while let Some(row) = rows.next()? {
                // Events count at once: they are what guards.
                let mut young = read_sums(row, 0)?.sums();
                young.events = 0;
                place.metrics[metric].matured.subtract(&young);
            }
        }
    }
    Ok(())
}

/// Predictions of the experiment's versions in its epochs that are not among its exposures.
fn outside(
    t: &Transaction<'_>,
    experiment: &Experiment,
    evidence: &Evidence,
) -> Result<u64, StoreError> {
    let mut select = t.prepare_cached(
        "SELECT count FROM rollups WHERE tier = 0 AND start = 0 AND version_key = ?1 AND epoch = ?2",
    )?;
    let (mut all, mut inside) = (0i64, 0u64);
    for epoch in &evidence.epochs {
        for (arm, gathered) in experiment.definition.arms.iter().zip(&epoch.arms) {
            let key = params![arm.key.0, epoch.epoch];
            all += select
                .query_row(key, |row| row.get(0))
                .optional()?
                .unwrap_or(0);
            inside += gathered.exposures.predictions;
        }
    }
    Ok(u64::try_from(all).unwrap_or(0).saturating_sub(inside))
}
