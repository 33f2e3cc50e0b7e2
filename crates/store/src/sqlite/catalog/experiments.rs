//! Experiments as rows.

use super::{bound, readable, unreadable_rows};
use crate::sqlite::row::{ByName, corrupt};
use crate::{ExperimentFilter, StoreError};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use types::{
    Experiment, ExperimentDefinition, ExperimentId, ExperimentKey, ExperimentRow, ExperimentStatus,
    LookRecord, ModelName, Scale, Timestamp,
};

pub(in crate::sqlite) fn list(
    connection: &mut Connection,
    filter: &ExperimentFilter,
) -> Result<Vec<Experiment>, StoreError> {
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
}

pub(in crate::sqlite) fn due(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<Vec<Experiment>, StoreError> {
    let sql = format!("{SELECT} WHERE status = 'scheduled' AND starts_at <= ?1");
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map([now.micros()], read_experiment)?;
    readable(rows)
}

const SELECT: &str = "SELECT experiment_key, experiment_id, status, definition, created_at, \
     started_at, ended_at, end_reason, decided, history, revision, progress, verdict, \
     starts_at, winner, (SELECT shares FROM experiment_epochs e WHERE e.experiment_key = experiments.experiment_key \
     ORDER BY epoch DESC LIMIT 1) AS shares, (SELECT scales FROM experiment_epochs e \
     WHERE e.experiment_key = experiments.experiment_key ORDER BY epoch DESC LIMIT 1) AS scales FROM experiments";

fn read_experiment(row: &Row<'_>) -> rusqlite::Result<Experiment> {
    let time = |name| {
        let micros = row.get::<_, Option<i64>>(name)?;
        Ok::<_, rusqlite::Error>(micros.map(Timestamp::from_micros))
    };
    let definition: ExperimentDefinition = row.json("definition")?;
    let status: ExperimentStatus = row.parsed("status", str::parse)?;
    let published: Option<Vec<f64>> = row.json_option("shares")?;
    let published = published.unwrap_or_else(|| definition.first_shares());
    // Routing relies on one for each arm.
    let sum: f64 = published.iter().sum();
    let each = published.iter().all(|share| *share >= 0.0);
    if published.len() != definition.arms.len() || !each || !(sum > 0.0 && sum.is_finite()) {
        return Err(corrupt("shares"));
    }
    let all_on = |winner: usize| {
        let share = |arm| if arm == winner { 1.0 } else { 0.0 };
        (0..published.len()).map(share).collect()
    };
    let shares = match status {
        ExperimentStatus::Aborted | ExperimentStatus::RolledBack => all_on(0),
        ExperimentStatus::Promoted => {
            let winner: Option<i64> = row.get("winner")?;
            all_on(usize::try_from(winner.unwrap_or(0)).map_err(|_| corrupt("winner"))?)
        }
        _ => published,
    };
    Ok(Experiment {
        key: ExperimentKey(row.get("experiment_key")?),
        id: row.parsed("experiment_id", str::parse)?,
        status,
        definition,
        created_at: row.time("created_at")?,
        starts_at: time("starts_at")?,
        started_at: time("started_at")?,
        ended_at: time("ended_at")?,
        end_reason: row.get("end_reason")?,
        decided: row.get("decided")?,
        history: row.get("history")?,
        revision: row.get("revision")?,
        progress: row.json_option("progress")?,
        verdict: row.parsed_option("verdict", str::parse)?,
        scales: row.json_option("scales")?.unwrap_or_default(),
        shares,
    })
}

pub(in crate::sqlite) fn find(
    connection: &Connection,
    id: ExperimentId,
) -> Result<Option<Experiment>, StoreError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE experiment_id = ?1"))?;
    Ok(select
        .query_row([id.to_string()], read_experiment)
        .optional()?)
}

/// All experiments of a model that can be read, oldest first.
pub(super) fn of_model(
    connection: &Connection,
    name: &ModelName,
) -> Result<Vec<Experiment>, StoreError> {
    let sql = format!("{SELECT} WHERE name = ?1 ORDER BY experiment_key");
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map([name.as_str()], read_experiment)?;
    readable(rows)
}

/// The experiment that runs on a model, where it cannot be read, and why.
pub(super) fn unreadable_running(
    connection: &Connection,
    name: &ModelName,
) -> Result<Option<String>, StoreError> {
    let sql = format!("{SELECT} WHERE name = ?1 AND status = 'running'");
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query([name.as_str()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let id: String = row.get("experiment_id")?;
    Ok(read_experiment(row)
        .err()
        .map(|error| format!("{id}: {error}")))
}

/// Experiments that cannot be read, and why.
pub(in crate::sqlite) fn unreadable(
    connection: &Connection,
) -> Result<Vec<(String, String)>, StoreError> {
    unreadable_rows(connection, SELECT, "the experiment", read_experiment)
}

/// Every experiment that runs, each by itself.
pub(super) fn each_running(
    t: &Transaction<'_>,
) -> Result<Vec<Result<Experiment, StoreError>>, StoreError> {
    let mut select = t.prepare_cached(&format!("{SELECT} WHERE status = 'running'"))?;
    let rows = select.query_map([], read_experiment)?;
    Ok(rows.map(|row| Ok(row?)).collect())
}

pub(super) fn insert(t: &Transaction<'_>, experiment: &Experiment) -> rusqlite::Result<usize> {
    t.execute(
        "INSERT INTO experiments (experiment_key, experiment_id, name, status, definition, created_at, \
         revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            experiment.key.0,
            experiment.id.to_string(),
            experiment.definition.name.as_str(),
            experiment.status.as_str(),
            bound(&experiment.definition)?,
            experiment.created_at.micros(),
            experiment.revision,
        ],
    )
}

pub(super) fn update(t: &Transaction<'_>, row: &ExperimentRow) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE experiments SET status = ?2, revision = ?3, starts_at = ?4, started_at = ?5, \
         ended_at = ?6, end_reason = ?7, winner = ?8, progress = ?9 WHERE experiment_key = ?1",
        params![
            row.key.0,
            row.status.as_str(),
            row.revision,
            row.starts_at.map(Timestamp::micros),
            row.started_at.map(Timestamp::micros),
            row.ended_at.map(Timestamp::micros),
            row.end_reason,
            row.winner.map(|winner| winner as i64),
            row.progress.as_ref().map(bound).transpose()?,
        ],
    )
}

pub(super) fn delete(t: &Transaction<'_>, key: ExperimentKey) -> rusqlite::Result<usize> {
    t.execute("DELETE FROM experiments WHERE experiment_key = ?1", [key.0])
}

pub(super) fn begin_epoch(
    t: &Transaction<'_>,
    key: ExperimentKey,
    epoch: i64,
    (shares, scales): (&[f64], &[Option<Scale>]),
    at: Timestamp,
) -> rusqlite::Result<usize> {
    t.execute(
        "INSERT INTO experiment_epochs (experiment_key, epoch, shares, started_at, scales, keeps_parts) \
         VALUES (?1, ?2, ?3, ?4, ?5, TRUE)",
        params![key.0, epoch, bound(&shares)?, at.micros(), bound(&scales)?],
    )
}

pub(super) fn write_look(
    t: &Transaction<'_>,
    key: ExperimentKey,
    look: &LookRecord,
) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE experiments SET history = ?2, verdict = ?3 WHERE experiment_key = ?1",
        params![key.0, look.history, look.verdict.as_str()],
    )
}

pub(super) fn write_results(
    t: &Transaction<'_>,
    key: ExperimentKey,
    results: &str,
) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE experiments SET decided = ?2 WHERE experiment_key = ?1",
        params![key.0, results],
    )
}
