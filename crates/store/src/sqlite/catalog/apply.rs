//! Changes as rows. What is written was decided elsewhere; here it is written whole or not at all.

use super::audit::AuditRow;
use super::to_text;
use crate::sqlite::row::corrupt;
use crate::sqlite::{Store, newest_event};
use crate::{Checkpoint, NotApplied, StoreError};
use rusqlite::{Transaction, params};
use types::{Change, Experiment, ExperimentKey, LookRecord, ModelName, Timestamp, Version, Write};

/// What became of a change, where the database could be written.
type Applied = Result<(), NotApplied>;

impl Store {
    /// Applies changes in their order, in one transaction. Each is applied to the state that it was decided on; those
    /// of one model that follow each other are applied all or none, and what cannot be is left out alone.
    ///
    /// # Errors
    /// When the database cannot be written now: nothing has changed then. By change: [`NotApplied`].
    pub async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Applied>, StoreError> {
        let mut writes = changes.iter().flat_map(|change| &change.writes);
        let tidies = writes.any(|write| matches!(write, Write::DeleteVersion(_)));
        let (applied, newest) = self
            .change(move |t| {
                let mut applied = Vec::with_capacity(changes.len());
                for of_model in changes.chunk_by(|one, next| one.name == next.name) {
                    let all = alone(t, |t| apply_all(t, of_model))?;
                    applied.extend(of_model.iter().map(|_| all.clone()));
                }
                Ok::<_, StoreError>((applied, newest_event(t)?))
            })
            .await?;
        self.inner.directory.say(newest);
        if tidies {
            self.wants_tidying();
        }
        Ok(applied)
    }

    /// Keeps what looks at running experiments have shown, where nothing was decided: no event.
    ///
    /// # Errors
    /// As [`Store::apply`]; a look at another revision than the present one is a [`NotApplied`].
    pub async fn checkpoint(&self, looks: Vec<Checkpoint>) -> Result<Vec<Applied>, StoreError> {
        self.change(move |t| {
            let each = looks.iter().map(|look| alone(t, |t| checkpoint(t, look)));
            each.collect()
        })
        .await
    }
}

/// Does something whole or not at all, in a transaction that goes on with other things.
fn alone(
    t: &Transaction<'_>,
    write: impl FnOnce(&Transaction<'_>) -> Result<Applied, StoreError>,
) -> Result<Applied, StoreError> {
    t.execute_batch("SAVEPOINT alone")?;
    let written = write(t);
    match &written {
        Ok(Ok(())) => t.execute_batch("RELEASE alone")?,
        Err(error) if error.may_pass() => return written,
        Ok(Err(_)) | Err(_) => t.execute_batch("ROLLBACK TO alone; RELEASE alone")?,
    }
    Ok(written.unwrap_or_else(|error| Err(NotApplied::Refused(error.to_string()))))
}

fn apply_all(t: &Transaction<'_>, changes: &[Change]) -> Result<Applied, StoreError> {
    for change in changes {
        if let Err(conflict) = apply(t, change)? {
            return Ok(Err(conflict));
        }
    }
    Ok(Ok(()))
}

fn apply(t: &Transaction<'_>, change: &Change) -> Result<Applied, StoreError> {
    let name = change.name.as_str();
    let mut counted = t.execute(
        "UPDATE models SET changes = changes + 1 WHERE name = ?1 AND changes = ?2",
        params![name, change.decided_on],
    )?;
    if counted == 0 && change.decided_on == 0 {
        counted = t.execute(
            "INSERT INTO models (name, salt, revision, epoch, fallback, changes) \
             VALUES (?1, '', 0, 0, 1, 1) ON CONFLICT (name) DO NOTHING",
            [name],
        )?;
    }
    if counted == 0 {
        return Ok(Err(NotApplied::Moved(name.to_owned())));
    }
    for write in &change.writes {
        let written = write_row(t, &change.name, write, change.at)?;
        if written != 1 {
            let what = format!("{written} rows of {name} instead of one for {write:?}");
            return Ok(Err(NotApplied::Refused(what)));
        }
    }
    let event = &change.event;
    let row = AuditRow {
        at: change.at.micros(),
        action: event.action.as_str(),
        name,
        version: event.version.as_ref().map(|version| version.as_str()),
        revision: event.revision,
        detail: &event.detail,
        experiment_key: event.experiment_key.map(|key| key.0),
        change: change.decided_on + 1,
    };
    t.execute(
        "INSERT INTO audit (at, action, name, version, revision, detail, experiment_key, change, row_hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            row.at,
            row.action,
            row.name,
            row.version,
            row.revision,
            row.detail,
            row.experiment_key,
            row.change,
            row.hash(),
        ],
    )?;
    Ok(Ok(()))
}

fn write_row(
    t: &Transaction<'_>,
    name: &ModelName,
    write: &Write,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    match write {
        Write::Model {
            salt,
            revision,
            epoch,
            fallback,
        } => t.execute(
            "UPDATE models SET salt = ?2, revision = ?3, epoch = ?4, fallback = ?5 WHERE name = ?1",
            params![name.as_str(), salt, revision, epoch, fallback],
        ),
        Write::NewVersion(version) => insert_version(t, version),
        Write::Weight {
            key,
            status,
            traffic_percent,
            activated_at,
        } => t.execute(
            "UPDATE versions SET status = ?2, traffic_percent = ?3, activated_at = ?4 \
             WHERE version_key = ?1",
            params![
                key.0,
                status.as_str(),
                traffic_percent.get(),
                activated_at.map(Timestamp::micros),
            ],
        ),
        Write::Description {
            key,
            description,
            tags,
        } => t.execute(
            "UPDATE versions SET description = ?2, tags = ?3 WHERE version_key = ?1",
            params![key.0, description, text(tags)?],
        ),
        Write::DeleteVersion(key) => t.execute(
            "UPDATE versions SET deleted_at = ?2, status = 'inactive' WHERE version_key = ?1",
            params![key.0, at.micros()],
        ),
        Write::Alias {
            alias,
            version: None,
        } => t.execute(
            "DELETE FROM aliases WHERE name = ?1 AND alias = ?2",
            [name.as_str(), alias.as_str()],
        ),
        Write::Alias {
            alias,
            version: Some(version),
        } => t.execute(
            "INSERT INTO aliases (name, alias, version_key, updated_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (name, alias) DO UPDATE SET version_key = excluded.version_key, \
             updated_at = excluded.updated_at",
            params![name.as_str(), alias.as_str(), version.0, at.micros()],
        ),
        Write::Metric {
            metric,
            declared: None,
        } => t.execute(
            "DELETE FROM metrics WHERE name = ?1 AND metric = ?2",
            [name.as_str(), metric.as_str()],
        ),
        Write::Metric {
            metric,
            declared: Some(declared),
        } => t.execute(
            "INSERT INTO metrics (name, metric, definition, updated_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (name, metric) DO UPDATE SET definition = excluded.definition, \
             updated_at = excluded.updated_at",
            params![name.as_str(), metric.as_str(), text(declared)?, at.micros()],
        ),
        Write::NewExperiment(experiment) => insert_experiment(t, experiment),
        Write::Experiment {
            key,
            status,
            revision,
            starts_at,
            started_at,
            ended_at,
            end_reason,
            winner,
            progress,
        } => t.execute(
            "UPDATE experiments SET status = ?2, revision = ?3, starts_at = ?4, started_at = ?5, \
             ended_at = ?6, end_reason = ?7, winner = ?8, progress = ?9 WHERE experiment_key = ?1",
            params![
                key.0,
                status.as_str(),
                revision,
                starts_at.map(Timestamp::micros),
                started_at.map(Timestamp::micros),
                ended_at.map(Timestamp::micros),
                end_reason,
                winner.map(|winner| winner as i64),
                progress.as_ref().map(text).transpose()?,
            ],
        ),
        Write::DeleteExperiment(key) => {
            t.execute("DELETE FROM experiments WHERE experiment_key = ?1", [key.0])
        }
        Write::Epoch {
            experiment,
            epoch,
            shares,
        } => t.execute(
            "INSERT INTO experiment_epochs (experiment_key, epoch, shares, started_at) \
             VALUES (?1, ?2, ?3, ?4)",
            params![experiment.0, epoch, text(shares)?, at.micros()],
        ),
        Write::Look { experiment, look } => write_look(t, *experiment, look),
        Write::Decided {
            experiment,
            results,
        } => t.execute(
            "UPDATE experiments SET decided = ?2 WHERE experiment_key = ?1",
            params![experiment.0, results],
        ),
    }
}

fn insert_version(t: &Transaction<'_>, version: &Version) -> rusqlite::Result<usize> {
    t.execute(
        "INSERT INTO versions (version_key, model_id, name, version, description, accuracy, tags, \
         runtime, status, traffic_percent, created_at, activated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            version.key.0,
            version.model_id.to_string(),
            version.name.as_str(),
            version.version.as_str(),
            version.description,
            version.accuracy.get(),
            text(&version.tags)?,
            text(&version.runtime)?,
            version.status.as_str(),
            version.traffic_percent.get(),
            version.created_at.micros(),
            version.activated_at.map(Timestamp::micros),
        ],
    )
}

fn insert_experiment(t: &Transaction<'_>, experiment: &Experiment) -> rusqlite::Result<usize> {
    t.execute(
        "INSERT INTO experiments (experiment_key, experiment_id, name, status, definition, created_at, \
         revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            experiment.key.0,
            experiment.id.to_string(),
            experiment.definition.name.as_str(),
            experiment.status.as_str(),
            text(&experiment.definition)?,
            experiment.created_at.micros(),
            experiment.revision,
        ],
    )
}

fn write_look(
    t: &Transaction<'_>,
    experiment: ExperimentKey,
    look: &LookRecord,
) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE experiments SET history = ?2, verdict = ?3 WHERE experiment_key = ?1",
        params![experiment.0, look.history, look.verdict.as_str()],
    )
}

fn checkpoint(t: &Transaction<'_>, look: &Checkpoint) -> Result<Applied, StoreError> {
    let progress = look.progress.as_ref().map(to_text).transpose()?;
    let mut update = t.prepare_cached(
        "UPDATE experiments SET progress = ?3, history = ?4, verdict = ?5 \
         WHERE experiment_key = ?1 AND revision = ?2 AND status = 'running'",
    )?;
    let updated = update.execute(params![
        look.key.0,
        look.revision,
        progress,
        look.look.history,
        look.look.verdict.as_str()
    ])?;
    let moved = || NotApplied::Moved("the experiment".into());
    Ok((updated > 0).then_some(()).ok_or_else(moved))
}

fn text(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    to_text(value).map_err(|_| corrupt("a value"))
}
