//! Remembers: the catalogue (registry, traffic, aliases, metrics, experiments, audit) and the log of
//! predictions with its roll-ups, feedback and evidence.
//!
//! [`Store`] is a directory with a SQLite database. One thread owns the only writing connection:
//! it commits predictions in groups and runs every other change between two groups. Readers use
//! connections of their own. This crate decides nothing and knows nothing of HTTP.
#![warn(missing_docs)]

mod catalog;
mod error;
mod evidence;
mod feedback;
mod log;
mod rollup;
mod sqlite;

pub use catalog::{
    Actor, Alias, AuditEntry, AuditFilter, CatalogError, ExperimentEnd, ExperimentEvent,
    ExperimentFilter, ExperimentStep, LookRecord, NewVersion, NewWebhook, Takeover, VersionFilter,
    VersionPatch, Webhook, WeightChange,
};
pub use error::{OpenError, StoreError};
pub use feedback::{
    Counted, Feedback, FeedbackContent, FeedbackRefusal, FeedbackStatus, Receipt, StoredFeedback,
};
pub use log::{LoggedPrediction, PredictionFilter, VersionTotals};
pub use rollup::{Rollup, Tier};
pub use sqlite::{Durability, FeedbackResult, Queued, Store, StoreOptions, VerifyReport, verify};
