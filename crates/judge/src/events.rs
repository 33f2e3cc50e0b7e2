//! Rare events (errors, timeouts, breaches of an objective): whose was it?
//!
//! Given that an event happened, it was the candidate's with a known probability p_s(r) =
//! s·r/(s·r + 1 − s), where s is the candidate's share of the pair and r the ratio of the rates.
//! That holds whatever the base rate does and however the share changes between stages.
//! Lindon and Malek, NeurIPS 2022; Lindon, Sanden and Shirikian, KDD 2022 (arXiv 2205.14762).
//!
//! Assumes randomised assignment, at most one event per unit in an experiment, and the same
//! opportunity for events in both arms.

use crate::sample::Interval;
use crate::special::{bisect, ln_beta, ln_integral_of_concave};
use std::f64::consts::PI;

/// Events in a stretch of constant weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventStage {
    /// The candidate's share of the units of this pair, in (0, 1).
    pub share: f64,
    /// Units of the candidate with an event.
    pub treated: f64,
    /// Units of the control with an event.
    pub control: f64,
}

/// The width of the mixture over ln r.
pub const DEFAULT_TAU: f64 = 1.0;

/// ℓ(e^x): the log-likelihood of whose the events were at the rate ratio e^x.
fn ln_likelihood(stages: &[EventStage], x: f64) -> f64 {
    let each = |stage: &EventStage| {
        // ln p and ln(1 − p) of the odds e^y, without overflow.
        let y = x + (stage.share / (1.0 - stage.share)).ln();
        -stage.treated * softplus(-y) - stage.control * softplus(y)
    };
    stages.iter().map(each).sum()
}

/// dℓ/dx: Σ T − (T + C) p.
fn slope(stages: &[EventStage], x: f64) -> f64 {
    let each = |stage: &EventStage| {
        let y = x + (stage.share / (1.0 - stage.share)).ln();
        stage.treated - (stage.treated + stage.control) / (1.0 + (-y).exp())
    };
    stages.iter().map(each).sum()
}

/// ln(1 + e^y).
fn softplus(y: f64) -> f64 {
    y.max(0.0) + (-y.abs()).exp().ln_1p()
}

fn totals(stages: &[EventStage]) -> (f64, f64) {
    let treated = stages.iter().map(|stage| stage.treated).sum();
    (treated, stages.iter().map(|stage| stage.control).sum())
}

/// ln E against rate ratios of at most `r0`: a half-normal mixture of width `tau` over
/// ln(r/r0) ≥ 0. Roll back at ln E ≥ ln(G/α) with G guardrails. It holds for the whole composite
/// null because each likelihood ratio is monotone in it.
pub fn ln_e_one_sided(stages: &[EventStage], r0: f64, tau: f64) -> f64 {
    let base = r0.ln();
    let null = ln_likelihood(stages, base);
    let precision = 1.0 / (tau * tau);
    let ln_prior = 0.5 * (2.0 * precision / PI).ln();
    ln_integral_of_concave(
        0.0,
        |x| ln_likelihood(stages, base + x) - null + ln_prior - 0.5 * precision * x * x,
        |x| slope(stages, base + x) - precision * x,
    )
}

/// ln of the likelihood mixed over ln r ~ N(0, tau²).
fn ln_mixture(stages: &[EventStage], tau: f64) -> f64 {
    let precision = 1.0 / (tau * tau);
    let ln_prior = 0.5 * (0.5 * precision / PI).ln();
    ln_integral_of_concave(
        f64::NEG_INFINITY,
        |x| ln_likelihood(stages, x) + ln_prior - 0.5 * precision * x * x,
        |x| slope(stages, x) - precision * x,
    )
}

/// ln E against a rate ratio of exactly `r0`, two-sided.
pub fn ln_e_two_sided(stages: &[EventStage], r0: f64, tau: f64) -> f64 {
    ln_mixture(stages, tau) - ln_likelihood(stages, r0.ln())
}

/// The confidence sequence of the rate ratio: {r: ln m − ℓ(r) < ln(1/α)}, an interval because ℓ is
/// concave in ln r. Without an event of the candidate its lower end is 0, without one of the
/// control its upper end is infinite.
pub fn rate_ratio(stages: &[EventStage], alpha: f64, tau: f64) -> Interval {
    let (treated, control) = totals(stages);
    if treated + control == 0.0 {
        return Interval {
            lower: 0.0,
            upper: f64::INFINITY,
        };
    }
    let threshold = ln_mixture(stages, tau) + alpha.ln();
    let inside = |x: f64| ln_likelihood(stages, x) > threshold;
    let peak = if treated == 0.0 {
        f64::NEG_INFINITY
    } else if control == 0.0 {
        f64::INFINITY
    } else {
        most_likely(stages)
    };
    // Some point of the interval: where an arm has no event, far enough on its side.
    let start = if peak.is_finite() {
        peak
    } else {
        inner(peak, inside)
    };
    let end = |direction: f64| {
        let mut width = 1e-3;
        while inside(start + direction * width) {
            width *= 2.0;
        }
        bisect(start, start + direction * width, inside).exp()
    };
    Interval {
        lower: if treated == 0.0 { 0.0 } else { end(-1.0) },
        upper: if control == 0.0 {
            f64::INFINITY
        } else {
            end(1.0)
        },
    }
}

fn inner(towards: f64, inside: impl Fn(f64) -> bool) -> f64 {
    let mut x = 0.0;
    let mut step = 1.0;
    while !inside(x) {
        x += step * towards.signum();
        step *= 2.0;
    }
    x
}

/// The ln r at which the slope is 0.
fn most_likely(stages: &[EventStage]) -> f64 {
    let rises = |x: f64| slope(stages, x) > 0.0;
    let (mut low, mut high) = (-1.0, 1.0);
    while !rises(low) {
        low *= 2.0;
    }
    while rises(high) {
        high *= 2.0;
    }
    bisect(low, high, rises)
}

/// ln of the Dirichlet-mixture e-value that counts fall into cells with the probabilities
/// `theta`: Σ[lnΓ(kθ+n) − lnΓ(kθ)] − [lnΓ(k+n) − lnΓ(k)] − Σ n ln θ, with concentration k. Cells
/// are taken out one after the other, so that only logarithms of beta functions are needed, which
/// keep their digits at large counts.
pub fn ln_e_multinomial(counts: &[f64], theta: &[f64], k: f64) -> f64 {
    let (mut rest_count, mut rest_theta) = (counts.iter().sum::<f64>(), 1.0);
    let mut ln_e = 0.0;
    for (index, (&n, &t)) in counts.iter().zip(theta).enumerate() {
        if index + 1 < counts.len() {
            let (others, other_theta) = (rest_count - n, rest_theta - t);
            ln_e += ln_beta(k * t + n, k * other_theta + others) - ln_beta(k * t, k * other_theta);
            (rest_count, rest_theta) = (others, other_theta);
        }
        if n > 0.0 {
            ln_e -= n * t.ln();
        }
    }
    ln_e
}
