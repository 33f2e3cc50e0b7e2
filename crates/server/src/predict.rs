//! `POST /predict`: choose a version, call it, log the prediction, answer.

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, Json};
use crate::snapshot::Model;
use crate::state::AppState;
use api::{ErrorCode, PredictReply, PredictRequest};
use axum::Json as Reply;
use axum::extract::State;
use route::{Assignment, NoVersion};
use runtime::RuntimeError;
use std::time::{Duration, Instant};
use types::{Input, Outcome, Output, PredictionRecord, UnitId};

pub(crate) async fn predict(
    State(state): State<AppState>,
    Json(body): Json<PredictRequest>,
) -> ApiResult<Reply<PredictReply>> {
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

    let chosen = &model.traffic().versions[assignment.version];
    let id = state.ids.next(state.clock.now(), random);
    let served = answer
        .as_ref()
        .map(|(served, _)| &model.traffic().versions[*served]);
    let output = answer.as_ref().map(|(_, output)| output.clone());
    let record = PredictionRecord {
        id,
        version: chosen.key,
        reason: assignment.reason,
        epoch: assignment.epoch,
        propensity: assignment.propensity,
        unit_id: request.unit_id,
        input: request.input,
        outcome: Outcome {
            answer: served.map(|served| served.key).zip(output),
            error: error.as_ref().map(ToString::to_string),
            latency_ns,
        },
    };
    log(&state, record, deadline).await?;

    let Some(((_, output), served)) = answer.zip(served) else {
        let error = error.unwrap_or(RuntimeError::Failed("nobody answered".into()));
        return Err(failed(&error).of_prediction(id));
    };
    Ok(Reply(PredictReply {
        prediction: output.prediction,
        confidence: output.confidence,
        model_id: chosen.model_id.to_string(),
        model_version: chosen.version.to_string(),
        latency_ms: latency_ns as f64 / 1e6,
        prediction_id: id.to_string(),
        name: model.traffic().name.to_string(),
        experiment: None,
        served_model_id: served.model_id.to_string(),
    }))
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
    // What is left of the time, but enough to write when the version took all of it.
    let left = deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_secs(5));
    match tokio::time::timeout(left, state.store.append(record)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(ApiError::log_unavailable(&error.to_string())),
        Err(_) => Err(ApiError::log_unavailable("the log did not keep up")),
    }
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
