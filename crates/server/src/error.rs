//! The one error of the handlers: a code, a sentence for the caller, and what goes to the log.

use api::{ErrorCode, FieldError, Problem};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalog::Refusal;
use store::StoreError;

#[derive(Debug, Clone)]
pub(crate) struct ApiError(Box<Problem>, Option<u64>);

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self(
            Box::new(Problem {
                r#type: "about:blank".into(),
                title: code.title().into(),
                status: code.status(),
                detail: detail.into(),
                code,
                errors: Vec::new(),
                prediction_id: None,
            }),
            None,
        )
    }

    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let said: Vec<String> = errors
            .iter()
            .map(|e| format!("{} {}", e.pointer, e.detail).trim().to_owned())
            .collect();
        let detail = format!("The request is not valid: {}.", said.join("; "));
        let mut error = Self::new(ErrorCode::InvalidRequest, detail);
        error.0.errors = errors;
        error
    }

    pub(crate) fn field(pointer: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        let (pointer, detail) = (pointer.into(), detail.to_string());
        Self::invalid(vec![FieldError { pointer, detail }])
    }

    /// Somebody reads on from where a log or the audit does not reach.
    pub(crate) fn beyond_the_end(pointer: &str, of: &str, end: impl std::fmt::Display) -> Self {
        let detail = format!(
            "is beyond the end of the {of}, which is {end}: it belongs to another server, or to this one before a restore"
        );
        Self::field(pointer, detail)
    }

    /// Says when to try again, in seconds.
    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.1 = Some(seconds);
        self
    }

    /// The stable code.
    pub(crate) fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// What happened and what to do, for people.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Names the logged prediction that failed.
    #[must_use]
    pub(crate) fn of_prediction(mut self, id: types::PredictionId) -> Self {
        self.0.prediction_id = Some(id.to_string());
        self
    }

    /// The header that names the logged prediction that failed, for protocols whose errors have no place for it.
    pub(crate) fn prediction_header(&self) -> Option<(HeaderName, HeaderValue)> {
        let id = HeaderValue::from_str(self.0.prediction_id.as_deref()?).ok()?;
        Some((HeaderName::from_static("weir-prediction-id"), id))
    }

    pub(crate) fn path_not_found() -> Self {
        Self::new(ErrorCode::PathNotFound, "There is nothing at this path.")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            ErrorCode::MethodNotAllowed,
            "This path does not support this method; the header `Allow` lists those that it does.",
        )
    }

    pub(crate) fn model_not_found(name: &str) -> Self {
        Self::new(
            ErrorCode::ModelNotFound,
            format!("No model is called {name}; `GET /models` lists what is registered."),
        )
    }

    pub(crate) fn version_not_found(id: &str) -> Self {
        Self::new(
            ErrorCode::VersionNotFound,
            format!("There is no version {id}; `GET /models` lists what is registered."),
        )
    }

    pub(crate) fn experiment_not_found(id: &str) -> Self {
        Self::new(
            ErrorCode::ExperimentNotFound,
            format!("There is no experiment {id}; `GET /experiments` lists them."),
        )
    }

    pub(crate) fn version_not_answering(version: &str) -> Self {
        let detail = match version.strip_prefix('@') {
            Some(alias) => format!(
                "No alias {alias} points at a version that answers; set it with `PUT /aliases/{{name}}/{alias}`, or leave \
                 `model_version` out."
            ),
            None => format!(
                "No version {version} is active or testing; activate it, or leave `model_version` out."
            ),
        };
        Self::new(ErrorCode::VersionNotFound, detail)
    }

    pub(crate) fn no_active_version(name: Option<&str>) -> Self {
        let what = name.map_or(String::new(), |name| format!(" of {name}"));
        Self::new(
            ErrorCode::NoActiveVersion,
            format!(
                "No version{what} is active; `POST /models/{{model_id}}/activate` activates one."
            ),
        )
    }

    /// The answer where something panicked.
    pub(crate) fn panicked() -> Self {
        Self::new(
            ErrorCode::Internal,
            "An internal error ended this request; the server's log says more. Other requests are not affected.",
        )
    }

    pub(crate) fn log_behind() -> Self {
        Self::new(
            ErrorCode::LogBehind,
            "The log is still being counted, and may contain what you asked for; try again in a moment. \
             `GET /health/ready` says how far the count is.",
        )
    }

    pub(crate) fn log_unavailable(reason: &str) -> Self {
        tracing::error!(reason, "something could not be logged");
        Self::new(
            ErrorCode::LogUnavailable,
            "The request could not be logged, so it is not answered; try again later. \
             `GET /health/ready` says why.",
        )
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::Unavailable(_) => Self::new(
                ErrorCode::StoreUnavailable,
                "The database does not answer; try again later. `GET /health/ready` says why.",
            ),
            StoreError::Corrupt(_) => Self::new(
                ErrorCode::Internal,
                "The database contains something invalid; run `weir verify` and see the server's log.",
            ),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::UnknownModel(name) => return Self::model_not_found(name.as_str()),
            Refusal::UnknownVersion(version) => return Self::version_not_found(version),
            Refusal::UnknownExperiment(id) => return Self::experiment_not_found(&id.to_string()),
            _ => {}
        }
        let code = code_of(&refusal);
        if code == ErrorCode::Internal {
            tracing::error!(%refusal, "a command does not fit the state of its model");
        }
        let said = refusal.to_string();
        let advice = advice(&refusal).unwrap_or_else(|| ".".into());
        // A sentence, and what to do.
        let mut letters = said.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string());
        let detail = format!("{}{}{advice}", first.unwrap_or_default(), letters.as_str());
        Self::new(code, detail)
    }
}

/// What is refused without a code of its own is not allowed now.
fn code_of(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::Duplicate { .. } => ErrorCode::DuplicateVersion,
        Refusal::Active => ErrorCode::VersionActive,
        Refusal::Stale { .. } | Refusal::StaleExperiment { .. } => ErrorCode::StaleRevision,
        Refusal::ExperimentRunning(_) | Refusal::AnotherRuns(_) => ErrorCode::ExperimentRunning,
        Refusal::MetricInUse(_) => ErrorCode::MetricInUse,
        Refusal::NoArtifactNeeded(_) | Refusal::HasArtifact(_) => ErrorCode::ArtifactNotAllowed,
        Refusal::UnknownWebhook(_) => ErrorCode::WebhookNotFound,
        Refusal::UnknownKey(_) => ErrorCode::KeyNotFound,
        Refusal::KeptTooShort { .. } => ErrorCode::KeptTooShort,
        Refusal::TooMany(..)
        | Refusal::TooManyRules(_)
        | Refusal::TooManyWebhooks(_)
        | Refusal::TooManyKeys(_) => ErrorCode::TooMany,
        Refusal::ExperimentStatus(_)
        | Refusal::MetricChanged(_)
        | Refusal::ControlWithoutTraffic { .. }
        | Refusal::UnreadableRuns(..) => ErrorCode::ExperimentState,
        fault if fault.is_fault() => ErrorCode::Internal,
        _ => ErrorCode::TransitionNotAllowed,
    }
}

/// What to do about a refusal, where its own sentence does not say it.
fn advice(refusal: &Refusal) -> Option<String> {
    let advice = match refusal {
        Refusal::Duplicate { .. } => "; choose another version string.".into(),
        Refusal::Transition { .. } => {
            ": deactivate an active version first; a deprecated version can only become inactive; only `activate` \
             makes a version active."
                .into()
        }
        Refusal::NoArtifactNeeded(_) => {
            "; register one with `\"runtime\": {\"type\": \"onnx\"}`.".into()
        }
        Refusal::HasArtifact(_) => {
            ", which never changes; register another version, or delete this one and register it again.".into()
        }
        Refusal::Active => " and cannot be deleted; deactivate it first.".into(),
        Refusal::Stale { name, .. } => {
            format!(": somebody changed it; read it again with `GET /traffic/{name}`.")
        }
        Refusal::ExperimentRunning(id) => format!(
            " of this model. Stop it with `POST /experiments/{id}/stop`, or say `takeover` to stop it with this \
             change."
        ),
        Refusal::AnotherRuns(id) => {
            format!(", and only one can run at a time; `POST /experiments/{id}/stop` ends it.")
        }
        Refusal::ExperimentStatus(_) => {
            ": only a draft can be started or deleted, and only a running one takes commands."
                .into()
        }
        Refusal::StaleExperiment { .. } => {
            ": it has changed since you read it; read it again and decide again.".into()
        }
        Refusal::MetricInUse(_) => {
            " as it was declared; change it when the experiment has ended.".into()
        }
        Refusal::MetricChanged(_) => {
            " since the experiment was made; make the experiment again.".into()
        }
        Refusal::ControlWithoutTraffic { name, control, .. } => format!(
            ". Name that one as the control, or give the traffic to {control} first with `PUT /traffic/{name}`."
        ),
        Refusal::UnknownWebhook(_) => "; `GET /webhooks` lists them.".into(),
        Refusal::TooManyRules(_) => "; join several into one with `or`.".into(),
        Refusal::TooMany(..) => "; delete some first.".into(),
        Refusal::KeptTooShort { .. } => {
            "; keep predictions for longer than the longest window, or shorten only the time for inputs and outputs \
             (`content_max_age_seconds`)."
                .into()
        }
        Refusal::TooManyWebhooks(_) => "; delete one first.".into(),
        Refusal::UnknownKey(_) => "; `GET /keys` lists them.".into(),
        Refusal::TooManyKeys(_) => "; revoke one first.".into(),
        Refusal::LastAdminKey(_) => {
            ": first make another key with the role admin, for all models and without an expiry date.".into()
        }
        Refusal::UnreadableRuns(..) => {
            ", so no other one can start; `weir verify` says what is wrong.".into()
        }
        fault if fault.is_fault() => {
            ": nothing was changed; run `weir verify` and see the server's log.".into()
        }
        _ => return None,
    };
    Some(advice)
}

impl ApiError {
    /// As a part of a reply.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = self.to_json();
        let mut response = (status, body).into_response();
        response.extensions_mut().insert(self.0.code);
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if matches!(status.as_u16(), 429 | 503) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.1.unwrap_or(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"weir\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
