//! What the evidence says, and what to do next. Pure: no IO, no async, no clock, no randomness.
//!
//! Each method is a file of its own with its formula, its assumptions and its source.
#![warn(missing_docs)]

pub mod adaptive;
pub mod asymptotic;
pub mod bandit;
pub mod bayes;
pub mod bounded;
pub mod burst;
pub mod claim;
pub mod clustered;
pub mod control;
pub mod cuped;
pub mod drift;
pub mod events;
pub mod fixed;
pub mod limits;
#[cfg(test)]
mod made;
pub mod mcnemar;
pub mod multiplicity;
pub mod off_policy;
pub mod plan;
pub mod power;
pub mod quantile;
pub mod ratio;
pub mod results;
mod sample;
pub mod scales;
mod special;
pub mod srm;
pub mod stage_product;
pub mod thompson;
pub mod words;

pub use evidence::betting;
pub use sample::{Effect, Interval, Sample};

/// A version's labels, for a recommendation without an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels<'a> {
    /// The version string.
    pub version: &'a str,
    /// Labelled predictions.
    pub labelled: u64,
    /// Of these, how many were right.
    pub correct: u64,
}

/// What can be said about a model on which no experiment runs: that nothing can be, and what is
/// missing. Shares of labelled predictions are no comparison: nothing says that the versions answered
/// alike requests.
pub fn recommendation_without_experiment(
    name: &str,
    predictions: u64,
    versions: &[Labels<'_>],
) -> String {
    let labelled = versions.iter().filter(|v| v.labelled > 0);
    let shares: Vec<String> = labelled
        .map(|v| format!("{} was right in {} of {}", v.version, v.correct, v.labelled))
        .collect();
    if shares.is_empty() {
        return format!(
            "No recommendation for {name}: {predictions} predictions are logged, but without feedback \
             nothing says which of them were right. `POST /feedback` takes labels."
        );
    }
    format!(
        "No recommendation for {name}: {}, but no experiment compares its versions on comparable requests. \
         `POST /experiments` creates one.",
        shares.join(", ")
    )
}
