//! `GET /audit`: every change that somebody made, newest first.

use crate::error::ApiResult;
use crate::experiments;
use crate::extract::{Fields, Params};
use crate::openapi::problems;
use crate::pages::Gathering;
use crate::state::AppState;
use api::{AuditEntry, AuditPage, Author};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{AuditFilter, ModelStore};
use types::{ExperimentId, ModelName, Timestamp};
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
    cursor: Option<String>,
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
        problems::Gone,
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
    let cursor = state.of_cursor(params.cursor.as_deref())?;
    let not_one = |_| "must be the `next_cursor` of a page";
    let before = cursor.map(|cursor| cursor.parse::<i64>().map_err(not_one));
    let before = fields.take_option("?cursor", before);
    let limit = params.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        fields.wrong("?limit", "must be from 1 to 1000");
    }
    fields.finish(Some(()))?;
    experiments::check_of(&state, params.name.as_deref(), experiment_id.as_ref()).await?;
    let filter = AuditFilter {
        name,
        experiment_id,
        experiments_only: params.experiments_only,
        before,
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
    let next_cursor = next_cursor.map(|entry| state.cursor(entry.id));
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
        detail: told(entry.detail),
        author: entry.author.map(|author| Author {
            key_id: author.key.map(|key| key.to_string()),
            user: author.user,
            address: author.address,
            reason: author.reason,
        }),
        chain: entry.chain,
    }
}

/// The detail of an event in the words and units of the API: steps count from 1, lengths of time are in seconds and moments
/// are RFC 3339.
fn told(mut detail: Value) -> Value {
    let moment = |value: &Value| {
        let at = value.as_i64().map(Timestamp::from_micros);
        json!(at.map(|at| at.to_string()))
    };
    let Some(progress) = detail.get_mut("progress") else {
        return detail;
    };
    if let Some(rollout) = progress.get_mut("rollout").and_then(Value::as_object_mut) {
        if let Some(step) = rollout.get("step").and_then(Value::as_u64) {
            rollout.insert("step".into(), json!(step + 1));
        }
        if let Some(soaked) = rollout.remove("soaked_micros") {
            let seconds = soaked.as_i64().unwrap_or(0) as f64 / 1e6;
            rollout.insert("soaked_seconds".into(), json!(seconds));
        }
        for key in ["looked_at", "traffic_at"] {
            if let Some(at) = rollout.get(key).map(moment) {
                rollout.insert(key.into(), at);
            }
        }
    }
    if let Some(bandit) = progress.get_mut("bandit").and_then(Value::as_object_mut)
        && let Some(at) = bandit.get("updated_at").map(moment)
    {
        bandit.insert("updated_at".into(), at);
    }
    detail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_speak_as_the_api_does() {
        let stored = json!({"progress": {"rollout": {
            "step": 0, "soaked_micros": 1_500_000, "looked_at": 1_000_000, "traffic_at": null,
        }}});
        let wire = json!({"progress": {"rollout": {
            "step": 1, "soaked_seconds": 1.5, "looked_at": "1970-01-01T00:00:01.000000Z", "traffic_at": null,
        }}});
        assert_eq!(told(stored), wire);
        for other in [json!({"from": {}, "to": {}}), json!({}), Value::Null] {
            assert_eq!(told(other.clone()), other);
        }
    }
}
