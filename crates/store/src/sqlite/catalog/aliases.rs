//! Aliases as rows.

use super::readable;
use crate::sqlite::Store;
use crate::sqlite::row::ByName;
use crate::{Alias, StoreError};
use rusqlite::Row;
use types::{AliasName, ModelName, VersionName};

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
}

fn read_alias(row: &Row<'_>) -> rusqlite::Result<Alias> {
    Ok(Alias {
        alias: row.parsed("alias", AliasName::parse)?,
        model_id: row.parsed("model_id", str::parse)?,
        version: row.parsed("version", VersionName::parse)?,
        updated_at: row.time("updated_at")?,
    })
}
