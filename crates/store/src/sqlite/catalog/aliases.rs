//! Aliases as rows.

use super::audit::audit;
use super::{Catalog, corrupt, readable, require_named};
use crate::sqlite::Store;
use crate::{Alias, StoreError};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::json;
use types::{AliasName, ModelId, ModelName, Timestamp, VersionName};

impl Store {
    /// The aliases of a model.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn aliases(&self, name: ModelName) -> Result<Vec<Alias>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.prepare(
                "SELECT a.alias, v.model_id, v.version, a.updated_at FROM aliases a \
                 JOIN versions v USING (version_key) WHERE a.name = ?1 ORDER BY a.alias",
            )?;
            let rows = select.query_map([name.as_str()], read_alias)?;
            readable(rows)
        })
        .await
    }

    /// Points an alias at a version.
    ///
    /// # Errors
    /// [`crate::CatalogError::UnknownVersion`].
    pub async fn set_alias(
        &self,
        name: ModelName,
        alias: AliasName,
        version: VersionName,
        now: Timestamp,
    ) -> Catalog<Alias> {
        let change = move |t: &Transaction<'_>| {
            let model_id = point_alias(t, &name, &alias, &version, now)?;
            Ok(Alias {
                alias,
                model_id,
                version,
                updated_at: now,
            })
        };
        self.change(change).await
    }

    /// Removes an alias; says whether there was one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete_alias(
        &self,
        name: ModelName,
        alias: AliasName,
        now: Timestamp,
    ) -> Catalog<bool> {
        let change = move |t: &Transaction<'_>| {
            let Some(before) = alias_target(t, &name, &alias)? else {
                return Ok(false);
            };
            t.execute(
                "DELETE FROM aliases WHERE name = ?1 AND alias = ?2",
                [name.as_str(), alias.as_str()],
            )?;
            let detail = json!({"alias": alias.as_str(), "from": before, "to": null});
            audit(t, &name, None, "alias.deleted", &detail, now)?;
            Ok(true)
        };
        self.change(change).await
    }
}

/// Points an alias at a version, whose id it gives.
pub(super) fn point_alias(
    t: &Transaction<'_>,
    name: &ModelName,
    alias: &AliasName,
    version: &VersionName,
    now: Timestamp,
) -> Catalog<ModelId> {
    let target = require_named(t, name, version)?;
    let before = alias_target(t, name, alias)?;
    t.execute(
        "INSERT INTO aliases VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name, alias) \
         DO UPDATE SET version_key = excluded.version_key, updated_at = excluded.updated_at",
        params![name.as_str(), alias.as_str(), target.key.0, now.micros()],
    )?;
    let detail = json!({"alias": alias.as_str(), "from": before, "to": version.as_str()});
    audit(t, name, Some(version), "alias.set", &detail, now)?;
    Ok(target.model_id)
}

fn alias_target(
    t: &Transaction<'_>,
    name: &ModelName,
    alias: &AliasName,
) -> Catalog<Option<String>> {
    let sql = "SELECT v.version FROM aliases a JOIN versions v USING (version_key) \
               WHERE a.name = ?1 AND a.alias = ?2";
    let key = [name.as_str(), alias.as_str()];
    Ok(t.query_row(sql, key, |row| row.get(0)).optional()?)
}

fn read_alias(row: &Row<'_>) -> rusqlite::Result<Alias> {
    let text = |column| row.get::<_, String>(column);
    Ok(Alias {
        alias: AliasName::parse(&text(0)?).map_err(|_| corrupt(0))?,
        model_id: text(1)?.parse().map_err(|_| corrupt(1))?,
        version: VersionName::parse(&text(2)?).map_err(|_| corrupt(2))?,
        updated_at: Timestamp::from_micros(row.get(3)?),
    })
}
