//! The words of Weir as types and checked names.
//!
//! Everything here is a plain value: a name that has been checked, an id, a time, a record of a
//! prediction. This crate knows nothing of storage, HTTP, async, clocks or randomness.
#![warn(missing_docs)]

mod id;
mod latency;
mod name;
mod number;
mod prediction;
mod runtime_spec;
mod time;
mod traffic;
mod version;

pub use id::{InvalidId, ModelId, PredictionId};
pub use latency::LatencyHistogram;
pub use name::{AliasName, InvalidName, ModelName, UnitId, VersionName};
pub use number::{Accuracy, InvalidNumber, Percent};
pub use prediction::{Input, Outcome, Output, PredictionRecord, Reason, Status};
pub use runtime_spec::{HttpBody, HttpSpec, InvalidRuntime, RuntimeSpec, SentimentMethod};
pub use time::{InvalidTime, TimeRange, Timestamp};
pub use traffic::{ModelTraffic, TrafficVersion};
pub use version::{Tags, Version, VersionKey, VersionStatus};
