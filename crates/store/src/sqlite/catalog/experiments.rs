//! Experiments as rows.

use super::{corrupt, readable, unreadable_rows};
use crate::sqlite::Store;
use crate::{ExperimentFilter, StoreError};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params_from_iter};
use types::{
    Experiment, ExperimentDefinition, ExperimentId, ExperimentKey, ExperimentStatus, ModelName,
    Timestamp,
};

impl Store {
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
    let id: String = row.get(1)?;
    Ok(read_experiment(row)
        .err()
        .map(|error| format!("{id}: {error}")))
}

/// Experiments that cannot be read, and why.
pub(super) fn unreadable(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
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
