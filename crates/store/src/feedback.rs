//! The words of feedback: what comes in and what is said of it.

use serde::{Deserialize, Serialize};
use types::{
    BuiltIn, EvidenceRule, ExperimentId, FeedbackStatus, Json, KeptPart, Metric, MetricName,
    Mismatch, ModelId, ModelName, PredictionId, RequestId, Timestamp, UnitId, VersionKey,
    VersionName, labels,
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
    Label(Json),
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
    /// Of a label that can never equal the prediction: their types.
    pub mismatch: Option<Mismatch>,
}

/// Whose predictions are compared with their labels.
#[derive(Debug, Clone)]
pub struct ConfusionQuery {
    /// The model.
    pub name: ModelName,
    /// The class that counts as positive, as JSON.
    pub positive: String,
    /// When the predictions were made.
    pub range: types::TimeRange,
    /// At most so many labels, the newest.
    pub limit: u64,
}

/// How predictions of a class and labels go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Predicted positive, and it was.
    pub true_positives: u64,
    /// Predicted positive, and it was not.
    pub false_positives: u64,
    /// Predicted another class, and it was positive.
    pub false_negatives: u64,
    /// Predicted another class, and it was not positive.
    pub true_negatives: u64,
}

/// Mismatches of a version, as they have been counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedMismatch {
    /// The version that answered.
    pub version: VersionKey,
    /// The types.
    pub mismatch: Mismatch,
    /// How many labels.
    pub count: u64,
    /// When the last one came.
    pub last_at: Timestamp,
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
            mismatch: None,
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
    pub label: Option<Json>,
    /// When it came last.
    pub received_at: Timestamp,
}

/// A value and where it stands in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedFeedback {
    /// The prediction that it came for.
    pub prediction_id: PredictionId,
    /// The model of the prediction.
    pub name: ModelName,
    /// The version that was chosen.
    pub model_id: ModelId,
    /// Its version string.
    pub version: VersionName,
    /// Who asked.
    pub unit_id: Option<String>,
    /// The experiment that the prediction takes part in.
    pub experiment_id: Option<ExperimentId>,
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
    let same = |known: Option<&str>| match (known, label) {
        (Some(known), Some(label)) => labels::are_same(known, label),
        (known, label) => known == label,
    };
    match stored {
        None => Ok(FeedbackStatus::Recorded),
        // Two wrong labels are two values.
        Some((old, known)) if old == value && (label.is_none() || same(known)) => {
            Ok(FeedbackStatus::Duplicate)
        }
        // The label is the same, and the answer that it is compared with came since.
        Some((_, known)) if label.is_some() && same(known) => Ok(FeedbackStatus::Replaced),
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

/// What stands in an answer in place of what was redacted.
const REDACTED: &str = "[redacted]";

/// What a label is compared with where only hashes of answers are kept: the same hash of it.
pub type LabelHash = std::sync::Arc<dyn Fn(&Json) -> String + Send + Sync>;

/// A prediction as labels see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labelled<'a> {
    /// Whether a version answered.
    pub(crate) answered: bool,
    /// What it answered, as far as that is kept: JSON.
    pub(crate) prediction: Option<&'a str>,
    pub(crate) kept: KeptPart,
}

/// A value that came, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Valued {
    pub(crate) metric: MetricName,
    pub(crate) value: f64,
    /// The label that it was made of, as JSON.
    pub(crate) label: Option<String>,
    pub(crate) mismatch: Option<Mismatch>,
}

impl Valued {
    /// Of a label.
    pub(crate) fn of(compared: ComparedLabel) -> Self {
        Self {
            metric: BuiltIn::Correct.metric().name,
            value: compared.value,
            label: Some(compared.label),
            mismatch: compared.mismatch,
        }
    }

    /// Of a value of a metric.
    pub(crate) fn plain(metric: MetricName, value: f64) -> Self {
        Self {
            metric,
            value,
            label: None,
            mismatch: None,
        }
    }
}

/// What a label says of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ComparedLabel {
    /// 1 where it equals the answer, and else 0.
    pub(crate) value: f64,
    /// As it is stored: what is known of the answer as a hash is not told by the label.
    pub(crate) label: String,
    /// Their types, where they can never be equal.
    pub(crate) mismatch: Option<Mismatch>,
}

impl Labelled<'_> {
    /// Compares a label with the answer; one that failed is never right, whatever is kept.
    pub(crate) fn compare(
        self,
        label: &Json,
        hash: Option<&LabelHash>,
    ) -> Result<ComparedLabel, FeedbackRefusal> {
        let hashed = match (self.kept, hash) {
            (KeptPart::Hashed, Some(hash)) => Some(Json::text(&hash(label))),
            (KeptPart::Hashed, None) => return Err(FeedbackRefusal::AnswerNotKept),
            _ => None,
        };
        let label = hashed.as_ref().unwrap_or(label);
        let is_cut = self.kept == KeptPart::Redacted
            && self.prediction.is_some_and(|text| text.contains(REDACTED));
        if self.answered && (self.prediction.is_none() || is_cut) {
            return Err(FeedbackRefusal::AnswerNotKept);
        }
        let answer = self.prediction.filter(|_| self.answered);
        let compared = answer.map_or(Ok(false), |answer| labels::compare(answer, label.as_str()));
        Ok(ComparedLabel {
            value: f64::from(compared == Ok(true)),
            label: label.as_str().to_owned(),
            mismatch: compared.err(),
        })
    }

    /// The types of the answer and a label as it is stored, where they can never be equal.
    pub(crate) fn mismatch(&self, stored: &str) -> Option<Mismatch> {
        let answer = self.prediction.filter(|_| self.answered)?;
        labels::compare(answer, stored).err()
    }
}

/// What a value that came changes in the corrections of its arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Corrects {
    /// It took the place of another one in the evidence.
    pub(crate) replaced: bool,
    /// 1 where evidence keeps another value from here on, because this one came after its window; -1 where it does not any more.
    pub(crate) late: i64,
}

impl Corrects {
    /// Of a prediction that had a value, and perhaps one in time for bets, and has others now.
    pub(crate) fn of(
        metric: &Metric,
        before: (Option<f64>, Option<f64>),
        now: (f64, Option<f64>),
    ) -> Self {
        if metric.rule() != EvidenceRule::Exposures {
            return Self {
                replaced: before.0.is_some_and(|before| before != now.0),
                late: 0,
            };
        }
        // Only what is in time is looked at, and before there is a scale nothing is.
        let differs = |value: Option<f64>, in_time: Option<f64>| {
            i64::from(in_time.is_some() && in_time != value)
        };
        Self {
            replaced: before.1.is_some() && before.1 != now.1,
            late: differs(Some(now.0), now.1) - differs(before.0, before.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_was_redacted_is_compared_with_nothing() {
        let labelled = |prediction| Labelled {
            answered: true,
            prediction: Some(prediction),
            kept: KeptPart::Redacted,
        };
        let cut = labelled(r#""to [redacted]""#).compare(&"to a@b.c".into(), None);
        assert_eq!(cut, Err(FeedbackRefusal::AnswerNotKept));
        // Something beside it was.
        let whole = labelled(r#""spam""#).compare(&"spam".into(), None);
        assert_eq!(whole.map(|whole| whole.value), Ok(1.0));
    }

    #[test]
    fn one_that_failed_is_never_right_and_of_no_type() {
        let failed = Labelled {
            answered: false,
            prediction: None,
            kept: KeptPart::Full,
        };
        let compared = failed.compare(&Json::default(), None).unwrap();
        assert_eq!((compared.value, compared.mismatch), (0.0, None));
    }
}
