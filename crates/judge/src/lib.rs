//! What the evidence says, and what to do next. Pure: no IO, no async, no clock, no randomness.
//!
//! Each method is a file of its own with its formula, its assumptions and its source.
#![warn(missing_docs)]

pub mod asymptotic;
pub mod bayes;
pub mod bounded;
pub mod cuped;
pub mod events;
pub mod fixed;
pub mod multiplicity;
pub mod power;
pub mod quantile;
pub mod ratio;
mod sample;
mod special;
pub mod srm;
pub mod stage_product;

pub use sample::{Effect, Interval, Sample};

/// What can be said about a model whose predictions nobody has labelled: that nothing can be said,
/// and what is missing.
pub fn recommendation_without_feedback(name: &str, predictions: u64) -> String {
    format!(
        "No recommendation for {name}: {predictions} predictions are logged, but without feedback \
         nothing says which of them were right."
    )
}
