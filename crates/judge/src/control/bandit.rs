//! From matured evidence to weights: posterior or index → weights → floor → cap → publish.

use super::{Look, Next, because_held, unhealthy};
use crate::bandit::{
    capped, kl_ucb, mixed, optimal_proportions, stopping, top_two, ucb1, with_floor,
};
use crate::clustered::Clustered;
use crate::results::{ByParts, Contrast, has_several, pooled_matured, primary_of};
use crate::sample::Sample;
use crate::thompson::{self, Posterior};
use types::{
    Algorithm, BanditProgress, BanditSettings, Decision, Direction, Evidence, Metric, MetricKind,
    MetricSums, Progress, Timestamp,
};

/// A change of every weight by less than this is not worth an epoch.
const LEAST_CHANGE: f64 = 0.01;
/// An epoch is kept and judged for ever, so the more there are, the more a change must be worth: after so many twice as much, and so
/// on. A bandit of a year, whose weights wander between equals, has about a thousand epochs and not a hundred thousand.
const MANY_EPOCHS: f64 = 500.0;

pub(super) fn step(
    look: &Look<'_>,
    settings: &BanditSettings,
    mut progress: BanditProgress,
) -> Next {
    let definition = &look.experiment.definition;
    let shares = &look.experiment.shares;
    let harmed: Vec<usize> = look.results.harm(definition).map(|(arm, _)| arm).collect();
    let new: Vec<usize> = harmed
        .into_iter()
        .filter(|arm| !progress.dropped.contains(arm))
        .collect();
    if !new.is_empty() {
        progress.dropped.extend(&new);
        progress.dropped.sort_unstable();
        progress.dropped.dedup();
        progress.winner = progress
            .winner
            .filter(|arm| !progress.dropped.contains(arm));
        let names: Vec<&str> = new
            .iter()
            .map(|arm| definition.arms[*arm].version.as_str())
            .collect();
        let because = format!("{} harms a guardrail.", names.join(" and "));
        if progress.dropped.len() + 1 == definition.arms.len() {
            return next(progress, Some(Decision::RollBack), because);
        }
        // The others share what it had, as they stand to each other.
        let shares = without(shares, &progress.dropped);
        return next(progress, Some(Decision::Reweigh { shares }), because);
    }
    if let Some(hold) = unhealthy(look, progress.held) {
        let decision = (progress.held != Some(hold)).then_some(Decision::Hold(hold));
        progress.held = Some(hold);
        return next(progress, decision, because_held(hold).into());
    }
    if !look.complete {
        return next(progress, None, String::new());
    }
    if let Some(hold) = progress.held.take() {
        let because = format!("The reason for the hold is gone: {}.", hold.as_str());
        return next(progress, Some(Decision::Release), because);
    }
    if progress.paused {
        return next(progress, None, String::new());
    }
    if progress.winner.is_none()
        && let Some(arm) = winner(look, settings, &progress)
    {
        progress.winner = Some(arm);
        let because = format!(
            "{} is the best arm on {}, by a rule that aims to be wrong with a probability of at most {}.",
            definition.arms[arm].version, definition.primary_metric, settings.delta
        );
        let decision = if settings.promote_winner {
            Decision::Promote { arm }
        } else {
            Decision::Winner { arm }
        };
        return next(progress, Some(decision), because);
    }
    let updated = progress.updated_at.map(Timestamp::from_micros);
    let due = updated.is_none_or(|at| {
        // A clock that went back must not stop the updates for as long as it went.
        at > look.now || look.now.micros_since(at) >= settings.update_micros()
    });
    if !due {
        return next(progress, None, String::new());
    }
    progress.updated_at = Some(look.now.micros());
    let Some(target) = target(look, settings, &progress) else {
        return next(progress, None, String::new());
    };
    let weights = capped(shares, &target, settings.max_change);
    let change = shares
        .iter()
        .zip(&weights)
        .map(|(old, new)| (old - new).abs())
        .fold(0.0, f64::max);
    let epochs = look.evidence.epochs.len() as f64;
    if change < LEAST_CHANGE * (1.0 + epochs / MANY_EPOCHS) && !is_old(look, settings) {
        return next(progress, None, String::new());
    }
    let because = format!(
        "{} computed new weights from the matured evidence.",
        settings.algorithm.as_str()
    );
    next(
        progress,
        Some(Decision::Reweigh { shares: weights }),
        because,
    )
}

fn next(progress: BanditProgress, decision: Option<Decision>, because: String) -> Next {
    Next {
        progress: Some(Progress::Bandit(progress)),
        because: if decision.is_some() {
            because
        } else {
            String::new()
        },
        decision,
        limit: None,
    }
}

/// The shares without some arms.
fn without(shares: &[f64], dropped: &[usize]) -> Vec<f64> {
    let keep = |(arm, share): (usize, &f64)| if dropped.contains(&arm) { 0.0 } else { *share };
    let kept: Vec<f64> = shares.iter().enumerate().map(keep).collect();
    let total: f64 = kept.iter().sum();
    kept.iter().map(|share| share / total).collect()
}

/// Whether the epoch has lasted so long that its evidence is of too different an age.
fn is_old(look: &Look<'_>, settings: &BanditSettings) -> bool {
    let began = look.evidence.epochs.last().map(|epoch| epoch.started_at);
    let longest = settings.longest_epoch_seconds();
    began.zip(longest).is_some_and(|(began, longest)| {
        let age = look.now.micros_since(began) / 1_000_000;
        u64::try_from(age).unwrap_or(0) >= longest
    })
}

/// What the weights should become; `None` while an arm is in its burn-in, or too little is known of its values.
fn target(
    look: &Look<'_>,
    settings: &BanditSettings,
    progress: &BanditProgress,
) -> Option<Vec<f64>> {
    let definition = &look.experiment.definition;
    let primary = primary_of(definition)?;
    let metric = &definition.metrics[primary];
    let arms: Vec<usize> = (0..definition.arms.len())
        .filter(|arm| !progress.dropped.contains(arm))
        .collect();
    let all: Vec<f64> = arms
        .iter()
        .map(|arm| matured_units(look, primary, *arm))
        .collect();
    if all
        .iter()
        .any(|units| *units < settings.burn_in_units as f64)
    {
        return None;
    }
    let sums = remembered(look, settings, primary, &arms)?;
    let weights = weigh(metric, settings.algorithm, settings.epsilon, &sums)?;
    let mut target = vec![0.0; definition.arms.len()];
    let floor = settings.floor(definition.arms.len());
    for (arm, weight) in arms.iter().zip(with_floor(&weights, floor)) {
        target[*arm] = weight;
    }
    Some(target)
}

fn matured_units(look: &Look<'_>, metric: usize, arm: usize) -> f64 {
    let epochs = look.evidence.epochs.iter();
    epochs
        .map(|epoch| epoch.arms[arm].metrics[metric].matured.units)
        .sum::<u64>() as f64
}

/// Sums over units, the older ones counting less.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    units: f64,
    count: f64,
    /// As in [`MetricSums`].
    about: f64,
    sum: f64,
    sum_squares: f64,
    sum_count_squares: f64,
    sum_products: f64,
    /// Where units come back, or values have a cap: mean, and the variance of the mean between parts of the units.
    clustered: Option<(f64, f64)>,
}

impl Sums {
    /// Of predictions that are units of their own.
    pub(crate) fn of_predictions(n: f64, sum: f64, sum_squares: f64) -> Self {
        Self {
            units: n,
            count: n,
            about: 0.0,
            sum,
            sum_squares,
            sum_count_squares: n,
            sum_products: sum,
            clustered: None,
        }
    }

    fn add(&mut self, other: &MetricSums, weight: f64) {
        if self.count == 0.0 {
            self.about = other.about;
        }
        let other = other.rebased(self.about);
        self.units += weight * other.units as f64;
        self.count += weight * other.count as f64;
        self.sum += weight * other.sum;
        self.sum_squares += weight * other.sum_squares;
        self.sum_count_squares += weight * other.sum_count_squares;
        self.sum_products += weight * other.sum_products;
    }

    fn is_one_each(&self) -> bool {
        (self.sum_count_squares - self.count).abs() <= 1e-9 * self.count
    }

    fn sample(&self) -> Option<Sample> {
        if let Some((mean, variance_of_mean)) = self.clustered {
            return Some(Sample {
                n: self.units,
                mean,
                variance: variance_of_mean * self.units,
            });
        }
        if self.units < 2.0 {
            return None;
        }
        let about = |sample: Sample| Sample {
            mean: self.about + sample.mean,
            ..sample
        };
        if self.is_one_each() {
            return Some(about(Sample::from_sums(
                self.units,
                self.sum,
                self.sum_squares,
            )));
        }
        let ratio = crate::ratio::RatioSums {
            n: self.units,
            sum_m: self.sum,
            sum_mm: self.sum_squares,
            sum_d: self.count,
            sum_dd: self.sum_count_squares,
            sum_md: self.sum_products,
        };
        ratio.sample().map(about)
    }
}

/// How much each epoch counts, the older ones less.
fn weights_by_age(look: &Look<'_>, settings: &BanditSettings) -> Vec<f64> {
    let epochs = &look.evidence.epochs;
    let weight = |at: usize| {
        let ended = epochs.get(at + 1).map_or(look.now, |next| next.started_at);
        let age = look.now.micros_since(ended) as f64 / 1e6;
        match (settings.half_life_seconds, settings.window_seconds) {
            (Some(half_life), _) => 0.5f64.powf(age / half_life as f64),
            (None, Some(window)) => f64::from(u8::from(age < window as f64)),
            (None, None) => 1.0,
        }
    };
    (0..epochs.len()).map(weight).collect()
}

/// What is known of some arms; `None` while too little is.
fn remembered(
    look: &Look<'_>,
    settings: &BanditSettings,
    at: usize,
    arms: &[usize],
) -> Option<Vec<Sums>> {
    let definition = &look.experiment.definition;
    let (metric, evidence) = (&definition.metrics[at], look.evidence);
    let weights = weights_by_age(look, settings);
    let plain = |arm: usize| {
        let mut sums = Sums::default();
        for (epoch, weight) in evidence.epochs.iter().zip(&weights) {
            sums.add(&epoch.arms[arm].metrics[at].matured, *weight);
        }
        sums
    };
    let each = arms.iter().map(|arm| plain(*arm)).collect();
    // A share of units that have one prediction each is known exactly.
    let binary = metric.kind == MetricKind::Binary;
    if binary && !units_come_back(evidence) {
        return Some(each);
    }
    let Some(found) = ByParts::of(definition, evidence, at, |epoch, _| weights[epoch]) else {
        return Some(each);
    };
    let clustered = Clustered::new(found.parts);
    let of_arm = |(arm, sums): (&usize, Sums)| {
        let (error, _) = clustered.error(&[(*arm, 1.0)])?;
        Some(Sums {
            // What the indices of bounds count; the error is that of the mean, however many there are.
            units: sums.count,
            clustered: Some((found.about + clustered.means[*arm]?, error * error)),
            ..sums
        })
    };
    arms.iter().zip(each).map(of_arm).collect()
}

/// Whether units come back in several epochs, or several times in one.
fn units_come_back(evidence: &Evidence) -> bool {
    let arms = evidence.epochs.iter().flat_map(|epoch| &epoch.arms);
    let (predictions, first) = arms.fold((0, 0), |sum, arm| {
        let exposures = arm.exposures;
        (sum.0 + exposures.predictions, sum.1 + exposures.first)
    });
    has_several(predictions, first)
}

/// The weights of an algorithm, before the floor.
pub(crate) fn weigh(
    metric: &Metric,
    algorithm: Algorithm,
    epsilon: f64,
    arms: &[Sums],
) -> Option<Vec<f64>> {
    let samples: Option<Vec<Sample>> = arms.iter().map(Sums::sample).collect();
    let samples = samples?;
    let best = |sample: &Sample| match metric.direction {
        Direction::Up => sample.mean,
        Direction::Down => -sample.mean,
    };
    match algorithm {
        Algorithm::Thompson => Some(thompson::weights(&posteriors(metric, arms, &samples)?)),
        Algorithm::TopTwo => {
            let weights = thompson::weights(&posteriors(metric, arms, &samples)?);
            Some(top_two(&weights, 0.5))
        }
        Algorithm::TrackAndStop => {
            let means: Vec<f64> = samples.iter().map(best).collect();
            let widest = widest(&samples);
            let each = arms.iter().zip(&samples);
            let variances: Vec<f64> = each
                .map(|(sums, sample)| variance(metric, (sums.sum, sums.count), sample, widest))
                .collect();
            // Equal arms have no best proportions: equal ones then.
            let found = optimal_proportions(&means, &variances, epsilon);
            Some(found.map_or_else(|| vec![1.0 / arms.len() as f64; arms.len()], |f| f.weights))
        }
        Algorithm::Ucb1 | Algorithm::KlUcb => {
            let t: f64 = samples.iter().map(|sample| sample.n).sum();
            let index = |sample: &Sample| {
                let mean = unit_scale(metric, sample.mean)?;
                Some(if algorithm == Algorithm::Ucb1 {
                    ucb1(mean, sample.n, t)
                } else {
                    kl_ucb(mean, sample.n, t, 0.0)
                })
            };
            let indices: Option<Vec<f64>> = samples.iter().map(index).collect();
            // The floor comes after, so nothing is mixed here.
            Some(mixed(&indices?, 0.0))
        }
    }
}

/// A mean on the scale from 0 (worst) to 1 (best).
fn unit_scale(metric: &Metric, mean: f64) -> Option<f64> {
    let (low, high) = match metric.kind {
        MetricKind::Binary => (0.0, 1.0),
        _ => (metric.lower_bound?, metric.upper_bound?),
    };
    let up = ((mean - low) / (high - low)).clamp(0.0, 1.0);
    Some(match metric.direction {
        Direction::Up => up,
        Direction::Down => 1.0 - up,
    })
}

fn posteriors(metric: &Metric, arms: &[Sums], samples: &[Sample]) -> Option<Vec<Posterior>> {
    let is_share = |sums: &Sums| sums.is_one_each() && sums.clustered.is_none();
    let shares = metric.kind == MetricKind::Binary && arms.iter().all(is_share);
    let widest = widest(samples);
    let each = arms.iter().zip(samples).map(|(sums, sample)| {
        let posterior = if shares {
            Posterior::of_share(sums.sum.clamp(0.0, sums.units), sums.units)
        } else {
            Posterior::of_mean(&Sample {
                variance: variance(metric, (sums.sum, sums.count), sample, widest),
                ..*sample
            })?
        };
        Some(match metric.direction {
            Direction::Up => posterior,
            Direction::Down => posterior.negated(),
        })
    });
    each.collect()
}

fn widest(samples: &[Sample]) -> f64 {
    let variances = samples.iter().map(|sample| sample.variance);
    variances.fold(0.0, f64::max)
}

/// The variance of the values of an arm. Values that are all alike say nothing of it: that of a share with one success and one
/// failure more, or the widest of the others, keeps the arm in the game.
fn variance(metric: &Metric, (sum, count): (f64, f64), sample: &Sample, widest: f64) -> f64 {
    if sample.variance > 0.0 {
        return sample.variance;
    }
    let share = (sum + 1.0) / (count + 2.0);
    match metric.kind {
        MetricKind::Binary => share * (1.0 - share),
        _ => widest,
    }
}

/// The best arm, where it is decided: by estimates that stay honest when the weights follow the data.
fn winner(look: &Look<'_>, settings: &BanditSettings, progress: &BanditProgress) -> Option<usize> {
    let definition = &look.experiment.definition;
    let primary = primary_of(definition)?;
    let metric = &definition.metrics[primary];
    let adaptive = look.results.metrics[primary].adaptive.as_ref()?;
    let arms: Vec<usize> = (0..definition.arms.len())
        .filter(|arm| !progress.dropped.contains(arm))
        .collect();
    let up = if metric.direction == Direction::Up {
        1.0
    } else {
        -1.0
    };
    let sample = |arm: &usize| {
        let n = matured_units(look, primary, *arm);
        if n < settings.burn_in_units as f64 {
            return None;
        }
        // All values of an arm that is dead, or perfect, are alike.
        let (mean, variance) = match adaptive.arms.get(*arm)? {
            Some(estimate) => (estimate.mean, estimate.error * estimate.error * n),
            None => (alike(look.evidence, primary, *arm)?, 0.0),
        };
        let mean = up * mean;
        Some(Sample { n, mean, variance })
    };
    let samples: Option<Vec<Sample>> = arms.iter().map(sample).collect();
    let mut samples = samples?;
    let widest = widest(&samples);
    // Of an arm whose values are alike: the variance of its mean, which no estimate of an error has.
    let mut hidden = vec![0.0; samples.len()];
    for ((sample, hidden), arm) in samples.iter_mut().zip(&mut hidden).zip(&arms) {
        if sample.variance <= 0.0 {
            let matured = pooled_matured(look.evidence, primary, *arm);
            let sums = (
                matured.about * matured.count as f64 + matured.sum,
                matured.count as f64,
            );
            sample.variance = variance(metric, sums, sample, widest);
            *hidden = sample.variance / sample.n;
        }
    }
    let mut found = stopping(&samples, settings.epsilon, settings.delta)?;
    // By the differences themselves, where they are known: a level that moves for all arms alike is none.
    let at_leader = found.leader;
    let leader = arms[at_leader];
    for (at, (z, arm)) in found.z.iter_mut().zip(&arms).enumerate() {
        let pair = (*arm, leader);
        let are_alike = hidden[at] > 0.0 && hidden[at_leader] > 0.0;
        if *arm != leader
            && !are_alike
            && let Some(contrast) = Contrast::of(definition, look.evidence, primary, pair)
        {
            *z = contrast.estimate().map_or(0.0, |(difference, error, _)| {
                let gap = (up * difference + settings.epsilon).max(0.0);
                let variance = error * error + hidden[at] + hidden[at_leader];
                gap * gap / (2.0 * variance)
            });
        }
    }
    found.is_decided().then(|| arms[found.leader])
}

/// The value that all matured ones of an arm are; `None` where they differ, or there are none.
fn alike(evidence: &Evidence, metric: usize, arm: usize) -> Option<f64> {
    let matured = pooled_matured(evidence, metric, arm);
    let (count, squares) = (matured.count as f64, matured.sum_count_squares);
    let mean = matured.sum / count;
    // Σ (M − R D)², and what is left of rounding is no difference.
    let spread = matured.sum_squares - 2.0 * mean * matured.sum_products + mean * mean * squares;
    let of = matured.sum_squares + matured.about * matured.about * squares;
    (count > 0.0 && spread <= 1e-12 * of).then_some(matured.about + mean)
}
