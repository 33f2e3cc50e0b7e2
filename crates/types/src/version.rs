//! A registered version of a model.

use crate::{Accuracy, Artifact, ModelId, ModelName, Percent, RuntimeSpec, Timestamp, VersionName};
use std::collections::BTreeMap;

/// Free labels of a version.
pub type Tags = BTreeMap<String, String>;

/// The small integer by which stored rows name a version.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct VersionKey(pub i64);

crate::words! {
    /// What a version may do.
    pub enum VersionStatus as "VersionStatus" {
        /// Registered; answers nothing.
        Inactive = "inactive",
        /// Takes its share of the traffic.
        Active = "active",
        /// Answers requests that name it, and no others.
        Testing = "testing",
        /// Answers nothing, kept for the record.
        Deprecated = "deprecated",
    }
}

impl VersionStatus {
    /// Whether a request that names the version is answered.
    pub fn answers(self) -> bool {
        matches!(self, Self::Active | Self::Testing)
    }

    /// Whether a person may move a version from this status to another by hand. Only activation
    /// makes a version active, and only deactivation ends that.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (from, to) if from == to => true,
            (Self::Active, _) | (_, Self::Active) => false,
            (Self::Deprecated, to) => to == Self::Inactive,
            _ => true,
        }
    }
}

/// What people say of a version. It moves no traffic.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Described {
    /// What its author says about it.
    pub description: String,
    /// Free labels.
    pub tags: Tags,
}

/// What is to be changed of it; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribedChange {
    /// The new description.
    pub description: Option<String>,
    /// The new tags, all of them.
    pub tags: Option<Tags>,
}

impl Described {
    /// The same with a change.
    #[must_use]
    pub fn changed(self, change: &DescribedChange) -> Self {
        Self {
            description: change.description.clone().unwrap_or(self.description),
            tags: change.tags.clone().unwrap_or(self.tags),
        }
    }
}

/// One registered version of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// What stored rows call it.
    pub key: VersionKey,
    /// What callers call it.
    pub model_id: ModelId,
    /// The model it is a version of.
    pub name: ModelName,
    /// Its version string within the model.
    pub version: VersionName,
    /// What people say of it, which they may change.
    pub described: Described,
    /// What its author claims.
    pub accuracy: Accuracy,
    /// How it is run.
    pub runtime: RuntimeSpec,
    /// Its files, where it has some.
    pub artifact: Option<Artifact>,
    /// What it may do.
    pub status: VersionStatus,
    /// Its weight among the active versions of the model.
    pub traffic_percent: Percent,
    /// The share of the requests of its model of which it gets a copy, whoever answers.
    pub shadow_percent: Percent,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last activated.
    pub activated_at: Option<Timestamp>,
}
