//! Keys of callers on the wire.

use crate::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// The role of its holder: `viewer`, `predictor`, `analyst`, `operator` or `admin`.
    pub role: Role,
    /// The models it is for, by name; `*` stands for any characters. An empty list means all models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it expires (RFC 3339); never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How many requests a second it may make (1 to 1,000,000); any number when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub requests_per_second: Option<u32>,
    /// How many of its requests may be under way at once (1 to 1,000,000); any number when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub concurrent_requests: Option<u32>,
}

/// A successor for a key.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// For how many seconds the old key stays valid; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 31_622_400)]
    pub overlap_seconds: Option<u32>,
}

/// A key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// Identifies it: `key-` and 12 hexadecimal digits, which are in the key itself too.
    pub key_id: String,
    /// The key itself, in the reply that made it and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The role of its holder.
    pub role: Role,
    /// The models it is for; an empty list means all.
    pub models: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it expires.
    pub expires_at: Option<String>,
    /// How many requests a second it may make.
    pub requests_per_second: Option<u32>,
    /// How many of its requests may be under way at once.
    pub concurrent_requests: Option<u32>,
    /// When it was used last; null where it never was.
    pub last_used_at: Option<String>,
}

/// A key that is typed into the dashboard.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginSession {
    /// The key.
    pub key: String,
}

/// Who the caller is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Whether keys are needed.
    pub auth_required: bool,
    /// The key that was used; null where there is none.
    pub key_id: Option<String>,
    /// The user, where a proxy has named one.
    pub user: Option<String>,
    /// The role of the caller; null where the caller has none.
    pub role: Option<Role>,
    /// The models that the caller may use; an empty list means all.
    pub models: Vec<String>,
}
