//! The probability that each arm is the best: what Thompson sampling draws from, without drawing.
//!
//! w_k = ∫ f_k Π_{j≠k} F_j over the posteriors, by quadrature: deterministic, so a decision can be
//! replayed, and a router that assigns by these weights knows the propensity of each choice exactly
//! (probability matching in batches; Thompson 1933, Russo et al. 2018, section 3). Panels have their
//! edges at multiples of every arm's standard deviation, so that a young arm beside mature ones keeps
//! its digits: one rule over the whole line is wrong by up to 4e-3 there.

use crate::bayes::{Beta, dot, edges};
use crate::sample::Sample;
use crate::special::{GAUSS_LEGENDRE, NODES};

/// What is believed of an arm's mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Posterior {
    /// Of a share: Beta(α, β).
    Beta {
        /// α: 1 and the successes, under the uniform prior.
        alpha: f64,
        /// β: 1 and the failures.
        beta: f64,
    },
    /// Of any mean, near normal.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation, above 0.
        deviation: f64,
    },
}

impl Posterior {
    /// Of a share, under the uniform prior.
    pub fn of_share(successes: f64, n: f64) -> Self {
        Self::Beta {
            alpha: 1.0 + successes,
            beta: 1.0 + n - successes,
        }
    }

    /// Of a mean, under a flat prior; `None` without variance or without two units.
    pub fn of_mean(sample: &Sample) -> Option<Self> {
        let deviation = (sample.variance / sample.n).sqrt();
        (sample.n >= 2.0 && deviation > 0.0 && deviation.is_finite()).then_some(Self::Normal {
            mean: sample.mean,
            deviation,
        })
    }

    /// With the direction turned around: less is better.
    pub fn negated(self) -> Self {
        match self {
            Self::Beta { alpha, beta } => Self::Beta {
                alpha: beta,
                beta: alpha,
            },
            Self::Normal { mean, deviation } => Self::Normal {
                mean: -mean,
                deviation,
            },
        }
    }

    fn spread(self) -> (f64, f64) {
        match self {
            Self::Beta { alpha, beta } => {
                let beta = Beta { a: alpha, b: beta };
                (beta.mean(), beta.deviation())
            }
            Self::Normal { mean, deviation } => (mean, deviation),
        }
    }

    fn density(self) -> Box<dyn Fn(f64) -> f64> {
        match self {
            Self::Beta { alpha, beta } => Box::new(Beta { a: alpha, b: beta }.density()),
            Self::Normal { mean, deviation } => Box::new(move |x| {
                crate::special::normal_density((x - mean) / deviation) / deviation
            }),
        }
    }
}

/// The probability of each arm to have the highest mean. They sum to 1, to 1e-9 before they are
/// normalised. All arms are shares, or all are means.
pub fn weights(arms: &[Posterior]) -> Vec<f64> {
    let shares = arms.iter().all(|arm| matches!(arm, Posterior::Beta { .. }));
    let limits = if shares {
        (0.0, 1.0)
    } else {
        (f64::NEG_INFINITY, f64::INFINITY)
    };
    let spreads: Vec<(f64, f64)> = arms.iter().map(|arm| arm.spread()).collect();
    let densities: Vec<_> = arms.iter().map(|arm| arm.density()).collect();
    let rule = &*GAUSS_LEGENDRE;
    let mut below = vec![0.0; arms.len()];
    let mut chances = vec![0.0; arms.len()];
    let mut values = vec![[0.0; NODES]; arms.len()];
    let mut cumulated = vec![0.0; arms.len()];
    for edge in edges(&spreads, limits).windows(2) {
        let (half, middle) = (0.5 * (edge[1] - edge[0]), 0.5 * (edge[1] + edge[0]));
        for (values, density) in values.iter_mut().zip(&densities) {
            *values = rule.nodes.map(|node| density(middle + half * node));
        }
        for (at, row) in rule.until.iter().enumerate() {
            for arm in 0..arms.len() {
                cumulated[arm] = (below[arm] + half * dot(row, &values[arm])).clamp(0.0, 1.0);
            }
            for arm in 0..arms.len() {
                let others = (0..arms.len()).filter(|other| *other != arm);
                let best: f64 = others.map(|other| cumulated[other]).product();
                chances[arm] += half * rule.weights[at] * values[arm][at] * best;
            }
        }
        for (below, values) in below.iter_mut().zip(&values) {
            *below += half * dot(&rule.weights, values);
        }
    }
    let total: f64 = chances.iter().sum();
    // Where all values of an arm are equal, its density is narrower than the rule is fine.
    debug_assert!((total - 1.0).abs() < 1e-6, "{arms:?} sum to {total}");
    chances.iter().map(|chance| chance / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn beta() -> impl Strategy<Value = Posterior> {
        // From an untried arm to one with ten million units.
        (0.0f64..1.0, 0.0f64..7.0).prop_map(|(rate, digits)| {
            let n = 10f64.powf(digits).floor();
            Posterior::of_share((rate * n).floor(), n)
        })
    }

    fn normal() -> impl Strategy<Value = Posterior> {
        (-10.0f64..10.0, -6.0f64..2.0).prop_map(|(mean, digits)| Posterior::Normal {
            mean,
            deviation: 10f64.powf(digits),
        })
    }

    fn arms() -> impl Strategy<Value = Vec<Posterior>> {
        prop_oneof![
            prop::collection::vec(beta(), 2..8),
            prop::collection::vec(normal(), 2..8),
        ]
    }

    proptest! {
        #[test]
        fn weights_are_probabilities_whatever_the_order(arms in arms()) {
            // That they sum to 1 before they are normalised is asserted inside.
            let got = weights(&arms);
            prop_assert!(got.iter().all(|w| (0.0..=1.0 + 1e-12).contains(w)), "{:?}", got);
            let mut turned = arms.clone();
            turned.reverse();
            let mut back = weights(&turned);
            back.reverse();
            for (a, b) in got.iter().zip(&back) {
                prop_assert!((a - b).abs() < 1e-9, "{:?} {:?}", got, back);
            }
        }

        #[test]
        fn of_two_arms_the_worst_is_the_best_of_the_negated(a in beta(), b in beta()) {
            let up = weights(&[a, b]);
            let down = weights(&[a.negated(), b.negated()]);
            prop_assert!((up[0] - down[1]).abs() < 1e-9, "{:?} {:?}", up, down);
        }
    }
}
