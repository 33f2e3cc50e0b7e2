//! Predictions on the wire.

use crate::{AssignmentReason, Failure, PredictionStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use types::Json;
use utoipa::ToSchema;

/// A request for a prediction: either `text` or `inputs`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictRequest {
    /// A text, one character or more.
    #[schema(min_length = 1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Tensors or any JSON, for models that do not read text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub inputs: Option<Json>,
    /// The model; needed only when several are active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version that must answer, instead of one chosen by the weights: its version string, or an alias such as
    /// `@champion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// Who asks: the same unit gets the same version while the weights stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<String>,
    /// What is known of who asks (country, device, plan): up to 32 texts, numbers and booleans by name.
    #[schema(value_type = Option<Object>, example = json!({"country": "DE", "app_version": "2.10.0"}))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<types::Members>,
    /// The caller's id for this request, unique for the model within 24 hours: a repeat gets the first answer. Up to 200
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A request for a prediction, or up to 100 of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PredictBody {
    /// One.
    One(PredictRequest),
    /// 1 to 100 requests. An element that is not a valid request gets a problem in its place in the reply, and does not
    /// keep the others from being answered. Requests without a `unit_id` count as one unit together.
    Several(Vec<Value>),
}

/// The answer to one request, or to each of an array.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PredictReplies<'a> {
    /// Of one.
    One(PredictReply<'a>),
    /// Of each, in order.
    Several(Vec<ReplyOrProblem<'a>>),
}

/// What became of one request of an array.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ReplyOrProblem<'a> {
    /// It was answered.
    Reply(PredictReply<'a>),
    /// It was not.
    Problem(crate::Problem),
}

// The server borrows what it holds already.
/// The answer to a request for a prediction.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PredictReply<'a> {
    /// What the version said: a label for sentiment.
    #[schema(value_type = Value)]
    pub prediction: Cow<'a, Json>,
    /// How sure it is, where it says so.
    pub confidence: Option<f64>,
    /// What else the version said, by name: the probabilities of all classes, tensors, a score.
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Cow<'a, Json>>,
    /// The version that was chosen.
    #[schema(value_type = String)]
    pub model_id: Cow<'a, str>,
    /// Its version string.
    #[schema(value_type = String)]
    pub model_version: Cow<'a, str>,
    /// How long choosing and calling took, in milliseconds.
    pub latency_ms: f64,
    /// Identifies the logged prediction.
    pub prediction_id: String,
    /// The model.
    #[schema(value_type = String)]
    pub name: Cow<'a, str>,
    /// The experiment that the prediction takes part in.
    pub experiment: Option<String>,
    /// The version that answered: another than the chosen one, if that one failed.
    #[schema(value_type = String)]
    pub served_model_id: Cow<'a, str>,
    /// Whether this is the answer that the request got when it came first, by its `request_id`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}

/// A prediction as it was logged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LoggedPrediction {
    /// Identifies it.
    pub prediction_id: String,
    /// When it was made.
    pub created_at: String,
    /// The model.
    pub name: String,
    /// The version that was chosen.
    pub model_id: String,
    /// Its version string.
    pub model_version: String,
    /// The version that answered; null when none did.
    pub served_model_id: Option<String>,
    /// How it ended: `fallback` means that another version answered, `error` that none did, `rejected` that the
    /// version refused the input.
    pub status: PredictionStatus,
    /// Why the version was chosen.
    pub reason: AssignmentReason,
    /// Counts the changes of the model's weights.
    pub epoch: i64,
    /// The probability with which the version was chosen.
    pub propensity: f64,
    /// Who asked.
    pub unit_id: Option<String>,
    /// What the caller said of who asked.
    #[schema(value_type = Object)]
    #[serde(default)]
    pub attributes: types::Members,
    /// The alias that the caller named, where it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The caller's id for the request, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When it was made, where that was elsewhere; `created_at` is when Weir was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<String>,
    /// What came in, when it was a text.
    pub text: Option<String>,
    /// What came in, when it was not.
    #[schema(value_type = Option<serde_json::Value>)]
    pub inputs: Option<Json>,
    /// What was answered.
    #[schema(value_type = Option<serde_json::Value>)]
    pub prediction: Option<Json>,
    /// How sure the answering version was.
    pub confidence: Option<f64>,
    /// What else it said, by name.
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Json>,
    /// How long it took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Why the chosen version failed, or refused the input.
    pub error: Option<String>,
    /// How it failed, when it did and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The experiment that it takes part in.
    pub experiment: Option<String>,
    /// Its place in the journal, which only grows; null where an early release stored it.
    pub position: Option<u64>,
    /// How much of it is kept; left out where all of it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<crate::Kept>,
    /// The values that came for it; left out of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Vec<crate::StoredFeedback>>,
    /// What other versions made of copies of the request; left out of lists, and where no version got one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<ShadowAnswer>,
}

/// What a version made of its copy of a request. No caller saw it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ShadowAnswer {
    /// The version that got the copy.
    pub model_id: String,
    /// Its version string.
    pub model_version: String,
    /// `ok`, `rejected` or `error`.
    pub status: PredictionStatus,
    /// What it answered.
    #[schema(value_type = Option<serde_json::Value>)]
    pub prediction: Option<Json>,
    /// How sure it was.
    pub confidence: Option<f64>,
    /// How long it took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Why it failed, or refused the input.
    pub error: Option<String>,
}

/// A page of logged predictions, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PredictionPage {
    /// The predictions.
    pub predictions: Vec<LoggedPrediction>,
    /// The `cursor` of the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// The `after_position` of the next page, where one was given: the last position of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_position: Option<u64>,
    /// The generation that positions belong to, where a position was given: send it together with the next one. A
    /// restore begins a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// What was answered and is not listed yet; left out when everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag: Option<crate::LogLag>,
}
