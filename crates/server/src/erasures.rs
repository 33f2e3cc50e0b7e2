//! `DELETE /units/{unit_id}`: all that a person sent and was answered is erased. `/erasures`: how far that has come.

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, Params, TextPath};
use crate::keeping::Hasher;
use crate::openapi::{path, problems};
use crate::secret_file;
use crate::state::{AppState, journal_path};
use api::{EraseUnit, Erasure, ErasureStatus, ErrorCode};
use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use catalog::SettingsCommand;
use journal::Pins;
use ring::hmac;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;
use store::{StoreError, StoredErasure};
use types::{ErasureId, NewErasure, UnitId};
use utoipa::IntoParams;

/// Erasures that have not ended, at most.
const MOST_OPEN: u32 = 1000;
/// How much longer than they may take it is waited for calls.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked how far they have come.
const LOOK: Duration = Duration::from_millis(500);

/// Erases everything that a unit has sent and received until now, in all models: inputs, outputs, attributes, labels,
/// and its name. What was counted stays. It takes a while: the reply says how to follow it.
#[utoipa::path(
    delete,
    path = "/units/{unit_id}",
    tag = "privacy",
    params(path::Unit),
    responses(
        (status = 202, description = "the erasure, which goes on", body = Erasure),
        problems::Busy,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn erase(
    State(state): State<AppState>,
    TextPath(unit): TextPath<String>,
) -> ApiResult<(StatusCode, Reply<Erasure>)> {
    begin(&state, &unit).await
}

/// Erases a unit as `DELETE /units/{unit_id}` does, but with the `unit_id` in the body, because proxies log
/// addresses.
#[utoipa::path(
    post,
    path = "/erasures",
    tag = "privacy",
    request_body = EraseUnit,
    responses(
        (status = 202, description = "the erasure, which goes on", body = Erasure),
        problems::Busy,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn ask(
    State(state): State<AppState>,
    Json(body): Json<EraseUnit>,
) -> ApiResult<(StatusCode, Reply<Erasure>)> {
    begin(&state, &body.unit_id).await
}

async fn begin(state: &AppState, unit: &str) -> ApiResult<(StatusCode, Reply<Erasure>)> {
    let unit = UnitId::parse(unit).map_err(|error| ApiError::field("/unit_id", error))?;
    let open = state.store.open_erasures(MOST_OPEN).await?;
    if open.len() >= MOST_OPEN as usize {
        let detail = format!(
            "{MOST_OPEN} erasures are under way; ask again when some have ended (`GET /erasures`)."
        );
        return Err(ApiError::new(ErrorCode::TooManyRequests, detail));
    }
    let id = ErasureId::from_bits(clock::random());
    // A keyed hash whose key nobody keeps: it cannot be tried out later, and whoever comes back is a stranger.
    let key =
        secret_file::random::<32>().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let once = Hasher::new(hmac::Key::new(hmac::HMAC_SHA256, &key));
    let tag = once.bytes(unit.as_str().as_bytes());
    let new = NewErasure {
        id,
        pseudonym: tag.replacen("hmac:", "erased:", 1),
        unit,
        // Ids that are given later are greater.
        until_order: state.ids.next(state.clock.now(), clock::random()).order(),
        position: state.log.staged(),
    };
    state
        .set(&SettingsCommand::BeginErasure(Box::new(new)))
        .await?;
    state.erasing.notify_one();
    state.log.hurry();
    let stored = state.store.erasure(id).await?;
    let stored = stored.ok_or_else(|| missing(&id.to_string()))?;
    Ok((StatusCode::ACCEPTED, Reply(wire(&stored))))
}

/// How far erasures are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listed {
    /// So many at most; 100 where it is not said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Erasures, newest first.
#[utoipa::path(
    get,
    path = "/erasures",
    tag = "privacy",
    params(Listed),
    responses(
        (status = 200, description = "the erasures", body = Vec<Erasure>),
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(listed): Params<Listed>,
) -> ApiResult<Reply<Vec<Erasure>>> {
    let limit = listed.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::field("/limit", "must be from 1 to 1000"));
    }
    let all = state.store.erasures(limit).await?;
    Ok(Reply(all.iter().map(wire).collect()))
}

/// One erasure.
#[utoipa::path(
    get,
    path = "/erasures/{erasure_id}",
    tag = "privacy",
    params(path::Erasure),
    responses(
        (status = 200, description = "how far it has come", body = Erasure),
        problems::NoErasure,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath(id): TextPath<String>,
) -> ApiResult<Reply<Erasure>> {
    let known: ErasureId = id.parse().map_err(|_| missing(&id))?;
    let stored = state.store.erasure(known).await?;
    let stored = stored.ok_or_else(|| missing(&id))?;
    Ok(Reply(wire(&stored)))
}

fn missing(id: &str) -> ApiError {
    let detail = format!("There is no erasure {id}; `GET /erasures` lists them.");
    ApiError::new(ErrorCode::ErasureNotFound, detail)
}

fn wire(stored: &StoredErasure) -> Erasure {
    let status = match (stored.ended_at, stored.is_walked()) {
        (Some(_), _) => ErasureStatus::Done,
        (None, true) => ErasureStatus::Journal,
        (None, false) => ErasureStatus::Walking,
    };
    let all = stored.until_order.saturating_sub(stored.first_order);
    let done = stored
        .walked_order
        .unwrap_or(0)
        .saturating_sub(stored.first_order);
    let percent = match status {
        ErasureStatus::Walking if all > 0 => 100.0 * done as f64 / all as f64,
        ErasureStatus::Walking => 0.0,
        ErasureStatus::Journal | ErasureStatus::Done => 100.0,
    };
    Erasure {
        erasure_id: stored.id.to_string(),
        requested_at: stored.requested_at.to_string(),
        status,
        // To a tenth.
        progress_percent: (percent.min(100.0) * 10.0).floor() / 10.0,
        pseudonym: stored.pseudonym.clone(),
        predictions: stored.predictions,
        others: stored.others,
        ended_at: stored.ended_at.map(|at| at.to_string()),
    }
}

/// Brings erasures to their end: the store walks by itself, and the journal lets go what it holds.
pub(crate) async fn run(state: &AppState) {
    // Up to where the journal has to let go, of those whose calls under way have ended.
    let mut settled = HashMap::new();
    loop {
        match look(state, &mut settled).await {
            Ok(true) => tokio::time::sleep(LOOK).await,
            Ok(false) => state.erasing.notified().await,
            Err(error) => {
                tracing::warn!(%error, "erasures wait for the store");
                tokio::time::sleep(LOOK * 10).await;
            }
        }
    }
}

/// Says whether some have not ended.
async fn look(state: &AppState, settled: &mut HashMap<ErasureId, u64>) -> Result<bool, StoreError> {
    let open = state.store.open_erasures(MOST_OPEN).await?;
    settled.retain(|id, _| open.iter().any(|erasure| erasure.id == *id));
    for erasure in open.iter().filter(|erasure| erasure.is_walked()) {
        if let Err(error) = end(state, erasure, settled).await {
            tracing::warn!(%error, erasure = %erasure.id, "an erasure has not ended yet");
        }
    }
    Ok(!open.is_empty())
}

/// Ends an erasure, where nothing of before is left: no call is under way that began before it, the journal holds nothing that came
/// until then, and what was written over stands nowhere any more.
async fn end(
    state: &AppState,
    erasure: &StoredErasure,
    settled: &mut HashMap<ErasureId, u64>,
) -> anyhow::Result<()> {
    let Some(position) = settled.get(&erasure.id).copied() else {
        if has_ended_before(state, erasure).await? {
            settled.insert(erasure.id, state.log.staged());
        }
        return Ok(());
    };
    if state.log.holds(position) {
        state.log.roll(position)?;
        return Ok(());
    }
    if state.store.is_unclean() {
        return Ok(());
    }
    // A backup that was ended by force has left files of the journal; one that goes on is waited for.
    let swept = Pins::sweep(&journal_path(&state.config));
    let swept = swept.map_err(|error| {
        anyhow::anyhow!("remove the folder .weir-backup-pins beside the journal, which a backup has left: {error}")
    });
    if !swept? {
        return Ok(());
    }
    let (predictions, others) = (erasure.predictions, erasure.others);
    let end = SettingsCommand::EndErasure(erasure.id, predictions, others);
    state.set(&end).await?;
    tracing::info!(erasure = %erasure.id, predictions, others, "a unit is erased");
    Ok(())
}

/// Whether all calls have ended that were under way when an erasure was asked for, and shadows of them.
async fn has_ended_before(state: &AppState, erasure: &StoredErasure) -> Result<bool, StoreError> {
    if state.store.has_begun_before(erasure.until_order).await? {
        return Ok(false);
    }
    let is_idle = state.permits.available_permits() >= state.config.max_predictions
        && state.shadows.is_idle();
    let passed = state.clock.now().micros_since(erasure.requested_at);
    // A shadow is called when its prediction is answered.
    let patience = 2 * state.config.predict_timeout + GRACE;
    Ok(is_idle || u128::try_from(passed).unwrap_or(0) >= patience.as_micros())
}
