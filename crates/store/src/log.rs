//! The words of the prediction log.

use crate::EarlierUnit;
use crate::{FeedbackResult, Rollup};
use std::ops::RangeInclusive;
use std::sync::Arc;
use types::{
    Condition, ExperimentDefinition, ExperimentId, ExperimentKey, Failure, Input, Json, ModelId,
    ModelName, PredictionId, Reason, ReceiptId, Status, TimeRange, Timestamp, VersionKey,
    VersionName,
};

/// Which predictions to list: newest first.
#[derive(Debug, Clone, Default)]
pub struct PredictionFilter {
    /// Only those of this model.
    pub name: Option<ModelName>,
    /// Only those meant for the version with this version string.
    pub version: Option<VersionName>,
    /// Only those meant for this version.
    pub model_id: Option<ModelId>,
    /// Only those that ended so.
    pub status: Option<Status>,
    /// Only those of this time.
    pub range: TimeRange,
    /// Only those before this one.
    pub before: Option<PredictionId>,
    /// At most this many.
    pub limit: u32,
}

/// A prediction as it is read back.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedPrediction {
    /// The id that the caller was given.
    pub id: PredictionId,
    /// The model.
    pub name: ModelName,
    /// The version it was meant for.
    pub model_id: ModelId,
    /// Its version string.
    pub version: VersionName,
    /// The version that answered, if one did.
    pub served_model_id: Option<ModelId>,
    /// How it ended.
    pub status: Status,
    /// Why the version was chosen.
    pub reason: Reason,
    /// The epoch of the weights.
    pub epoch: i64,
    /// The probability of the choice.
    pub propensity: f64,
    /// Who asked.
    pub unit_id: Option<String>,
    /// What the caller said of who asked.
    pub attributes: types::Attributes,
    /// The alias that the caller named.
    pub alias: Option<String>,
    /// What the caller calls the request, and what was asked.
    pub request: Option<types::RequestKey>,
    /// When it was made, where that was elsewhere.
    pub made_at: Option<Timestamp>,
    /// What came in.
    pub input: Input,
    /// What was answered.
    pub prediction: Option<Json>,
    /// How sure the answering version was.
    pub confidence: Option<f64>,
    /// What else it said, by name: a JSON object.
    pub outputs: Option<Json>,
    /// How long it took, in nanoseconds.
    pub latency_ns: Option<u64>,
    /// Why the chosen version failed.
    pub error: Option<String>,
    /// How it failed, when it did and that is known.
    pub failure: Option<Failure>,
    /// The experiment it takes part in.
    pub experiment_id: Option<ExperimentId>,
    /// Its position in the journal that it came from; `None` where a release before the journal stored it.
    pub position: Option<u64>,
    /// How much of it is there.
    pub kept: types::Kept,
}

/// The roll-up of one version over the epochs and a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionTotals {
    /// The version.
    pub version: VersionKey,
    /// Its sums.
    pub rollup: Rollup,
}

/// Whose shadows to read: newest first.
#[derive(Debug, Clone)]
pub struct ShadowQuery {
    /// The version that got copies.
    pub version: VersionKey,
    /// Only those of requests that took part in it.
    pub experiment: Option<ExperimentKey>,
    /// When it did.
    pub range: TimeRange,
    /// At most so many.
    pub limit: usize,
}

/// One of the two answers to a request that was mirrored.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowAnswer {
    /// How the call ended.
    pub status: Status,
    /// What was answered.
    pub prediction: Option<Json>,
    /// How sure the version was.
    pub confidence: Option<f64>,
    /// How long it took, in nanoseconds.
    pub latency_ns: Option<u64>,
}

/// What a version made of its copy of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowOf {
    /// The version that got the copy.
    pub version: VersionKey,
    /// What it made of it.
    pub answer: ShadowAnswer,
    /// Why it failed, or refused the input.
    pub error: Option<String>,
}

/// A request that was answered, and what another version made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowPair {
    /// The prediction that was answered.
    pub mirrors: PredictionId,
    /// The version that was chosen to answer it.
    pub chosen: VersionKey,
    /// The version that answered.
    pub served: Option<VersionKey>,
    /// What the caller got.
    pub answer: ShadowAnswer,
    /// What the version made of its copy.
    pub shadow: ShadowAnswer,
    /// What was right, where that has come.
    pub label: Option<Json>,
}

/// Which predictions are summed up by their attributes.
#[derive(Debug, Clone)]
pub struct ByAttributes {
    /// The model; all where none is named.
    pub name: Option<ModelName>,
    /// When they were made.
    pub range: TimeRange,
    /// What their attributes meet.
    pub condition: Condition,
    /// At most so many predictions are looked at, the newest.
    pub limit: usize,
}

/// What a journal has to say next.
pub struct Incoming<'a> {
    /// Positions and entries, in order.
    pub entries: Vec<(u64, &'a [u8])>,
    /// Positions that cannot be read.
    pub missing: &'a [RangeInclusive<u64>],
    /// Whether somebody waits for the receipt of a request, so that none need be kept.
    pub awaited: &'a dyn Fn(ReceiptId) -> bool,
    /// What time it is.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Appended {
    /// What was counted of requests with feedback, in order.
    pub parts: Vec<Part>,
    /// Entries of deleted versions.
    pub dropped: u64,
    /// Positions and reasons of entries that were set aside.
    pub set_aside: Vec<(u64, String)>,
}

/// What became of a part of a request with feedback.
#[derive(Debug)]
pub struct Part {
    /// The request.
    pub receipt: ReceiptId,
    /// How many parts it has.
    pub parts: u32,
    /// By line; none where it was set aside.
    pub results: Vec<(u64, FeedbackResult)>,
}

impl Appended {
    /// Adds what became of later entries.
    pub(crate) fn add(&mut self, later: Self) {
        self.parts.extend(later.parts);
        self.dropped += later.dropped;
        self.set_aside.extend(later.set_aside);
    }
}

/// Outcomes of the past that are asked for: what units were worth for a metric, once their window has passed.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// What it is worth by: the metrics, and the objective of `slow`.
    pub definition: Arc<ExperimentDefinition>,
    /// The place of the metric.
    pub metric: usize,
    /// Of these versions.
    pub versions: Vec<VersionKey>,
    /// Only of predictions in this experiment.
    pub experiment: Option<ExperimentKey>,
    /// Only what was predicted at this time or later.
    pub since: Option<Timestamp>,
    /// The time by which the window has passed.
    pub now: Timestamp,
    /// At most so many units, the newest.
    pub limit: usize,
}

/// A request by what its caller calls it.
#[derive(Debug, Clone)]
pub struct RequestQuery {
    /// The model.
    pub name: ModelName,
    /// What its caller calls it.
    pub id: types::RequestId,
    /// Attempts that asked this come first.
    pub body: Option<u64>,
    /// Only what came at this time or later.
    pub since: Timestamp,
}

/// How far back the first exposures of units are looked for, in microseconds, where nobody says: two weeks.
const EARLIER: i64 = 14 * 86_400 * 1_000_000;

/// From when on outcomes of the past are looked for. Those of a metric per unit are of first exposures, which are looked for
/// from there on; others from the newest backwards.
pub(crate) fn since_of(query: &Earlier) -> Option<Timestamp> {
    let metric = &query.definition.metrics[query.metric];
    let of_units = metric.per == types::Per::Unit && query.experiment.is_none();
    let window = i64::try_from(metric.window_seconds).unwrap_or(i64::MAX) * 1_000_000;
    let ago = Timestamp::from_micros(query.now.micros() - window - EARLIER);
    query.since.or(of_units.then_some(ago))
}

/// Outcomes of the past.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EarlierOutcomes {
    /// Of units, in no order.
    pub units: Vec<EarlierUnit>,
    /// The time of the oldest prediction that was looked at.
    pub oldest: Option<Timestamp>,
}

impl EarlierOutcomes {
    /// Of each unit the mean over its predictions.
    pub fn means(&self) -> Vec<f64> {
        self.units.iter().map(EarlierUnit::mean).collect()
    }

    /// Of each unit whose covariate is known that, and the mean.
    pub fn with_covariates(&self) -> Vec<(f64, f64)> {
        let units = self.units.iter();
        units
            .filter_map(|unit| Some((unit.covariate?, unit.mean())))
            .collect()
    }
}

/// What became of the journal beside its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogState {
    /// Positions that could not be read, by the servers that wrote them.
    pub missing: u64,
    /// Entries that are set aside.
    pub set_aside: u64,
    /// Entries of versions that were deleted before they were rows.
    pub dropped: u64,
    /// Values that wait for their prediction.
    pub feedback_waiting: u64,
    /// Values that were dropped because their prediction never came.
    pub feedback_dropped: u64,
}

/// An entry that the database would not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Its position in the journal.
    pub position: u64,
    /// Why it could not be stored.
    pub reason: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was set aside.
    pub at: Timestamp,
}
