//! The audit: what every change leaves behind, in its own transaction.

use super::Catalog;
use crate::sqlite::Store;
use crate::{AuditEntry, StoreError};
use rusqlite::{Connection, Transaction, params};
use serde_json::Value;
use types::{ModelName, Timestamp, Version, VersionName};

impl Store {
    /// The audit, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn audit(
        &self,
        name: Option<ModelName>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.prepare(
                "SELECT id, at, action, name, version, revision, detail FROM audit \
                 WHERE (?1 IS NULL OR name = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3",
            )?;
            let name = name.as_ref().map(ModelName::as_str);
            let rows =
                select.query_map(params![name, before.unwrap_or(i64::MAX), limit], |row| {
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
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
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
    let revision = revision(t, name)?;
    let version = version.map(VersionName::as_str);
    t.execute(
        "INSERT INTO audit (at, action, name, version, revision, detail) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            now.micros(),
            action,
            name.as_str(),
            version,
            revision,
            detail.to_string()
        ],
    )?;
    Ok(())
}

pub(super) fn revision(connection: &Connection, name: &ModelName) -> Catalog<i64> {
    let sql = "SELECT revision FROM models WHERE name = ?1";
    Ok(connection.query_row(sql, [name.as_str()], |row| row.get(0))?)
}
