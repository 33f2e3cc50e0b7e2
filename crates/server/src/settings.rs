//! `/settings`: what is set of the server while it runs, and the one way to change it.

use crate::access;
use crate::catalogue::{CommandError, turn};
use crate::error::ApiResult;
use crate::extract::Json;
use crate::metrics::model;
use crate::openapi::problems;
use crate::state::AppState;
use api::{SetDefaultModel, Settings};
use axum::Json as Reply;
use axum::extract::State;
use catalog::{SettingsCommand, decide_settings, default_of, replay_settings};
use std::sync::Arc;
use store::{ModelStore, NotApplied, Store, StoreError};
use types::{Author, Timestamp};

/// Reads the settings.
#[utoipa::path(
    get,
    path = "/settings",
    tag = "settings",
    responses((status = 200, description = "the settings", body = Settings)),
)]
pub(crate) async fn read(State(state): State<AppState>) -> Reply<Settings> {
    Reply(wire(&state.settings()))
}

/// Sets the model used when a request names none.
#[utoipa::path(
    put,
    path = "/settings/default_model",
    tag = "settings",
    request_body = SetDefaultModel,
    responses(
        (status = 200, description = "the settings after it", body = Settings),
        problems::NoModel,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn set_default_model(
    State(state): State<AppState>,
    Json(body): Json<SetDefaultModel>,
) -> ApiResult<Reply<Settings>> {
    let name = model(&state, &body.name)?;
    let set = SettingsCommand::SetDefaultModel(name);
    Ok(Reply(wire(&*state.set(&set).await?)))
}

fn wire(settings: &types::Settings) -> Settings {
    Settings {
        default_model: settings
            .default_model
            .as_ref()
            .filter(|name| access::covers(name.as_str()))
            .map(ToString::to_string),
        revision: settings.changes,
    }
}

/// The settings at the start. Those of a release that kept no events get their first one. Where the rows are damaged,
/// the events say what they were: they are believed, and `weir verify` finds what differs.
pub(crate) async fn load(store: &Store, now: Timestamp) -> Result<types::Settings, StoreError> {
    let stored = store.settings().await;
    let events = store.settings_events().await?;
    if !events.is_empty() {
        let Ok(told) = replay_settings(&events) else {
            return stored;
        };
        if stored.as_ref() != Ok(&told) {
            tracing::error!(
                "the rows of the settings are not what their events say, which are believed: the webhooks or the \
                 default model are damaged; `weir verify` says more"
            );
        }
        return Ok(told);
    }
    let settings = stored?;
    if settings == types::Settings::default() {
        return Ok(settings);
    }
    let wrong = |error: String| StoreError::Corrupt(error);
    let decided = decide_settings(&settings, &SettingsCommand::Baseline, now);
    let decided = decided.map_err(|refusal| wrong(refusal.to_string()))?;
    let decided = decided
        .ok_or_else(|| wrong("nothing was decided as the first event of the settings".into()))?;
    let applied = store.apply_settings(decided.change).await?;
    applied.map_err(|not_applied| wrong(not_applied.to_string()))?;
    Ok(decided.settings)
}

/// How often a command is decided again because the settings had moved.
const ATTEMPTS: u32 = 5;

/// The longest that a change waits for its turn to choose the default model.
const LONGEST_TURN: std::time::Duration = std::time::Duration::from_secs(2);

impl AppState {
    /// The settings now.
    pub(crate) fn settings(&self) -> Arc<types::Settings> {
        self.settings.load_full()
    }

    /// Carries out a command on the settings, and publishes what follows.
    pub(crate) async fn set(
        &self,
        command: &SettingsCommand,
    ) -> Result<Arc<types::Settings>, CommandError> {
        let _turn = turn(&self.settings_turn).await?;
        self.decide_set(command, access::author()).await
    }

    /// The same of one whose turn it is.
    async fn decide_set(
        &self,
        command: &SettingsCommand,
        author: Option<Box<Author>>,
    ) -> Result<Arc<types::Settings>, CommandError> {
        for _ in 0..ATTEMPTS {
            let settings = self.settings();
            let Some(mut decided) = decide_settings(&settings, command, self.clock.now())? else {
                return Ok(settings);
            };
            decided.change.event.author.clone_from(&author);
            let applied = self.store.apply_settings(decided.change).await;
            // Whether it was done is not known where it failed.
            match applied.inspect_err(|_| self.unpublished.notify_one())? {
                Ok(()) => {
                    self.publish_command(&decided.settings, command);
                    self.settings.store(Arc::new(decided.settings));
                    self.tell();
                    return Ok(self.settings());
                }
                // Somebody was faster, or the settings in memory are not what the database has.
                Err(NotApplied::Moved(_)) => {
                    self.take_over(self.store.settings().await?).await?;
                }
                Err(not_applied @ NotApplied::Refused(_)) => {
                    return Err(StoreError::Corrupt(not_applied.to_string()).into());
                }
            }
        }
        let reason = "others changed the settings five times meanwhile".into();
        Err(StoreError::Unavailable(reason).into())
    }

    /// Takes over what the database has of the settings, where that is something else.
    pub(crate) async fn read_settings_again(&self) -> Result<(), StoreError> {
        let _turn = self.settings_turn.lock().await;
        match self.store.settings().await {
            Ok(stored) if stored.changes != self.settings().changes => {
                self.take_over(stored).await?;
            }
            Ok(_) => {}
            Err(error) if error.may_pass() => return Err(error),
            // It was said at the start, and `weir verify` says it.
            Err(error) => {
                tracing::debug!(%error, "the settings cannot be read, and stay as they are")
            }
        }
        Ok(())
    }

    /// Sets the default model where none is set that stands. Where another change has its turn, the next tick does.
    pub(crate) async fn choose_default(&self) {
        let choose = || {
            let settings = self.settings();
            let default = settings.default_model.as_ref();
            let default = default.and_then(|name| self.catalogue.state(name).ok());
            default_of(&settings, default.as_deref(), || self.catalogue.all())
        };
        if choose().is_none() {
            return;
        }
        // Who has the turn may be choosing already; a database that is away keeps nobody waiting for long.
        let turn = tokio::time::timeout(LONGEST_TURN, self.settings_turn.lock());
        let Ok(_turn) = turn.await else {
            return;
        };
        if let Some(choice) = choose()
            // Nobody asked for that.
            && let Err(error) = self.decide_set(&choice, None).await
        {
            tracing::warn!(%error, "the default model is not set");
        }
    }
}
