//! `POST /plan`: how many units and days an experiment needs, from numbers or from the log.

use crate::error::{ApiError, ApiResult};
use crate::evaluate::metric_of;
use crate::extract::{Fields, Json};
use crate::openapi::problems;
use crate::results::fresh;
use crate::state::AppState;
use api::{EffectUnits, FieldError, FromLog, PlanReply, PlanRequest, UnitsPower};
use axum::Json as Reply;
use axum::extract::State;
use judge::plan::{InvalidPlan, Plan, PlanInput};
use std::sync::Arc;
use store::{Earlier, LogStore};
use types::{Arm, BuiltIn, ExperimentDefinition, Metric, ModelName, ModelState, Timestamp};

/// So many units of the log are looked at, the newest: they tell a mean to a hundredth of a standard deviation.
const UNITS: usize = 20_000;
/// Fewer say nothing.
const LEAST_UNITS: usize = 100;
const DAY: f64 = 86_400e6;
const TWO_WEEKS: i64 = 14 * 86_400_000_000;
/// The effect that is planned for where none is given, relative to the baseline.
const EFFECT: f64 = 0.1;

/// Plans an experiment, from numbers, or from what the log tells of a metric.
#[utoipa::path(
    post,
    path = "/plan",
    tag = "experiments",
    request_body = PlanRequest,
    responses(
        (status = 200, description = "units, days and curves", body = PlanReply),
        problems::NoModel,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn plan(
    State(state): State<AppState>,
    Json(body): Json<PlanRequest>,
) -> ApiResult<Reply<PlanReply>> {
    if body.name.is_none() && body.metric.is_none() && body.since.is_none() {
        return answer(&body).map(Reply).map_err(ApiError::invalid);
    }
    let told = from_log(&state, &body).await?;
    let planned = answer(&PlanRequest {
        baseline: Some(told.baseline),
        standard_deviation: (!told.is_share).then_some(told.standard_deviation),
        per_day: body.per_day.or(Some(told.per_day)),
        relative: body.relative || body.effect.is_none(),
        effect: body.effect.or(Some(EFFECT)),
        ..body
    });
    let planned = planned.map_err(ApiError::invalid)?;
    Ok(Reply(PlanReply {
        from_log: Some(told),
        ..planned
    }))
}

async fn from_log(state: &AppState, body: &PlanRequest) -> ApiResult<FromLog> {
    let mut fields = Fields::default();
    for (given, pointer) in [
        (body.baseline.is_some(), "/baseline"),
        (body.standard_deviation.is_some(), "/standard_deviation"),
    ] {
        if given {
            fields.wrong(
                pointer,
                "is told by the log: leave it out, or leave `name` and `metric` out",
            );
        }
    }
    let (Some(name), Some(metric)) = (&body.name, &body.metric) else {
        let missing = if body.name.is_none() {
            "/name"
        } else {
            "/metric"
        };
        fields.wrong(
            missing,
            "is needed to look at the log: the model and a metric of it",
        );
        return fields.finish(None);
    };
    if metric == BuiltIn::Slow.as_str() {
        let detail = "cannot be slow: its objective belongs to an experiment; use latency_ms";
        fields.wrong("/metric", detail);
    }
    let since = fields.take_option("/since", body.since.as_deref().map(str::parse::<Timestamp>));
    fields.finish(Some(()))?;
    let missing = |_| ApiError::model_not_found(name);
    let model = state
        .catalogue
        .state(&ModelName::parse(name).map_err(missing)?)?;
    if model.versions.is_empty() {
        return Err(ApiError::model_not_found(name));
    }
    let metric = metric_of(&model, name, metric)?;
    fresh(state).await;
    let now = state.clock.now();
    let since = since.unwrap_or(Timestamp::from_micros(now.micros() - TWO_WEEKS));
    let query = Earlier {
        definition: Arc::new(of_versions(&model, metric.clone())),
        metric: 0,
        versions: model.versions.iter().map(|version| version.key).collect(),
        experiment: None,
        since: Some(since),
        // With what came in this second.
        now: Timestamp::from_micros(now.micros() + 1_000_000),
        limit: UNITS,
    };
    let found = state.store.earlier_outcomes(query).await?;
    let units = found.values.len();
    let Some(oldest) = found.oldest.filter(|_| units >= LEAST_UNITS) else {
        let detail = format!(
            "has {units} units with a value in the log of this time, and at least {LEAST_UNITS} are needed; ask for a \
             longer time, or plan with `baseline`"
        );
        return Err(ApiError::field("/metric", detail));
    };
    let n = units as f64;
    let mean = found.values.iter().sum::<f64>() / n;
    let squares: f64 = found
        .values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum();
    // Until the window of the newest has passed.
    let until = now.micros() - 1_000_000 * metric.window_seconds as i64;
    // Where all there is was looked at, it is the time that was asked for: a log that has just begun says so.
    let days = (until - oldest.micros()).max(1) as f64 / DAY;
    Ok(FromLog {
        is_share: found
            .values
            .iter()
            .all(|value| *value == 0.0 || *value == 1.0),
        baseline: mean,
        standard_deviation: (squares / (n - 1.0)).sqrt(),
        units: units as u64,
        per_day: n / days,
        since: oldest.to_string(),
    })
}

/// What says how predictions are worth something for the metric.
fn of_versions(model: &ModelState, metric: Metric) -> ExperimentDefinition {
    let arms = model.versions.iter().map(|version| Arm {
        key: version.key,
        model_id: version.model_id,
        version: version.version.clone(),
        weight: 1.0,
    });
    ExperimentDefinition::new(model.name.clone(), arms.collect(), vec![metric])
}

/// The plan from numbers, as the server and the command line give it.
///
/// # Errors
/// What does not fit, field by field.
pub fn answer(body: &PlanRequest) -> Result<PlanReply, Vec<FieldError>> {
    let field = |problem: InvalidPlan| FieldError {
        pointer: format!("/{}", problem.field),
        detail: problem.problem,
    };
    let (Some(baseline), Some(effect)) = (body.baseline, body.effect) else {
        let missing = |given: Option<f64>, field: &'static str, what: &str| {
            let problem = format!("is missing: {what}");
            given.is_none().then_some(InvalidPlan { field, problem })
        };
        let of_baseline =
            "give the control's share or mean, or `name` and `metric` to take it from the log";
        let missing = [
            missing(body.baseline, "baseline", of_baseline),
            missing(body.effect, "effect", "give the smallest one that matters"),
        ];
        return Err(missing.into_iter().flatten().map(field).collect());
    };
    let input = PlanInput {
        baseline,
        effect,
        relative: body.relative,
        standard_deviation: body.standard_deviation,
        alpha: body.alpha,
        power: body.power,
        arms: body.arms,
        split: body.split,
        sequential: body.sequential,
        per_day: body.per_day,
    };
    let planned = judge::plan::plan(&input);
    let planned =
        planned.map_err(|problems| problems.into_iter().map(field).collect::<Vec<_>>())?;
    Ok(wire(planned, body.per_day))
}

fn wire(plan: Plan, per_day: Option<f64>) -> PlanReply {
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
        from_log: None,
        units_by_effect: by_effect
            .map(|(effect, units)| EffectUnits {
                effect,
                units,
                days: per_day.map(|per_day| units / per_day),
            })
            .collect(),
        power_by_units: by_units
            .map(|(units, power)| UnitsPower { units, power })
            .collect(),
    }
}
