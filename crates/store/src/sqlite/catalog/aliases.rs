//! Aliases as rows.

use super::readable;
use crate::sqlite::row::ByName;
use crate::{Alias, StoreError};
use rusqlite::{Connection, Row, Transaction, params};
use types::{AliasName, ModelName, Timestamp, VersionKey, VersionName};

pub(in crate::sqlite) fn list(
    connection: &mut Connection,
    name: &ModelName,
) -> Result<Vec<Alias>, StoreError> {
    let mut select = connection.prepare(
        "SELECT a.alias, v.model_id, v.version, a.updated_at FROM aliases a \
         JOIN versions v USING (version_key) WHERE a.name = ?1 ORDER BY a.alias",
    )?;
    let rows = select.query_map([name.as_str()], read_alias)?;
    readable(rows)
}

fn read_alias(row: &Row<'_>) -> rusqlite::Result<Alias> {
    Ok(Alias {
        alias: row.parsed("alias", AliasName::parse)?,
        model_id: row.parsed("model_id", str::parse)?,
        version: row.parsed("version", VersionName::parse)?,
        updated_at: row.time("updated_at")?,
    })
}

/// Points an alias at a version, or deletes it.
pub(super) fn set(
    t: &Transaction<'_>,
    name: &ModelName,
    alias: &AliasName,
    version: Option<VersionKey>,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    match version {
        None => t.execute(
            "DELETE FROM aliases WHERE name = ?1 AND alias = ?2",
            [name.as_str(), alias.as_str()],
        ),
        Some(version) => t.execute(
            "INSERT INTO aliases (name, alias, version_key, updated_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (name, alias) DO UPDATE SET version_key = excluded.version_key, \
             updated_at = excluded.updated_at",
            params![name.as_str(), alias.as_str(), version.0, at.micros()],
        ),
    }
}
