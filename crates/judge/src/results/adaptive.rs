//! Estimates for weights that followed the data.

use super::one_each;
use crate::adaptive::{Adaptive, ArmSums, EpochSums};
use crate::sample::Interval;
use crate::special::critical_z;
use types::{Evidence, ExperimentDefinition, MetricSums, Policy};

/// Means and differences that stay honest after adaptation. For one look: they are no sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptiveResult {
    /// By arm; `None` of one without a matured unit, or whose values are all alike.
    pub arms: Vec<Option<AdaptiveArm>>,
    /// By candidate of which something is known.
    pub comparisons: Vec<AdaptiveComparison>,
}

/// The mean of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveArm {
    /// The mean per prediction.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// The interval of level 1 − alpha, for one look.
    pub interval: Interval,
}

/// A candidate against the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveComparison {
    /// The candidate.
    pub arm: usize,
    /// candidate − control.
    pub difference: f64,
    /// Its standard error.
    pub error: f64,
    /// The interval of level 1 − alpha, for one look.
    pub interval: Interval,
}

/// The adaptively weighted estimates of a metric; `None` unless the policy is a bandit and some unit has
/// matured.
pub(super) fn adaptive(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    at: usize,
) -> Option<AdaptiveResult> {
    if !matches!(definition.policy, Policy::Bandit(_)) {
        return None;
    }
    let arms = definition.arms.len();
    // Squares of large values that differ little would lose all of their digits.
    let about = super::pooled(evidence, at, 0).0.about;
    let ratios: Vec<Ratio> = (0..arms)
        .map(|arm| Ratio::of(evidence, at, arm, about))
        .collect();
    let mut epochs = Vec::new();
    for epoch in &evidence.epochs {
        let sums = |arm: usize| ratios[arm].linearised(&epoch.arms[arm].metrics[at].matured);
        let sums: Vec<ArmSums> = (0..arms).map(sums).collect();
        if sums.iter().any(|sums| sums.n > 0.0) {
            epochs.push(EpochSums {
                propensities: epoch.shares.clone(),
                arms: sums,
            });
        }
    }
    let adaptive = Adaptive::new(&epochs)?;
    let z = critical_z(definition.alpha, 2.0);
    let estimate = &adaptive.estimate;
    // Where all values are alike, nothing is known of the error.
    let known = |arm: usize| {
        epochs.iter().any(|epoch| epoch.arms[arm].n > 0.0) && estimate.errors[arm] > 0.0
    };
    let arm = |arm: usize| {
        let (mean, error) = (estimate.means[arm], estimate.errors[arm]);
        known(arm).then(|| AdaptiveArm {
            mean: about + mean,
            error,
            interval: Interval::around(about + mean, z * error),
        })
    };
    let comparison = |arm: usize| {
        let difference = estimate.means[arm] - estimate.means[0];
        let error = adaptive.contrast_error(0, arm);
        AdaptiveComparison {
            arm,
            difference,
            error,
            interval: Interval::around(difference, z * error),
        }
    };
    Some(AdaptiveResult {
        arms: (0..arms).map(arm).collect(),
        comparisons: (1..arms)
            .filter(|arm| known(0) && known(*arm))
            .map(comparison)
            .collect(),
    })
}

/// ΣM/ΣD of an arm: where units have several predictions, a unit stands for its linearised value
/// (M − R D)/D̄ + R.
struct Ratio {
    about: f64,
    ratio: f64,
    mean_count: f64,
    one_each: bool,
}

impl Ratio {
    fn of(evidence: &Evidence, at: usize, arm: usize, about: f64) -> Self {
        let matured = super::pooled(evidence, at, arm).0.rebased(about);
        let count = (matured.count as f64).max(1.0);
        Self {
            about,
            ratio: matured.sum / count,
            mean_count: count / (matured.units as f64).max(1.0),
            one_each: one_each(&matured),
        }
    }

    fn linearised(&self, sums: &MetricSums) -> ArmSums {
        let sums = sums.rebased(self.about);
        let n = sums.units as f64;
        if self.one_each {
            return ArmSums {
                n,
                sum: sums.sum,
                sum_squares: sums.sum_squares,
            };
        }
        // Σ z and Σ z² of z = (M − R D)/D̄, and then of z + R.
        let (r, d) = (self.ratio, self.mean_count);
        let count = sums.count as f64;
        let z = (sums.sum - r * count) / d;
        let zz = (sums.sum_squares - 2.0 * r * sums.sum_products + r * r * sums.sum_count_squares)
            / (d * d);
        ArmSums {
            n,
            sum: z + n * r,
            sum_squares: zz + 2.0 * r * z + n * r * r,
        }
    }
}
