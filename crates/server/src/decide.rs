//! `POST /decide`: which version somebody gets, without a prediction. Nothing is logged: nobody counts as exposed until
//! `POST /predictions` or `POST /exposures` says so.

use crate::clock;
use crate::codec::json::problem;
use crate::decisions::{Decision, Tokens};
use crate::error::ApiResult;
use crate::extract::{Fields, parse_object, read_json_bytes};
use crate::openapi::problems;
use crate::predict::{self, Failure};
use crate::snapshot::Model;
use crate::state::AppState;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Request};
use hyper::body::Body;
use route::Assignment;
use std::sync::Arc;
use types::{Attributes, Timestamp, UnitId};

/// Who asks for a decision.
pub(crate) struct Asked {
    pub(crate) unit: Option<UnitId>,
    pub(crate) attributes: Attributes,
    /// A version or an alias that is meant.
    pub(crate) pinned: Option<String>,
}

/// What was chosen for somebody.
pub(crate) struct Decided {
    pub(crate) model: Arc<Model>,
    pub(crate) assignment: Assignment,
    /// Who it is for: whoever asked for nobody is a unit of its own.
    pub(crate) unit: UnitId,
    pub(crate) token: String,
    /// When the token expires.
    pub(crate) expires: Timestamp,
}

/// Chooses a version of a model.
///
/// # Errors
/// When none can be chosen.
pub(crate) fn choose(
    state: &AppState,
    model: Arc<Model>,
    asked: Asked,
) -> Result<Decided, Failure> {
    let random = clock::random();
    let pinned = asked.pinned.as_deref();
    let pinned = pinned.map(|named| model.named(named).0);
    let unit = asked.unit.as_ref().map(UnitId::as_str);
    let assignment = predict::assign(&model, (unit, &asked.attributes), pinned, random)?;
    let unit = asked.unit.unwrap_or_else(|| UnitId::of_decision(random));
    let decision = Decision {
        name: model.traffic().name.clone(),
        version: model.traffic().versions[assignment.version].key,
        experiment: assignment.experiment.map(|(key, _)| key),
        epoch: assignment.epoch,
        propensity: assignment.propensity,
        reason: assignment.reason,
        unit,
        issued: Tokens::issued(state.clock.now()),
    };
    let token = state.tokens.sign(&decision);
    let expires = state.tokens.expires(&decision);
    Ok(Decided {
        model,
        assignment,
        token,
        unit: decision.unit,
        expires: Timestamp::from_micros(expires.saturating_mul(1_000_000)),
    })
}

/// Chooses a version without calling it.
///
/// The reply has a signed token. Send it back with what came of it: `POST /predictions` for a prediction that was made
/// elsewhere, `POST /exposures` where somebody only met the version. Until then nothing is logged, and nobody counts as
/// exposed.
#[utoipa::path(
    post,
    path = "/decide",
    tag = "decisions",
    request_body = api::DecisionRequest,
    responses(
        (status = 200, description = "which version to use", body = api::Decision),
        problems::Decide,
    ),
)]
pub(crate) async fn decide(
    State(state): State<AppState>,
    request: axum::extract::Request,
) -> ApiResult<([(HeaderName, HeaderValue); 1], Vec<u8>)> {
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], answer(&state, request).await?))
}

/// The reply to a request for a decision, as JSON.
pub(crate) async fn answer<B>(state: &AppState, request: Request<B>) -> ApiResult<Vec<u8>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let bytes = read_json_bytes(request, &state.config).await?;
    let body: api::DecisionRequest = parse_object(&bytes)?;
    let mut fields = Fields::default();
    let unit = fields.take_option("/unit_id", body.unit_id.as_deref().map(UnitId::parse));
    let attributes = fields.attributes(body.attributes);
    fields.finish(Some(()))?;
    let (name, pinned) = (body.name.as_deref(), body.model_version.as_deref());
    let model = predict::find(state, name, pinned).map_err(problem)?;
    let asked = Asked {
        unit,
        attributes,
        pinned: body.model_version,
    };
    let decided = choose(state, model, asked).map_err(problem)?;
    Ok(serde_json::to_vec(&wire(decided)).expect("texts and numbers are JSON"))
}

fn wire(decided: Decided) -> api::Decision {
    let Decided {
        model,
        assignment,
        unit,
        token,
        expires,
    } = decided;
    let version = &model.traffic().versions[assignment.version];
    api::Decision {
        name: model.traffic().name.to_string(),
        model_id: version.model_id.to_string(),
        model_version: version.version.to_string(),
        runtime: model.spec(assignment.version).clone(),
        reason: assignment.reason.into(),
        propensity: assignment.propensity,
        epoch: assignment.epoch,
        experiment: assignment.experiment.map(|(_, id)| id.to_string()),
        unit_id: unit.to_string(),
        token,
        expires_at: expires.to_string(),
    }
}
