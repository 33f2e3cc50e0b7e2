//! The Bayesian view: shown because people ask for it, never acted on, because it does not stay
//! valid under repeated looks.

use crate::sample::{Effect, Interval};
use crate::special::{
    GAUSS_LEGENDRE, NODES, critical_z, ln_beta, ln_beta_peak, normal_cdf, normal_density,
};

/// What a posterior says of a candidate against the control, with higher better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    /// P(candidate > control).
    pub chance_to_win: f64,
    /// What choosing the candidate loses on average: E[max(control − candidate, 0)].
    pub loss_candidate: f64,
    /// What choosing the control loses on average.
    pub loss_control: f64,
}

/// A Beta distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Beta {
    pub(crate) a: f64,
    pub(crate) b: f64,
}

impl Beta {
    /// The posterior of a proportion under the uniform prior.
    pub(crate) fn posterior(successes: f64, n: f64) -> Self {
        Self {
            a: 1.0 + successes,
            b: 1.0 + n - successes,
        }
    }

    pub(crate) fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    pub(crate) fn deviation(self) -> f64 {
        let sum = self.a + self.b;
        (self.a * self.b / (sum * sum * (sum + 1.0))).sqrt()
    }

    /// The density. Around the mean of a large sample each factor is far from 1 and their product is not:
    /// there the factors are of what differs from the mean.
    pub(crate) fn density(self) -> impl Fn(f64) -> f64 {
        let Self { a, b } = self;
        let mean = self.mean();
        let centered = a.min(b) >= 10.0;
        let constant = if centered {
            ln_beta_peak(a, b)
        } else {
            -ln_beta(a, b)
        };
        move |x: f64| {
            // A node of a panel that ends at 0 or 1 may be rounded to it. There a density with both parameters
            // above 1 is 0, and its formula is ∞ − ∞.
            if centered && !(x > 0.0 && x < 1.0) {
                return 0.0;
            }
            if centered {
                let (low, high) = ((x - mean) / mean, (mean - x) / (1.0 - mean));
                let ln = a * low.ln_1p() + b * high.ln_1p() - x.ln() - (-x).ln_1p();
                return (constant + ln).exp();
            }
            let (a, b) = (a - 1.0, b - 1.0);
            let low = if a == 0.0 { 0.0 } else { a * x.ln() };
            let high = if b == 0.0 { 0.0 } else { b * (-x).ln_1p() };
            (low + high + constant).exp()
        }
    }
}

/// The posterior of two proportions (successes, n) under uniform priors, without sampling:
/// P(B > A) = ∫ f_B F_A and E[max(A − B, 0)] = ∫ F_B (1 − F_A). Panels have their edges at multiples
/// of both standard deviations, so that a young arm beside a mature one, and a small loss, keep
/// their digits.
pub fn beta_binomial(control: (f64, f64), candidate: (f64, f64)) -> Posterior {
    let a = Beta::posterior(control.0, control.1);
    let b = Beta::posterior(candidate.0, candidate.1);
    let mut below = (0.0, 0.0);
    let (mut chance, mut loss_candidate, mut loss_control) = (0.0, 0.0, 0.0);
    let (density_a, density_b) = (a.density(), b.density());
    let rule = &*GAUSS_LEGENDRE;
    let spreads = [a, b].map(|beta| (beta.mean(), beta.deviation()));
    for edge in edges(&spreads, (0.0, 1.0)).windows(2) {
        let (half, middle) = (0.5 * (edge[1] - edge[0]), 0.5 * (edge[1] + edge[0]));
        let da = rule.nodes.map(|node| density_a(middle + half * node));
        let db = rule.nodes.map(|node| density_b(middle + half * node));
        for (at, row) in rule.until.iter().enumerate() {
            let weight = half * rule.weights[at];
            let ca = (below.0 + half * dot(row, &da)).min(1.0);
            let cb = (below.1 + half * dot(row, &db)).min(1.0);
            chance += weight * db[at] * ca;
            loss_candidate += weight * cb * (1.0 - ca);
            loss_control += weight * ca * (1.0 - cb);
        }
        below.0 += half * dot(&rule.weights, &da);
        below.1 += half * dot(&rule.weights, &db);
    }
    Posterior {
        chance_to_win: chance.clamp(0.0, 1.0),
        loss_candidate,
        loss_control,
    }
}

pub(crate) fn dot(a: &[f64; NODES], b: &[f64; NODES]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Edges of panels, in standard deviations around each mean: beyond the last the densities are
/// nothing, an exponential one included.
const DEVIATIONS: [f64; 9] = [1.0, 2.0, 3.5, 5.0, 7.0, 10.0, 14.0, 20.0, 36.0];

/// The edges of panels for distributions of these means and standard deviations, within limits.
pub(crate) fn edges(spreads: &[(f64, f64)], limits: (f64, f64)) -> Vec<f64> {
    let mut edges = Vec::with_capacity(spreads.len() * (2 * DEVIATIONS.len() + 1));
    for &(mean, deviation) in spreads {
        edges.push(mean);
        for k in DEVIATIONS {
            let around = [mean - k * deviation, mean + k * deviation];
            edges.extend(around.map(|x| x.clamp(limits.0, limits.1)));
        }
    }
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    edges
}

/// A normal prior on an effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalPrior {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation; infinite for a flat prior.
    pub deviation: f64,
}

impl NormalPrior {
    /// A flat prior.
    pub const FLAT: Self = Self {
        mean: 0.0,
        deviation: f64::INFINITY,
    };

    /// The usual proper prior on a relative effect: N(0, 0.3²).
    pub const RELATIVE: Self = Self {
        mean: 0.0,
        deviation: 0.3,
    };

    /// The same prior on the scale of a difference, for a control of this mean.
    pub fn scaled(self, control_mean: f64) -> Self {
        Self {
            mean: self.mean * control_mean.abs(),
            deviation: self.deviation * control_mean.abs(),
        }
    }
}

/// The posterior of an effect that is near normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalPosterior {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// The central interval of probability 1 − alpha.
    pub interval: Interval,
    /// What follows for a choice.
    pub posterior: Posterior,
}

/// The posterior of an effect under a normal prior: precisions add, and the loss of the candidate
/// is σφ(μ/σ) − μΦ(−μ/σ).
pub fn normal(effect: &Effect, prior: NormalPrior, alpha: f64) -> NormalPosterior {
    let data = 1.0 / (effect.standard_error * effect.standard_error);
    let belief = 1.0 / (prior.deviation * prior.deviation);
    let mean = (data * effect.estimate + belief * prior.mean) / (data + belief);
    let deviation = (data + belief).sqrt().recip();
    let ratio = mean / deviation;
    let loss = |mean: f64| {
        let ratio = mean / deviation;
        (deviation * normal_density(ratio) - mean * normal_cdf(-ratio)).max(0.0)
    };
    NormalPosterior {
        mean,
        deviation,
        interval: Interval::around(mean, critical_z(alpha, 2.0) * deviation),
        posterior: Posterior {
            chance_to_win: normal_cdf(ratio),
            loss_candidate: loss(mean),
            loss_control: loss(-mean),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 98 successes in 195 a node of the last panel was rounded to 1, and the answer was no number.
    #[test]
    fn two_arms_alike_win_equally_often_whatever_their_counts() {
        for n in 20..420 {
            for successes in (n / 2 - 2)..=(n / 2 + 2) {
                let arm = (f64::from(successes), f64::from(n));
                let chance = beta_binomial(arm, arm).chance_to_win;
                assert!((chance - 0.5).abs() < 1e-9, "{successes} of {n}: {chance}");
            }
        }
    }
}
