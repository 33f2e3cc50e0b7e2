//! The state of the server on the wire.

use crate::word::Word;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

types::words! {
    /// Whether the server answers.
    pub enum LivenessWord as "Liveness" {
        /// It does.
        Healthy = "healthy",
    }
}

/// Whether the server answers.
pub type Liveness = Word<LivenessWord>;

types::words! {
    /// Whether the server can do its work.
    pub enum ReadinessWord as "ReadinessStatus" {
        /// It can.
        Ready = "ready",
        /// Predictions are answered; something else does not work.
        Degraded = "degraded",
        /// Predictions cannot be logged.
        NotReady = "not_ready",
    }
}

/// Whether the server can do its work.
pub type ReadinessStatus = Word<ReadinessWord>;

/// That the server answers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `healthy`.
    pub status: Liveness,
}

impl Health {
    /// The only thing it can say.
    pub fn healthy() -> Self {
        Self {
            status: LivenessWord::Healthy.into(),
        }
    }
}

/// Whether the server can do its work.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether it is ready.
    pub status: ReadinessStatus,
    /// Why it is not ready, or degraded.
    pub reasons: Vec<String>,
    /// The log between an answer and the database.
    pub log: LogReadiness,
    /// Decisions that are due for running experiments and could not be written yet; they are tried again at
    /// every tick.
    pub overdue: Vec<String>,
    /// Panics in handlers and runtimes since the start. Each was caught, and affected only its own request.
    pub panics: u64,
}

impl Readiness {
    /// What anybody may know: no more than the status.
    pub fn bare(status: ReadinessStatus) -> Self {
        Self {
            status,
            reasons: Vec::new(),
            log: LogReadiness::default(),
            overdue: Vec::new(),
            panics: 0,
        }
    }
}

/// The log between an answer and the database.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct LogReadiness {
    /// The position of the last entry.
    pub position: u64,
    /// Entries that are to be counted: reports do not hold them yet.
    pub lag_entries: u64,
    /// For how long there have been some, in seconds.
    pub lag_seconds: f64,
    /// The disk space that the journal takes, in bytes.
    pub journal_bytes: u64,
    /// Entries of the journal that could not be read, because the disk damaged or lost them.
    pub missing: u64,
    /// Entries that the database does not take, kept apart: `weir journal list` shows them.
    pub set_aside: u64,
    /// Entries of versions that were deleted before they were counted.
    pub dropped: u64,
}

/// Entries that were answered and are still to be counted, where a report could not wait for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLag {
    /// How many entries.
    pub entries: u64,
    /// For how long there have been some, in seconds.
    pub seconds: f64,
}

/// An entry that the database does not take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SetAside {
    /// Its position in the journal.
    pub position: u64,
    /// Why it could not be stored.
    pub reason: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was set aside.
    pub set_aside_at: String,
}

/// Entries that the database does not take, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAsidePage {
    /// The entries.
    pub entries: Vec<SetAside>,
    /// How many there are in all.
    pub total: u64,
    /// The `after` of the next page; null on the last one.
    pub next_after: Option<u64>,
}

/// What became of entries that were tried again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Retried {
    /// Entries that were stored now.
    pub stored: u64,
    /// Entries that are still set aside.
    pub set_aside: u64,
}
