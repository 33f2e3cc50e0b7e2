//! `POST /predict`: choose a version, call it, log the prediction, answer.

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, read_json};
use crate::openapi::problems;
use crate::snapshot::Model;
use crate::state::AppState;
use api::{ErrorCode, PredictReply, PredictRequest};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Request};
use hyper::body::Body;
use route::{Assignment, NoVersion};
use runtime::RuntimeError;
use std::borrow::Cow;
use std::time::{Duration, Instant};
use store::StoreError;
use types::{Input, Outcome, Output, PredictionId, PredictionRecord, UnitId};

/// Predicts: chooses a version, calls it, logs the prediction, answers.
#[utoipa::path(post, path = "/predict", tag = "predictions", request_body = PredictRequest, responses((status = 200, description = "the prediction, which is logged", body = PredictReply<'static>), problems::Predict, problems::Body))]
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
    let body = read_json(request, &state.limits).await?;
    let Ok(_permit) = state.permits.try_acquire() else {
        let detail = "Too many predictions are under way; try again in a moment.";
        return Err(ApiError::new(ErrorCode::TooManyRequests, detail));
    };
    let start = Instant::now();
    let request = check(body)?;
    let model = {
        let snapshot = state.snapshot.load();
        let pinned = request.pinned.as_deref();
        std::sync::Arc::clone(snapshot.find(request.name.as_deref(), pinned)?)
    };
    let random = clock::random();
    let assignment = assign(&model, &request, random)?;
    let deadline = start + state.limits.predict_timeout;
    let call = call(&model, &assignment, &request, random, deadline).await;
    let latency_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let (answer, error) = call?;

    let id = state.ids.next(state.clock.now(), random);
    // Written before the record goes away to be logged; it leaves only after that.
    let reply = answer
        .as_ref()
        .map(|(served, output)| reply(&model, &assignment, *served, output, id, latency_ns));
    let versions = &model.traffic().versions;
    let record = PredictionRecord {
        id,
        version: versions[assignment.version].key,
        reason: assignment.reason,
        experiment: assignment.experiment.map(|(key, _)| key),
        epoch: assignment.epoch,
        propensity: assignment.propensity,
        unit_id: request.unit_id,
        input: request.input,
        outcome: Outcome {
            answer: answer.map(|(served, output)| (versions[served].key, output)),
            error: error.as_ref().map(ToString::to_string),
            latency_ns,
        },
    };
    log(state, record, deadline).await?;
    reply.ok_or_else(|| {
        let error = error.unwrap_or(RuntimeError::Failed("nobody answered".into()));
        failed(&error).of_prediction(id)
    })
}

fn reply(
    model: &Model,
    assignment: &Assignment,
    served: usize,
    output: &Output,
    id: PredictionId,
    latency_ns: u64,
) -> Vec<u8> {
    let traffic = model.traffic();
    let reply = PredictReply {
        prediction: Cow::Borrowed(&output.prediction),
        confidence: output.confidence,
        model_id: Cow::Borrowed(&model.model_ids[assignment.version]),
        model_version: Cow::Borrowed(traffic.versions[assignment.version].version.as_str()),
        latency_ms: latency_ns as f64 / 1e6,
        prediction_id: id.to_string(),
        name: Cow::Borrowed(traffic.name.as_str()),
        experiment: assignment.experiment.map(|(_, id)| id.to_string()),
        served_model_id: Cow::Borrowed(&model.model_ids[served]),
    };
    let mut json = Vec::with_capacity(512);
    serde_json::to_writer(&mut json, &reply).expect("texts and numbers are JSON");
    json
}

struct Checked {
    input: Input,
    name: Option<String>,
    pinned: Option<String>,
    unit_id: Option<UnitId>,
}

fn check(body: PredictRequest) -> ApiResult<Checked> {
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
    let checked = input.map(|input| Checked {
        input,
        name: body.name,
        pinned: body.model_version,
        unit_id,
    });
    fields.finish(checked)
}

fn assign(model: &Model, request: &Checked, random: u64) -> ApiResult<Assignment> {
    let unit = request.unit_id.as_ref().map(UnitId::as_str);
    let pinned = request.pinned.as_deref();
    model
        .routes
        .assign(pinned, unit, random)
        .map_err(|error| match error {
            NoVersion::NoneActive => {
                ApiError::no_active_version(Some(model.traffic().name.as_str()))
            }
            NoVersion::NotAnswering => ApiError::version_not_answering(pinned.unwrap_or_default()),
        })
}

/// Who answered, as a place in the traffic, and why the chosen version did not.
type Called = (Option<(usize, Output)>, Option<RuntimeError>);

async fn call(
    model: &Model,
    assignment: &Assignment,
    request: &Checked,
    random: u64,
    deadline: Instant,
) -> ApiResult<Called> {
    let left = || deadline.saturating_duration_since(Instant::now());
    let chosen = &model.runtimes[assignment.version];
    let error = match chosen.call(&request.input, left()).await {
        Ok(output) => return Ok((Some((assignment.version, output)), None)),
        Err(RuntimeError::WrongInput(detail)) => {
            return Err(ApiError::field("", detail));
        }
        Err(error) => error,
    };
    // A request without a unit is its own unit: its random bits stand for it.
    let own = format!("{random:016x}");
    let unit = request
        .unit_id
        .as_ref()
        .map_or(own.as_str(), UnitId::as_str);
    for next in model.routes.fallbacks(assignment, unit) {
        if left() == Duration::ZERO {
            break;
        }
        if let Ok(output) = model.runtimes[next].call(&request.input, left()).await {
            return Ok((Some((next, output)), Some(error)));
        }
    }
    Ok((None, Some(error)))
}

async fn log(state: &AppState, record: PredictionRecord, deadline: Instant) -> ApiResult<()> {
    // What is left of the time, but enough for a place when the version took all of it.
    let left = deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_secs(5));
    let unavailable = |error: StoreError| ApiError::log_unavailable(&error.to_string());
    let queued = tokio::time::timeout(left, state.store.queue(record))
        .await
        .map_err(|_| ApiError::log_unavailable("the log does not keep up"))?
        .map_err(unavailable)?;
    // No time limit from here on: the record will be written or not, and only the writer knows.
    queued.logged().await.map_err(unavailable)
}

fn failed(error: &RuntimeError) -> ApiError {
    let code = match error {
        RuntimeError::Timeout(_) => ErrorCode::ModelTimeout,
        RuntimeError::WrongInput(_) | RuntimeError::Failed(_) => ErrorCode::ModelFailed,
    };
    ApiError::new(
        code,
        format!("The version failed and no other could answer: {error}."),
    )
}
