//! The audit: what every change has left behind.

use super::{experiments, first_readable};
use crate::sqlite::Store;
use crate::sqlite::hash::Columns;
use crate::sqlite::row::ByName;
use crate::{AuditEntry, AuditFilter, StoreError};
use rusqlite::{Connection, Row, params};
use serde_json::Value;
use types::{EventRecord, ExperimentKey, ModelName, VersionName};

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
            let names = select.query_map([after], |row| row.get::<_, String>("name"))?;
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
        Ok(AuditEntry {
            id: row.get("id")?,
            at: row.time("at")?,
            action: row.get("action")?,
            name: row.get("name")?,
            version: row.get("version")?,
            revision: row.get("revision")?,
            detail: row.json("detail").unwrap_or(Value::Null),
        })
    })?;
    first_readable(rows, filter.limit as usize)
}

pub(super) fn row_hash(at: i64, name: &str, event: &EventRecord, change: i64) -> i64 {
    let version = event.version.as_ref().map(VersionName::as_str);
    let mut columns = Columns::new();
    columns
        .number(at)
        .text(&event.action)
        .text(name)
        .optional_text(version)
        .number(event.revision)
        .text(&event.detail)
        .optional_number(event.experiment.map(|key| key.0))
        .number(change);
    columns.hash() as i64
}

/// Entries of the audit that are not what was written; those of releases that made no hashes are passed over.
pub(in crate::sqlite) fn changed_rows(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut select = connection.prepare(
        "SELECT id, at, action, name, version, revision, detail, experiment_key, change, row_hash FROM audit \
         WHERE row_hash IS NOT NULL",
    )?;
    let mut rows = select.query([])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        let hash = |row: &Row<'_>| -> Result<i64, StoreError> {
            let version: Option<String> = row.get("version")?;
            let version = version
                .map(|version| VersionName::parse(&version))
                .transpose();
            let event = EventRecord {
                action: row.get("action")?,
                version: version.map_err(|error| StoreError::Corrupt(error.to_string()))?,
                experiment: row
                    .get::<_, Option<i64>>("experiment_key")?
                    .map(ExperimentKey),
                revision: row.get("revision")?,
                detail: row.get("detail")?,
            };
            let name: String = row.get("name")?;
            Ok(row_hash(row.get("at")?, &name, &event, row.get("change")?))
        };
        if hash(row).ok() != row.get("row_hash").ok() {
            changed.push(format!("entry {} of the audit", row.get::<_, i64>("id")?));
        }
    }
    Ok(changed)
}
