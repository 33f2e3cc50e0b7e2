//! The audit: what every change has left behind.

use super::{experiments, first_readable};
use crate::sqlite::Store;
use crate::{AuditEntry, AuditFilter, StoreError};
use rusqlite::{Connection, params};
use serde_json::Value;
use types::{ModelName, Timestamp};

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
