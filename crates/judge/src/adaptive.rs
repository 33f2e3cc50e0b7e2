//! Honest means and differences after the weights followed the data.
//!
//! The plain mean of an arm is biased when the weights depend on earlier outcomes: an arm that began
//! unluckily is starved and stays low. Adaptively weighted AIPW scores cure it: Hadad, Hirshberg, Zhan,
//! Wager and Athey, PNAS 118(15), 2021 (arXiv 1911.02768). Assumes known propensities that stay above
//! a floor: below 5 to 10 % the intervals are approximate.

/// The floor under every propensity from which the intervals are honest.
pub const HONEST_FLOOR: f64 = 0.1;

/// The floor below which they are not worth showing without a warning.
pub const LEAST_FLOOR: f64 = 0.05;

/// An estimate for every arm, and what differences need.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The mean of each arm.
    pub means: Vec<f64>,
    /// Its standard error.
    pub errors: Vec<f64>,
}

/// Choices in order, each with its reward and the propensities of all arms then.
#[derive(Debug, Clone, Copy)]
pub struct Choices<'a> {
    /// What each earned.
    pub rewards: &'a [f64],
    /// The arm of each.
    pub arms: &'a [usize],
    /// The propensity of every arm, for each.
    pub propensities: &'a [Vec<f64>],
}

impl Choices<'_> {
    fn arm_count(&self) -> usize {
        self.propensities.first().map_or(0, Vec::len)
    }

    /// The mean reward of each arm before each choice; 0 before its first.
    pub fn lagged_means(&self) -> Vec<Vec<f64>> {
        let mut sums = vec![(0.0, 0.0); self.arm_count()];
        let mut means = Vec::with_capacity(self.rewards.len());
        for (&reward, &arm) in self.rewards.iter().zip(self.arms) {
            let mean = |&(n, sum): &(f64, f64)| if n > 0.0 { sum / n } else { 0.0 };
            means.push(sums.iter().map(mean).collect());
            sums[arm].0 += 1.0;
            sums[arm].1 += reward;
        }
        means
    }

    /// Γ_{t,k} = 1[A = k]/e_{t,k} (Y − μ̂_{t−1,k}) + μ̂_{t−1,k}.
    pub fn scores(&self) -> Vec<Vec<f64>> {
        let means = self.lagged_means();
        let score = |t: usize, k: usize| {
            let mean = means[t][k];
            if self.arms[t] == k {
                mean + (self.rewards[t] - mean) / self.propensities[t][k]
            } else {
                mean
            }
        };
        let arms = self.arm_count();
        let each = 0..self.rewards.len();
        each.map(|t| (0..arms).map(|k| score(t, k)).collect())
            .collect()
    }
}

/// λ of the two-point allocation for choice t of T (from 1), propensity e and the decay exponent α of the
/// floor: (1 − e)(1 − α)/((1 − α) + T(t/T)^α − t) + e/(1 + T − t), within [0, 1].
pub fn two_point_lambda(t: f64, horizon: f64, propensity: f64, decay: f64) -> f64 {
    let slow = 1.0 - decay;
    let bad = slow / (slow + horizon * (t / horizon).powf(decay) - t);
    let good = 1.0 / (1.0 + horizon - t);
    ((1.0 - propensity) * bad + propensity * good).clamp(0.0, 1.0)
}

/// h = √(stick(λ) e) for every choice and arm, with stick(λ)_t = λ_t(1 − Σ_{s<t} stick(λ)_s).
pub fn two_point_weights(propensities: &[Vec<f64>], decay: f64) -> Vec<Vec<f64>> {
    let horizon = propensities.len() as f64;
    let mut left = vec![1.0; propensities.first().map_or(0, Vec::len)];
    let mut weights = Vec::with_capacity(propensities.len());
    for (t, row) in propensities.iter().enumerate() {
        let weigh = |(e, left): (&f64, &mut f64)| {
            let stick = two_point_lambda(t as f64 + 1.0, horizon, *e, decay) * *left;
            *left -= stick;
            (stick * e).max(0.0).sqrt()
        };
        weights.push(row.iter().zip(&mut left).map(weigh).collect());
    }
    weights
}

/// h = √e: as if every arm had been given the same share.
pub fn constant_allocation_weights(propensities: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let row = |row: &Vec<f64>| row.iter().map(|e| e.sqrt()).collect();
    propensities.iter().map(row).collect()
}

/// Q̂_k = Σ h Γ/Σ h and V̂_k = Σ h²(Γ − Q̂)²/(Σ h)².
pub fn estimate(scores: &[Vec<f64>], weights: &[Vec<f64>]) -> Estimate {
    let arms = scores.first().map_or(0, Vec::len);
    let (mut means, mut errors) = (Vec::with_capacity(arms), Vec::with_capacity(arms));
    for k in 0..arms {
        let rows = || scores.iter().zip(weights);
        let h: f64 = weights.iter().map(|row| row[k]).sum();
        let mean = rows().map(|(g, h)| h[k] * g[k]).sum::<f64>() / h;
        let square = |(g, h): (&Vec<f64>, &Vec<f64>)| (h[k] * (g[k] - mean)).powi(2);
        means.push(mean);
        errors.push(rows().map(square).sum::<f64>().sqrt() / h);
    }
    Estimate { means, errors }
}

/// The standard error of the difference of two arms:
/// √Σ(h_b(Γ_b − Q̂_b)/Σh_b − h_a(Γ_a − Q̂_a)/Σh_a)².
pub fn contrast_error(
    scores: &[Vec<f64>],
    weights: &[Vec<f64>],
    estimate: &Estimate,
    (a, b): (usize, usize),
) -> f64 {
    let total = |k: usize| weights.iter().map(|row| row[k]).sum::<f64>();
    let (total_a, total_b) = (total(a), total(b));
    let part =
        |g: &[f64], h: &[f64], k: usize, total: f64| h[k] * (g[k] - estimate.means[k]) / total;
    let rows = scores.iter().zip(weights);
    let squares = rows.map(|(g, h)| (part(g, h, b, total_b) - part(g, h, a, total_a)).powi(2));
    squares.sum::<f64>().sqrt()
}

/// What an arm earned in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ArmSums {
    /// Units.
    pub n: f64,
    /// Σ of their values.
    pub sum: f64,
    /// Σ of the squares.
    pub sum_squares: f64,
}

/// An epoch: the propensities did not change within it.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochSums {
    /// The propensity of each arm.
    pub propensities: Vec<f64>,
    /// By arm.
    pub arms: Vec<ArmSums>,
}

/// The same estimates from sums by epoch, with h = √e: the scores of an epoch are centred on the mean of
/// each arm in the epochs before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Adaptive {
    /// Means and errors.
    pub estimate: Estimate,
    /// Σ h of each arm.
    totals: Vec<f64>,
    epochs: Vec<(EpochSums, Vec<f64>)>,
}

impl Adaptive {
    /// `None` without epochs. Of an arm without a unit nothing is known: its numbers mean nothing.
    pub fn new(epochs: &[EpochSums]) -> Option<Self> {
        let arms = epochs.first()?.arms.len();
        let mut before = vec![ArmSums::default(); arms];
        let mut kept = Vec::with_capacity(epochs.len());
        for epoch in epochs {
            let mean = |sums: &ArmSums| if sums.n > 0.0 { sums.sum / sums.n } else { 0.0 };
            let means: Vec<f64> = before.iter().map(mean).collect();
            for (before, sums) in before.iter_mut().zip(&epoch.arms) {
                before.n += sums.n;
                before.sum += sums.sum;
            }
            kept.push((epoch.clone(), means));
        }
        let units = |epoch: &EpochSums| epoch.arms.iter().map(|arm| arm.n).sum::<f64>();
        let mut totals = vec![0.0; arms];
        let mut means = vec![0.0; arms];
        for (epoch, centers) in &kept {
            for k in 0..arms {
                let (e, sums, center) = (epoch.propensities[k], &epoch.arms[k], centers[k]);
                if e == 0.0 {
                    // An arm that could not be chosen: its weight h is 0.
                    continue;
                }
                let h = e.sqrt();
                totals[k] += h * units(epoch);
                let scores = units(epoch) * center + (sums.sum - sums.n * center) / e;
                means[k] += h * scores;
            }
        }
        for (mean, total) in means.iter_mut().zip(&totals) {
            *mean /= total;
        }
        let mut adaptive = Self {
            estimate: Estimate {
                means,
                errors: Vec::new(),
            },
            totals,
            epochs: kept,
        };
        let error = |k| adaptive.squares(&[(k, 1.0)]).sqrt();
        adaptive.estimate.errors = (0..arms).map(error).collect();
        Some(adaptive)
    }

    /// The standard error of arm b − arm a.
    pub fn contrast_error(&self, a: usize, b: usize) -> f64 {
        self.squares(&[(b, 1.0), (a, -1.0)]).sqrt()
    }

    /// Σ_t (Σ_k c_k h_k(Γ_k − Q̂_k)/Σh_k)² for a few arms with their signs.
    fn squares(&self, parts: &[(usize, f64)]) -> f64 {
        let mut total = 0.0;
        for (epoch, centers) in &self.epochs {
            let scale = |k: usize| epoch.propensities[k].sqrt() / self.totals[k];
            // A unit of another arm has the scores μ̂_k.
            let rest = |k: usize| scale(k) * (centers[k] - self.estimate.means[k]);
            let constant: f64 = parts.iter().map(|(k, sign)| sign * rest(*k)).sum();
            for (arm, sums) in epoch.arms.iter().enumerate() {
                let sign = parts
                    .iter()
                    .find(|(k, _)| *k == arm)
                    .map_or(0.0, |(_, s)| *s);
                // A unit of this arm adds c (Y − μ̂)/e to it.
                let slope = if sums.n > 0.0 {
                    sign * scale(arm) / epoch.propensities[arm]
                } else {
                    0.0
                };
                let base = constant - slope * centers[arm];
                total += sums.n * base * base
                    + 2.0 * base * slope * sums.sum
                    + slope * slope * sums.sum_squares;
            }
        }
        total.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Scores of every unit, centred by epoch, as the sums stand for them.
    fn spelled_out(
        epochs: &[EpochSums],
        values: &[Vec<Vec<f64>>],
    ) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let arms = epochs[0].arms.len();
        let mut before = vec![(0.0, 0.0); arms];
        let (mut scores, mut weights) = (Vec::new(), Vec::new());
        for (epoch, values) in epochs.iter().zip(values) {
            let center: Vec<f64> = before
                .iter()
                .map(|(n, sum)| if *n > 0.0 { sum / n } else { 0.0 })
                .collect();
            for (arm, values) in values.iter().enumerate() {
                for y in values {
                    let mut row = center.clone();
                    row[arm] += (y - center[arm]) / epoch.propensities[arm];
                    scores.push(row);
                    weights.push(epoch.propensities.iter().map(|e| e.sqrt()).collect());
                    before[arm].0 += 1.0;
                    before[arm].1 += y;
                }
            }
        }
        (scores, weights)
    }

    proptest! {
        #[test]
        fn sums_by_epoch_say_the_same_as_the_units(
            values in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(-3.0f64..3.0, 1..6), 3), 1..5),
            raw in prop::collection::vec(prop::collection::vec(0.1f64..1.0, 3), 5),
        ) {
            let epochs: Vec<EpochSums> = values.iter().zip(&raw).map(|(arms, raw)| {
                let total: f64 = raw.iter().sum();
                EpochSums {
                    propensities: raw.iter().map(|w| w / total).collect(),
                    arms: arms.iter().map(|ys| ArmSums {
                        n: ys.len() as f64,
                        sum: ys.iter().sum(),
                        sum_squares: ys.iter().map(|y| y * y).sum(),
                    }).collect(),
                }
            }).collect();
            let got = Adaptive::new(&epochs).unwrap();
            let (scores, weights) = spelled_out(&epochs, &values);
            let want = estimate(&scores, &weights);
            for k in 0..3 {
                prop_assert!((got.estimate.means[k] - want.means[k]).abs() < 1e-9);
                prop_assert!((got.estimate.errors[k] - want.errors[k]).abs() < 1e-9);
            }
            let error = contrast_error(&scores, &weights, &want, (0, 2));
            prop_assert!((got.contrast_error(0, 2) - error).abs() < 1e-9);
        }
    }
}
