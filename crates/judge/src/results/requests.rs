//! Bad requests of units that have several: those of a heavy user are many, and not independent.

use super::bursts::Bursts;
use super::guard::due;
use super::has_several;
use crate::burst::Minute;
use crate::events::{DEFAULT_TAU, EventStage, ln_e_one_sided};
use crate::limits::{ACCIDENTS, BUDGET, Limit};
use types::{Direction, EpochEvidence, Evidence, Metric, MetricSums, MinuteEvidence};

/// Sums of bad values, about 0, in place of those of values.
fn bad_sums(metric: &Metric, sums: &MetricSums) -> MetricSums {
    let sums = sums.rebased(0.0);
    match metric.direction {
        Direction::Down => sums,
        // M becomes D − M.
        Direction::Up => MetricSums {
            sum: sums.count as f64 - sums.sum,
            sum_squares: sums.sum_count_squares - 2.0 * sums.sum_products + sums.sum_squares,
            sum_products: sums.sum_count_squares - sums.sum_products,
            ..sums
        },
    }
}

/// Bad requests of units that have several: those of a heavy user are many, and not independent.
pub(super) struct Requests {
    /// Epoch, and its bad requests against the share of the calls that the candidate had there.
    epochs: Vec<(i64, EventStage)>,
    /// How much more they vary than independent ones.
    dispersion: f64,
    /// Whether enough units have bad requests to say that.
    enough: bool,
}

/// So many units have to have bad requests, as if all had equally many.
const LEAST_EFFECTIVE: f64 = 8.0;

/// What evidence on bad requests has to say before their number is a reason to go back: 20.
const LN_BUDGET: f64 = 2.995_732_273_553_991;

/// Bad requests of the candidate beyond what the control's rate promises and what is tolerated.
fn excess(stages: &[EventStage], tolerated: f64) -> f64 {
    let of = |stage: &EventStage| {
        stage.treated - tolerated * stage.share / (1.0 - stage.share) * stage.control
    };
    stages.iter().map(of).sum()
}

impl Requests {
    /// `None` where requests are units of their own.
    pub(super) fn of(
        metric: &Metric,
        evidence: &Evidence,
        (at, arm): (usize, usize),
    ) -> Option<Self> {
        let sums = |epoch: &EpochEvidence| {
            let of = |arm: usize| bad_sums(metric, due(metric, &epoch.arms[arm].metrics[at]));
            (of(0), of(arm))
        };
        let each = evidence
            .epochs
            .iter()
            .map(|epoch| (epoch.epoch, sums(epoch)));
        let each: Vec<(i64, (MetricSums, MetricSums))> = each.collect();
        let (requests, units) = each.iter().fold((0, 0), |(requests, units), (_, (a, b))| {
            (requests + a.count + b.count, units + a.units + b.units)
        });
        if !has_several(requests, units) {
            return None;
        }
        let (mut bad, mut calls) = (0.0, 0.0);
        for (_, (control, candidate)) in &each {
            bad += control.total() + candidate.total();
            calls += (control.count + candidate.count) as f64;
        }
        let usual = bad / f64::max(calls, 1.0);
        // φ = Σ_u (k_u − n_u p)²/Σ k over units u, where k_u and n_u are over all epochs. Sums are kept by unit and epoch, and
        // √Σ_u (Σ_e x_ue)² ≤ Σ_e √Σ_u x_ue² (Minkowski), so this is at least φ: it costs power where nobody comes back.
        let spread = |sums: &MetricSums| {
            sums.sum_squares - 2.0 * usual * sums.sum_products
                + usual * usual * sums.sum_count_squares
        };
        let roots: f64 = each
            .iter()
            .map(|(_, (control, candidate))| (spread(control) + spread(candidate)).max(0.0).sqrt())
            .sum();
        let dispersion = if bad > 0.0 {
            (roots * roots / bad).max(1.0)
        } else {
            1.0
        };
        // (Σ k)²/Σ k²: so many units with equally many bad requests would be as few. Where one or two have nearly all of
        // them, nothing says how much users vary.
        let squares = |sums: &MetricSums| sums.sum_squares.max(0.0);
        let roots: f64 = each
            .iter()
            .map(|(_, (control, candidate))| (squares(control) + squares(candidate)).sqrt())
            .sum();
        let effective = if roots > 0.0 {
            bad * bad / (roots * roots)
        } else {
            0.0
        };
        let stage = |(control, candidate): &(MetricSums, MetricSums)| EventStage {
            share: candidate.count as f64 / (candidate.count + control.count).max(1) as f64,
            treated: candidate.total(),
            control: control.total(),
        };
        let open = |stage: &EventStage| stage.share > 0.0 && stage.share < 1.0;
        let epochs = each.iter().map(|(epoch, sums)| (*epoch, stage(sums)));
        Some(Self {
            epochs: epochs.filter(|(_, stage)| open(stage)).collect(),
            dispersion,
            enough: effective >= LEAST_EFFECTIVE,
        })
    }

    /// Half on the first events of units, which is exact; half on all bad requests, with their dispersion, which is
    /// approximate and sooner where few units have many.
    pub(super) fn ln_e(&self, stages: &[EventStage], ln_first: f64, tolerated: f64) -> f64 {
        let of_requests = self.ln_requests(stages, tolerated);
        let top = ln_first.max(of_requests);
        top + (0.5 * ((ln_first - top).exp() + (of_requests - top).exp())).ln()
    }

    fn ln_requests(&self, stages: &[EventStage], tolerated: f64) -> f64 {
        if self.enough {
            ln_e_one_sided(stages, tolerated, DEFAULT_TAU) / self.dispersion
        } else {
            0.0
        }
    }

    /// Whether bad requests beyond what is tolerated are as many as the budget of a rollout, accidents included.
    pub(super) fn cost(&self, tolerated: f64) -> bool {
        let stages = self.stages();
        excess(&stages, tolerated) >= BUDGET && self.ln_requests(&stages, tolerated) >= LN_BUDGET
    }

    /// The budget without the five minutes that cost most.
    pub(super) fn over_budget(
        &self,
        evidence: &Evidence,
        minutes: &[MinuteEvidence],
        pair: (usize, usize),
        tolerated: f64,
    ) -> Option<Limit> {
        let mut worst: Vec<(f64, i64, Minute)> = Bursts::minutes(evidence, minutes, pair, true)
            .into_iter()
            .map(|(minute, of)| (excess(&[of.stage()], tolerated), minute.epoch, of))
            .collect();
        worst.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut epochs = self.epochs.clone();
        for (_, epoch, minute) in worst.iter().take(ACCIDENTS).filter(|worst| worst.0 > 0.0) {
            if let Some((_, stage)) = epochs.iter_mut().find(|(known, _)| known == epoch) {
                stage.treated = (stage.treated - minute.candidate_events).max(0.0);
                stage.control = (stage.control - minute.control_events).max(0.0);
            }
        }
        let stages: Vec<EventStage> = epochs.into_iter().map(|(_, stage)| stage).collect();
        let excess = excess(&stages, tolerated);
        let passed = excess >= BUDGET && self.ln_requests(&stages, tolerated) >= LN_BUDGET;
        passed.then_some(Limit::Budget { excess })
    }

    pub(super) fn stages(&self) -> Vec<EventStage> {
        self.epochs.iter().map(|(_, stage)| *stage).collect()
    }

    /// The same without what bursts take away.
    pub(super) fn without(&self, bursts: &Bursts) -> Vec<EventStage> {
        let less = bursts.taken();
        let stages = self.epochs.iter().map(|(epoch, stage)| EventStage {
            treated: (stage.treated - less.get(epoch).unwrap_or(&0.0)).max(0.0),
            ..*stage
        });
        stages.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{ArmEvidence, BuiltIn, Exposures, MetricEvidence, Timestamp};

    /// Units of an arm with so many requests each, and bad ones of each of those that have any.
    fn arm(units: u64, requests: u64, bad: &[u64]) -> ArmEvidence {
        let total: u64 = bad.iter().sum();
        let squares: u64 = bad.iter().map(|bad| bad * bad).sum();
        let sums = MetricSums {
            units,
            count: units * requests,
            sum: total as f64,
            sum_squares: squares as f64,
            sum_count_squares: (units * requests * requests) as f64,
            sum_products: (total * requests) as f64,
            events: bad.len() as u64,
            ..MetricSums::default()
        };
        let metric = MetricEvidence {
            all: sums,
            matured: sums,
            ..MetricEvidence::default()
        };
        let exposures = Exposures {
            units,
            predictions: units * requests,
            ..Exposures::default()
        };
        ArmEvidence {
            exposures,
            metrics: vec![metric],
        }
    }

    fn half(control: ArmEvidence, candidate: ArmEvidence) -> Evidence {
        let epoch = EpochEvidence {
            epoch: 0,
            started_at: Timestamp::from_micros(0),
            shares: vec![0.5, 0.5],
            scales: Vec::new(),
            arms: vec![control, candidate],
        };
        Evidence {
            epochs: vec![epoch],
            ..Evidence::default()
        }
    }

    fn of(evidence: &Evidence) -> Requests {
        let requests = Requests::of(&BuiltIn::Error.metric(), evidence, (0, 1));
        requests.expect("several requests of each unit")
    }

    #[test]
    fn one_noisy_client_is_no_evidence_and_costs_no_budget() {
        for bad in [50, 500, 5000] {
            let evidence = half(arm(2000, 10_000, &[1; 20]), arm(2000, 10_000, &[bad]));
            let requests = of(&evidence);
            assert!(requests.ln_e(&requests.stages(), 0.0, 1.0) <= 0.0);
            assert!(!requests.cost(1.0));
        }
    }

    #[test]
    fn many_users_who_fail_more_use_up_the_budget_unless_that_is_tolerated() {
        let evidence = half(arm(2000, 10, &[2; 200]), arm(2000, 10, &[2; 300]));
        let requests = of(&evidence);
        assert!(requests.cost(1.0));
        let passed = requests.over_budget(&evidence, &[], (0, 1), 1.0);
        assert_eq!(passed, Some(Limit::Budget { excess: 200.0 }));
        assert_eq!(requests.over_budget(&evidence, &[], (0, 1), 1.4), None);
    }

    #[test]
    fn five_minutes_are_accidents_that_cost_nothing() {
        let evidence = half(arm(2000, 10, &[2; 200]), arm(2000, 10, &[2; 300]));
        let minute = |minute: i64, bad: u64| {
            let mut arms = vec![types::ArmMinute::default(); 2];
            arms[1].slot(60 * minute).calls = 100;
            arms[1].slot(60 * minute).add_events(0, bad, bad);
            MinuteEvidence {
                epoch: 0,
                minute,
                arms,
            }
        };
        let minutes: Vec<MinuteEvidence> = (0..5).map(|at| minute(at, 30)).collect();
        let passed = of(&evidence).over_budget(&evidence, &minutes, (0, 1), 1.0);
        assert_eq!(passed, None);
        let passed = of(&evidence).over_budget(&evidence, &minutes[..1], (0, 1), 1.0);
        assert_eq!(passed, Some(Limit::Budget { excess: 170.0 }));
    }
}
