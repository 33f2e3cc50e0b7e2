//! `/journal`: what the database did not take.

use crate::error::ApiResult;
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::state::AppState;
use api::{Retried, SetAside, SetAsidePage};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use store::LogStore;
use utoipa::IntoParams;

const DEFAULT_LIMIT: u32 = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only entries after this position.
    after: Option<u64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Lists entries of the journal that the database could not store.
///
/// Their requests were answered, but are not counted. Each entry is kept with the reason, and blocks no
/// others.
#[utoipa::path(
    get,
    path = "/journal/set-aside",
    tag = "log",
    params(ListParams),
    responses(
        (status = 200, description = "entries that are set aside, oldest first", body = SetAsidePage),
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(params): Params<ListParams>,
) -> ApiResult<Reply<SetAsidePage>> {
    let mut fields = Fields::default();
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=1000).contains(&limit) {
        fields.wrong("?limit", "must be from 1 to 1000");
    }
    let after = params.after.unwrap_or(0);
    if after > i64::MAX as u64 {
        fields.wrong("?after", "must be a position");
    }
    fields.finish(Some(()))?;
    let found = state.store.set_aside(after, limit).await?;
    let last = found.last().map(|entry| entry.position);
    let next_after = last.filter(|_| found.len() == limit as usize);
    let entries = found.into_iter().map(|entry| SetAside {
        position: entry.position,
        reason: entry.reason,
        bytes: entry.bytes,
        set_aside_at: entry.at.to_string(),
    });
    Ok(Reply(SetAsidePage {
        entries: entries.collect(),
        total: state.store.log_state().await?.set_aside,
        next_after,
    }))
}

/// Tries again to store entries that the database could not store.
#[utoipa::path(
    post,
    path = "/journal/retry",
    tag = "log",
    responses((status = 200, description = "what became of them", body = Retried), problems::Stored),
)]
pub(crate) async fn retry(State(state): State<AppState>) -> ApiResult<Reply<Retried>> {
    let stored = state.store.retry_set_aside(state.clock.now()).await?;
    let set_aside = state.store.log_state().await?.set_aside;
    Ok(Reply(Retried { stored, set_aside }))
}
