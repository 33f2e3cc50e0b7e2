//! `/traffic/{name}`: the split of a model, changed as a whole.

use crate::error::{ApiError, ApiResult};
use crate::experiments;
use crate::extract::{Fields, Json, Params, TextPath, pointed};
use crate::models::probe;
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{ErrorCode, SetTraffic, Traffic, TrafficShare};
use axum::Json as Reply;
use axum::extract::State;
use catalog::{Command, replay};
use serde::Deserialize;
use store::{ModelStore, StoreError};
use types::{ModelName, ModelTraffic, Percent, Timestamp, VersionName, VersionStatus};
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadParams {
    /// How it was at this moment; now where it is left out.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
}

/// How the traffic of a model is split, or was at a moment.
#[utoipa::path(
    get,
    path = "/traffic/{name}",
    tag = "traffic",
    params(path::Model, ReadParams),
    responses(
        (status = 200, description = "the split and its revision", body = Traffic),
        problems::NoModel,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
    Params(params): Params<ReadParams>,
) -> ApiResult<Reply<Traffic>> {
    let Some(at) = &params.at else {
        return published(&state, &name).map(Reply);
    };
    let at: Timestamp = at.parse().map_err(|error| ApiError::field("?at", error))?;
    if at > state.clock.now() {
        return Err(ApiError::field("?at", "must not be later than now"));
    }
    let model = ModelName::parse(&name).map_err(|_| ApiError::model_not_found(&name))?;
    let mut events = state.store.events_of(model.clone()).await?;
    let all = events.len();
    // A clock that jumped back makes no event come before those that it stands on.
    let last = events.iter().rposition(|event| event.at <= at);
    events.truncate(last.map_or(0, |last| last + 1));
    let first = events.first().map(|event| event.action);
    if first.is_none() {
        let detail = match all {
            0 => return Err(ApiError::model_not_found(&name)),
            _ => format!(
                "The audit has nothing about {name} before {at}: it was not registered yet, or an earlier release \
                 of Weir served it."
            ),
        };
        return Err(ApiError::new(ErrorCode::ModelNotFound, detail));
    }
    let was = replay(model, &events).map_err(|(place, error)| {
        let change = events[place].change;
        tracing::error!(%error, change, name, "an event of a model cannot be replayed");
        StoreError::Corrupt(format!("the event {change} of {name}: {error}"))
    })?;
    Ok(Reply(wire(&was.traffic())))
}

fn published(state: &AppState, name: &str) -> ApiResult<Traffic> {
    let model = state
        .snapshot
        .model(name)
        .ok_or_else(|| ApiError::model_not_found(name))?;
    Ok(wire(model.traffic()))
}

/// Changes several weights of a model at once.
#[utoipa::path(
    put,
    path = "/traffic/{name}",
    tag = "traffic",
    params(path::Model),
    request_body = SetTraffic,
    responses(
        (status = 200, description = "the new split", body = Traffic),
        problems::NoModelOrVersion,
        problems::StaleOrNotReady,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn set(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
    Json(body): Json<SetTraffic>,
) -> ApiResult<Reply<Traffic>> {
    let missing = |_| ApiError::model_not_found(&name);
    let model = ModelName::parse(&name).map_err(missing)?;
    let weights = check(&body)?;
    for version in &state.catalogue.state(&model)?.versions {
        let named = weights.iter().find(|(named, _)| *named == version.version);
        if named.is_some_and(|(_, weight)| *weight > Percent::ZERO) {
            probe(&state, version).await?;
        }
    }
    let set = Command::SetTraffic {
        revision: body.revision,
        weights,
        fallback: body.fallback,
    };
    experiments::set_weights(&state, body.takeover, &model, set).await?;
    published(&state, &name).map(Reply)
}

fn check(body: &SetTraffic) -> ApiResult<Vec<(VersionName, Percent)>> {
    let mut fields = Fields::default();
    let mut weights = Vec::new();
    for (version, &weight) in &body.weights {
        let pointer = format!("/weights/{}", pointed(version));
        let version = fields.take(&pointer, VersionName::parse(version));
        let weight = fields.take(&pointer, Percent::new(weight));
        weights.extend(version.zip(weight));
    }
    fields.finish(Some(weights))
}

fn wire(traffic: &ModelTraffic) -> Traffic {
    let total = traffic.total_weight();
    let share = |weight: f64| if total > 0.0 { weight / total } else { 0.0 };
    let answering = traffic.versions.iter().filter(|v| v.status.answers());
    let versions = answering.map(|v| {
        let active = v.status == VersionStatus::Active;
        TrafficShare {
            model_id: v.model_id.to_string(),
            version: v.version.to_string(),
            status: v.status.into(),
            traffic_percent: v.weight.get(),
            share: if active { share(v.weight.get()) } else { 0.0 },
        }
    });
    Traffic {
        name: traffic.name.to_string(),
        revision: traffic.revision,
        epoch: traffic.epoch,
        fallback: traffic.fallback,
        versions: versions.collect(),
        experiment: traffic.experiment.as_ref().map(|e| e.id.to_string()),
        warning: traffic.warning(),
    }
}
