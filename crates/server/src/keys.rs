//! `/keys`: who may call, and what he may do. `/session`: the same for people at the dashboard.

use crate::access::keys::{COOKIE_NAME, Keys, SESSION_SECONDS};
use crate::access::{Auth, CALLER, Caller};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Json, parse_object, plain, read_bytes};
use crate::openapi::{path, problems};
use crate::state::AppState;
use crate::{Config, settings};
use api::{BeginSession, CreateKey, ErrorCode, Key, Message, RotateKey, Session};
use axum::Json as Reply;
use axum::extract::{Path, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use catalog::{SettingsCommand, administers, decide_settings};
use std::io::{Error, ErrorKind};
use std::num::NonZeroU32;
use std::sync::Arc;
use store::{ModelStore, Store, StoredKey};
use types::{
    AccessKey, KeyDefinition, KeyHash, KeyId, MAX_PATTERNS, ModelName, ModelState, NamePattern,
    Role, Scope, Settings, Timestamp,
};

/// The greatest limit of the requests of a key.
const MOST_REQUESTS: u32 = 1_000_000;
/// A request for a session, in bytes.
const MOST_SESSION: usize = 4 << 10;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 200;
/// How long an old key may be taken beside its successor, in seconds: a year.
const MOST_OVERLAP: u32 = 31_622_400;

/// Makes a key. It is in this reply only.
#[utoipa::path(
    post,
    path = "/keys",
    tag = "keys",
    request_body = CreateKey,
    responses(
        (status = 200, description = "the key", body = Key),
        problems::NotNow,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    Json(body): Json<CreateKey>,
) -> ApiResult<Response> {
    let definition = definition(body, &state.catalogue.all(), state.clock.now())?;
    let id = KeyId::from_bits(clock::random());
    let (text, hash) = made(&state, id)?;
    let create = SettingsCommand::CreateKey(id, Box::new(definition), hash);
    let settings = state.set(&create).await?;
    told(&state, &settings, id, text)
}

/// Lists all keys, without their secrets.
#[utoipa::path(
    get,
    path = "/keys",
    tag = "keys",
    responses(
        (status = 200, description = "the keys, oldest first", body = Vec<Key>),
        problems::Stored,
    ),
)]
pub(crate) async fn list(State(state): State<AppState>) -> ApiResult<Reply<Vec<Key>>> {
    let settings = state.settings();
    Ok(Reply(
        settings.keys.iter().map(|key| wire(&state, key)).collect(),
    ))
}

/// Revokes a key: it is refused from now on.
#[utoipa::path(
    delete,
    path = "/keys/{key}",
    tag = "keys",
    params(path::Key),
    responses(
        (status = 200, description = "what was revoked", body = Message),
        problems::NoKey,
        problems::NotNow,
        problems::Stored,
    ),
)]
pub(crate) async fn revoke(
    State(state): State<AppState>,
    Path(key): Path<String>,
) -> ApiResult<Reply<Message>> {
    let id = known(&state, &key)?;
    state.set(&SettingsCommand::RevokeKey(id)).await?;
    Ok(Reply(Message {
        message: format!("{id} is revoked: it is refused from now on."),
    }))
}

/// Replaces a key by a new one with the same role and models, which is only in this reply.
#[utoipa::path(
    post,
    path = "/keys/{key}/rotate",
    tag = "keys",
    params(path::Key),
    request_body = RotateKey,
    responses(
        (status = 200, description = "the new key", body = Key),
        problems::NoKey,
        problems::NotNow,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn rotate(
    State(state): State<AppState>,
    Path(key): Path<String>,
    Json(body): Json<RotateKey>,
) -> ApiResult<Response> {
    let overlap = body.overlap_seconds.unwrap_or_default();
    if overlap > MOST_OVERLAP {
        let detail = format!("must be at most {MOST_OVERLAP}");
        return Err(ApiError::field("/overlap_seconds", detail));
    }
    let from = known(&state, &key)?;
    let to = KeyId::from_bits(clock::random());
    let (text, hash) = made(&state, to)?;
    let now = state.clock.now().micros();
    let rotate = SettingsCommand::RotateKey {
        from,
        to,
        hash,
        until: Timestamp::from_micros(now.saturating_add(i64::from(overlap) * 1_000_000)),
    };
    let settings = state.set(&rotate).await?;
    told(&state, &settings, to, text)
}

fn known(state: &AppState, key: &str) -> ApiResult<KeyId> {
    let id = key.parse::<KeyId>().ok();
    let settings = state.settings();
    let known = id.filter(|id| settings.keys.iter().any(|key| key.id == *id));
    known.ok_or_else(|| {
        let shown: String = key.chars().take(20).collect();
        let detail = format!("There is no key {shown}; `GET /keys` lists them.");
        ApiError::new(ErrorCode::KeyNotFound, detail)
    })
}

fn made(state: &AppState, id: KeyId) -> ApiResult<(String, KeyHash)> {
    let failed = |error: Error| ApiError::new(ErrorCode::Internal, format!("{error}."));
    state.keys.make(id).map_err(failed)
}

/// The reply that has a key, which nobody may keep on the way.
fn told(state: &AppState, settings: &Settings, id: KeyId, text: String) -> ApiResult<Response> {
    let key = settings.keys.iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| {
        let detail = "Somebody else revoked the key at the same moment.";
        ApiError::new(ErrorCode::KeyNotFound, detail)
    })?;
    let key = Key {
        key: Some(text),
        ..wire(state, key)
    };
    let kept = [("cache-control", "no-store")];
    Ok((kept, Reply(key)).into_response())
}

/// What the holder of a new key may do.
fn definition(
    body: CreateKey,
    models: &[Arc<ModelState>],
    now: Timestamp,
) -> ApiResult<KeyDefinition> {
    let mut fields = Fields::default();
    if body.models.len() > MAX_PATTERNS {
        fields.wrong("/models", format!("has more than {MAX_PATTERNS} patterns"));
    }
    let patterns = (0..).zip(body.models).filter_map(|(at, pattern)| {
        let pointer = format!("/models/{at}");
        let example = pattern.replace('*', "x");
        let pattern = fields.take(&pointer, NamePattern::try_from(pattern))?;
        // One that fits no model, and no name that a new one can have, is mistyped.
        if !models.iter().any(|model| pattern.fits(model.name.as_str())) {
            let named = types::check_new_name(&example).map_err(str::to_owned);
            let named =
                named.and_then(|()| ModelName::parse(&example).map_err(|why| why.to_string()));
            fields.take(&pointer, named)?;
        }
        Some(pattern)
    });
    let models = Scope::new(patterns.collect());
    let said = body.description.map(|said| said.trim().to_owned());
    let description = said.filter(|said| !said.is_empty());
    let long = description
        .as_ref()
        .is_some_and(|said| said.chars().count() > MAX_DESCRIPTION);
    if long {
        let detail = format!("must have at most {MAX_DESCRIPTION} characters");
        fields.wrong("/description", detail);
    }
    let expires_at = body.expires_at.as_deref().map(str::parse::<Timestamp>);
    let expires_at = fields.take_option("/expires_at", expires_at);
    if expires_at.is_some_and(|expires| expires <= now) {
        fields.wrong("/expires_at", "must be later than now");
    }
    let mut bound = |pointer: &str, given: Option<u32>| {
        let number = given
            .map(|number| NonZeroU32::new(number).filter(|number| number.get() <= MOST_REQUESTS));
        if matches!(number, Some(None)) {
            fields.wrong(pointer, format!("must be from 1 to {MOST_REQUESTS}"));
        }
        number.flatten()
    };
    let requests_per_second = bound("/requests_per_second", body.requests_per_second);
    let concurrent_requests = bound("/concurrent_requests", body.concurrent_requests);
    fields.finish(Some(KeyDefinition {
        requests_per_second,
        concurrent_requests,
        role: body.role.0,
        models,
        description,
        expires_at,
    }))
}

fn wire(state: &AppState, key: &AccessKey) -> Key {
    let definition = &key.definition;
    let patterns = definition.models.patterns().iter().cloned();
    Key {
        key_id: key.id.to_string(),
        key: None,
        role: definition.role.into(),
        models: patterns.map(String::from).collect(),
        description: definition.description.clone(),
        created_at: key.created_at.to_string(),
        expires_at: definition.expires_at.map(|expires| expires.to_string()),
        requests_per_second: definition.requests_per_second.map(NonZeroU32::get),
        concurrent_requests: definition.concurrent_requests.map(NonZeroU32::get),
        last_used_at: state.keys.last_used(key.id).map(|last| last.to_string()),
    }
}

/// Who the caller is, and what the caller may do.
#[utoipa::path(
    get,
    path = "/session",
    tag = "keys",
    responses((status = 200, description = "who calls, and what the caller may do", body = Session)),
)]
pub(crate) async fn session(State(state): State<AppState>) -> Reply<Session> {
    let caller = CALLER.try_with(Arc::clone);
    Reply(seen(
        &state,
        &caller.unwrap_or_else(|_| Arc::new(Caller::nobody())),
    ))
}

fn seen(state: &AppState, caller: &Caller) -> Session {
    let patterns = caller.models.patterns().iter().cloned();
    Session {
        auth_required: state.config.auth == Auth::Required,
        key_id: caller.key.map(|key| key.to_string()),
        user: caller.user.clone(),
        role: caller.role.map(Into::into),
        models: patterns.map(String::from).collect(),
    }
}

/// Exchanges a key for a session: the reply sets a cookie that counts as the key for twelve hours.
#[utoipa::path(
    post,
    path = "/session",
    tag = "keys",
    request_body = BeginSession,
    responses(
        (status = 200, description = "who the caller is from now on", body = Session),
        problems::NotKnown,
        problems::Busy,
        problems::Body,
    ),
)]
pub(crate) async fn begin_session(
    State(state): State<AppState>,
    request: Request,
) -> ApiResult<Response> {
    // Anybody may send one, so it may have no more than it needs.
    let (parts, body) = request.into_parts();
    let bytes = read_bytes(body, MOST_SESSION, &state.config).await?;
    let bytes = plain(bytes, &parts.headers, MOST_SESSION).await?;
    let body: BeginSession = parse_object(&bytes)?;
    let now = state.clock.now();
    let caller = state.keys.of_text(body.key.trim(), now)?;
    let id = caller.key.expect("whoever has a key has its id");
    let cookie = cookie(&state.config, &state.keys.session(id, now), SESSION_SECONDS)?;
    Ok(([(SET_COOKIE, cookie)], Reply(seen(&state, &caller))).into_response())
}

/// Ends the session.
#[utoipa::path(
    delete,
    path = "/session",
    tag = "keys",
    responses((status = 200, description = "it has ended", body = Message)),
)]
pub(crate) async fn end_session(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    state.keys.end_session(&headers, state.clock.now());
    let cookie = cookie(&state.config, "", 0)?;
    let message = Message {
        message: "The session has ended.".into(),
    };
    Ok(([(SET_COOKIE, cookie)], Reply(message)).into_response())
}

fn cookie(config: &Config, value: &str, seconds: i64) -> ApiResult<HeaderValue> {
    let secure = if config.is_secure() { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE_NAME}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}"
    );
    let odd = |_| ApiError::new(ErrorCode::Internal, "The cookie cannot be written.");
    HeaderValue::from_str(&cookie).map_err(odd)
}

impl AppState {
    /// Takes over settings that the database has, and their keys: both, or neither where the keys cannot be read.
    pub(crate) async fn take_over(&self, settings: Settings) -> Result<(), store::StoreError> {
        let stored = match self.keys.has_all(&settings.keys) {
            true => Vec::new(),
            false => self.store.keys().await?,
        };
        self.keys.publish(&settings, &stored);
        self.settings.store(Arc::new(settings));
        Ok(())
    }

    /// Takes over the keys after a command, whose hash is known.
    pub(crate) fn publish_command(&self, settings: &Settings, command: &SettingsCommand) {
        let stored = match command {
            SettingsCommand::CreateKey(id, _, hash) => Some((id, hash)),
            SettingsCommand::RotateKey { to, hash, .. } => Some((to, hash)),
            _ => None,
        };
        let stored = stored.map(|(id, hash)| StoredKey {
            id: *id,
            hash: *hash,
            last_used_at: None,
        });
        self.keys.publish(settings, stored.as_slice());
    }

    /// Writes when keys were used last. What cannot be written now is written later, or never: nothing depends on it.
    pub(crate) async fn keep_uses(&self) {
        let uses = self.keys.unwritten();
        if !uses.is_empty()
            && let Err(error) = self.store.keep_uses(uses).await
        {
            tracing::debug!(%error, "when keys were used last is not written");
        }
    }

    /// Makes a key for everything where keys are needed and none could give others. It is told once.
    pub(crate) async fn first_key(&self) -> std::io::Result<Option<String>> {
        let settings = self.settings();
        if self.config.auth == Auth::None
            || settings.keys.iter().any(|key| administers(&key.definition))
        {
            return Ok(None);
        }
        let (text, create) = of_everything(&self.keys, "the first, made at a start without any")?;
        self.set(&create)
            .await
            .map_err(|error| Error::other(ApiError::from(error).detail().to_owned()))?;
        Ok(Some(text))
    }
}

/// A new key for everything, and the command that makes it known; `why` says where it comes from.
fn of_everything(keys: &Keys, why: &str) -> std::io::Result<(String, SettingsCommand)> {
    let definition = KeyDefinition {
        role: Role::Admin,
        models: Scope::default(),
        description: Some(why.into()),
        expires_at: None,
        requests_per_second: None,
        concurrent_requests: None,
    };
    let id = KeyId::from_bits(clock::random());
    let (text, hash) = keys.make(id)?;
    let create = SettingsCommand::CreateKey(id, Box::new(definition), hash);
    Ok((text, create))
}

/// Makes a key for everything in a data directory that no server uses: for who has lost his own.
///
/// # Errors
/// When the directory cannot be used, or a server uses it.
pub async fn make_admin_key(config: &Config, now: Timestamp) -> std::io::Result<String> {
    if !config.data_dir.join("weir.db").exists() {
        let why = format!("{} holds no data of a server", config.data_dir.display());
        return Err(Error::new(ErrorKind::NotFound, why));
    }
    let store = Store::open(&config.data_dir).map_err(Error::other)?;
    let known = settings::load(&store, now).await.map_err(Error::other)?;
    let keys = Keys::open(&config.data_dir, &known, &[])?;
    let (text, create) = of_everything(&keys, "made beside the stopped server")?;
    let decided = decide_settings(&known, &create, now).map_err(Error::other)?;
    if let Some(decided) = decided {
        let applied = store.apply_settings(decided.change).await;
        applied.map_err(Error::other)?.map_err(Error::other)?;
    }
    store.close().await.map_err(Error::other)?;
    Ok(text)
}
