//! All that a prediction needs to know, in memory; swapped whole when the catalogue changes.

use crate::error::ApiError;
use api::ErrorCode;
use route::Routes;
use runtime::{HttpClient, Runtime, RuntimeError};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::{Store, StoreError, VersionFilter};
use types::{ModelTraffic, RuntimeSpec, VersionKey};

/// A model as requests see it.
pub(crate) struct Model {
    pub(crate) routes: Routes,
    /// One per version of the traffic, in its order.
    pub(crate) runtimes: Vec<Arc<Runtime>>,
    /// The `model_id`s as replies have them, in the same order.
    pub(crate) model_ids: Vec<String>,
}

impl Model {
    pub(crate) fn traffic(&self) -> &ModelTraffic {
        self.routes.traffic()
    }
}

/// The models by name.
#[derive(Default)]
pub(crate) struct Snapshot {
    models: BTreeMap<String, Arc<Model>>,
    /// Those with an active version, by name: what a request that names none can mean.
    active: Vec<Arc<Model>>,
}

impl Snapshot {
    pub(crate) async fn load(
        store: &Store,
        client: &HttpClient,
        last: &Self,
    ) -> Result<Self, StoreError> {
        // The traffic first: a version that is registered between the two reads is then left to the
        // next snapshot, and one that is deleted between them is never active.
        let traffic = store.traffic().await?;
        let versions = store.versions(VersionFilter::default()).await?;
        let specs: HashMap<VersionKey, &RuntimeSpec> =
            versions.iter().map(|v| (v.key, &v.runtime)).collect();
        let known = last.runtimes();
        let mut models = BTreeMap::new();
        for traffic in traffic {
            let mut runtimes = Vec::with_capacity(traffic.versions.len());
            for v in &traffic.versions {
                // A version's runtime never changes, so a loaded one is kept.
                let runtime = match (known.get(&v.key), specs.get(&v.key)) {
                    (Some(runtime), _) => Arc::clone(runtime),
                    (None, Some(spec)) => Arc::new(make(spec, client)?),
                    (None, None) => Arc::new(make(&RuntimeSpec::default(), client)?),
                };
                runtimes.push(runtime);
            }
            let name = traffic.name.to_string();
            let routes = Routes::new(traffic);
            let versions = &routes.traffic().versions;
            let model_ids = versions.iter().map(|v| v.model_id.to_string()).collect();
            let model = Model {
                routes,
                runtimes,
                model_ids,
            };
            models.insert(name, Arc::new(model));
        }
        let active = models.values().filter(|model| model.routes.is_active());
        let active = active.map(Arc::clone).collect();
        Ok(Self { models, active })
    }

    fn runtimes(&self) -> HashMap<VersionKey, Arc<Runtime>> {
        let models = self.models.values();
        let pairs = models.flat_map(|m| m.traffic().versions.iter().zip(&m.runtimes));
        pairs
            .map(|(v, runtime)| (v.key, Arc::clone(runtime)))
            .collect()
    }

    pub(crate) fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.get(name)
    }

    /// The model a request is for: the one it names, else the only one that can answer it.
    pub(crate) fn find(
        &self,
        name: Option<&str>,
        pinned: Option<&str>,
    ) -> Result<&Arc<Model>, ApiError> {
        if let Some(name) = name {
            let unknown = || ApiError::model_not_found(name);
            return self.models.get(name).ok_or_else(unknown);
        }
        match self.active.as_slice() {
            [only] => Ok(only),
            [] => self.find_pinned(pinned),
            several => Err(ambiguous(several)),
        }
    }

    /// With nothing active, a version under test can still be asked for.
    fn find_pinned(&self, pinned: Option<&str>) -> Result<&Arc<Model>, ApiError> {
        let Some(pinned) = pinned else {
            return Err(ApiError::no_active_version(None));
        };
        let answers = |model: &&Arc<Model>| model.routes.assign(Some(pinned), None, 0).is_ok();
        let answering: Vec<&Arc<Model>> = self.models.values().filter(answers).collect();
        match answering.as_slice() {
            [only] => Ok(only),
            [] => Err(ApiError::version_not_answering(pinned)),
            several => Err(ambiguous(several.iter().copied())),
        }
    }
}

fn ambiguous<'a>(models: impl IntoIterator<Item = &'a Arc<Model>>) -> ApiError {
    let names = models
        .into_iter()
        .map(|model| model.traffic().name.as_str());
    let names: Vec<&str> = names.take(20).collect();
    ApiError::new(
        ErrorCode::AmbiguousModel,
        format!(
            "Several models can answer; say which in `name`: {}.",
            names.join(", ")
        ),
    )
}

fn make(spec: &RuntimeSpec, client: &HttpClient) -> Result<Runtime, StoreError> {
    // The specification was checked when it was registered.
    let corrupt = |error: RuntimeError| StoreError::Corrupt(error.to_string());
    Runtime::new(spec, client).map_err(corrupt)
}
