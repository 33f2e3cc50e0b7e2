//! Remembers: the catalogue (registry, traffic, aliases, metrics, experiments, audit) and the log of
//! predictions with its roll-ups, feedback and evidence.
//!
//! [`Store`] is a directory with a SQLite database and one writing connection, which takes turns: groups of
//! [entries](entry) that a journal gave positions to, and changes of the catalogue between them. The last
//! position is written with the rows, so that every entry counts exactly once. Readers use connections of
//! their own. This crate decides nothing and knows nothing of HTTP.
#![warn(missing_docs)]

mod artifacts;
mod catalog;
mod chain;
pub mod entry;
mod error;
mod export;
mod feedback;
mod log;
#[cfg(feature = "memory")]
pub mod memory;
mod receipt;
mod sqlite;
mod traits;

pub use entry::request_number;
use entry::{PARTS, part_of, unit_number};

pub use artifacts::{Artifacts, Incoming as IncomingArtifact, InvalidArtifact};
pub use catalog::{
    Alias, AuditEntry, AuditFilter, Checkpoint, Delivery, ExperimentFilter, LookPoint, NotApplied,
    StoredKey, StoredWebhook, VersionFilter,
};
pub use error::{OpenError, StoreError};
pub use evidence::{EarlierUnit, Rollup, Tier, matured_before};
pub use export::{ExportFilter, Exported, ExportedPrediction, Piece, PlacedOutcome};
pub use feedback::{
    Confusion, ConfusionQuery, Counted, CountedMismatch, Feedback, FeedbackContent, FeedbackOf,
    FeedbackRefusal, FeedbackResult, LabelHash, Missed, PlacedFeedback, Receipt, StoredFeedback,
    StoredOutcome, UnitFeedback,
};
pub use log::{
    Appended, ByAttributes, Earlier, EarlierOutcomes, Incoming, LogState, LoggedPrediction, Part,
    PredictionFilter, RequestQuery, SetAside, ShadowAnswer, ShadowOf, ShadowPair, ShadowQuery,
    VersionTotals,
};
pub use receipt::{Refused, RequestReceipt};
pub use sqlite::{
    Copied, Gone, OpenOptions, Retain, Retained, ServerId, Store, StoredErasure, StoredModel,
    StoredSettings, VerifyReport, copy_database, server_of, stored_models, stored_settings, verify,
    verify_audit,
};
pub use traits::{Applied, LogStore, ModelStore, ReadModel, RunningEvidence};
