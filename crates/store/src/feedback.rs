//! The words of feedback: what comes in and what is said of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{
    BuiltIn, ExperimentId, FeedbackStatus, KeptPart, MetricName, ModelId, ModelName, PredictionId,
    RequestId, Timestamp, UnitId, VersionName,
};

/// An outcome of a unit as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredOutcome {
    /// The model.
    pub name: ModelName,
    /// The metric.
    pub metric: MetricName,
    /// Its value.
    pub value: f64,
    /// When it happened.
    pub at: Timestamp,
    /// What its sender calls it.
    pub outcome_id: Option<String>,
    /// When it was told.
    pub received_at: Timestamp,
    /// Whether the unit has been exposed in an experiment of the model.
    pub joined: bool,
}

/// A value that came for a prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// What it came for.
    pub of: FeedbackOf,
    /// What came.
    pub content: FeedbackContent,
    /// Whether it may replace another value.
    pub replace: bool,
}

/// How feedback names its prediction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedbackOf {
    /// By its id.
    Prediction(PredictionId),
    /// By what its caller calls the request, which is the request's id within a model. Where it took several attempts,
    /// the value is for the exposure that the answer belongs to, and a label is compared with the answer.
    Request(ModelName, RequestId),
    /// It is an outcome of a unit.
    Unit(Box<UnitFeedback>),
}

/// Whose outcome it is, and when it happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitFeedback {
    /// The model; every model that knows the metric where none is named.
    pub name: Option<ModelName>,
    /// The unit.
    pub unit: UnitId,
    /// When it happened; when it came where that is not said.
    pub at: Option<Timestamp>,
    /// What its sender calls it: the same again changes nothing.
    pub outcome: Option<RequestId>,
}

/// What came for a prediction.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedbackContent {
    /// What would have been right: gives the metric `correct`.
    Label(Value),
    /// A value of a metric.
    Value(MetricName, f64),
}

/// What a value counted for.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// What became of it.
    pub status: FeedbackStatus,
    /// The prediction; `None` where a request has not been seen.
    pub prediction_id: Option<PredictionId>,
    /// The metric.
    pub metric: MetricName,
    /// Its value; `None` while a label waits for its prediction.
    pub value: Option<f64>,
    /// What it counted for; `None` while its prediction has not been seen.
    pub counted: Option<Counted>,
    /// Of an outcome of a unit: the experiments that it counts for.
    pub experiments: Vec<ExperimentId>,
    /// Of one that counts for none although its unit was exposed: why.
    pub missed: Option<Missed>,
}

/// Why an outcome of a unit that was exposed does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// It happened before the first exposure of the unit, or at the same moment.
    BeforeExposure,
    /// It happened when the window after the first exposure was over.
    AfterWindow,
}

impl Receipt {
    /// Of a value that is joined to no prediction.
    pub(crate) fn unjoined(item: &Feedback, status: FeedbackStatus) -> Self {
        let (metric, value) = match &item.content {
            FeedbackContent::Label(_) => (BuiltIn::Correct.metric().name, None),
            FeedbackContent::Value(metric, value) => (metric.clone(), Some(*value)),
        };
        let prediction_id = match &item.of {
            FeedbackOf::Prediction(id) => Some(*id),
            FeedbackOf::Request(..) | FeedbackOf::Unit(_) => None,
        };
        Self {
            status,
            prediction_id,
            metric,
            value,
            counted: None,
            experiments: Vec::new(),
            missed: None,
        }
    }

    pub(crate) fn count_for(&mut self, experiment: ExperimentId) {
        if let Some(counted) = &mut self.counted {
            counted.experiment_id = Some(experiment);
        }
    }
}

/// The prediction's place, as a receipt names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The model.
    pub name: ModelName,
    /// The version that was chosen.
    pub model_id: ModelId,
    /// Its version string.
    pub version: VersionName,
    /// The experiment whose evidence it changed.
    pub experiment_id: Option<ExperimentId>,
}

/// A value as it is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFeedback {
    /// The metric.
    pub metric: MetricName,
    /// Its value.
    pub value: f64,
    /// The label it came from.
    pub label: Option<Value>,
    /// When it came last.
    pub received_at: Timestamp,
}

/// A value and where it stands in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedFeedback {
    /// The prediction that it came for.
    pub prediction_id: PredictionId,
    /// The value.
    pub feedback: StoredFeedback,
    /// The position of the entry that it came with; of the prediction, where that came later.
    pub position: u64,
}

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum FeedbackRefusal {
    /// Another value is there.
    #[error("another value is stored: {stored}")]
    Conflict {
        /// The value, or the label it came from as JSON.
        stored: String,
    },
    /// The model has no such metric.
    #[error("{name} has no metric {metric} that takes feedback")]
    UnknownMetric {
        /// The model.
        name: ModelName,
        /// The metric.
        metric: MetricName,
    },
    /// The metric does not take the value.
    #[error("{0}")]
    Invalid(String),
    /// The version refused the input, so there is no prediction that a label could be compared with.
    #[error("the prediction was rejected, so it has nothing that a label could be compared with")]
    Rejected,
    /// Several requests had the id, so which one is meant cannot be said.
    #[error("several requests had this id")]
    UsedTwice,
    /// The metric is per unit, and the value came for a prediction.
    #[error("{0} is per unit")]
    PerUnit(MetricName),
    /// The metric is per prediction, and the value came for a unit.
    #[error("{0} is per prediction")]
    PerPrediction(MetricName),
    /// Another outcome has the id.
    #[error("another outcome has this id: {stored}")]
    OutcomeTaken {
        /// Its value.
        stored: String,
    },
    /// What was answered is not there, so a label cannot be compared with it.
    #[error("what was answered is not kept, so it cannot be compared with a label")]
    AnswerNotKept,
}

/// What became of each value of a batch.
pub type FeedbackResult = Result<Receipt, FeedbackRefusal>;

/// What becomes of a value that comes for a prediction, beside the one that is stored, each with the label that it came
/// from.
pub(crate) fn joined(
    stored: Option<(f64, Option<&str>)>,
    value: f64,
    label: Option<&str>,
    replace: bool,
) -> Result<FeedbackStatus, FeedbackRefusal> {
    match stored {
        None => Ok(FeedbackStatus::Recorded),
        // Two wrong labels are two values.
        Some((old, known)) if old == value && (label.is_none() || known == label) => {
            Ok(FeedbackStatus::Duplicate)
        }
        // The label is the same, and the answer that it is compared with came since.
        Some((_, known)) if label.is_some() && known == label => Ok(FeedbackStatus::Replaced),
        Some(_) if replace => Ok(FeedbackStatus::Replaced),
        Some((old, known)) => Err(FeedbackRefusal::Conflict {
            stored: known.map_or_else(|| old.to_string(), str::to_owned),
        }),
    }
}

/// An attempt at a request, as its row has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Attempt {
    /// Whether it repeats one that failed: then it is no exposure.
    pub(crate) is_retry: bool,
    /// Whether a version answered.
    pub(crate) answered: bool,
}

/// Which of the attempts that have an id feedback is for, oldest first: the place of the exposure, and that of the answer.
/// An id is used again after an answer, when its time is over.
pub(crate) fn attempt_of(
    attempts: impl Iterator<Item = Attempt>,
) -> Result<Option<(usize, usize)>, FeedbackRefusal> {
    let mut found = None;
    let mut answered = false;
    for (at, attempt) in attempts.enumerate() {
        if answered {
            return Err(FeedbackRefusal::UsedTwice);
        }
        answered = attempt.answered;
        let exposure = match found {
            Some((exposure, _)) if attempt.is_retry => exposure,
            _ => at,
        };
        found = Some((exposure, at));
    }
    Ok(found)
}

/// What a label is compared with where only hashes of answers are kept: the same hash of it.
pub type LabelHash = std::sync::Arc<dyn Fn(&Value) -> String + Send + Sync>;

/// A prediction as labels see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labelled<'a> {
    /// Whether a version answered.
    pub(crate) answered: bool,
    /// What it answered, as far as that is kept: JSON.
    pub(crate) prediction: Option<&'a str>,
    pub(crate) kept: KeptPart,
}

impl Labelled<'_> {
    /// 1 where a label equals the answer and else 0, and the label as it is stored: what is known of the answer as a hash
    /// is not told by the label.
    pub(crate) fn compare(
        self,
        label: &Value,
        hash: Option<&LabelHash>,
    ) -> Result<(f64, String), FeedbackRefusal> {
        let hashed = match (self.kept, hash) {
            (KeptPart::Hashed, Some(hash)) => Some(Value::from(hash(label))),
            (KeptPart::Hashed, None) => return Err(FeedbackRefusal::AnswerNotKept),
            _ => None,
        };
        let label = hashed.as_ref().unwrap_or(label);
        // One that failed is never right, whatever is kept.
        if self.answered && self.prediction.is_none() {
            return Err(FeedbackRefusal::AnswerNotKept);
        }
        let right = self.answered && is_right(self.prediction, label);
        Ok((f64::from(right), label.to_string()))
    }
}

/// Whether a label equals the prediction; one that failed is never right.
pub(crate) fn is_right(prediction: Option<&str>, label: &Value) -> bool {
    let Some(prediction) = prediction.and_then(|text| serde_json::from_str::<Value>(text).ok())
    else {
        return false;
    };
    let is_whole = |value: &Value| value.is_i64() || value.is_u64();
    match (prediction.as_f64(), label.as_f64()) {
        // Two whole numbers may differ where floating ones do not.
        _ if is_whole(&prediction) && is_whole(label) => prediction == *label,
        // 1 and 1.0 are the same label.
        (Some(a), Some(b)) => a == b,
        _ => prediction == *label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_found_by_the_exposure_that_its_answer_belongs_to() {
        let attempt = |text: &str| Attempt {
            is_retry: text.starts_with("retry"),
            answered: text.ends_with("answered"),
        };
        let of = |texts: &[&str]| attempt_of(texts.iter().map(|text| attempt(text)));
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["answered"]), Ok(Some((0, 0))));
        assert_eq!(of(&["failed"]), Ok(Some((0, 0))));
        assert_eq!(
            of(&["failed", "retry failed", "retry answered"]),
            Ok(Some((0, 2)))
        );
        // The version that failed was taken out of service, and another one was chosen.
        assert_eq!(of(&["failed", "answered"]), Ok(Some((1, 1))));
        assert_eq!(
            of(&["failed", "answered", "answered"]),
            Err(FeedbackRefusal::UsedTwice)
        );
        assert_eq!(of(&["answered", "failed"]), Err(FeedbackRefusal::UsedTwice));
    }

    #[test]
    fn labels_are_compared_as_json() {
        for (prediction, label, right) in [
            (Some(r#""positive""#), json!("positive"), true),
            (Some(r#""positive""#), json!("Positive"), false),
            (Some("1.0"), json!(1), true),
            (Some("true"), json!(1), false),
            (Some("[1,2]"), json!([1, 2]), true),
            (None, json!(null), false),
        ] {
            assert_eq!(
                is_right(prediction, &label),
                right,
                "{prediction:?} {label}"
            );
        }
    }
}
