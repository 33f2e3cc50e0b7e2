//! The audit: what every change has left behind.

use super::{experiments, first_readable};
use crate::VerifyReport;
use crate::sqlite::hash::Columns;
use crate::sqlite::row::ByName;
use crate::{AuditEntry, AuditFilter, StoreError};
use rusqlite::{Connection, Row, Transaction, params};
use serde_json::Value;
use types::ModelName;

pub(in crate::sqlite) fn list(
    connection: &mut Connection,
    filter: &AuditFilter,
) -> Result<Vec<AuditEntry>, StoreError> {
    let sql = "id < ?3 ORDER BY id DESC";
    entries(connection, sql, filter, filter.before.unwrap_or(i64::MAX))
}

pub(in crate::sqlite) fn after(
    connection: &mut Connection,
    filter: &AuditFilter,
    after: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    entries(connection, "id > ?3 ORDER BY id", filter, after)
}

pub(in crate::sqlite) fn changed_models(
    connection: &mut Connection,
    after: i64,
) -> Result<(i64, Vec<ModelName>), StoreError> {
    let transaction = connection.transaction()?;
    let sql = "SELECT COALESCE(MAX(id), 0) FROM audit";
    let newest = transaction.query_row(sql, [], |row| row.get(0))?;
    let mut select = transaction.prepare_cached("SELECT DISTINCT name FROM audit WHERE id > ?1")?;
    let names = select.query_map([after], |row| row.get::<_, String>("name"))?;
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let known = names.iter().filter_map(|name| ModelName::parse(name).ok());
    Ok((newest, known.collect()))
}

/// `rest` places ?3 among the ids and says the order.
fn entries(
    connection: &Connection,
    rest: &str,
    filter: &AuditFilter,
    bound: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let key = match filter.experiment_id {
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
            action: row.parsed("action", str::parse)?,
            name: row.get("name")?,
            version: row.get("version")?,
            revision: row.get("revision")?,
            detail: row.json("detail").unwrap_or(Value::Null),
        })
    })?;
    first_readable(rows, filter.limit as usize)
}

/// An entry as its row has it.
pub(super) struct AuditRow<'a> {
    pub(super) at: i64,
    pub(super) action: &'a str,
    pub(super) name: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) revision: i64,
    pub(super) detail: &'a str,
    pub(super) experiment_key: Option<i64>,
    pub(super) change: i64,
}

impl AuditRow<'_> {
    pub(super) fn insert(&self, t: &Transaction<'_>) -> rusqlite::Result<()> {
        t.execute(
            "INSERT INTO audit (at, action, name, version, revision, detail, experiment_key, change, row_hash) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                self.at,
                self.action,
                self.name,
                self.version,
                self.revision,
                self.detail,
                self.experiment_key,
                self.change,
                self.hash(),
            ],
        )?;
        Ok(())
    }

    fn hash(&self) -> i64 {
        let mut columns = Columns::new();
        columns
            .number(self.at)
            .text(self.action)
            .text(self.name)
            .optional_text(self.version)
            .number(self.revision)
            .text(self.detail)
            .optional_number(self.experiment_key)
            .number(self.change);
        columns.hash() as i64
    }
}

/// Entries of the audit that are not what was written; those of releases that made no hashes are passed over.
pub(in crate::sqlite) fn changed_rows(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let mut select = connection.prepare(
        "SELECT id, at, action, name, version, revision, detail, experiment_key, change, row_hash FROM audit \
         WHERE row_hash IS NOT NULL",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash = |row: &Row<'_>| -> rusqlite::Result<i64> {
            let stored = AuditRow {
                at: row.get("at")?,
                action: row.get_ref("action")?.as_str()?,
                name: row.get_ref("name")?.as_str()?,
                version: row.get_ref("version")?.as_str_or_null()?,
                revision: row.get("revision")?,
                detail: row.get_ref("detail")?.as_str()?,
                experiment_key: row.get("experiment_key")?,
                change: row.get("change")?,
            };
            Ok(stored.hash())
        };
        if hash(row).ok() != row.get("row_hash").ok() {
            report.changed(format_args!(
                "entry {} of the audit",
                row.get::<_, i64>("id")?
            ));
        }
    }
    Ok(())
}
