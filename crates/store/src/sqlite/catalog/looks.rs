//! What looks at experiments showed over time, for people who look at a chart.

use crate::{LookPoint, StoreError};
use rusqlite::{Connection, Transaction, params};
use types::{ExperimentKey, Timestamp};

/// Keeps points. One that is there stays.
pub(in crate::sqlite) fn keep(t: &Transaction<'_>, points: &[LookPoint]) -> Result<(), StoreError> {
    let mut insert = t.prepare_cached(
        "INSERT OR IGNORE INTO experiment_looks (experiment_key, at, shown) VALUES (?1, ?2, ?3)",
    )?;
    for point in points {
        insert.execute(params![point.key.0, point.at.micros(), point.shown])?;
    }
    Ok(())
}

/// The points of an experiment, oldest first.
pub(in crate::sqlite) fn of(
    connection: &Connection,
    key: ExperimentKey,
) -> Result<Vec<LookPoint>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT at, shown FROM experiment_looks WHERE experiment_key = ?1 ORDER BY at",
    )?;
    let rows = select.query_map([key.0], |row| {
        Ok(LookPoint {
            key,
            at: Timestamp::from_micros(row.get("at")?),
            shown: row.get("shown")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
