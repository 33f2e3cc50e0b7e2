//! The traffic of a model: whose weights, and which revision of them.

use crate::{
    Condition, ExperimentId, ExperimentKey, ModelId, ModelName, Percent, VersionKey, VersionName,
    VersionStatus,
};
use serde::{Deserialize, Serialize};

/// A version as routing sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficVersion {
    /// What stored rows call it.
    pub key: VersionKey,
    /// What callers call it, and what its units are hashed with.
    pub model_id: ModelId,
    /// Its version string.
    pub version: VersionName,
    /// What it may do.
    pub status: VersionStatus,
    /// Its weight, not normalised.
    pub weight: Percent,
    /// The share of the requests of which it gets a copy.
    pub shadow: Percent,
}

/// The published traffic of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelTraffic {
    /// The model.
    pub name: ModelName,
    /// Counts every change of this record.
    pub revision: i64,
    /// Counts every change of the weights.
    pub epoch: i64,
    /// What the hash of units is salted with.
    pub salt: String,
    /// Whether another version answers when the chosen one fails.
    pub fallback: bool,
    /// Its versions, oldest first.
    pub versions: Vec<TrafficVersion>,
    /// Who gets a certain version, before any experiment: the first rule that is met.
    pub rules: Vec<Rule>,
    /// The experiment that runs, whose weights then rule.
    pub experiment: Option<RunningExperiment>,
}

/// An experiment as routing sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningExperiment {
    /// What stored rows call it.
    pub key: ExperimentKey,
    /// What callers call it.
    pub id: ExperimentId,
    /// What the hash of its units is salted with.
    pub salt: String,
    /// The share of the units that take part, in (0, 1]; the rest goes to the control.
    pub enrolment: f64,
    /// Who can take part; everybody where it is `None`.
    pub audience: Option<Condition>,
    /// Versions and their shares, which sum to 1; the control first.
    pub shares: Vec<(VersionKey, f64)>,
}

/// A version for those whose attributes meet a condition. It is stored in the form it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Who they are.
    pub when: Condition,
    /// The version string. While that version answers nothing, the rule rests.
    pub version: VersionName,
}

/// The most rules of a model.
pub const MAX_RULES: usize = 50;

impl ModelTraffic {
    /// The sum of the weights of the active versions.
    pub fn total_weight(&self) -> f64 {
        let active = |v: &&TrafficVersion| v.status == VersionStatus::Active;
        let weights = self.versions.iter().filter(active);
        weights.map(|v| v.weight.get()).sum()
    }

    /// What people should know when the weights do not add up to 100.
    pub fn warning(&self) -> Option<String> {
        let total = self.total_weight();
        if total == 0.0 {
            return Some(format!(
                "No active version of {} has a weight: its requests are refused.",
                self.name
            ));
        }
        // Three weights of 33.3 and one of 0.1 are 100 to a person.
        if (total - 100.0).abs() < 1e-6 {
            return None;
        }
        Some(format!(
            "The active versions of {} add up to {} %, not 100 %: weights are normalised, so each \
             gets its weight divided by {}.",
            self.name,
            short(total),
            short(total),
        ))
    }
}

fn short(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}
