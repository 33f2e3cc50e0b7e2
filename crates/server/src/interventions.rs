//! What people do to running experiments: one way to change traffic, the controller's.

use crate::catalogue::CommandError;
use crate::error::{ApiError, ApiResult};
use crate::experiments::{require, wire};
use crate::extract::{Fields, Params, TextPath};
use crate::openapi::{path, problems};
use crate::state::AppState;
use crate::{results, scales};
use api::{ErrorCode, Experiment};
use axum::Json as Reply;
use axum::extract::State;
use catalog::{Command, ExperimentDecision, Refusal};
use judge::control::by_person;
use serde::Deserialize;
use types::{Actor, ExperimentId, ExperimentStatus, Intervention};
use utoipa::IntoParams;

#[derive(Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InterventionParams {
    /// Of `promote`: the version that gets everything; needed where there are several candidates.
    version: Option<String>,
    /// Why, for the record.
    #[param(max_length = 1000)]
    reason: Option<String>,
    /// The revision of the experiment that this is decided by; refused when it is not the present one.
    revision: Option<i64>,
}

/// Controls a running experiment.
///
/// `pause`: its weights stay, and harm still takes a candidate back. `resume`: it goes on; a rollout observes its step
/// from the beginning again. `advance`: a rollout takes the next step, whatever it waits for, a person's approval
/// included. `promote`: a candidate gets everything, and the alias `champion`. `rollback`: everything goes to the
/// control at once, because the candidates are bad. `stop`: it ends with the weights as they are. `abort`: it ends with
/// everything on the control, and the candidates become inactive.
#[utoipa::path(
    post,
    path = "/experiments/{experiment}/{intervention}",
    tag = "experiments",
    params(path::Intervention, InterventionParams),
    responses(
        (status = 200, description = "the experiment after it", body = Experiment),
        problems::NoExperimentOrPath,
        problems::WrongStateOrStale,
        problems::Query,
        problems::Stored,
    ),
)]
pub(crate) async fn intervene(
    State(state): State<AppState>,
    TextPath((experiment, intervention)): TextPath<(String, String)>,
    Params(params): Params<InterventionParams>,
) -> ApiResult<Reply<Experiment>> {
    let intervention = intervention
        .parse()
        .map_err(|_| ApiError::path_not_found())?;
    // They have calls of their own.
    if matches!(intervention, Intervention::Start | Intervention::Delete) {
        return Err(ApiError::path_not_found());
    }
    let unknown = |_| ApiError::experiment_not_found(&experiment);
    let id: ExperimentId = experiment.parse().map_err(unknown)?;
    check(intervention, &params)?;
    for attempt in 1.. {
        let experiment = require(&state, id).await?;
        let decision = decide(&state, &experiment, intervention, &params).await?;
        let command = Command::DecideExperiment(Box::new(decision));
        match state.command(&experiment.definition.name, command).await {
            Err(CommandError::Refused(Refusal::StaleExperiment { .. }))
                if attempt < ATTEMPTS && means_the_same_later(intervention) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    Ok(Reply(wire(&require(&state, id).await?)))
}

/// How often it is decided again because the controller was faster.
const ATTEMPTS: u32 = 5;

/// Whether it may be decided again when something happened meanwhile: a second step is not what somebody wanted who
/// saw the first.
fn means_the_same_later(intervention: Intervention) -> bool {
    intervention != Intervention::Advance
}

fn check(intervention: Intervention, params: &InterventionParams) -> ApiResult<()> {
    let mut fields = Fields::default();
    let reason = params.reason.as_deref();
    if reason.is_some_and(|reason| reason.chars().count() > 1000) {
        fields.wrong("?reason", "must have at most 1000 characters");
    }
    if params.version.is_some() && intervention != Intervention::Promote {
        fields.wrong("?version", "goes with promote only");
    }
    fields.finish(Some(()))
}
async fn decide(
    state: &AppState,
    experiment: &types::Experiment,
    intervention: Intervention,
    params: &InterventionParams,
) -> ApiResult<ExperimentDecision> {
    let present = experiment.revision;
    if let Some(given) = params.revision.filter(|given| *given != present) {
        return Err(Refusal::StaleExperiment { present, given }.into());
    }
    if experiment.status != ExperimentStatus::Running {
        return Err(not_allowed(experiment));
    }
    let arm = arm_of(experiment, intervention, params.version.as_deref())?;
    let next = by_person(experiment, intervention, arm).map_err(|_| not_allowed(experiment))?;
    let decision = next.decision.ok_or_else(|| not_allowed(experiment))?;
    // Ending an experiment never needs the judge.
    let after = types::Experiment {
        status: decision.leads_to(),
        ..experiment.clone()
    };
    let reason = params.reason.clone();
    Ok(ExperimentDecision {
        id: experiment.id,
        scales: scales::after(state, experiment, &decision).await?,
        revision: present,
        decision,
        by: Actor::Person,
        because: reason.clone().unwrap_or(next.because),
        reason,
        limit: None,
        progress: next.progress,
        evidence: results::or_null(state, after).await,
        look: None,
    })
}

/// The arm that is meant: the named one, else the only candidate.
fn arm_of(
    experiment: &types::Experiment,
    intervention: Intervention,
    version: Option<&str>,
) -> ApiResult<usize> {
    let arms = &experiment.definition.arms;
    match version {
        None if intervention != Intervention::Promote || arms.len() == 2 => Ok(1),
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
    let allowed: Vec<String> = wire.allowed.iter().map(ToString::to_string).collect();
    let allowed = match allowed.as_slice() {
        [] => "no command".into(),
        some => some.join(", "),
    };
    let policy = experiment.definition.policy.as_str();
    let detail = format!(
        "The experiment {id} ({policy}) is {}{phase}; it accepts: {allowed}.",
        experiment.status
    );
    ApiError::new(ErrorCode::ExperimentState, detail)
}
