//! Closed sets of words on the wire: enums in the description of the API.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A word of a closed set, as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word<W>(pub W);

impl<W> From<W> for Word<W> {
    fn from(word: W) -> Self {
        Self(word)
    }
}

impl<W: PartialEq> PartialEq<W> for Word<W> {
    fn eq(&self, other: &W) -> bool {
        self.0 == *other
    }
}

impl<W: types::Word> fmt::Display for Word<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl<W: types::Word> Serialize for Word<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de, W: types::Word> Deserialize<'de> for Word<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        types::find_word(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl<W: types::Word> PartialSchema for Word<W> {
    fn schema() -> RefOr<Schema> {
        let words = W::ALL.iter().map(|word| word.as_str());
        let object = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words));
        RefOr::T(Schema::Object(object.build()))
    }
}

impl<W: types::Word> ToSchema for Word<W> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(W::NAME)
    }
}

// What documents call the sets. The description of the API names a schema after the last word of its type, so
// each has a name of its own.

/// What was done.
pub type Action = Word<types::Action>;
/// A version's part in an experiment.
pub type ArmRole = Word<types::ArmRole>;
/// Why a version was chosen.
pub type AssignmentReason = Word<types::Reason>;
/// Where an experiment is in its life.
pub type ExperimentStatus = Word<types::ExperimentStatus>;
/// How the chosen version failed.
pub type Failure = Word<types::Failure>;
/// What became of a value.
pub type FeedbackStatus = Word<types::FeedbackStatus>;
/// How exported rows are written.
pub type ExportFormat = Word<types::ExportFormat>;
/// What can be said of a candidate on a metric.
pub type Finding = Word<types::Finding>;
/// What a person may do to an experiment.
pub type Intervention = Word<types::Intervention>;
/// What a metric is for.
pub type MetricRole = Word<types::MetricRole>;
/// How a call ended.
pub type PredictionStatus = Word<types::Status>;
/// How an always-valid interval was made.
pub type SequenceMethod = Word<types::SequenceMethod>;
/// How evidence on a metric is counted.
pub type EvidenceRule = Word<types::EvidenceRule>;
/// What the holder of a key is there for.
pub type Role = Word<types::Role>;
/// What the evidence of an experiment says.
pub type Verdict = Word<types::VerdictKind>;
/// What the target of a webhook reads.
pub type WebhookFormat = Word<types::WebhookFormat>;
/// What a version may do.
pub type VersionStatus = Word<types::VersionStatus>;
