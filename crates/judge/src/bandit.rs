//! Adaptive allocation: from what is known of the arms to the weights that are published.
//!
//! Every algorithm ends in the same path: weights, a floor under each, a cap on the change. Sources:
//! top-two: Russo, Operations Research 68(6), 2020. UCB1: Auer, Cesa-Bianchi and Fischer, Machine
//! Learning 47, 2002. KL-UCB: Garivier and Cappé, COLT 2011. Track-and-stop: Garivier and Kaufmann,
//! COLT 2016, with the Gaussian proportions and the practical threshold of its authors.

use crate::sample::Sample;
use crate::special::{bisect, root};

/// p_k = f + (1 − K f) w_k: every arm keeps `floor`, which is what makes drift visible and intervals
/// honest. Additive, not clipped and normalised, so that the order of the weights stays.
pub fn with_floor(weights: &[f64], floor: f64) -> Vec<f64> {
    let rest = 1.0 - weights.len() as f64 * floor;
    weights.iter().map(|w| floor + rest * w).collect()
}

/// ψ_k = β w_k + (1 − β) Σ_{j≠k} w_j w_k/(1 − w_j): the best arm with probability β, else the best of
/// the others.
pub fn top_two(weights: &[f64], beta: f64) -> Vec<f64> {
    let each = weights.iter().enumerate().map(|(k, &w)| {
        let others = weights.iter().enumerate().filter(|(j, _)| *j != k);
        // Where another arm is certain to be the best, this one has all of the rest that is left.
        let second: f64 = others
            .map(|(j, &leader)| {
                let rest = rest_without(weights, j);
                if rest > 0.0 { leader * w / rest } else { 0.0 }
            })
            .sum();
        beta * w + (1.0 - beta) * second
    });
    let psi: Vec<f64> = each.collect();
    let total: f64 = psi.iter().sum();
    psi.iter().map(|p| p / total).collect()
}

/// 1 − w_j as the sum of the others, which keeps the digits of a w_j near 1.
fn rest_without(weights: &[f64], j: usize) -> f64 {
    let others = weights.iter().enumerate().filter(|(at, _)| *at != j);
    others.map(|(_, w)| w).sum()
}

/// Moves from the published weights towards `target` until one weight has changed by `most`.
pub fn capped(published: &[f64], target: &[f64], most: f64) -> Vec<f64> {
    let pairs = published.iter().zip(target);
    let change = pairs
        .clone()
        .map(|(p, t)| (t - p).abs())
        .fold(0.0, f64::max);
    let part = if change > most { most / change } else { 1.0 };
    pairs.map(|(p, t)| p + part * (t - p)).collect()
}

/// UCB1: x̄ + √(2 ln t/n) for rewards in [0, 1].
pub fn ucb1(mean: f64, n: f64, t: f64) -> f64 {
    mean + (2.0 * t.ln() / n).sqrt()
}

/// UCB1-tuned: x̄ + √(ln t/n · min(¼, s² + √(2 ln t/n))), with the variance of n.
pub fn ucb1_tuned(mean: f64, variance: f64, n: f64, t: f64) -> f64 {
    let spread = variance + (2.0 * t.ln() / n).sqrt();
    mean + (t.ln() / n * spread.min(0.25)).sqrt()
}

/// KL-UCB: the largest q with n kl(x̄, q) ≤ ln t + c ln ln t. c is 0 in practice and 3 in the proof.
pub fn kl_ucb(mean: f64, n: f64, t: f64, c: f64) -> f64 {
    if mean >= 1.0 {
        return 1.0;
    }
    let extra = if c == 0.0 { 0.0 } else { c * t.ln().ln() };
    let limit = (t.ln() + extra) / n;
    if limit <= 0.0 {
        return mean;
    }
    bisect(mean, 1.0, |q| kl(mean, q) <= limit)
}

/// The divergence of Bernoulli(q) from Bernoulli(p).
fn kl(p: f64, q: f64) -> f64 {
    let part = |p: f64, q: f64| if p == 0.0 { 0.0 } else { p * (p / q).ln() };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

/// ε/K to every arm and the rest to those with the highest index: an index alone would give
/// propensities of 0 and 1, from which nothing can be learnt afterwards.
pub fn mixed(indices: &[f64], epsilon: f64) -> Vec<f64> {
    let best = indices.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let ties = indices.iter().filter(|index| **index == best).count() as f64;
    let each = epsilon / indices.len() as f64;
    let share = |index: &f64| {
        if *index == best {
            each + (1.0 - epsilon) / ties
        } else {
            each
        }
    };
    indices.iter().map(share).collect()
}

/// How to divide traffic to find the best arm soonest.
#[derive(Debug, Clone, PartialEq)]
pub struct Proportions {
    /// The share of each arm; they sum to 1.
    pub weights: Vec<f64>,
    /// 1 over the maximum: units per natural logarithm of 1/δ.
    pub t_star: f64,
}

/// Maximises min_i (μ_L − μ_i + ε)²/2 ÷ (v_L/w_L + v_i/w_i) over the shares w, with the leader L. At
/// the optimum all challengers tie at a value z, which makes w_i a function of w_L:
/// w_i = v_i/(gap_i²/(2z) − v_L/w_L). `None` unless the arms have variance and the gaps are above 0.
pub fn optimal_proportions(means: &[f64], variances: &[f64], epsilon: f64) -> Option<Proportions> {
    let leader = leader(means)?;
    let challengers: Vec<usize> = (0..means.len()).filter(|arm| *arm != leader).collect();
    let gap = |arm: usize| means[leader] - means[arm] + epsilon;
    let fits = variances.iter().all(|v| *v > 0.0 && v.is_finite());
    if challengers.is_empty() || !fits || challengers.iter().any(|arm| gap(*arm) <= 0.0) {
        return None;
    }
    // With x_i = w_i/w_L and y = z/w_L: x_i(y) = v_i/(gap²/(2y) − v_L), and the optimum has
    // Σ v_L x_i²/v_i = 1 (the derivative of the value along w_L), which rises with y.
    let leader_variance = variances[leader];
    let ratio = |arm: usize, y: f64| {
        let room = gap(arm).powi(2) / (2.0 * y) - leader_variance;
        variances[arm] / room
    };
    let most = challengers
        .iter()
        .map(|arm| gap(*arm).powi(2) / (2.0 * leader_variance))
        .fold(f64::INFINITY, f64::min);
    let balance = |y: f64| {
        let each = challengers.iter();
        let sum: f64 = each
            .map(|arm| leader_variance * ratio(*arm, y).powi(2) / variances[*arm])
            .sum();
        // Near `most` the sum is without bound; the root of its inverse is the same.
        1.0 - 1.0 / sum
    };
    let (mut low, high) = (0.5 * most, most * (1.0 - 1e-15));
    while balance(low) > 0.0 {
        low *= 0.5;
    }
    let y = root(low, high, balance);
    let mut weights = vec![1.0; means.len()];
    for &arm in &challengers {
        weights[arm] = ratio(arm, y);
    }
    let total: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= total;
    }
    Some(Proportions {
        t_star: total / y,
        weights,
    })
}

/// The arm with the highest mean.
pub fn leader(means: &[f64]) -> Option<usize> {
    let arms = means.iter().enumerate();
    arms.max_by(|a, b| a.1.total_cmp(b.1)).map(|(arm, _)| arm)
}

/// Whether the leader is the best arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopping {
    /// The arm with the highest mean.
    pub leader: usize,
    /// Z of the leader against each arm; infinite against itself.
    pub z: Vec<f64>,
    /// What all of them must exceed.
    pub threshold: f64,
}

impl Stopping {
    /// Whether the leader is known to beat every other arm.
    pub fn is_decided(&self) -> bool {
        self.z.iter().all(|z| *z > self.threshold)
    }
}

/// The generalised likelihood ratio of the leader against each other arm,
/// Z_i = (gap + ε)²/(2(v_L/n_L + v_i/n_i)), against ln((1 + ln t)/δ) with t the units of all arms. With
/// ε above 0 it also ends where two arms are equally good.
pub fn stopping(arms: &[Sample], epsilon: f64, delta: f64) -> Option<Stopping> {
    let means: Vec<f64> = arms.iter().map(|arm| arm.mean).collect();
    let leader = leader(&means)?;
    let best = &arms[leader];
    let z = |(at, arm): (usize, &Sample)| {
        let gap = best.mean - arm.mean + epsilon;
        let error = best.variance / best.n + arm.variance / arm.n;
        if at == leader {
            f64::INFINITY
        } else if error > 0.0 && error.is_finite() {
            gap * gap / (2.0 * error)
        } else {
            // Nothing is known of the error, so nothing is shown.
            0.0
        }
    };
    Some(Stopping {
        leader,
        z: arms.iter().enumerate().map(z).collect(),
        threshold: stopping_threshold(arms.iter().map(|arm| arm.n).sum(), delta),
    })
}

/// ln((1 + ln t)/δ).
pub fn stopping_threshold(t: f64, delta: f64) -> f64 {
    ((1.0 + t.max(1.0).ln()) / delta).ln()
}

/// Successes that a young arm is expected to have shown after `t` windows, when successes are recorded
/// on arrival and failures only at the end of their window: p n (t − m(1 − e^(−t/m))) for delays that
/// are exponential with the mean m. It is why only matured units enter a posterior.
pub fn early_successes(rate: f64, units_per_window: f64, delay_mean: f64, t: f64) -> f64 {
    rate * units_per_window * (t + delay_mean * (-t / delay_mean).exp_m1())
}
