//! One logged call.

use crate::{ExperimentKey, PredictionId, UnitId, VersionKey};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// What came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A text.
    Text(String),
    /// Tensors or any JSON, for models that do not read text.
    Json(Value),
}

/// What a version said.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The prediction: a label for sentiment, any JSON for other models.
    pub prediction: Value,
    /// How sure the version is, where it says so.
    pub confidence: Option<f64>,
}

/// Why a version was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// By the weights of the active versions.
    Weights,
    /// The caller named it.
    Pinned,
    /// By the weights of a running experiment, in which the request takes part.
    Experiment,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Weights, Self::Pinned, Self::Experiment];

    /// The word for it in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Pinned => "pinned",
            Self::Experiment => "experiment",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The chosen version answered.
    Ok,
    /// The chosen version failed and another one answered.
    Fallback,
    /// Nobody answered.
    Error,
    /// The chosen version refused the input: whose fault that is, a comparison of the arms tells.
    Rejected,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Fallback, Self::Error, Self::Rejected];

    /// The word for it in JSON and in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fallback => "fallback",
            Self::Error => "error",
            Self::Rejected => "rejected",
        }
    }

    /// Whether the chosen version failed: it answered nothing, or another one did in its place.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Fallback | Self::Error)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or(())
    }
}

/// How the call went, after the version was chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Who answered, and what; `None` when nobody did.
    pub answer: Option<(VersionKey, Output)>,
    /// Why the chosen version failed or refused the input, when it did.
    pub error: Option<String>,
    /// Whether the chosen version refused the input. No other one is asked then, so nobody answers.
    pub rejected: bool,
    /// From the choice of the version to the answer, fallbacks included, in nanoseconds.
    pub latency_ns: u64,
}

/// A prediction as it is logged. The chosen version stays on the record when another one
/// answered: versions are compared by what was intended.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRecord {
    /// Its id, which holds its time.
    pub id: PredictionId,
    /// The version that was chosen.
    pub version: VersionKey,
    /// Why.
    pub reason: Reason,
    /// The experiment it takes part in.
    pub experiment: Option<ExperimentKey>,
    /// The epoch of the weights it was chosen by.
    pub epoch: i64,
    /// The probability with which it was chosen.
    pub propensity: f64,
    /// Who asked, where the caller said so.
    pub unit_id: Option<UnitId>,
    /// What came in.
    pub input: Input,
    /// How it went.
    pub outcome: Outcome,
}

impl PredictionRecord {
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
