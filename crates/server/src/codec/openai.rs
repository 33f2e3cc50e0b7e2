//! Chat completions as OpenAI has them: Weir before language models, for clients that change nothing but their base URL.
//!
//! The model of a request is a model of Weir, whose versions are language models, prompts or providers. What a version's
//! service says is what the caller gets.

use crate::access;
use crate::codec::json::problem;
use crate::error::{ApiError, ApiResult};
use crate::extract::{TextPath, attributes_of, parse_object, read_json_bytes};
use crate::front::ModelTime;
use crate::openapi::path;
use crate::predict::{Answer, Call, Failure, Streamed, Streaming, predict, stream};
use crate::state::AppState;
use api::ErrorCode;
use axum::Json as Reply;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream as streams;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::time::Duration;
use types::{Input, Json, Members, RequestId, RuntimeSpec, UnitId, is_attribute_name};

/// Who asks.
const UNIT: HeaderName = HeaderName::from_static("weir-unit-id");
/// What the caller calls the request.
const REQUEST: HeaderName = HeaderName::from_static("weir-request-id");
/// While nothing comes, so often the connection is kept awake.
const AWAKE: Duration = Duration::from_secs(15);

/// An error in the form of the protocol.
pub(super) struct Problem(pub(super) ApiError);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let (message, code) = (error.detail().to_owned(), error.code());
        let of_prediction = error.prediction_header();
        let mut response = error.into_response();
        // Services refuse a request with 400, and say with 429 that they have too much to do: clients look for that.
        match code {
            ErrorCode::InputRejected | ErrorCode::InvalidRequest => {
                *response.status_mut() = StatusCode::BAD_REQUEST;
            }
            ErrorCode::ModelOverloaded => *response.status_mut() = StatusCode::TOO_MANY_REQUESTS,
            _ => {}
        }
        let kind = match response.status().as_u16() {
            401 | 403 => "authentication_error",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            _ => "server_error",
        };
        let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code.as_str()}});
        *response.body_mut() = Body::from(body.to_string());
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response.headers_mut().extend(of_prediction);
        response
    }
}

/// What Weir reads of a request; all of it goes on.
#[derive(Deserialize)]
struct Asked<'a> {
    model: String,
    #[serde(borrow)]
    #[expect(dead_code, reason = "it must be there")]
    messages: &'a RawValue,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// Completes a chat: a version is chosen, called, and the prediction is logged.
///
/// `model` is a model of Weir; `name@alias` and `name:version` ask for one version. The unit is the header `Weir-Unit-Id`, else
/// `user`; `metadata` gives attributes; the header `Weir-Request-Id` names the request. With `stream` the answer comes in
/// parts.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "chat completions",
    request_body = Value,
    responses(
        (status = 200, description = "the completion, as the service of the version gave it; `Weir-Prediction-Id` names the prediction", body = Value),
        (status = "4XX", description = "the request does not fit, or cannot be answered", body = Value),
        (status = "5XX", description = "it was not answered", body = Value),
    ),
)]
pub(crate) async fn complete(State(state): State<AppState>, request: Request) -> Response {
    let answered = answer(&state, request).await;
    answered.unwrap_or_else(|error| Problem(error).into_response())
}

async fn answer(state: &AppState, request: Request) -> ApiResult<Response> {
    let headers = request.headers().clone();
    let body = read_json_bytes(request, &state.config).await?;
    let asked: Asked<'_> = parse_object(&body)?;
    let text = std::str::from_utf8(&body).map_err(|_| ApiError::field("", "must be UTF-8"))?;
    let input = Json::parse(text.to_owned()).map_err(|error| ApiError::field("", error))?;
    let in_parts = asked.stream.unwrap_or(false);
    let usage = asked
        .stream_options
        .as_ref()
        .and_then(|options| options.include_usage);
    let call = call(state, &headers, asked, input)?;
    if in_parts {
        return match stream(state, call, usage.unwrap_or(false)).await {
            Err(failure) => refused(failure),
            Ok(Streamed::New(streaming)) => Ok(events(streaming)),
            Ok(Streamed::Repeated(first)) => {
                let whole = whole(
                    first.prediction.as_ref(),
                    first.outputs.as_ref(),
                    first.name.as_str(),
                );
                Ok(with(
                    one_event(&whole),
                    &first.id.to_string(),
                    first.version.as_str(),
                    first.propensity,
                ))
            }
        };
    }
    let answered = match predict(state, call).await {
        Err(failure) => return refused(failure),
        Ok(answered) => answered,
    };
    let (body, id, version, propensity) = match &answered {
        Answer::New(prediction) => {
            let output = prediction.output();
            let body = whole(
                Some(&output.prediction),
                output.outputs.as_ref(),
                prediction.name(),
            );
            (
                body,
                prediction.id().to_string(),
                prediction.version().to_owned(),
                prediction.propensity(),
            )
        }
        Answer::Repeated(first) => {
            let body = whole(
                first.prediction.as_ref(),
                first.outputs.as_ref(),
                first.name.as_str(),
            );
            (
                body,
                first.id.to_string(),
                first.version.to_string(),
                first.propensity,
            )
        }
    };
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (json, body).into_response();
    if let Answer::New(prediction) = &answered {
        let time = ModelTime(prediction.model_time());
        response.extensions_mut().insert(time);
    }
    Ok(with(response, &id, &version, propensity))
}

/// What is said of a failure. A service that refuses a request says why in the form of the protocol: that goes on as it is.
fn refused(failure: Failure) -> ApiResult<Response> {
    #[derive(Deserialize)]
    struct Said<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    let Failure::Rejected { rejection, id } = &failure else {
        return Err(problem(failure));
    };
    let said = rejection.said.as_ref();
    let said = said.filter(|said| {
        let error = serde_json::from_str::<Said<'_>>(said.as_str()).map(|said| said.error.get());
        error.is_ok_and(|error| error.starts_with('{'))
    });
    let Some(said) = said else {
        return Err(problem(failure));
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            HeaderName::from_static("weir-prediction-id"),
            HeaderValue::from_str(&id.to_string()).expect("ids are ASCII"),
        ),
    ];
    let body = said.as_str().to_owned();
    let mut response = (StatusCode::BAD_REQUEST, headers, body).into_response();
    response.extensions_mut().insert(ErrorCode::InputRejected);
    Ok(response)
}

fn call(state: &AppState, headers: &HeaderMap, asked: Asked<'_>, input: Json) -> ApiResult<Call> {
    let header = |name: &HeaderName| {
        let value = headers.get(name).map(HeaderValue::to_str).transpose();
        value.map_err(|_| ApiError::field(format!("header {name}"), "must be a text"))
    };
    let unit = header(&UNIT)?
        .map(str::to_owned)
        .or(asked.user.filter(|user| !user.is_empty()));
    let unit_id = unit.as_deref().map(UnitId::parse).transpose();
    let unit_id = unit_id.map_err(|error| ApiError::field("/user", error))?;
    let request_id = header(&REQUEST)?.map(RequestId::parse).transpose();
    let request_id =
        request_id.map_err(|error| ApiError::field("header weir-request-id", error))?;
    // Metadata are the client's own: what is no attribute is nobody's mistake.
    let members = asked
        .metadata
        .unwrap_or_default()
        .into_iter()
        .filter(|(name, _)| is_attribute_name(name))
        .take(types::MAX_ATTRIBUTES);
    let members: Members =
        serde_json::from_value(Value::Object(members.collect())).unwrap_or_default();
    let attributes = attributes_of(Some(members)).unwrap_or_default();
    let (name, pinned) = named(state, asked.model);
    Ok(Call {
        input: Input::Json(input),
        name: Some(name),
        pinned,
        names_unit: unit_id.is_some(),
        unit_id,
        attributes,
        until: None,
        request_id,
    })
}

/// The model that is meant, and the version where one is.
fn named(state: &AppState, model: String) -> (String, Option<String>) {
    if state.snapshot.model(&model).is_some() {
        return (model, None);
    }
    let at = model.rfind('@').or_else(|| model.rfind(':'));
    let parts = at.map(|at| model.split_at(at));
    match parts.filter(|(name, _)| state.snapshot.model(name).is_some()) {
        Some((name, version)) => {
            let version = version.strip_prefix(':').unwrap_or(version);
            (name.to_owned(), Some(version.to_owned()))
        }
        None => (model, None),
    }
}

/// What a service said, as it is; of other versions, and of answers that came in parts, the same in its form.
fn whole(prediction: Option<&Json>, outputs: Option<&Json>, model: &str) -> String {
    #[derive(Deserialize)]
    struct Outputs<'a> {
        #[serde(borrow, default)]
        response: Option<&'a RawValue>,
        #[serde(default)]
        finish_reason: Option<String>,
        #[serde(default)]
        tokens_in: Option<u64>,
        #[serde(default)]
        tokens_out: Option<u64>,
        #[serde(default)]
        tool_calls: Option<Value>,
    }
    let outputs =
        outputs.and_then(|outputs| serde_json::from_str::<Outputs<'_>>(outputs.as_str()).ok());
    if let Some(response) = outputs.as_ref().and_then(|outputs| outputs.response) {
        return response.get().to_owned();
    }
    let content = match prediction {
        None => Value::Null,
        Some(prediction) => match prediction.value() {
            text @ Value::String(_) => text,
            // As it was written: no number loses a digit.
            _ if *prediction != Json::default() => Value::from(prediction.as_str()),
            none => none,
        },
    };
    let usage = outputs
        .as_ref()
        .and_then(|outputs| outputs.tokens_in.zip(outputs.tokens_out));
    let usage = usage.map(|(tokens_in, tokens_out)| {
        json!({"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in.saturating_add(tokens_out)})
    });
    let (finish, calls) = outputs
        .map(|outputs| (outputs.finish_reason, outputs.tool_calls))
        .unwrap_or_default();
    let finish = finish.unwrap_or_else(|| "stop".into());
    let mut message = json!({"role": "assistant", "content": content});
    if let Some(calls) = calls {
        // Where there is no text, the calls are the prediction.
        if prediction.is_some_and(|prediction| prediction.value() == calls) {
            message["content"] = Value::Null;
        }
        message["tool_calls"] = calls;
    }
    json!({
        "id": "chatcmpl-weir",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": null}],
        "usage": usage,
    })
    .to_string()
}

/// A whole answer as parts: one with all of it, and the end.
fn one_event(whole: &str) -> Response {
    let mut chunk: Value = serde_json::from_str(whole).unwrap_or_default();
    chunk["object"] = "chat.completion.chunk".into();
    if let Some(choices) = chunk["choices"].as_array_mut() {
        for choice in choices {
            let message = choice
                .as_object_mut()
                .and_then(|choice| choice.remove("message"));
            let mut delta = message.unwrap_or_default();
            // In parts, calls say which one each piece is of.
            for (at, call) in delta["tool_calls"]
                .as_array_mut()
                .into_iter()
                .flatten()
                .enumerate()
            {
                call["index"] = at.into();
            }
            choice["delta"] = delta;
        }
    }
    let body = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))];
    (kind, body).into_response()
}

/// Events as they come; a comment now and then where none do.
fn events(streaming: Streaming) -> Response {
    let Streaming {
        id,
        version,
        propensity,
        parts,
        model_id,
        experiment,
    } = streaming;
    let parts = streams::unfold(parts, |mut parts| async move {
        let part = match tokio::time::timeout(AWAKE, parts.recv()).await {
            Ok(part) => part?,
            Err(_) => Bytes::from_static(b": the answer goes on\n\n"),
        };
        Some((Ok::<_, Infallible>(part), parts))
    });
    let mut response = Body::from_stream(parts).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // A proxy that gathers them would keep the caller waiting.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    let mut say = |name: &'static str, value: String| {
        headers.extend(
            HeaderValue::from_str(&value)
                .ok()
                .map(|value| (HeaderName::from_static(name), value)),
        );
    };
    say("weir-model-id", model_id);
    if let Some(experiment) = experiment {
        say("weir-experiment", experiment.to_string());
    }
    with(response, &id.to_string(), &version, propensity)
}

/// A reply that says which prediction it is.
fn with(mut response: Response, id: &str, version: &str, propensity: f64) -> Response {
    for (name, value) in [
        ("weir-prediction-id", id),
        ("weir-model-version", version),
        ("weir-propensity", &propensity.to_string()),
    ] {
        let value = HeaderValue::from_str(value).ok();
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .extend(value.map(|value| (name, value)));
    }
    response
}

/// The models that language models answer for.
#[utoipa::path(get, path = "/v1/models", tag = "chat completions", responses((status = 200, description = "the models", body = Value)))]
pub(crate) async fn models(State(state): State<AppState>) -> Reply<Value> {
    let data: Vec<Value> = state
        .snapshot
        .active_names()
        .iter()
        .filter_map(|name| described(&state, name))
        .collect();
    Reply(json!({"object": "list", "data": data}))
}

/// One of those models.
#[utoipa::path(
    get,
    path = "/v1/models/{name}",
    tag = "chat completions",
    params(path::Model),
    responses((status = 200, description = "the model", body = Value), (status = 404, description = "there is no such model", body = Value)),
)]
pub(crate) async fn model(
    State(state): State<AppState>,
    TextPath(name): TextPath<String>,
) -> Response {
    match described(&state, &name) {
        Some(model) => Reply(model).into_response(),
        None => Problem(ApiError::new(
            ErrorCode::ModelNotFound,
            format!("No active model with a version behind chat completions is called {name}."),
        ))
        .into_response(),
    }
}

fn described(state: &AppState, name: &str) -> Option<Value> {
    let model = state
        .snapshot
        .model(name)
        .filter(|_| access::covers(name))?;
    let mut versions = model.traffic().versions.iter().enumerate();
    let speaks = versions.any(|(at, version)| {
        version.status.answers() && matches!(model.spec(at), RuntimeSpec::Openai(_))
    });
    speaks.then(|| json!({"id": name, "object": "model", "created": 0, "owned_by": "weir"}))
}
