//! `/settings`: what is set of the server while it runs, and the one way to change it.

use crate::catalogue::CommandError;
use crate::error::ApiResult;
use crate::extract::Json;
use crate::metrics::model;
use crate::openapi::problems;
use crate::state::AppState;
use api::{SetDefaultModel, Settings};
use axum::Json as Reply;
use axum::extract::State;
use catalog::{SettingsCommand, decide_settings};
use std::sync::Arc;
use store::{ModelStore, NotApplied, Store, StoreError};
use types::{ModelState, Timestamp, VersionStatus};

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

/// Sets the model that a request means which names none.
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
        default_model: settings.default_model.as_ref().map(ToString::to_string),
        revision: settings.changes,
    }
}

/// The settings at the start. Those of a release that kept no events get their first one.
pub(crate) async fn load(store: &Store, now: Timestamp) -> Result<types::Settings, StoreError> {
    let settings = store.settings().await?;
    if settings.changes > 0 || settings == types::Settings::default() {
        return Ok(settings);
    }
    let wrong = |error: String| StoreError::Corrupt(error);
    let decided = decide_settings(&settings, &SettingsCommand::Baseline, now);
    let decided = decided.map_err(|refusal| wrong(refusal.to_string()))?;
    let decided = decided.ok_or_else(|| wrong("the settings got no first event".into()))?;
    let applied = store.apply_settings(decided.change).await?;
    applied.map_err(|conflict| wrong(conflict.to_string()))?;
    Ok(decided.settings)
}

/// How often a command is decided again because the settings had moved.
const ATTEMPTS: u32 = 5;

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
        let _turn = self.settings_turn.lock().await;
        for _ in 0..ATTEMPTS {
            let settings = self.settings();
            let Some(decided) = decide_settings(&settings, command, self.clock.now())? else {
                return Ok(settings);
            };
            match self.store.apply_settings(decided.change).await? {
                Ok(()) => {
                    self.settings.store(Arc::new(decided.settings));
                    self.tell();
                    return Ok(self.settings());
                }
                // Somebody was faster, or the settings in memory are not what the database has.
                Err(NotApplied::Moved(_)) => {
                    self.settings.store(Arc::new(self.store.settings().await?));
                }
                Err(conflict @ NotApplied::Refused(_)) => {
                    return Err(StoreError::Corrupt(conflict.to_string()).into());
                }
            }
        }
        let reason = "the settings are changed by others again and again".into();
        Err(StoreError::Unavailable(reason).into())
    }

    /// The first model that becomes active is the default, where none was set.
    pub(crate) async fn choose_default(&self) {
        if self.settings().default_model.is_some() {
            return;
        }
        let states = self.catalogue.all();
        let first = states
            .iter()
            .filter_map(|state| Some((active_since(state)?, &state.name)));
        let Some((_, name)) = first.min() else {
            return;
        };
        let set = SettingsCommand::SetDefaultModel(name.clone());
        if let Err(error) = self.set(&set).await {
            tracing::warn!(%error, %name, "the default model is not set");
        }
    }
}

/// Since when a model has had an active version.
fn active_since(state: &ModelState) -> Option<Timestamp> {
    let active = state
        .versions
        .iter()
        .filter(|v| v.status == VersionStatus::Active);
    active.filter_map(|version| version.activated_at).min()
}
