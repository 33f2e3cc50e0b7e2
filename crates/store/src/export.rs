//! The words of exports: the log in the order of the journal, in pieces that a reader can resume after.

use crate::{LoggedPrediction, StoredFeedback, StoredOutcome};
use types::{Condition, ExperimentId, ModelId, ModelName, Status, TimeRange, VersionName};

/// Which predictions to export.
#[derive(Debug, Clone, Default)]
pub struct ExportFilter {
    /// Only those of this model.
    pub name: Option<ModelName>,
    /// Only those meant for the version with this version string.
    pub version: Option<VersionName>,
    /// Only those meant for this version.
    pub model_id: Option<ModelId>,
    /// Only those that ended so.
    pub status: Option<Status>,
    /// Only those that take part in this experiment.
    pub experiment_id: Option<ExperimentId>,
    /// Only those of this unit.
    pub unit_id: Option<String>,
    /// Only those of this time.
    pub range: TimeRange,
    /// Only those whose attributes meet it.
    pub condition: Option<Condition>,
}

/// A piece of the log: positions after one up to another.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// The last position before it.
    pub after: u64,
    /// Its last position.
    pub until: u64,
    /// It may end sooner, once it holds so many rows.
    pub rows: usize,
    /// It may end sooner, once its rows have about so many bytes.
    pub bytes: usize,
}

/// What was found in a piece, in the order of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// All positions up to this one have been looked at: where to go on after.
    pub reached: u64,
}

/// A prediction with the values that have come for it so far.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedPrediction {
    /// The prediction.
    pub prediction: LoggedPrediction,
    /// The values, by metric.
    pub feedback: Vec<StoredFeedback>,
}

/// An outcome of a unit and where it stands in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedOutcome {
    /// Its place: several models that know the metric have a row each at the same one.
    pub position: u64,
    /// The unit.
    pub unit_id: String,
    /// The outcome.
    pub outcome: StoredOutcome,
}

impl LoggedPrediction {
    /// Whether its attributes meet a condition. What is not there meets none, and does not fail to meet one either.
    pub fn meets(&self, condition: &Condition) -> bool {
        self.kept.attributes.is_there() && condition.is_met(&self.attributes)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let json = |json: &Option<types::Json>| json.as_ref().map_or(0, |json| json.as_str().len());
        let input = match &self.input {
            types::Input::Text(text) => text.len(),
            types::Input::Json(json) => json.as_str().len(),
        };
        let error = self.error.as_ref().map_or(0, String::len);
        512 + input + json(&self.prediction) + json(&self.outputs) + error
    }
}

#[cfg(feature = "memory")]
impl ExportFilter {
    /// Whether a prediction is among them.
    pub(crate) fn takes(&self, p: &LoggedPrediction) -> bool {
        let made = p.id.time();
        self.name.as_ref().is_none_or(|it| *it == p.name)
            && self.version.as_ref().is_none_or(|it| *it == p.version)
            && self.model_id.is_none_or(|it| it == p.model_id)
            && self.status.is_none_or(|it| it == p.status)
            && self
                .experiment_id
                .as_ref()
                .is_none_or(|it| Some(it) == p.experiment_id.as_ref())
            && self
                .unit_id
                .as_ref()
                .is_none_or(|it| Some(it) == p.unit_id.as_ref())
            && self.range.since.is_none_or(|since| made >= since)
            && self.range.until.is_none_or(|until| made < until)
            && self.condition.as_ref().is_none_or(|it| p.meets(it))
    }
}
