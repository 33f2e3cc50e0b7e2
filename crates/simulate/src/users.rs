//! Rollouts whose traffic is by users or customers: they come back, stay with their arm as the routes keep them, and some
//! have far more requests than others.

use crate::hostile::{End, Ended, HostileReport, Outages, TICK, report};
use crate::law::{Law, poisson};
use crate::ledger::{Gained, Ledger};
use crate::run::{definition, play_all};
use evidence::{Bets, Coin, Delta, Drawn, ExactSum, Gain, Happening, Seen, UnitMetric, start_of};
use judge::limits::{Met, SLOT, Units};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use types::{
    ExperimentDefinition, Metric, MetricName, MetricSums, Policy, RolloutSettings, Timestamp,
};

/// What a user's requests are worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    /// An error with this probability.
    Errors(f64),
    /// Errors of this rate on average, of which a hundredth of the users makes nine in ten.
    FewMakeMost(f64),
    /// A normal number about a normal mean of the user's own, both with a standard deviation of 1.
    Score,
}

/// A rollout by users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostileUsers {
    /// What people call it.
    pub title: String,
    /// How many users there are.
    pub users: usize,
    /// They come with a probability that falls with this power of their rank: 0 for all alike.
    pub power: f64,
    /// So many of them make this share of all requests.
    pub giants: Option<(usize, f64)>,
    /// What their requests are worth.
    pub worth: Worth,
    /// The candidate's errors over the control's, or what is taken from its scores.
    pub harm: f64,
    /// Outages of each arm by itself in which every call fails: so many a day, of exponential length with this mean in
    /// seconds.
    pub outages: Option<(f64, f64)>,
    /// Requests a second.
    pub rate: f64,
    /// The candidate's share at each step, in percent; the default ladder where it is empty.
    pub steps: Vec<f64>,
    /// Seconds of each step, where steps are given.
    pub soak: u64,
    /// Seconds until it ends.
    pub seconds: i64,
    /// How many. Whoever plays says it, and no file.
    #[serde(skip)]
    pub runs: u64,
    /// Where the randomness begins, likewise.
    #[serde(skip)]
    pub seed: u64,
}

/// Plays them on `threads` threads.
pub(crate) fn simulate_users(
    design: &HostileUsers,
    threads: usize,
    done: impl Fn() + Sync,
) -> HostileReport {
    let play = |rng: &mut ChaCha8Rng| Play::new(design, rng).play(rng);
    report(&play_all(design.runs, design.seed, threads, done, play))
}

struct User {
    /// It is the candidate's where the share is above this: what its hash says.
    hash: f64,
    /// Its rate of errors, or its mean score.
    own: f64,
    /// What its hash has shown.
    seen: Vec<Seen>,
    /// The epoch of what follows.
    epoch: usize,
    coin: Coin,
    began: i64,
    metric: UnitMetric,
    had_event: bool,
    treated: bool,
}

struct Play<'a> {
    design: &'a HostileUsers,
    ledger: Ledger,
    metric: Metric,
    users: Vec<User>,
    /// Of the probabilities with which they come.
    cumulated: Vec<f64>,
    met: Met,
    /// Outages of each arm.
    outages: [Option<Outages>; 2],
    /// The share of the seconds of this slot in which it has one.
    down: [f64; 2],
    treated: u64,
}

impl<'a> Play<'a> {
    fn new(design: &'a HostileUsers, rng: &mut ChaCha8Rng) -> Self {
        let metric = match design.worth {
            Worth::Score => crate::hostile::declared(
                "score",
                types::MetricKind::Continuous,
                types::Direction::Up,
            ),
            _ => types::BuiltIn::Error.metric(),
        };
        let settings = if design.steps.is_empty() {
            RolloutSettings::default()
        } else {
            RolloutSettings {
                steps: design.steps.clone(),
                soak_seconds: vec![design.soak],
                min_units: vec![1],
                max_step_without_outcomes: 100.0,
                ..RolloutSettings::default()
            }
        };
        let own = |rng: &mut ChaCha8Rng| match design.worth {
            Worth::Errors(rate) => rate,
            // A hundredth makes nine tenths, nobody more than all of its calls.
            Worth::FewMakeMost(rate) if rng.random::<f64>() < 0.01 => (90.0 * rate).min(1.0),
            Worth::FewMakeMost(rate) => rate * 0.1 / 0.99,
            Worth::Score => Law::Normal(0.0, 1.0).one(rng),
        };
        let users: Vec<User> = (0..design.users)
            .map(|_| User {
                hash: rng.random(),
                own: own(rng),
                seen: Vec::new(),
                epoch: usize::MAX,
                coin: Coin::LeftOut,
                began: 0,
                metric: UnitMetric::default(),
                had_event: false,
                treated: false,
            })
            .collect();
        let mut weights: Vec<f64> = (1..=design.users)
            .map(|rank| (rank as f64).powf(-design.power))
            .collect();
        if let Some((giants, share)) = design.giants {
            let others: f64 = weights[giants..].iter().sum();
            weights[..giants].fill(others * share / (1.0 - share) / giants as f64);
        }
        let mut cumulated: Vec<f64> = weights
            .into_iter()
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        let total = cumulated.last().copied().unwrap_or(1.0);
        cumulated.iter_mut().for_each(|sum| *sum /= total);
        let definition = ExperimentDefinition {
            policy: Policy::Rollout(settings),
            primary_metric: MetricName::parse("nothing").expect("a plain name"),
            guardrails: vec![metric.name.clone()],
            ..definition(2, vec![metric.clone()])
        };
        let log = (0..10_000).map(|_| match design.worth {
            Worth::Errors(rate) | Worth::FewMakeMost(rate) => Law::Binary(rate).one(rng),
            Worth::Score => Law::Normal(0.0, 2f64.sqrt()).one(rng),
        });
        let ledger = Ledger::new(definition, vec![log.collect()]);
        let mut outages = || {
            let (per_day, length) = design.outages?;
            Some(Outages::new(per_day, length, rng))
        };
        Self {
            design,
            ledger,
            outages: [outages(), outages()],
            down: [0.0; 2],
            metric,
            users,
            cumulated,
            met: Met::new(1.0),
            treated: 0,
        }
    }

    fn play(mut self, rng: &mut ChaCha8Rng) -> Ended {
        let mut now = 0;
        while now < self.design.seconds {
            now += SLOT;
            for arm in 0..2 {
                let (from, to) = ((now - SLOT) as f64, now as f64);
                let outages = self.outages[arm].as_mut();
                let seconds = outages.map_or(0.0, |outages| outages.seconds(from, to, rng));
                self.down[arm] = seconds / SLOT as f64;
            }
            for _ in 0..poisson(self.design.rate * SLOT as f64, rng) {
                self.request(now - 1, rng);
            }
            if self.met.passed(now, Units::Return).is_some() {
                return self.ended(End::Limit, now);
            }
            if now % TICK != 0 {
                continue;
            }
            let next = self.ledger.look(Timestamp::from_micros(now * 1_000_000));
            if let Some(end) = End::by(&next) {
                return self.ended(end, now);
            }
        }
        self.ended(End::Open, now)
    }

    fn ended(&self, end: End, now: i64) -> Ended {
        Ended {
            end,
            treated: self.treated,
            until: now as u64,
        }
    }

    fn request(&mut self, now: i64, rng: &mut ChaCha8Rng) {
        let draw = rng.random::<f64>();
        let at = self.cumulated.partition_point(|sum| *sum < draw);
        let at = at.min(self.users.len() - 1);
        let epoch = self.ledger.epoch();
        let share = self.ledger.experiment.shares[1];
        let user = &mut self.users[at];
        let candidate = user.hash < share;
        let arm = usize::from(candidate);
        if candidate && !user.treated {
            user.treated = true;
            self.treated += 1;
        }
        let new = user.epoch != epoch;
        if new {
            user.coin = Coin::between(user.seen.iter().copied(), share);
            user.seen.push(Seen { share, candidate });
            (user.epoch, user.began, user.metric) = (epoch, now, UnitMetric::default());
        }
        let harm = if candidate { self.design.harm } else { 1.0 };
        let value = match self.design.worth {
            Worth::Score if candidate => Law::Normal(user.own - self.design.harm, 1.0).one(rng),
            Worth::Score => Law::Normal(user.own, 1.0).one(rng),
            Worth::Errors(_) | Worth::FewMakeMost(_) => {
                let up = 1.0 - self.down[arm];
                Law::Binary(1.0 - up * (1.0 - (user.own * harm).min(1.0))).one(rng)
            }
        };
        let bad = self.metric.is_bad(value);
        let first = bad && !user.had_event;
        user.had_event |= bad;
        let gain = Gain {
            count: 1,
            sum: ExactSum::from(value),
            before: None,
            after: value,
            valued: true,
            bad: first,
            was_bad: false,
            counted_elsewhere: false,
            fresh: user.coin == Coin::Fresh,
            delay: 0,
        };
        let mut sums = Delta::default();
        let stretch = start_of(&self.metric, user.began);
        user.metric
            .take(stretch, &gain, i64::MIN, |_, change| sums.add(&change));
        let happened = Happening {
            order: now.unsigned_abs(),
            made: now,
            at: now,
            before: None,
            after: Some(value),
        };
        let before = user.metric.outcome.value();
        let mut bets = Bets::default();
        if user
            .metric
            .outcome
            .take(&self.metric, user.began, &happened)
        {
            let unit = Drawn {
                coin: user.coin,
                ..Drawn::fresh(arm)
            };
            let place = (0, unit);
            bets = self
                .ledger
                .terms()
                .change(place, before, user.metric.outcome.value());
        }
        let (coin, began) = (user.coin, user.began);
        self.ledger.expose_unit(arm, new.then_some(coin), now);
        let sums: MetricSums = sums.sums();
        if self.metric.is_bad(1.0) {
            self.met.add(now, share, candidate, 1, u64::from(bad));
            if bad && candidate {
                self.met.add_unit(now, at as u64);
            }
            self.ledger
                .bad(arm, 0, now, (u64::from(first), u64::from(bad)));
        }
        let gained = Gained {
            sums,
            bets,
            ..Gained::default()
        };
        self.ledger.expect(epoch, (arm, 0), began, &gained);
    }
}
