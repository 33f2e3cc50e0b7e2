//! The real binary, over real HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod bad_input;
mod bandit;
mod beside;
mod commands;
mod connections;
mod context;
mod cors;
mod disk;
mod experiments;
mod export;
mod feedback;
mod files;
mod first_hour;
mod http_runtime;
mod journal;
mod keys;
mod kill;
mod metrics;
mod onnx;
mod outcomes;
mod outlive;
mod page;
mod plan;
mod privacy;
mod replay;
mod rollout;
mod same_decisions;
mod segments;
mod serve;
mod settings;
mod shadow;
mod webhooks;
mod weir;
mod worst_day;
