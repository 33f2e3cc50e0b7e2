//! `/experiments`: made, read and deleted.

mod define;
pub(crate) mod start;
mod wire;

use define::define;
pub(crate) use wire::wire;

use crate::access;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{ExperimentPath, Fields, Json, Params};
use crate::metrics::model;
use crate::openapi::{path, problems};
use crate::results;
use crate::state::AppState;
use api::{CreateExperiment, ErrorCode, Experiment, Message};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use store::{ExperimentFilter, ModelStore};
use types::{ExperimentId, ExperimentKey, ExperimentStatus, ModelName, ModelState};
use utoipa::IntoParams;

/// Makes an experiment, a draft that moves no traffic.
#[utoipa::path(
    post,
    path = "/experiments",
    tag = "experiments",
    request_body = CreateExperiment,
    responses(
        (status = 200, description = "the experiment, a draft", body = Experiment),
        problems::NoModel,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    Json(body): Json<CreateExperiment>,
) -> ApiResult<Reply<Experiment>> {
    let name = model(&state, &body.name)?;
    let known = state.catalogue.state(&name)?;
    let definition = define(body, &known)?;
    let id = ExperimentId::from_bits(clock::random());
    let create = catalog::Command::CreateExperiment {
        // It gets one that was never used.
        key: ExperimentKey(0),
        id,
        definition: Box::new(definition),
    };
    let after = state.command(&name, create).await?;
    Ok(Reply(wire(experiment_in(&after, id)?)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    name: Option<String>,
    #[param(value_type = Option<api::ExperimentStatus>)]
    status: Option<String>,
    /// At most this many; 100 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The last experiment of the page before.
    cursor: Option<String>,
}

/// Lists experiments, newest first.
#[utoipa::path(
    get,
    path = "/experiments",
    tag = "experiments",
    params(ListParams),
    responses(
        (status = 200, description = "experiments, newest first", body = Vec<Experiment>),
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(params): Params<ListParams>,
) -> ApiResult<Reply<Vec<Experiment>>> {
    let mut fields = Fields::default();
    let name = fields.take_option("?name", params.name.as_deref().map(ModelName::parse));
    let status = params.status.as_deref().map(str::parse);
    let status: Option<ExperimentStatus> = fields.take_option("?status", status);
    let limit = params.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        fields.wrong("?limit", "must be from 1 to 1000");
    }
    let cursor = params.cursor.as_deref().map(str::parse::<ExperimentId>);
    let cursor = fields.take_option("?cursor", cursor);
    fields.finish(Some(()))?;
    let before = match cursor {
        None => None,
        Some(id) => {
            let gone = || ApiError::field("?cursor", "names an experiment that is gone");
            Some(state.store.experiment(id).await?.ok_or_else(gone)?.key)
        }
    };
    let mut filter = ExperimentFilter {
        name,
        status,
        before,
        limit: Some(limit),
    };
    let mut own: Vec<types::Experiment> = Vec::new();
    // As many as there shall be of models that who asks may deal with.
    loop {
        let chunk = state.store.experiments(filter.clone()).await?;
        let is_last = chunk.len() < limit as usize;
        filter.before = chunk.last().map(|experiment| experiment.key);
        let covered =
            |experiment: &types::Experiment| access::covers(experiment.definition.name.as_str());
        own.extend(chunk.into_iter().filter(covered));
        if is_last || own.len() >= limit as usize {
            own.truncate(limit as usize);
            return Ok(Reply(own.iter().map(wire).collect()));
        }
    }
}

/// Reads an experiment.
#[utoipa::path(
    get,
    path = "/experiments/{experiment}",
    tag = "experiments",
    params(path::Experiment),
    responses(
        (status = 200, description = "the experiment", body = Experiment),
        problems::NoExperiment,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
) -> ApiResult<Reply<Experiment>> {
    Ok(Reply(wire(&require(&state, id).await?)))
}

/// Whether who calls may ask about a model, or about that of an experiment where he names none.
pub(crate) async fn check_of(
    state: &AppState,
    name: Option<&str>,
    experiment: Option<&ExperimentId>,
) -> ApiResult<()> {
    if let (None, Some(id)) = (name, experiment)
        && let Some(found) = state.store.experiment(*id).await?
    {
        return access::check_option(Some(found.definition.name.as_str()));
    }
    access::check_option(name)
}

pub(crate) async fn require(state: &AppState, id: ExperimentId) -> ApiResult<types::Experiment> {
    let found = state.store.experiment(id).await?;
    found.ok_or_else(|| ApiError::experiment_not_found(&id.to_string()))
}

/// Deletes a draft. An experiment that ran is kept, with what it decided.
#[utoipa::path(
    delete,
    path = "/experiments/{experiment}",
    tag = "experiments",
    params(path::Experiment),
    responses(
        (status = 200, description = "what was deleted", body = Message),
        problems::NoExperiment,
        problems::WrongState,
        problems::Stored,
    ),
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
) -> ApiResult<Reply<Message>> {
    let name = require(&state, id).await?.definition.name;
    state
        .command(&name, catalog::Command::DeleteExperiment(id))
        .await?;
    Ok(Reply(Message {
        message: format!("The draft {id} is deleted."),
    }))
}

/// The experiment that runs on a model.
pub(crate) fn running(state: &AppState, name: &str) -> Option<ExperimentId> {
    let model = state.snapshot.model(name)?;
    model
        .traffic()
        .experiment
        .as_ref()
        .map(|experiment| experiment.id)
}

/// An experiment as it is after a command.
pub(crate) fn experiment_in(after: &ModelState, id: ExperimentId) -> ApiResult<&types::Experiment> {
    let found = after.experiment(id);
    found.ok_or_else(|| ApiError::experiment_not_found(&id.to_string()))
}

/// Changes weights by hand; with `takeover` a running experiment stops for it, with its results as they are.
pub(crate) async fn set_weights(
    state: &AppState,
    takeover: bool,
    name: &ModelName,
    command: catalog::Command,
) -> ApiResult<Arc<ModelState>> {
    if !takeover {
        return Ok(state.command(name, command).await?);
    }
    let results = match running(state, name.as_str()) {
        None => None,
        Some(id) => {
            let ending = types::Experiment {
                status: ExperimentStatus::Stopped,
                ..require(state, id).await?
            };
            Some((id, results::or_null(state, ending).await))
        }
    };
    Ok(state.command_by_takeover(name, results, command).await?)
}

/// A refusal of something that only a running experiment has.
pub(crate) fn never_started(id: ExperimentId) -> ApiError {
    let detail = format!(
        "The experiment {id} has not begun, so there is nothing to judge; `POST \
         /experiments/{id}/start` starts it."
    );
    ApiError::new(ErrorCode::ExperimentState, detail)
}
