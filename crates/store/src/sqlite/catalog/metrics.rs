//! Declared metrics as rows.

use super::{bound, readable, unreadable_rows};
use crate::StoreError;
use crate::sqlite::row::{ByName, corrupt};
use rusqlite::{Connection, Row, Transaction, params};
use types::{Metric, MetricName, ModelName, Timestamp};

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
pub(in crate::sqlite) fn unreadable(
    connection: &Connection,
) -> Result<Vec<(String, String)>, StoreError> {
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

/// Declares a metric, or deletes it.
pub(super) fn set(
    t: &Transaction<'_>,
    name: &ModelName,
    metric: &MetricName,
    declared: Option<&Metric>,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    match declared {
        None => t.execute(
            "DELETE FROM metrics WHERE name = ?1 AND metric = ?2",
            [name.as_str(), metric.as_str()],
        ),
        Some(declared) => t.execute(
            "INSERT INTO metrics (name, metric, definition, updated_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (name, metric) DO UPDATE SET definition = excluded.definition, \
             updated_at = excluded.updated_at",
            params![
                name.as_str(),
                metric.as_str(),
                bound(declared)?,
                at.micros()
            ],
        ),
    }
}
