//! Plays the experiments of a design and adds up what became of them.

use crate::method::{Method, Said, look};
use crate::world::{Arm, Batch, Design, draw, outcome};
use judge::bounded::{EmpiricalBernstein, HedgedCapital};
use judge::results::{History, results};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use types::{
    ArmEvidence, BetSums, BuiltIn, EpochEvidence, Evidence, Experiment, ExperimentDefinition,
    ExperimentId, ExperimentKey, Exposures, Finding, Metric, MetricEvidence, ModelId, ModelName,
    Scale, Timestamp, VersionKey, VersionName,
};

/// What became of one experiment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Units of all arms at the first claim of a difference; `None` without one.
    pub decided_at: Option<u64>,
    /// Whether the interval held the truth at every look; `None` for a method without one.
    pub covered: Option<bool>,
}

/// What became of all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Experiments.
    pub runs: u64,
    /// The share that claimed a difference: false alarms where there is none, else power.
    pub claims: f64,
    /// Its standard error.
    pub claims_error: f64,
    /// Units of all arms at the claim, in the middle of those that claimed.
    pub median_units: Option<u64>,
    /// The share whose interval held the truth at every look.
    pub coverage: Option<f64>,
}

/// Plays a design on `threads` threads; the answer does not depend on how many. `done` hears of every
/// experiment that has ended.
pub fn simulate(design: &Design, threads: usize, done: impl Fn() + Sync) -> Report {
    let (runs, seed) = (design.runs, design.seed);
    let outcomes = play_all(runs, seed, threads, done, |rng| play_one(design, rng));
    report(&outcomes)
}

/// Plays `runs` experiments, each with a stream of randomness of its own, and gives what became of them in
/// their order.
pub(crate) fn play_all<T: Send>(
    runs: u64,
    seed: u64,
    threads: usize,
    done: impl Fn() + Sync,
    play: impl Fn(&mut ChaCha8Rng) -> T + Sync,
) -> Vec<T> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs {
                return outcomes;
            }
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(run);
            outcomes.push((run, play(&mut rng)));
            done();
        }
    };
    let mut outcomes: Vec<(u64, T)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(outcomes) => all.extend(outcomes),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    outcomes.sort_unstable_by_key(|(run, _)| *run);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn report(outcomes: &[Outcome]) -> Report {
    let runs = outcomes.len() as f64;
    let mut units: Vec<u64> = outcomes.iter().filter_map(|o| o.decided_at).collect();
    units.sort_unstable();
    let claims = units.len() as f64 / runs;
    let covered: Vec<bool> = outcomes.iter().filter_map(|o| o.covered).collect();
    let held = covered.iter().filter(|held| **held).count() as f64;
    Report {
        runs: outcomes.len() as u64,
        claims,
        claims_error: (claims * (1.0 - claims) / runs).sqrt(),
        median_units: units.get(units.len() / 2).copied(),
        coverage: (!covered.is_empty()).then(|| held / covered.len() as f64),
    }
}

fn play_one(design: &Design, rng: &mut ChaCha8Rng) -> Outcome {
    if design.method.is_ordered() {
        return play_ordered(design, rng);
    }
    let mut epochs = vec![vec![Arm::default(); design.arms]; design.epochs().len()];
    // Batches whose outcomes have not come yet.
    let mut waiting: VecDeque<(u64, Batch)> = VecDeque::new();
    let mut outcome = Outcome {
        decided_at: None,
        covered: None,
    };
    let mut seen = 0;
    while seen < design.units {
        let batch = draw(design, seen, rng);
        seen += design.peek.min(design.units - seen);
        waiting.push_back((seen, batch));
        while let Some((came, _)) = waiting.front()
            && came + design.delay <= seen
        {
            if let Some((_, batch)) = waiting.pop_front() {
                for (total, arm) in epochs[batch.epoch].iter_mut().zip(&batch.arms) {
                    total.add(arm);
                }
            }
        }
        let last = seen == design.units;
        let says = if design.method == Method::Verdict {
            whole_verdict(design, &epochs)
        } else {
            (1..design.arms)
                .map(|arm| look(design, &epochs, arm, last))
                .collect()
        };
        for said in says {
            note(design, &mut outcome, said, seen);
        }
        // A claim ends an experiment, but an interval must hold at every look.
        if outcome.decided_at.is_some() && outcome.covered != Some(true) {
            break;
        }
    }
    outcome
}

/// What the interval must hold: the difference, or the ratio of the rates where it does not change.
fn truth(design: &Design) -> Option<f64> {
    match design.method {
        Method::Events | Method::EventsByEvent => {
            let steady = design.effect == 0.0 || design.drift == 1.0;
            steady.then(|| (design.base + design.effect) / design.base)
        }
        // The pooled estimate and the wrong units still estimate the difference.
        _ => Some(design.effect),
    }
}

fn note(design: &Design, outcome: &mut Outcome, said: Said, seen: u64) {
    if said.claims && outcome.decided_at.is_none() {
        outcome.decided_at = Some(seen);
    }
    if let (Some(interval), Some(truth)) = (said.interval, truth(design)) {
        let held = interval.contains(truth);
        outcome.covered = Some(outcome.covered.unwrap_or(true) && held);
    }
}

/// One arm, outcome by outcome: the sequence must hold its rate at every look.
fn play_ordered(design: &Design, rng: &mut ChaCha8Rng) -> Outcome {
    let rate = design.base;
    let mut capital = HedgedCapital::new(rate, design.alpha);
    let mut bernstein = EmpiricalBernstein::new(design.alpha);
    let mut result = Outcome {
        decided_at: None,
        covered: Some(true),
    };
    for seen in 1..=design.units {
        let x = outcome(rate, rng);
        let holds = if design.method == Method::Hedged {
            capital.push(x) < -design.alpha.ln()
        } else {
            bernstein.push(x);
            !seen.is_multiple_of(design.peek) || bernstein.interval().contains(rate)
        };
        if !holds && seen.is_multiple_of(design.peek) {
            result.decided_at = Some(seen);
            result.covered = Some(false);
            break;
        }
    }
    result
}

/// What the results of a production experiment with this evidence say of each candidate.
fn whole_verdict(design: &Design, epochs: &[Vec<Arm>]) -> Vec<Said> {
    let experiment = experiment(design);
    let by_epoch = design.epochs();
    let epoch = |(at, arms): (usize, &Vec<Arm>)| EpochEvidence {
        epoch: at as i64,
        started_at: Timestamp::from_micros(0),
        shares: design.shares_of(by_epoch[at]),
        scales: vec![Some(Scale::binary(design.base))],
        arms: arms.iter().map(evidence).collect(),
        days: Vec::new(),
    };
    let evidence = Evidence {
        epochs: epochs.iter().enumerate().map(epoch).collect(),
        minutes: Some(Vec::new()),
        ..Evidence::default()
    };
    let now = Timestamp::from_micros(1);
    let judged = results(&experiment, &evidence, &History::default(), now);
    let said = |c: &judge::results::Comparison| Said {
        claims: matches!(c.finding, Finding::Better | Finding::Worse),
        interval: c.sequential.interval,
    };
    judged.metrics[0].comparisons.iter().map(said).collect()
}

fn evidence(arm: &Arm) -> ArmEvidence {
    let sums = arm.sums();
    ArmEvidence {
        exposures: Exposures {
            units: arm.units,
            first: arm.units,
            left_out: 0,
            predictions: arm.events,
            fallbacks: 0,
        },
        metrics: vec![MetricEvidence {
            matured: sums,
            all: sums,
            bets: BetSums {
                units: arm.units,
                fresh: arm.units,
                powers: [arm.bad as f64; 3],
                counted: arm.units,
                ones: arm.bad,
                ..BetSums::default()
            },
            parts: Vec::new(),
        }],
    }
}

fn experiment(design: &Design) -> Experiment {
    let metric = BuiltIn::Error.metric();
    running(ExperimentDefinition {
        alpha: design.alpha,
        planned_units: design.planned_units,
        ..definition(design.arms, vec![metric])
    })
}

/// A definition with the defaults: arms are called by their numbers.
pub(crate) fn definition(arms: usize, metrics: Vec<Metric>) -> ExperimentDefinition {
    let arm = |at: usize| types::Arm {
        key: VersionKey(at as i64),
        model_id: ModelId::from_bits(at as u64),
        version: VersionName::parse(&at.to_string()).expect("a number is a name"),
        weight: 1.0,
    };
    let name = ModelName::parse("simulated").expect("it is a name");
    ExperimentDefinition::new(name, (0..arms).map(arm).collect(), metrics)
}

/// An experiment that runs since the beginning of time.
pub(crate) fn running(definition: ExperimentDefinition) -> Experiment {
    let start = Timestamp::from_micros(0);
    let (key, id) = (ExperimentKey(0), ExperimentId::from_bits(0));
    Experiment {
        progress: judge::control::begin(&definition.policy),
        ..Experiment::draft(key, id, definition, start).running_since(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(design: Design) -> Report {
        assert_eq!(design.problems(), []);
        simulate(&design, 2, || ())
    }

    fn short(method: Method) -> Design {
        Design {
            method,
            units: 8000,
            runs: 300,
            ..Design::default()
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_answer_on_any_number_of_threads() {
        let design = short(Method::Asymptotic);
        let one = simulate(&design, 1, || ());
        assert_eq!(one, simulate(&design, 3, || ()));
        let other = Design { seed: 2, ..design };
        assert_ne!(one, simulate(&other, 1, || ()));
    }

    /// At most alpha and 3 standard errors; with 300 runs that is 8.8 %.
    fn assert_valid(report: &Report) {
        let limit = 0.05 + 3.0 * (0.05f64 * 0.95 / report.runs as f64).sqrt();
        assert!(report.claims <= limit, "{report:?}");
        if let Some(coverage) = report.coverage {
            assert!(coverage >= 1.0 - limit, "{report:?}");
        }
    }

    #[test]
    fn valid_methods_stay_valid_and_the_peeked_test_does_not() {
        for method in [
            Method::Asymptotic,
            Method::Events,
            Method::StageProduct,
            Method::Bernoulli,
            Method::Verdict,
            Method::Hedged,
            Method::EmpiricalBernstein,
            Method::FixedZ,
        ] {
            assert_valid(&report(short(method)));
        }
        let peeked = report(short(Method::PeekedZ));
        assert!(peeked.claims > 0.15, "{peeked:?}");
    }

    #[test]
    fn changing_weights_under_a_drifting_baseline_fool_pooling_only() {
        let ramp = |method| Design {
            shares: [0.05, 0.25, 0.5, 0.5],
            drift: 2.0,
            ..short(method)
        };
        for method in [Method::Events, Method::StageProduct, Method::Verdict] {
            assert_valid(&report(ramp(method)));
        }
        let pooled = report(ramp(Method::Asymptotic));
        assert!(pooled.claims > 0.2, "{pooled:?}");
    }

    #[test]
    fn users_with_several_events_count_once() {
        let clustered = |method| Design {
            events: 5,
            ..short(method)
        };
        for method in [Method::Asymptotic, Method::Events, Method::Verdict] {
            assert_valid(&report(clustered(method)));
        }
        let wrong = report(clustered(Method::EventsByEvent));
        assert!(wrong.claims > 0.1, "{wrong:?}");
    }

    #[test]
    fn an_effect_is_found_and_delay_costs_time() {
        let effect = Design {
            effect: 0.05,
            ..short(Method::Asymptotic)
        };
        let found = report(effect);
        assert!(found.claims > 0.8, "{found:?}");
        assert_valid(&Report {
            claims: 0.0,
            ..found.clone()
        });
        let delayed = report(Design {
            delay: 2000,
            ..effect
        });
        let units = |report: &Report| report.median_units.unwrap();
        assert!(
            units(&delayed) >= units(&found) + 1500,
            "{delayed:?} {found:?}"
        );
    }

    #[test]
    fn designs_that_cannot_be_played_are_refused() {
        let design = Design {
            base: 0.6,
            drift: 2.0,
            arms: 1,
            peek: 0,
            ..Design::default()
        };
        let problems = design.problems();
        let fields: Vec<&str> = problems.iter().map(|p| p.field).collect();
        assert_eq!(fields, ["effect", "arms", "peek"]);
    }
}
