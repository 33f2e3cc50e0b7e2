//! One logged call.

use crate::{
    AliasName, Attributes, ExperimentKey, Json, Kept, KeptPart, PredictionId, RequestId, Timestamp,
    UnitId, VersionKey,
};

/// The input of a prediction.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A text.
    Text(String),
    /// Tensors or any JSON, for models that do not read text.
    Json(Json),
}

/// A string is a text; any other JSON is handed over as it is.
impl From<&Json> for Input {
    fn from(json: &Json) -> Self {
        match serde_json::from_str(json.as_str()) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Json(json.clone()),
        }
    }
}

/// What a caller calls a request, and what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Unique for the model within a day.
    pub id: RequestId,
    /// A keyed hash of what was asked: a repeat asks the same.
    pub body: u64,
}

/// What a version said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// The prediction: a label for sentiment, any JSON for other models.
    pub prediction: Json,
    /// How sure the version is, where it says so.
    pub confidence: Option<f64>,
    /// What else it said, by name: the probabilities of all classes, tensors, a score. A JSON object.
    pub outputs: Option<Json>,
}

crate::words! {
    /// Why a version was chosen.
    pub enum Reason as "AssignmentReason" {
        /// By the weights of the active versions.
        Weights = "weights",
        /// The caller named it.
        Pinned = "pinned",
        /// By the weights of a running experiment, in which the request takes part.
        Experiment = "experiment",
        /// It was called before for this `request_id`, and that attempt failed.
        Retry = "retry",
        /// By a rule on the attributes of the request.
        Rule = "rule",
        /// The candidate of the rollout gets no calls: it has passed a damage limit, and that is not stored yet.
        Held = "held",
        /// It was chosen elsewhere, and Weir was told of it afterwards.
        Observed = "observed",
    }
}

crate::words! {
    /// How a call ended.
    pub enum Status as "PredictionStatus" {
        /// The chosen version answered.
        Ok = "ok",
        /// The chosen version failed and another one answered.
        Fallback = "fallback",
        /// Nobody answered.
        Error = "error",
        /// The chosen version refused the input; comparing the arms shows whose fault that was.
        Rejected = "rejected",
    }
}

crate::words! {
    /// How the chosen version failed.
    pub enum Failure as "Failure" {
        /// It did not answer in time.
        Timeout = "timeout",
        /// It could not be reached, or the connection broke.
        Unreachable = "unreachable",
        /// It has too much to do, or keeps failing and was not called.
        Overloaded = "overloaded",
        /// It said that it failed.
        Failed = "failed",
        /// What it answered is not what was agreed.
        BadReply = "bad_reply",
        /// It cannot be loaded.
        NotLoaded = "not_loaded",
        /// It panicked.
        Panicked = "panicked",
        /// Its answer broke off: the service ended it, its caller left, or the server ended in the middle of it.
        BrokenOff = "broken_off",
    }
    // A later release may tell more apart.
    other = Failed;
}

impl Reason {
    /// Whether chance chose, by published weights: what was certain says nothing of others.
    pub fn is_by_chance(self) -> bool {
        matches!(self, Self::Weights | Self::Experiment)
    }

    /// Whether a choice can be weighed against others by its propensity: chance chose, or the caller says with which
    /// probability it was chosen elsewhere.
    pub fn is_weighable(self, propensity: f64) -> bool {
        self.is_by_chance() || (self == Self::Observed && propensity > 0.0)
    }
}

impl Status {
    /// Whether the chosen version failed: it answered nothing, or another one did in its place.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Fallback | Self::Error)
    }
}

/// How the call went, after the version was chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Who answered, and what; `None` when nobody did.
    pub answer: Option<(VersionKey, Output)>,
    /// Why the chosen version failed or refused the input, when it did.
    pub error: Option<String>,
    /// How it failed, when it did and that is known.
    pub failure: Option<Failure>,
    /// What is known of an answer that did not come to its end, by name. A JSON object.
    pub partial: Option<Json>,
    /// Whether the chosen version refused the input. No other one is asked then, so nobody answers.
    pub rejected: bool,
    /// From the choice of the version to the answer, fallbacks included, in nanoseconds. `None` where it was made elsewhere and nobody says.
    pub latency_ns: Option<u64>,
}

/// What a version made of a copy of a request that another one has answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowRecord {
    /// Its id, which holds its time.
    pub id: PredictionId,
    /// The version that got the copy.
    pub version: VersionKey,
    /// The share of the requests of which it gets one.
    pub share: f64,
    /// The prediction that it mirrors.
    pub mirrors: PredictionId,
    /// How it went.
    pub outcome: Outcome,
    /// How much of the answer is here.
    pub kept: KeptPart,
}

/// A prediction as it is logged. The chosen version stays on the record when another one
/// answered: versions are compared by what was intended.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRecord {
    /// Its id, which holds its time.
    pub id: PredictionId,
    /// The version that was chosen.
    pub version: VersionKey,
    /// Why that version was chosen.
    pub reason: Reason,
    /// The experiment it takes part in.
    pub experiment: Option<ExperimentKey>,
    /// The epoch of the weights it was chosen by.
    pub epoch: i64,
    /// The probability with which it was chosen; 0 where it was chosen elsewhere and nobody says.
    pub propensity: f64,
    /// Who asked, where the caller said so.
    pub unit_id: Option<UnitId>,
    /// What the caller said of who asked.
    pub attributes: Attributes,
    /// The alias that the caller named, where it named one.
    pub alias: Option<AliasName>,
    /// What the caller calls the request, where it said so.
    pub request: Option<RequestKey>,
    /// When it was made, where that was elsewhere: its id has the time at which it came.
    pub made_at: Option<Timestamp>,
    /// When its version was asked for, at the latest, where that was before: what was known then is known before it.
    pub decided_at: Option<Timestamp>,
    /// What came in.
    pub input: Input,
    /// How it went.
    pub outcome: Outcome,
    /// How much of it is here.
    pub kept: Kept,
}

impl PredictionRecord {
    /// When it was made: elsewhere, or when its id was given.
    pub fn made(&self) -> Timestamp {
        self.made_at.unwrap_or_else(|| self.id.time())
    }

    /// How the call ended.
    pub fn status(&self) -> Status {
        match &self.outcome.answer {
            None if self.outcome.rejected => Status::Rejected,
            None => Status::Error,
            Some((served, _)) if *served == self.version => Status::Ok,
            Some(_) => Status::Fallback,
        }
    }
}
