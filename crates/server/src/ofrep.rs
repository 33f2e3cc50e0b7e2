//! The OpenFeature Remote Evaluation Protocol: a model is a flag, and its value is the version that somebody gets.
//!
//! An evaluation is no exposure; `POST /exposures` with the `token` of the flag's metadata is one.

use crate::codec::json::problem;
use crate::decide::{Asked, Decided, choose};
use crate::error::ApiResult;
use crate::extract::{TextPath, parse_object, read_json_bytes};
use crate::openapi::{path, problems};
use crate::state::AppState;
use axum::Json as Reply;
use axum::extract::{Request, State};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use types::{AttributeValue, Attributes, Reason, UnitId};

/// The context of an evaluation: who asks.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::ToSchema)]
pub(crate) struct Evaluation {
    /// `targetingKey` names the unit; the others are its attributes.
    #[schema(value_type = Object, example = json!({"targetingKey": "user-1", "country": "DE"}))]
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

/// Evaluates a flag: which version of a model somebody gets.
///
/// The value and the variant are the version string. The metadata have the token for `POST /exposures`.
#[utoipa::path(
    post,
    path = "/ofrep/v1/evaluate/flags/{name}",
    tag = "decisions",
    params(path::Model),
    request_body = Evaluation,
    responses(
        (status = 200, description = "the version, with a `token` in its metadata", body = Value),
        (status = 400, description = "the context does not fit", body = Value),
        (status = 404, description = "there is no such model, or none of its versions is active", body = Value),
        problems::Unread,
    ),
)]
pub(crate) async fn flag(
    State(state): State<AppState>,
    TextPath(key): TextPath<String>,
    request: Request,
) -> ApiResult<Response> {
    let who = match context(&state, request).await? {
        Ok(who) => who,
        Err((code, detail)) => return Ok(failed(Some(&key), code, &detail).into_response()),
    };
    Ok(match evaluate(&state, &key, who) {
        Ok(flag) => Reply(flag).into_response(),
        Err(detail) => failed(Some(&key), "FLAG_NOT_FOUND", &detail).into_response(),
    })
}

/// Evaluates all flags: which version of every model with an active version somebody gets.
#[utoipa::path(
    post,
    path = "/ofrep/v1/evaluate/flags",
    tag = "decisions",
    request_body = Evaluation,
    responses(
        (status = 200, description = "a flag for each model", body = Value),
        (status = 304, description = "nothing has changed since the `ETag` in `If-None-Match`"),
        (status = 400, description = "the context does not fit", body = Value),
        problems::Unread,
    ),
)]
pub(crate) async fn flags(State(state): State<AppState>, request: Request) -> ApiResult<Response> {
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let who = match context(&state, request).await? {
        Ok(who) => who,
        Err((code, detail)) => return Ok(failed(None, code, &detail).into_response()),
    };
    let names = state.snapshot.active_names();
    let flags = names
        .iter()
        .filter_map(|name| evaluate(&state, name, who.clone()).ok());
    let flags: Vec<Value> = flags.collect();
    let body = json!({"flags": flags}).to_string();
    let digest = Sha256::digest(&body);
    let hex: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = HeaderValue::try_from(format!("\"{hex}\"")).expect("a hash is plain");
    if known.is_some_and(|known| matches(&known, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let json = HeaderValue::from_static("application/json");
    let headers = [(ETAG, tag), (axum::http::header::CONTENT_TYPE, json)];
    Ok((headers, body).into_response())
}

/// Whether one of the tags that a caller knows is the present one. A weak one is as good.
fn matches(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else {
        return false;
    };
    let mut known = known.split(',').map(str::trim);
    known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

type Who = (UnitId, Attributes);

/// Who asks; the error has the protocol's code. What a condition cannot be about (lists, objects, null) is passed over.
async fn context(
    state: &AppState,
    request: Request,
) -> ApiResult<Result<Who, (&'static str, String)>> {
    let bytes = read_json_bytes(request, &state.config).await?;
    let Ok(evaluation) = parse_object::<Evaluation>(&bytes) else {
        let detail = "the body must be {\"context\": {\"targetingKey\": \"…\", …}}";
        return Ok(Err(("PARSE_ERROR", detail.into())));
    };
    let mut context = evaluation.context.unwrap_or_default();
    let unit = match context.remove("targetingKey") {
        Some(Value::String(key)) if !key.is_empty() => UnitId::parse(&key),
        _ => {
            let detail = "the context needs a targetingKey: the user or whoever keeps its version";
            return Ok(Err(("TARGETING_KEY_MISSING", detail.into())));
        }
    };
    let unit = match unit {
        Ok(unit) => unit,
        Err(error) => return Ok(Err(("INVALID_CONTEXT", format!("targetingKey {error}")))),
    };
    let plain = context
        .into_iter()
        .filter(|(_, value)| AttributeValue::parse(value.clone()).is_ok());
    let attributes = Attributes::parse(plain.collect());
    Ok(match attributes {
        Ok(attributes) => Ok((unit, attributes)),
        Err((name, error)) => {
            let name = name.unwrap_or_else(|| "the context".into());
            Err(("INVALID_CONTEXT", format!("{name} {error}")))
        }
    })
}

/// The protocol's answer for one flag, or why there is none.
fn evaluate(state: &AppState, key: &str, (unit, attributes): Who) -> Result<Value, String> {
    let model = state.snapshot.model(key);
    let model = model.ok_or_else(|| format!("there is no model {key}"))?;
    let asked = Asked {
        unit: Some(unit),
        attributes,
        pinned: None,
    };
    let decided = choose(state, model, asked);
    let decided = decided.map_err(|failure| problem(failure).detail().to_owned())?;
    Ok(wire(key, &decided))
}

fn wire(key: &str, decided: &Decided) -> Value {
    let assignment = &decided.assignment;
    let version = &decided.model.traffic().versions[assignment.version];
    let reason = match assignment.reason {
        Reason::Rule => "TARGETING_MATCH",
        Reason::Weights | Reason::Experiment if assignment.propensity < 1.0 => "SPLIT",
        _ => "STATIC",
    };
    let mut metadata = json!({
        "model_id": version.model_id.to_string(),
        "reason": assignment.reason.as_str(),
        "propensity": assignment.propensity,
        "epoch": assignment.epoch,
        "token": decided.token,
        "expires_at": decided.expires.to_string(),
    });
    if let Some((_, experiment)) = assignment.experiment {
        metadata["experiment"] = experiment.to_string().into();
    }
    json!({
        "key": key,
        "value": version.version.as_str(),
        "variant": version.version.as_str(),
        "reason": reason,
        "metadata": metadata,
    })
}

fn failed(key: Option<&str>, code: &str, detail: &str) -> (StatusCode, Reply<Value>) {
    let status = match code {
        "FLAG_NOT_FOUND" => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut body = json!({"errorCode": code, "errorDetails": detail});
    if let Some(key) = key {
        body["key"] = key.into();
    }
    (status, Reply(body))
}
