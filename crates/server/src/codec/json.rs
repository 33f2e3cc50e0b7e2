//! Weir's own JSON: `POST /predict`, one request or an array of them.

use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, TextPath, parse, parse_object, read_json_bytes};
use crate::front::ModelTime;
use crate::openapi::{path, problems};
use crate::predict::{Answer, Call, Failure, Prediction, predict as core};
use crate::snapshot::NoModel;
use crate::state::AppState;
use api::{ErrorCode, PredictBody, PredictReplies, PredictReply, PredictRequest};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Request};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use hyper::body::Body;
use runtime::RuntimeError;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use store::LoggedPrediction;
use types::{Input, Json, RequestId, UnitId};

/// The most requests of one array.
const MAX_BATCH: usize = 100;
/// So many of them are answered at a time.
const AT_ONCE: usize = 16;

/// Predicts: chooses a version, calls it, logs the prediction, answers. An array of up to 100 requests gets an array of as
/// many replies or problems, in order; those without a `unit_id` are one unit together.
#[utoipa::path(
    post,
    path = "/predict",
    tag = "predictions",
    request_body = PredictBody,
    responses(
        (status = 200, description = "the prediction, which is logged", body = PredictReplies<'static>),
        problems::Predict,
    ),
)]
pub(crate) async fn predict(
    State(state): State<AppState>,
    request: axum::extract::Request,
) -> ApiResult<Response> {
    answer(&state, request, None).await.map(Said::into_response)
}

/// Predicts with a model that is named by the path: the same as `POST /predict` with its `name`.
#[utoipa::path(
    post,
    path = "/models/by-name/{name}/predict",
    tag = "predictions",
    params(path::Model),
    request_body = PredictBody,
    responses(
        (status = 200, description = "the prediction, which is logged", body = PredictReplies<'static>),
        problems::Predict,
    ),
)]
pub(crate) async fn predict_by_name(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
    request: axum::extract::Request,
) -> ApiResult<Response> {
    let said = answer(&state, request, Some(&name)).await;
    said.map(Said::into_response)
}

/// A reply as JSON, and how long the model took where it was one.
pub(crate) struct Said {
    pub(crate) json: Vec<u8>,
    pub(crate) model: Option<ModelTime>,
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        let mut response = ([JSON], self.json).into_response();
        if let Some(time) = self.model {
            response.extensions_mut().insert(time);
        }
        response
    }
}

const JSON: (HeaderName, HeaderValue) =
    (CONTENT_TYPE, HeaderValue::from_static("application/json"));

/// The reply to a request for a prediction, as JSON; `name` is the model that its path names.
pub(crate) async fn answer<B>(
    state: &AppState,
    request: Request<B>,
    name: Option<&str>,
) -> ApiResult<Said>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let bytes = read_json_bytes(request, &state.config).await?;
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let json = answer_all(state, &bytes, name).await?;
        return Ok(Said { json, model: None });
    }
    answer_one(state, &bytes, name, (None, None)).await
}

async fn answer_one(
    state: &AppState,
    json: &[u8],
    name: Option<&str>,
    (unit, until): (Option<&UnitId>, Option<Instant>),
) -> ApiResult<Said> {
    let call = check(parse_object(json)?, name, (unit, until))?;
    let answered = core(state, call).await.map_err(problem)?;
    Ok(match answered {
        Answer::New(prediction) => Said {
            json: reply(&prediction),
            model: Some(ModelTime(prediction.model_time())),
        },
        Answer::Repeated(first) => Said {
            json: repeated(&first),
            model: None,
        },
    })
}

/// So many bytes of answers are kept for an array; what is left of it is not called.
const MAX_ANSWERS: usize = 8 << 20;

fn too_much() -> ApiError {
    ApiError::new(
        ErrorCode::BodyTooLarge,
        "The answers to the earlier requests of this array have more than 8 MiB, so no version was called for this \
         one; send it in another array.",
    )
}

/// 1 to [`MAX_BATCH`] requests, as they came. No more are read.
struct Batch(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Requests;

        impl<'de> Visitor<'de> for Requests {
            type Value = Batch;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "1 to {MAX_BATCH} requests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Batch, A::Error> {
                let mut requests = Vec::new();
                while let Some(request) = seq.next_element()? {
                    if requests.len() == MAX_BATCH {
                        return Err(A::Error::custom(
                            "must have 1 to 100 requests, and has more",
                        ));
                    }
                    requests.push(request);
                }
                if requests.is_empty() {
                    return Err(A::Error::custom(
                        "must have 1 to 100 requests, and has none",
                    ));
                }
                Ok(Batch(requests))
            }
        }

        deserializer.deserialize_seq(Requests)
    }
}

/// Each gets its reply or its problem: one that is wrong keeps no other from being answered.
async fn answer_all(state: &AppState, json: &[u8], name: Option<&str>) -> ApiResult<Vec<u8>> {
    // As they are: what is wrong with one is said of that one.
    let Batch(requests) = parse(json)?;
    let unit = Some(UnitId::of_array([clock::random(), clock::random()]));
    let name = name.map(str::to_owned);
    let until = Some(Instant::now() + state.config.predict_timeout);
    let taken = Arc::new(AtomicUsize::new(0));
    let answers = requests.into_iter().map(|request| {
        let (state, name, unit) = (state.clone(), name.clone(), unit.clone());
        let taken = Arc::clone(&taken);
        async move {
            if taken.load(Ordering::Relaxed) > MAX_ANSWERS {
                return too_much().to_json();
            }
            let json = request.get().as_bytes();
            let answered = answer_one(&state, json, name.as_deref(), (unit.as_ref(), until)).await;
            let answered = answered.map_or_else(|error| error.to_json(), |said| said.json);
            taken.fetch_add(answered.len(), Ordering::Relaxed);
            answered
        }
    });
    let answers: Vec<Vec<u8>> = stream::iter(answers).buffered(AT_ONCE).collect().await;
    let mut all =
        Vec::with_capacity(answers.iter().map(|answer| answer.len() + 1).sum::<usize>() + 2);
    for (at, answer) in answers.iter().enumerate() {
        all.push(if at == 0 { b'[' } else { b',' });
        all.extend_from_slice(answer);
    }
    all.push(b']');
    Ok(all)
}

fn check(
    body: PredictRequest,
    name: Option<&str>,
    (unit, until): (Option<&UnitId>, Option<Instant>),
) -> ApiResult<Call> {
    let mut fields = Fields::default();
    if let (Some(of_path), Some(of_body)) = (name, &body.name)
        && of_path != of_body
    {
        fields.wrong("/name", "differs from the model in the path: leave it out");
    }
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
            fields.wrong(
                "/inputs",
                "cannot be combined with `text`: give only one of them",
            );
            None
        }
    };
    let unit_id = fields.take_option("/unit_id", body.unit_id.as_deref().map(UnitId::parse));
    let attributes = fields.attributes(body.attributes);
    let names_unit = unit_id.is_some();
    let unit_id = unit_id.or_else(|| unit.cloned());
    let request_id = body.request_id.as_deref().map(RequestId::parse);
    let request_id = fields.take_option("/request_id", request_id);
    let call = input.map(|input| Call {
        request_id,
        until,
        names_unit,
        attributes,
        input,
        name: name.map(str::to_owned).or(body.name),
        pinned: body.model_version,
        unit_id,
    });
    fields.finish(call)
}

fn reply(prediction: &Prediction) -> Vec<u8> {
    let output = prediction.output();
    let reply = PredictReply {
        prediction: Cow::Borrowed(&output.prediction),
        confidence: output.confidence,
        outputs: output.outputs.as_ref().map(Cow::Borrowed),
        model_id: Cow::Borrowed(prediction.model_id()),
        model_version: Cow::Borrowed(prediction.version()),
        latency_ms: prediction.latency_ns() as f64 / 1e6,
        prediction_id: prediction.id().to_string(),
        name: Cow::Borrowed(prediction.name()),
        experiment: prediction.experiment().map(|id| id.to_string()),
        served_model_id: Cow::Borrowed(prediction.served_model_id()),
        repeated: false,
    };
    let mut json = Vec::with_capacity(512);
    serde_json::to_writer(&mut json, &reply).expect("texts and numbers are JSON");
    json
}

/// The reply that the request got when it came first.
fn repeated(first: &LoggedPrediction) -> Vec<u8> {
    let no_answer = Json::default();
    let model_id = first.model_id.to_string();
    let served = first.served_model_id.map(|id| id.to_string());
    let reply = PredictReply {
        prediction: Cow::Borrowed(first.prediction.as_ref().unwrap_or(&no_answer)),
        confidence: first.confidence,
        outputs: first.outputs.as_ref().map(Cow::Borrowed),
        model_version: Cow::Borrowed(first.version.as_str()),
        latency_ms: first.latency_ns.unwrap_or_default() as f64 / 1e6,
        prediction_id: first.id.to_string(),
        name: Cow::Borrowed(first.name.as_str()),
        experiment: first.experiment_id.map(|id| id.to_string()),
        served_model_id: served.map_or_else(|| Cow::Owned(model_id.clone()), Cow::Owned),
        model_id: Cow::Borrowed(&model_id),
        repeated: true,
    };
    serde_json::to_vec(&reply).expect("texts and numbers are JSON")
}

/// What is said of a failure.
pub(crate) fn problem(failure: Failure) -> ApiError {
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
        Failure::Forbidden(error) => error,
        Failure::NoneActive { name } => ApiError::no_active_version(Some(&name)),
        Failure::Rejected { rejection, id } => ApiError::new(
            ErrorCode::InputRejected,
            format!("The version does not accept this input: {rejection}."),
        )
        .of_prediction(id),
        Failure::Failed { error, id } => {
            let code = match error {
                RuntimeError::Timeout(_) => ErrorCode::ModelTimeout,
                RuntimeError::Overloaded(_) => ErrorCode::ModelOverloaded,
                RuntimeError::Rejected(_) | RuntimeError::Failed(..) => ErrorCode::ModelFailed,
            };
            let detail = format!("The version failed and no other could answer: {error}.");
            ApiError::new(code, detail).of_prediction(id)
        }
        Failure::AnswerNotKept(id) => ApiError::new(
            ErrorCode::AnswerNotKept,
            "This request was answered the first time, but that answer is not kept: use another `request_id` to ask \
             a version again.",
        )
        .of_prediction(id),
        Failure::RequestIdTaken(id) => ApiError::new(
            ErrorCode::RequestIdTaken,
            "Another request within `--request-hours` used this `request_id` and asked something else, or its \
             answer was deleted; give each request its own id.",
        )
        .of_prediction(id),
        Failure::RequestUnknown(None) => ApiError::log_behind(),
        Failure::RequestUnknown(Some(error)) => error.into(),
        Failure::TooLarge { bytes, most } => ApiError::new(
            ErrorCode::BodyTooLarge,
            format!(
                "The input has {bytes} bytes, but the log takes at most {most}: send less, or raise \
                 `--journal-max-bytes`, since an entry may take a 64th of it."
            ),
        ),
        Failure::NotLogged(reason) => ApiError::log_unavailable(&reason),
    }
}
