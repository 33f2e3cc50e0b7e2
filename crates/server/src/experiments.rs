//! `/experiments`: made, read and deleted.

pub(crate) mod start;

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{ExperimentPath, Fields, Json, Params};
use crate::metrics::model;
use crate::openapi::problems;
use crate::results;
use crate::state::AppState;
use api::{CreateExperiment, ErrorCode, Experiment, ExperimentArm, FieldError, Message};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{ExperimentFilter, VersionFilter};
use types::{
    Arm, BuiltIn, Command, EVIDENCE_RULES, ExperimentDefinition, ExperimentId, ExperimentKey,
    ExperimentStatus, Hold, MAX_CANDIDATES, MAX_METRICS, Metric, MetricName, ModelName, ModelState,
    Policy, Progress, Version,
};
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
    let filter = VersionFilter {
        name: Some(name.clone()),
        ..VersionFilter::default()
    };
    let versions = state.store.versions(filter).await?;
    let declared = state.store.metrics(name.clone()).await?;
    let definition = define(name.clone(), body, &versions, &declared)?;
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

fn define(
    name: ModelName,
    mut body: CreateExperiment,
    versions: &[Version],
    declared: &[Metric],
) -> ApiResult<ExperimentDefinition> {
    let mut fields = Fields::default();
    let weights = body.weights.as_ref().map_or(0, BTreeMap::len);
    let guards = body.guardrails.as_ref().map_or(0, Vec::len);
    for (pointer, length, most) in [
        ("/candidates", body.candidates.len(), MAX_CANDIDATES),
        ("/weights", weights, MAX_CANDIDATES + 1),
        (
            "/secondary_metrics",
            body.secondary_metrics.len(),
            MAX_METRICS,
        ),
        ("/guardrails", guards, MAX_METRICS),
    ] {
        if length > most {
            fields.wrong(pointer, format!("must be at most {most}"));
        }
    }
    if !fields.is_empty() {
        return fields.finish(None);
    }
    let policy = policy(&mut fields, &mut body);
    let arms = arms(&mut fields, &body, versions);
    let guardrails = body.guardrails;
    let guardrails = guardrails.unwrap_or_else(|| vec!["error".into(), "rejected".into()]);
    let mut metrics: Vec<Metric> = Vec::new();
    let mut named = |pointer: &str, names: &[String]| -> Vec<MetricName> {
        let mut found = Vec::new();
        for text in names {
            let metric = BuiltIn::find(text).map(BuiltIn::metric);
            let metric = metric.or_else(|| {
                let declared = declared.iter().find(|m| m.name.as_str() == text);
                declared.cloned()
            });
            let Some(metric) = metric else {
                let detail = format!(
                    "names {text}, which is neither built in nor declared: `PUT /metrics/{name}/{text}` \
                     declares it"
                );
                fields.wrong(pointer, detail);
                continue;
            };
            if !found.contains(&metric.name) {
                found.push(metric.name.clone());
            }
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
        found
    };
    let primary = named(
        "/primary_metric",
        std::slice::from_ref(&body.primary_metric),
    );
    let secondary_metrics = named("/secondary_metrics", &body.secondary_metrics);
    let guardrails = named("/guardrails", &guardrails);
    if body.title.chars().count() > 200 {
        fields.wrong("/title", "must have at most 200 characters");
    }
    let salt = body
        .salt
        .unwrap_or_else(|| format!("{:016x}{:016x}", clock::random(), clock::random()));
    if salt.is_empty() || salt.chars().count() > 200 {
        fields.wrong("/salt", "must have from 1 to 200 characters");
    }
    let definition = primary
        .into_iter()
        .next()
        .map(|primary_metric| ExperimentDefinition {
            name,
            title: body.title,
            policy,
            arms,
            primary_metric,
            secondary_metrics,
            guardrails,
            metrics,
            alpha: body.alpha,
            power: body.power,
            minimum_detectable_effect: body.minimum_detectable_effect,
            relative: body.relative,
            planned_units: body.planned_units,
            enrolment: body.enrolment,
            salt,
            slo_ms: body.slo_ms,
            evidence_rules: EVIDENCE_RULES,
        });
    let definition = fields.finish(definition)?;
    let problems = definition.problems();
    if !problems.is_empty() {
        let field = |problem: types::InvalidExperiment| FieldError {
            pointer: problem.pointer.into(),
            detail: problem.problem,
        };
        return Err(ApiError::invalid(problems.into_iter().map(field).collect()));
    }
    Ok(definition)
}

/// The policy with its settings, or their defaults.
fn policy(fields: &mut Fields, body: &mut CreateExperiment) -> Policy {
    let (rollout, bandit) = (body.rollout.take(), body.bandit.take());
    if rollout.is_some() && body.policy != api::Policy::Rollout {
        fields.wrong("/rollout", "goes with the policy rollout only");
    }
    if bandit.is_some() && body.policy != api::Policy::Bandit {
        fields.wrong("/bandit", "goes with the policy bandit only");
    }
    match body.policy {
        api::Policy::Fixed => Policy::Fixed,
        api::Policy::Bandit => Policy::Bandit(bandit.unwrap_or_default()),
        api::Policy::Rollout => {
            if body.weights.is_some() {
                let detail = "do not go with a rollout: rollout.steps say what the candidate gets";
                fields.wrong("/weights", detail);
            }
            Policy::Rollout(rollout.unwrap_or_default())
        }
    }
}

fn arms(fields: &mut Fields, body: &CreateExperiment, versions: &[Version]) -> Vec<Arm> {
    let mut arms = Vec::new();
    let candidates = body
        .candidates
        .iter()
        .map(|version| ("/candidates", version));
    for (pointer, text) in [("/control", &body.control)].into_iter().chain(candidates) {
        let Some(version) = versions.iter().find(|v| v.version.as_str() == text) else {
            let detail = format!("names {text}, which is no version of {}", body.name);
            fields.wrong(pointer, detail);
            continue;
        };
        let weight = body
            .weights
            .as_ref()
            .map_or(Some(1.0), |weights| weights.get(text).copied());
        if weight.is_none() {
            fields.wrong("/weights", format!("has no weight for {text}"));
        }
        arms.push(Arm {
            key: version.key,
            model_id: version.model_id,
            version: version.version.clone(),
            weight: weight.unwrap_or(1.0),
        });
    }
    for named in body.weights.iter().flatten().map(|(version, _)| version) {
        if *named != body.control && !body.candidates.contains(named) {
            fields.wrong("/weights", format!("names {named}, which is no arm"));
        }
    }
    arms
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    name: Option<String>,
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
    let status = params.status.as_deref().map(|text| {
        let unknown =
            |()| "must be draft, scheduled, running, stopped, aborted, promoted or rolled_back";
        text.parse::<ExperimentStatus>().map_err(unknown)
    });
    let status = fields.take_option("?status", status);
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
    let filter = ExperimentFilter {
        name,
        status,
        before,
        limit: Some(limit),
    };
    let found = state.store.experiments(filter).await?;
    Ok(Reply(found.iter().map(wire).collect()))
}

/// Reads an experiment.
#[utoipa::path(
    get,
    path = "/experiments/{experiment}",
    tag = "experiments",
    params(("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
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

pub(crate) async fn require(state: &AppState, id: ExperimentId) -> ApiResult<types::Experiment> {
    let found = state.store.experiment(id).await?;
    found.ok_or_else(|| ApiError::experiment_not_found(&id.to_string()))
}

/// Deletes a draft. An experiment that ran is kept, with what it decided.
#[utoipa::path(
    delete,
    path = "/experiments/{experiment}",
    tag = "experiments",
    params(("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
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

pub(crate) fn wire(experiment: &types::Experiment) -> Experiment {
    let definition = &experiment.definition;
    let names = |names: &[MetricName]| names.iter().map(ToString::to_string).collect();
    let arms = definition.arms.iter().zip(&experiment.shares).enumerate();
    let (rollout, bandit) = match &definition.policy {
        Policy::Fixed => (None, None),
        Policy::Rollout(settings) => (Some(settings.clone()), None),
        Policy::Bandit(settings) => (None, Some(settings.clone())),
    };
    Experiment {
        experiment: experiment.id.to_string(),
        name: definition.name.to_string(),
        title: definition.title.clone(),
        policy: match definition.policy {
            Policy::Fixed => api::Policy::Fixed,
            Policy::Rollout(_) => api::Policy::Rollout,
            Policy::Bandit(_) => api::Policy::Bandit,
        },
        rollout,
        bandit,
        status: experiment.status.to_string(),
        revision: experiment.revision,
        progress: progress(experiment),
        allowed: allowed(experiment),
        arms: arms
            .map(|(at, (arm, share))| ExperimentArm {
                model_id: arm.model_id.to_string(),
                version: arm.version.to_string(),
                role: role(at).into(),
                weight: arm.weight,
                share: *share,
            })
            .collect(),
        primary_metric: definition.primary_metric.to_string(),
        secondary_metrics: names(&definition.secondary_metrics),
        guardrails: names(&definition.guardrails),
        metrics: definition.metrics.iter().cloned().map(Into::into).collect(),
        alpha: definition.alpha,
        power: definition.power,
        minimum_detectable_effect: definition.minimum_detectable_effect,
        relative: definition.relative,
        planned_units: definition.planned_units,
        enrolment: definition.enrolment,
        salt: definition.salt.clone(),
        slo_ms: definition.slo_ms,
        created_at: experiment.created_at.to_string(),
        starts_at: experiment.starts_at.map(|at| at.to_string()),
        started_at: experiment.started_at.map(|at| at.to_string()),
        ended_at: experiment.ended_at.map(|at| at.to_string()),
        end_reason: experiment.end_reason.clone(),
    }
}

/// The commands that an experiment takes, in words.
fn allowed(experiment: &types::Experiment) -> Vec<String> {
    let ending: &[&str] = match experiment.status {
        ExperimentStatus::Draft | ExperimentStatus::Scheduled => &["start", "delete"],
        ExperimentStatus::Running => &["stop", "abort"],
        _ => &[],
    };
    let commands = experiment.allowed().into_iter().map(Command::as_str);
    let all = commands.chain(ending.iter().copied());
    all.map(str::to_owned).collect()
}

fn progress(experiment: &types::Experiment) -> Option<api::Progress> {
    if experiment.status.has_ended() {
        return None;
    }
    let definition = &experiment.definition;
    let progress = experiment.progress.as_ref()?;
    let held = |held: Option<Hold>| {
        let held = held.filter(|_| !progress.is_paused());
        held.map(|hold| hold.as_str().to_owned())
    };
    let phase = |held: Option<Hold>, else_: &str| {
        if progress.is_paused() {
            "paused".to_owned()
        } else if held.is_some() {
            "held".to_owned()
        } else {
            else_.to_owned()
        }
    };
    let version = |arm: &usize| definition.arms.get(*arm).map(|arm| arm.version.to_string());
    match (&definition.policy, progress) {
        (Policy::Rollout(settings), Progress::Rollout(rollout)) => {
            let soak = settings.soak_micros(rollout.step);
            let else_ = if rollout.soaked_micros < soak {
                "soaking"
            } else {
                "evaluating"
            };
            Some(api::Progress {
                phase: phase(rollout.held, else_),
                held: held(rollout.held),
                step: Some(rollout.step + 1),
                steps: Some(settings.steps.len()),
                soaked_seconds: Some(rollout.soaked_micros as f64 / 1e6),
                soak_seconds: u64::try_from(soak / 1_000_000).ok(),
                units: Some(rollout.units),
                min_units: Some(rollout.min_units),
                winner: None,
                dropped: Vec::new(),
            })
        }
        (_, Progress::Bandit(bandit)) => {
            let else_ = if bandit.winner.is_some() {
                "decided"
            } else {
                "adapting"
            };
            Some(api::Progress {
                phase: phase(bandit.held, else_),
                held: held(bandit.held),
                step: None,
                steps: None,
                soaked_seconds: None,
                soak_seconds: None,
                units: None,
                min_units: None,
                winner: bandit.winner.as_ref().and_then(version),
                dropped: bandit.dropped.iter().filter_map(version).collect(),
            })
        }
        _ => None,
    }
}

/// The word for the place of an arm.
pub(crate) fn role(at: usize) -> &'static str {
    if at == 0 { "control" } else { "candidate" }
}

/// A refusal of something that only a running experiment has.
pub(crate) fn never_started(id: ExperimentId) -> ApiError {
    let detail = format!(
        "The experiment {id} has not begun, so there is nothing to judge; `POST \
         /experiments/{id}/start` starts it."
    );
    ApiError::new(ErrorCode::ExperimentState, detail)
}
