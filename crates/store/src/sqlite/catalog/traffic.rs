//! The weights of a model, read and changed as a whole.

use super::audit::{audit, bump, revision};
use super::{Catalog, corrupt, experiments, list, set_traffic};
use crate::sqlite::Store;
use crate::{CatalogError, StoreError, VersionFilter, WeightChange};
use rusqlite::{Transaction, params};
use serde_json::json;
use types::{ModelName, ModelTraffic, Percent, Timestamp, TrafficVersion, VersionStatus};

impl Store {
    /// The traffic of every model.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn traffic(&self) -> Result<Vec<ModelTraffic>, StoreError> {
        self.read(|connection| {
            let transaction = connection.transaction()?;
            read_traffic(&transaction)
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
        self.inner
            .writer
            .change(move |t| set_weights(t, &name, &change, now))
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

fn read_traffic(t: &Transaction<'_>) -> Result<Vec<ModelTraffic>, StoreError> {
    let mut versions = list(t, &VersionFilter::default())?;
    versions.reverse();
    let mut select = t.prepare("SELECT name, revision, epoch, salt, fallback FROM models")?;
    let rows = select.query_map([], |row| {
        let name = ModelName::parse(&row.get::<_, String>(0)?).map_err(|_| corrupt(0))?;
        Ok(ModelTraffic {
            name,
            revision: row.get(1)?,
            epoch: row.get(2)?,
            salt: row.get(3)?,
            fallback: row.get(4)?,
            versions: Vec::new(),
            experiment: None,
        })
    })?;
    let mut models = rows.collect::<Result<Vec<_>, _>>()?;
    models.sort_by(|a, b| a.name.cmp(&b.name));
    for v in versions {
        let at = models.binary_search_by(|model| model.name.cmp(&v.name));
        let Ok(at) = at else {
            return Err(StoreError::Corrupt(format!(
                "{} is a version of no model",
                v.model_id
            )));
        };
        models[at].versions.push(TrafficVersion {
            key: v.key,
            model_id: v.model_id,
            version: v.version,
            status: v.status,
            weight: v.traffic_percent,
        });
    }
    for (name, experiment) in experiments::running(t)? {
        if let Ok(at) = models.binary_search_by(|model| model.name.cmp(&name)) {
            models[at].experiment = Some(experiment);
        }
    }
    // A model whose versions are all deleted is kept for its audit only.
    models.retain(|model| !model.versions.is_empty());
    Ok(models)
}
