//! Sample-ratio mismatch: do the arms get the units that their weights promise?
//!
//! Counts are first exposures of units; expectations are the published weights. When they differ,
//! something between assignment and analysis loses units of one arm, and no metric can be trusted.

use crate::events::ln_e_multinomial;
use crate::special::chi_square_tail;

/// A p-value below this is an alarm.
pub const ALARM: f64 = 0.001;

/// How sure the mixture of the sequential test is that the weights hold.
pub const DEFAULT_CONCENTRATION: f64 = 1000.0;

/// Units that each arm needs before the fixed test says anything.
pub const MIN_UNITS: f64 = 8.0;

/// The fixed test: χ² = Σ(O − E)²/E with k − 1 degrees of freedom, and its p-value.
/// `weights` need not sum to 1.
pub fn chi_square(counts: &[f64], weights: &[f64]) -> (f64, f64) {
    let n: f64 = counts.iter().sum();
    let total: f64 = weights.iter().sum();
    let each = counts.iter().zip(weights).map(|(&observed, weight)| {
        let expected = n * weight / total;
        (observed - expected) * (observed - expected) / expected
    });
    let statistic: f64 = each.sum();
    (
        statistic,
        chi_square_tail(statistic, counts.len() as f64 - 1.0),
    )
}

/// Units by arm in an epoch, with the weights of that epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// Units by arm.
    pub counts: Vec<f64>,
    /// Published shares by arm, which sum to 1.
    pub shares: Vec<f64>,
}

/// The sequential test: ln E of all epochs, each against its own weights, multiplied (Lindon and
/// Malek, NeurIPS 2022). Alarm when 1/E < 0.001; it may be looked at as often as one likes.
pub fn ln_e_sequential(epochs: &[Allocation], k: f64) -> f64 {
    let each = epochs.iter();
    each.map(|epoch| ln_e_multinomial(&epoch.counts, &epoch.shares, k))
        .sum()
}
