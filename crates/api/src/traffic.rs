//! Traffic, aliases and the audit on the wire.

use crate::{Action, VersionStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How the requests of a model are split.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Traffic {
    /// The model.
    pub name: String,
    /// Counts every change; send it back when you change the weights.
    pub revision: i64,
    /// Counts every change of the weights.
    pub epoch: i64,
    /// Whether another version answers when the chosen one fails.
    pub fallback: bool,
    /// Its active and testing versions.
    pub versions: Vec<TrafficShare>,
    /// The experiment that sets the weights.
    pub experiment: Option<String>,
    /// A warning when the weights do not add up to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// The part of a version in the split.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrafficShare {
    /// The version.
    pub model_id: String,
    /// Its version string.
    pub version: String,
    /// `active` or `testing`: other versions get no requests.
    pub status: VersionStatus,
    /// Its weight.
    pub traffic_percent: f64,
    /// The share of requests that it gets, from 0 to 1: its weight over the sum.
    pub share: f64,
}

/// New weights for a model.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTraffic {
    /// The revision of the traffic that you read: the change is refused if the traffic has changed since. When left out,
    /// the change is made in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// Weights from 0 to 100 by version string. Active versions that are not named get 0.
    pub weights: BTreeMap<String, f64>,
    /// Whether another version answers when the chosen one fails; unchanged when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
    /// Whether to stop a running experiment for this change; otherwise the change is refused while one
    /// runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takeover: bool,
}

/// Who gets a certain version of a model, before any experiment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Rules {
    /// The model.
    pub name: String,
    /// The revision of the traffic; send it back when you change the rules.
    pub revision: i64,
    /// The first that is met is followed.
    pub rules: Vec<Rule>,
}

/// A version for those whose attributes meet a condition.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Who they are, such as `beta = true` or `country in [DE, AT] and version(app_version) >= 2.3`.
    pub when: String,
    /// What they get.
    pub model_version: String,
    /// Whether the rule has no effect now, because the version is neither active nor testing; ignored in a
    /// request.
    #[serde(default)]
    pub rests: bool,
}

/// New rules for a model, in place of all that it has.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRules {
    /// The revision that you read: the change is refused if the rules or the traffic have changed since. When left out,
    /// the change is made in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// The rules, at most 50.
    #[schema(max_items = 50)]
    pub rules: Vec<Rule>,
}

/// Where an alias is to point.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAlias {
    /// The version string.
    pub version: String,
}

/// Where an alias points.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Alias {
    /// The model.
    pub name: String,
    /// The alias.
    pub alias: String,
    /// The version.
    pub model_id: String,
    /// Its version string.
    pub version: String,
    /// Since when.
    pub updated_at: String,
}

/// A change that somebody made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Unique, ascending with time.
    pub id: i64,
    /// When it happened.
    pub at: String,
    /// What was done.
    pub action: Action,
    /// The model; null where it was done to the settings of the server.
    pub name: Option<String>,
    /// The version, where it was done to one.
    pub version: Option<String>,
    /// The revision of the model's traffic after it; of the settings, the number of their changes.
    pub revision: i64,
    /// What changed.
    pub detail: Value,
    /// Who asked for it; null where the server did it by itself.
    #[serde(default)]
    pub author: Option<Author>,
    /// The hash of this entry and of all before it: SHA-256 in hexadecimal digits; null for entries of releases that made none.
    #[serde(default)]
    pub chain: Option<String>,
}

/// Who asked for a change.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// The key that was used.
    pub key_id: Option<String>,
    /// The user, as named by a proxy in front of the server.
    pub user: Option<String>,
    /// The address that the call came from.
    pub address: Option<String>,
    /// What `X-Reason` said.
    pub reason: Option<String>,
}

/// An event of `GET /events`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// The id of the audit entry.
    pub id: String,
    /// What was done.
    pub event: Action,
    /// The audit entry, as JSON.
    pub data: String,
}

/// A page of the audit, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// The `cursor` of the next page; null on the last one.
    pub next_cursor: Option<String>,
}
