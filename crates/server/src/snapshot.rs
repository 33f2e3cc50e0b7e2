//! All that a prediction needs to know, in memory, model by model: a change of one costs one.

use crate::access;
use crate::keeping::{Hasher, Rules};
use crate::limits::{self, Watch};
use crate::state::AppState;
use arc_swap::ArcSwap;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use route::Routes;
use runtime::{Loader, PROBE_EVERY, Runtime, RuntimeError, Wanted};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use store::Artifacts;
use types::{
    AliasName, Attributes, Failure, ModelName, ModelState, ModelTraffic, PredictionRecord,
    RuntimeSpec, Settings, Version, VersionKey, VersionName,
};

/// A model as requests see it.
pub(crate) struct Model {
    pub(crate) routes: Routes,
    /// One per version of the traffic, in its order.
    runtimes: Vec<Loaded>,
    /// What they are loaded from, in the same order.
    wanted: Vec<Wanted>,
    /// The `model_id`s as replies have them, in the same order.
    pub(crate) model_ids: Vec<String>,
    /// The largest answer that any of them may give, in bytes.
    pub(crate) largest_answer: u64,
    /// The version strings that its aliases point at.
    aliases: BTreeMap<AliasName, VersionName>,
    /// What its rollout meets, where one with damage limits runs.
    pub(crate) watch: Option<Arc<Watch>>,
    /// What is kept of its predictions, where that is not all.
    pub(crate) rules: Option<Arc<Rules>>,
}

/// How a version is called.
#[derive(Debug, Clone)]
enum Loaded {
    /// It answers nothing now, so it is not loaded.
    Not,
    Ready(Arc<Runtime>),
    /// It cannot be loaded: why. That harms this version alone.
    Broken(Arc<str>),
}

impl Model {
    /// A runtime never changes, so those of `last` are kept. One that could not be loaded is tried again. `starts` is
    /// whether the server does: then more may have come than is known.
    fn new(state: &ModelState, last: Option<&Self>, starts: bool, sources: &Sources<'_>) -> Self {
        let known: HashMap<VersionKey, &Loaded> = last
            .iter()
            .flat_map(|last| last.traffic().versions.iter().zip(&last.runtimes))
            .map(|(version, runtime)| (version.key, runtime))
            .collect();
        let load = |version: &Version| match known.get(&version.key) {
            // What answers nothing any more is let go when the calls that have it have ended.
            _ if !version.status.answers() => Loaded::Not,
            Some(Loaded::Ready(runtime)) => Loaded::Ready(Arc::clone(runtime)),
            _ => Loaded::new(version, sources),
        };
        let runtimes: Vec<Loaded> = state.versions.iter().map(load).collect();
        let sizes = runtimes.iter().map(|runtime| match runtime {
            Loaded::Ready(runtime) => runtime.largest_answer(),
            Loaded::Not | Loaded::Broken(_) => 0,
        });
        let largest_answer = sizes.max().unwrap_or(0);
        let routes = Routes::new(state.traffic());
        let versions = &routes.traffic().versions;
        let aliases = state.aliases.iter().filter_map(|(alias, key)| {
            let version = versions.iter().find(|version| version.key == *key)?;
            Some((alias.clone(), version.version.clone()))
        });
        let aliases = aliases.collect();
        let model_ids = versions.iter().map(|v| v.model_id.to_string()).collect();
        Self {
            routes,
            runtimes,
            wanted: state
                .versions
                .iter()
                .map(|version| sources.wanted(version))
                .collect(),
            model_ids,
            largest_answer,
            aliases,
            watch: limits::next(state.running(), last, !starts),
            rules: Rules::of(&state.privacy, &state.salt, sources.hasher),
        }
    }

    /// A prediction as it is kept.
    pub(crate) fn kept<'a>(&self, record: &'a PredictionRecord) -> Cow<'a, PredictionRecord> {
        match &self.rules {
            None => Cow::Borrowed(record),
            Some(rules) => Cow::Owned(rules.of_prediction(record)),
        }
    }

    pub(crate) fn traffic(&self) -> &ModelTraffic {
        self.routes.traffic()
    }

    /// The version string that a request means, where it names a version or an alias (`@champion`), and the alias.
    pub(crate) fn named<'a>(&'a self, named: &'a str) -> (&'a str, Option<&'a AliasName>) {
        let alias = named.strip_prefix('@');
        match alias.and_then(|alias| self.aliases.get_key_value(alias)) {
            Some((alias, version)) => (version.as_str(), Some(alias)),
            None => (named, None),
        }
    }

    /// What calls the version at a place.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub(crate) fn runtime(&self, version: usize) -> Result<&Runtime, RuntimeError> {
        match &self.runtimes[version] {
            Loaded::Ready(runtime) => Ok(runtime),
            Loaded::Broken(reason) => Err(not_loaded(reason.to_string())),
            Loaded::Not => Err(not_loaded("the version is not loaded".into())),
        }
    }

    /// Whether the version at a place would be called now.
    pub(crate) fn is_callable(&self, version: usize) -> bool {
        matches!(&self.runtimes[version], Loaded::Ready(runtime) if !runtime.is_refusing())
    }

    /// How the version at a place is called.
    pub(crate) fn spec(&self, version: usize) -> &RuntimeSpec {
        &self.wanted[version].spec
    }

    /// Why a version cannot be called, where it should and cannot.
    pub(crate) fn broken(&self, key: VersionKey) -> Option<&str> {
        match self.loaded(key)? {
            Loaded::Broken(reason) => Some(reason),
            Loaded::Ready(_) | Loaded::Not => None,
        }
    }

    /// Why a version is not called now, where it keeps failing.
    pub(crate) fn refusing(&self, key: VersionKey) -> Option<Arc<str>> {
        match self.loaded(key)? {
            Loaded::Ready(runtime) => runtime.refusing(),
            Loaded::Broken(_) | Loaded::Not => None,
        }
    }

    fn loaded(&self, key: VersionKey) -> Option<&Loaded> {
        let mut versions = self.traffic().versions.iter();
        let at = versions.position(|version| version.key == key)?;
        self.runtimes.get(at)
    }
}

fn not_loaded(why: String) -> RuntimeError {
    RuntimeError::Failed(Failure::NotLoaded, why)
}

impl Loaded {
    fn new(version: &Version, sources: &Sources<'_>) -> Self {
        match sources.loader.at_hand(&sources.wanted(version)) {
            Ok(runtime) => Self::Ready(runtime),
            Err(error) => Self::Broken(error.to_string().into()),
        }
    }
}

/// Where versions are loaded from, and what hashes what is kept of their predictions.
pub(crate) struct Sources<'a> {
    loader: &'a Loader,
    artifacts: &'a Artifacts,
    hasher: &'a Hasher,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(loader: &'a Loader, artifacts: &'a Artifacts, hasher: &'a Hasher) -> Self {
        Self {
            loader,
            artifacts,
            hasher,
        }
    }

    /// What a version is loaded from.
    pub(crate) fn wanted(&self, version: &Version) -> Wanted {
        let artifact = version.artifact.as_ref();
        Wanted {
            key: version.key,
            spec: version.runtime.clone(),
            files: artifact.map(|artifact| self.artifacts.path(&artifact.sha256)),
        }
    }
}

/// Loads what answers and takes long to load, before the first request comes; not longer than it may take. What cannot be
/// loaded is tried again later, and other versions answer meanwhile.
pub(crate) async fn load_all(states: &[Arc<ModelState>], sources: &Sources<'_>, within: Duration) {
    let versions = states.iter().flat_map(|state| &state.versions);
    let answering =
        versions.filter(|version| version.status.answers() && version.runtime.needs_artifact());
    let load = async |version: &Version| {
        if let Err(error) = sources.loader.load(&sources.wanted(version)).await {
            tracing::error!(%error, name = %version.name, version = %version.version, "a version cannot be loaded");
        }
    };
    let all: FuturesUnordered<_> = answering.map(load).collect();
    if tokio::time::timeout(within, all.collect::<()>())
        .await
        .is_err()
    {
        tracing::warn!(
            "some versions are not loaded yet; the server starts, and goes on loading them"
        );
    }
}

type Cell = Arc<ArcSwap<Model>>;

/// The models by name.
pub(crate) struct Snapshot {
    models: ArcSwap<HashMap<Arc<str>, Cell>>,
    /// Those with an active version: what a request that names none can mean.
    active: ArcSwap<Vec<Cell>>,
}

/// Why no model is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoModel {
    /// None has this name.
    Unknown(String),
    /// Nothing is active, and no version is named.
    NoneActive,
    /// Nothing is active, and no version with this version string answers.
    NotAnswering(String),
    /// Several can be meant.
    Ambiguous(Vec<String>),
}

impl Snapshot {
    pub(crate) fn new(states: &[Arc<ModelState>], sources: &Sources<'_>) -> Self {
        let known = states.iter().filter(|state| !state.versions.is_empty());
        let models = known.map(|state| {
            let name: Arc<str> = state.name.as_str().into();
            let model = Model::new(state, None, true, sources);
            (name, Arc::new(ArcSwap::from_pointee(model)))
        });
        let snapshot = Self {
            models: ArcSwap::from_pointee(models.collect()),
            active: ArcSwap::default(),
        };
        snapshot.find_active();
        snapshot
    }

    /// Publishes the state of a model. To be called by one at a time.
    pub(crate) fn publish(&self, state: &ModelState, sources: &Sources<'_>) {
        let name = &state.name;
        let models = self.models.load();
        let cell = models.get(name.as_str());
        let last = cell.map(|cell| cell.load_full());
        let was_active = last.as_ref().is_some_and(|last| last.routes.is_active());
        // A model whose versions are all deleted is kept for its audit only.
        let found = (!state.versions.is_empty()).then_some(state);
        let model = found.map(|state| Arc::new(Model::new(state, last.as_deref(), false, sources)));
        let is_active = model.as_ref().is_some_and(|model| model.routes.is_active());
        match (cell, model) {
            (Some(cell), Some(model)) => cell.store(model),
            (None, None) => {}
            (_, model) => {
                let mut changed = HashMap::clone(&models);
                match model {
                    Some(model) => {
                        changed.insert(name.as_str().into(), Arc::new(ArcSwap::new(model)))
                    }
                    None => changed.remove(name.as_str()),
                };
                self.models.store(Arc::new(changed));
            }
        }
        if was_active || is_active {
            let changed = was_active != is_active || cell.is_none();
            changed.then(|| self.find_active());
        }
    }

    fn find_active(&self) {
        let models = self.models.load();
        let active = models
            .values()
            .filter(|cell| cell.load().routes.is_active());
        self.active
            .store(Arc::new(active.map(Arc::clone).collect()));
    }

    pub(crate) fn model(&self, name: &str) -> Option<Arc<Model>> {
        self.models.load().get(name).map(|cell| cell.load_full())
    }

    /// The name of the only model; `None` where there are several, or none.
    pub(crate) fn only(&self) -> Option<ModelName> {
        let models = self.models.load();
        let mut all = models.values();
        let only = all.next().filter(|_| models.len() == 1)?;
        Some(only.load().traffic().name.clone())
    }

    /// The names of the models with an active version, in order.
    pub(crate) fn active_names(&self) -> Vec<String> {
        let active = self.active.load();
        let names = active
            .iter()
            .map(|cell| cell.load().traffic().name.to_string());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
    }

    /// What calls the versions that answer, of those that are of a kind.
    fn answering(&self, of: impl Fn(&Runtime) -> bool) -> Vec<Arc<Runtime>> {
        let models = self.models.load();
        let loaded = models.values().map(|cell| cell.load_full());
        let found = loaded.flat_map(|model| {
            let versions = model.traffic().versions.iter().zip(&model.runtimes);
            let ready = versions.filter_map(|(version, runtime)| match runtime {
                Loaded::Ready(runtime) if version.status.answers() => Some(Arc::clone(runtime)),
                _ => None,
            });
            ready.filter(|runtime| of(runtime)).collect::<Vec<_>>()
        });
        found.collect()
    }

    /// Versions that could not be loaded and may be now, for instance because a secret has come, with their models.
    fn loadable(&self, loader: &Loader) -> Vec<(ModelName, Wanted)> {
        let mut found = Vec::new();
        for model in self.all() {
            let loaded = model.runtimes.iter().zip(&model.wanted);
            let due = loaded.filter(|(loaded, wanted)| {
                matches!(loaded, Loaded::Broken(_)) && loader.is_due(wanted)
            });
            let name = &model.traffic().name;
            found.extend(due.map(|(_, wanted)| (name.clone(), wanted.clone())));
        }
        found
    }

    /// The active versions that are not called now: because they cannot be loaded, or keep failing. The first of them, in words.
    pub(crate) fn not_called(&self) -> Vec<String> {
        let mut found = Vec::new();
        let all = self.all().into_iter();
        for model in all.filter(|model| access::covers(model.traffic().name.as_str())) {
            let versions = model.traffic().versions.iter();
            for version in versions.filter(|version| version.status == types::VersionStatus::Active)
            {
                let broken = model.broken(version.key).map(str::to_owned);
                let why = broken.or_else(|| model.refusing(version.key).map(|why| why.to_string()));
                let name = &model.traffic().name;
                found.extend(why.map(|why| format!("{name} {}: {why}", version.version)));
            }
        }
        found.truncate(MAX_NAMES);
        found
    }

    /// What the rollouts of all models meet.
    pub(crate) fn watches(&self) -> Vec<Arc<Watch>> {
        let models = self.models.load();
        let watches = models.values().map(|cell| cell.load().watch.clone());
        watches.flatten().collect()
    }

    /// Every model, by name.
    fn all(&self) -> Vec<Arc<Model>> {
        let models = self.models.load();
        let mut all: Vec<Arc<Model>> = models.values().map(|cell| cell.load_full()).collect();
        all.sort_by(|a, b| a.traffic().name.cmp(&b.traffic().name));
        all
    }

    /// The model a request is for: the one it names, else the default one, else the only one that can answer it.
    pub(crate) fn find(
        &self,
        name: Option<&str>,
        pinned: Option<&str>,
        settings: &ArcSwap<Settings>,
    ) -> Result<Arc<Model>, NoModel> {
        if let Some(name) = name {
            return self
                .model(name)
                .ok_or_else(|| NoModel::Unknown(name.to_owned()));
        }
        match self.active.load().as_slice() {
            [only] => Ok(only.load_full()),
            [] => self.find_pinned(pinned),
            several => {
                let settings = settings.load();
                let name = settings.default_model.as_ref();
                let default = name.and_then(|name| self.model(name.as_str()));
                let default = default.filter(|model| model.routes.is_active());
                let ambiguous = || ambiguous(several.iter().map(|cell| cell.load_full()));
                default.ok_or_else(ambiguous)
            }
        }
    }

    /// With nothing active, a version under test can still be asked for.
    fn find_pinned(&self, pinned: Option<&str>) -> Result<Arc<Model>, NoModel> {
        let Some(pinned) = pinned else {
            return Err(NoModel::NoneActive);
        };
        let answers = |model: &Arc<Model>| {
            let (version, _) = model.named(pinned);
            let nobody = Attributes::default();
            model.routes.assign(Some(version), None, &nobody, 0).is_ok()
        };
        let mut answering = self.all();
        answering.retain(answers);
        match answering.as_slice() {
            [only] => Ok(Arc::clone(only)),
            [] => Err(NoModel::NotAnswering(pinned.to_owned())),
            _ => Err(ambiguous(answering)),
        }
    }
}

/// So many names are said.
const MAX_NAMES: usize = 20;

fn ambiguous(models: impl IntoIterator<Item = Arc<Model>>) -> NoModel {
    let names = models
        .into_iter()
        .map(|model| model.traffic().name.to_string())
        .filter(|name| access::covers(name));
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.truncate(MAX_NAMES);
    NoModel::Ambiguous(names)
}

/// How long to wait before a change that could not be published is tried again.
const RETRY: std::time::Duration = std::time::Duration::from_millis(200);

/// Sends a version its probe: one that is not called, or one that has nothing to do.
async fn ask(runtime: Arc<Runtime>, again: bool) {
    if again {
        runtime.try_again().await;
    } else {
        runtime.see().await;
    }
}

impl AppState {
    /// Publishes what is not known to have been published when it was changed, for ever.
    pub(crate) async fn keep_published(&self) {
        loop {
            self.unpublished.notified().await;
            while let Err(error) = self.publish_changed().await {
                tracing::error!(%error, "the routes are not what the catalogue says");
                tokio::time::sleep(RETRY).await;
            }
            self.tell();
        }
    }

    /// Asks versions that keep failing with their probes, for ever, each for itself: one that hangs keeps no other from being
    /// asked.
    pub(crate) async fn keep_probing(&self) {
        let mut asked = FuturesUnordered::new();
        let mut tick = tokio::time::interval(PROBE_EVERY);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    // One that hangs keeps no later one from being sent.
                    for runtime in self.snapshot.answering(Runtime::is_refusing) {
                        asked.push(ask(runtime, true));
                    }
                    for runtime in self.snapshot.answering(Runtime::is_idle) {
                        asked.push(ask(runtime, false));
                    }
                }
                Some(()) = asked.next() => {}
            }
        }
    }

    /// Tries versions again that could not be loaded, for ever, each for itself.
    pub(crate) async fn keep_loading(&self) {
        let mut loading = FuturesUnordered::new();
        let mut under_way = HashSet::new();
        let mut tick = tokio::time::interval(PROBE_EVERY);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    self.loader.let_go();
                    for (name, wanted) in self.snapshot.loadable(&self.loader) {
                        if under_way.insert(wanted.key) {
                            loading.push(async move {
                                let loaded = self.loader.load(&wanted).await;
                                (name, wanted.key, loaded)
                            });
                        }
                    }
                }
                Some((name, key, loaded)) = loading.next() => {
                    under_way.remove(&key);
                    match loaded {
                        Ok(_) => self.load_again(&name).await,
                        Err(error) => tracing::warn!(%error, %name, "a version cannot be loaded"),
                    }
                }
            }
        }
    }
}
