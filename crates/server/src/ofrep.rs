//! The OpenFeature Remote Evaluation Protocol: a model is a flag, and its value is the version that somebody gets.
//!
//! An evaluation is no exposure; `POST /exposures` with the `token` of the flag's metadata is one.

use crate::access;
use crate::codec::json::problem;
use crate::decide::{Asked, Decided, choose};
use crate::error::ApiError;
use crate::extract::{TextPath, parse_object, read_json_bytes};
use crate::openapi::path;
use crate::state::AppState;
use axum::Json as Reply;
use axum::extract::{Request, State};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use types::{Attributes, MAX_ATTRIBUTES, Reason, UnitId};

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
        (status = 408, description = "the body came too slowly", body = Value),
        (status = 413, description = "the body is too large", body = Value),
        (status = 415, description = "the body is no JSON", body = Value),
    ),
)]
pub(crate) async fn flag(
    State(state): State<AppState>,
    TextPath(key): TextPath<String>,
    request: Request,
) -> Response {
    let who = match context(&state, request).await {
        Ok(who) => who,
        Err(unfit) => return unfit.into_response(Some(&key)),
    };
    match evaluate(&state, &key, who) {
        Ok(flag) => Reply(flag).into_response(),
        Err(detail) => {
            let code = "FLAG_NOT_FOUND";
            let status = StatusCode::NOT_FOUND;
            let unfit = Unfit {
                status,
                code,
                detail,
            };
            unfit.into_response(Some(&key))
        }
    }
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
        (status = 408, description = "the body came too slowly", body = Value),
        (status = 413, description = "the body is too large", body = Value),
        (status = 415, description = "the body is no JSON", body = Value),
    ),
)]
pub(crate) async fn flags(State(state): State<AppState>, request: Request) -> Response {
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let who = match context(&state, request).await {
        Ok(who) => who,
        Err(unfit) => return unfit.into_response(None),
    };
    let names = state.snapshot.active_names();
    let flags = names
        .iter()
        .filter(|name| access::covers(name))
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
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
    }
    let json = HeaderValue::from_static("application/json");
    let headers = [(ETAG, tag), (axum::http::header::CONTENT_TYPE, json)];
    (headers, body).into_response()
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

/// Who asks; the error has the protocol's code. What cannot be an attribute (lists, objects, null, long texts, names that no
/// condition can have, more than 32) is passed over.
async fn context(state: &AppState, request: Request) -> Result<Who, Unfit> {
    let bytes = read_json_bytes(request, &state.config).await?;
    let Ok(evaluation) = parse_object::<Evaluation>(&bytes) else {
        let detail = "the body must be {\"context\": {\"targetingKey\": \"…\", …}}";
        return Err(Unfit::new("PARSE_ERROR", detail));
    };
    let mut context = evaluation.context.unwrap_or_default();
    let unit = match context.remove("targetingKey") {
        Some(Value::String(key)) if !key.is_empty() => UnitId::parse(&key),
        _ => {
            let detail = "the context needs a targetingKey: the user or whoever keeps its version";
            return Err(Unfit::new("TARGETING_KEY_MISSING", detail));
        }
    };
    let unit =
        unit.map_err(|error| Unfit::new("INVALID_CONTEXT", &format!("targetingKey {error}")))?;
    // Contexts are put together from many places: what cannot be an attribute must not cost all flags.
    let plain = context.into_iter().filter_map(|(name, value)| {
        Attributes::parse(vec![(name.clone(), value.clone())]).ok()?;
        Some((name, value))
    });
    let attributes = Attributes::parse(plain.take(MAX_ATTRIBUTES).collect());
    Ok((unit, attributes.unwrap_or_default()))
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

/// Why nothing is evaluated, in the words of the protocol.
struct Unfit {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Unfit {
    fn new(code: &'static str, detail: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            detail: detail.to_owned(),
        }
    }

    fn into_response(self, key: Option<&str>) -> Response {
        let mut body = json!({"errorCode": self.code, "errorDetails": self.detail});
        if let Some(key) = key {
            body["key"] = key.into();
        }
        (self.status, Reply(body)).into_response()
    }
}

/// The body cannot be read.
impl From<ApiError> for Unfit {
    fn from(error: ApiError) -> Self {
        let status = StatusCode::from_u16(error.code().status());
        Self {
            status: status.unwrap_or(StatusCode::BAD_REQUEST),
            code: "GENERAL",
            detail: error.detail().to_owned(),
        }
    }
}
