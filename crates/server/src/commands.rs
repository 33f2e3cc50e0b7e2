//! What people do to running experiments: one way to change traffic, the controller's.

use crate::catalogue::CommandError;
use crate::error::{ApiError, ApiResult};
use crate::experiments::{require, wire};
use crate::extract::{ExperimentPath, Params};
use crate::openapi::problems;
use crate::results;
use crate::state::AppState;
use api::{ErrorCode, Experiment};
use axum::Json as Reply;
use axum::extract::State;
use catalog::{Refusal, Step};
use judge::control::command as commanded;
use serde::Deserialize;
use serde_json::Value;
use types::{Actor, Command, Decision, ExperimentId, ExperimentStatus};
use utoipa::IntoParams;

#[derive(Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CommandParams {
    /// Why, for the record.
    #[param(max_length = 1000)]
    reason: Option<String>,
    /// The revision of the experiment that this is decided by; refused when it is not the present one.
    revision: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PromoteParams {
    /// The version that gets everything; needed where there are several candidates.
    version: Option<String>,
    /// Why, for the record.
    #[param(max_length = 1000)]
    reason: Option<String>,
    /// The revision of the experiment that this is decided by; refused when it is not the present one.
    revision: Option<i64>,
}

/// Stops a running experiment: the weights stay as they are.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/stop",
    tag = "experiments",
    params(CommandParams, ("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
    responses(
        (status = 200, description = "the experiment, stopped", body = Experiment),
        problems::NoExperiment,
        problems::WrongStateOrStale,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn stop(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<CommandParams>,
) -> ApiResult<Reply<Experiment>> {
    give(&state, id, Wish::End(Decision::Stop), params).await
}

/// Aborts a running experiment: everything goes to the control, and the candidates become inactive.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/abort",
    tag = "experiments",
    params(CommandParams, ("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
    responses(
        (status = 200, description = "the experiment, aborted", body = Experiment),
        problems::NoExperiment,
        problems::WrongStateOrStale,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn abort(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<CommandParams>,
) -> ApiResult<Reply<Experiment>> {
    give(&state, id, Wish::End(Decision::Abort), params).await
}

/// Pauses a rollout or a bandit: its weights stay. Harm still takes a candidate back.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/pause",
    tag = "experiments",
    params(CommandParams, ("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
    responses(
        (status = 200, description = "the experiment, paused", body = Experiment),
        problems::NoExperiment,
        problems::WrongStateOrStale,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn pause(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<CommandParams>,
) -> ApiResult<Reply<Experiment>> {
    give(&state, id, Wish::Command(Command::Pause, None), params).await
}

/// Resumes what was paused. A rollout observes its step from the beginning again.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/resume",
    tag = "experiments",
    params(CommandParams, ("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
    responses(
        (status = 200, description = "the experiment, going on", body = Experiment),
        problems::NoExperiment,
        problems::WrongStateOrStale,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn resume(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<CommandParams>,
) -> ApiResult<Reply<Experiment>> {
    give(&state, id, Wish::Command(Command::Resume, None), params).await
}

/// Takes the next step of a rollout, whatever it waits for: its approval by a person too.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/advance",
    tag = "experiments",
    params(CommandParams, ("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
    responses(
        (status = 200, description = "the experiment, a step further", body = Experiment),
        problems::NoExperiment,
        problems::WrongStateOrStale,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn advance(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<CommandParams>,
) -> ApiResult<Reply<Experiment>> {
    give(&state, id, Wish::Command(Command::Advance, None), params).await
}

/// Gives everything to a candidate, and the alias `champion`.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/promote",
    tag = "experiments",
    params(PromoteParams, ("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
    responses(
        (status = 200, description = "the experiment, ended", body = Experiment),
        problems::NoExperiment,
        problems::WrongStateOrStale,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn promote(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<PromoteParams>,
) -> ApiResult<Reply<Experiment>> {
    let wish = Wish::Command(Command::Promote, params.version);
    let params = CommandParams {
        reason: params.reason,
        revision: params.revision,
    };
    give(&state, id, wish, params).await
}

/// Gives everything to the control at once: the candidates are no good.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/rollback",
    tag = "experiments",
    params(CommandParams, ("experiment" = String, Path, description = "`exp-` and 12 hexadecimal digits")),
    responses(
        (status = 200, description = "the experiment, ended", body = Experiment),
        problems::NoExperiment,
        problems::WrongStateOrStale,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn rollback(
    State(state): State<AppState>,
    ExperimentPath(id): ExperimentPath,
    Params(params): Params<CommandParams>,
) -> ApiResult<Reply<Experiment>> {
    give(&state, id, Wish::Command(Command::RollBack, None), params).await
}

/// What somebody wants.
enum Wish {
    Command(Command, Option<String>),
    End(Decision),
}

impl Wish {
    /// Whether it may be decided again when something happened meanwhile: a second step is not what somebody
    /// wanted who saw the first.
    fn means_the_same_later(&self) -> bool {
        !matches!(self, Self::Command(Command::Advance, _))
    }

    /// The status that follows.
    fn leads_to(&self) -> ExperimentStatus {
        match self {
            Self::End(decision) => decision.leads_to(),
            Self::Command(Command::Promote, _) => ExperimentStatus::Promoted,
            Self::Command(Command::RollBack, _) => ExperimentStatus::RolledBack,
            Self::Command(..) => ExperimentStatus::Running,
        }
    }
}

/// How often a command is decided again because the controller was faster.
const ATTEMPTS: u32 = 5;

async fn give(
    state: &AppState,
    id: ExperimentId,
    wish: Wish,
    params: CommandParams,
) -> ApiResult<Reply<Experiment>> {
    let reason = params.reason.as_deref();
    if reason.is_some_and(|reason| reason.chars().count() > 1000) {
        return Err(ApiError::field(
            "?reason",
            "must have at most 1000 characters",
        ));
    }
    for attempt in 1.. {
        let experiment = require(state, id).await?;
        let name = experiment.definition.name.clone();
        let present = experiment.revision;
        if let Some(given) = params.revision.filter(|given| *given != present) {
            return Err(Refusal::StaleExperiment { present, given }.into());
        }
        if experiment.status != ExperimentStatus::Running {
            return Err(not_allowed(&experiment));
        }
        // Ending an experiment never needs the judge.
        let ending = types::Experiment {
            status: wish.leads_to(),
            ..experiment.clone()
        };
        let evidence = results::or_null(state, ending).await;
        let step = step_of(&experiment, &wish, params.reason.clone(), evidence)?;
        match state
            .command(&name, catalog::Command::Step(Box::new(step)))
            .await
        {
            Err(CommandError::Refused(Refusal::StaleExperiment { .. }))
                if attempt < ATTEMPTS && wish.means_the_same_later() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    Ok(Reply(wire(&require(state, id).await?)))
}

fn step_of(
    experiment: &types::Experiment,
    wish: &Wish,
    reason: Option<String>,
    evidence: Value,
) -> ApiResult<Step> {
    let (decision, progress) = match wish {
        Wish::End(decision) => (decision.clone(), experiment.progress.clone()),
        Wish::Command(command, version) => {
            let arm = arm_of(experiment, *command, version.as_deref())?;
            let next = commanded(experiment, *command, arm);
            let next = next.map_err(|_| not_allowed(experiment))?;
            let decision = next.decision.ok_or_else(|| not_allowed(experiment))?;
            (decision, next.progress)
        }
    };
    let because = reason.clone();
    Ok(Step {
        id: experiment.id,
        revision: experiment.revision,
        decision,
        by: Actor::Person,
        because: because.unwrap_or_else(|| "A person said so.".into()),
        reason,
        progress,
        evidence,
        look: None,
    })
}

/// The arm that a command means: the named one, else the only candidate.
fn arm_of(
    experiment: &types::Experiment,
    command: Command,
    version: Option<&str>,
) -> ApiResult<usize> {
    let arms = &experiment.definition.arms;
    match version {
        None if command != Command::Promote || arms.len() == 2 => Ok(1),
        None => Err(ApiError::field(
            "?version",
            "is needed: the experiment has several candidates",
        )),
        Some(version) => {
            let found = arms.iter().position(|arm| arm.version.as_str() == version);
            let candidate = found.filter(|arm| *arm > 0);
            let detail =
                "must name a candidate of the experiment; rollback gives everything to the control";
            candidate.ok_or_else(|| ApiError::field("?version", detail))
        }
    }
}

/// A refusal that says where the experiment is and what it takes.
fn not_allowed(experiment: &types::Experiment) -> ApiError {
    let id = experiment.id;
    let wire = wire(experiment);
    let phase = wire.progress.map_or(String::new(), |progress| {
        let step = progress
            .step
            .zip(progress.steps)
            .map(|(step, steps)| format!(" at step {step} of {steps}"));
        format!(", {}{}", progress.phase, step.unwrap_or_default())
    });
    let allowed = if wire.allowed.is_empty() {
        "no command".into()
    } else {
        wire.allowed.join(", ")
    };
    let policy = experiment.definition.policy.as_str();
    let detail = format!(
        "The experiment {id} ({policy}) is {}{phase}; it takes: {allowed}.",
        experiment.status
    );
    ApiError::new(ErrorCode::ExperimentState, detail)
}
