//! What another policy would have earned, from a log of choices whose propensities are known.
//!
//! Each row is weighed by w = π/e. Standard errors are those between random groups of units (Wolter, Introduction to Variance
//! Estimation, 2007, chapter 2). IPS: Horvitz and Thompson 1952. SNIPS: Swaminathan and Joachims,
//! NeurIPS 2015. DR: Dudík, Langford and Li, ICML 2011. Switch: Wang, Agarwal and Dudík, ICML 2017.
//! Shrinkage: Su et al., ICML 2020. Assumes that rewards do not depend on earlier choices, and that every
//! action the policy takes had a chance in the log.

use crate::bandit::with_floor;
use crate::control::bandit::{Sums, weigh};
use crate::fixed::wilson_of;
use crate::sample::Interval;
use crate::special::student_critical;
use std::collections::{BTreeMap, BTreeSet};
use types::{Algorithm, LoggedGroup, Metric, MetricKind, Reason, VersionKey};

/// Rows of a log, and what a policy would have done.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// How many rows are alike in everything but the reward.
    pub n: f64,
    /// Σ of their rewards.
    pub sum: f64,
    /// The importance weight π/e of the action that was taken.
    pub weight: f64,
    /// What the model of the reward says of that action: q̂.
    pub predicted: f64,
    /// Σ_a π(a) q̂(a).
    pub policy_value: f64,
    /// The action that was taken.
    pub action: VersionKey,
    /// The part of the units that the rows are of.
    pub part: u32,
}

impl Row {
    /// Rows of a group, of a policy that takes its action with the probability `policy`.
    pub fn of(group: &LoggedGroup, policy: f64, predicted: f64, policy_value: f64) -> Self {
        Self {
            n: group.n as f64,
            sum: group.sum,
            weight: policy / group.propensity,
            predicted,
            policy_value,
            action: group.version,
            part: group.part,
        }
    }
}

/// Σ of the squares of what the parts of the units add to an estimate, and how many parts there are. Units of one part may
/// depend on each other as they like, and no two parts share a unit; a row that is a part of its own is the usual
/// sample deviation.
#[derive(Debug, Clone, Copy)]
struct Spread {
    parts: f64,
    squares: f64,
}

impl Spread {
    /// Of rows which each add `base` + w(r − `from`).
    fn of(rows: &[Row], score: impl Fn(&Row) -> (f64, f64)) -> Self {
        let mut parts: BTreeMap<u32, f64> = BTreeMap::new();
        for row in rows {
            let (base, from) = score(row);
            *parts.entry(row.part).or_default() +=
                row.n * base + row.weight * (row.sum - row.n * from);
        }
        Self {
            parts: parts.len() as f64,
            squares: parts.values().map(|sum| sum * sum).sum(),
        }
    }

    /// The standard error of an estimate that is their sum over `n`.
    fn error(self, n: f64) -> f64 {
        (self.squares * self.parts / (self.parts - 1.0)).sqrt() / n
    }
}

/// Everything that is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimates {
    /// Rows.
    pub n: f64,
    /// mean(w r).
    pub ips: f64,
    /// Its standard error: the sample deviation of w r over √n.
    pub ips_error: f64,
    /// Σ w r/Σ w.
    pub snips: f64,
    /// Its standard error, by the delta method.
    pub snips_error: f64,
    /// mean of Σ_a π q̂.
    pub direct: f64,
    /// mean of Σ_a π q̂ + w(r − q̂).
    pub doubly_robust: f64,
    /// Its standard error.
    pub doubly_robust_error: f64,
    /// The same with the correction over Σ w.
    pub self_normalised_doubly_robust: f64,
    /// (Σ w)²/Σ w².
    pub effective_sample_size: f64,
    /// The largest weight.
    pub largest_weight: f64,
    /// Parts of the units, between which the standard errors are taken: of the action that has the fewest, among those that
    /// the policy takes.
    pub parts: f64,
}

/// Estimates the value of a policy; `None` without rows.
pub fn estimate(rows: &[Row]) -> Option<Estimates> {
    let n: f64 = rows.iter().map(|row| row.n).sum();
    if n <= 0.0 {
        return None;
    }
    let total = |value: &dyn Fn(&Row) -> f64| -> f64 { rows.iter().map(value).sum() };
    let (w, ww) = (
        total(&|row| row.n * row.weight),
        total(&|row| row.n * row.weight * row.weight),
    );
    let wr = total(&|row| row.weight * row.sum);
    let ips = wr / n;
    let snips = wr / w;
    let direct = total(&|row| row.n * row.policy_value) / n;
    let correction = weighed(rows, |w| w);
    let doubly_robust = direct + correction / n;
    // Around means of their own actions, so few parts of an action spread less than they should.
    let parts = parts_of_the_rarest(rows);
    let around = |score: &dyn Fn(&Row) -> (f64, f64)| Spread {
        parts,
        ..Spread::of(rows, score)
    };
    // Σ (V_π + w(r − q̂) − DR)².
    let of_dr = around(&|row| (row.policy_value - doubly_robust, row.predicted));
    // Σ w²(r − V)².
    let of_snips = around(&|_| (0.0, snips));
    Some(Estimates {
        n,
        ips,
        ips_error: Spread::of(rows, |_| (-ips, 0.0)).error(n),
        snips,
        snips_error: of_snips.error(w),
        direct,
        doubly_robust,
        doubly_robust_error: of_dr.error(n),
        self_normalised_doubly_robust: direct + correction / w,
        effective_sample_size: w * w / ww,
        largest_weight: rows.iter().map(|row| row.weight).fold(0.0, f64::max),
        parts,
    })
}

/// How many parts have rows of the action that has the fewest, among those with a weight.
fn parts_of_the_rarest(rows: &[Row]) -> f64 {
    let mut parts: BTreeMap<VersionKey, BTreeSet<u32>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.weight > 0.0) {
        parts.entry(row.action).or_default().insert(row.part);
    }
    parts.values().map(BTreeSet::len).min().unwrap_or(0) as f64
}

/// Σ f(w)(r − q̂).
fn weighed(rows: &[Row], f: impl Fn(f64) -> f64) -> f64 {
    let each = rows.iter();
    each.map(|row| f(row.weight) * (row.sum - row.n * row.predicted))
        .sum()
}

/// IPS with weights of at most `most`.
pub fn clipped(rows: &[Row], most: f64) -> f64 {
    let n: f64 = rows.iter().map(|row| row.n).sum();
    rows.iter()
        .map(|row| row.weight.min(most) * row.sum)
        .sum::<f64>()
        / n
}

/// DR that leaves out the corrections of weights above `most`.
pub fn switch(rows: &[Row], most: f64) -> f64 {
    with_correction(rows, |w| if w <= most { w } else { 0.0 })
}

/// DR with the weights λw/(w² + λ).
pub fn shrunk(rows: &[Row], lambda: f64) -> f64 {
    with_correction(rows, |w| lambda * w / (w * w + lambda))
}

fn with_correction(rows: &[Row], f: impl Fn(f64) -> f64) -> f64 {
    let n: f64 = rows.iter().map(|row| row.n).sum();
    let direct: f64 = rows.iter().map(|row| row.n * row.policy_value).sum();
    (direct + weighed(rows, f)) / n
}

/// Why a log cannot answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// No row has a value.
    Empty,
    /// The policy uses a version that the log never chose.
    NoSupport {
        /// The version.
        version: VersionKey,
    },
    /// The versions of the policy never had a chance at the same time.
    NeverTogether,
    /// Too few rows count.
    FewEffective {
        /// (Σ w)²/Σ w², which is below [`LEAST_EFFECTIVE`].
        effective_sample_size: f64,
    },
    /// Too few units: nothing says how they differ.
    FewUnits {
        /// How many, which is below [`LEAST_UNITS`].
        units: u64,
    },
    /// One row counts for too much.
    LargeWeight {
        /// The largest weight, which is above [`MOST_WEIGHT`].
        weight: f64,
    },
}

/// Effective rows below which nothing is answered.
pub const LEAST_EFFECTIVE: f64 = 100.0;
/// Units below which nothing is answered.
pub const LEAST_UNITS: f64 = 10.0;
/// The importance weight above which nothing is answered.
pub const MOST_WEIGHT: f64 = 20.0;

/// Whether estimates can be told to somebody.
///
/// # Errors
/// Why not.
pub fn check(estimates: &Estimates) -> Result<(), Refusal> {
    if estimates.largest_weight > MOST_WEIGHT {
        return Err(Refusal::LargeWeight {
            weight: estimates.largest_weight,
        });
    }
    if estimates.parts < LEAST_UNITS {
        return Err(Refusal::FewUnits {
            units: estimates.parts as u64,
        });
    }
    let effective_sample_size = estimates.effective_sample_size;
    if effective_sample_size.is_nan() || effective_sample_size < LEAST_EFFECTIVE {
        return Err(Refusal::FewEffective {
            effective_sample_size,
        });
    }
    Ok(())
}

/// What is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Constant shares of versions, which sum to 1.
    Split(Vec<(VersionKey, f64)>),
    /// A bandit over the versions of the last epoch, which learns from the log period by period: its
    /// weights in a period follow from what the log had before it.
    Bandit {
        /// How it chooses.
        algorithm: Algorithm,
        /// The share that every version keeps.
        floor: f64,
        /// Periods until what a period earned is known: the window of the metric.
        delay: i64,
    },
}

/// What a policy would have earned.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The estimates.
    pub estimates: Estimates,
    /// What the same predictions earned as they were.
    pub logged: f64,
    /// Predictions that were left out because a version of the policy had no chance then, or next to none.
    pub without_support: u64,
    /// Periods for which a bandit made weights: in the others it knew too little.
    pub updates: u64,
    /// The last shares of the policy.
    pub shares: Vec<(VersionKey, f64)>,
    /// Whether values are 0 or 1.
    pub binary: bool,
}

impl Evaluation {
    /// The 95 % interval of an estimate, for one look: by Student's t between the parts. Of a share it is Wilson's, of as many
    /// predictions as the estimate is worth, p(1 − p) over its squared error, and no more than the effective ones: a few events, or
    /// none, differ by less than chance could have made of them (Korn and Graubard, Survey Methodology 24(2), 1998).
    /// Of other values that are all alike there is none: they say nothing of how much others would differ.
    pub fn interval(&self, value: f64, error: f64) -> Option<Interval> {
        let critical = student_critical(0.05, self.estimates.parts - 1.0);
        if !self.binary {
            // What is left of rounding is no error.
            let is_known = error > 1e-12 * value.abs();
            return is_known.then(|| Interval::around(value, critical * error));
        }
        let share = value.clamp(0.0, 1.0);
        let effective = self.estimates.effective_sample_size;
        let worth = share * (1.0 - share) / (error * error);
        let n = if worth > 0.0 {
            worth.min(effective)
        } else {
            effective
        };
        let found = wilson_of(share, n, critical);
        Some(Interval {
            lower: found.lower.min(value),
            upper: found.upper.max(value),
        })
    }
}

/// Predictions that a version needs before a bandit moves its weights.
const BURN_IN: f64 = 100.0;

/// Evaluates a policy on what was logged. Within an epoch all versions with a share have a chance, so an
/// epoch without one of the policy's versions cannot say what the policy would have earned, and is left
/// out; so is one in which a prediction would weigh more than [`MOST_WEIGHT`]. Both go by who could be
/// chosen and not by what came of it.
///
/// # Errors
/// When the log cannot answer.
pub fn evaluate(
    groups: &[LoggedGroup],
    metric: &Metric,
    plan: &Plan,
) -> Result<Evaluation, Refusal> {
    let arms = arms_of(groups, plan);
    if arms.is_empty() && !groups.is_empty() {
        return Err(Refusal::NeverTogether);
    }
    let support = Support::of(groups, plan, &arms);
    let (kept, left): (Vec<&LoggedGroup>, Vec<&LoggedGroup>) =
        groups.iter().partition(|group| support.answers(group));
    let without_support = left.iter().map(|group| group.n).sum();
    if kept.is_empty() {
        return Err(support.why_not(groups));
    }
    let Played {
        rows,
        shares,
        updates,
    } = play(&kept, metric, plan, &arms);
    let estimates = estimate(&rows).ok_or(Refusal::Empty)?;
    check(&estimates)?;
    let total: f64 = kept.iter().map(|group| group.sum).sum();
    Ok(Evaluation {
        logged: total / estimates.n,
        estimates,
        without_support,
        updates,
        shares: arms.into_iter().zip(shares).collect(),
        binary: metric.kind == MetricKind::Binary,
    })
}

/// The versions that a policy may choose: those with a share, or those that a bandit last had together.
fn arms_of(groups: &[LoggedGroup], plan: &Plan) -> Vec<VersionKey> {
    match plan {
        Plan::Split(shares) => {
            let used = shares.iter().filter(|(_, share)| *share > 0.0);
            used.map(|(version, _)| *version).collect()
        }
        Plan::Bandit { .. } => last_together(groups),
    }
}

/// The versions that were last chosen side by side: those that a bandit is played with.
pub fn last_together(groups: &[LoggedGroup]) -> Vec<VersionKey> {
    let mut by_epoch: BTreeMap<i64, BTreeSet<VersionKey>> = BTreeMap::new();
    for group in groups {
        by_epoch
            .entry(group.epoch)
            .or_default()
            .insert(group.version);
    }
    let mut newest = by_epoch.into_values().rev();
    let together = newest.find(|versions| versions.len() > 1);
    together.unwrap_or_default().into_iter().collect()
}

/// Who had a chance, and how much a prediction may weigh, by epoch and reason.
struct Support<'a> {
    arms: &'a [VersionKey],
    by_choice: BTreeMap<(i64, Reason), (BTreeSet<VersionKey>, f64)>,
}

impl<'a> Support<'a> {
    fn of(groups: &[LoggedGroup], plan: &Plan, arms: &'a [VersionKey]) -> Self {
        // The most that a version may get under the policy.
        let most = |version: VersionKey| match plan {
            Plan::Split(shares) => {
                let share = shares.iter().find(|(key, _)| *key == version);
                share.map_or(0.0, |(_, share)| *share)
            }
            Plan::Bandit { .. } => f64::from(u8::from(arms.contains(&version))),
        };
        let mut by_choice: BTreeMap<_, (BTreeSet<VersionKey>, f64)> = BTreeMap::new();
        for group in groups {
            let (versions, weight) = by_choice.entry((group.epoch, group.reason)).or_default();
            versions.insert(group.version);
            *weight = weight.max(most(group.version) / group.propensity);
        }
        Self { arms, by_choice }
    }

    fn has_all(&self, group: &LoggedGroup) -> bool {
        let (versions, _) = &self.by_choice[&(group.epoch, group.reason)];
        self.arms.iter().all(|arm| versions.contains(arm))
    }

    fn weight(&self, group: &LoggedGroup) -> f64 {
        self.by_choice[&(group.epoch, group.reason)].1
    }

    /// Whether a group can say something of the policy.
    fn answers(&self, group: &LoggedGroup) -> bool {
        self.has_all(group) && self.weight(group) <= MOST_WEIGHT
    }

    /// Why none can.
    fn why_not(&self, groups: &[LoggedGroup]) -> Refusal {
        let with_all = groups.iter().filter(|group| self.has_all(group));
        if let Some(weight) = with_all.map(|group| self.weight(group)).reduce(f64::min) {
            return Refusal::LargeWeight { weight };
        }
        let ever = |arm: &VersionKey| groups.iter().any(|group| group.version == *arm);
        match self.arms.iter().find(|arm| !ever(arm)) {
            Some(version) if !groups.is_empty() => Refusal::NoSupport { version: *version },
            _ if groups.iter().any(|group| group.n > 0) => Refusal::NeverTogether,
            _ => Refusal::Empty,
        }
    }
}

/// What a policy would have chosen, period by period, from what it knew by then.
struct Played {
    rows: Vec<Row>,
    /// The last shares of the arms.
    shares: Vec<f64>,
    /// How often a bandit has moved them.
    updates: u64,
}

fn play(kept: &[&LoggedGroup], metric: &Metric, plan: &Plan, arms: &[VersionKey]) -> Played {
    let place = |group: &LoggedGroup| arms.iter().position(|arm| *arm == group.version);
    let mut all = vec![(0.0, 0.0, 0.0); arms.len()];
    let mut periods: BTreeMap<i64, Vec<&LoggedGroup>> = BTreeMap::new();
    for group in kept {
        if let Some(arm) = place(group) {
            add(&mut all[arm], group);
        }
        periods.entry(group.period).or_default().push(group);
    }
    let predicted: Vec<f64> = all.iter().map(|(n, sum, _)| sum / n.max(1.0)).collect();
    let mut known = vec![(0.0, 0.0, 0.0); arms.len()];
    let mut played = Played {
        rows: Vec::with_capacity(kept.len()),
        shares: Vec::new(),
        updates: 0,
    };
    // What is not known yet, by period.
    let mut waiting: BTreeMap<i64, Vec<(usize, &LoggedGroup)>> = BTreeMap::new();
    for (period, groups) in &periods {
        played.shares = match plan {
            Plan::Split(split) => {
                let used = split.iter().filter(|(_, share)| *share > 0.0);
                used.map(|(_, share)| *share).collect()
            }
            Plan::Bandit {
                algorithm,
                floor,
                delay,
            } => {
                while let Some(entry) = waiting.first_entry()
                    && entry.key().saturating_add(*delay) < *period
                {
                    for (arm, group) in entry.remove() {
                        add(&mut known[arm], group);
                    }
                }
                let learnt = learnt(metric, *algorithm, *floor, &known);
                played.updates += u64::from(learnt.is_some());
                learnt.unwrap_or_else(|| vec![1.0 / arms.len() as f64; arms.len()])
            }
        };
        let shares = &played.shares;
        let value: f64 = shares.iter().zip(&predicted).map(|(p, q)| p * q).sum();
        for group in groups {
            // A version that the policy does not use has the weight 0.
            let arm = place(group);
            let (share, q) = arm.map_or((0.0, 0.0), |arm| (shares[arm], predicted[arm]));
            played.rows.push(Row::of(group, share, q, value));
            if let Some(arm) = arm {
                waiting.entry(*period).or_default().push((arm, group));
            }
        }
    }
    played
}

fn add(sums: &mut (f64, f64, f64), group: &LoggedGroup) {
    sums.0 += group.n as f64;
    sums.1 += group.sum;
    sums.2 += group.sum_squares;
}

/// The shares of a bandit that knows these sums; `None` while a version is in its burn-in.
fn learnt(
    metric: &Metric,
    algorithm: Algorithm,
    floor: f64,
    known: &[(f64, f64, f64)],
) -> Option<Vec<f64>> {
    if known.iter().any(|(n, _, _)| *n < BURN_IN) {
        return None;
    }
    let sums: Vec<Sums> = known
        .iter()
        .map(|(n, sum, squares)| Sums::of_predictions(*n, *sum, *squares))
        .collect();
    let weights = weigh(metric, algorithm, 0.0, &sums)?;
    Some(with_floor(&weights, floor.min(1.0 / known.len() as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::BuiltIn;

    fn group(epoch: i64, version: i64, propensity: f64, n: u64, sum: f64) -> LoggedGroup {
        LoggedGroup {
            period: epoch,
            epoch,
            reason: Reason::Experiment,
            version: VersionKey(version),
            propensity,
            part: 0,
            n,
            sum,
            sum_squares: sum,
        }
    }

    /// The same, of twenty parts of the units.
    fn dealt(groups: &[LoggedGroup]) -> Vec<LoggedGroup> {
        let parts = groups.iter().flat_map(|group| {
            (0..20).map(|part| LoggedGroup {
                part,
                n: group.n / 20,
                sum: group.sum / 20.0,
                sum_squares: group.sum_squares / 20.0,
                ..*group
            })
        });
        parts.collect()
    }

    fn split(shares: &[(i64, f64)]) -> Plan {
        Plan::Split(
            shares
                .iter()
                .map(|(v, share)| (VersionKey(*v), *share))
                .collect(),
        )
    }

    #[test]
    fn a_split_earns_what_its_versions_earned() {
        let metric = BuiltIn::Correct.metric();
        let log = [
            group(1, 1, 0.5, 1000, 200.0),
            group(1, 2, 0.5, 1000, 400.0),
            group(2, 1, 0.9, 1800, 360.0),
            group(2, 2, 0.1, 200, 80.0),
            // Nobody could have got version 2 here.
            group(3, 1, 1.0, 500, 500.0),
        ];
        let got = evaluate(&dealt(&log), &metric, &split(&[(1, 0.25), (2, 0.75)])).unwrap();
        let want = 0.25 * 0.2 + 0.75 * 0.4;
        assert!(
            (got.estimates.doubly_robust - want).abs() < 1e-12,
            "{got:?}"
        );
        assert!((got.estimates.snips - want).abs() < 1e-12, "{got:?}");
        assert_eq!(got.without_support, 500);
        assert!((got.logged - 0.26).abs() < 1e-12);
    }

    #[test]
    fn a_log_that_cannot_answer_says_so() {
        let metric = BuiltIn::Correct.metric();
        let log = [group(1, 1, 1.0, 1000, 200.0), group(2, 2, 1.0, 1000, 400.0)];
        let half = split(&[(1, 0.5), (2, 0.5)]);
        assert_eq!(
            evaluate(&dealt(&log), &metric, &half),
            Err(Refusal::NeverTogether)
        );
        let stranger = split(&[(3, 1.0)]);
        let refused = evaluate(&dealt(&log), &metric, &stranger);
        assert_eq!(
            refused,
            Err(Refusal::NoSupport {
                version: VersionKey(3)
            })
        );
        assert_eq!(evaluate(&[], &metric, &half), Err(Refusal::Empty));
        let few = [group(1, 1, 0.5, 40, 4.0), group(1, 2, 0.5, 40, 4.0)];
        assert!(matches!(
            evaluate(&dealt(&few), &metric, &half),
            Err(Refusal::FewEffective { .. })
        ));
        let rare = [group(1, 1, 0.99, 9900, 99.0), group(1, 2, 0.01, 100, 1.0)];
        let only = split(&[(2, 1.0)]);
        assert!(matches!(
            evaluate(&dealt(&rare), &metric, &only),
            Err(Refusal::LargeWeight { .. })
        ));
    }

    #[test]
    fn units_that_stay_alike_widen_the_interval_and_one_unit_says_nothing() {
        let metric = BuiltIn::Correct.metric();
        let half = split(&[(1, 0.5), (2, 0.5)]);
        let one = [group(1, 1, 0.5, 500, 100.0), group(1, 2, 0.5, 500, 100.0)];
        let refused = evaluate(&one, &metric, &half);
        assert_eq!(refused, Err(Refusal::FewUnits { units: 1 }));
        // One user of the candidate among many of the control.
        let mut many = dealt(&[group(1, 1, 0.95, 2000, 400.0)]);
        many.push(group(1, 2, 0.05, 1000, 100.0));
        let refused = evaluate(&many, &metric, &split(&[(2, 1.0)]));
        assert_eq!(refused, Err(Refusal::FewUnits { units: 1 }));
        // 100 users of 20 requests: each is always right or never, in one log, and half of the time in the other.
        let users = |alike: bool| -> Vec<LoggedGroup> {
            let sum = |user: i64| match (alike, user % 2) {
                (false, _) => 10.0,
                (true, right) => 20.0 * right as f64,
            };
            let user = |user: i64| LoggedGroup {
                part: user as u32,
                ..group(1, 1 + user / 2 % 2, 0.5, 20, sum(user))
            };
            (0..100).map(user).collect()
        };
        let clustered = evaluate(&users(true), &metric, &half).unwrap();
        let error = clustered.estimates.doubly_robust_error;
        // Half of users: √(.25/100), and the correction for the 50 of each version.
        assert!(
            (error - 0.05 * (50.0f64 / 49.0).sqrt()).abs() < 1e-12,
            "{error}"
        );
        let alike = evaluate(&users(false), &metric, &half).unwrap();
        assert!(alike.estimates.doubly_robust_error < 1e-12);
    }

    #[test]
    fn a_bandit_learns_from_the_log_before_each_period() {
        let metric = BuiltIn::Correct.metric();
        let log: Vec<LoggedGroup> = (0..10)
            .flat_map(|period| {
                let one = LoggedGroup {
                    period,
                    ..group(1, 1, 0.5, 500, 50.0)
                };
                let two = LoggedGroup {
                    period,
                    ..group(1, 2, 0.5, 500, 100.0)
                };
                [one, two]
            })
            .collect();
        let plan = Plan::Bandit {
            algorithm: Algorithm::Thompson,
            floor: 0.05,
            delay: 0,
        };
        let got = evaluate(&dealt(&log), &metric, &plan).unwrap();
        // One period of equal shares, then nine at 5 and 95 %.
        let want = 0.1 * 0.15 + 0.9 * (0.05 * 0.1 + 0.95 * 0.2);
        assert!((got.estimates.doubly_robust - want).abs() < 1e-4, "{got:?}");
        assert!(got.estimates.doubly_robust > got.logged);
        // What it earned is known three periods later.
        let later = Plan::Bandit {
            algorithm: Algorithm::Thompson,
            floor: 0.05,
            delay: 3,
        };
        let got = evaluate(&dealt(&log), &metric, &later).unwrap();
        let want = 0.4 * 0.15 + 0.6 * (0.05 * 0.1 + 0.95 * 0.2);
        assert!((got.estimates.doubly_robust - want).abs() < 1e-4, "{got:?}");
        assert_eq!(got.updates, 6);
    }
}
