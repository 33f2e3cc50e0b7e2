//! `GET /audit`: every change that somebody made, newest first.

use crate::access;
use crate::error::ApiResult;
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::pages::Gathering;
use crate::state::AppState;
use api::{AuditEntry, AuditPage, Author};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use store::{AuditFilter, ModelStore};
use types::{ExperimentId, ModelName};
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    name: Option<String>,
    /// Only what happened to this experiment: why its weights are what they are.
    experiment: Option<String>,
    /// Only what happened to experiments.
    #[serde(default)]
    experiments_only: bool,
    cursor: Option<i64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Every change that somebody made.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "audit",
    params(ListParams),
    responses(
        (status = 200, description = "changes, newest first", body = AuditPage),
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(params): Params<ListParams>,
) -> ApiResult<Reply<AuditPage>> {
    let mut fields = Fields::default();
    let name = fields.take_option("?name", params.name.as_deref().map(ModelName::parse));
    let experiment = params.experiment.as_deref().map(str::parse::<ExperimentId>);
    let experiment_id = fields.take_option("?experiment", experiment);
    let limit = params.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        fields.wrong("?limit", "must be from 1 to 1000");
    }
    fields.finish(Some(()))?;
    access::check_option(params.name.as_deref())?;
    let filter = AuditFilter {
        name,
        experiment_id,
        experiments_only: params.experiments_only,
        before: params.cursor,
        limit,
    };
    let mut found = Gathering::new(limit as usize);
    let (mut before, mut is_last) = (filter.before, false);
    while let Some(limit) = found.next().filter(|_| !is_last) {
        let chunk = AuditFilter {
            before,
            limit,
            ..filter.clone()
        };
        let chunk = state.store.audit(chunk).await?;
        is_last = chunk.len() < limit as usize;
        before = chunk.last().map(|entry| entry.id).or(before);
        found.take(chunk);
    }
    let next_cursor = found.last().filter(|_| !is_last);
    let next_cursor = next_cursor.map(|entry| entry.id.to_string());
    Ok(Reply(AuditPage {
        entries: found.into_rows().into_iter().map(entry).collect(),
        next_cursor,
    }))
}

pub(crate) fn entry(entry: store::AuditEntry) -> AuditEntry {
    AuditEntry {
        id: entry.id,
        at: entry.at.to_string(),
        action: entry.action.into(),
        name: Some(entry.name).filter(|name| !name.is_empty()),
        version: entry.version,
        revision: entry.revision,
        detail: entry.detail,
        author: entry.author.map(|author| Author {
            key_id: author.key.map(|key| key.to_string()),
            user: author.user,
            address: author.address,
            reason: author.reason,
        }),
        chain: entry.chain,
    }
}
