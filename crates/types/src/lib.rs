//! The words of Weir as types and checked names.
//!
//! Everything here is a plain value: a name that has been checked, an id, a time, a record of a
//! prediction. This crate knows nothing of storage, HTTP, async, clocks or randomness.
#![warn(missing_docs)]

mod access;
mod action;
mod artifact;
mod attribute;
mod condition;
mod evidence;
mod experiment;
mod feedback;
mod id;
mod json;
pub mod labels;
mod latency;
mod metric;
mod model_state;
mod name;
mod number;
mod onnx_spec;
mod policy;
mod prediction;
mod privacy;
mod remote_spec;
mod results;
mod runtime_spec;
mod scale;
mod settings;
mod tensor;
mod time;
mod traffic;
mod version;
mod word;

pub use access::*;
pub use action::Action;
pub use artifact::{Artifact, ContentHash, InvalidHash};
pub use attribute::{
    AttributeValue, Attributes, InvalidAttribute, MAX_ATTRIBUTES, Members, is_attribute_name,
};
pub use condition::{Condition, InvalidCondition};
pub use evidence::{
    ArmEvidence, ArmMinute, ArmSlot, BETS, BetSums, Corrections, CovariateSums, DayEvidence,
    DaySums, EpochEvidence, Evidence, Exposures, LoggedGroup, MetricEvidence, MetricSums,
    MinuteEvidence, PARTS, PartSums, PredictedSums, SegmentEvidence, SegmentOf,
};
pub use experiment::{
    ALPHAS, Arm, AtOnce, EVIDENCE_RULES, Experiment, ExperimentDefinition, ExperimentKey,
    ExperimentStatus, InvalidExperiment, MAX_CANDIDATES, MAX_CELLS, MAX_DIMENSIONS, MAX_METRICS,
    MAX_VALUES,
};
pub use feedback::{ExportFormat, FeedbackStatus};
pub use id::{
    ErasureId, ExperimentId, InvalidId, KeyId, ModelId, PredictionId, ReceiptId, WebhookId,
};
pub use json::{InvalidJson, Json};
pub use labels::{JsonType, Mismatch, UnlikeLabels};
pub use latency::LatencyHistogram;
pub use metric::{
    BuiltIn, Combine, Covariate, Direction, EvidenceRule, InvalidMetric, InvalidValue, MAX_VALUE,
    Measured, Metric, MetricKind, Missing, Per,
};
pub use model_state::{
    Actor, Author, Change, Decision, EventRecord, ExperimentRow, LookRecord, ModelState,
    StoredEvent, Write,
};
pub use name::{
    AliasName, InvalidName, MetricName, ModelName, RequestId, UnitId, VersionName, check_new_name,
};
pub use number::{Accuracy, InvalidNumber, Percent};
pub use onnx_spec::{BatchSpec, OnnxEngine, OnnxSpec};
pub use policy::{
    Algorithm, BanditProgress, BanditSettings, Hold, Intervention, NoTraffic, Policy, Progress,
    Promotion, RolloutProgress, RolloutSettings, Wait, default_floor, fits_as_floor,
};
pub use prediction::{
    Failure, Input, Outcome, Output, PredictionRecord, Reason, RequestKey, ShadowRecord, Status,
};
pub use privacy::{Keep, Keeping, Kept, KeptPart, MAX_PATTERN, MAX_REDACTIONS, Privacy, Retention};
pub use remote_spec::{OipSpec, OpenaiSpec, Prices, RemoteSpec};
pub use results::{ArmRole, Finding, MetricRole, SequenceMethod, VerdictKind};
pub use runtime_spec::{
    HeaderText, HttpBody, HttpEndpoint, HttpSpec, InvalidRuntime, JsonPointer, RuntimeSpec,
    SecretRef, SentimentMethod, Template, leads_here,
};
pub use scale::{Line, MIN_NON_ZERO, NoScale, Scale};
pub use settings::*;
pub use tensor::{
    DataType, Elements, InvalidTensor, MOST_ELEMENTS, Tensor, TensorForm, elements_of,
    float_to_half, half_to_float,
};
pub use time::{InvalidTime, TimeRange, Timestamp};
pub use traffic::{MAX_RULES, ModelTraffic, Rule, RunningExperiment, TrafficVersion};
pub use version::{Described, DescribedChange, Tags, Version, VersionKey, VersionStatus};
pub use word::{UnknownWord, Word, find_word};
