//! What is kept of predictions, for how long, and how all of a unit is erased.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much of a part of a prediction is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// All of it, but for what is redacted.
    #[default]
    Full,
    /// A keyed hash: equal values have equal hashes, and nobody can tell the value.
    Hashed,
    /// Nothing.
    None,
}

/// What is kept of one part of the predictions of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keeping {
    /// How much; `full` when left out.
    pub keep: Keep,
    /// For what percentage of the units; of the others nothing is kept. Which ones these are depends on the unit alone.
    #[schema(minimum = 0, maximum = 100)]
    pub sample_percent: f64,
    /// What is replaced by `[redacted]`: JSON pointers (RFC 6901), in which `*` stands for every member. At most 20.
    #[schema(max_items = 20)]
    pub redact_pointers: Vec<String>,
    /// Also replaced by `[redacted]`: what matches these regular expressions, looked for in texts, numbers and
    /// keys. At most 20.
    #[schema(max_items = 20)]
    pub redact_patterns: Vec<String>,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            keep: Keep::Full,
            sample_percent: 100.0,
            redact_pointers: Vec::new(),
            redact_patterns: Vec::new(),
        }
    }
}

/// What is kept of the predictions of a model from now on. What is left out is kept in full.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SetPrivacy {
    /// Of what comes in.
    pub inputs: Keeping,
    /// Of what is answered, and of what errors say.
    pub outputs: Keeping,
    /// Of what callers say of who asks.
    pub attributes: Keeping,
}

/// What is kept of the predictions of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Privacy {
    /// The model.
    pub name: String,
    /// Of what comes in.
    pub inputs: Keeping,
    /// Of what is answered, and of what errors say.
    pub outputs: Keeping,
    /// Of what callers say of who asks.
    pub attributes: Keeping,
}

/// How long the predictions of a model are kept. What is left out is kept for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SetRetention {
    /// How old predictions may become, in seconds: at least an hour, and longer than the windows of its
    /// metrics.
    #[schema(minimum = 3600, maximum = 3_153_600_000_u64)]
    pub max_age_seconds: Option<u64>,
    /// The most predictions. Predictions for which a running experiment still waits for values are kept
    /// beyond this number.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub max_rows: Option<u64>,
    /// How long inputs, outputs, errors and attributes are kept, in seconds: at least an hour, and less than the rest.
    #[schema(minimum = 3600, maximum = 3_153_600_000_u64)]
    pub content_max_age_seconds: Option<u64>,
}

/// How long the predictions of a model are kept, and what has been removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retention {
    /// The model.
    pub name: String,
    /// How old predictions may become, in seconds; null for ever.
    pub max_age_seconds: Option<u64>,
    /// The most predictions; null for any number.
    pub max_rows: Option<u64>,
    /// How long inputs, outputs, errors and attributes are kept, in seconds; null as long as the rest.
    pub content_max_age_seconds: Option<u64>,
    /// Predictions that retention has removed.
    pub rows_removed: u64,
    /// Predictions whose inputs, outputs, errors and attributes it has removed.
    pub content_removed: u64,
    /// Predictions from before this time are removed; null where none are.
    pub rows_since: Option<String>,
    /// Inputs, outputs, errors and attributes from before this time are removed; null where none are.
    pub content_since: Option<String>,
}

/// The unit to erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseUnit {
    /// The `unit_id`, as it was sent in requests.
    pub unit_id: String,
}

/// How far the erasure of a unit has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureStatus {
    /// The log is being looked through.
    Walking,
    /// The rows are erased; the journal still holds the old bytes.
    Journal,
    /// All of it is erased.
    Done,
}

/// The erasure of everything that a unit has sent and received until a certain time. It does not name the
/// unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// Identifies it.
    pub erasure_id: String,
    /// When it was asked for: what came later stays.
    pub requested_at: String,
    /// How far it has come.
    pub status: ErasureStatus,
    /// How much of the log has been looked through, in percent.
    pub progress_percent: f64,
    /// What takes the place of the `unit_id`.
    pub pseudonym: String,
    /// Predictions of the unit that were erased until now.
    pub predictions: u64,
    /// Rows of other kinds: feedback with labels, outcomes of the unit, shadows, what was set aside.
    pub others: u64,
    /// When all of it was erased.
    pub ended_at: Option<String>,
}

/// How much of a part of one prediction is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeptPart {
    /// All of it.
    #[default]
    Full,
    /// Something in it was replaced by `[redacted]`.
    Redacted,
    /// A keyed hash of it.
    Hashed,
    /// Nothing: it was never kept.
    None,
    /// Nothing any more.
    Erased,
}

impl KeptPart {
    /// Of the part of a prediction.
    pub fn of(part: types::KeptPart) -> Self {
        match part {
            types::KeptPart::Full => Self::Full,
            types::KeptPart::Redacted => Self::Redacted,
            types::KeptPart::Hashed => Self::Hashed,
            types::KeptPart::None => Self::None,
            types::KeptPart::Erased => Self::Erased,
        }
    }
}

/// How much of a prediction is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Kept {
    /// What came in.
    pub inputs: KeptPart,
    /// What was answered.
    pub outputs: KeptPart,
    /// What was said of who asked.
    pub attributes: KeptPart,
}
