//! The states of the models in memory, and the one way to change them: a command is decided on the state, what
//! follows is applied to the database, and then published.

use crate::error::ApiError;
use crate::state::AppState;
use catalog::{Command, Refusal, decide};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use store::{Store, StoreError};
use tokio::sync::Mutex;
use types::{Change, ExperimentKey, ModelName, ModelState, Timestamp, VersionKey};

/// How often a command is decided again because the state had moved.
const ATTEMPTS: u32 = 5;

/// The states, as they were decided last.
pub(crate) struct Catalogue {
    models: RwLock<HashMap<ModelName, Arc<ModelState>>>,
    /// Held from a decision to its publication.
    turn: Mutex<Keys>,
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
                    baselines.extend(decided.ok().flatten());
                }
                Ok(state) => drop(models.insert(state.name.clone(), Arc::new(state))),
                Err((name, error)) => {
                    tracing::error!(%error, name, "a model cannot be read, and is passed over");
                }
            }
        }
        let changes: Vec<Change> = baselines.iter().map(|d| d.change.clone()).collect();
        if !changes.is_empty() {
            let applied = store.apply(changes).await?;
            for (decided, applied) in baselines.into_iter().zip(applied) {
                if let Err(error) = applied {
                    let name = decided.state.name.as_str();
                    tracing::error!(%error, name, "a model got no first event");
                }
                models.insert(decided.state.name.clone(), Arc::new(decided.state));
            }
        }
        Ok(Self {
            models: RwLock::new(models),
            turn: Mutex::new(Keys::load(store).await?),
        })
    }

    /// The state of a model, as far as anything has happened to it.
    pub(crate) fn find(&self, name: &ModelName) -> Option<Arc<ModelState>> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        models.get(name).map(Arc::clone)
    }

    pub(crate) fn state(&self, name: &ModelName) -> Arc<ModelState> {
        let new = || Arc::new(ModelState::new(name.clone()));
        self.find(name).unwrap_or_else(new)
    }

    pub(crate) fn all(&self) -> Vec<Arc<ModelState>> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        models.values().map(Arc::clone).collect()
    }

    fn put(&self, state: Arc<ModelState>) {
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        models.insert(state.name.clone(), state);
    }
}

impl AppState {
    /// Carries out a command, and publishes what follows.
    pub(crate) async fn command(
        &self,
        name: &ModelName,
        command: Command,
    ) -> Result<Arc<ModelState>, CommandError> {
        self.commands(name, vec![command]).await
    }

    /// Carries out commands to one model, each upon what the one before has led to: all of them, or none where one
    /// is refused.
    pub(crate) async fn commands(
        &self,
        name: &ModelName,
        mut commands: Vec<Command>,
    ) -> Result<Arc<ModelState>, CommandError> {
        let mut keys = self.catalogue.turn.lock().await;
        let mut conflict = None;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let mut state = self.catalogue.state(name);
            let mut changes = Vec::new();
            for command in &mut commands {
                keys.give(command);
                if let Some(decided) = decide(&state, command, now)? {
                    state = Arc::new(decided.state);
                    changes.push(decided.change);
                }
            }
            if changes.is_empty() {
                return Ok(state);
            }
            let applied = self.store.apply(changes).await;
            let applied = applied.inspect_err(|_| self.unpublished.notify_one())?;
            match applied.into_iter().find_map(Result::err) {
                None => {
                    self.show(&state);
                    return Ok(state);
                }
                Some(error) => conflict = Some(error),
            }
            // Somebody was faster, or the state in memory is not what the database has.
            self.read_again(name).await?;
            *keys = Keys::load(&self.store).await?;
        }
        let reason = conflict.map_or_else(String::new, |conflict| conflict.to_string());
        Err(StoreError::Corrupt(format!("a command could not be applied: {reason}")).into())
    }

    /// Carries out commands to several models, in one transaction, each by itself.
    pub(crate) async fn commands_each(
        &self,
        commands: Vec<(ModelName, Command)>,
    ) -> Result<Vec<Result<(), CommandError>>, StoreError> {
        let _turn = self.catalogue.turn.lock().await;
        let now = self.clock.now();
        let mut done: Vec<Option<Result<(), CommandError>>> = Vec::new();
        let mut decided = Vec::new();
        for (at, (name, command)) in commands.iter().enumerate() {
            done.push(None);
            match decide(&self.catalogue.state(name), command, now) {
                Ok(None) => done[at] = Some(Ok(())),
                Ok(Some(found)) => decided.push((at, found)),
                Err(refusal) => done[at] = Some(Err(refusal.into())),
            }
        }
        let changes = decided.iter().map(|(_, found)| found.change.clone());
        let applied = self.store.apply(changes.collect()).await;
        let applied = applied.inspect_err(|_| self.unpublished.notify_one())?;
        for ((at, found), applied) in decided.into_iter().zip(applied) {
            done[at] = Some(match applied {
                Ok(()) => {
                    self.show(&Arc::new(found.state));
                    Ok(())
                }
                Err(conflict) => {
                    self.read_again(&found.state.name).await?;
                    Err(StoreError::Unavailable(conflict.to_string()).into())
                }
            });
        }
        Ok(done
            .into_iter()
            .map(|done| done.unwrap_or(Ok(())))
            .collect())
    }

    /// Keeps and publishes a state.
    fn show(&self, state: &Arc<ModelState>) {
        self.catalogue.put(Arc::clone(state));
        self.snapshot.publish(state, &self.client);
        self.tell();
    }

    async fn read_again(&self, name: &ModelName) -> Result<(), StoreError> {
        if let Some(state) = self.store.model(name.clone()).await? {
            self.show(&Arc::new(state));
        }
        Ok(())
    }

    /// Reads and publishes all models that the audit says have changed since this was called last: what another
    /// server did, or what is not known to have been done because the database failed.
    pub(crate) async fn publish_changed(&self) -> Result<(), StoreError> {
        let mut published = self.published.lock().await;
        let (newest, names) = self.store.changed_models(*published).await?;
        let mut failed = None;
        for name in &names {
            // One that cannot be read keeps none of the others from being published.
            let _turn = self.catalogue.turn.lock().await;
            if let Err(error) = self.read_again(name).await {
                failed = Some(error);
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        *published = newest;
        Ok(())
    }
}
