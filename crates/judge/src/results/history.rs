//! What looks leave for the next one: the smallest p-value and the largest evidence of harm, which are as valid as any
//! single look. Intervals are about the effect so far, and are not intersected.

use super::{Comparison, Results};
use crate::sample::Interval;

/// What earlier looks have shown, so that a decision does not go away when chance swings back: p is evidence against "no
/// effect at any time".
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History(pub Vec<Shown>);

/// What earlier looks have shown of a candidate on a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// The metric, by its place in the definition.
    pub metric: usize,
    /// The candidate.
    pub arm: usize,
    /// The smallest p-value, before any adjustment.
    pub p: f64,
    /// Which way that was: whether the candidate's mean is the greater one.
    pub more: bool,
    /// The interval of the last look.
    pub interval: Option<Interval>,
    /// The largest ln of the e-value that the candidate is worse.
    pub ln_e_harm: Option<f64>,
}

impl Shown {
    fn of(metric: usize, comparison: &Comparison) -> Self {
        Self {
            metric,
            arm: comparison.arm,
            p: comparison.sequential.p,
            more: comparison.sequential.more,
            interval: comparison.sequential.interval,
            ln_e_harm: comparison.ln_e_harm,
        }
    }
}

impl Comparison {
    pub(super) fn remember(&mut self, shown: &Shown) {
        let sequential = &mut self.sequential;
        // Intervals with nothing in common: the values were corrected since, and what was shown with them
        // does not count any more.
        let pair = sequential.interval.zip(shown.interval);
        if pair.is_some_and(|(now, before)| now.lower > before.upper || now.upper < before.lower) {
            return;
        }
        if shown.p < sequential.p {
            (sequential.p, sequential.more) = (shown.p, shown.more);
        }
        self.ln_e_harm = match (self.ln_e_harm, shown.ln_e_harm) {
            (Some(now), Some(before)) => Some(now.max(before)),
            (now, before) => now.or(before),
        };
    }
}

impl Results {
    /// What the next look has to remember.
    pub fn history(&self) -> History {
        let each = self
            .metrics
            .iter()
            .enumerate()
            .flat_map(|(metric, result)| {
                let comparisons = result.comparisons.iter();
                comparisons.map(move |comparison| Shown::of(metric, comparison))
            });
        History(each.collect())
    }
}
