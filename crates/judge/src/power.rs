//! How many units an experiment needs, and what a number of units can show.
//!
//! Assumes independent units. Nothing here is rounded: callers round up.

use crate::asymptotic::{half_width, normal_mixture_bound, rho};
use crate::sample::{Effect, Sample};
use crate::special::{
    bisect, critical_z, integrate, normal_cdf, normal_quantile, student_critical,
};
use libm::lgamma;

/// What a plan asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// The chance of a false claim, all sides together.
    pub alpha: f64,
    /// The chance of finding the effect.
    pub power: f64,
    /// 2 where either direction counts, 1 where only one does.
    pub sides: f64,
}

impl Design {
    /// z of alpha and z of power.
    fn quantiles(self) -> (f64, f64) {
        (
            critical_z(self.alpha, self.sides),
            normal_quantile(self.power),
        )
    }
}

/// Units per arm for two proportions, pooled (Fleiss, Statistical Methods for Rates and
/// Proportions, chapter 4), without continuity correction:
/// [z_{1−α/2}√(2p̄(1−p̄)) + z_{1−β}√(p₁q₁ + p₂q₂)]²/(p₁ − p₂)². The default.
pub fn two_proportions_pooled(p1: f64, p2: f64, design: Design) -> f64 {
    let (za, zb) = design.quantiles();
    let mean = 0.5 * (p1 + p2);
    let root =
        za * (2.0 * mean * (1.0 - mean)).sqrt() + zb * (bernoulli(p1) + bernoulli(p2)).sqrt();
    (root / (p1 - p2)).powi(2)
}

/// The same, unpooled: (z_{1−α/2} + z_{1−β})²(p₁q₁ + p₂q₂)/(p₁ − p₂)².
pub fn two_proportions_unpooled(p1: f64, p2: f64, design: Design) -> f64 {
    let (za, zb) = design.quantiles();
    (za + zb).powi(2) * (bernoulli(p1) + bernoulli(p2)) / (p1 - p2).powi(2)
}

/// Units of the candidate for two proportions when it gets `ratio` times the units of the control:
/// (z + z)²[p₁q₁ + k p₀q₀]/(p₁ − p₀)².
pub fn two_proportions_unequal(control: f64, candidate: f64, ratio: f64, design: Design) -> f64 {
    let (za, zb) = design.quantiles();
    let variance = bernoulli(candidate) + ratio * bernoulli(control);
    (za + zb).powi(2) * variance / (candidate - control).powi(2)
}

/// The pooled formula for an unequal split (Fleiss, Tytun and Ury, Biometrics 36, 1980, without the
/// correction), units of the candidate; at a ratio of 1 it is [`two_proportions_pooled`].
pub fn two_proportions_pooled_unequal(
    control: f64,
    candidate: f64,
    ratio: f64,
    design: Design,
) -> f64 {
    let (za, zb) = design.quantiles();
    let mean = (control + ratio * candidate) / (1.0 + ratio);
    let root = za * ((1.0 + ratio) * bernoulli(mean)).sqrt()
        + zb * (bernoulli(candidate) + ratio * bernoulli(control)).sqrt();
    (root / (candidate - control)).powi(2)
}

/// Cohen's h: 2 asin √p₂ − 2 asin √p₁.
pub fn cohen_h(p1: f64, p2: f64) -> f64 {
    2.0 * p2.sqrt().asin() - 2.0 * p1.sqrt().asin()
}

/// Units per arm by Cohen's h: 2(z_{1−α/2} + z_{1−β})²/h². Counts one rejection tail.
pub fn two_proportions_cohen(p1: f64, p2: f64, design: Design) -> f64 {
    let (za, zb) = design.quantiles();
    2.0 * ((za + zb) / cohen_h(p1, p2)).powi(2)
}

/// Units per arm by Cohen's h with both rejection tails counted.
pub fn two_proportions_cohen_both_tails(p1: f64, p2: f64, design: Design) -> f64 {
    let z = critical_z(design.alpha, design.sides);
    let h = cohen_h(p1, p2).abs();
    let power = |n: f64| {
        let shift = h * (0.5 * n).sqrt();
        normal_cdf(shift - z) + normal_cdf(-shift - z)
    };
    let high = 2.0 * two_proportions_cohen(p1, p2, design) + 10.0;
    bisect(0.0, high, |n| power(n) < design.power)
}

/// The power of the pooled z test at `n` units per arm: (both tails, the right tail).
pub fn power_two_proportions(p1: f64, p2: f64, n: f64, alpha: f64) -> (f64, f64) {
    let mean = 0.5 * (p1 + p2);
    let null = (2.0 * bernoulli(mean) / n).sqrt();
    let error = ((bernoulli(p1) + bernoulli(p2)) / n).sqrt();
    let z = critical_z(alpha, 2.0) * null;
    let shift = (p2 - p1).abs();
    let right = normal_cdf((shift - z) / error);
    (right + normal_cdf((-shift - z) / error), right)
}

/// Units per arm for two means that differ by `d` standard deviations: (z + z)² 2/d².
pub fn two_means_normal(d: f64, design: Design) -> f64 {
    let (za, zb) = design.quantiles();
    2.0 * ((za + zb) / d).powi(2)
}

/// Units per arm for the two-sided t test of two means that differ by `d` standard deviations, by
/// the non-central t distribution with both tails.
pub fn two_means(d: f64, design: Design) -> f64 {
    let high = 2.0 * two_means_normal(d, design) + 20.0;
    bisect(2.0, high, |n| {
        power_two_means(d, n, design.alpha) < design.power
    })
}

/// The power of the two-sided t test at `n` units per arm.
pub fn power_two_means(d: f64, n: f64, alpha: f64) -> f64 {
    let degrees = 2.0 * n - 2.0;
    let shift = d.abs() * (0.5 * n).sqrt();
    let t = student_critical(alpha, degrees);
    // T = (Z + δ)/S with S² = χ²/ν. P(T > t) = E[Φ(δ − tS)], over the density of S.
    let ln_constant =
        0.5 * degrees * (0.5 * degrees).ln() - lgamma(0.5 * degrees) + std::f64::consts::LN_2;
    let density = |s: f64| (ln_constant + (degrees - 1.0) * s.ln() - 0.5 * degrees * s * s).exp();
    let width = 9.0 / (2.0 * degrees).sqrt();
    let power = |s: f64| density(s) * (normal_cdf(shift - t * s) + normal_cdf(-shift - t * s));
    integrate((1.0 - width).max(0.0), 1.0 + width, 24, power)
}

/// n for a half-width of `half_width` at level 1 − alpha: one proportion, z²p(1 − p)/w².
pub fn margin_one_proportion(p: f64, half_width: f64, alpha: f64) -> f64 {
    (critical_z(alpha, 2.0) / half_width).powi(2) * bernoulli(p)
}

/// n per arm for the half-width of a difference of two proportions near p: 2z²p(1 − p)/w².
pub fn margin_difference(p: f64, half_width: f64, alpha: f64) -> f64 {
    2.0 * margin_one_proportion(p, half_width, alpha)
}

/// When a sequence is tightest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tightest {
    /// At this many units of both arms together.
    At(f64),
    /// At the planned end itself.
    AtEnd,
}

/// Units of the control for a sequential design: the half-width of the asymptotic confidence
/// sequence at the end takes the place of z·SE. The power is of a single look at the end, so
/// it is a lower bound on that of watching. `ratio` is the units of the candidate per unit of the
/// control; variances are of one unit.
pub fn sequential(
    difference: f64,
    variances: (f64, f64),
    ratio: f64,
    tightest: Tightest,
    design: Design,
) -> f64 {
    let zb = normal_quantile(design.power);
    let alpha = 2.0 * design.alpha / design.sides;
    let short = |n: f64| {
        let samples = [(n, variances.0), (ratio * n, variances.1)];
        let squared: f64 = samples.iter().map(|(n, variance)| variance / n).sum();
        let error = squared.sqrt();
        let total = n * (1.0 + ratio);
        let n_star = match tightest {
            Tightest::At(n_star) => n_star,
            Tightest::AtEnd => total,
        };
        let bound = normal_mixture_bound(total, alpha, rho(alpha, n_star)) / total.sqrt();
        difference.abs() < error * (bound + zb)
    };
    let mut high = 16.0;
    while short(high) && high < 1e18 {
        high *= 2.0;
    }
    bisect(1.0, high, short)
}

/// How many times wider the sequence is than the fixed-horizon interval at `n` units of both arms.
pub fn width_ratio(n: f64, n_star: f64, alpha: f64) -> f64 {
    let one = Sample {
        n: 0.5 * n,
        mean: 0.0,
        variance: 1.0,
    };
    let effect = Effect::difference(&one, &one);
    let wide = effect.map_or(f64::NAN, |e| {
        half_width(&e, alpha, rho(alpha, n_star)) / e.standard_error
    });
    wide / critical_z(alpha, 2.0)
}

/// P(X > n·threshold) for X ~ Bin(n, p): how often a check of a share against a fixed threshold fires.
pub fn threshold_alarm(n: f64, p: f64, threshold: f64) -> f64 {
    let least = (n * threshold).floor() + 1.0;
    if least > n {
        return 0.0;
    }
    statrs::function::beta::beta_reg(least, n - least + 1.0, p)
}

fn bernoulli(p: f64) -> f64 {
    p * (1.0 - p)
}
