//! Feedback on the wire.

use crate::word::Word;
use crate::{ErrorCode, FeedbackStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::Json;
use utoipa::ToSchema;

/// What came later for a prediction: a label, or a metric and a value.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// The prediction, as `/predict` named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_id: Option<String>,
    /// Instead of `prediction_id`: the `request_id` that was sent with the request for the prediction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The model that `request_id` was sent to; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In place of both: the unit whose outcome it is, for a metric per unit. It counts for every experiment of the model in
    /// which the unit was exposed before; without a `name`, for those of all models that have the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<String>,
    /// When the outcome of a unit happened; now where that is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Your id for the outcome, so that sending it again changes nothing. Up to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_id: Option<String>,
    /// What would have been right, not null; gives the metric `correct`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub label: Option<Json>,
    /// A declared metric, or `correct`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Its value: a number, or true and false for 1 and 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Whether it may replace another value; otherwise a different value is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}

/// One value, or up to 10,000.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FeedbackBody {
    /// One value, answered as one.
    One(Box<Feedback>),
    /// A batch: the good values are stored, the bad ones listed.
    Many(Vec<Feedback>),
}

/// What became of feedback.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FeedbackReply {
    /// Values that were stored and counted.
    #[serde(default)]
    pub recorded: u64,
    /// Values that were there already.
    #[serde(default)]
    pub duplicate: u64,
    /// Values that took the place of others.
    #[serde(default)]
    pub replaced: u64,
    /// Values whose prediction has not been seen: kept for 7 days and joined when it appears.
    #[serde(default)]
    pub unmatched: u64,
    /// Values for predictions of deleted versions: they count for nothing.
    #[serde(default)]
    pub dropped: u64,
    /// Values that the database did not take, kept apart.
    #[serde(default)]
    pub set_aside: u64,
    /// Values that were refused; `errors` says why.
    pub rejected: u64,
    /// Values of the above whose receipt has a `warning`: labels of a type that can never equal the prediction. An answer of 202 does
    /// not know them yet.
    #[serde(default)]
    pub warned: u64,
    /// One per value that was not refused, in their order; left out with `receipts=false`.
    #[serde(default)]
    pub receipts: Vec<FeedbackReceipt>,
    /// One per value that was refused.
    pub errors: Vec<LineError>,
    /// Where values were refused, or the answer is 202: with it `GET /feedback/receipts/{receipt}` says what became of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// What a value counted for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FeedbackReceipt {
    /// The prediction; null where a request has not been seen, and for an outcome of a unit.
    pub prediction_id: Option<String>,
    /// The request, where it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What became of it.
    pub status: FeedbackStatus,
    /// The metric.
    pub metric: String,
    /// Its value; null while a label waits for its prediction.
    pub value: Option<f64>,
    /// The model.
    pub name: Option<String>,
    /// The version that was chosen.
    pub model_id: Option<String>,
    /// Its version string: the arm.
    pub model_version: Option<String>,
    /// The experiment that it counted for.
    pub experiment: Option<String>,
    /// The unit whose outcome it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<String>,
    /// What its sender calls the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_id: Option<String>,
    /// The experiments that the outcome of a unit counted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiments: Option<Vec<String>>,
    /// Why the outcome of a unit that was exposed counted for none: `before_exposure` or `after_window`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_counted: Option<String>,
    /// A warning: the label has a type that can never equal the prediction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

types::words! {
    /// That values are safe.
    pub enum AcceptedWord as "Accepted" {
        /// They will be counted.
        Accepted = "accepted",
    }
}

/// That values are safe.
pub type Accepted = Word<AcceptedWord>;

types::words! {
    /// Whether a request has been counted.
    pub enum ReceiptWord as "ReceiptStatus" {
        /// Some of it is still to be counted.
        Pending = "pending",
        /// All of it has been counted.
        Complete = "complete",
        /// A part of it was damaged in the log before it was counted. Send the same again: what was counted stays
        /// as it is.
        Incomplete = "incomplete",
    }
}

/// Whether a request has been counted.
pub type ReceiptStatus = Word<ReceiptWord>;

/// Feedback that is safe and has not been counted yet.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AcceptedFeedback {
    /// That they are safe.
    pub status: Accepted,
    /// With it `GET /feedback/receipts/{receipt}` says what became of the values, for 7 days.
    pub receipt: String,
    /// Values that will be counted, or refused then.
    pub accepted: u64,
    /// Values that were refused at once; `errors` says why.
    pub rejected: u64,
    /// One per value that was refused at once.
    pub errors: Vec<LineError>,
}

/// What became of a request with feedback.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RequestReceipt {
    /// Identifies the request.
    pub receipt: String,
    /// Whether all of it has been counted.
    pub status: ReceiptStatus,
    /// Values that were stored and counted.
    pub recorded: u64,
    /// Values that were there already.
    pub duplicate: u64,
    /// Values that took the place of others.
    pub replaced: u64,
    /// Values whose prediction has not been seen.
    pub unmatched: u64,
    /// Values for predictions of deleted versions.
    pub dropped: u64,
    /// Values that the database did not take, kept apart.
    pub set_aside: u64,
    /// Values that were refused.
    pub rejected: u64,
    /// The first hundred of these.
    pub errors: Vec<LineError>,
}

/// Why a value was refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LineError {
    /// Its line, or its place in the array, from 1.
    pub line: u64,
    /// A stable code.
    pub code: ErrorCode,
    /// What is wrong and what to do.
    pub detail: String,
}

/// Values in the order in which they came.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FeedbackPage {
    /// The values. What came together is never cut, so there may be more than the limit.
    pub feedback: Vec<PlacedFeedback>,
    /// The `after_position` of the next page: the last position of this one.
    pub next_position: u64,
    /// The generation that positions belong to: send it together with the next position. A restore begins a
    /// new one.
    #[serde(default)]
    pub generation: String,
    /// What was answered and is not listed yet; left out when everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag: Option<crate::LogLag>,
}

/// A value, the prediction that it came for, and its place in the journal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PlacedFeedback {
    /// The prediction.
    pub prediction_id: String,
    /// The value.
    #[serde(flatten)]
    pub value: StoredFeedback,
    /// Its place in the journal, which only grows; a value that is replaced moves to the place of the new one.
    pub position: u64,
}

/// An outcome of a unit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StoredOutcome {
    /// The model.
    pub name: String,
    /// The metric.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// When it happened.
    pub at: String,
    /// Its `outcome_id`, as the sender chose it.
    pub outcome_id: Option<String>,
    /// When it was told.
    pub received_at: String,
    /// Whether the unit has been exposed in an experiment of the model. If not, the outcome waits for 30
    /// days.
    pub exposed: bool,
}

/// The outcomes of a unit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OutcomePage {
    /// In the order in which they came, at most a thousand.
    pub outcomes: Vec<StoredOutcome>,
    /// What was accepted and is not listed yet; left out when everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag: Option<crate::LogLag>,
}

/// A value that came for a prediction.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StoredFeedback {
    /// The metric.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// The label it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub label: Option<Json>,
    /// When it came last.
    pub received_at: String,
}
