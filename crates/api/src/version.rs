//! Versions on the wire.

use crate::VersionStatus;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use types::{Artifact, DescribedChange, RuntimeSpec};
use utoipa::ToSchema;

/// A version to be registered.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterVersion {
    /// The model, at most 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The version string within the model, at most 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub version: String,
    /// What its author claims, from 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub accuracy: f64,
    /// What its author says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// How it is run; VADER sentiment when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeSpec>,
}

impl RegisterVersion {
    /// What people say of it, which stays in `self` no more.
    pub fn take_described(&mut self) -> DescribedChange {
        DescribedChange {
            description: self.description.take(),
            tags: self.tags.take(),
        }
    }
}

/// A registered version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Identifies it.
    pub model_id: String,
    /// The model.
    pub name: String,
    /// Its version string.
    pub version: String,
    /// What its author says about it.
    pub description: String,
    /// What its author claims; what was measured is in the performance report.
    pub accuracy: f64,
    /// Whether it may take traffic.
    pub status: VersionStatus,
    /// Its weight among the active versions of the model.
    pub traffic_percent: f64,
    /// The share of its model's requests of which it gets a copy, whichever version answers; 0 when left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shadow_percent: f64,
    /// When it was registered.
    pub created_at: String,
    /// When it was last activated.
    pub activated_at: Option<String>,
    /// How it is run; null where that cannot be read.
    pub runtime: Option<RuntimeSpec>,
    /// The files that it is run from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Why it cannot be called, where it cannot be loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Why it is not called now, where it keeps failing: its probe is sent every two seconds until it is answered, and other
    /// versions answer meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusing: Option<String>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// A warning about the traffic of its model after this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

fn is_zero(percent: &f64) -> bool {
    *percent == 0.0
}

impl From<types::Version> for Version {
    fn from(v: types::Version) -> Self {
        let (runtime, broken) = match v.runtime {
            RuntimeSpec::Unreadable(reason) => (None, Some(reason)),
            readable => (Some(readable), None),
        };
        Self {
            model_id: v.model_id.to_string(),
            name: v.name.to_string(),
            version: v.version.to_string(),
            description: v.described.description,
            accuracy: v.accuracy.get(),
            status: v.status.into(),
            traffic_percent: v.traffic_percent.get(),
            shadow_percent: v.shadow_percent.get(),
            created_at: v.created_at.to_string(),
            activated_at: v.activated_at.map(|at| at.to_string()),
            runtime,
            artifact: v.artifact,
            broken,
            refusing: None,
            tags: v.described.tags,
            warning: None,
        }
    }
}

/// The weight that a version gets when it is activated.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Activate {
    /// From 0 to 100.
    #[schema(minimum = 0, maximum = 100)]
    pub traffic_percent: f64,
    /// Whether to stop a running experiment for this change; otherwise the change is refused while one
    /// runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takeover: bool,
}

/// Changes of a version; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchVersion {
    /// The new description.
    pub description: Option<String>,
    /// The new tags, all of them.
    pub tags: Option<BTreeMap<String, String>>,
    /// `inactive`, `testing` or `deprecated`; a version becomes active by being activated.
    pub status: Option<VersionStatus>,
}

impl PatchVersion {
    /// What is to be said of the version.
    pub fn take_described(&mut self) -> DescribedChange {
        DescribedChange {
            description: self.description.take(),
            tags: self.tags.take(),
        }
    }
}

/// A confirmation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// What was done, for people.
    pub message: String,
}
