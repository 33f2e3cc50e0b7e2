//! `POST /plan`: how many units and days an experiment needs, from numbers or from the log; and what units of the log were worth.

use crate::error::{ApiError, ApiResult};
use crate::evaluate::metric_of;
use crate::extract::{Fields, Json};
use crate::metrics::model;
use crate::openapi::problems;
use crate::results::fresh;
use crate::state::AppState;
use api::{
    EffectUnits, FieldError, FromLog, LoggedUnits, LoggedUnitsRequest, PlanReply, PlanRequest,
    UnitsPower,
};
use axum::Json as Reply;
use axum::extract::State;
use judge::plan::{InvalidPlan, Plan, PlanInput};
use std::sync::Arc;
use store::{Earlier, EarlierOutcomes, EarlierUnit, LogStore};
use types::{Arm, BuiltIn, ExperimentDefinition, Metric, ModelState, Per, TimeRange, Timestamp};

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
        covariate_correlation: body.covariate_correlation.or(told.covariate_correlation),
        per_day: body.per_day.or(told.per_day),
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

/// How many predictions a unit has; a metric per unit does not tell.
async fn predictions_per_unit(
    state: &AppState,
    model: &ModelState,
    (since, now): (Timestamp, Timestamp),
) -> ApiResult<f64> {
    let query = Earlier {
        definition: Arc::new(of_versions(model, BuiltIn::Error.metric())),
        metric: 0,
        versions: model.versions.iter().map(|version| version.key).collect(),
        experiment: None,
        since: Some(since),
        now,
        limit: UNITS,
    };
    let found = state.store.earlier_outcomes(query).await?;
    let predictions: f64 = found.units.iter().map(|unit| unit.count).sum();
    Ok(predictions / found.units.len().max(1) as f64)
}

/// Units of a log, and of what.
struct Logged {
    model: Arc<ModelState>,
    metric: Metric,
    found: EarlierOutcomes,
    /// The time of the oldest prediction that was looked at.
    oldest: Timestamp,
    since: Timestamp,
    now: Timestamp,
}

/// The newest units of a log; at least [`LEAST_UNITS`].
async fn logged(
    state: &AppState,
    mut fields: Fields,
    (name, metric): (&str, &str),
    since: Option<&str>,
) -> ApiResult<Logged> {
    if metric == BuiltIn::Slow.as_str() {
        let detail = "cannot be slow: its limit (slo_ms) is set per experiment; use latency_ms";
        fields.wrong("/metric", detail);
    }
    let since = fields.take_option("/since", since.map(str::parse::<Timestamp>));
    fields.finish(Some(()))?;
    let model = state.catalogue.state(&model(state, name)?)?;
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
    let units = found.units.len();
    let Some(oldest) = found.oldest.filter(|_| units >= LEAST_UNITS) else {
        let detail = format!(
            "has {units} units with a value in the log of this time, and at least {LEAST_UNITS} are needed; ask for a \
             longer time, or plan with `baseline`"
        );
        return Err(ApiError::field("/metric", detail));
    };
    Ok(Logged {
        model,
        metric,
        found,
        oldest,
        since,
        now,
    })
}

/// What units of the log were worth for a metric, without their names: for simulations on one's own log.
#[utoipa::path(
    post,
    path = "/plan/units",
    tag = "experiments",
    request_body = LoggedUnitsRequest,
    responses(
        (status = 200, description = "the newest units", body = LoggedUnits),
        problems::NoModel,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn units(
    State(state): State<AppState>,
    Json(body): Json<LoggedUnitsRequest>,
) -> ApiResult<Reply<LoggedUnits>> {
    let of = (body.name.as_str(), body.metric.as_str());
    let logged = logged(&state, Fields::default(), of, body.since.as_deref()).await?;
    let units = logged.found.units.iter();
    Ok(Reply(LoggedUnits {
        metric: logged.metric.into(),
        since: logged.oldest.to_string(),
        units: units.map(|unit| [unit.count, unit.sum]).collect(),
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
                "is taken from the log: leave it out, or leave `name` and `metric` out",
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
    let Logged {
        model,
        metric,
        found,
        oldest,
        since,
        now,
    } = logged(state, fields, (name, metric), body.since.as_deref()).await?;
    let units = found.units.len();
    let told = Sums::of(&found.units);
    let mut each = told.predictions / units as f64;
    if metric.per == Per::Unit {
        each = predictions_per_unit(state, &model, (since, now)).await?;
    }
    if told.is_share && (told.mean <= 0.0 || told.mean >= 1.0) {
        let all = if told.mean <= 0.0 { "none" } else { "each" };
        let detail = format!(
            "was 1 for {all} of {units} units, which gives no usable rate; plan with `baseline`, the rate that you expect"
        );
        return Err(ApiError::field("/metric", detail));
    }
    if !told.is_share && told.deviation <= 1e-9 * told.mean.abs() {
        let detail = format!(
            "has the same value for each of {units} units ({}), so the log does not tell how much units differ; plan with \
             `baseline` and `standard_deviation`",
            told.mean
        );
        return Err(ApiError::field("/metric", detail));
    }
    let begun = model
        .versions
        .iter()
        .map(|version| version.created_at)
        .min();
    let begun = begun.unwrap_or(since).max(since);
    Ok(FromLog {
        baseline: told.mean,
        standard_deviation: told.deviation,
        covariate_units: metric
            .covariate
            .as_ref()
            .map(|_| found.with_covariates().len() as u64),
        covariate_correlation: correlation(&found.units),
        is_share: told.is_share,
        units: units as u64,
        per_day: per_day(state, &model, (begun, now), each).await?,
        since: oldest.to_string(),
    })
}

/// Units a day: predictions of whole days, over how many a unit has. Before there is a day nothing is said.
async fn per_day(
    state: &AppState,
    model: &ModelState,
    (begun, now): (Timestamp, Timestamp),
    predictions_per_unit: f64,
) -> ApiResult<Option<f64>> {
    let days = (now.micros() - begun.micros()) as f64 / DAY;
    if days < 1.0 {
        return Ok(None);
    }
    let range = TimeRange {
        since: Some(begun),
        until: Some(now),
    };
    let totals = state.store.totals(range).await?;
    let of_model = totals.iter().filter(|totals| {
        let mut versions = model.versions.iter();
        versions.any(|version| version.key == totals.version)
    });
    let predictions: u64 = of_model.map(|totals| totals.rollup.count).sum();
    Ok(Some(predictions as f64 / days / predictions_per_unit))
}

/// How values of units go with their covariates, from −1 to 1. Who has none counts as one with the mean, as in an experiment.
/// `None` where too few have one, or either does not vary.
fn correlation(units: &[EarlierUnit]) -> Option<f64> {
    let known = units.iter().filter_map(|unit| unit.covariate);
    let count = known.clone().count();
    let x = known.sum::<f64>() / count as f64;
    let y = units.iter().map(EarlierUnit::mean).sum::<f64>() / units.len() as f64;
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for unit in units {
        let apart = unit.mean() - y;
        yy += apart * apart;
        if let Some(covariate) = unit.covariate {
            xx += (covariate - x) * (covariate - x);
            xy += (covariate - x) * apart;
        }
    }
    let found = xy / (xx * yy).sqrt();
    (count >= LEAST_UNITS && found.is_finite()).then(|| found.clamp(-1.0, 1.0))
}

/// The mean over predictions, and the standard deviation of a unit about it, as experiments compare them: a ratio of sums.
struct Sums {
    mean: f64,
    deviation: f64,
    predictions: f64,
    /// Every unit has one prediction with a 0 or a 1.
    is_share: bool,
}

impl Sums {
    fn of(units: &[EarlierUnit]) -> Self {
        let n = units.len() as f64;
        let predictions: f64 = units.iter().map(|unit| unit.count).sum();
        let mean = units.iter().map(|unit| unit.sum).sum::<f64>() / predictions;
        let squares: f64 = units
            .iter()
            .map(|unit| (unit.sum - mean * unit.count).powi(2))
            .sum();
        Self {
            mean,
            deviation: (squares / (n - 1.0)).sqrt() / (predictions / n),
            predictions,
            is_share: units
                .iter()
                .all(|unit| unit.count == 1.0 && (unit.sum == 0.0 || unit.sum == 1.0)),
        }
    }
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
    let left = match body.covariate_correlation {
        // Nothing to find out is left at 1.
        Some(correlation) if correlation.abs() < 1.0 => Some(1.0 - correlation * correlation),
        Some(_) => {
            return Err(vec![field(InvalidPlan {
                field: "covariate_correlation",
                problem: "must be above -1 and below 1".into(),
            })]);
        }
        None => None,
    };
    // What a covariate explains of the variance is left out.
    let share = || (baseline * (1.0 - baseline)).max(0.0).sqrt();
    let standard_deviation = match left {
        Some(left) => Some(left.sqrt() * body.standard_deviation.unwrap_or_else(share)),
        None => body.standard_deviation,
    };
    let input = PlanInput {
        baseline,
        effect,
        relative: body.relative,
        standard_deviation,
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
