//! The catalogue as rows: read here, written by [`apply`].

pub(super) mod aliases;
pub(super) mod apply;
pub(super) mod audit;
pub(super) mod experiments;
pub(super) mod gathered;
pub(super) mod looks;
pub(super) mod metrics;
pub(super) mod settings;
pub(super) mod state;
pub(super) mod versions;

pub(super) use audit::{changed_rows, has_chain};
pub(super) use state::{events_of, model, names};

use super::row::corrupt;
use crate::StoreError;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row};

/// What cannot be read of the catalogue: which row, and why.
pub(in crate::sqlite) fn unreadable(
    connection: &Connection,
) -> Result<Vec<(String, String)>, StoreError> {
    let mut found = versions::unreadable(connection)?;
    found.extend(experiments::unreadable(connection)?);
    found.extend(metrics::unreadable(connection)?);
    found.extend(settings::unreadable(connection)?);
    Ok(found)
}

/// The rows of a select that `read` cannot read, named by `what` and the first column.
fn unreadable_rows<T>(
    connection: &Connection,
    select: &str,
    what: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<(String, String)>, StoreError> {
    let mut select = connection.prepare(select)?;
    let mut rows = select.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if let Err(error) = read(row) {
            let id: Sql = row.get(0)?;
            found.push((format!("{what} {id:?}"), error.to_string()));
        }
    }
    Ok(found)
}

/// The rows that can be read: one that holds what it should not hides no other. `weir verify` names those.
fn readable<T>(rows: impl Iterator<Item = rusqlite::Result<T>>) -> Result<Vec<T>, StoreError> {
    first_readable(rows, usize::MAX)
}

/// The first of those, at most so many.
pub(super) fn first_readable<T>(
    rows: impl Iterator<Item = rusqlite::Result<T>>,
    most: usize,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    for row in rows {
        if found.len() >= most {
            break;
        }
        match row.map_err(StoreError::from) {
            Ok(row) => found.push(row),
            Err(StoreError::Corrupt(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The JSON of a value to be bound.
fn bound(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    to_text(value).map_err(|_| corrupt("a value"))
}

fn to_text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}
