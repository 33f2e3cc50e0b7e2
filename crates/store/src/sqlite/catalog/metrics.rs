//! Declared metrics as rows.

use super::{readable, unreadable_rows};
use crate::StoreError;
use crate::sqlite::Store;
use crate::sqlite::row::{ByName, corrupt};
use rusqlite::{Connection, Row};
use types::{Metric, ModelName};

impl Store {
    /// The metrics that were declared for a model.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn metrics(&self, name: ModelName) -> Result<Vec<Metric>, StoreError> {
        self.read(move |connection| list(connection, &name)).await
    }
}

pub(in crate::sqlite) fn list(
    connection: &Connection,
    name: &ModelName,
) -> Result<Vec<Metric>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT metric, definition FROM metrics WHERE name = ?1 ORDER BY metric")?;
    let rows = select.query_map([name.as_str()], read_metric)?;
    readable(rows)
}

/// Metrics that cannot be read, and why.
pub(super) fn unreadable(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let select = "SELECT metric, definition FROM metrics";
    unreadable_rows(connection, select, "the metric", read_metric)
}

/// From its name and its definition.
fn read_metric(row: &Row<'_>) -> rusqlite::Result<Metric> {
    let metric: Metric = row.json("definition")?;
    if metric.name.as_str() != row.get_ref("metric")?.as_str()? {
        return Err(corrupt("metric"));
    }
    Ok(metric)
}
