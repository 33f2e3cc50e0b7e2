//! The invented world: who comes, what happens to them, and what is seen of it when.

use crate::method::Method;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution};
use types::MetricSums;

/// What is played, and how often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// How it is judged.
    pub method: Method,
    /// Arms, the control included.
    pub arms: usize,
    /// The control's rate of a binary outcome.
    pub base: f64,
    /// What is added to it in every candidate; 0 for an A/A experiment.
    pub effect: f64,
    /// What the base rate is multiplied by in the second half of the experiment; 1 for no drift.
    pub drift: f64,
    /// The candidates' share together, by quarter of the experiment.
    pub shares: [f64; 4],
    /// Units of all arms when it ends.
    pub units: u64,
    /// Units of all arms between two looks.
    pub peek: u64,
    /// Units of all arms that come between a unit and its outcome.
    pub delay: u64,
    /// Events per unit: uniform from 1 to this. All events of a unit go the same way.
    pub events: u64,
    /// The chance of a false claim.
    pub alpha: f64,
    /// Units at which the sequence is tightest.
    pub planned_units: f64,
    /// How many experiments.
    pub runs: u64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Design {
    /// An A/A experiment at 10 %, to 20,000 units per arm with a look every 100.
    fn default() -> Self {
        Self {
            method: Method::Asymptotic,
            arms: 2,
            base: 0.1,
            effect: 0.0,
            drift: 1.0,
            shares: [0.5; 4],
            units: 40_000,
            peek: 200,
            delay: 0,
            events: 1,
            alpha: 0.05,
            planned_units: 5000.0,
            runs: 2000,
            seed: 1,
        }
    }
}

/// What does not fit in a design.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDesign {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Design {
    /// Everything that does not fit.
    pub fn problems(&self) -> Vec<InvalidDesign> {
        let mut found = Vec::new();
        let mut need = |fits: bool, field, problem: &str| {
            if !fits {
                found.push(InvalidDesign {
                    field,
                    problem: problem.into(),
                });
            }
        };
        let rate = |p: f64| p > 0.0 && p < 1.0;
        need(rate(self.base), "base", "must be above 0 and below 1");
        let rates = [1.0, self.drift].map(|drift| self.base * drift);
        let possible = rates.iter().all(|&p| rate(p) && rate(p + self.effect));
        need(
            possible || !rate(self.base),
            "effect",
            "and drift must leave every rate above 0 and below 1",
        );
        need(
            (2..=21).contains(&self.arms),
            "arms",
            "must be from 2 to 21",
        );
        need(
            self.arms == 2 || !self.method.is_for_one_arm(),
            "arms",
            "must be 2 for this method",
        );
        let shares = self.shares.iter().all(|&s| rate(s));
        need(shares, "shares", "must be above 0 and below 1");
        need(
            (1..=1_000_000_000).contains(&self.units),
            "units",
            "must be from 1 to 1000000000",
        );
        need(
            (1..=self.units).contains(&self.peek),
            "peek",
            "must be from 1 to the units",
        );
        need(
            self.delay < self.units,
            "delay",
            "must be less than the units",
        );
        need(
            (1..=100).contains(&self.events),
            "events",
            "must be from 1 to 100",
        );
        need(
            types::ALPHAS.contains(&self.alpha),
            "alpha",
            "must be at least 1e-9 and below 0.5",
        );
        need(
            self.planned_units >= 100.0,
            "planned_units",
            "must be at least 100",
        );
        need(
            (1..=10_000_000).contains(&self.runs),
            "runs",
            "must be from 1 to 10000000",
        );
        found
    }

    /// The base rate when `seen` units have come.
    pub(crate) fn base_at(&self, seen: u64) -> f64 {
        if seen * 2 >= self.units {
            self.base * self.drift
        } else {
            self.base
        }
    }

    /// The candidates' share by epoch: quarters with the same share follow in one.
    pub(crate) fn epochs(&self) -> Vec<f64> {
        let mut epochs = self.shares.to_vec();
        epochs.dedup();
        epochs
    }

    /// The epoch when `seen` units have come.
    fn epoch_at(&self, seen: u64) -> usize {
        let quarter = ((seen * 4 / self.units) as usize).min(3);
        let changes = self.shares[..=quarter].windows(2);
        changes.filter(|pair| pair[0] != pair[1]).count()
    }

    /// The share of each arm when the candidates have `share` together; the control first.
    pub(crate) fn shares_of(&self, share: f64) -> Vec<f64> {
        let each = share / (self.arms - 1) as f64;
        let mut shares = vec![each; self.arms];
        shares[0] = 1.0 - share;
        shares
    }
}

/// Units that came between two looks, arm by arm, with their outcomes.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) epoch: usize,
    pub(crate) arms: Vec<Arm>,
}

/// What happened to the units of an arm.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arm {
    pub(crate) units: u64,
    /// Units with a bad outcome.
    pub(crate) bad: u64,
    /// By unit: ΣD, ΣD², ΣM, ΣM² of events D of which M are bad.
    pub(crate) events: u64,
    pub(crate) events_squared: u64,
    pub(crate) bad_events: u64,
    pub(crate) bad_events_squared: u64,
}

impl Arm {
    /// As the log's evidence has it.
    pub(crate) fn sums(&self) -> MetricSums {
        MetricSums {
            units: self.units,
            count: self.events,
            about: 0.0,
            sum: self.bad_events as f64,
            sum_squares: self.bad_events_squared as f64,
            sum_count_squares: self.events_squared as f64,
            // All events of a bad unit are bad, so M D = M².
            sum_products: self.bad_events_squared as f64,
            values: self.events,
            value_units: self.units,
            fresh_values: self.units,
            events: self.bad,
            ..MetricSums::default()
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.units += other.units;
        self.bad += other.bad;
        self.events += other.events;
        self.events_squared += other.events_squared;
        self.bad_events += other.bad_events;
        self.bad_events_squared += other.bad_events_squared;
    }
}

/// Draws what comes between the look after `seen` units and the next.
pub(crate) fn draw(design: &Design, seen: u64, rng: &mut ChaCha8Rng) -> Batch {
    let epoch = design.epoch_at(seen);
    let mut left = design.peek.min(design.units - seen);
    let mut rest = 1.0;
    let shares = design.shares_of(design.epochs()[epoch]);
    let mut arms = Vec::with_capacity(design.arms);
    for (at, share) in shares.iter().enumerate() {
        let units = if at + 1 == design.arms {
            left
        } else {
            binomial(left, share / rest, rng)
        };
        left -= units;
        rest -= share;
        let effect = if at == 0 { 0.0 } else { design.effect };
        arms.push(arm(
            design.events,
            units,
            design.base_at(seen) + effect,
            rng,
        ));
    }
    Batch { epoch, arms }
}

fn arm(most_events: u64, units: u64, rate: f64, rng: &mut ChaCha8Rng) -> Arm {
    let mut arm = Arm {
        units,
        ..Arm::default()
    };
    let mut left = units;
    for events in 1..=most_events {
        let share = 1.0 / (most_events - events + 1) as f64;
        let units = binomial(left, share, rng);
        left -= units;
        let bad = binomial(units, rate, rng);
        arm.bad += bad;
        arm.events += events * units;
        arm.events_squared += events * events * units;
        arm.bad_events += events * bad;
        arm.bad_events_squared += events * events * bad;
    }
    arm
}

/// A draw of Bin(n, p).
pub(crate) fn binomial(n: u64, p: f64, rng: &mut ChaCha8Rng) -> u64 {
    if n == 0 || p <= 0.0 {
        return 0;
    }
    if p >= 1.0 {
        return n;
    }
    Binomial::new(n, p).map_or(0, |binomial| binomial.sample(rng))
}

/// One outcome of a unit, 0 or 1.
pub(crate) fn outcome(rate: f64, rng: &mut ChaCha8Rng) -> f64 {
    f64::from(rng.random::<f64>() < rate)
}
