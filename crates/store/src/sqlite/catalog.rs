//! The registry as rows. One method, one transaction.

mod aliases;
mod audit;
mod experiments;
mod gathered;
pub(super) mod metrics;
mod traffic;
mod webhooks;

use super::Store;
use crate::{CatalogError, NewVersion, StoreError, Takeover, VersionFilter, VersionPatch};
use audit::moved;
use rusqlite::types::Value as Sql;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Row, Transaction, params, params_from_iter,
};
use serde_json::json;
use types::{
    Accuracy, ModelId, ModelName, Percent, RuntimeSpec, Tags, Timestamp, Version, VersionKey,
    VersionName, VersionStatus,
};

type Catalog<T> = Result<T, CatalogError>;

impl Store {
    /// Registers a version, inactive.
    ///
    /// # Errors
    /// [`CatalogError::Duplicate`] when the name and version are taken.
    pub async fn register(&self, new: NewVersion, now: Timestamp) -> Catalog<Version> {
        self.change(move |t| register(t, &new, now)).await
    }

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

    /// Makes a version active with a weight, or changes the weight of an active one.
    ///
    /// # Errors
    /// [`CatalogError::UnknownVersion`], or [`CatalogError::Transition`] for a deprecated version.
    /// [`CatalogError::ExperimentRunning`] unless `takeover` stops the experiment.
    pub async fn activate(
        &self,
        id: ModelId,
        weight: Percent,
        takeover: Option<Takeover>,
        now: Timestamp,
    ) -> Catalog<Version> {
        let change = move |t: &Transaction<'_>| {
            let old = require(t, id)?;
            experiments::make_way(t, &old.name, takeover.as_ref(), now)?;
            if old.status == VersionStatus::Deprecated {
                let to = VersionStatus::Active;
                return Err(CatalogError::Transition {
                    from: old.status,
                    to,
                });
            }
            set_traffic(t, &old, VersionStatus::Active, weight, now)?;
            let detail = json!({"from": old.traffic_percent.get(), "to": weight.get()});
            moved(t, &old, "version.activated", &detail, now)?;
            require(t, id)
        };
        self.change(change).await
    }

    /// Makes a version inactive; it keeps nothing of the traffic.
    ///
    /// # Errors
    /// [`CatalogError::UnknownVersion`], or [`CatalogError::Transition`] for a deprecated version.
    /// [`CatalogError::ExperimentRunning`] unless `takeover` stops the experiment.
    pub async fn deactivate(
        &self,
        id: ModelId,
        takeover: Option<Takeover>,
        now: Timestamp,
    ) -> Catalog<Version> {
        let change = move |t: &Transaction<'_>| {
            let old = require(t, id)?;
            let to = VersionStatus::Inactive;
            if old.status == to {
                return Ok(old);
            }
            experiments::make_way(t, &old.name, takeover.as_ref(), now)?;
            if old.status == VersionStatus::Deprecated {
                return Err(CatalogError::Transition {
                    from: old.status,
                    to,
                });
            }
            set_traffic(t, &old, to, Percent::ZERO, now)?;
            let detail = json!({"from": old.traffic_percent.get(), "to": 0});
            moved(t, &old, "version.deactivated", &detail, now)?;
            require(t, id)
        };
        self.change(change).await
    }

    /// Changes what a person may change of a version.
    ///
    /// # Errors
    /// [`CatalogError::UnknownVersion`], or [`CatalogError::Transition`].
    pub async fn patch(
        &self,
        id: ModelId,
        patch: VersionPatch,
        now: Timestamp,
    ) -> Catalog<Version> {
        self.change(move |t| apply_patch(t, id, &patch, now)).await
    }

    /// Deletes a version. Its predictions and roll-ups follow in chunks.
    ///
    /// # Errors
    /// [`CatalogError::UnknownVersion`], or [`CatalogError::Active`].
    pub async fn delete(&self, id: ModelId, now: Timestamp) -> Catalog<Version> {
        let change = move |t: &Transaction<'_>| {
            let old = require(t, id)?;
            if old.status == VersionStatus::Active {
                return Err(CatalogError::Active);
            }
            t.execute(
                "UPDATE versions SET deleted_at = ?2, status = 'inactive' WHERE version_key = ?1",
                params![old.key.0, now.micros()],
            )?;
            t.execute("DELETE FROM aliases WHERE version_key = ?1", [old.key.0])?;
            let detail = json!({"model_id": id.to_string(), "status": old.status.as_str()});
            moved(t, &old, "version.deleted", &detail, now)?;
            Ok(old)
        };
        let deleted = self.change(change).await?;
        self.wants_tidying();
        Ok(deleted)
    }
}

fn register(t: &Transaction<'_>, new: &NewVersion, now: Timestamp) -> Catalog<Version> {
    t.execute(
        "INSERT INTO models VALUES (?1, ?2, 0, 0, 1) ON CONFLICT (name) DO NOTHING",
        [new.name.as_str(), &new.salt],
    )?;
    let inserted = t.execute(
        "INSERT INTO versions (model_id, name, version, description, accuracy, tags, runtime, \
         status, traffic_percent, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'inactive', 0, ?8)",
        params![
            new.model_id.to_string(),
            new.name.as_str(),
            new.version.as_str(),
            new.description,
            new.accuracy.get(),
            to_text(&new.tags)?,
            to_text(&new.runtime)?,
            now.micros(),
        ],
    );
    if let Err(error) = inserted {
        let taken = error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
        if taken && find_named(t, &new.name, &new.version)?.is_some() {
            let (name, version) = (new.name.clone(), new.version.clone());
            return Err(CatalogError::Duplicate { name, version });
        }
        return Err(error.into());
    }
    let version = require(t, new.model_id)?;
    let detail = json!({"model_id": new.model_id.to_string()});
    moved(t, &version, "version.registered", &detail, now)?;
    Ok(version)
}

fn apply_patch(
    t: &Transaction<'_>,
    id: ModelId,
    patch: &VersionPatch,
    now: Timestamp,
) -> Catalog<Version> {
    let old = require(t, id)?;
    let status = patch.status.unwrap_or(old.status);
    if !old.status.may_become(status) {
        return Err(CatalogError::Transition {
            from: old.status,
            to: status,
        });
    }
    let description = patch.description.as_ref().unwrap_or(&old.description);
    let tags = patch.tags.as_ref().unwrap_or(&old.tags);
    t.execute(
        "UPDATE versions SET description = ?2, tags = ?3, status = ?4 WHERE version_key = ?1",
        params![old.key.0, description, to_text(tags)?, status.as_str()],
    )?;
    let new = require(t, id)?;
    if new == old {
        return Ok(old);
    }
    let detail = json!({
        "from": {"status": old.status.as_str(), "description": old.description, "tags": old.tags},
        "to": {"status": status.as_str(), "description": description, "tags": tags},
    });
    moved(t, &old, "version.patched", &detail, now)?;
    Ok(new)
}

fn set_traffic(
    t: &Transaction<'_>,
    old: &Version,
    status: VersionStatus,
    weight: Percent,
    now: Timestamp,
) -> Catalog<()> {
    let newly_active = status == VersionStatus::Active && old.status != status;
    let activated_at = if newly_active {
        Some(now)
    } else {
        old.activated_at
    };
    t.execute(
        "UPDATE versions SET status = ?2, traffic_percent = ?3, activated_at = ?4 \
         WHERE version_key = ?1",
        params![
            old.key.0,
            status.as_str(),
            weight.get(),
            activated_at.map(Timestamp::micros)
        ],
    )?;
    Ok(())
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

fn require(connection: &Connection, id: ModelId) -> Catalog<Version> {
    find(connection, id)?.ok_or_else(|| CatalogError::UnknownVersion(id.to_string()))
}

fn find_named(
    connection: &Connection,
    name: &ModelName,
    version: &VersionName,
) -> Result<Option<Version>, StoreError> {
    let sql = format!("{SELECT} AND name = ?1 AND version = ?2");
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select
        .query_row([name.as_str(), version.as_str()], read_version)
        .optional()?)
}

fn require_named(t: &Transaction<'_>, name: &ModelName, version: &VersionName) -> Catalog<Version> {
    let found = find_named(t, name, version)?;
    found.ok_or_else(|| CatalogError::UnknownVersion(format!("{version} of {name}")))
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
        let what = format!("the version {}", row.get::<_, i64>(0)?);
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

fn corrupt(column: usize) -> rusqlite::Error {
    rusqlite::Error::IntegralValueOutOfRange(column, 0)
}

fn to_text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What no call needs to know may be unreadable: the version keeps its traffic, and says of itself that it is
/// broken. Left out, its traffic would go elsewhere in silence.
fn read_version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let text = |column| row.get::<_, String>(column);
    let mut unreadable = None;
    let mut note = |what: &str| unreadable = Some(format!("its {what} cannot be read"));
    let description = text(4).unwrap_or_else(|_| {
        note("description");
        String::new()
    });
    let accuracy = row.get(5).ok().and_then(|value| Accuracy::new(value).ok());
    let accuracy = accuracy.unwrap_or_else(|| {
        note("accuracy");
        Accuracy::ZERO
    });
    let tags = text(6)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok());
    let tags = tags.unwrap_or_else(|| {
        note("tags");
        Tags::default()
    });
    // What another release wrote must not keep the other versions from being read.
    let runtime = text(7).map_err(|error| error.to_string());
    let runtime =
        runtime.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    let runtime = match unreadable {
        Some(why) => RuntimeSpec::Unreadable(why),
        None => runtime.unwrap_or_else(RuntimeSpec::Unreadable),
    };
    Ok(Version {
        key: VersionKey(row.get(0)?),
        model_id: text(1)?.parse().map_err(|_| corrupt(1))?,
        name: ModelName::parse(&text(2)?).map_err(|_| corrupt(2))?,
        version: VersionName::parse(&text(3)?).map_err(|_| corrupt(3))?,
        description,
        accuracy,
        tags,
        runtime,
        status: text(8)?.parse().map_err(|()| corrupt(8))?,
        traffic_percent: Percent::new(row.get(9)?).map_err(|_| corrupt(9))?,
        created_at: Timestamp::from_micros(row.get(10)?),
        activated_at: row.get::<_, Option<i64>>(11)?.map(Timestamp::from_micros),
    })
}
