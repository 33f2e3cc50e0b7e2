//! Webhooks on the wire.

use crate::{Action, AuditEntry, WebhookFormat};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new webhook.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// Where deliveries are posted: `https`, or `http`.
    pub url: String,
    /// Only what happens to experiments of this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What deliveries are signed with: `whsec_` and the base64 of 16 to 128 bytes. It is made when left out, and is
    /// in the reply. For PagerDuty it is the routing key of the integration, and has to be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Only these events, such as `experiment.promoted`; `experiment.*` stands for all that begin this way. All when
    /// left out.
    #[schema(max_items = 20)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// What the target reads: `json` when left out, `slack` or `pagerduty`.
    #[serde(default = "json")]
    pub format: WebhookFormat,
}

fn json() -> WebhookFormat {
    types::WebhookFormat::Json.into()
}

/// A webhook.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Identifies it: `hook-` and 12 hexadecimal digits.
    pub webhook: String,
    /// Where deliveries are posted: scheme, host and port, and `...` for a path, which may be a secret.
    pub url: String,
    /// Only what happens to experiments of this model.
    pub name: Option<String>,
    /// The secret, in the reply that made it and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Only these events; an empty list means all.
    #[serde(default)]
    pub events: Vec<String>,
    /// What the target reads.
    #[serde(default = "json")]
    pub format: WebhookFormat,
    /// When it was made.
    pub created_at: String,
    /// The last entry of the audit that was delivered to it, or that is older than it.
    pub last_entry: i64,
    /// How often the next delivery has failed.
    pub attempts: u32,
    /// Why the last delivery failed, while none has succeeded since.
    pub last_error: Option<String>,
    /// Entries that were given up.
    pub given_up: u64,
}

/// What is posted to a webhook, with the headers `webhook-id` (the same when it is repeated),
/// `webhook-timestamp` (seconds since 1970) and `webhook-signature` (`v1,` and the base64 of the
/// HMAC-SHA256 of `id.timestamp.body`): the Standard Webhooks specification.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookDelivery {
    /// What happened.
    pub r#type: Action,
    /// When it happened.
    pub timestamp: String,
    /// The same for people: a sentence or two.
    #[serde(default)]
    pub text: String,
    /// The entry of the audit.
    pub data: AuditEntry,
}

/// What became of a test.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookTest {
    /// Whether the target took it.
    pub delivered: bool,
    /// The status that it answered with, where it answered.
    pub status: Option<u16>,
    /// What happened, in a sentence.
    pub message: String,
}
