//! The settings of the server on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The settings of the server that can be changed while it runs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    /// The model used when a request names none: the first that became active, unless another was set. While it has
    /// no active version, the only model that has one is used.
    pub default_model: Option<String>,
    /// Counts the changes of the settings, webhooks included.
    pub revision: i64,
}

/// The model used when a request names none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetDefaultModel {
    /// The model.
    pub name: String,
}
