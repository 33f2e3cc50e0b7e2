//! Bandits, played through the production judge and controller: what learning costs, and whether the
//! intervals afterwards are honest.

use crate::run::{definition, play_all};
use crate::stage::{Stage, sums};
use crate::world::{InvalidDesign, binomial};
use rand_chacha::ChaCha8Rng;
use types::{
    Algorithm, BanditSettings, BuiltIn, Decision, ExperimentDefinition, Policy, Timestamp,
    default_floor, fits_as_floor,
};

/// What is played, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct BanditDesign {
    /// How it chooses; `None` for an equal split.
    pub algorithm: Option<Algorithm>,
    /// The rate of success of each arm, the control first.
    pub rates: Vec<f64>,
    /// What is added to the rate of the last arm in the second half: 0 for no drift.
    pub drift: f64,
    /// Units of all arms when it ends.
    pub units: u64,
    /// Units between two updates.
    pub batch: u64,
    /// Units that come between a unit and its outcome.
    pub delay: u64,
    /// The share that every arm keeps.
    pub floor: Option<f64>,
    /// After how many updates evidence counts half.
    pub half_life: Option<u64>,
    /// How many bandits.
    pub runs: u64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for BanditDesign {
    fn default() -> Self {
        Self {
            algorithm: Some(Algorithm::Thompson),
            rates: vec![0.10, 0.12, 0.15],
            drift: 0.0,
            units: 20_000,
            batch: 200,
            delay: 0,
            floor: None,
            half_life: None,
            runs: 1000,
            seed: 1,
        }
    }
}

impl BanditDesign {
    /// The share that every arm keeps.
    pub fn floor(&self) -> f64 {
        self.floor
            .unwrap_or_else(|| default_floor(self.rates.len()))
    }

    /// Everything that does not fit.
    pub fn problems(&self) -> Vec<InvalidDesign> {
        let mut found = Vec::new();
        let mut need = |fits: bool, field, problem: &str| {
            if !fits {
                let problem = problem.into();
                found.push(InvalidDesign { field, problem });
            }
        };
        let rate = |p: f64| p > 0.0 && p < 1.0;
        let arms = self.rates.len();
        need((2..=21).contains(&arms), "rates", "must be from 2 to 21");
        let last = self.rates.last().is_none_or(|p| rate(p + self.drift));
        need(
            self.rates.iter().all(|p| rate(*p)) && last,
            "rates",
            "must be above 0 and below 1, with the drift too",
        );
        need(
            (1..=100_000_000).contains(&self.units),
            "units",
            "must be from 1 to 100000000",
        );
        need(
            (1..=self.units).contains(&self.batch),
            "batch",
            "must be from 1 to the units",
        );
        need(
            self.units / self.batch.max(1) <= 10_000,
            "batch",
            "must leave at most 10000 updates",
        );
        need(
            self.delay < self.units,
            "delay",
            "must be less than the units",
        );
        need(
            self.floor.is_none_or(|floor| fits_as_floor(floor, arms)),
            "floor",
            "must be from 0.001 to less than 1 over the number of arms",
        );
        need(
            (1..=10_000_000).contains(&self.runs),
            "runs",
            "must be from 1 to 10000000",
        );
        found
    }
}

/// What became of the bandits.
#[derive(Debug, Clone, PartialEq)]
pub struct BanditReport {
    /// Bandits.
    pub runs: u64,
    /// Successes that the best arm would have given beyond what they gave, on average.
    pub regret: f64,
    /// Its standard error.
    pub regret_error: f64,
    /// The same of an equal split, calculated.
    pub regret_of_equal_split: f64,
    /// The share of units that the best arm got, on average.
    pub best_share: f64,
    /// The share of 95 % intervals of differences to the control that held the truth; `None` with drift.
    pub coverage: Option<f64>,
    /// Its standard error, over runs.
    pub coverage_error: f64,
    /// The share that named a winner.
    pub decided: f64,
    /// The share that named one that is not the best.
    pub wrong: f64,
}

struct Ended {
    regret: f64,
    best_share: f64,
    /// Held and all.
    covered: (f64, f64),
    winner: Option<usize>,
}

/// Plays a design on `threads` threads; the answer does not depend on how many.
pub fn simulate_bandit(
    design: &BanditDesign,
    threads: usize,
    done: impl Fn() + Sync,
) -> BanditReport {
    let play = |rng: &mut ChaCha8Rng| Play::new(design).play(rng);
    let ended = play_all(design.runs, design.seed, threads, done, play);
    let runs = ended.len() as f64;
    let mean = |f: &dyn Fn(&Ended) -> f64| ended.iter().map(f).sum::<f64>() / runs;
    let error = |f: &dyn Fn(&Ended) -> f64| {
        let center = mean(f);
        let squares: f64 = ended.iter().map(|e| (f(e) - center).powi(2)).sum();
        (squares / (runs - 1.0).max(1.0) / runs).sqrt()
    };
    let regret = |e: &Ended| e.regret;
    let covered = |e: &Ended| e.covered.0 / e.covered.1.max(1.0);
    let best = best(&design.rates);
    BanditReport {
        runs: ended.len() as u64,
        regret: mean(&regret),
        regret_error: error(&regret),
        regret_of_equal_split: equal_regret(design),
        best_share: mean(&|e| e.best_share),
        coverage: (design.drift == 0.0).then(|| mean(&covered)),
        coverage_error: error(&covered),
        decided: mean(&|e| f64::from(e.winner.is_some())),
        wrong: mean(&|e| {
            f64::from(
                e.winner
                    .is_some_and(|arm| design.rates[arm] < design.rates[best]),
            )
        }),
    }
}

fn best(rates: &[f64]) -> usize {
    let arms = rates.iter().enumerate();
    arms.max_by(|a, b| a.1.total_cmp(b.1))
        .map_or(0, |(arm, _)| arm)
}

fn rates_at(design: &BanditDesign, seen: u64) -> Vec<f64> {
    let mut rates = design.rates.clone();
    if 2 * seen > design.units
        && let Some(last) = rates.last_mut()
    {
        *last += design.drift;
    }
    rates
}

/// What a split that never learns loses.
fn equal_regret(design: &BanditDesign) -> f64 {
    let half = |rates: &[f64]| {
        let top = rates[best(rates)];
        let lost: f64 = rates.iter().map(|rate| top - rate).sum();
        0.5 * design.units as f64 * lost / rates.len() as f64
    };
    half(&rates_at(design, 0)) + half(&rates_at(design, design.units))
}

struct Play<'a> {
    design: &'a BanditDesign,
    stage: Stage,
    seen: u64,
}

/// The time between two updates.
const PERIOD_SECONDS: u64 = 300;

impl<'a> Play<'a> {
    fn new(design: &'a BanditDesign) -> Self {
        let settings = BanditSettings {
            algorithm: design.algorithm.unwrap_or(Algorithm::Thompson),
            floor: design.floor,
            update_seconds: PERIOD_SECONDS,
            half_life_seconds: design.half_life.map(|updates| updates * PERIOD_SECONDS),
            ..BanditSettings::default()
        };
        let policy = match design.algorithm {
            Some(_) => Policy::Bandit(settings),
            None => Policy::Fixed,
        };
        let metric = BuiltIn::Correct.metric();
        let stage = Stage::new(ExperimentDefinition {
            policy,
            ..definition(design.rates.len(), vec![metric])
        });
        Self {
            design,
            stage,
            seen: 0,
        }
    }

    fn now(&self) -> Timestamp {
        let updates = self.seen / self.design.batch * PERIOD_SECONDS;
        Timestamp::from_micros(updates as i64 * 1_000_000)
    }

    fn play(mut self, rng: &mut ChaCha8Rng) -> Ended {
        let mut regret = 0.0;
        let mut of_best = 0;
        while self.seen < self.design.units {
            let (lost, best) = self.draw(rng);
            regret += lost;
            of_best += best;
            let now = self.now();
            let next = self.stage.look(now);
            self.stage.experiment.progress = next.progress;
            if let Some(shares) = next.decision.as_ref().and_then(Decision::shares) {
                self.stage.open_epoch(shares.to_vec(), now);
            }
        }
        let winner = match &self.stage.experiment.progress {
            Some(types::Progress::Bandit(progress)) => progress.winner,
            _ => None,
        };
        Ended {
            regret,
            best_share: of_best as f64 / self.design.units as f64,
            covered: self.covered(),
            winner,
        }
    }

    /// Draws the units until the next update; gives what they lose and how many the best arm got.
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> (f64, u64) {
        let design = self.design;
        let batch = design.batch.min(design.units - self.seen);
        self.seen += batch;
        let rates = rates_at(design, self.seen);
        let top = best(&rates);
        let (mut left, mut rest) = (batch, 1.0);
        let (mut lost, mut of_best) = (0.0, 0);
        let (mut exposed, mut arms) = (Vec::new(), Vec::new());
        for (arm, rate) in rates.iter().enumerate() {
            let share = self.stage.experiment.shares[arm];
            let units = if arm + 1 == rates.len() {
                left
            } else {
                binomial(left, (share / rest).min(1.0), rng)
            };
            left -= units;
            rest -= share;
            lost += units as f64 * (rates[top] - rate);
            if arm == top {
                of_best = units;
            }
            exposed.push(units);
            let successes = binomial(units, *rate, rng);
            arms.push(sums(units, successes, units - successes));
        }
        self.stage.expose(exposed);
        self.stage.expect(self.seen + design.delay, arms);
        self.stage.arrive(self.seen);
        (lost, of_best)
    }

    /// Of the intervals of the differences to the control, how many hold the truth.
    fn covered(&self) -> (f64, f64) {
        let judged = self.stage.results(self.now());
        let Some(adaptive) = &judged.metrics[0].adaptive else {
            return (0.0, 0.0);
        };
        let rates = &self.design.rates;
        let holds =
            |c: &&judge::results::AdaptiveComparison| c.interval.contains(rates[c.arm] - rates[0]);
        let held = adaptive.comparisons.iter().filter(holds).count();
        (held as f64, adaptive.comparisons.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(design: &BanditDesign) -> BanditReport {
        assert_eq!(design.problems(), []);
        simulate_bandit(design, 2, || ())
    }

    fn short() -> BanditDesign {
        BanditDesign {
            units: 8000,
            runs: 40,
            ..BanditDesign::default()
        }
    }

    #[test]
    fn every_algorithm_loses_less_than_an_equal_split() {
        for algorithm in Algorithm::ALL {
            let design = BanditDesign {
                algorithm: Some(algorithm),
                ..short()
            };
            let got = report(&design);
            assert!(
                got.regret < 0.9 * got.regret_of_equal_split,
                "{algorithm:?} {got:?}"
            );
        }
        let equal = report(&BanditDesign {
            algorithm: None,
            ..short()
        });
        let near = (equal.regret / equal.regret_of_equal_split - 1.0).abs();
        assert!(near < 0.02, "{equal:?}");
    }

    #[test]
    fn delay_costs_and_forgetting_helps_when_the_world_changes() {
        let prompt = report(&short());
        let late = report(&BanditDesign {
            delay: 2000,
            ..short()
        });
        assert!(late.regret > prompt.regret, "{late:?} {prompt:?}");
        let turned = BanditDesign {
            drift: -0.1,
            ..short()
        };
        let remembers = report(&turned);
        let forgets = report(&BanditDesign {
            half_life: Some(5),
            ..turned
        });
        assert!(
            forgets.regret < remembers.regret,
            "{forgets:?} {remembers:?}"
        );
    }
}
