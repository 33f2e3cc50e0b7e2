//! The states of models, read from their rows, and the events that led to them.

use super::experiments::{of_model, unreadable_running};
use super::{metrics, versions};
use crate::sqlite::row::{ByName, corrupt};
use crate::traits::ReadModel;
use crate::{StoreError, VersionFilter};
use rusqlite::{Connection, OptionalExtension, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use types::{
    AliasName, Experiment, ExperimentKey, Metric, ModelName, ModelState, StoredEvent, VersionKey,
    VersionName,
};

pub(in crate::sqlite) fn models(connection: &mut Connection) -> Result<Vec<ReadModel>, StoreError> {
    let transaction = connection.transaction()?;
    let mut models = Vec::new();
    for (text, name) in names(&transaction)? {
        let state = name.and_then(|name| model(&transaction, &name));
        match state {
            Ok(state) => models.extend(state.map(Ok)),
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => models.push(Err((text, error))),
        }
    }
    Ok(models)
}

pub(in crate::sqlite) fn unused_keys(
    connection: &mut Connection,
) -> Result<(VersionKey, ExperimentKey), StoreError> {
    let next = |table: &str| -> Result<i64, StoreError> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
        let last: Option<i64> = connection
            .query_row(sql, [table], |row| row.get(0))
            .optional()?;
        Ok(last.unwrap_or(0) + 1)
    };
    Ok((
        VersionKey(next("versions")?),
        ExperimentKey(next("experiments")?),
    ))
}

/// The name of a model as it is stored, and as it is read.
type StoredName = (String, Result<ModelName, StoreError>);

/// The names of all models.
pub(in crate::sqlite) fn names(t: &Transaction<'_>) -> Result<Vec<StoredName>, StoreError> {
    let mut select = t.prepare("SELECT name FROM models ORDER BY name")?;
    let names = select.query_map([], |row| {
        let text: String = row.get("name")?;
        let name = ModelName::parse(&text);
        let name = name.map_err(|error| StoreError::Corrupt(format!("its name {error}")));
        Ok((text, name))
    })?;
    Ok(names.collect::<Result<_, _>>()?)
}

pub(in crate::sqlite) fn events_of(
    connection: &Connection,
    name: &ModelName,
) -> Result<Vec<StoredEvent>, StoreError> {
    events_named(connection, name.as_str())
}

/// The events of a model; those of the settings are of the empty name.
pub(super) fn events_named(
    connection: &Connection,
    name: &str,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT change, at, action, version, detail FROM audit \
         WHERE name = ?1 AND change IS NOT NULL ORDER BY id",
    )?;
    let events = select.query_map([name], |row| {
        Ok(StoredEvent {
            change: row.get("change")?,
            at: row.time("at")?,
            action: row.parsed("action", str::parse)?,
            version: row.parsed_option("version", VersionName::parse)?,
            detail: row.get("detail")?,
        })
    })?;
    Ok(events.collect::<Result<_, _>>()?)
}

pub(in crate::sqlite) fn model(
    t: &Transaction<'_>,
    name: &ModelName,
) -> Result<Option<ModelState>, StoreError> {
    let mut select = t.prepare_cached(
        "SELECT changes, revision, epoch, salt, fallback, rules, privacy, retention FROM models WHERE name = ?1",
    )?;
    let found = select.query_row([name.as_str()], |row| {
        Ok(ModelState {
            changes: row.get("changes")?,
            revision: row.get("revision")?,
            epoch: row.get("epoch")?,
            salt: row.get("salt")?,
            fallback: match row.get("fallback")? {
                0i64 => false,
                1 => true,
                _ => return Err(corrupt("fallback")),
            },
            rules: row.json("rules")?,
            privacy: row.json("privacy")?,
            retention: row.json("retention")?,
            ..ModelState::new(name.clone())
        })
    });
    let Some(mut state) = found.optional()? else {
        return Ok(None);
    };
    let filter = VersionFilter {
        name: Some(name.clone()),
        ..VersionFilter::default()
    };
    state.versions = versions::list(t, &filter)?;
    state.versions.reverse();
    state.aliases = aliases(t, name)?;
    let declared = metrics::list(t, name)?.into_iter();
    state.metrics = declared
        .map(|metric: Metric| (metric.name.clone(), metric))
        .collect();
    let stripped = |experiment: Experiment| Experiment {
        history: None,
        verdict: None,
        decided: None,
        ..experiment
    };
    let all = of_model(t, name)?.into_iter();
    state.experiments = all
        .map(|experiment| Arc::new(stripped(experiment)))
        .collect();
    state.unreadable = unreadable_running(t, name)?;
    Ok(Some(state))
}

fn aliases(
    t: &Transaction<'_>,
    name: &ModelName,
) -> Result<BTreeMap<AliasName, VersionKey>, StoreError> {
    let mut select = t.prepare_cached("SELECT alias, version_key FROM aliases WHERE name = ?1")?;
    let rows = select.query_map([name.as_str()], |row| {
        let alias = row.parsed("alias", AliasName::parse)?;
        Ok((alias, VersionKey(row.get("version_key")?)))
    })?;
    Ok(super::readable(rows)?.into_iter().collect())
}
