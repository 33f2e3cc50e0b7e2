//! Aliases as rows.

use super::{corrupt, readable};
use crate::sqlite::Store;
use crate::{Alias, StoreError};
use rusqlite::Row;
use types::{AliasName, ModelName, Timestamp, VersionName};

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
    let text = |column| row.get::<_, String>(column);
    Ok(Alias {
        alias: AliasName::parse(&text(0)?).map_err(|_| corrupt(0))?,
        model_id: text(1)?.parse().map_err(|_| corrupt(1))?,
        version: VersionName::parse(&text(2)?).map_err(|_| corrupt(2))?,
        updated_at: Timestamp::from_micros(row.get(3)?),
    })
}
