//! `POST /plan`: how many units and days an experiment needs.

use crate::error::{ApiError, ApiResult};
use crate::extract::Json;
use crate::openapi::problems;
use api::{EffectUnits, FieldError, PlanReply, PlanRequest, UnitsPower};
use axum::Json as Reply;
use judge::plan::{InvalidPlan, Plan, PlanInput};

/// Plans an experiment.
#[utoipa::path(
    post,
    path = "/plan",
    tag = "experiments",
    request_body = PlanRequest,
    responses((status = 200, description = "units, days and curves", body = PlanReply), problems::Body),
)]
pub(crate) async fn plan(Json(body): Json<PlanRequest>) -> ApiResult<Reply<PlanReply>> {
    answer(&body).map(Reply).map_err(ApiError::invalid)
}

/// The plan, as the server and the command line give it.
///
/// # Errors
/// What does not fit, field by field.
pub fn answer(body: &PlanRequest) -> Result<PlanReply, Vec<FieldError>> {
    let input = PlanInput {
        baseline: body.baseline,
        effect: body.effect,
        relative: body.relative,
        standard_deviation: body.standard_deviation,
        alpha: body.alpha,
        power: body.power,
        arms: body.arms,
        split: body.split,
        sequential: body.sequential,
        per_day: body.per_day,
    };
    let field = |problem: InvalidPlan| FieldError {
        pointer: format!("/{}", problem.field),
        detail: problem.problem,
    };
    let planned = judge::plan::plan(&input);
    let planned =
        planned.map_err(|problems| problems.into_iter().map(field).collect::<Vec<_>>())?;
    Ok(wire(planned))
}

fn wire(plan: Plan) -> PlanReply {
    let by_effect = plan.units_by_effect.into_iter();
    let by_units = plan.power_by_units.into_iter();
    PlanReply {
        control_units: plan.control_units,
        candidate_units: plan.candidate_units,
        total_units: plan.total_units,
        days: plan.days,
        target: plan.target,
        alpha_per_comparison: plan.alpha_per_comparison,
        planned_units: plan.planned_units,
        formula: plan.formula.into(),
        units_by_effect: by_effect
            .map(|(effect, units)| EffectUnits { effect, units })
            .collect(),
        power_by_units: by_units
            .map(|(units, power)| UnitsPower { units, power })
            .collect(),
    }
}
