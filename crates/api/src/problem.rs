//! Errors on the wire: RFC 9457 problem documents with a stable code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

// `tt` and not `literal`: derives cannot look into a captured literal.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:tt, $status:literal, $title:literal;)*) => {
        /// What went wrong, in a word that does not change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl ErrorCode {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it is sent.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// A few words for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// Several models are active and the request names none.
    AmbiguousModel = "ambiguous_model", 400, "The request must name a model";
    /// The body is not a valid request of the Open Inference Protocol.
    MalformedInference = "malformed_inference", 400, "The inference request cannot be read";
    /// The name and version are taken.
    DuplicateVersion = "duplicate_version", 400, "The version exists already";
    /// An active version cannot be deleted.
    VersionActive = "version_active", 400, "The version is active";
    /// There is no such version, or it does not answer.
    VersionNotFound = "version_not_found", 404, "There is no such version";
    /// There is no such model.
    ModelNotFound = "model_not_found", 404, "There is no such model";
    /// There is no such prediction.
    PredictionNotFound = "prediction_not_found", 404, "There is no such prediction";
    /// There is no such alias.
    AliasNotFound = "alias_not_found", 404, "There is no such alias";
    /// The model has no such metric.
    MetricNotFound = "metric_not_found", 404, "There is no such metric";
    /// There is no such experiment.
    ExperimentNotFound = "experiment_not_found", 404, "There is no such experiment";
    /// There is no such receipt.
    ReceiptNotFound = "receipt_not_found", 404, "There is no such receipt";
    /// There is no such webhook.
    WebhookNotFound = "webhook_not_found", 404, "There is no such webhook";
    /// The version has no artifact.
    ArtifactNotFound = "artifact_not_found", 404, "The version has no artifact";
    /// There is no such path.
    PathNotFound = "path_not_found", 404, "There is no such path";
    /// The path does not know the method.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    /// The position to continue from was given before the server was restored.
    GenerationGone = "generation_gone", 410, "The position belongs to another generation";
    /// The body did not arrive in time.
    BodyTimeout = "body_timeout", 408, "The body did not arrive in time";
    /// What was uploaded cannot be used as an artifact.
    ArtifactInvalid = "artifact_invalid", 422, "The artifact cannot be used";
    /// The version takes no artifact, or has another one.
    ArtifactNotAllowed = "artifact_not_allowed", 409, "The version does not accept this artifact";
    /// The status of the version does not allow it.
    TransitionNotAllowed = "transition_not_allowed", 409, "The change is not allowed now";
    /// The traffic, or the experiment, has changed since it was read.
    StaleRevision = "stale_revision", 409, "It has changed since you read it";
    /// A running experiment sets the weights.
    ExperimentRunning = "experiment_running", 409, "An experiment sets the weights";
    /// The status of the experiment does not allow it.
    ExperimentState = "experiment_state", 409, "The state of the experiment does not allow this";
    /// A running experiment counts the metric.
    MetricInUse = "metric_in_use", 409, "A running experiment counts the metric";
    /// Another value is stored.
    FeedbackConflict = "feedback_conflict", 409, "Another value is stored";
    /// The prediction was rejected, so no label can be compared with it.
    PredictionRejected = "prediction_rejected", 409, "The prediction was rejected";
    /// A limit on how many there may be is reached.
    TooMany = "too_many", 409, "A limit is reached";
    /// What was answered is not kept.
    AnswerNotKept = "answer_not_kept", 409, "The answer is not kept";
    /// Predictions would be gone before the values of a metric have come.
    KeptTooShort = "kept_too_short", 409, "Predictions would be kept for too short a time";
    /// The version does not answer its probe.
    RuntimeNotReady = "runtime_not_ready", 409, "The version cannot be called";
    /// The body is too large.
    BodyTooLarge = "body_too_large", 413, "The body is too large";
    /// The body is of another type.
    UnsupportedMediaType = "unsupported_media_type", 415, "The body must be JSON";
    /// The log cannot answer the question.
    CannotEvaluate = "cannot_evaluate", 422, "The log cannot answer this";
    /// The version does not take the input.
    InputRejected = "input_rejected", 422, "The version does not accept this input";
    /// The content does not fit.
    InvalidRequest = "invalid_request", 422, "The request is not valid";
    /// Too many requests are under way.
    TooManyRequests = "too_many_requests", 429, "Too many requests are under way";
    /// The caller has no valid key.
    Unauthenticated = "unauthenticated", 401, "A key is needed";
    /// The caller's key does not allow this.
    Forbidden = "forbidden", 403, "The key does not allow this";
    /// The server does not answer to this name.
    HostNotAllowed = "host_not_allowed", 403, "The server does not answer to this name";
    /// A request of HTTP/1.1 has no usable `Host` header.
    HostMissing = "host_missing", 400, "The request does not name its host";
    /// The call comes from a web page of another site.
    OriginNotAllowed = "origin_not_allowed", 403, "The web page may not call this server";
    /// There is no such key.
    KeyNotFound = "key_not_found", 404, "There is no such key";
    /// There is no such erasure.
    ErasureNotFound = "erasure_not_found", 404, "There is no such erasure";
    /// A bug in the server.
    Internal = "internal", 500, "An internal error";
    /// The version failed and no other answered.
    ModelFailed = "model_failed", 502, "The model did not answer";
    /// The version has too much to do, or keeps failing, and no other answered.
    ModelOverloaded = "model_overloaded", 503, "The model is overloaded";
    /// No active version has a weight.
    NoActiveVersion = "no_active_version", 503, "No version is active";
    /// The log cannot be written.
    LogUnavailable = "log_unavailable", 503, "The log cannot be written";
    /// Another request has the same `request_id`.
    RequestIdTaken = "request_id_taken", 409, "Another request has this id";
    /// Several requests had this id, so it is unclear which one is meant.
    RequestIdUsedTwice = "request_id_used_twice", 409, "Several requests had this id";
    /// The token was changed, is for another model or unit, or was issued by another server.
    TokenInvalid = "token_invalid", 422, "The token is not valid";
    /// A token is too old.
    TokenExpired = "token_expired", 422, "The token has expired";
    /// What is asked for may be in the log and not counted yet.
    LogBehind = "log_behind", 503, "The log is still being counted";
    /// The database could not store it; it is kept apart.
    SetAside = "set_aside", 500, "The database could not store it";
    /// The store cannot be read.
    StoreUnavailable = "store_unavailable", 503, "The store cannot be read";
    /// The version did not answer in time, and no other did.
    ModelTimeout = "model_timeout", 504, "The model did not answer in time";
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI reference that names the kind of problem.
    pub r#type: String,
    /// A few words for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub detail: String,
    /// The stable code.
    pub code: ErrorCode,
    /// What does not fit, field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The logged prediction, where a call failed that was logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_id: Option<String>,
}

/// A field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}
