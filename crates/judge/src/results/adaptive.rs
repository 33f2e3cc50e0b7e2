//! Estimates for weights that followed the data.

use super::guard::scale_of;
use super::one_each;
use crate::adaptive::{Adaptive, ArmSums, EpochSums};
use crate::clustered::{Clustered, Part, as_normal};
use crate::sample::Interval;
use crate::scales::waits_for_scale;
use crate::special::critical_z;
use types::{
    EpochEvidence, Evidence, ExperimentDefinition, Metric, MetricEvidence, MetricSums, PARTS,
    Policy,
};

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
    let by_parts = ByParts::of(definition, evidence, at, |_, share| adaptive_weight(share));
    if let Some(found) = by_parts {
        return clustered(definition, evidence, at, found);
    }
    let arms = definition.arms.len();
    // Squares of large values that differ little would lose all of their digits.
    let about = super::reference(evidence, at);
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

/// What the epochs of a bandit have by parts of the units, of a metric; about a reference point.
pub(crate) struct ByParts {
    pub(crate) about: f64,
    /// By arm.
    pub(crate) parts: Vec<Vec<Part>>,
}

impl ByParts {
    /// Of no epoch yet.
    fn new(definition: &ExperimentDefinition, evidence: &Evidence, at: usize) -> Self {
        Self {
            about: super::reference(evidence, at),
            parts: vec![vec![Part::default(); PARTS]; definition.arms.len()],
        }
    }

    /// Of all epochs, each with a weight that may depend on the share of the arm; `None` where an epoch of an earlier release kept
    /// no parts.
    pub(crate) fn of(
        definition: &ExperimentDefinition,
        evidence: &Evidence,
        at: usize,
        weight: impl Fn(usize, f64) -> f64,
    ) -> Option<Self> {
        let mut sums = Self::new(definition, evidence, at);
        for (place, epoch) in evidence.epochs.iter().enumerate() {
            sums.add(&definition.metrics[at], epoch, at, |share| {
                weight(place, share)
            })?;
        }
        Some(sums)
    }

    /// Adds an epoch; `None` where it kept no parts. Where values wait for a scale, an epoch without one does not count.
    fn add(
        &mut self,
        metric: &Metric,
        epoch: &EpochEvidence,
        at: usize,
        weight: impl Fn(f64) -> f64,
    ) -> Option<()> {
        if !counts(metric, epoch, at) {
            return Some(());
        }
        for ((gathered, share), parts) in epoch.arms.iter().zip(&epoch.shares).zip(&mut self.parts)
        {
            if *share > 0.0 {
                add_parts(parts, &gathered.metrics[at], self.about, weight(*share))?;
            }
        }
        Some(())
    }
}

/// Whether an epoch counts: where values wait for a scale, one without it does not.
fn counts(metric: &Metric, epoch: &EpochEvidence, at: usize) -> bool {
    !waits_for_scale(metric) || scale_of(epoch, at).is_some()
}

/// Adds what an arm has in an epoch, with a weight; `None` where the epoch kept no parts.
fn add_parts(parts: &mut [Part], found: &MetricEvidence, about: f64, weight: f64) -> Option<()> {
    if found.matured.count == 0 {
        return Some(());
    }
    if found.parts.is_empty() {
        return None;
    }
    let moved = found.matured.about - about;
    for (sum, part) in parts.iter_mut().zip(&found.parts) {
        let count = part.count as f64;
        sum.add(count, part.sum + moved * count, weight);
    }
    Some(())
}

/// h/e of an epoch in which an arm had a share e, with h = √e.
fn adaptive_weight(share: f64) -> f64 {
    share.sqrt().recip()
}

/// The estimate of the difference of two arms, and its error: in each epoch both have the same h, that of the variance of their
/// difference, so that a level that moves for both alike is no difference.
#[derive(Debug, Clone)]
pub(crate) struct Contrast {
    open: [Vec<Part>; 2],
    arms: (usize, usize),
    about: f64,
}

impl Contrast {
    /// Arm b − arm a, of no epoch yet.
    pub(crate) fn new(evidence: &Evidence, at: usize, (a, b): (usize, usize)) -> Self {
        Self {
            open: [vec![Part::default(); PARTS], vec![Part::default(); PARTS]],
            arms: (a, b),
            about: super::reference(evidence, at),
        }
    }

    /// Adds an epoch; `None` where it kept no parts. One in which an arm had no share says nothing of a difference, and where values
    /// wait for a scale, one without it neither.
    pub(crate) fn add(&mut self, metric: &Metric, epoch: &EpochEvidence, at: usize) -> Option<()> {
        let (a, b) = self.arms;
        let shares = (epoch.shares[a], epoch.shares[b]);
        if shares.0 <= 0.0 || shares.1 <= 0.0 || !counts(metric, epoch, at) {
            return Some(());
        }
        // Var of b − a is as 1/e_a + 1/e_b.
        let h = (shares.0 * shares.1 / (shares.0 + shares.1)).sqrt();
        for (sums, (arm, share)) in self.open.iter_mut().zip([(a, shares.0), (b, shares.1)]) {
            add_parts(sums, &epoch.arms[arm].metrics[at], self.about, h / share)?;
        }
        Some(())
    }

    /// The same of all epochs.
    pub(crate) fn of(
        definition: &ExperimentDefinition,
        evidence: &Evidence,
        at: usize,
        arms: (usize, usize),
    ) -> Option<Self> {
        let mut contrast = Self::new(evidence, at, arms);
        for epoch in &evidence.epochs {
            contrast.add(&definition.metrics[at], epoch, at)?;
        }
        Some(contrast)
    }

    /// The difference, its standard error and the degrees of freedom; `None` where too little is known.
    pub(crate) fn estimate(&self) -> Option<(f64, f64, f64)> {
        let clustered = Clustered::new(self.open.to_vec());
        let difference = clustered.means[1]? - clustered.means[0]?;
        let (error, degrees) = clustered.error(&DIFFERENCE)?;
        // Where all values are alike, nothing is known of the error.
        is_error(error, self.about).then_some((difference, error, degrees))
    }
}

/// Whether it is one: what is left of rounding values of some size is none.
fn is_error(error: f64, size: f64) -> bool {
    error > 1e-12 * size.abs()
}

/// The second minus the first.
const DIFFERENCE: [(usize, f64); 2] = [(1, 1.0), (0, -1.0)];

/// The estimates of sums by parts; `None` where nothing has matured.
fn clustered(
    definition: &ExperimentDefinition,
    evidence: &Evidence,
    at: usize,
    found: ByParts,
) -> Option<AdaptiveResult> {
    let arms = 0..definition.arms.len();
    let clustered = Clustered::new(found.parts);
    let alpha = definition.alpha;
    let z = critical_z(alpha, 2.0);
    let arm = |arm: usize| {
        let mean = found.about + clustered.means[arm]?;
        let error = clustered.normal_error(&[(arm, 1.0)], alpha)?;
        is_error(error, mean).then(|| AdaptiveArm {
            mean,
            error,
            interval: Interval::around(mean, z * error),
        })
    };
    let comparison = |arm: usize| {
        let contrast = Contrast::of(definition, evidence, at, (0, arm))?;
        let (difference, error, degrees) = contrast.estimate()?;
        let error = as_normal(error, degrees, alpha);
        Some(AdaptiveComparison {
            arm,
            difference,
            error,
            interval: Interval::around(difference, z * error),
        })
    };
    let some = clustered.means.iter().any(Option::is_some);
    some.then(|| AdaptiveResult {
        arms: arms.clone().map(arm).collect(),
        comparisons: arms.skip(1).filter_map(comparison).collect(),
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
        let matured = super::pooled_matured(evidence, at, arm).rebased(about);
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
