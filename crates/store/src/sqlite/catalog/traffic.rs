//! The weights of a model, read and changed as a whole.

use super::audit::{audit, bump, revision};
use super::{Catalog, experiments, list, readable, set_traffic};
use crate::sqlite::Store;
use crate::{CatalogError, StoreError, VersionFilter, WeightChange};
use rusqlite::{Transaction, params};
use serde_json::json;
use std::collections::BTreeMap;
use types::{
    ModelName, ModelTraffic, Percent, RunningExperiment, Timestamp, TrafficVersion, Version,
    VersionStatus,
};

impl Store {
    /// The traffic of every model, or of the one with a name, and the versions of it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn traffic(
        &self,
        name: Option<ModelName>,
    ) -> Result<Vec<(ModelTraffic, Vec<Version>)>, StoreError> {
        self.read(move |connection| {
            let transaction = connection.transaction()?;
            read_traffic(&transaction, name.as_ref())
        })
        .await
    }

    /// Changes several weights of a model at once.
    ///
    /// # Errors
    /// [`CatalogError::Stale`] when the revision has moved, [`CatalogError::UnknownModel`],
    /// [`CatalogError::UnknownVersion`], [`CatalogError::Transition`], or
    /// [`CatalogError::ExperimentRunning`] unless the change takes over.
    pub async fn set_weights(
        &self,
        name: ModelName,
        change: WeightChange,
        now: Timestamp,
    ) -> Catalog<()> {
        self.change(move |t| set_weights(t, &name, &change, now))
            .await
    }
}

fn set_weights(
    t: &Transaction<'_>,
    name: &ModelName,
    change: &WeightChange,
    now: Timestamp,
) -> Catalog<()> {
    let all = list(
        t,
        &VersionFilter {
            name: Some(name.clone()),
            ..VersionFilter::default()
        },
    )?;
    if all.is_empty() {
        return Err(CatalogError::UnknownModel(name.clone()));
    }
    let present = revision(t, name)?;
    if present != change.revision {
        return Err(CatalogError::Stale {
            present,
            given: change.revision,
        });
    }
    experiments::make_way(t, name, change.takeover.as_ref(), now)?;
    for (version, _) in &change.weights {
        if !all.iter().any(|v| v.version == *version) {
            return Err(CatalogError::UnknownVersion(format!("{version} of {name}")));
        }
    }
    let (mut before, mut after) = (serde_json::Map::new(), serde_json::Map::new());
    for old in &all {
        let named = change
            .weights
            .iter()
            .find(|(version, _)| *version == old.version);
        let weight = named.map_or(Percent::ZERO, |(_, weight)| *weight);
        let active = old.status == VersionStatus::Active;
        if !active && weight == Percent::ZERO {
            continue;
        }
        if old.status == VersionStatus::Deprecated {
            let to = VersionStatus::Active;
            return Err(CatalogError::Transition {
                from: old.status,
                to,
            });
        }
        set_traffic(t, old, VersionStatus::Active, weight, now)?;
        before.insert(old.version.to_string(), old.traffic_percent.get().into());
        after.insert(old.version.to_string(), weight.get().into());
    }
    if let Some(fallback) = change.fallback {
        t.execute(
            "UPDATE models SET fallback = ?2 WHERE name = ?1",
            params![name.as_str(), fallback],
        )?;
    }
    bump(t, name, before != after)?;
    let detail = json!({"from": before, "to": after, "fallback": change.fallback});
    audit(t, name, None, "traffic.set", &detail, now)
}

fn read_traffic(
    t: &Transaction<'_>,
    name: Option<&ModelName>,
) -> Result<Vec<(ModelTraffic, Vec<Version>)>, StoreError> {
    let filter = VersionFilter {
        name: name.cloned(),
        ..VersionFilter::default()
    };
    let mut by_name: BTreeMap<ModelName, Vec<Version>> = BTreeMap::new();
    for version in list(t, &filter)?.into_iter().rev() {
        by_name
            .entry(version.name.clone())
            .or_default()
            .push(version);
    }
    let mut running: BTreeMap<ModelName, RunningExperiment> =
        experiments::running(t, name)?.into_iter().collect();
    let mut select =
        t.prepare_cached("SELECT revision, epoch, salt, fallback FROM models WHERE name = ?1")?;
    // A model whose versions are all deleted is kept for its audit only.
    let models = by_name.into_iter().map(|(name, versions)| {
        let traffic = select.query_row([name.as_str()], |row| {
            Ok(ModelTraffic {
                revision: row.get(0)?,
                epoch: row.get(1)?,
                salt: row.get(2)?,
                fallback: row.get(3)?,
                versions: versions.iter().map(routed).collect(),
                experiment: running.remove(&name),
                name: name.clone(),
            })
        })?;
        Ok((traffic, versions))
    });
    readable(models)
}

fn routed(version: &Version) -> TrafficVersion {
    TrafficVersion {
        key: version.key,
        model_id: version.model_id,
        version: version.version.clone(),
        status: version.status,
        weight: version.traffic_percent,
    }
}
