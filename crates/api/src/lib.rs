//! What goes over the wire: JSON in and out, error codes, and the client that the CLI uses.
//!
//! This crate decides nothing and serves nothing.
#![warn(missing_docs)]

mod client;
mod decision;
mod evaluate;
mod experiment;
mod feedback;
mod health;
mod key;
mod metric;
mod performance;
mod plan;
mod prediction;
mod privacy;
mod problem;
mod settings;
mod shadow;
mod traffic;
mod version;
mod webhook;
mod word;

pub use client::{Client, ClientError, Download, EventStream, Export};
pub use decision::{
    Decision, DecisionRequest, Exposure, ExposureBody, ObservedBody, ObservedPrediction,
    ObservedReceipt, ObservedReply,
};
pub use evaluate::{Estimate, EvaluateReply, EvaluateRequest};
pub use experiment::{
    Adaptive, AdaptiveEstimate, AdjustedBy, Bayesian, Claimed, Comparison, CreateExperiment,
    DayEffect, EffectByDay, EffectChange, Events, Excluded, Experiment, ExperimentArm,
    ExperimentResults, FeedbackCheck, FixedHorizon, Guard, Interval, LabelCheck, LookArm, LookPage,
    Looked, MetricArm, MetricResults, Needed, Over, OverWord, Phase, PhaseWord, Policy, Progress,
    ResultArm, SampleRatio, SegmentComparison, SegmentKind, SegmentMetric, SegmentResults,
    SegmentWord, Sequential, Shown, StartedExperiment, WindowCheck,
};
pub use feedback::{
    Accepted, AcceptedFeedback, AcceptedWord, Feedback, FeedbackBody, FeedbackPage,
    FeedbackReceipt, FeedbackReply, LineError, OutcomePage, PlacedFeedback, ReceiptStatus,
    ReceiptWord, RequestReceipt, StoredFeedback, StoredOutcome,
};
pub use health::{
    Health, Liveness, LivenessWord, LogLag, LogReadiness, Readiness, ReadinessStatus,
    ReadinessWord, Retried, SetAside, SetAsidePage,
};
pub use key::{BeginSession, CreateKey, Key, RotateKey, Session};
pub use metric::{DeclareMetric, Metric};
pub use performance::{
    Classification, Performance, Recommendation, Timeline, TimelineSeries, VersionClassification,
    VersionPerformance,
};
pub use plan::{
    EffectUnits, FromLog, LoggedUnits, LoggedUnitsRequest, PlanReply, PlanRequest, UnitsPower,
};
pub use prediction::{
    LoggedPrediction, PredictBody, PredictReplies, PredictReply, PredictRequest, PredictionPage,
    ReplyOrProblem, ShadowAnswer,
};
pub use privacy::{
    EraseUnit, Erasure, ErasureStatus, Keep, Keeping, Kept, KeptPart, Privacy, Retention,
    SetPrivacy, SetRetention,
};
pub use problem::{ErrorCode, FieldError, Problem};
pub use settings::{SetDefaultModel, Settings};
pub use shadow::{
    ExperimentShadow, SetShadow, ShadowBeside, ShadowPairs, ShadowReport, ShadowSide,
};
pub use traffic::{
    Alias, AuditEntry, AuditEvent, AuditPage, Author, Rule, Rules, SetAlias, SetRules, SetTraffic,
    Traffic, TrafficShare,
};
pub use version::{Activate, Message, PatchVersion, RegisterVersion, Version};
pub use webhook::{CreateWebhook, Webhook, WebhookDelivery, WebhookTest};
pub use word::{
    Action, ArmRole, AssignmentReason, EvidenceRule, ExperimentStatus, ExportFormat, Failure,
    FeedbackStatus, Finding, Intervention, MetricRole, PredictionStatus, Role, SequenceMethod,
    Verdict, VersionStatus, WebhookFormat, Word,
};
