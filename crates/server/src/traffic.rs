//! `/traffic/{name}`: the split of a model, changed as a whole.

use crate::error::{ApiError, ApiResult};
use crate::experiments;
use crate::extract::{Fields, Json, TextPath, pointed};
use crate::models::probe;
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{SetTraffic, Traffic, TrafficShare};
use axum::Json as Reply;
use axum::extract::State;
use catalog::Command;
use types::{ModelName, ModelTraffic, Percent, VersionName, VersionStatus};

/// How the traffic of a model is split.
#[utoipa::path(
    get,
    path = "/traffic/{name}",
    tag = "traffic",
    params(path::Model),
    responses((status = 200, description = "the split and its revision", body = Traffic), problems::NoModel),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
) -> ApiResult<Reply<Traffic>> {
    published(&state, &name).map(Reply)
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
