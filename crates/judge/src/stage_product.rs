//! Evidence over stages whose weights differ: the product of one e-value per stage.
//!
//! Pooling arms over stages is wrong: with a baseline that moves while the weights do, it rolled
//! back every harmless candidate of a simulation (Simpson's paradox). Within a stage the weights
//! are constant, so each stage has its own one-sided e-value and their product is one again
//! (Shafer, J. R. Stat. Soc. A 184, 2021). Rejects when it reaches 1/α (Ville's inequality).

use crate::asymptotic::{ln_e_one_sided, rho_one_sided};
use crate::sample::Effect;

/// Units of the candidate that a stage needs before it counts.
pub const MIN_TREATED: f64 = 50.0;

/// Σ ln E_s against differences of at most `margin`, with ρ from the planned units of a stage.
/// A stage without an effect yet counts as E = 1 and is left out by the caller.
pub fn ln_e(stages: &[Effect], margin: f64, alpha: f64, n_star: f64) -> f64 {
    let rho = rho_one_sided(alpha, n_star);
    let each = stages.iter();
    each.map(|stage| ln_e_one_sided(stage, margin, rho)).sum()
}
