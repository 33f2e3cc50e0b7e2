//! Asymptotic confidence sequences for a difference in means, which may be looked at as often as one likes.
//!
//! Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 52(6), 2024
//! (arXiv 2103.06476). Assumes independent units of finite variance, weights that do not change
//! within the stream, and enough units: it is asymptotic, so early looks and rare outcomes can be wrong. What decides
//! ([`crate::claim`]) counts it only once both arms are large for how skewed they are.

use crate::sample::{Effect, Interval};
use crate::special::ln_normal_cdf;

/// Units of both arms together at which a sequence is tightest, when nothing else is planned.
pub const DEFAULT_N_STAR: f64 = 5000.0;

/// ρ of the two-sided sequence that is tightest at `n_star` units:
/// √((−2 ln α + ln(−2 ln α + 1))/N*). It is fixed for an experiment.
pub fn rho(alpha: f64, n_star: f64) -> f64 {
    let a = -2.0 * alpha.ln();
    ((a + (a + 1.0).ln()) / n_star).sqrt()
}

/// ρ of the one-sided sequence: as for two sides with 2α.
pub fn rho_one_sided(alpha: f64, n_star: f64) -> f64 {
    rho(2.0 * alpha, n_star)
}

/// The exact optimum of ρ²N*, −W₋₁(−α²/e) − 1, of which [`rho`] is the usual approximation.
pub fn optimal_rho_squared_n(alpha: f64) -> f64 {
    // x = ρ²N* solves x − ln(1 + x) = −2 ln α; Newton on it converges from above.
    let target = -2.0 * alpha.ln();
    let mut x = target + (target + 1.0).ln() + 1.0;
    for _ in 0..60 {
        x -= (x - x.ln_1p() - target) * (1.0 + x) / x;
    }
    x
}

/// A confidence sequence at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequence {
    /// The interval of level 1 − alpha, valid at all looks together.
    pub interval: Interval,
    /// ln of the e-value against a difference of 0.
    pub ln_e: f64,
    /// The always-valid p-value min(1, 1/E).
    pub p: f64,
}

/// The two-sided sequence of an effect.
pub fn sequence(effect: &Effect, alpha: f64, n_star: f64) -> Sequence {
    let rho = rho(alpha, n_star);
    let ln_e = ln_e(effect, 0.0, rho);
    Sequence {
        interval: Interval::around(effect.estimate, half_width(effect, alpha, rho)),
        ln_e,
        p: p_of_ln_e(ln_e),
    }
}

/// min(1, 1/E).
pub fn p_of_ln_e(ln_e: f64) -> f64 {
    (-ln_e).exp().min(1.0)
}

/// √(2(Nρ² + 1)/(N²ρ²) · ln(√(Nρ² + 1)/α)), times σ̂ with σ̂² = SE² N.
pub fn half_width(effect: &Effect, alpha: f64, rho: f64) -> f64 {
    let sigma = effect.standard_error * effect.n.sqrt();
    sigma * normal_mixture_bound(effect.n, alpha, rho) / effect.n
}

/// The bound on the sum of N units of variance 1 that holds at all N with probability 1 − alpha:
/// the two-sided normal mixture (Robbins 1970; Howard et al. 2021).
pub fn normal_mixture_bound(n: f64, alpha: f64, rho: f64) -> f64 {
    let v = n * rho * rho + 1.0;
    (2.0 * v / (rho * rho) * (0.5 * v.ln() - alpha.ln())).sqrt()
}

/// ln E of a difference of `null`: ρ²S²/(2(Nρ² + 1)) − ½ ln(Nρ² + 1), S² = (δ̂ − δ₀)² N/SE².
pub fn ln_e(effect: &Effect, null: f64, rho: f64) -> f64 {
    ln_normal_mixture(sum_of(effect, null), effect.n, rho)
}

/// S: the sum of N units of variance 1 that the effect is.
fn sum_of(effect: &Effect, null: f64) -> f64 {
    (effect.estimate - null) * effect.n.sqrt() / effect.standard_error
}

/// ln E of a sum of N units of variance 1, two-sided.
pub fn ln_normal_mixture(sum: f64, n: f64, rho: f64) -> f64 {
    let square = rho * rho;
    let v = n * square + 1.0;
    square * sum * sum / (2.0 * v) - 0.5 * v.ln()
}

/// ln E of a sum of N units of variance 1 against sums of at most 0: the half-normal mixture
/// 2 exp(ρ²S²/(2(1 + ρ²N))) Φ(ρS/√(1 + ρ²N))/√(1 + ρ²N). S keeps its sign.
pub fn ln_half_normal_mixture(sum: f64, n: f64, rho: f64) -> f64 {
    let v = n * rho * rho + 1.0;
    2f64.ln() + ln_normal_mixture(sum, n, rho) + ln_normal_cdf(rho * sum / v.sqrt())
}

/// ln E against a difference of at most `margin`, with ρ from [`rho_one_sided`].
pub fn ln_e_one_sided(effect: &Effect, margin: f64, rho: f64) -> f64 {
    ln_half_normal_mixture(sum_of(effect, margin), effect.n, rho)
}

/// The lower end of the one-sided sequence. It is a bound in closed form and a little wider than
/// the inversion of [`ln_e_one_sided`]: decide on E, show this.
pub fn lower_bound(effect: &Effect, alpha: f64, n_star: f64) -> f64 {
    let rho = rho_one_sided(alpha, n_star);
    let square = rho * rho;
    let v = effect.n * square + 1.0;
    let factor = 2.0 * v / (effect.n * effect.n * square) * (v.sqrt() / (2.0 * alpha)).ln_1p();
    effect.estimate - effect.standard_error * effect.n.sqrt() * factor.sqrt()
}

/// The p-value at which [`lower_bound`] touches `null`; larger than 1/E.
pub fn p_of_lower_bound(effect: &Effect, null: f64, rho: f64) -> f64 {
    let square = rho * rho;
    let v = effect.n * square + 1.0;
    let sum = sum_of(effect, null);
    if sum <= 0.0 {
        return 1.0;
    }
    let e = (square * sum * sum / (2.0 * v)).exp_m1();
    (v.sqrt() / (2.0 * e)).min(1.0)
}

/// ρ²n of [`martingale_margin`] that other implementations of it use: −2 ln α + ln(−2 ln α) + 1.
pub fn martingale_rho_squared_n(alpha: f64) -> f64 {
    let a = -2.0 * alpha.ln();
    a + a.ln() + 1.0
}

/// The martingale form for one mean (Proposition 2.5 there):
/// √((nvρ² + 1)/(n²ρ²) · ln((nvρ² + 1)/α²)) with the variance v of one unit.
pub fn martingale_margin(n: f64, variance: f64, alpha: f64, rho_squared: f64) -> f64 {
    let v = n * variance * rho_squared + 1.0;
    (v / (n * n * rho_squared) * (v / (alpha * alpha)).ln()).sqrt()
}
