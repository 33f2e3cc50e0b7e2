//! The catalogue as rows: read here, written by [`apply`].

mod aliases;
mod apply;
mod audit;
mod experiments;
mod gathered;
pub(super) mod metrics;
mod state;
mod webhooks;

pub(super) use audit::changed_rows;
pub(super) use state::{events_of, model, names};

use super::Store;
use super::row::{ByName, corrupt};
use crate::{StoreError, VersionFilter};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use types::{
    Accuracy, ModelId, ModelName, Percent, RuntimeSpec, Tags, Timestamp, Version, VersionKey,
    VersionName,
};

impl Store {
    /// One version.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn version(&self, id: ModelId) -> Result<Option<Version>, StoreError> {
        self.read(move |connection| find(connection, id)).await
    }

    /// Versions, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn versions(&self, filter: VersionFilter) -> Result<Vec<Version>, StoreError> {
        self.read(move |connection| list(connection, &filter)).await
    }

    /// Rows of the catalogue that are passed over because they cannot be read: which, and why.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unreadable(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| unreadable(connection)).await
    }
}

const SELECT: &str = "SELECT version_key, model_id, name, version, description, accuracy, tags, \
     runtime, status, traffic_percent, created_at, activated_at FROM versions \
     WHERE deleted_at IS NULL";

fn find(connection: &Connection, id: ModelId) -> Result<Option<Version>, StoreError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} AND model_id = ?1"))?;
    Ok(select
        .query_row([id.to_string()], read_version)
        .optional()?)
}

fn list(connection: &Connection, filter: &VersionFilter) -> Result<Vec<Version>, StoreError> {
    let mut sql = SELECT.to_owned();
    let mut values = Vec::new();
    // Only what is asked for is said, so that one model's versions are found by the index.
    let mut restrict = |condition: &str, value: Sql| {
        values.push(value);
        sql.push_str(&format!(" AND {condition} ?{}", values.len()));
    };
    if let Some(name) = &filter.name {
        restrict("name =", Sql::Text(name.to_string()));
    }
    if let Some(status) = filter.status {
        restrict("status =", Sql::Text(status.as_str().to_owned()));
    }
    if let Some(before) = filter.before {
        restrict("version_key <", Sql::Integer(before.0));
    }
    sql.push_str(" ORDER BY version_key DESC");
    if let Some(limit) = filter.limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), read_version)?;
    readable(rows)
}

/// What cannot be read of the catalogue: which row, and why.
pub(super) fn unreadable(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut found = Vec::new();
    let mut select = connection.prepare(&format!("{SELECT} ORDER BY version_key"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let what = format!("the version {}", row.get::<_, i64>("version_key")?);
        match read_version(row) {
            Ok(Version {
                runtime: RuntimeSpec::Unreadable(why),
                ..
            }) => found.push((what, why)),
            Ok(_) => {}
            Err(error) => found.push((what, error.to_string())),
        }
    }
    found.extend(experiments::unreadable(connection)?);
    found.extend(metrics::unreadable(connection)?);
    found.extend(webhooks::unreadable(connection)?);
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

/// The same of at most so many.
pub(super) fn first_readable<T>(
    rows: impl Iterator<Item = rusqlite::Result<T>>,
    most: usize,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    for row in rows {
        match row.map_err(StoreError::from) {
            Ok(row) => {
                found.push(row);
                if found.len() >= most {
                    break;
                }
            }
            Err(StoreError::Corrupt(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn to_text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What no call needs to know may be unreadable: the version keeps its traffic, and says of itself that it is
/// broken. Left out, its traffic would go elsewhere in silence.
fn read_version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let text = |name| row.get::<_, String>(name);
    let mut unreadable = None;
    let mut note = |what: &str| unreadable = Some(format!("its {what} cannot be read"));
    let description = text("description").unwrap_or_else(|_| {
        note("description");
        String::new()
    });
    let accuracy = row
        .get("accuracy")
        .ok()
        .and_then(|value| Accuracy::new(value).ok());
    let accuracy = accuracy.unwrap_or_else(|| {
        note("accuracy");
        Accuracy::ZERO
    });
    let tags = row.json("tags").unwrap_or_else(|_| {
        note("tags");
        Tags::default()
    });
    // What another release wrote must not keep the other versions from being read.
    let runtime = text("runtime").map_err(|error| error.to_string());
    let runtime =
        runtime.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    let runtime = match unreadable {
        Some(why) => RuntimeSpec::Unreadable(why),
        None => runtime.unwrap_or_else(RuntimeSpec::Unreadable),
    };
    Ok(Version {
        key: VersionKey(row.get("version_key")?),
        model_id: row.parsed("model_id", str::parse)?,
        name: row.parsed("name", ModelName::parse)?,
        version: row.parsed("version", VersionName::parse)?,
        description,
        accuracy,
        tags,
        runtime,
        status: row.parsed("status", str::parse)?,
        traffic_percent: Percent::new(row.get("traffic_percent")?)
            .map_err(|_| corrupt("traffic_percent"))?,
        created_at: row.time("created_at")?,
        activated_at: row
            .get::<_, Option<i64>>("activated_at")?
            .map(Timestamp::from_micros),
    })
}
