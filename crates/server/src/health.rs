//! Whether the server lives, and whether it can do its work.

use crate::dashboard;
use crate::state::AppState;
use api::{Health, Message, Readiness};
use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use store::Durability;

/// How long a write that only asks whether writing works may take.
const PROBE: Duration = Duration::from_secs(2);

/// Says hello; shows a browser the dashboard.
#[utoipa::path(get, path = "/", tag = "health", responses((status = 200, description = "a sentence, or the dashboard for a browser", body = Message)))]
pub(crate) async fn root(headers: HeaderMap) -> Response {
    let mut response = hello(&headers);
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept"));
    response
}

fn hello(headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return dashboard::page();
    }
    let message = "Weir is running: POST /models registers a version, POST /predict asks; /docs \
                   describes every call.";
    Json(Message {
        message: message.into(),
    })
    .into_response()
}

/// Whether the server answers.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, description = "the server answers", body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health::healthy())
}

/// The same, for those who ask for liveness.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, description = "the server answers", body = Health)))]
pub(crate) async fn live() -> Json<Health> {
    Json(Health::healthy())
}

// Ready when the log can be written. After a failed write this tries one, so that the answer turns as
// soon as writing works again, with traffic or without.
/// Whether the server can do its work.
#[utoipa::path(get, path = "/health/ready", tag = "health", responses((status = 200, description = "predictions can be logged", body = Readiness), (status = 503, description = "they cannot, for these reasons", body = Readiness)))]
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let failure = match state.store.failure() {
        None => None,
        // The writer itself tries again until it succeeds, and a probe would wait behind it.
        Some(failure) if state.store.durability() == Durability::Relaxed => Some(failure),
        Some(failure) => match tokio::time::timeout(PROBE, state.store.probe()).await {
            Ok(probed) => probed.err().map(|error| error.to_string()),
            Err(_) => Some(failure),
        },
    };
    let (status, word) = match failure {
        None => (StatusCode::OK, "ready"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    let reasons = failure.map(|reason| format!("log_unavailable: {reason}"));
    let readiness = Readiness {
        status: word.into(),
        reasons: reasons.into_iter().collect(),
        pending: state.store.pending(),
    };
    (status, Json(readiness))
}
