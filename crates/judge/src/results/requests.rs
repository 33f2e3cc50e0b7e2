//! Bad requests of units that have several: those of a heavy user are many, and not independent.

use super::bursts::Bursts;
use super::guard::due;
use super::has_several;
use crate::burst::Minute;
use crate::events::{DEFAULT_TAU, EventStage, ln_e_one_sided};
use crate::limits::{ACCIDENTS, BUDGET, Limit};
use types::{Direction, EpochEvidence, Evidence, Metric, MetricSums, MinuteEvidence};

/// All bad requests against the share of the calls that the candidate had.
pub(super) struct BadRequests {
    epochs: Vec<Epoch>,
    /// (Σ n)²/Σ n² of the calls of units: so many that called equally often would be as few.
    callers: f64,
}

/// What came in an epoch.
struct Epoch {
    epoch: i64,
    /// Bad requests.
    stage: EventStage,
    /// Σ_u (k_u − n_u p)²: how much units vary, by their bad requests k and calls n and the usual rate p.
    spread: f64,
    /// Σ_u k_u².
    squares: f64,
}

/// So many units have to have bad requests, as if all had equally many, and so many have to call.
const LEAST_EFFECTIVE: f64 = 8.0;

/// What evidence on bad requests has to say at least before their number is a reason to go back.
const LEAST_EVIDENCE: f64 = 20.0;

impl BadRequests {
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
        let spread = |sums: &MetricSums| {
            sums.sum_squares - 2.0 * usual * sums.sum_products
                + usual * usual * sums.sum_count_squares
        };
        let epochs = each.iter().map(|(epoch, (control, candidate))| Epoch {
            epoch: *epoch,
            stage: EventStage {
                share: candidate.count as f64 / (candidate.count + control.count).max(1) as f64,
                treated: candidate.total(),
                control: control.total(),
            },
            spread: (spread(control) + spread(candidate)).max(0.0),
            squares: (control.sum_squares + candidate.sum_squares).max(0.0),
        });
        let open = |epoch: &Epoch| epoch.stage.share > 0.0 && epoch.stage.share < 1.0;
        let squares = each.iter().map(|(_, (control, candidate))| {
            (control.sum_count_squares + candidate.sum_count_squares).max(0.0)
        });
        Some(Self {
            epochs: epochs.filter(open).collect(),
            callers: effective(calls, squares),
        })
    }

    /// Half on the first events of units, which is exact; half on all bad requests, with their dispersion, which is
    /// approximate and sooner where few units have many.
    pub(super) fn ln_e(&self, stages: &[EventStage], ln_first: f64, tolerated: f64) -> f64 {
        let of_requests = self.ln_requests(stages, tolerated);
        let top = ln_first.max(of_requests);
        top + (0.5 * ((ln_first - top).exp() + (of_requests - top).exp())).ln()
    }

    /// On what is left of the bad requests of each epoch. They count for as many as independent ones would be: φ of them
    /// for one, where φ = Σ_u (k_u − n_u p)²/Σ k. A unit may be in several epochs, and of their sums only
    /// √Σ_u (Σ_e x_ue)² ≤ Σ_e √Σ_u x_ue² is known (Minkowski), so φ of an epoch is taken times (Σ_e √S_e)²/Σ_e S_e, at most
    /// the number of epochs: that costs power where nobody comes back. What was taken away may have been one of each unit,
    /// so it leaves the variation of the others as it was.
    fn ln_requests(&self, stages: &[EventStage], tolerated: f64) -> f64 {
        let left = self.epochs.iter().zip(stages).map(|(epoch, stage)| {
            let bad = stage.treated + stage.control;
            let taken = (epoch.stage.treated + epoch.stage.control - bad).max(0.0);
            let spread = (epoch.spread - taken).max(0.0);
            (stage, bad, spread, (epoch.squares - taken).max(0.0))
        });
        let left: Vec<(&EventStage, f64, f64, f64)> = left.collect();
        let bad: f64 = left.iter().map(|of| of.1).sum();
        let units = effective(bad, left.iter().map(|of| of.3));
        if units < LEAST_EFFECTIVE || self.callers < LEAST_EFFECTIVE {
            return 0.0;
        }
        let (roots, spreads) = left.iter().fold((0.0, 0.0), |(roots, spreads), of| {
            (roots + f64::sqrt(of.2), spreads + of.2)
        });
        let again = if spreads > 0.0 {
            (roots * roots / spreads).max(1.0)
        } else {
            1.0
        };
        let independent = left.iter().map(|(stage, bad, spread, _)| {
            let dispersion = if *bad > 0.0 {
                (spread / bad).max(1.0)
            } else {
                1.0
            };
            EventStage {
                share: stage.share,
                treated: stage.treated / (dispersion * again),
                control: stage.control / (dispersion * again),
            }
        });
        ln_e_one_sided(&independent.collect::<Vec<_>>(), tolerated, DEFAULT_TAU)
    }

    /// Whether bad requests beyond what is tolerated are as many as the budget of a rollout, accidents included, and the
    /// evidence for it reaches a line.
    pub(super) fn cost(&self, tolerated: f64, line: f64) -> bool {
        self.cost_of(&self.stages(), tolerated, line).is_some()
    }

    fn cost_of(&self, stages: &[EventStage], tolerated: f64, line: f64) -> Option<f64> {
        let excess = excess(stages, tolerated);
        let line = line.max(LEAST_EVIDENCE.ln());
        (excess >= BUDGET && self.ln_requests(stages, tolerated) >= line).then_some(excess)
    }

    /// The budget without the five minutes that cost most.
    pub(super) fn over_budget(
        &self,
        evidence: &Evidence,
        minutes: &[MinuteEvidence],
        pair: (usize, usize),
        (tolerated, line): (f64, f64),
    ) -> Option<Limit> {
        let mut worst: Vec<(f64, i64, Minute)> = Bursts::minutes(evidence, minutes, pair, true)
            .into_iter()
            .map(|(minute, of)| (excess(&[of.stage()], tolerated), minute.epoch, of))
            .collect();
        worst.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut stages = self.stages();
        for (_, epoch, minute) in worst.iter().take(ACCIDENTS).filter(|worst| worst.0 > 0.0) {
            let mut epochs = self.epochs.iter().zip(&mut stages);
            if let Some((_, stage)) = epochs.find(|(known, _)| known.epoch == *epoch) {
                stage.treated = (stage.treated - minute.candidate_events).max(0.0);
                stage.control = (stage.control - minute.control_events).max(0.0);
            }
        }
        let excess = self.cost_of(&stages, tolerated, line)?;
        Some(Limit::Budget { excess })
    }

    pub(super) fn stages(&self) -> Vec<EventStage> {
        self.epochs.iter().map(|epoch| epoch.stage).collect()
    }

    /// The same without what bursts take away.
    pub(super) fn without(&self, bursts: &Bursts) -> Vec<EventStage> {
        let less = bursts.taken();
        let stages = self.epochs.iter().map(|epoch| EventStage {
            treated: (epoch.stage.treated - less.get(&epoch.epoch).unwrap_or(&0.0)).max(0.0),
            ..epoch.stage
        });
        stages.collect()
    }
}

/// So many equal parts would make as large a sum of squares, over epochs of which each has its own.
fn effective(sum: f64, squares: impl Iterator<Item = f64>) -> f64 {
    let roots: f64 = squares.map(f64::sqrt).sum();
    if roots > 0.0 {
        sum * sum / (roots * roots)
    } else {
        0.0
    }
}

/// Bad requests of the candidate beyond what the control's rate promises and what is tolerated.
fn excess(stages: &[EventStage], tolerated: f64) -> f64 {
    let of = |stage: &EventStage| {
        stage.treated - tolerated * stage.share / (1.0 - stage.share) * stage.control
    };
    stages.iter().map(of).sum()
}

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
            days: Vec::new(),
        };
        Evidence {
            epochs: vec![epoch],
            ..Evidence::default()
        }
    }

    fn of(evidence: &Evidence) -> BadRequests {
        let requests = BadRequests::of(&BuiltIn::Error.metric(), evidence, (0, 1));
        requests.expect("several requests of each unit")
    }

    #[test]
    fn one_noisy_client_is_no_evidence_and_costs_no_budget() {
        for bad in [50, 500, 5000] {
            let evidence = half(arm(2000, 10_000, &[1; 20]), arm(2000, 10_000, &[bad]));
            let requests = of(&evidence);
            assert!(requests.ln_e(&requests.stages(), 0.0, 1.0) <= 0.0);
            assert!(!requests.cost(1.0, 0.0));
        }
    }

    #[test]
    fn many_users_who_fail_more_use_up_the_budget_unless_that_is_tolerated() {
        let evidence = half(arm(2000, 10, &[2; 200]), arm(2000, 10, &[2; 300]));
        let requests = of(&evidence);
        assert!(requests.cost(1.0, 0.0));
        let passed = requests.over_budget(&evidence, &[], (0, 1), (1.0, 0.0));
        assert_eq!(passed, Some(Limit::Budget { excess: 200.0 }));
        assert_eq!(
            requests.over_budget(&evidence, &[], (0, 1), (1.4, 0.0)),
            None
        );
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
        let passed = of(&evidence).over_budget(&evidence, &minutes, (0, 1), (1.0, 0.0));
        assert_eq!(passed, None);
        let passed = of(&evidence).over_budget(&evidence, &minutes[..1], (0, 1), (1.0, 0.0));
        assert_eq!(passed, Some(Limit::Budget { excess: 170.0 }));
    }

    #[test]
    fn what_an_outage_leaves_behind_makes_no_noisy_client_many() {
        // 4,500 users failed once in an outage, which is taken away; one client failed 180 times.
        let mut bad = vec![1; 4500];
        bad.push(180);
        let evidence = half(arm(20_000, 10, &[1; 20]), arm(20_000, 10, &bad));
        let requests = of(&evidence);
        let mut stages = requests.stages();
        assert!(requests.ln_e(&stages, 0.0, 1.0) > 3.0);
        stages[0].treated -= 4500.0;
        assert!(requests.ln_e(&stages, 0.0, 1.0) < 1.0);
        assert_eq!(requests.cost_of(&stages, 1.0, 0.0), None);
        // Nor one in an earlier step, that both had.
        let mut both = half(arm(20_000, 10, &[1; 9000]), arm(20_000, 10, &[1; 9000]));
        let later = half(arm(20_000, 10, &[1; 20]), arm(20_000, 10, &[180]));
        both.epochs.push(EpochEvidence {
            epoch: 1,
            ..later.epochs[0].clone()
        });
        let requests = of(&both);
        assert!(requests.ln_e(&requests.stages(), 0.0, 1.0) < 1.0);
        assert!(!requests.cost(1.0, 0.0));
    }

    #[test]
    fn two_giants_who_make_nearly_all_calls_say_nothing() {
        // 1 % of the requests fail, whoever answers; both giants are the control's.
        let mut control = arm(2000, 5, &[1; 100]);
        let giants = arm(2, 250_000, &[2500, 2500]);
        let (sums, more) = (&mut control.metrics[0].all, giants.metrics[0].all);
        sums.add(&more);
        let evidence = half(control, arm(2000, 5, &[1; 250]));
        let requests = of(&evidence);
        assert!(requests.ln_e(&requests.stages(), 0.0, 1.0) <= 0.0);
        assert!(!requests.cost(1.0, 0.0));
    }
}
