//! Versions as rows.

use super::{bound, readable};
use crate::sqlite::row::{ByName, corrupt};
use crate::{StoreError, VersionFilter};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use types::{
    Accuracy, Artifact, Described, ModelId, ModelName, Percent, RuntimeSpec, Timestamp, Version,
    VersionKey, VersionName, VersionStatus,
};

const SELECT: &str = "SELECT version_key, model_id, name, version, description, accuracy, tags, \
     runtime, artifact, status, traffic_percent, shadow_percent, created_at, activated_at FROM versions \
     WHERE deleted_at IS NULL";

pub(in crate::sqlite) fn find(
    connection: &Connection,
    id: ModelId,
) -> Result<Option<Version>, StoreError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} AND model_id = ?1"))?;
    Ok(select.query_row([id.to_string()], read).optional()?)
}

pub(in crate::sqlite) fn list(
    connection: &Connection,
    filter: &VersionFilter,
) -> Result<Vec<Version>, StoreError> {
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
    let rows = select.query_map(params_from_iter(values), read)?;
    readable(rows)
}

/// Versions that cannot be read, or not whole, and why.
pub(super) fn unreadable(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut found = Vec::new();
    let mut select = connection.prepare(&format!("{SELECT} ORDER BY version_key"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let what = format!("the version {}", row.get::<_, i64>("version_key")?);
        match read(row) {
            Ok(Version {
                runtime: RuntimeSpec::Unreadable(why),
                ..
            }) => found.push((what, why)),
            Ok(_) => {}
            Err(error) => found.push((what, error.to_string())),
        }
    }
    Ok(found)
}

/// What people say of a version, and which column of it cannot be read.
fn read_described(row: &Row<'_>) -> (Described, Option<&'static str>) {
    let (description, tags) = (row.get("description"), row.json("tags"));
    let wrong = match (&description, &tags) {
        (Err(_), _) => Some("description"),
        (_, Err(_)) => Some("tags"),
        _ => None,
    };
    let described = Described {
        description: description.unwrap_or_default(),
        tags: tags.unwrap_or_default(),
    };
    (described, wrong)
}

pub(super) fn describe(
    t: &Transaction<'_>,
    key: VersionKey,
    described: &Described,
) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE versions SET description = ?2, tags = ?3 WHERE version_key = ?1",
        params![key.0, described.description, bound(&described.tags)?],
    )
}

pub(super) fn set_weight(
    t: &Transaction<'_>,
    key: VersionKey,
    status: VersionStatus,
    weight: Percent,
    activated_at: Option<Timestamp>,
) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE versions SET status = ?2, traffic_percent = ?3, activated_at = ?4 WHERE version_key = ?1",
        params![
            key.0,
            status.as_str(),
            weight.get(),
            activated_at.map(Timestamp::micros)
        ],
    )
}

pub(super) fn set_shadow(
    t: &Transaction<'_>,
    key: VersionKey,
    percent: Percent,
) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE versions SET shadow_percent = ?2 WHERE version_key = ?1",
        params![key.0, percent.get()],
    )
}

pub(super) fn set_artifact(
    t: &Transaction<'_>,
    key: VersionKey,
    artifact: &Artifact,
) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE versions SET artifact = ?2 WHERE version_key = ?1",
        params![key.0, bound(artifact)?],
    )
}

pub(super) fn delete(
    t: &Transaction<'_>,
    key: VersionKey,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    t.execute(
        "UPDATE versions SET deleted_at = ?2, status = 'inactive' WHERE version_key = ?1",
        params![key.0, at.micros()],
    )
}

pub(super) fn insert(t: &Transaction<'_>, version: &Version) -> rusqlite::Result<usize> {
    let inserted = t.execute(
        "INSERT INTO versions (version_key, model_id, name, version, description, accuracy, tags, \
         runtime, artifact, status, traffic_percent, created_at, activated_at) \
         VALUES (?1, ?2, ?3, ?4, '', ?5, '{}', ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            version.key.0,
            version.model_id.to_string(),
            version.name.as_str(),
            version.version.as_str(),
            version.accuracy.get(),
            bound(&version.runtime)?,
            version.artifact.as_ref().map(bound).transpose()?,
            version.status.as_str(),
            version.traffic_percent.get(),
            version.created_at.micros(),
            version.activated_at.map(Timestamp::micros),
        ],
    )?;
    describe(t, version.key, &version.described)?;
    Ok(inserted)
}

/// What no call needs to know may be unreadable: the version keeps its traffic, and says of itself that it is
/// broken. Left out, its traffic would go elsewhere in silence.
fn read(row: &Row<'_>) -> rusqlite::Result<Version> {
    let text = |name| row.get::<_, String>(name);
    let mut unreadable = None;
    let mut note = |what: &str| unreadable = Some(format!("its {what} cannot be read"));
    let (described, wrong) = read_described(row);
    wrong.into_iter().for_each(&mut note);
    let accuracy = row
        .get("accuracy")
        .ok()
        .and_then(|value| Accuracy::new(value).ok());
    let accuracy = accuracy.unwrap_or_else(|| {
        note("accuracy");
        Accuracy::ZERO
    });
    let artifact = row.json_option("artifact").unwrap_or_else(|_| {
        note("artifact");
        None
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
        described,
        accuracy,
        runtime,
        artifact,
        status: row.parsed("status", str::parse)?,
        traffic_percent: Percent::new(row.get("traffic_percent")?)
            .map_err(|_| corrupt("traffic_percent"))?,
        shadow_percent: Percent::new(row.get("shadow_percent")?)
            .map_err(|_| corrupt("shadow_percent"))?,
        created_at: row.time("created_at")?,
        activated_at: row
            .get::<_, Option<i64>>("activated_at")?
            .map(Timestamp::from_micros),
    })
}
