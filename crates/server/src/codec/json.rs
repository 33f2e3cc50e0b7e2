//! Weir's own JSON: `POST /predict`.

use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, read_json};
use crate::openapi::problems;
use crate::predict::{Call, Failure, Prediction, predict as core};
use crate::snapshot::NoModel;
use crate::state::AppState;
use api::{ErrorCode, PredictReply, PredictRequest};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Request};
use hyper::body::Body;
use runtime::RuntimeError;
use std::borrow::Cow;
use types::{Input, UnitId};

/// Predicts: chooses a version, calls it, logs the prediction, answers.
#[utoipa::path(
    post,
    path = "/predict",
    tag = "predictions",
    request_body = PredictRequest,
    responses(
        (status = 200, description = "the prediction, which is logged", body = PredictReply<'static>),
        problems::Predict,
    ),
)]
pub(crate) async fn predict(
    State(state): State<AppState>,
    request: axum::extract::Request,
) -> ApiResult<([(HeaderName, HeaderValue); 1], Vec<u8>)> {
    let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(([json], answer(&state, request).await?))
}

/// The reply to a request for a prediction, as JSON.
pub(crate) async fn answer<B>(state: &AppState, request: Request<B>) -> ApiResult<Vec<u8>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (body, bytes) = read_json(request, &state.config).await?;
    let call = check(body, bytes)?;
    let prediction = core(state, call).await.map_err(problem)?;
    Ok(reply(&prediction))
}

fn check(body: PredictRequest, input_bytes: usize) -> ApiResult<Call> {
    let mut fields = Fields::default();
    let input = match (body.text, body.inputs) {
        (Some(text), None) if !text.is_empty() => Some(Input::Text(text)),
        (None, Some(inputs)) => Some(Input::Json(inputs)),
        (Some(_), None) => {
            fields.wrong("/text", "must have at least one character");
            None
        }
        (None, None) => {
            fields.wrong(
                "/text",
                "is missing: give `text`, or `inputs` for other models",
            );
            None
        }
        (Some(_), Some(_)) => {
            fields.wrong("/inputs", "cannot stand beside `text`: give one of them");
            None
        }
    };
    let unit_id = fields.take_option("/unit_id", body.unit_id.as_deref().map(UnitId::parse));
    let call = input.map(|input| Call {
        input,
        name: body.name,
        pinned: body.model_version,
        unit_id,
        input_bytes,
    });
    fields.finish(call)
}

fn reply(prediction: &Prediction) -> Vec<u8> {
    let output = prediction.output();
    let reply = PredictReply {
        prediction: Cow::Borrowed(&output.prediction),
        confidence: output.confidence,
        model_id: Cow::Borrowed(prediction.model_id()),
        model_version: Cow::Borrowed(prediction.version()),
        latency_ms: prediction.latency_ns() as f64 / 1e6,
        prediction_id: prediction.id().to_string(),
        name: Cow::Borrowed(prediction.name()),
        experiment: prediction.experiment().map(|id| id.to_string()),
        served_model_id: Cow::Borrowed(prediction.served_model_id()),
    };
    let mut json = Vec::with_capacity(512);
    serde_json::to_writer(&mut json, &reply).expect("texts and numbers are JSON");
    json
}

fn problem(failure: Failure) -> ApiError {
    match failure {
        Failure::Busy => ApiError::new(
            ErrorCode::TooManyRequests,
            "Too many predictions are under way; try again in a moment.",
        ),
        Failure::Model(NoModel::Unknown(name)) => ApiError::model_not_found(&name),
        Failure::Model(NoModel::NoneActive) => ApiError::no_active_version(None),
        Failure::Model(NoModel::NotAnswering(version)) | Failure::NotAnswering { version } => {
            ApiError::version_not_answering(&version)
        }
        Failure::Model(NoModel::Ambiguous(names)) => ApiError::new(
            ErrorCode::AmbiguousModel,
            format!(
                "Several models can answer; say which in `name`: {}.",
                names.join(", ")
            ),
        ),
        Failure::NoneActive { name } => ApiError::no_active_version(Some(&name)),
        Failure::Rejected { reason, id } => ApiError::new(
            ErrorCode::InputRejected,
            format!("The version does not take this input: {reason}."),
        )
        .of_prediction(id),
        Failure::Failed { error, id } => {
            let code = match error {
                RuntimeError::Timeout(_) => ErrorCode::ModelTimeout,
                RuntimeError::Rejected(_) | RuntimeError::Failed(_) => ErrorCode::ModelFailed,
            };
            let detail = format!("The version failed and no other could answer: {error}.");
            ApiError::new(code, detail).of_prediction(id)
        }
        Failure::TooLarge { bytes, most } => ApiError::new(
            ErrorCode::BodyTooLarge,
            format!(
                "The input has {bytes} bytes, and the log takes {most}: send less, or raise \
                 `--journal-max-bytes`, of which an entry may have a 64th."
            ),
        ),
        Failure::NotLogged(reason) => ApiError::log_unavailable(&reason),
    }
}
