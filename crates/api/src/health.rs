//! The state of the server on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// That the server answers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `healthy`.
    pub status: String,
}

impl Health {
    /// The only thing it can say.
    pub fn healthy() -> Self {
        Self {
            status: "healthy".into(),
        }
    }
}

/// Whether the server can do its work.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `ready` or `not_ready`.
    pub status: String,
    /// Why it is not ready.
    pub reasons: Vec<String>,
    /// Commands that wait for the writer.
    pub pending: usize,
}
