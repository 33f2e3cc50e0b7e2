//! Experiments as rows, and what starting and ending them does to the traffic.

use super::aliases::point_alias;
use super::audit::{audit_experiment, bump};
use super::{
    Catalog, corrupt, list as list_versions, metrics, readable, set_traffic, to_text,
    unreadable_rows,
};
use crate::sqlite::Store;
use crate::{
    Actor, CatalogError, ExperimentEnd, ExperimentFilter, ExperimentStep, StoreError, Takeover,
    VersionFilter,
};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use serde_json::{Map, Value, json};
use types::{
    AliasName, Experiment, ExperimentDefinition, ExperimentId, ExperimentKey, ExperimentStatus,
    ModelName, Percent, Progress, RunningExperiment, Timestamp, Version, VersionStatus,
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
            let made = require(t, id)?;
            let detail = Map::from_iter([("title".to_owned(), definition.title.into())]);
            audit_experiment(t, &made, "experiment.created", detail, now)?;
            Ok(made)
        };
        self.change(change).await
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
            readable(rows)
        })
        .await
    }

    /// Has a draft start by itself at a moment, or makes a scheduled one a draft again: by a person, or
    /// because it could not start for a reason.
    ///
    /// # Errors
    /// [`CatalogError::UnknownExperiment`], or [`CatalogError::ExperimentStatus`] for one that has begun.
    pub async fn schedule_experiment(
        &self,
        id: ExperimentId,
        starts_at: Option<Timestamp>,
        failed: Option<String>,
        now: Timestamp,
    ) -> Catalog<Experiment> {
        let change = move |t: &Transaction<'_>| {
            let experiment = require(t, id)?;
            if !experiment.status.is_open() {
                return Err(CatalogError::ExperimentStatus(experiment.status));
            }
            let (status, action) = match (starts_at, &failed) {
                (Some(_), _) => (ExperimentStatus::Scheduled, "experiment.scheduled"),
                (None, None) => (ExperimentStatus::Draft, "experiment.unscheduled"),
                (None, Some(_)) => (ExperimentStatus::Draft, "experiment.start_failed"),
            };
            t.execute(
                "UPDATE experiments SET status = ?2, starts_at = ?3, revision = revision + 1 \
                 WHERE experiment_key = ?1",
                params![
                    experiment.key.0,
                    status.as_str(),
                    starts_at.map(Timestamp::micros)
                ],
            )?;
            let detail = Map::from_iter([
                (
                    "starts_at".to_owned(),
                    json!(starts_at.map(|at| at.to_string())),
                ),
                ("because".to_owned(), json!(failed)),
            ]);
            audit_experiment(t, &experiment, action, detail, now)?;
            require(t, id)
        };
        self.change(change).await
    }

    /// Scheduled experiments whose time has come.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due_experiments(&self, now: Timestamp) -> Result<Vec<Experiment>, StoreError> {
        self.read(move |connection| {
            let sql = format!("{SELECT} WHERE status = 'scheduled' AND starts_at <= ?1");
            let mut select = connection.prepare_cached(&sql)?;
            let rows = select.query_map([now.micros()], read_experiment)?;
            readable(rows)
        })
        .await
    }

    /// Starts a draft: its weights rule from now on, in a new epoch. `progress` is where its policy begins;
    /// with a `revision` it starts only if nothing happened to it since.
    ///
    /// # Errors
    /// [`CatalogError::UnknownExperiment`], [`CatalogError::ExperimentStatus`] for one that is no
    /// draft, [`CatalogError::AnotherRuns`] when another one runs on the model,
    /// [`CatalogError::StaleExperiment`], [`CatalogError::MetricChanged`] when a metric is not declared as it
    /// was, and
    /// [`CatalogError::UnknownVersion`] or [`CatalogError::Transition`] for a version that cannot be
    /// active.
    pub async fn start_experiment(
        &self,
        id: ExperimentId,
        progress: Option<Progress>,
        revision: Option<i64>,
        now: Timestamp,
    ) -> Catalog<Experiment> {
        let change = move |t: &Transaction<'_>| {
            let present = require(t, id)?.revision;
            match revision.filter(|given| *given != present) {
                Some(given) => Err(CatalogError::StaleExperiment { present, given }),
                None => start(t, id, progress.as_ref(), now),
            }
        };
        self.change(change).await
    }

    /// Saves the next states of running experiments, in one transaction: new shares open an epoch, and
    /// an event is on the record with what it was decided by. Each is decided by a revision, and a
    /// stale one is refused alone.
    ///
    /// # Errors
    /// When they cannot be written. By step: [`CatalogError::StaleExperiment`], or
    /// [`CatalogError::ExperimentStatus`] for one that does not run.
    pub async fn step_experiments(
        &self,
        steps: Vec<ExperimentStep>,
        now: Timestamp,
    ) -> Catalog<Vec<Catalog<()>>> {
        let change = move |t: &Transaction<'_>| {
            let mut done = Vec::with_capacity(steps.len());
            for step in &steps {
                // What is wrong with one experiment keeps no other from its step.
                t.execute_batch("SAVEPOINT step")?;
                let taken = take_step(t, step, now);
                match &taken {
                    Err(CatalogError::Store(error)) if error.may_pass() => {
                        return taken.map(|()| done);
                    }
                    Err(_) => t.execute_batch("ROLLBACK TO step; RELEASE step")?,
                    Ok(()) => t.execute_batch("RELEASE step")?,
                }
                done.push(taken);
            }
            Ok(done)
        };
        self.change(change).await
    }

    /// Deletes a draft, or a scheduled one.
    ///
    /// # Errors
    /// [`CatalogError::UnknownExperiment`], or [`CatalogError::ExperimentStatus`] for one that ran:
    /// what was decided by it must stay explainable.
    pub async fn delete_experiment(&self, id: ExperimentId, now: Timestamp) -> Catalog<()> {
        let change = move |t: &Transaction<'_>| {
            let experiment = require(t, id)?;
            if !experiment.status.is_open() {
                return Err(CatalogError::ExperimentStatus(experiment.status));
            }
            let key = experiment.key.0;
            t.execute("DELETE FROM experiments WHERE experiment_key = ?1", [key])?;
            audit_experiment(t, &experiment, "experiment.deleted", Map::new(), now)
        };
        self.change(change).await
    }
}

fn start(
    t: &Transaction<'_>,
    id: ExperimentId,
    progress: Option<&Progress>,
    now: Timestamp,
) -> Catalog<Experiment> {
    let experiment = require(t, id)?;
    if !experiment.status.is_open() {
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
    let effective = experiment.effective_shares();
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
    let progress = progress.map(to_text).transpose()?;
    t.execute(
        "UPDATE experiments SET status = 'running', started_at = ?2, progress = ?3, \
         revision = revision + 1 WHERE experiment_key = ?1",
        params![experiment.key.0, now.micros(), progress],
    )?;
    open_epoch(t, &experiment, &experiment.shares, now)?;
    let detail = Map::from_iter([
        ("from".to_owned(), before.into()),
        ("to".to_owned(), after.into()),
    ]);
    audit_experiment(t, &experiment, "experiment.started", detail, now)?;
    require(t, id)
}

/// Begins the next epoch of a running experiment, with these shares.
fn open_epoch(
    t: &Transaction<'_>,
    experiment: &Experiment,
    shares: &[f64],
    now: Timestamp,
) -> Catalog<()> {
    let name = &experiment.definition.name;
    bump(t, name, true)?;
    t.execute(
        "INSERT INTO experiment_epochs (experiment_key, epoch, shares, started_at) \
         SELECT ?1, epoch, ?3, ?4 FROM models WHERE name = ?2",
        params![
            experiment.key.0,
            name.as_str(),
            to_text(&shares)?,
            now.micros()
        ],
    )?;
    Ok(())
}

/// In percent, without the last digits that a share such as 0.07 cannot have.
fn percent(share: f64) -> Percent {
    let rounded = (share * 1e11).round() / 1e9;
    Percent::new(rounded.clamp(0.0, 100.0)).unwrap_or(Percent::ZERO)
}

fn take_step(t: &Transaction<'_>, step: &ExperimentStep, now: Timestamp) -> Catalog<()> {
    let sql = "SELECT status, revision FROM experiments WHERE experiment_key = ?1";
    let (status, present): (String, i64) =
        t.query_row(sql, [step.key.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let status: ExperimentStatus = status.parse().map_err(|()| corrupt(0))?;
    if status != ExperimentStatus::Running {
        return Err(CatalogError::ExperimentStatus(status));
    }
    if present != step.revision {
        let given = step.revision;
        return Err(CatalogError::StaleExperiment { present, given });
    }
    let mut update = t.prepare_cached(
        "UPDATE experiments SET progress = ?2, history = COALESCE(?3, history), \
         verdict = COALESCE(?4, verdict), revision = revision + ?5 WHERE experiment_key = ?1",
    )?;
    update.execute(params![
        step.key.0,
        step.progress.as_ref().map(to_text).transpose()?,
        step.look.as_ref().map(|look| &look.history),
        step.look.as_ref().map(|look| &look.verdict),
        step.event.is_some(),
    ])?;
    let Some(event) = &step.event else {
        return Ok(());
    };
    let experiment = find_by_key(t, step.key)?;
    let mut detail = Map::from_iter([
        ("by".to_owned(), event.by.as_str().into()),
        ("because".to_owned(), event.because.as_str().into()),
        ("experiment_revision".to_owned(), experiment.revision.into()),
        ("progress".to_owned(), json!(step.progress)),
    ]);
    let weights = match (&event.end, &event.shares) {
        (Some(end), _) => Some(finish(t, &experiment, end, now)?),
        (None, Some(shares)) => Some(reweigh(t, &experiment, shares, now)?),
        (None, None) => None,
    };
    if let Some(Moved { from, to }) = weights {
        detail.insert("from".into(), from.into());
        detail.insert("to".into(), to.into());
    } else {
        bump(t, &experiment.definition.name, false)?;
    }
    if let Some(end) = &event.end {
        detail.insert("reason".into(), json!(end.reason));
    }
    detail.insert("evidence".into(), event.evidence.clone());
    let action = format!("experiment.{}", event.action);
    audit_experiment(t, &experiment, &action, detail, now)
}

/// `traffic_percent` by version, before and after.
struct Moved {
    from: Map<String, Value>,
    to: Map<String, Value>,
}

/// Publishes new shares of a running experiment, in a new epoch.
fn reweigh(
    t: &Transaction<'_>,
    experiment: &Experiment,
    shares: &[f64],
    now: Timestamp,
) -> Catalog<Moved> {
    let effective = experiment.definition.effective_shares(shares);
    let weigh = |at: usize| Some((VersionStatus::Active, percent(effective[at])));
    let moved = set_arms(t, experiment, weigh, now)?;
    open_epoch(t, experiment, shares, now)?;
    Ok(moved)
}

/// Gives the arms a status and a weight by their place; `None` leaves one as it is.
fn set_arms(
    t: &Transaction<'_>,
    experiment: &Experiment,
    weigh: impl Fn(usize) -> Option<(VersionStatus, Percent)>,
    now: Timestamp,
) -> Catalog<Moved> {
    let (mut from, mut to) = (Map::new(), Map::new());
    let arms = &experiment.definition.arms;
    for old in versions_of(t, &experiment.definition.name)? {
        let place = arms.iter().position(|arm| arm.key == old.key);
        let Some((status, weight)) = place.and_then(&weigh) else {
            continue;
        };
        set_traffic(t, &old, status, weight, now)?;
        from.insert(old.version.to_string(), old.traffic_percent.get().into());
        to.insert(old.version.to_string(), weight.get().into());
    }
    Ok(Moved { from, to })
}

fn finish(
    t: &Transaction<'_>,
    experiment: &Experiment,
    end: &ExperimentEnd,
    now: Timestamp,
) -> Catalog<Moved> {
    let name = &experiment.definition.name;
    t.execute(
        "UPDATE experiments SET status = ?2, ended_at = ?3, end_reason = ?4, decided = ?5, \
         winner = ?6 WHERE experiment_key = ?1",
        params![
            experiment.key.0,
            end.status.as_str(),
            now.micros(),
            end.reason,
            end.decided,
            (end.status == ExperimentStatus::Promoted).then_some(end.winner as i64)
        ],
    )?;
    let everything = Some((VersionStatus::Active, percent(1.0)));
    let nothing = Some((VersionStatus::Inactive, Percent::ZERO));
    let winner = end.winner;
    let moved = match end.status {
        ExperimentStatus::Draft
        | ExperimentStatus::Scheduled
        | ExperimentStatus::Running
        | ExperimentStatus::Stopped => set_arms(t, experiment, |_| None, now)?,
        ExperimentStatus::Aborted | ExperimentStatus::RolledBack => {
            let weigh = |at| if at == 0 { everything } else { nothing };
            set_arms(t, experiment, weigh, now)?
        }
        ExperimentStatus::Promoted => {
            // The control stays active, so that going back is one change of the weights.
            let weigh = |at| match at {
                at if at == winner => everything,
                0 => Some((VersionStatus::Active, Percent::ZERO)),
                _ => nothing,
            };
            let moved = set_arms(t, experiment, weigh, now)?;
            let version = &experiment.definition.arms[winner].version;
            let champion = AliasName::parse("champion").map_err(|_| corrupt(0))?;
            point_alias(t, name, &champion, version, now)?;
            moved
        }
    };
    // Units are hashed with the salt of the model again, so an epoch begins in any case.
    bump(t, name, true)?;
    Ok(moved)
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
        winner: 0,
        reason: Some("a change of the weights by hand took over".into()),
        decided: takeover.decided.clone(),
    };
    finish(t, &running, &end, now)?;
    let detail = Map::from_iter([
        ("by".to_owned(), Actor::Person.as_str().into()),
        ("because".to_owned(), json!(end.reason)),
        ("reason".to_owned(), json!(end.reason)),
    ]);
    audit_experiment(t, &running, "experiment.stopped", detail, now)
}

fn versions_of(t: &Transaction<'_>, name: &ModelName) -> Result<Vec<Version>, StoreError> {
    let filter = VersionFilter {
        name: Some(name.clone()),
        ..VersionFilter::default()
    };
    list_versions(t, &filter)
}

const SELECT: &str = "SELECT experiment_key, experiment_id, status, definition, created_at, \
     started_at, ended_at, end_reason, decided, history, revision, progress, verdict, \
     starts_at, winner, (SELECT shares FROM experiment_epochs e WHERE e.experiment_key = experiments.experiment_key \
     ORDER BY epoch DESC LIMIT 1) FROM experiments";

fn read_experiment(row: &Row<'_>) -> rusqlite::Result<Experiment> {
    let text = |column| row.get::<_, String>(column);
    let time = |column| {
        let micros = row.get::<_, Option<i64>>(column)?;
        Ok::<_, rusqlite::Error>(micros.map(Timestamp::from_micros))
    };
    let definition: ExperimentDefinition =
        serde_json::from_str(&text(3)?).map_err(|_| corrupt(3))?;
    let progress: Option<String> = row.get(11)?;
    let progress = progress.map(|text| serde_json::from_str(&text).map_err(|_| corrupt(11)));
    let status: ExperimentStatus = text(2)?.parse().map_err(|()| corrupt(2))?;
    let published: Vec<f64> = match row.get::<_, Option<String>>(15)? {
        Some(text) => serde_json::from_str(&text).map_err(|_| corrupt(15))?,
        None => definition.first_shares(),
    };
    // Routing relies on one for each arm.
    let sum: f64 = published.iter().sum();
    let each = published.iter().all(|share| *share >= 0.0);
    if published.len() != definition.arms.len() || !each || !(sum > 0.0 && sum.is_finite()) {
        return Err(corrupt(15));
    }
    let all_on = |winner: usize| {
        let share = |arm| if arm == winner { 1.0 } else { 0.0 };
        (0..published.len()).map(share).collect()
    };
    let shares = match status {
        ExperimentStatus::Aborted | ExperimentStatus::RolledBack => all_on(0),
        ExperimentStatus::Promoted => {
            let winner: Option<i64> = row.get(14)?;
            all_on(usize::try_from(winner.unwrap_or(0)).map_err(|_| corrupt(14))?)
        }
        _ => published,
    };
    Ok(Experiment {
        key: ExperimentKey(row.get(0)?),
        id: text(1)?.parse().map_err(|_| corrupt(1))?,
        status,
        definition,
        created_at: Timestamp::from_micros(row.get(4)?),
        starts_at: time(13)?,
        started_at: time(5)?,
        ended_at: time(6)?,
        end_reason: row.get(7)?,
        decided: row.get(8)?,
        history: row.get(9)?,
        revision: row.get(10)?,
        progress: progress.transpose()?,
        verdict: row.get(12)?,
        shares,
    })
}

pub(super) fn find(
    connection: &Connection,
    id: ExperimentId,
) -> Result<Option<Experiment>, StoreError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE experiment_id = ?1"))?;
    Ok(select
        .query_row([id.to_string()], read_experiment)
        .optional()?)
}

fn find_by_key(connection: &Connection, key: ExperimentKey) -> Result<Experiment, StoreError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE experiment_key = ?1"))?;
    Ok(select.query_row([key.0], read_experiment)?)
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

/// Experiments that cannot be read, and why.
pub(super) fn unreadable(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    unreadable_rows(connection, SELECT, "the experiment", read_experiment)
}

/// Every experiment that runs, or the one of a model, each by itself.
pub(super) fn each_running(
    t: &Transaction<'_>,
    name: Option<&ModelName>,
) -> Result<Vec<Result<Experiment, StoreError>>, StoreError> {
    let of_model = if name.is_some() {
        "name = ?1 AND"
    } else {
        "?1 IS NULL AND"
    };
    let sql = format!("{SELECT} WHERE {of_model} status = 'running'");
    let mut select = t.prepare_cached(&sql)?;
    let rows = select.query_map([name.map(ModelName::as_str)], read_experiment)?;
    Ok(rows.map(|row| Ok(row?)).collect())
}

/// The same as routing sees them. One that cannot be read is left out: its model goes by the weights of its
/// versions, which are the same.
pub(super) fn running(
    t: &Transaction<'_>,
    name: Option<&ModelName>,
) -> Result<Vec<(ModelName, RunningExperiment)>, StoreError> {
    let as_routed = |experiment: Experiment| {
        let definition = experiment.definition;
        let keys = definition.arms.iter().map(|arm| arm.key);
        let routed = RunningExperiment {
            key: experiment.key,
            id: experiment.id,
            shares: keys.zip(experiment.shares).collect(),
            salt: definition.salt,
            enrolment: definition.enrolment,
        };
        (definition.name, routed)
    };
    let each = each_running(t, name)?.into_iter();
    Ok(each.filter_map(Result::ok).map(as_routed).collect())
}
