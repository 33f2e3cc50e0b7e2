//! Whether the server lives, and whether it can do its work.

use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

pub(crate) async fn root() -> Json<Value> {
    Json(
        json!({"message": "Weir is running: POST /models registers a version, POST /predict asks."}),
    )
}

pub(crate) async fn health() -> Json<Value> {
    Json(json!({"status": "healthy"}))
}

/// Ready when the log can be written. After a failed write this tries one, so that the answer turns
/// as soon as writing works again, with traffic or without.
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let mut failure = state.store.failure();
    if failure.is_some() {
        failure = state
            .store
            .probe()
            .await
            .err()
            .map(|error| error.to_string());
    }
    let pending = state.store.pending();
    match failure {
        None => (
            StatusCode::OK,
            Json(json!({"status": "ready", "reasons": [], "pending": pending})),
        ),
        Some(reason) => {
            let reasons = [format!("log_unavailable: {reason}")];
            let body = json!({"status": "not_ready", "reasons": reasons, "pending": pending});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}
