//! Beside the path on the wire: decisions without a prediction, and predictions that were made elsewhere.

use crate::feedback::LineError;
use crate::{AssignmentReason, FeedbackStatus};
use serde::{Deserialize, Serialize};
use types::{Json, RuntimeSpec};
use utoipa::ToSchema;

/// Who asks which version to use.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// The model; needed only when several are active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who asks: the same unit gets the same version while the weights stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<String>,
    /// What is known of who asks, as in `POST /predict`.
    #[schema(value_type = Option<Object>, example = json!({"country": "DE"}))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<types::Members>,
    /// The version or alias to use, instead of one chosen by the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
}

/// Which version to use. Nothing is logged, and nobody counts as exposed, until `POST /predictions` or `POST /exposures`
/// says so with the token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// The model.
    pub name: String,
    /// The version that was chosen.
    pub model_id: String,
    /// Its version string.
    pub model_version: String,
    /// How it is called.
    pub runtime: RuntimeSpec,
    /// Why it was chosen.
    pub reason: AssignmentReason,
    /// The probability with which it was chosen.
    pub propensity: f64,
    /// Counts the changes of the model's weights.
    pub epoch: i64,
    /// The experiment that the decision takes part in.
    pub experiment: Option<String>,
    /// The unit that it is for, by which outcomes name it: a decision without a `unit_id` is a unit of its
    /// own.
    pub unit_id: String,
    /// The decision, signed.
    pub token: String,
    /// When the token expires.
    pub expires_at: String,
}

/// A prediction that was made elsewhere. With the `token` of a decision it is evidence like any other; without one it is
/// logged as `observed`, and no experiment uses it as evidence.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ObservedPrediction {
    /// The token that `POST /decide` gave. It says who, which model and which version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The model; without a token, may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version that answered: a version string or an alias. Needed without a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<String>,
    /// What was known of who asked.
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<types::Members>,
    /// The caller's id for the request, unique for the model within 24 hours: sending it again changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The text that came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What came in, where it was no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub inputs: Option<Json>,
    /// What the version answered. Without this and without an `error`, the request says only that the unit
    /// was exposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub prediction: Option<Json>,
    /// How sure it was, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why the version failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was made; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Without a token: the probability with which the version was chosen there. `POST /evaluate` uses it, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
}

/// One prediction, or up to 10,000.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ObservedBody {
    /// One, answered as one.
    One(Box<ObservedPrediction>),
    /// A batch: the good ones are logged, the bad ones listed.
    Many(Vec<ObservedPrediction>),
}

/// That a unit met the version that was chosen for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// The token of the decision.
    pub token: String,
    /// What was known of the unit.
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<types::Members>,
    /// The caller's id for the exposure: sending it again within 24 hours changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When it was; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// One exposure, or up to 10,000.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ExposureBody {
    /// One, answered as one.
    One(Exposure),
    /// A batch: the good ones are logged, the bad ones listed.
    Many(Vec<Exposure>),
}

/// What became of predictions that were made elsewhere.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ObservedReply {
    /// Predictions that were logged.
    pub recorded: u64,
    /// Predictions whose `request_id` was logged before.
    pub duplicate: u64,
    /// Those that were refused; `errors` says why.
    pub rejected: u64,
    /// One for each that was not refused, in their order.
    pub receipts: Vec<ObservedReceipt>,
    /// One for each that was refused.
    pub errors: Vec<LineError>,
}

/// A prediction that was logged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ObservedReceipt {
    /// The line it came in, or its place in the array, from 1.
    pub line: u64,
    /// The id by which feedback names it.
    pub prediction_id: String,
    /// Whether it is new: `recorded` or `duplicate`.
    pub status: FeedbackStatus,
    /// What the caller calls the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The model.
    pub name: String,
    /// Its version string.
    pub model_version: String,
    /// Why the version was chosen.
    pub reason: AssignmentReason,
}
