//! Bandits in worlds that are not kind: users who come back, rewards with heavy tails, arms that change places. Whether their
//! intervals hold the truth, whether checks of health stop them for nothing, and whether a change is told.

use crate::hostile::{BEFORE, HostileReport, declared};
use crate::ledger::{Gained, Ledger};
use crate::run::{definition, play_all};
use evidence::{
    Bets, Coin, Delta, Drawn, ExactSum, Gain, Happening, Parts, UnitMetric, part_of, start_of,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Normal};
use serde::{Deserialize, Serialize};
use types::{
    BanditSettings, BuiltIn, Decision, Direction, ExperimentDefinition, Metric, MetricKind,
    Missing, Policy, Scale, Timestamp,
};

/// What calls of a bandit are worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reward {
    /// A success, at these rates of each arm for a user like all; the logarithm of the odds of a user's own differ with this
    /// standard deviation.
    Success(Vec<f64>, f64),
    /// A lognormal number with these means and this σ.
    Lognormal(Vec<f64>, f64),
}

/// A bandit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostileBandit {
    /// What people call it.
    pub title: String,
    /// How many users there are, who make all calls, each as often; `None` where each call is a unit of its own.
    pub users: Option<usize>,
    /// What calls are worth.
    pub reward: Reward,
    /// Whether the control and the last arm change places half way.
    pub swaps: bool,
    /// What all arms are worth in the second half, times what they were.
    pub rises: f64,
    /// Calls between two updates.
    pub calls: u64,
    /// Updates.
    pub updates: u64,
    /// The share that every arm keeps; `None` for the default.
    pub floor: Option<f64>,
    /// Whether values count within a minute, and a success that does not come is a failure.
    pub window: bool,
    /// Whether the control has a log.
    pub log: bool,
    /// How many. Whoever plays says it, and no file.
    #[serde(skip)]
    pub runs: u64,
    /// Where the randomness begins, likewise.
    #[serde(skip)]
    pub seed: u64,
}

/// Seconds between two updates.
const UPDATE: i64 = 300;

struct Played {
    /// Of the intervals of differences: held, and all.
    covered: (f64, f64),
    /// It was held, although nothing is wrong.
    held: bool,
    /// It was told that an effect has changed.
    told: bool,
    /// A winner was named that is not the best.
    wrong: bool,
}

/// Plays them on `threads` threads. Found is where an effect was told to have changed; what was held although nothing is wrong
/// stands beside it, and in place of promotions where a winner was named that is not better than all others.
pub(crate) fn simulate_hostile_bandit(
    design: &HostileBandit,
    threads: usize,
    done: impl Fn() + Sync,
) -> HostileReport {
    let played = play_all(design.runs, design.seed, threads, done, |rng| {
        play(design, rng)
    });
    let runs = played.len() as f64;
    let share = |of: fn(&Played) -> bool| played.iter().filter(|p| of(p)).count() as f64 / runs;
    let found = share(|played| played.told);
    let covered: f64 = played.iter().map(|played| played.covered.0).sum();
    let intervals: f64 = played.iter().map(|played| played.covered.1).sum();
    HostileReport {
        runs: played.len() as u64,
        found,
        error: (found * (1.0 - found) / runs).sqrt(),
        limited: share(|played| played.held),
        promoted: share(|played| played.wrong),
        coverage: (intervals > 0.0).then(|| covered / intervals),
        ..HostileReport::default()
    }
}

struct User {
    /// One number for each arm: what its hash says.
    hashes: Vec<f64>,
    /// What each arm is worth to it.
    worth: Vec<f64>,
    epoch: usize,
    arm: usize,
    seen: bool,
    metric: UnitMetric,
    had_event: bool,
    coin: Coin,
}

/// The arm of a user: weighted rendezvous hashing, as the routes do it.
fn arm_of(hashes: &[f64], shares: &[f64]) -> usize {
    let distance = |(hash, share): (&f64, &f64)| -hash.ln() / share;
    let all = hashes.iter().zip(shares).map(distance).enumerate();
    all.min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(arm, _)| arm)
}

impl Reward {
    fn arms(&self) -> usize {
        match self {
            Self::Success(of, _) | Self::Lognormal(of, _) => of.len(),
        }
    }

    /// The metric, whose values count within a minute where there is a window.
    fn metric(&self, window: bool) -> Metric {
        match self {
            Self::Success(..) => Metric {
                window_seconds: if window { 60 } else { 0 },
                missing: if window {
                    Missing::Failure
                } else {
                    Missing::Excluded
                },
                ..BuiltIn::Correct.metric()
            },
            Self::Lognormal(..) => Metric {
                window_seconds: if window { 60 } else { 0 },
                missing: Missing::Excluded,
                ..declared("reward", MetricKind::Continuous, Direction::Up)
            },
        }
    }

    /// What each arm is worth to a user: a rate, or the mean of a lognormal number.
    fn of_user(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        match self {
            Self::Lognormal(means, _) => means.clone(),
            Self::Success(rates, spread) => {
                let own = Normal::new(0.0, *spread).map_or(0.0, |law| law.sample(rng));
                let rate = |p: &f64| 1.0 / (1.0 + (-((p / (1.0 - p)).ln() + own)).exp());
                rates.iter().map(rate).collect()
            }
        }
    }

    fn draw(&self, own: f64, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Success(..) => f64::from(rng.random::<f64>() < own),
            Self::Lognormal(_, sigma) => {
                let law = LogNormal::new(own.ln() - 0.5 * sigma * sigma, *sigma);
                law.map_or(own, |law| law.sample(rng))
            }
        }
    }

    /// The mean of values within a scale.
    fn mean(&self, own: f64, scale: Option<Scale>) -> f64 {
        let (Self::Lognormal(_, sigma), Some(scale)) = (self, scale) else {
            return own;
        };
        // The normal law in small steps.
        let (mu, steps) = (own.ln() - 0.5 * sigma * sigma, 16_000);
        let (mut sum, mut weight) = (0.0, 0.0);
        for step in 0..=steps {
            let z = f64::from(step) / 1000.0 - 8.0;
            let density = (-0.5 * z * z).exp();
            sum += density * (mu + sigma * z).exp().clamp(scale.floor, scale.cap);
            weight += density;
        }
        sum / weight
    }
}

fn play(design: &HostileBandit, rng: &mut ChaCha8Rng) -> Played {
    let reward = &design.reward;
    let arms = reward.arms();
    let metric = reward.metric(design.window);
    let settings = BanditSettings {
        update_seconds: UPDATE.unsigned_abs(),
        floor: design.floor,
        ..BanditSettings::default()
    };
    let control = reward.of_user(rng)[0];
    let log = (0..BEFORE * u64::from(design.log)).map(|_| reward.draw(control, rng));
    let mut ledger = Ledger::new(
        ExperimentDefinition {
            policy: Policy::Bandit(settings),
            ..definition(arms, vec![metric.clone()])
        },
        vec![log.collect()],
    );
    let new_user = |rng: &mut ChaCha8Rng| User {
        hashes: (0..arms).map(|_| rng.random()).collect(),
        worth: reward.of_user(rng),
        epoch: usize::MAX,
        arm: 0,
        seen: false,
        metric: UnitMetric::default(),
        had_event: false,
        coin: Coin::Fresh,
    };
    let users = design.users.unwrap_or(0);
    let mut users: Vec<User> = (0..users).map(|_| new_user(rng)).collect();
    let mut played = Played {
        covered: (0.0, 0.0),
        held: false,
        told: false,
        wrong: false,
    };
    let mut number = 0;
    for update in 0..design.updates as i64 {
        if design.swaps && 2 * update == design.updates as i64 {
            users
                .iter_mut()
                .for_each(|user| user.worth.swap(0, arms - 1));
        }
        let second_half = 2 * update >= design.updates as i64;
        let swapped = design.swaps && second_half;
        if 2 * update == design.updates as i64 {
            let worth = users.iter_mut().flat_map(|user| &mut user.worth);
            worth.for_each(|worth| *worth *= design.rises);
        }
        let began = update * UPDATE;
        for _ in 0..design.calls {
            let mut own;
            let (at, user) = if users.is_empty() {
                number += 1;
                own = new_user(rng);
                if swapped {
                    own.worth.swap(0, arms - 1);
                }
                if second_half {
                    own.worth
                        .iter_mut()
                        .for_each(|worth| *worth *= design.rises);
                }
                (number, &mut own)
            } else {
                let at = rng.random_range(0..users.len());
                (at, &mut users[at])
            };
            call(&mut ledger, reward, &metric, (at, user), began, rng);
        }
        let now = Timestamp::from_micros((began + UPDATE) * 1_000_000);
        let next = ledger.look(now);
        played.held |= matches!(next.decision, Some(Decision::Hold(_)));
        if let Some(Decision::Winner { arm }) = next.decision {
            let own = reward.of_user(&mut rng.clone());
            let best = own.iter().copied().fold(f64::MIN, f64::max);
            played.wrong |= own.iter().all(|worth| *worth == best) || own[arm] < best;
        }
    }
    let end = (design.updates as i64 + 1) * UPDATE;
    ledger.mature(end);
    let results = ledger.results(Timestamp::from_micros(end * 1_000_000));
    let scale = ledger.experiment.scales[0];
    let of_all = |arm: usize| match users.len() {
        0 => reward.mean(new_user(&mut rng.clone()).worth[arm], scale),
        n => {
            users
                .iter()
                .map(|user| reward.mean(user.worth[arm], scale))
                .sum::<f64>()
                / n as f64
        }
    };
    // Half of the time each way, where arms change places.
    // What users are worth now is that of the second half.
    let users_now = if users.is_empty() { 1.0 } else { design.rises };
    let average = 0.5 * (1.0 + design.rises) / users_now;
    let before: Vec<f64> = (0..arms).map(|arm| average * of_all(arm)).collect();
    let truth = |arm: usize| match design.swaps && (arm == 0 || arm == arms - 1) {
        true => 0.5 * (before[0] + before[arms - 1]),
        false => before[arm],
    };
    let metric = &results.metrics[0];
    let adaptive = metric.adaptive.as_ref();
    let found = adaptive.map_or(&[][..], |adaptive| &adaptive.comparisons);
    let holds =
        |c: &&judge::results::AdaptiveComparison| c.interval.contains(truth(c.arm) - truth(0));
    played.covered = (
        found.iter().filter(holds).count() as f64,
        found.len() as f64,
    );
    played.told = metric
        .comparisons
        .iter()
        .any(judge::results::Comparison::effect_changed);
    played
}

fn call(
    ledger: &mut Ledger,
    reward: &Reward,
    metric: &Metric,
    (number, user): (usize, &mut User),
    now: i64,
    rng: &mut ChaCha8Rng,
) {
    let epoch = ledger.epoch();
    let new = user.epoch != epoch;
    if new {
        user.arm = arm_of(&user.hashes, &ledger.experiment.shares);
        // With more than two arms only the first exposure in the experiment is left to chance.
        user.coin = if user.seen {
            Coin::LeftOut
        } else {
            Coin::Fresh
        };
        (user.epoch, user.metric, user.seen) = (epoch, UnitMetric::default(), true);
    }
    let value = reward.draw(user.worth[user.arm], rng);
    let bad = metric.is_bad(value);
    let gain = Gain {
        count: 1,
        sum: ExactSum::from(value),
        before: None,
        after: value,
        valued: metric.missing == Missing::Excluded || value != 0.0,
        bad: bad && !user.had_event,
        was_bad: false,
        counted_elsewhere: false,
        fresh: user.coin == Coin::Fresh,
        delay: 0,
    };
    user.had_event |= bad;
    let mut sums = Delta::default();
    user.metric
        .take(start_of(metric, now), &gain, i64::MIN, |_, change| {
            sums.add(&change);
        });
    let part = part_of((number as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let within = ledger.terms().within(0, value);
    let parts = Parts::one(part, 1, &within.into());
    let happened = Happening {
        order: 0,
        made: now,
        at: now,
        before: None,
        after: Some(value),
    };
    let before = user.metric.outcome.value();
    let mut bets = Bets::default();
    if user.metric.outcome.take(metric, now, &happened) {
        let drawn = Drawn {
            coin: user.coin,
            ..Drawn::fresh(user.arm)
        };
        let after = user.metric.outcome.value();
        bets = ledger.terms().change((0, drawn), before, after);
    }
    ledger.note_first(user.arm, 0, value);
    ledger.expose_unit(user.arm, new.then_some(user.coin), now);
    let gained = Gained {
        sums: sums.sums(),
        bets,
        parts,
    };
    ledger.expect(epoch, (user.arm, 0), now, &gained);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::{Hostile, hostile_cells};
    use crate::hostile::simulate_hostile;

    #[test]
    fn intervals_of_bandits_hold_the_truth_and_nothing_holds_them_up() {
        for title in [
            "bandit: 500 users, arms differ, spread 2, 200 calls, 100 updates, default floor",
            "bandit: 500 users, arms differ, spread 1, 200 calls, 100 updates, floor 0.1, within a minute",
            "bandit: lognormal σ 1.5, means .5 .6 .75, default floor",
            "bandit: lognormal σ 1.5, means .5 .6 .75, floor 0.1, no log",
            "bandit: calls of nobody, .10 .12 .15, floor 0.1",
            "bandit: calls of nobody, all are .10, and twice that in the second half, floor 0.1",
        ] {
            let mut cells = hostile_cells(title, 25, 1);
            cells.retain(|cell| cell.title() == title);
            assert_eq!(cells.len(), 1, "{title}");
            let report = simulate_hostile(&cells.remove(0), 2, || ());
            // Two intervals each, at 93 % less three standard errors of runs.
            let least = 0.93 - 3.0 * (0.93f64 * 0.07 / 25.0).sqrt();
            assert!(report.coverage.unwrap() >= least, "{title}: {report:?}");
            assert!(
                report.limited <= 0.05 && report.found <= 0.1 && report.promoted <= 0.13,
                "{title}: {report:?}"
            );
        }
    }

    #[test]
    fn arms_that_are_all_dead_or_all_equal_are_no_reason_to_claim_or_to_panic() {
        let reward = |rates: [f64; 3]| Reward::Success(rates.to_vec(), 0.0);
        for (reward, users) in [
            (reward([1e-12; 3]), Some(50)),
            (reward([1e-12; 3]), None),
            (reward([1.0 - 1e-12; 3]), Some(50)),
            (Reward::Lognormal(vec![1.0; 3], 1e-9), Some(50)),
            (Reward::Lognormal(vec![1e12; 3], 2.0), Some(3)),
        ] {
            let design = HostileBandit {
                title: String::new(),
                users,
                reward,
                swaps: false,
                rises: 1.0,
                calls: 200,
                updates: 30,
                floor: None,
                window: true,
                log: false,
                runs: 3,
                seed: 1,
            };
            let report = simulate_hostile_bandit(&design, 2, || ());
            assert_eq!(
                (report.found, report.limited),
                (0.0, 0.0),
                "{design:?} {report:?}"
            );
            assert!(
                report.coverage.is_none_or(f64::is_finite),
                "{design:?} {report:?}"
            );
        }
    }

    #[test]
    fn a_world_without_such_a_name_is_empty() {
        assert!(hostile_cells("no such world", 1, 1).is_empty());
        assert!(matches!(
            hostile_cells("bandit: 500", 1, 1)[0],
            Hostile::Bandit(_)
        ));
    }
}
