//! `/predictions`: the log.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Params, TextPath};
use crate::openapi::problems;
use crate::results::fresh;
use crate::state::AppState;
use api::{ErrorCode, LoggedPrediction, PredictionPage, StoredFeedback};
use axum::Json as Reply;
use axum::extract::State;
use serde::Deserialize;
use store::PredictionFilter;
use types::{Input, ModelId, ModelName, PredictionId, Status, TimeRange, Timestamp, VersionName};
use utoipa::IntoParams;

const DEFAULT_LIMIT: u32 = 50;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    name: Option<String>,
    version: Option<String>,
    model_id: Option<String>,
    status: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Lists logged predictions.
#[utoipa::path(get, path = "/predictions", tag = "predictions", params(ListParams), responses((status = 200, description = "logged predictions, newest first", body = PredictionPage), problems::Query, problems::Stored))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(params): Params<ListParams>,
) -> ApiResult<Reply<PredictionPage>> {
    let filter = check(&params)?;
    let limit = filter.limit as usize;
    let log_lag = fresh(&state).await;
    let found = state.store.predictions(filter).await?;
    let last = found.last().map(|prediction| prediction.id.to_string());
    let next_cursor = last.filter(|_| found.len() == limit);
    let predictions = found.into_iter().map(wire).collect();
    Ok(Reply(PredictionPage {
        predictions,
        next_cursor,
        log_lag,
    }))
}

fn check(params: &ListParams) -> ApiResult<PredictionFilter> {
    let mut fields = Fields::default();
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=1000).contains(&limit) {
        fields.wrong("?limit", "must be from 1 to 1000");
    }
    let status = params.status.as_deref().map(|text| {
        let unknown = |()| "must be ok, fallback, error or rejected";
        text.parse::<Status>().map_err(unknown)
    });
    let filter = PredictionFilter {
        name: fields.take_option("?name", params.name.as_deref().map(ModelName::parse)),
        version: fields.take_option(
            "?version",
            params.version.as_deref().map(VersionName::parse),
        ),
        model_id: fields.take_option(
            "?model_id",
            params.model_id.as_deref().map(str::parse::<ModelId>),
        ),
        status: fields.take_option("?status", status),
        range: range(
            &mut fields,
            params.since.as_deref(),
            params.until.as_deref(),
        ),
        before: fields.take_option(
            "?cursor",
            params.cursor.as_deref().map(str::parse::<PredictionId>),
        ),
        limit,
    };
    fields.finish(Some(filter))
}

/// `since` (inclusive) and `until` (exclusive) of a query.
pub(crate) fn range(fields: &mut Fields, since: Option<&str>, until: Option<&str>) -> TimeRange {
    let since = fields.take_option("?since", since.map(str::parse::<Timestamp>));
    let until = fields.take_option("?until", until.map(str::parse::<Timestamp>));
    if since
        .zip(until)
        .is_some_and(|(since, until)| since >= until)
    {
        fields.wrong("?until", "must be later than `since`");
    }
    TimeRange { since, until }
}

/// Reads a logged prediction, with the feedback that came for it.
#[utoipa::path(get, path = "/predictions/{prediction_id}", tag = "predictions", params(("prediction_id" = String, Path, description = "a UUID version 7")), responses((status = 200, description = "the prediction", body = LoggedPrediction), problems::NoPrediction, problems::Stored))]
pub(crate) async fn read(
    State(state): State<AppState>,
    TextPath(text): TextPath<String>,
) -> ApiResult<Reply<LoggedPrediction>> {
    let missing = || {
        let detail = format!("No prediction {text} is logged.");
        ApiError::new(ErrorCode::PredictionNotFound, detail)
    };
    let id: PredictionId = text.parse().map_err(|_| missing())?;
    let behind = fresh(&state).await.is_some();
    let found = match state.store.prediction(id).await? {
        Some(found) => found,
        // It may be among what is still to be counted.
        None if behind => return Err(ApiError::log_behind()),
        None => return Err(missing()),
    };
    let feedback = state.store.feedback_of(id).await?;
    let feedback = feedback.into_iter().map(|value| StoredFeedback {
        metric: value.metric.to_string(),
        value: value.value,
        label: value.label,
        received_at: value.received_at.to_string(),
    });
    Ok(Reply(LoggedPrediction {
        feedback: Some(feedback.collect()),
        ..wire(found)
    }))
}

fn wire(p: store::LoggedPrediction) -> LoggedPrediction {
    let (text, inputs) = match p.input {
        Input::Text(text) => (Some(text), None),
        Input::Json(inputs) => (None, Some(inputs)),
    };
    LoggedPrediction {
        prediction_id: p.id.to_string(),
        created_at: p.id.time().to_string(),
        name: p.name.to_string(),
        model_id: p.model_id.to_string(),
        model_version: p.version.to_string(),
        served_model_id: p.served_model_id.map(|id| id.to_string()),
        status: p.status.to_string(),
        reason: p.reason.as_str().into(),
        epoch: p.epoch,
        propensity: p.propensity,
        unit_id: p.unit_id,
        text,
        inputs,
        prediction: p.prediction,
        confidence: p.confidence,
        latency_ms: p.latency_ns as f64 / 1e6,
        error: p.error,
        experiment: p.experiment.map(|id| id.to_string()),
        feedback: None,
    }
}
