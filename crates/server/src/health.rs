//! Whether the server lives, and whether it can do its work.

use crate::access;
use crate::dashboard;
use crate::results::mismatch;
use crate::state::AppState;
use api::{Health, LogReadiness, Message, Readiness, ReadinessWord};
use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use store::LogStore;
use types::{Right, Timestamp};

/// How long a write that only asks whether writing works may take.
const PROBE: Duration = Duration::from_secs(2);

/// Says hello; shows a browser the dashboard.
#[utoipa::path(
    get,
    path = "/",
    tag = "health",
    responses((status = 200, description = "a sentence, or the dashboard for a browser", body = Message)),
)]
pub(crate) async fn root(headers: HeaderMap) -> Response {
    let mut response = hello(&headers);
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    response
}

fn hello(headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return dashboard::page(headers);
    }
    let message = "Weir is running: POST /models registers a version, POST /predict asks; /docs \
                   describes every call.";
    Json(Message {
        message: message.into(),
    })
    .into_response()
}

/// Whether the server answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    responses((status = 200, description = "the server answers", body = Health)),
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health::healthy())
}

/// The same as `GET /health`, for liveness probes.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "the server answers", body = Health)),
)]
pub(crate) async fn live() -> Json<Health> {
    Json(Health::healthy())
}

// Ready when predictions can be logged. What is wrong with the database keeps nobody from being answered, and a
// version that cannot be called is no fault of the others: that is degraded. After a failed write this tries one, so that the answer turns as soon as writing works
// again, with traffic or without.
/// Whether the server can do its work.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "predictions can be logged", body = Readiness),
        (status = 503, description = "they cannot, for these reasons", body = Readiness),
    ),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let mut reasons = Vec::new();
    let unlogged = state.log.failure_after(PROBE).await;
    reasons.extend(
        unlogged
            .iter()
            .map(|reason| format!("log_unavailable: {reason}")),
    );
    let unreadable = state.log.unreadable();
    reasons.extend(unreadable.map(|reason| format!("journal_unreadable: {reason}")));
    let unstored = store_failure(&state).await;
    reasons.extend(unstored.map(|reason| format!("store_unavailable: {reason}")));
    let mut overdue = state.overdue();
    let held = state.snapshot.watches();
    overdue.extend(held.iter().filter_map(|watch| watch.overdue()));
    let log = log_readiness(&state).await;
    reasons.extend(state.clock.jumped().map(|seconds| {
        format!(
            "clock_jumped: the clock of this machine is {} s {} the server's time, which goes on as before until \
             the clock has stayed there for ten minutes, or the server is told to reload (SIGHUP)",
            seconds.abs(),
            if seconds < 0 { "behind" } else { "ahead of" }
        )
    }));
    if log.set_aside > 0 {
        reasons.push(format!(
            "set_aside: {} entries of the log are not counted; `weir journal list` says why",
            log.set_aside
        ));
    }
    let not_called = state.snapshot.not_called();
    let why = |why| format!("version_not_answering: {why}");
    reasons.extend(not_called.into_iter().map(why));
    reasons.extend(mismatches(&state).await);
    let (status, word) = match (&unlogged, reasons.is_empty() && overdue.is_empty()) {
        (Some(_), _) => (StatusCode::SERVICE_UNAVAILABLE, ReadinessWord::NotReady),
        (None, true) => (StatusCode::OK, ReadinessWord::Ready),
        (None, false) => (StatusCode::OK, ReadinessWord::Degraded),
    };
    if !access::may(Right::Read) {
        // Probes have no key, and look at the status alone.
        return (status, Json(Readiness::bare(word.into())));
    }
    if access::check_option(None).is_err() {
        // They name experiments of any model.
        overdue.clear();
    }
    let readiness = Readiness {
        status: word.into(),
        reasons,
        log,
        overdue,
        panics: state.panics(),
    };
    (status, Json(readiness))
}

/// How long labels are spoken of that can never equal a prediction, in microseconds: an hour.
const SPOKEN_OF: i64 = 3_600_000_000;

/// Labels that came lately and can never equal what a version answers: its accuracy would be 0 in silence.
async fn mismatches(state: &AppState) -> Vec<String> {
    let since = Timestamp::from_micros(state.clock.now().micros() - SPOKEN_OF);
    let found = state.store.label_mismatches(since).await;
    let models = state.catalogue.all();
    let why = |found: &store::CountedMismatch| {
        let mut versions = models.iter().flat_map(|model| &model.versions);
        let version = versions.find(|version| version.key == found.version)?;
        let said = mismatch(found, version.version.as_str());
        Some(format!("labels_never_match: {}: {said}", version.name))
    };
    found.unwrap_or_default().iter().filter_map(why).collect()
}

async fn store_failure(state: &AppState) -> Option<String> {
    let failure = state.store.failure()?;
    match tokio::time::timeout(PROBE, state.store.probe()).await {
        Ok(probed) => probed.err().map(|error| error.to_string()),
        Err(_) => Some(failure),
    }
}

async fn log_readiness(state: &AppState) -> LogReadiness {
    let lag = state.log.lag();
    // What cannot be read now is not known; the reasons say that it cannot.
    let known = state.store.log_state().await.unwrap_or_default();
    LogReadiness {
        position: state.log.position(),
        lag_entries: lag.map_or(0, |lag| lag.entries),
        lag_seconds: lag.map_or(0.0, |lag| lag.micros as f64 / 1e6),
        journal_bytes: state.log.bytes(),
        missing: known.missing,
        set_aside: known.set_aside,
        dropped: known.dropped,
    }
}
