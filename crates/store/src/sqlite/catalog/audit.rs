//! The audit: what every change leaves behind, in its own transaction.

use super::{Catalog, experiments, first_readable};
use crate::sqlite::Store;
use crate::{AuditEntry, AuditFilter, StoreError};
use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value};
use types::{Experiment, ExperimentKey, ModelName, Timestamp, Version, VersionName};

impl Store {
    /// The audit, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn audit(&self, filter: AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |connection| {
            let sql = "id < ?3 ORDER BY id DESC";
            entries(connection, sql, &filter, filter.before.unwrap_or(i64::MAX))
        })
        .await
    }

    /// Entries of the audit after one, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn audit_after(
        &self,
        filter: AuditFilter,
        after: i64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |connection| entries(connection, "id > ?3 ORDER BY id", &filter, after))
            .await
    }

    /// The id of the newest entry, 0 without one, and the models that entries after `after` are about.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn changed_models(&self, after: i64) -> Result<(i64, Vec<ModelName>), StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            let sql = "SELECT COALESCE(MAX(id), 0) FROM audit";
            let newest = transaction.query_row(sql, [], |row| row.get(0))?;
            let mut select =
                transaction.prepare_cached("SELECT DISTINCT name FROM audit WHERE id > ?1")?;
            let names = select.query_map([after], |row| row.get::<_, String>(0))?;
            let names = names.collect::<Result<Vec<_>, _>>()?;
            let known = names.iter().filter_map(|name| ModelName::parse(name).ok());
            Ok((newest, known.collect()))
        })
        .await
    }
}

/// `rest` places ?3 among the ids and says the order.
fn entries(
    connection: &Connection,
    rest: &str,
    filter: &AuditFilter,
    bound: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let key = match filter.experiment {
        None => None,
        Some(id) => match experiments::find(connection, id)? {
            None => return Ok(Vec::new()),
            Some(experiment) => Some(experiment.key.0),
        },
    };
    let by_experiment = if key.is_some() {
        "experiment_key = ?2"
    } else {
        "?2 IS NULL"
    };
    let of_experiments = if filter.experiments_only {
        "experiment_key IS NOT NULL AND"
    } else {
        ""
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT id, at, action, name, version, revision, detail FROM audit \
         WHERE (?1 IS NULL OR name = ?1) AND {by_experiment} AND {of_experiments} {rest}"
    ))?;
    let name = filter.name.as_ref().map(ModelName::as_str);
    let rows = select.query_map(params![name, key, bound], |row| {
        let detail: String = row.get(6)?;
        Ok(AuditEntry {
            id: row.get(0)?,
            at: Timestamp::from_micros(row.get(1)?),
            action: row.get(2)?,
            name: row.get(3)?,
            version: row.get(4)?,
            revision: row.get(5)?,
            detail: serde_json::from_str(&detail).unwrap_or(Value::Null),
        })
    })?;
    first_readable(rows, filter.limit as usize)
}

/// Records a change of a version, with the revision and, where weights moved, the epoch it opens.
pub(super) fn moved(
    t: &Transaction<'_>,
    old: &Version,
    action: &str,
    detail: &Value,
    now: Timestamp,
) -> Catalog<()> {
    let weights_moved = matches!(action, "version.activated" | "version.deactivated");
    bump(t, &old.name, weights_moved)?;
    audit(t, &old.name, Some(&old.version), action, detail, now)
}

pub(super) fn bump(t: &Transaction<'_>, name: &ModelName, weights_moved: bool) -> Catalog<()> {
    t.execute(
        "UPDATE models SET revision = revision + 1, epoch = epoch + ?2 WHERE name = ?1",
        params![name.as_str(), weights_moved],
    )?;
    Ok(())
}

pub(super) fn audit(
    t: &Transaction<'_>,
    name: &ModelName,
    version: Option<&VersionName>,
    action: &str,
    detail: &Value,
    now: Timestamp,
) -> Catalog<()> {
    insert(t, name, version, action, detail, now, None)
}

/// Records a change of an experiment, which is named in the detail; a person's, unless that says otherwise.
pub(super) fn audit_experiment(
    t: &Transaction<'_>,
    experiment: &Experiment,
    action: &str,
    detail: Map<String, Value>,
    now: Timestamp,
) -> Catalog<()> {
    let id = experiment.id.to_string();
    let person = crate::Actor::Person.as_str();
    let mut all = Map::from_iter([
        ("experiment".to_owned(), id.into()),
        ("by".to_owned(), person.into()),
    ]);
    all.extend(detail);
    let name = &experiment.definition.name;
    let key = Some(experiment.key);
    insert(t, name, None, action, &Value::Object(all), now, key)
}

fn insert(
    t: &Transaction<'_>,
    name: &ModelName,
    version: Option<&VersionName>,
    action: &str,
    detail: &Value,
    now: Timestamp,
    experiment: Option<ExperimentKey>,
) -> Catalog<()> {
    let revision = revision(t, name)?;
    let version = version.map(VersionName::as_str);
    t.execute(
        "INSERT INTO audit (at, action, name, version, revision, detail, experiment_key) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            now.micros(),
            action,
            name.as_str(),
            version,
            revision,
            detail.to_string(),
            experiment.map(|key| key.0)
        ],
    )?;
    Ok(())
}

pub(super) fn revision(connection: &Connection, name: &ModelName) -> Catalog<i64> {
    let sql = "SELECT revision FROM models WHERE name = ?1";
    Ok(connection.query_row(sql, [name.as_str()], |row| row.get(0))?)
}
