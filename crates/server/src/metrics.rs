//! `/metrics/{name}`: what is measured of a model. Built-in metrics need no declaration.

use crate::access;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, TextPath};
use crate::openapi::{path, problems};
use crate::state::AppState;
use api::{DeclareMetric, ErrorCode, Message, Metric};
use axum::Json as Reply;
use axum::extract::State;
use catalog::Command;
use types::{
    BuiltIn, Combine, Direction, InvalidMetric, MetricKind, MetricName, Missing, ModelName, Per,
};

/// Lists the metrics of a model, the built-in ones first.
#[utoipa::path(
    get,
    path = "/metrics/{name}",
    tag = "metrics",
    params(path::Model),
    responses(
        (status = 200, description = "the metrics", body = Vec<Metric>),
        problems::NoModel,
        problems::Stored,
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
) -> ApiResult<Reply<Vec<Metric>>> {
    Ok(Reply(all(&state, &name)?))
}

fn all(state: &AppState, name: &str) -> ApiResult<Vec<Metric>> {
    let name = model(state, name)?;
    let built_in = BuiltIn::ALL.into_iter().map(BuiltIn::metric);
    let declared = state.catalogue.state(&name)?.metrics.clone();
    Ok(built_in
        .chain(declared.into_values())
        .map(Metric::from)
        .collect())
}

/// Reads a metric.
#[utoipa::path(
    get,
    path = "/metrics/{name}/{metric}",
    tag = "metrics",
    params(
        path::Metric,
    ),
    responses(
        (status = 200, description = "the metric", body = Metric),
        problems::NoMetric,
        problems::Stored,
    ),
)]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath((name, metric)): TextPath<(String, String)>,
) -> ApiResult<Reply<Metric>> {
    let all = all(&state, &name)?;
    let found = all.into_iter().find(|found| found.metric == metric);
    Ok(Reply(found.ok_or_else(|| missing(&name, &metric))?))
}

/// Declares a metric, or changes its declaration.
#[utoipa::path(
    put,
    path = "/metrics/{name}/{metric}",
    tag = "metrics",
    params(
        path::Metric,
    ),
    request_body = DeclareMetric,
    responses(
        (status = 200, description = "the metric", body = Metric),
        problems::NoModel,
        problems::MetricCounted,
        problems::Body,
        problems::Stored,
    ),
)]
pub(crate) async fn set(
    State(state): State<AppState>,
    TextPath((name, metric)): TextPath<(String, String)>,
    Json(body): Json<DeclareMetric>,
) -> ApiResult<Reply<Metric>> {
    let name = model(&state, &name)?;
    let wrong = |why: String| ApiError::field("", format!("the metric {why}"));
    types::check_new_name(&metric).map_err(|why| wrong(why.into()))?;
    let metric = MetricName::parse(&metric).map_err(|why| wrong(why.to_string()))?;
    let metric = declared(metric, &body);
    metric.check().map_err(|error| {
        let pointer = match error {
            InvalidMetric::BuiltIn(_) => "",
            InvalidMetric::Bounds => "/lower_bound",
            InvalidMetric::Window | InvalidMetric::NoUnitWindow => "/window_seconds",
            InvalidMetric::Combine => "/combine",
            InvalidMetric::CovariateName
            | InvalidMetric::CovariateBefore
            | InvalidMetric::CovariateRule => "/covariate",
            InvalidMetric::NoWindow | InvalidMetric::NoFailure | InvalidMetric::NoZero => {
                "/missing"
            }
            InvalidMetric::Caps => "/cap",
        };
        ApiError::field(pointer, error)
    })?;
    let set = Command::SetMetric(Box::new(metric.clone()));
    state.command(&name, set).await?;
    Ok(Reply(metric.into()))
}

fn declared(name: MetricName, body: &DeclareMetric) -> types::Metric {
    let can_fail = body.kind == MetricKind::Binary && body.direction == Direction::Up;
    let waits = body.window_seconds > 0 && can_fail;
    let binary = body.kind == MetricKind::Binary;
    let combine = match body.per {
        Per::Unit if binary => Combine::Any,
        Per::Unit | Per::Prediction => Combine::Sum,
    };
    let mut metric = types::Metric {
        name,
        kind: body.kind,
        direction: body.direction,
        window_seconds: body.window_seconds,
        lower_bound: body.lower_bound,
        upper_bound: body.upper_bound,
        missing: body.missing.unwrap_or(if waits {
            Missing::Failure
        } else {
            Missing::Excluded
        }),
        floor: body.floor,
        cap: body.cap,
        per: body.per,
        combine: body.combine.unwrap_or(combine),
        covariate: body.covariate.clone(),
    };
    if metric.per == Per::Unit && body.missing.is_none() && !can_fail {
        let zero = types::Metric {
            missing: Missing::Zero,
            ..metric.clone()
        };
        // Where its bounds do not hold 0, nothing is nothing.
        metric = if zero.check().is_ok() { zero } else { metric };
    }
    metric
}

/// Removes a declaration. Values that are stored stay.
#[utoipa::path(
    delete,
    path = "/metrics/{name}/{metric}",
    tag = "metrics",
    params(
        path::Metric,
    ),
    responses(
        (status = 200, description = "what was removed", body = Message),
        problems::NoMetric,
        problems::MetricCounted,
        problems::Stored,
    ),
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    TextPath((name, metric)): TextPath<(String, String)>,
) -> ApiResult<Reply<Message>> {
    let model = model(&state, &name)?;
    let checked = MetricName::parse(&metric).map_err(|_| missing(&name, &metric))?;
    let declared = state
        .catalogue
        .state(&model)?
        .metrics
        .contains_key(&checked);
    state
        .command(&model, Command::DeleteMetric(checked))
        .await?;
    if !declared {
        return Err(missing(&name, &metric));
    }
    Ok(Reply(Message {
        message: format!("The metric {metric} is no longer declared."),
    }))
}

pub(crate) fn model(state: &AppState, name: &str) -> ApiResult<ModelName> {
    access::check(name)?;
    let found = state.snapshot.model(name);
    let model = found.ok_or_else(|| ApiError::model_not_found(name))?;
    Ok(model.traffic().name.clone())
}

fn missing(name: &str, metric: &str) -> ApiError {
    let detail = format!("{name} has no metric {metric}; `PUT` declares one.");
    ApiError::new(ErrorCode::MetricNotFound, detail)
}
