//! What goes over the wire: JSON in and out, error codes, and the client that the CLI uses.
//!
//! Only the types here derive `Serialize`. This crate decides nothing and serves nothing.
#![warn(missing_docs)]

mod client;
mod health;
mod performance;
mod prediction;
mod problem;
mod traffic;
mod version;

pub use client::{Client, ClientError};
pub use health::{Health, Readiness};
pub use performance::{Performance, Recommendation, VersionPerformance};
pub use prediction::{LoggedPrediction, PredictReply, PredictRequest, PredictionPage};
pub use problem::{ErrorCode, FieldError, Problem};
pub use traffic::{Alias, AuditEntry, AuditPage, SetAlias, SetTraffic, Traffic, TrafficShare};
pub use version::{Activate, Message, PatchVersion, RegisterVersion, Version};
