//! What is set of a server while it runs: one state, changed by commands like a model's.

use crate::{
    AccessKey, Action, ErasureId, EventRecord, KeyDefinition, KeyHash, KeyId, ModelName, Timestamp,
    UnitId, WebhookId,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// All that is decided of a server. Secrets are not in it: it names what they belong to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// How many changes they have had: each has one event, and is decided by this number.
    pub changes: i64,
    /// The model used when a request names none: the first that became active, unless somebody set another.
    pub default_model: Option<ModelName>,
    /// Who is told of what happens to experiments, oldest first.
    pub webhooks: Vec<Webhook>,
    /// Who may call, oldest first.
    pub keys: Vec<AccessKey>,
}

/// Who is told of what happens to experiments.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Identifies it.
    pub id: WebhookId,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it is told, and how.
    pub definition: WebhookDefinition,
}

/// What a webhook is told, and how. It is stored in the form it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookDefinition {
    /// Only what happens to this model.
    #[serde(default)]
    pub name: Option<ModelName>,
    /// Only these events: actions, or their beginnings and `*`; all where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// What its target reads.
    #[serde(default)]
    pub format: WebhookFormat,
    /// Where that is, as far as it may be shown: the rest of its URL is kept apart, because it may be a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl WebhookDefinition {
    /// Whether it is told of an action.
    pub fn takes(&self, action: Action) -> bool {
        let is_one = |pattern: &String| matches_action(pattern, action);
        self.events.is_empty() || self.events.iter().any(is_one)
    }
}

/// Whether an action is one of those that are meant by itself, or by its beginning and `*`.
pub fn matches_action(pattern: &str, action: Action) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => action.as_str().starts_with(beginning),
        None => action.as_str() == pattern,
    }
}

crate::words! {
    /// What the target of a webhook reads.
    #[derive(Default)]
    pub enum WebhookFormat as "WebhookFormat" {
        /// The event as JSON, signed: the Standard Webhooks specification.
        #[default]
        Json = "json",
        /// A message for an incoming webhook of Slack, or of what understands those.
        Slack = "slack",
        /// Incidents for the Events API of PagerDuty, begun by what goes wrong and resolved by what ends it.
        Pagerduty = "pagerduty",
    }
}

impl Serialize for WebhookFormat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for WebhookFormat {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        crate::find_word(&word).map_err(serde::de::Error::custom)
    }
}

/// What only its owner and its target know of a webhook. Its `Debug` form says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecrets {
    /// Where it is told: some targets put their secret into the URL.
    pub url: String,
    /// What deliveries are signed with.
    pub secret: String,
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecrets")
    }
}

/// One thing that happened to the settings: what is written, and what is told of it for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingsChange {
    /// How many changes they had when this was decided: it is applied to no other state.
    pub decided_on: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// The rows that follow, in order.
    pub writes: Vec<SettingsWrite>,
    /// The event that the audit keeps.
    pub event: EventRecord,
}

/// A row that changes.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingsWrite {
    /// The default model.
    DefaultModel(ModelName),
    /// A webhook that is new, with its secrets. It is told of what happens from then on.
    NewWebhook(Box<Webhook>, WebhookSecrets),
    /// A webhook goes, and its secrets with it.
    DeleteWebhook(WebhookId),
    /// A key that is new, with its hash.
    NewKey(Box<AccessKey>, KeyHash),
    /// What the holder of a key may do has changed.
    SetKey(KeyId, Box<KeyDefinition>),
    /// A key goes, and its hash with it.
    DeleteKey(KeyId),
    /// All of a unit is to be erased.
    BeginErasure(Box<NewErasure>),
    /// All of it is.
    EndErasure(ErasureId),
}

/// What a unit sent and was answered until a moment is to be erased. Its `Debug` form does not say whose.
#[derive(Clone, PartialEq, Eq)]
pub struct NewErasure {
    /// Identifies it.
    pub id: ErasureId,
    /// Whose.
    pub unit: UnitId,
    /// What takes the place of the unit's name.
    pub pseudonym: String,
    /// Predictions up to this order.
    pub until_order: u64,
    /// And what came up to this position of the journal.
    pub position: u64,
}

impl fmt::Debug for NewErasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewErasure({})", self.id)
    }
}
