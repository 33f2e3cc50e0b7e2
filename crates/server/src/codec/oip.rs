//! The Open Inference Protocol, version 2, over HTTP: Weir as a model server for clients of Triton, KServe and MLServer.
//!
//! Without a version in the path a model routes each request as `POST /predict` does; with one that version answers. The `id`
//! of a request is the client's own and is echoed; what names the request for Weir is the parameter `request_id`.

mod form;

use crate::codec::json::problem;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Fields, opened, read_bytes};
use crate::front::ModelTime;
use crate::gzip;
use crate::openapi::path;
use crate::predict::{Answer, Call, predict};
use crate::state::AppState;
use api::ErrorCode;
use axum::Json as Reply;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use form::{Asked, InferReply, InferRequest, Named, read, to_json, write};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use store::LoggedPrediction;
use types::{
    DataType, Elements, Input, Json, Members, RequestId, RuntimeSpec, Tensor, TensorForm, UnitId,
};

/// How long the JSON of a request or a reply is, where tensors stand behind it.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");
/// The tensor that texts come in.
const TEXT: &str = "text";
/// What parameters with attributes begin with.
const ATTRIBUTES: &str = "attributes.";

/// An error in the form of the protocol.
pub(super) struct Problem(pub(super) ApiError);

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let (said, code) = (error.detail().to_owned(), error.code());
        let of_prediction = error.prediction_header();
        let mut response = error.into_response();
        let body = json!({"error": said, "code": code.as_str()});
        *response.body_mut() = axum::body::Body::from(body.to_string());
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response.headers_mut().extend(of_prediction);
        response
    }
}

/// What the server is.
#[utoipa::path(get, path = "/v2", tag = "open inference protocol", responses((status = 200, description = "name, version and extensions", body = Value)))]
pub(crate) async fn server() -> Reply<Value> {
    Reply(json!({
        "name": "weir",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data", "classification"],
    }))
}

/// Whether the server lives.
#[utoipa::path(get, path = "/v2/health/live", tag = "open inference protocol", responses((status = 200, description = "it does", body = Value)))]
pub(crate) async fn live() -> Reply<Value> {
    Reply(json!({"live": true}))
}

/// Whether the server answers requests: a model that is active does.
#[utoipa::path(
    get,
    path = "/v2/health/ready",
    tag = "open inference protocol",
    responses((status = 200, description = "it does", body = Value), (status = 503, description = "no model is active", body = Value)),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, Reply<Value>) {
    let ready = !state.snapshot.active_names().is_empty();
    // The text of the protocol says `live` here, and its servers say `ready`.
    (status(ready), Reply(json!({"ready": ready, "live": ready})))
}

fn status(ready: bool) -> StatusCode {
    if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// What a model takes and gives.
#[utoipa::path(
    get,
    path = "/v2/models/{name}",
    tag = "open inference protocol",
    params(path::Model),
    responses((status = 200, description = "its versions, inputs and outputs", body = Value), (status = 404, description = "there is no such model", body = Value)),
)]
pub(crate) async fn model(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Reply<Value>, impl IntoResponse> {
    metadata(&state, &name, None).map_err(Problem)
}

/// What a version takes and gives.
#[utoipa::path(
    get,
    path = "/v2/models/{name}/versions/{version}",
    tag = "open inference protocol",
    params(path::Model, ("version" = String, Path, description = "the version string, or an alias such as `@champion`")),
    responses((status = 200, description = "its inputs and outputs", body = Value), (status = 404, description = "there is no such version", body = Value)),
)]
pub(crate) async fn version(
    State(state): State<AppState>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Reply<Value>, impl IntoResponse> {
    metadata(&state, &name, Some(&version)).map_err(Problem)
}

fn metadata(state: &AppState, name: &str, version: Option<&str>) -> ApiResult<Reply<Value>> {
    let model = state
        .snapshot
        .model(name)
        .ok_or_else(|| ApiError::model_not_found(name))?;
    let versions = &model.traffic().versions;
    let at = match version {
        Some(named) => {
            let (named, _) = model.named(named);
            versions
                .iter()
                .position(|version| version.version.as_str() == named)
                .ok_or_else(|| ApiError::version_not_found(named))?
        }
        // That one that answers most; all of a model are asked alike.
        None => {
            let answering = versions
                .iter()
                .enumerate()
                .filter(|(_, version)| version.status.answers());
            let most = answering
                .max_by(|(_, one), (_, other)| one.weight.get().total_cmp(&other.weight.get()));
            // Where none answers, what the newest one takes is what is going to be asked for.
            let newest = versions.len().checked_sub(1);
            most.map(|(at, _)| at)
                .or(newest)
                .ok_or_else(|| ApiError::model_not_found(name))?
        }
    };
    let answering: Vec<&str> = versions
        .iter()
        .filter(|version| version.status.answers())
        .map(|version| version.version.as_str())
        .collect();
    let (inputs, outputs) = match model.runtime(at).ok().and_then(runtime::Runtime::ports) {
        Some((inputs, outputs)) => (json!(inputs), json!(outputs)),
        None => ports(model.spec(at)),
    };
    Ok(Reply(json!({
        "name": name,
        "versions": answering,
        "platform": "weir",
        "inputs": inputs,
        "outputs": outputs,
    })))
}

/// Of versions that have no tensors of their own.
fn ports(spec: &RuntimeSpec) -> (Value, Value) {
    let input = json!([{"name": TEXT, "datatype": "BYTES", "shape": [1]}]);
    let mut outputs = vec![json!({"name": "prediction", "datatype": "BYTES", "shape": [1]})];
    if !matches!(spec, RuntimeSpec::Http(http) if http.confidence_pointer.is_none()) {
        outputs.push(json!({"name": "confidence", "datatype": "FP64", "shape": [1]}));
    }
    (input, json!(outputs))
}

/// Whether a model answers.
#[utoipa::path(
    get,
    path = "/v2/models/{name}/ready",
    tag = "open inference protocol",
    params(path::Model),
    responses((status = 200, description = "it does", body = Value), (status = 404, description = "there is no such model", body = Value), (status = 400, description = "it does not", body = Value)),
)]
pub(crate) async fn model_ready(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Reply<Value>), impl IntoResponse> {
    readiness(&state, &name, None).map_err(Problem)
}

/// Whether a version answers.
#[utoipa::path(
    get,
    path = "/v2/models/{name}/versions/{version}/ready",
    tag = "open inference protocol",
    params(path::Model, ("version" = String, Path, description = "the version string, or an alias such as `@champion`")),
    responses((status = 200, description = "it does", body = Value), (status = 404, description = "there is no such version", body = Value), (status = 400, description = "it does not", body = Value)),
)]
pub(crate) async fn version_ready(
    State(state): State<AppState>,
    Path((name, version)): Path<(String, String)>,
) -> Result<(StatusCode, Reply<Value>), impl IntoResponse> {
    readiness(&state, &name, Some(&version)).map_err(Problem)
}

fn readiness(
    state: &AppState,
    name: &str,
    version: Option<&str>,
) -> ApiResult<(StatusCode, Reply<Value>)> {
    let model = state
        .snapshot
        .model(name)
        .ok_or_else(|| ApiError::model_not_found(name))?;
    let versions = model.traffic().versions.iter().enumerate();
    let answers =
        |at: usize| model.traffic().versions[at].status.answers() && model.is_callable(at);
    let ready = match version {
        None => model.routes.is_active() && versions.into_iter().any(|(at, _)| answers(at)),
        Some(named) => {
            let (named, _) = model.named(named);
            let mut found = versions
                .into_iter()
                .filter(|(_, version)| version.version.as_str() == named);
            let (at, _) = found
                .next()
                .ok_or_else(|| ApiError::version_not_found(named))?;
            answers(at)
        }
    };
    Ok((
        if ready {
            StatusCode::OK
        } else {
            // As the protocol has it: the client asked for what is not there now.
            StatusCode::BAD_REQUEST
        },
        Reply(json!({"name": name, "ready": ready})),
    ))
}

/// Infers: a version is chosen, called, and the prediction is logged.
///
/// Parameters: `unit_id`, `request_id`, and attributes as `attributes.NAME`. Parameters of the reply: `prediction_id`,
/// `model_id`, `propensity`, and what else `POST /predict` says. The input `text` (BYTES) is for versions that read texts.
#[utoipa::path(
    post,
    path = "/v2/models/{name}/infer",
    tag = "open inference protocol",
    params(path::Model),
    request_body = Value,
    responses((status = 200, description = "the outputs, as JSON or as bytes behind it", body = Value), (status = "4XX", description = "the request does not fit, or cannot be answered", body = Value),
        (status = "5XX", description = "it was not answered", body = Value)),
)]
pub(crate) async fn infer(
    State(state): State<AppState>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let answered = answer(&state, &name, None, request).await;
    answered.unwrap_or_else(|error| Problem(error).into_response())
}

/// Infers with one version.
#[utoipa::path(
    post,
    path = "/v2/models/{name}/versions/{version}/infer",
    tag = "open inference protocol",
    params(path::Model, ("version" = String, Path, description = "the version string, or an alias such as `@champion`")),
    request_body = Value,
    responses((status = 200, description = "the outputs, as JSON or as bytes behind it", body = Value), (status = "4XX", description = "the request does not fit, or cannot be answered", body = Value),
        (status = "5XX", description = "it was not answered", body = Value)),
)]
pub(crate) async fn infer_version(
    State(state): State<AppState>,
    Path((name, version)): Path<(String, String)>,
    request: Request,
) -> Response {
    let answered = answer(&state, &name, Some(version), request).await;
    answered.unwrap_or_else(|error| Problem(error).into_response())
}

fn unfit(why: impl Into<String>) -> ApiError {
    let mut why = why.into();
    if !why.ends_with('.') {
        why.push('.');
    }
    let mut letters = why.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    ApiError::new(
        ErrorCode::MalformedInference,
        format!("{first}{}", letters.as_str()),
    )
}

async fn answer(
    state: &AppState,
    name: &str,
    pinned: Option<String>,
    request: Request,
) -> ApiResult<Response> {
    let json_length = header(request.headers(), &JSON_LENGTH)?;
    let takes_packed = gzip::is_taken(request.headers());
    let (parts, body) = request.into_parts();
    let most = state.config.max_body_bytes;
    let body = read_bytes(body, most, &state.config).await?;
    let body = opened(body, &parts.headers, most).await;
    let body = body.map_err(|error| match error.code() {
        ErrorCode::InvalidRequest => unfit(error.detail()),
        _ => error,
    })?;
    let (request, tensors) = read(&body, json_length.as_deref()).map_err(unfit)?;
    let texts_only = matches!(tensors.as_slice(), [Named { name, .. }] if name == TEXT);
    let call = call(name, pinned, &request, &tensors)?;
    let answered = predict(state, call).await.map_err(problem)?;
    let said = match &answered {
        Answer::New(prediction) => Said {
            name: Cow::Borrowed(prediction.name()),
            version: Cow::Borrowed(prediction.version()),
            prediction: &prediction.output().prediction,
            confidence: prediction.output().confidence,
            outputs: prediction.output().outputs.as_ref(),
            parameters: parameters(prediction),
        },
        Answer::Repeated(first) => Said::again(first),
    };
    let asked = Asked {
        outputs: request.outputs.as_deref(),
        binary: request
            .parameters
            .get("binary_data_output")
            .and_then(Value::as_bool)
            .unwrap_or(false),
    };
    let tensors = said.tensors(texts_only)?;
    let reply = InferReply::new(said.name, said.version, request.id, said.parameters);
    let written = write(reply, tensors, &asked).map_err(unfit)?;
    let bytes = Bytes::from(written.bytes);
    let packed = match takes_packed && bytes.len() >= gzip::LEAST {
        true => pack(bytes.clone()).await,
        false => None,
    };
    let is_packed = packed.is_some();
    let mut response = packed.unwrap_or(bytes).into_response();
    if let Answer::New(prediction) = &answered {
        let time = ModelTime(prediction.model_time());
        response.extensions_mut().insert(time);
    }
    let headers = response.headers_mut();
    if is_packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    match written.json_length {
        Some(length) => {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/octet-stream"),
            );
            headers.insert(JSON_LENGTH, HeaderValue::from(length));
        }
        None => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
    }
    Ok(response)
}

/// Packs a reply, a large one aside of the threads that answer; `None` where these end with the server.
async fn pack(bytes: Bytes) -> Option<Bytes> {
    const LARGE: usize = 64 << 10;
    if bytes.len() < LARGE {
        return Some(gzip::packed(&bytes));
    }
    let packed = tokio::task::spawn_blocking(move || gzip::packed(&bytes));
    packed.await.ok()
}

/// Reads a request and writes its tensors as if they were the answer, for fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn round_trip(body: &[u8], json_length: Option<&str>) {
    let Ok((request, tensors)) = read(body, json_length) else {
        return;
    };
    assert!(serde_json::from_str::<Value>(to_json(&tensors).as_str()).is_ok());
    let asked = Asked {
        outputs: request.outputs.as_deref(),
        binary: json_length.is_some(),
    };
    let reply = InferReply::new("m".into(), "1".into(), request.id, request.parameters);
    let _ = write(reply, tensors, &asked);
}

fn header(headers: &HeaderMap, name: &HeaderName) -> ApiResult<Option<String>> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| unfit(format!("the header {name} is not text")))?;
    Ok(Some(text.to_owned()))
}

fn call(
    name: &str,
    pinned: Option<String>,
    request: &InferRequest<'_>,
    tensors: &[Named],
) -> ApiResult<Call> {
    let mut fields = Fields::default();
    let text = |key: &str| match request.parameters.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        // Clients that count their users send numbers.
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(unfit(format!("the parameter {key} must be a text"))),
    };
    let (unit, request_id) = (text("unit_id")?, text("request_id")?);
    let unit_id = fields.take_option("/parameters/unit_id", unit.as_deref().map(UnitId::parse));
    let request_id = fields.take_option(
        "/parameters/request_id",
        request_id.as_deref().map(RequestId::parse),
    );
    let members = request.parameters.iter().filter_map(|(key, value)| {
        let name = key.strip_prefix(ATTRIBUTES)?;
        Some((name.to_owned(), value.clone()))
    });
    let members: Map<String, Value> = members.collect();
    let members: Option<Members> = if members.is_empty() {
        None
    } else {
        let read = serde_json::from_value(Value::Object(members));
        Some(read.map_err(|error| unfit(format!("the attributes cannot be read: {error}")))?)
    };
    let attributes = fields.attributes(members);
    fields.finish(Some(()))?;
    let one_text = match tensors {
        [Named { name, tensor }] if name == TEXT => match tensor.elements() {
            Elements::Bytes(texts) => match texts.as_slice() {
                [text] => std::str::from_utf8(text)
                    .ok()
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    Ok(Call {
        input: one_text.map_or_else(|| Input::Json(to_json(tensors)), Input::Text),
        name: Some(name.to_owned()),
        pinned,
        names_unit: unit_id.is_some(),
        unit_id,
        attributes,
        until: None,
        request_id,
    })
}

fn parameters(prediction: &crate::predict::Prediction) -> Map<String, Value> {
    let mut parameters = Map::new();
    let mut say = |key: &str, value: Value| drop(parameters.insert(key.into(), value));
    say("prediction_id", prediction.id().to_string().into());
    say("model_id", prediction.model_id().into());
    say("served_model_id", prediction.served_model_id().into());
    say("propensity", prediction.propensity().into());
    say("latency_ms", (prediction.latency_ns() as f64 / 1e6).into());
    if let Some(experiment) = prediction.experiment() {
        say("experiment", experiment.to_string().into());
    }
    parameters
}

/// What a version said, now or when the request came first.
struct Said<'a> {
    name: Cow<'a, str>,
    version: Cow<'a, str>,
    prediction: &'a Json,
    confidence: Option<f64>,
    outputs: Option<&'a Json>,
    parameters: Map<String, Value>,
}

impl<'a> Said<'a> {
    fn again(first: &'a LoggedPrediction) -> Self {
        static NOTHING: std::sync::LazyLock<Json> = std::sync::LazyLock::new(Json::default);
        let mut parameters = Map::new();
        parameters.insert("prediction_id".into(), first.id.to_string().into());
        parameters.insert("model_id".into(), first.model_id.to_string().into());
        parameters.insert("propensity".into(), first.propensity.into());
        parameters.insert("repeated".into(), true.into());
        Self {
            name: Cow::Borrowed(first.name.as_str()),
            version: Cow::Borrowed(first.version.as_str()),
            prediction: first.prediction.as_ref().unwrap_or(&NOTHING),
            confidence: first.confidence,
            outputs: first.outputs.as_ref(),
            parameters,
        }
    }

    /// The tensors of the reply: those of the model, or what Weir knows of its answer.
    fn tensors(&self, texts_only: bool) -> ApiResult<Vec<Named>> {
        #[derive(serde::Deserialize)]
        struct Outputs<'a> {
            #[serde(borrow, default)]
            tensors: Option<Vec<TensorForm<'a>>>,
            #[serde(default)]
            confidences: Option<Vec<Option<f64>>>,
        }
        let outputs = self
            .outputs
            .and_then(|outputs| serde_json::from_str::<Outputs<'_>>(outputs.as_str()).ok());
        let wrong = |error: types::InvalidTensor| {
            ApiError::new(
                ErrorCode::ModelFailed,
                format!("The version's answer is not a tensor: {error}."),
            )
        };
        let (forms, confidences) = outputs.map_or((None, None), |outputs| {
            (outputs.tensors, outputs.confidences)
        });
        if let (false, Some(forms)) = (texts_only, &forms) {
            let named = forms.iter().map(|form| {
                let tensor = form.tensor().map_err(wrong)?;
                Ok(Named {
                    name: form.name.clone(),
                    tensor,
                })
            });
            return named.collect();
        }
        let mut tensors = vec![Named {
            name: "prediction".into(),
            tensor: said(self.prediction).map_err(wrong)?,
        }];
        let confidences =
            confidences.or_else(|| self.confidence.map(|confidence| vec![Some(confidence)]));
        if let Some(confidences) = confidences {
            let numbers: Vec<f64> = confidences
                .into_iter()
                .map(|confidence| confidence.unwrap_or(f64::NAN))
                .collect();
            let tensor =
                Tensor::new(vec![numbers.len()], Elements::Fp64(numbers)).map_err(wrong)?;
            tensors.push(Named {
                name: "confidence".into(),
                tensor,
            });
        }
        Ok(tensors)
    }
}

/// A prediction as a tensor: numbers and truths as such, texts as texts, all else as the text of its JSON.
fn said(prediction: &Json) -> Result<Tensor, types::InvalidTensor> {
    for data_type in [
        DataType::Bytes,
        DataType::Bool,
        DataType::Int64,
        DataType::Fp64,
    ] {
        if let Ok(tensor) = Tensor::from_json(data_type, prediction.as_str()) {
            let whole = tensor.shape().is_empty();
            return if whole {
                tensor.reshaped(vec![1])
            } else {
                Ok(tensor)
            };
        }
    }
    Tensor::new(
        vec![1],
        Elements::Bytes(vec![prediction.as_str().as_bytes().to_vec()]),
    )
}
