//! The start of experiments: now, at a time, or only asked about.

use super::{require, running, wire};
use crate::error::{ApiError, ApiResult};
use crate::extract::{ExperimentPath, Params};
use crate::models::probe;
use crate::openapi::problems;
use crate::state::AppState;
use api::{ErrorCode, StartedExperiment};
use axum::Json as Reply;
use axum::extract::State;
use judge::control::begin;
use serde::Deserialize;
use std::collections::BTreeMap;
use store::VersionFilter;
use types::{ExperimentDefinition, Timestamp, Version, VersionStatus};
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

/// Starts a draft: its weights rule from now on. Says what that changes of the traffic.
#[utoipa::path(post, path = "/experiments/{experiment}/start", tag = "experiments", params(StartParams, ("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")), responses((status = 200, description = "the experiment and what changes", body = StartedExperiment), problems::NoExperiment, problems::NoVersion, problems::CannotStart, problems::Query, problems::Stored))]
pub(crate) async fn start(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<StartParams>,
) -> ApiResult<Reply<StartedExperiment>> {
    let experiment = require(&state, id).await?;
    if !experiment.status.is_open() {
        return Err(store::CatalogError::ExperimentStatus(experiment.status).into());
    }
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
    let (before, after) = startable(&state, &experiment).await?;
    let experiment = match at {
        _ if params.dry_run => experiment,
        None => start_now(&state, &experiment, None).await?,
        Some(at) => {
            let scheduled = state.store.schedule_experiment(id, at, None, now).await?;
            state.tell();
            scheduled
        }
    };
    Ok(Reply(StartedExperiment {
        experiment: wire(&experiment),
        dry_run: params.dry_run,
        traffic_before: before,
        traffic_after: after,
    }))
}

/// `traffic_percent` by version, before and after.
type TrafficChange = (BTreeMap<String, f64>, BTreeMap<String, f64>);

/// Checks that an experiment can start now, its versions included; says what that would change.
async fn startable(state: &AppState, experiment: &types::Experiment) -> ApiResult<TrafficChange> {
    let definition = &experiment.definition;
    if let Some(running) = running(state, definition.name.as_str()) {
        return Err(store::CatalogError::AnotherRuns(running).into());
    }
    let filter = VersionFilter {
        name: Some(definition.name.clone()),
        ..VersionFilter::default()
    };
    let versions = state.store.versions(filter).await?;
    if definition.policy.rollout().is_some() {
        has_the_traffic(definition, &versions)?;
    }
    for arm in &definition.arms {
        let Some(version) = versions.iter().find(|v| v.key == arm.key) else {
            return Err(ApiError::version_not_found(&arm.model_id.to_string()));
        };
        if version.status != VersionStatus::Deprecated {
            probe(state, version).await?;
        }
    }
    Ok(traffic_change(experiment, &versions))
}

/// A rollout gives nearly everything to its control, so that must be the version that has it: with the two
/// mixed up, the start would be the accident that a rollout is there to prevent. A model without traffic has
/// nothing to lose.
fn has_the_traffic(definition: &ExperimentDefinition, versions: &[Version]) -> ApiResult<()> {
    let percent = |key| {
        let found = versions.iter().find(|version| version.key == key);
        found.map_or(0.0, |version| version.traffic_percent.get())
    };
    let control = definition.control();
    let most = versions
        .iter()
        .max_by(|a, b| a.traffic_percent.get().total_cmp(&b.traffic_percent.get()));
    match most {
        Some(most) if most.traffic_percent.get() > percent(control.key) => {
            let detail = format!(
                "The control {} has {} % of the traffic and {} has {} %: a rollout begins with the version \
                 that has most of it. Name that one as the control, or give the traffic to {} first with \
                 `PUT /traffic/{}`.",
                control.version,
                percent(control.key),
                most.version,
                most.traffic_percent.get(),
                control.version,
                definition.name
            );
            Err(ApiError::new(ErrorCode::ExperimentState, detail))
        }
        _ => Ok(()),
    }
}

async fn start_now(
    state: &AppState,
    experiment: &types::Experiment,
    revision: Option<i64>,
) -> ApiResult<types::Experiment> {
    let progress = begin(&experiment.definition.policy);
    let now = state.clock.now();
    let started = state
        .store
        .start_experiment(experiment.id, progress, revision, now);
    let started = started.await?;
    state.publish(&started.definition.name).await?;
    Ok(started)
}

/// Starts a scheduled experiment whose time has come; one that cannot start is a draft again, with the
/// reason on the record.
pub(crate) async fn start_due(state: &AppState, experiment: &types::Experiment) -> ApiResult<()> {
    let started = async {
        startable(state, experiment).await?;
        start_now(state, experiment, Some(experiment.revision)).await
    };
    if let Err(error) = started.await {
        // Somebody has taken the schedule back, or started it, meanwhile.
        if error.code() == ErrorCode::StaleRevision {
            return Ok(());
        }
        let (now, why) = (state.clock.now(), Some(error.detail().to_owned()));
        let back = state
            .store
            .schedule_experiment(experiment.id, None, why, now);
        back.await?;
        state.tell();
    }
    Ok(())
}

/// `traffic_percent` by version, before and after a start.
fn traffic_change(experiment: &types::Experiment, versions: &[Version]) -> TrafficChange {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    let effective = experiment.effective_shares();
    for version in versions {
        let at = experiment
            .definition
            .arms
            .iter()
            .position(|arm| arm.key == version.key);
        if at.is_none() && version.status != VersionStatus::Active {
            continue;
        }
        let share = at.map_or(0.0, |at| effective[at]);
        before.insert(version.version.to_string(), version.traffic_percent.get());
        after.insert(version.version.to_string(), 100.0 * share);
    }
    (before, after)
}
