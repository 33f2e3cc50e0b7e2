//! The start of experiments: now, at a time, or only asked about.

use super::{define, experiment_in, require, wire};
use crate::catalogue::CommandError;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{ExperimentPath, Json, Params};
use crate::log::FRESH_WITHIN;
use crate::metrics::model;
use crate::models::probe;
use crate::openapi::{path, problems};
use crate::scales;
use crate::state::AppState;
use api::{CreateExperiment, ErrorCode, StartedExperiment};
use axum::Json as Reply;
use axum::extract::State;
use catalog::{Command, Event, Moved, Refusal, Scales, Weights, decide};
use judge::control::begin;
use serde::Deserialize;
use std::collections::BTreeMap;
use types::{Actor, ExperimentId, ExperimentKey, ModelState, Percent, Timestamp, VersionName};
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StartParams {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// Start by itself at this time (RFC 3339) instead of now; `never` makes a scheduled one a draft again.
    at: Option<String>,
}

/// Starts a draft: its weights set the traffic from now on. The reply says what that changes.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/start",
    tag = "experiments",
    params(StartParams, path::Experiment),
    responses(
        (status = 200, description = "the experiment and what changes", body = StartedExperiment),
        problems::NoExperimentOrVersion,
        problems::CannotStart,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn start(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<StartParams>,
) -> ApiResult<Reply<StartedExperiment>> {
    let experiment = require(&state, id).await?;
    let now = state.clock.now();
    let at = match params.at.as_deref() {
        None => None,
        Some("never") => Some(None),
        Some(text) => match text.parse::<Timestamp>() {
            Ok(at) if at > now => Some(Some(at)),
            Ok(_) => return Err(ApiError::field("?at", "must be in the future")),
            Err(error) => return Err(ApiError::field("?at", error)),
        },
    };
    // A schedule can be taken back whatever keeps the experiment from starting; one that is made is judged by its time.
    let moved = match at {
        Some(None) => Moved::default(),
        Some(Some(at)) => startable(&state, &experiment, at).await?,
        None => startable(&state, &experiment, now).await?,
    };
    let name = &experiment.definition.name;
    let experiment = match at {
        _ if params.dry_run => experiment,
        None => {
            let start = starting(&state, &experiment, None, Actor::Person).await?;
            let after = state.command(name, start).await?;
            experiment_in(&after, id)?.clone()
        }
        Some(starts_at) => {
            let schedule = Command::ScheduleExperiment {
                id,
                starts_at,
                failed: None,
                revision: None,
                by: Actor::Person,
            };
            let after = state.command(name, schedule).await?;
            experiment_in(&after, id)?.clone()
        }
    };
    Ok(Reply(StartedExperiment {
        experiment: wire(&experiment),
        dry_run: params.dry_run,
        traffic_before: percents(&moved.from),
        traffic_after: percents(&moved.to),
    }))
}

/// Says what making and starting an experiment would change. Nothing is stored, and nobody is told of it.
#[utoipa::path(
    post,
    path = "/experiments/dry-run",
    tag = "experiments",
    request_body = CreateExperiment,
    responses(
        (status = 200, description = "the experiment as it would be, and what would change", body = StartedExperiment),
        problems::NoModelOrVersion,
        problems::CannotStart,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn dry_run(
    State(state): State<AppState>,
    Json(body): Json<CreateExperiment>,
) -> ApiResult<Reply<StartedExperiment>> {
    let name = model(&state, &body.name)?;
    let known = state.catalogue.state(&name)?;
    let id = ExperimentId::from_bits(clock::random());
    let create = Command::CreateExperiment {
        // It is never stored, so it needs none of its own.
        key: ExperimentKey(i64::MAX),
        id,
        definition: Box::new(define(body, &known)?),
    };
    let now = state.clock.now();
    let drafted = decide(&known, &create, now)?;
    let drafted = drafted.map_or_else(|| (*known).clone(), |decided| decided.state);
    let draft = experiment_in(&drafted, id)?.clone();
    let moved = startable_in(&state, &drafted, &draft, now).await?;
    Ok(Reply(StartedExperiment {
        experiment: wire(&draft),
        dry_run: true,
        traffic_before: percents(&moved.from),
        traffic_after: percents(&moved.to),
    }))
}

/// What starts a draft; with a `revision`, only if nothing happened to it since.
async fn starting(
    state: &AppState,
    experiment: &types::Experiment,
    revision: Option<i64>,
    by: Actor,
) -> ApiResult<Command> {
    // The scales are of everything that was answered before, as far as that is counted.
    let _ = state.log.catch_up(FRESH_WITHIN).await;
    let scales = scales::at_start(state, &experiment.definition).await?;
    Ok(start_with(experiment, scales, revision, by))
}

fn start_with(
    experiment: &types::Experiment,
    scales: Scales,
    revision: Option<i64>,
    by: Actor,
) -> Command {
    Command::StartExperiment {
        id: experiment.id,
        progress: begin(&experiment.definition.policy),
        scales,
        revision,
        by,
    }
}

/// Checks that an experiment can start at a time, its versions included; says what that would change of the traffic.
async fn startable(
    state: &AppState,
    experiment: &types::Experiment,
    now: Timestamp,
) -> ApiResult<Moved> {
    let model = state.catalogue.state(&experiment.definition.name)?;
    startable_in(state, &model, experiment, now).await
}

/// The same of a state of its model that nobody has stored.
async fn startable_in(
    state: &AppState,
    model: &ModelState,
    experiment: &types::Experiment,
    now: Timestamp,
) -> ApiResult<Moved> {
    let start = start_with(experiment, Scales::new(), None, Actor::Person);
    let decided = decide(model, &start, now)?;
    for arm in &experiment.definition.arms {
        let version = model.versions.iter().find(|v| v.key == arm.key);
        let version =
            version.ok_or_else(|| ApiError::version_not_found(&arm.model_id.to_string()))?;
        probe(state, version).await?;
    }
    match decided.map(|decided| decided.event) {
        Some(Event::ExperimentStarted(_, moved, ..)) => Ok(moved),
        _ => Ok(Moved::default()),
    }
}

fn percents(weights: &Weights) -> BTreeMap<String, f64> {
    let percent = |(version, weight): (&VersionName, &Percent)| (version.to_string(), weight.get());
    weights.iter().map(percent).collect()
}

/// Starts a scheduled experiment whose time has come; one that cannot start is a draft again, with the
/// reason on the record.
pub(crate) async fn start_due(state: &AppState, experiment: &types::Experiment) -> ApiResult<()> {
    let name = &experiment.definition.name;
    let started = async {
        startable(state, experiment, state.clock.now()).await?;
        let revision = Some(experiment.revision);
        let start = starting(state, experiment, revision, Actor::Controller).await?;
        Ok::<_, ApiError>(state.command(name, start).await?)
    };
    if let Err(error) = started.await {
        // Somebody has taken the schedule back, or started it, meanwhile.
        if error.code() == ErrorCode::StaleRevision {
            return Ok(());
        }
        // What passes is no reason to take it back.
        if error.code() == ErrorCode::StoreUnavailable {
            return Err(error);
        }
        let back = Command::ScheduleExperiment {
            id: experiment.id,
            starts_at: None,
            failed: Some(error.detail().to_owned()),
            revision: Some(experiment.revision),
            by: Actor::Controller,
        };
        match state.command(name, back).await {
            // Somebody has scheduled it anew.
            Err(CommandError::Refused(Refusal::StaleExperiment { .. })) => {}
            taken => drop(taken?),
        }
    }
    Ok(())
}
