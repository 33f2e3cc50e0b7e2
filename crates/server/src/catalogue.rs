//! The states of the models in memory, and the one way to change them: a command is decided on the state, what
//! follows is applied to the database, and then published.

use crate::access;
use crate::error::ApiError;
use crate::state::AppState;
use catalog::{Command, Decided, ExperimentDecision, Refusal, decide, decide_by_takeover};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::{ModelStore, NotApplied, Store, StoreError};
use tokio::sync::{Mutex, MutexGuard};
use types::{Change, ExperimentId, ExperimentKey, ModelName, ModelState, Timestamp, VersionKey};

/// How often a command is decided again because the state had moved.
const ATTEMPTS: u32 = 5;
/// How long a command waits for those before it.
const TURN: Duration = Duration::from_secs(2);

/// The states of all models.
pub(crate) struct Catalogue {
    models: RwLock<HashMap<ModelName, Known>>,
    /// Held from a decision to its publication.
    turn: Mutex<Keys>,
}

/// What is known of a model.
enum Known {
    State(Arc<ModelState>),
    /// It cannot be read: why. Nothing is decided on it.
    Unreadable(String),
}

/// The keys that the next rows get.
struct Keys {
    version: VersionKey,
    experiment: ExperimentKey,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::Store(error) => error.into(),
        }
    }
}

impl Keys {
    async fn load(store: &Store) -> Result<Self, StoreError> {
        let (version, experiment) = store.unused_keys().await?;
        Ok(Self {
            version,
            experiment,
        })
    }

    /// A command that makes a row gets its key.
    fn give(&mut self, command: &mut Command) {
        match command {
            Command::Register(new) => {
                new.key = self.version;
                self.version.0 += 1;
            }
            Command::CreateExperiment { key, .. } => {
                *key = self.experiment;
                self.experiment.0 += 1;
            }
            _ => {}
        }
    }
}

impl Catalogue {
    /// Reads all states. A model of a release that kept no events gets its first one: its state as it is.
    pub(crate) async fn load(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        let mut models = HashMap::new();
        let mut baselines = Vec::new();
        for model in store.models().await? {
            match model {
                Ok(state) if state.changes == 0 => {
                    let decided = decide(&state, &Command::Baseline, now);
                    let wrong = |refusal: Refusal| StoreError::Corrupt(refusal.to_string());
                    baselines.extend(decided.map_err(wrong)?);
                }
                Ok(state) => {
                    models.insert(state.name.clone(), Known::State(Arc::new(state)));
                }
                Err((name, error)) => {
                    tracing::error!(%error, name, "a model cannot be read, and is passed over");
                    if let Ok(name) = ModelName::parse(&name) {
                        models.insert(name, Known::Unreadable(error.to_string()));
                    }
                }
            }
        }
        for (name, known) in begin(store, baselines).await? {
            models.insert(name, known);
        }
        Ok(Self {
            models: RwLock::new(models),
            turn: Mutex::new(Keys::load(store).await?),
        })
    }

    /// The state of a model; a new one where nothing has happened to it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn state(&self, name: &ModelName) -> Result<Arc<ModelState>, StoreError> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        match models.get(name) {
            Some(Known::State(state)) => Ok(Arc::clone(state)),
            Some(Known::Unreadable(why)) => Err(StoreError::Corrupt(format!(
                "the model {name} cannot be read: {why}"
            ))),
            None => Ok(Arc::new(ModelState::new(name.clone()))),
        }
    }

    /// All states that can be read.
    pub(crate) fn all(&self) -> Vec<Arc<ModelState>> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let states = models.values().filter_map(|known| match known {
            Known::State(state) => Some(Arc::clone(state)),
            Known::Unreadable(_) => None,
        });
        states.collect()
    }

    /// The same; `None` where one cannot be read.
    pub(crate) fn all_if_readable(&self) -> Option<Vec<Arc<ModelState>>> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let readable = models
            .values()
            .all(|known| matches!(known, Known::State(_)));
        drop(models);
        readable.then(|| self.all())
    }

    fn put(&self, name: &ModelName, known: Known) {
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        models.insert(name.clone(), known);
    }
}

/// Gives models their first events. One that does not get it stays as it was, and takes no commands.
async fn begin(
    store: &Store,
    baselines: Vec<Decided>,
) -> Result<Vec<(ModelName, Known)>, StoreError> {
    if baselines.is_empty() {
        return Ok(Vec::new());
    }
    let changes = baselines.iter().map(|decided| decided.change.clone());
    let applied = store.apply(changes.collect()).await?;
    let each = baselines.into_iter().zip(applied).map(|(decided, applied)| {
        let name = decided.state.name.clone();
        match applied {
            Ok(()) => (name, Known::State(Arc::new(decided.state))),
            Err(not_applied) => {
                tracing::error!(%not_applied, %name, "a model got no first event, and takes no commands");
                (name, Known::Unreadable(not_applied.to_string()))
            }
        }
    });
    Ok(each.collect())
}

/// The turn of a change: while the database does not answer, each that waits would wait for those before it.
pub(crate) async fn turn<T>(of: &Mutex<T>) -> Result<MutexGuard<'_, T>, StoreError> {
    let busy = |_| StoreError::Unavailable("other changes wait for the database".into());
    tokio::time::timeout(TURN, of.lock()).await.map_err(busy)
}

impl AppState {
    /// Carries out a command, and publishes what follows.
    pub(crate) async fn command(
        &self,
        name: &ModelName,
        mut command: Command,
    ) -> Result<Arc<ModelState>, CommandError> {
        self.carry_out(name, |state, keys, now| {
            keys.give(&mut command);
            Ok(decide(state, &command, now)?.into_iter().collect())
        })
        .await
    }

    /// The same for a change of the weights by hand that stops a running experiment, whose results are given with
    /// its id.
    pub(crate) async fn command_by_takeover(
        &self,
        name: &ModelName,
        results: Option<(ExperimentId, Value)>,
        command: Command,
    ) -> Result<Arc<ModelState>, CommandError> {
        self.carry_out(name, |state, _, now| {
            decide_by_takeover(state, results.clone(), &command, now)
        })
        .await
    }

    async fn carry_out(
        &self,
        name: &ModelName,
        mut deciding: impl FnMut(&ModelState, &mut Keys, Timestamp) -> Result<Vec<Decided>, Refusal>,
    ) -> Result<Arc<ModelState>, CommandError> {
        let mut keys = turn(&self.catalogue.turn).await?;
        for _ in 0..ATTEMPTS {
            let state = self.catalogue.state(name)?;
            let decided = deciding(&state, &mut keys, self.clock.now())?;
            let Some(last) = decided.last() else {
                return Ok(state);
            };
            let after = Arc::new(last.state.clone());
            let changes = decided.into_iter().map(|decided| decided.change).collect();
            match self.apply(changes).await?.into_iter().find_map(Result::err) {
                None => {
                    self.show(&after);
                    drop(keys);
                    self.choose_default().await;
                    return Ok(after);
                }
                // Somebody was faster, or the state in memory is not what the database has.
                Some(NotApplied::Moved(_)) => {
                    let again = self.read_again(name).await;
                    again.inspect_err(|_| self.unpublished.notify_one())?;
                    *keys = Keys::load(&self.store).await?;
                }
                Some(not_applied @ NotApplied::Refused(_)) => {
                    return Err(StoreError::Corrupt(not_applied.to_string()).into());
                }
            }
        }
        let reason = format!("others changed {name} five times meanwhile");
        Err(StoreError::Unavailable(reason).into())
    }

    /// Carries out decisions on experiments of several models, in one transaction, each by itself.
    pub(crate) async fn decide_all(
        &self,
        decisions: Vec<(ModelName, ExperimentDecision)>,
    ) -> Result<Vec<Result<(), CommandError>>, StoreError> {
        let _turn = self.catalogue.turn.lock().await;
        let now = self.clock.now();
        let decide_one = |(name, decision): (ModelName, ExperimentDecision)| {
            let state = self.catalogue.state(&name)?;
            let decided = decide(&state, &Command::DecideExperiment(Box::new(decision)), now)?;
            let none =
                || StoreError::Corrupt("a decision of the controller changed nothing".into());
            Ok::<Decided, CommandError>(decided.ok_or_else(none)?)
        };
        let decided: Vec<_> = decisions.into_iter().map(decide_one).collect();
        let changes = decided.iter().flatten().map(|found| found.change.clone());
        let mut applied = self.apply(changes.collect()).await?.into_iter();
        let mut done = Vec::with_capacity(decided.len());
        for decided in decided {
            done.push(match decided {
                Err(error) => Err(error),
                Ok(decided) => match applied.next().unwrap_or(Ok(())) {
                    Ok(()) => {
                        self.show(&Arc::new(decided.state));
                        Ok(())
                    }
                    Err(not_applied) => {
                        // The next look finds what the database has.
                        self.unpublished.notify_one();
                        Err(StoreError::Unavailable(not_applied.to_string()).into())
                    }
                },
            });
        }
        Ok(done)
    }

    async fn apply(
        &self,
        mut changes: Vec<Change>,
    ) -> Result<Vec<Result<(), NotApplied>>, StoreError> {
        for change in &mut changes {
            change.event.author = access::author();
        }
        let applied = self.store.apply(changes).await;
        // Whether it was done is not known then.
        applied.inspect_err(|_| self.unpublished.notify_one())
    }

    /// Keeps and publishes a state.
    fn show(&self, state: &Arc<ModelState>) {
        self.catalogue
            .put(&state.name, Known::State(Arc::clone(state)));
        self.snapshot.publish(state, &self.sources());
        self.tell();
    }

    /// Publishes a model as it is, which loads what could not be loaded.
    pub(crate) async fn load_again(&self, name: &ModelName) {
        let _turn = self.catalogue.turn.lock().await;
        if let Ok(state) = self.catalogue.state(name) {
            tracing::info!(%name, "a version that could not be loaded is loaded");
            self.snapshot.publish(&state, &self.sources());
        }
    }

    /// Takes over what the database has of a model, where that is something else. One that cannot be read any more
    /// keeps its traffic, and takes no commands.
    async fn read_again(&self, name: &ModelName) -> Result<(), StoreError> {
        match self.store.model(name.clone()).await {
            Ok(Some(state)) => {
                let same = |known: Arc<ModelState>| known.changes == state.changes;
                if !self.catalogue.state(name).is_ok_and(same) {
                    self.show(&Arc::new(state));
                }
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) if error.may_pass() => Err(error),
            Err(error) => {
                tracing::error!(%error, %name, "a model cannot be read, and takes no commands");
                self.catalogue
                    .put(name, Known::Unreadable(error.to_string()));
                Ok(())
            }
        }
    }

    /// Reads and publishes all models that the audit says have changed since this was called last: what another
    /// server did, or what is not known to have been done because the database failed.
    pub(crate) async fn publish_changed(&self) -> Result<(), StoreError> {
        let mut published = self.published.lock().await;
        let (newest, names) = self.store.changed_models(*published).await?;
        if newest != *published {
            self.read_settings_again().await?;
        }
        for name in &names {
            let _turn = self.catalogue.turn.lock().await;
            self.read_again(name).await?;
        }
        *published = newest;
        Ok(())
    }
}
