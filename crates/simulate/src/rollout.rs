//! Rollouts, played through the production judge and controller: how often a harmless candidate goes
//! back, how often a bad one does not, and how many units it meets before it does.

use crate::run::{definition, play_all};
use crate::stage::{Stage, sums};
use crate::world::{InvalidDesign, binomial};
use judge::fixed::{Proportion, two_proportions};
use rand_chacha::ChaCha8Rng;
use types::{
    BuiltIn, Decision, ExperimentDefinition, Metric, MetricName, Policy, RolloutSettings, Timestamp,
};

/// Who decides to go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The product's controller.
    Controller,
    /// A z-test on all units so far, at 5 %, at every look: what people do.
    PeekedZ,
    /// The candidate's error rate in every 6,000 requests (a minute at 100 a second) against a fixed threshold
    /// of twice the base rate; five failures go back, as deployment tools do.
    Threshold,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Controller, Self::PeekedZ, Self::Threshold];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::PeekedZ => "peeked_z",
            Self::Threshold => "threshold",
        }
    }
}

/// What is played, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutDesign {
    /// Who decides to go back.
    pub rule: Rule,
    /// The control's error rate.
    pub base: f64,
    /// The candidate's error rate over the control's: 1 for a harmless one.
    pub ratio: f64,
    /// What both rates are multiplied by in the second half of the ladder.
    pub drift: f64,
    /// The candidate's share at each step, in percent.
    pub steps: Vec<f64>,
    /// Requests of a step.
    pub requests: u64,
    /// Requests between two looks.
    pub look: u64,
    /// Requests that come between a request and its outcome.
    pub delay: u64,
    /// The share of outcomes that never come.
    pub missing: f64,
    /// The chance of a false rollback.
    pub alpha: f64,
    /// How many rollouts.
    pub runs: u64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for RolloutDesign {
    fn default() -> Self {
        Self {
            rule: Rule::Controller,
            base: 0.005,
            ratio: 1.0,
            drift: 1.0,
            steps: vec![1.0, 5.0, 25.0, 50.0],
            requests: 20_000,
            look: 200,
            delay: 0,
            missing: 0.0,
            alpha: 0.05,
            runs: 1000,
            seed: 1,
        }
    }
}

impl RolloutDesign {
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
        need(rate(self.base), "base", "must be above 0 and below 1");
        let most = self.base * self.drift.max(1.0) * self.ratio.max(1.0);
        need(
            self.ratio > 0.0 && self.drift > 0.0 && rate(most),
            "ratio",
            "and --drift must leave every rate above 0 and below 1",
        );
        let steps = &self.steps;
        need(
            !steps.is_empty()
                && steps.iter().all(|s| *s >= 0.01 && *s < 100.0)
                && steps.is_sorted_by(|a, b| a < b),
            "steps",
            "must increase, above 0 and below 100",
        );
        need(
            (1..=1_000_000_000).contains(&self.requests),
            "requests",
            "must be from 1 to 1000000000",
        );
        need(
            (1..=self.requests).contains(&self.look),
            "look",
            "must be from 1 to the requests of a step",
        );
        need(
            (0.0..1.0).contains(&self.missing),
            "missing",
            "must be from 0 to below 1",
        );
        need(
            types::ALPHAS.contains(&self.alpha),
            "alpha",
            "must be at least 1e-9 and below 0.5",
        );
        need(
            (1..=10_000_000).contains(&self.runs),
            "runs",
            "must be from 1 to 10000000",
        );
        found
    }

    /// The settings of the rollout: a step lasts as many units as its requests give the candidate.
    fn settings(&self) -> RolloutSettings {
        let units = |percent: &f64| ((self.requests as f64 * percent / 100.0) as u64).max(1);
        RolloutSettings {
            steps: self.steps.clone(),
            soak_seconds: vec![0],
            min_units: self.steps.iter().map(units).collect(),
            ..RolloutSettings::default()
        }
    }
}

/// What became of the rollouts.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutReport {
    /// Rollouts.
    pub runs: u64,
    /// The share that went back: false where the candidate is harmless.
    pub rolled_back: f64,
    /// Its standard error.
    pub rolled_back_error: f64,
    /// The share that reached the end.
    pub promoted: f64,
    /// Units of the candidate until it went back, in the middle of those that did.
    pub median_treated: Option<u64>,
    /// Requests until it went back, in the middle.
    pub median_requests: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Ended {
    RolledBack { treated: u64, requests: u64 },
    Promoted,
    Held,
}

/// Plays a design on `threads` threads; the answer does not depend on how many.
pub fn simulate_rollout(
    design: &RolloutDesign,
    threads: usize,
    done: impl Fn() + Sync,
) -> RolloutReport {
    let play = |rng: &mut ChaCha8Rng| Play::new(design).play(rng);
    let ended = play_all(design.runs, design.seed, threads, done, play);
    let runs = ended.len() as f64;
    let (mut treated, mut requests, mut promoted) = (Vec::new(), Vec::new(), 0.0);
    for end in &ended {
        match end {
            Ended::RolledBack {
                treated: t,
                requests: r,
            } => {
                treated.push(*t);
                requests.push(*r);
            }
            Ended::Promoted => promoted += 1.0,
            Ended::Held => {}
        }
    }
    treated.sort_unstable();
    requests.sort_unstable();
    let rolled_back = treated.len() as f64 / runs;
    RolloutReport {
        runs: ended.len() as u64,
        rolled_back,
        rolled_back_error: (rolled_back * (1.0 - rolled_back) / runs).sqrt(),
        promoted: promoted / runs,
        median_treated: treated.get(treated.len() / 2).copied(),
        median_requests: requests.get(requests.len() / 2).copied(),
    }
}

/// The rows of the documentation: harmless candidates under each rule, and bad ones under the controller.
pub fn rollout_table(seed: u64) -> Vec<(&'static str, RolloutDesign)> {
    let design = |rule, base, drift, ratio, runs| RolloutDesign {
        rule,
        base,
        drift,
        ratio,
        runs,
        seed,
        ..RolloutDesign::default()
    };
    let mut rows = Vec::new();
    for base in [0.005, 0.02] {
        for (title, drift) in [("harmless", 1.0), ("harmless, base × 3 half-way", 3.0)] {
            for rule in Rule::ALL {
                rows.push((title, design(rule, base, drift, 1.0, 10_000)));
            }
        }
    }
    for (title, ratio) in [("1.5 × the errors", 1.5), ("2 ×", 2.0), ("4 ×", 4.0)] {
        for rule in Rule::ALL {
            rows.push((title, design(rule, 0.005, 1.0, ratio, 2000)));
        }
    }
    rows
}

/// What an arm met.
#[derive(Debug, Clone, Copy, Default)]
struct Met {
    units: u64,
    bad: u64,
    values: u64,
}

struct Play<'a> {
    design: &'a RolloutDesign,
    stage: Stage,
    requests: u64,
    /// What the candidate met since the last check of a fixed threshold, and the checks that failed.
    checked: Met,
    failures: u32,
}

impl<'a> Play<'a> {
    fn new(design: &'a RolloutDesign) -> Self {
        let metric = metric(design);
        let definition = ExperimentDefinition {
            policy: Policy::Rollout(design.settings()),
            guardrails: vec![metric.name.clone()],
            alpha: design.alpha,
            ..definition(2, vec![metric])
        };
        Self {
            design,
            stage: Stage::new(definition),
            requests: 0,
            checked: Met::default(),
            failures: 0,
        }
    }

    /// A tick of 30 seconds per look.
    fn now(&self) -> Timestamp {
        let looks = self.requests / self.design.look;
        Timestamp::from_micros(looks as i64 * 30_000_000)
    }

    fn play(mut self, rng: &mut ChaCha8Rng) -> Ended {
        // Twice the ladder: what is held then stays so.
        let most = 2 * self.design.requests * self.design.steps.len() as u64;
        while self.requests < most {
            let met = self.draw(rng);
            let next = (self.design.rule == Rule::Controller).then(|| self.stage.look(self.now()));
            let goes_back = match self.design.rule {
                Rule::Controller => next
                    .as_ref()
                    .is_some_and(|next| next.decision == Some(Decision::RollBack)),
                Rule::PeekedZ => self.peeked_z(),
                Rule::Threshold => self.over_threshold(met),
            };
            if goes_back {
                return Ended::RolledBack {
                    treated: self.total(1).units,
                    requests: self.requests,
                };
            }
            let Some(next) = next else {
                if self.climb() {
                    return Ended::Promoted;
                }
                continue;
            };
            self.stage.experiment.progress = next.progress;
            match next.decision {
                Some(Decision::Promote { .. }) => return Ended::Promoted,
                Some(Decision::Advance { shares }) => {
                    self.stage.open_epoch(shares, self.now());
                }
                _ => {}
            }
        }
        Ended::Held
    }

    /// Takes the next step when this one has had its requests, whatever they met; says whether it was the
    /// last.
    fn climb(&mut self) -> bool {
        let epochs = &self.stage.evidence.epochs;
        let epoch = epochs.last();
        let units: u64 = epoch.map_or(0, |e| e.arms.iter().map(|arm| arm.exposures.units).sum());
        if units < self.design.requests {
            return false;
        }
        let Some(percent) = self.design.steps.get(epochs.len()) else {
            return true;
        };
        let shares = vec![1.0 - percent / 100.0, percent / 100.0];
        self.stage.open_epoch(shares, self.now());
        false
    }

    /// Draws the requests of a look; gives what the candidate met.
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> Met {
        let design = self.design;
        self.requests += design.look;
        let half = design.requests * design.steps.len() as u64 / 2;
        let base = if self.requests > half {
            design.base * design.drift
        } else {
            design.base
        };
        let treated = binomial(design.look, self.stage.experiment.shares[1], rng);
        let met = |units: u64, rate: f64, rng: &mut ChaCha8Rng| {
            let values = units - binomial(units, design.missing, rng);
            Met {
                units,
                values,
                bad: binomial(values, rate, rng),
            }
        };
        let control = met(design.look - treated, base, rng);
        let candidate = met(treated, base * design.ratio, rng);
        let metric = &self.stage.experiment.definition.metrics[0];
        let arms = [control, candidate].map(|met| {
            let good = met.values - met.bad;
            let ones = if metric.is_bad(1.0) { met.bad } else { good };
            sums(met.values, ones, met.bad)
        });
        self.stage.expose([control.units, candidate.units]);
        self.stage.expect(self.requests + design.delay, arms.into());
        self.stage.arrive(self.requests);
        candidate
    }

    fn total(&self, arm: usize) -> Met {
        let mut total = Met::default();
        for epoch in &self.stage.evidence.epochs {
            let arm = &epoch.arms[arm];
            total.units += arm.exposures.units;
            total.values += arm.metrics[0].all.values;
            total.bad += arm.metrics[0].all.events;
        }
        total
    }

    fn peeked_z(&self) -> bool {
        let [control, candidate] = [0, 1].map(|arm| {
            let total = self.total(arm);
            Proportion {
                successes: total.bad as f64,
                n: total.values as f64,
            }
        });
        if control.n < 1.0 || candidate.n < 1.0 {
            return false;
        }
        let test = two_proportions(control, candidate, 0.05);
        test.statistic > 1.6449
    }

    /// Five checks with an error rate over twice the base rate, in all.
    fn over_threshold(&mut self, met: Met) -> bool {
        self.checked.values += met.values;
        self.checked.bad += met.bad;
        if self.requests / CHECK > (self.requests - self.design.look) / CHECK {
            let Met { values, bad, .. } = std::mem::take(&mut self.checked);
            if values > 0 && bad as f64 / values as f64 > 2.0 * self.design.base {
                self.failures += 1;
            }
        }
        self.failures >= 5
    }
}

/// Requests between two checks of a fixed threshold.
const CHECK: u64 = 6000;

/// Errors are known at once; what comes later or not at all is feedback.
fn metric(design: &RolloutDesign) -> Metric {
    if design.delay == 0 && design.missing == 0.0 {
        return BuiltIn::Error.metric();
    }
    Metric {
        name: MetricName::parse("accepted").expect("it is a name"),
        ..BuiltIn::Correct.metric()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(design: &RolloutDesign) -> RolloutReport {
        assert_eq!(design.problems(), []);
        simulate_rollout(design, 2, || ())
    }

    fn short() -> RolloutDesign {
        RolloutDesign {
            base: 0.02,
            requests: 4000,
            runs: 200,
            ..RolloutDesign::default()
        }
    }

    #[test]
    fn harmless_candidates_climb_also_when_the_base_drifts() {
        for drift in [1.0, 3.0] {
            let design = RolloutDesign { drift, ..short() };
            let got = report(&design);
            // 5 % and 3 standard errors of 200 runs.
            assert!(got.rolled_back <= 0.097, "{got:?}");
            assert!(got.promoted >= 0.9, "{got:?}");
            let peeked = report(&RolloutDesign {
                rule: Rule::PeekedZ,
                ..design
            });
            assert!(peeked.rolled_back > 0.2, "{peeked:?}");
        }
    }

    #[test]
    fn bad_candidates_go_back_early_also_with_delay_and_missing_outcomes() {
        let bad = RolloutDesign {
            ratio: 4.0,
            ..short()
        };
        let got = report(&bad);
        assert!(got.rolled_back >= 0.97, "{got:?}");
        let late = report(&RolloutDesign {
            delay: 1000,
            missing: 0.2,
            ..bad
        });
        assert!(late.rolled_back >= 0.95, "{late:?}");
        assert!(
            late.median_requests > got.median_requests,
            "{late:?} {got:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_answer() {
        let design = RolloutDesign {
            runs: 20,
            ..short()
        };
        assert_eq!(report(&design), simulate_rollout(&design, 1, || ()));
    }
}
