//! Outcomes of units as rows.

use super::pending::count_dropped;
use super::whole_positions;
use crate::sqlite::hash::Columns;
use crate::sqlite::journal_state::{Origin, servers_beyond};
use crate::sqlite::row::ByName;
use crate::{PlacedOutcome, StoreError, StoredOutcome, UnitFeedback, VerifyReport, unit_number};
use evidence::Happened;
use rusqlite::{Connection, OptionalExtension, Row, params};
use types::{MetricName, ModelName, Timestamp, UnitId};

/// How long outcomes of units are kept that were never exposed, in microseconds: 30 days.
const KEPT: i64 = 30 * 86_400 * 1_000_000;
/// How many of them are kept at most.
const KEPT_MOST: i64 = 5_000_000;
/// How many of them are dropped in one piece.
const DROPPED_AT_ONCE: i64 = 10_000;

/// An outcome that is to be stored.
pub(super) struct NewOutcome<'a> {
    pub(super) name: &'a ModelName,
    pub(super) metric: &'a MetricName,
    pub(super) unit: i64,
    pub(super) of: &'a UnitFeedback,
    pub(super) at: Timestamp,
    pub(super) value: f64,
    pub(super) received_at: Timestamp,
    pub(super) origin: Origin,
    pub(super) joined: bool,
}

impl NewOutcome<'_> {
    pub(super) fn insert(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO unit_outcomes (name, metric, unit, unit_id, at, value, outcome_id, received_at, server_key, \
             position, joined, row_hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        let (name, metric, of) = (self.name.as_str(), self.metric.as_str(), self.of);
        let outcome_id = of.outcome.as_ref().map(|id| id.as_str());
        let at = self.at.micros();
        let received_at = self.received_at.micros();
        let hash = Columns::new()
            .text(name)
            .text(metric)
            .number(self.unit)
            .text(of.unit.as_str())
            .number(at)
            .float(self.value)
            .optional_text(outcome_id)
            .number(received_at)
            .origin(Some(self.origin))
            .hash() as i64;
        insert.execute(params![
            name,
            metric,
            self.unit,
            of.unit.as_str(),
            at,
            self.value,
            outcome_id,
            received_at,
            self.origin.server_key,
            self.origin.position,
            self.joined,
            hash,
        ])?;
        Ok(())
    }
}

/// What is stored under an `outcome_id`, and the number of its unit.
pub(super) fn stored(
    connection: &Connection,
    name: &ModelName,
    metric: &MetricName,
    outcome_id: &str,
) -> Result<Option<(i64, Happened)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT unit, at, value, received_at FROM unit_outcomes WHERE outcome_id = ?1 AND name = ?2 AND metric = ?3",
    )?;
    let row = select.query_row(params![outcome_id, name.as_str(), metric.as_str()], |row| {
        Ok((row.get("unit")?, happened(row)?))
    });
    Ok(row.optional()?)
}

/// The outcomes of a unit for a metric that happened after a moment and no later than another, in the order in which they
/// came.
pub(in crate::sqlite) fn of_unit(
    connection: &Connection,
    (name, metric): (&str, &str),
    unit: i64,
    (after, until): (i64, i64),
) -> Result<Vec<Happened>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT at, received_at, value FROM unit_outcomes \
         WHERE unit = ?1 AND at > ?2 AND at <= ?3 AND name = ?4 AND metric = ?5 ORDER BY outcome_number",
    )?;
    let rows = select.query_map(params![unit, after, until, name, metric], happened)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The outcomes of a unit as people ask for them, in the order in which they came.
pub(in crate::sqlite) fn list(
    connection: &Connection,
    unit: &UnitId,
    name: Option<&ModelName>,
    limit: u32,
) -> Result<Vec<StoredOutcome>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT name, metric, value, at, outcome_id, received_at, joined FROM unit_outcomes \
         WHERE unit = ?1 AND unit_id = ?2 AND (?3 IS NULL OR name = ?3) ORDER BY outcome_number LIMIT ?4",
    )?;
    let (unit, name) = (unit.as_str(), name.map(ModelName::as_str));
    let rows = select.query_map(params![unit_number(unit), unit, name, limit], read_outcome)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn read_outcome(row: &Row<'_>) -> rusqlite::Result<StoredOutcome> {
    Ok(StoredOutcome {
        name: row.parsed("name", ModelName::parse)?,
        metric: row.parsed("metric", MetricName::parse)?,
        value: row.get("value")?,
        at: row.time("at")?,
        outcome_id: row.get("outcome_id")?,
        received_at: row.time("received_at")?,
        joined: row.get("joined")?,
    })
}

/// Outcomes after a position, in the order of the journals that this directory has had: never a part of what came together.
pub(in crate::sqlite) fn after(
    connection: &Connection,
    position: i64,
    limit: usize,
) -> Result<Vec<PlacedOutcome>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT position, unit_id, name, metric, value, at, outcome_id, received_at, joined FROM unit_outcomes \
         WHERE server_key = ?1 AND position > ?2 ORDER BY position, outcome_number",
    )?;
    let mut found: Vec<PlacedOutcome> = Vec::new();
    for server_key in servers_beyond(connection, position)? {
        if found.len() < limit {
            let rows = select.query_map([server_key, position], |row| {
                Ok(PlacedOutcome {
                    position: row.bits("position")?,
                    unit_id: row.get("unit_id")?,
                    outcome: read_outcome(row)?,
                })
            })?;
            let most = limit - found.len();
            found.extend(whole_positions(rows, most, |placed| placed.position)?);
        }
    }
    Ok(found)
}

fn happened(row: &Row<'_>) -> rusqlite::Result<Happened> {
    Ok(Happened {
        at: row.get("at")?,
        told: row.get("received_at")?,
        value: row.get("value")?,
    })
}

/// What waits for the exposure of a unit no longer does.
pub(in crate::sqlite) fn join(
    connection: &Connection,
    name: &str,
    unit: i64,
) -> Result<(), StoreError> {
    let mut update = connection.prepare_cached(
        "UPDATE unit_outcomes SET joined = 1 WHERE unit = ?1 AND name = ?2 AND joined = 0",
    )?;
    update.execute(params![unit, name])?;
    Ok(())
}

/// Renames a unit: those that wait for an exposure of it go, the others lose their ids. Says how many there were.
pub(in crate::sqlite) fn rename(
    connection: &Connection,
    (unit_id, unit): (&str, i64),
    (new_id, new): (&str, i64),
) -> Result<u64, StoreError> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM unit_outcomes WHERE unit = ?1 AND unit_id = ?2 AND joined = 0",
    )?;
    let mut renamed = delete.execute(params![unit, unit_id])? as u64;
    let mut select = connection
        .prepare_cached("SELECT * FROM unit_outcomes WHERE unit = ?1 AND unit_id = ?2")?;
    let mut update = connection.prepare_cached(
        "UPDATE unit_outcomes SET unit = ?2, unit_id = ?3, outcome_id = NULL, row_hash = ?4 WHERE outcome_number = ?1",
    )?;
    let mut rows = select.query(params![unit, unit_id])?;
    let mut changed: Vec<(i64, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let hash = hash_of(row, (new, new_id), None)?;
        changed.push((row.get("outcome_number")?, hash));
    }
    drop(rows);
    for (number, hash) in changed {
        renamed += update.execute(params![number, new, new_id, hash])? as u64;
    }
    Ok(renamed)
}

/// The hash of a row, with other names perhaps.
fn hash_of(
    row: &Row<'_>,
    (unit, unit_id): (i64, &str),
    outcome_id: Option<&str>,
) -> rusqlite::Result<i64> {
    let mut columns = Columns::new();
    columns
        .text(row.get_ref("name")?.as_str()?)
        .text(row.get_ref("metric")?.as_str()?)
        .number(unit)
        .text(unit_id)
        .number(row.get("at")?)
        .float(row.get("value")?)
        .optional_text(outcome_id)
        .number(row.get("received_at")?)
        .origin(Origin::read(row)?);
    Ok(columns.hash() as i64)
}

/// Whether there are any.
pub(in crate::sqlite) fn are_there(connection: &Connection) -> Result<bool, StoreError> {
    let mut select = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM unit_outcomes)")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// Drops a chunk of outcomes whose units were never exposed: of old ones, and of the oldest where there are too many. Says
/// whether there is more.
pub(super) fn drop_old(connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    let mut count =
        connection.prepare_cached("SELECT count(*) FROM unit_outcomes WHERE joined = 0")?;
    let waiting: i64 = count.query_row([], |row| row.get(0))?;
    let before = match waiting > KEPT_MOST {
        true => i64::MAX,
        false => now.micros() - KEPT,
    };
    let mut delete = connection.prepare_cached(
        "DELETE FROM unit_outcomes WHERE outcome_number IN (SELECT outcome_number FROM unit_outcomes \
         WHERE joined = 0 AND received_at < ?1 ORDER BY received_at LIMIT ?2)",
    )?;
    let dropped = delete.execute(params![before, DROPPED_AT_ONCE])? as i64;
    count_dropped(connection, dropped)?;
    Ok(dropped == DROPPED_AT_ONCE)
}

/// Rows that are not what was written.
pub(in crate::sqlite) fn changed_rows(
    connection: &Connection,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let mut select = connection.prepare("SELECT * FROM unit_outcomes")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hash = |row: &Row<'_>| -> rusqlite::Result<i64> {
            let unit = (row.get("unit")?, row.get_ref("unit_id")?.as_str()?);
            hash_of(row, unit, row.get_ref("outcome_id")?.as_str_or_null()?)
        };
        if hash(row).ok() != row.get("row_hash").ok() {
            let number: i64 = row.get("outcome_number")?;
            report.changed(format_args!(
                "the outcome of a unit with the number {number}"
            ));
        }
    }
    Ok(())
}
