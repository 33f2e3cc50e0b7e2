//! What judging a large experiment costs: 20 metrics, 5 arms, 50 epochs.

use divan::Bencher;
use judge::results::History;
use types::{
    Arm, ArmEvidence, BetSums, BuiltIn, DayEvidence, DaySums, EpochEvidence, Evidence, Experiment,
    ExperimentDefinition, ExperimentId, ExperimentKey, Exposures, Metric, MetricEvidence,
    MetricName, MetricSums, ModelId, ModelName, Scale, Timestamp, VersionKey, VersionName,
};

const METRICS: usize = 20;
const ARMS: usize = 5;
const EPOCHS: usize = 50;

fn main() {
    divan::main();
}

/// How the shares of the epochs differ.
#[derive(Debug, Clone, Copy)]
enum Shares {
    /// The rungs of a ladder, ten epochs each.
    Ladder,
    /// Every epoch its own, as a bandit has.
    AllDifferent,
}

fn experiment(binary: bool) -> Experiment {
    let base = if binary {
        BuiltIn::Error
    } else {
        BuiltIn::LatencyMs
    };
    let metric = |at: usize| Metric {
        name: MetricName::parse(&format!("metric-{at}")).expect("a name"),
        ..base.metric()
    };
    let arm = |at: usize| Arm {
        key: VersionKey(at as i64),
        model_id: ModelId::from_bits(at as u64),
        version: VersionName::parse(&at.to_string()).expect("a name"),
        weight: 1.0,
    };
    let metrics: Vec<Metric> = (0..METRICS).map(metric).collect();
    let name = ModelName::parse("m").expect("a name");
    let definition = ExperimentDefinition {
        secondary_metrics: metrics[1..10].iter().map(|m| m.name.clone()).collect(),
        guardrails: metrics[10..].iter().map(|m| m.name.clone()).collect(),
        minimum_detectable_effect: Some(0.01),
        ..ExperimentDefinition::new(name, (0..ARMS).map(arm).collect(), metrics)
    };
    let start = Timestamp::from_micros(0);
    Experiment::draft(
        ExperimentKey(1),
        ExperimentId::from_bits(1),
        definition,
        start,
    )
    .running_since(start)
}

fn evidence(binary: bool, shares: Shares) -> Evidence {
    let day = |day: i64| DayEvidence {
        day,
        arms: vec![
            vec![
                DaySums {
                    units: 400,
                    powers: [20.0; 3],
                };
                METRICS
            ];
            ARMS
        ],
    };
    let epoch = |epoch: usize| {
        let step = match shares {
            Shares::Ladder => epoch / 10 + 1,
            Shares::AllDifferent => epoch + 1,
        };
        let candidate = 0.2 * step as f64 / 50.0;
        let mut all = vec![candidate; ARMS];
        all[0] = 1.0 - candidate * (ARMS - 1) as f64;
        let arm = |at: usize| {
            let n = (10_000.0 * all[at]) as u64 + 100;
            let units = n as f64;
            let bad = n / 20 + at as u64;
            let (sum, sum_squares) = if binary {
                (bad as f64, bad as f64)
            } else {
                (units * (10.0 + at as f64 / 100.0), units * 125.0)
            };
            let sums = MetricSums {
                units: n,
                count: n,
                about: 0.0,
                sum,
                sum_squares,
                sum_count_squares: units,
                sum_products: sum,
                values: n,
                value_units: n,
                fresh_values: n,
                events: bad,
                ..MetricSums::default()
            };
            let bets = |binary: bool| {
                let ones = if binary { bad } else { n / 2 };
                BetSums {
                    units: n,
                    fresh: n,
                    powers: [ones as f64; 3],
                    counted: n,
                    ones,
                    ..BetSums::default()
                }
            };
            let metric = MetricEvidence {
                matured: sums,
                all: sums,
                bets: bets(binary),
                parts: Vec::new(),
            };
            ArmEvidence {
                exposures: Exposures {
                    units: n,
                    first: n,
                    left_out: 0,
                    predictions: n,
                    fallbacks: 0,
                },
                metrics: vec![metric; METRICS],
            }
        };
        EpochEvidence {
            epoch: epoch as i64,
            started_at: Timestamp::from_micros(0),
            shares: all.clone(),
            scales: vec![Some(Scale::binary(0.05)); METRICS],
            arms: (0..ARMS).map(arm).collect(),
            // A week each.
            days: (0..7).map(|at| day(7 * epoch as i64 + at)).collect(),
        }
    };
    Evidence {
        epochs: (0..EPOCHS).map(epoch).collect(),
        minutes: Some(Vec::new()),
        ..Evidence::default()
    }
}

#[divan::bench(args = [Shares::Ladder, Shares::AllDifferent])]
fn binary_metrics(bencher: Bencher<'_, '_>, shares: Shares) {
    judge(bencher, true, shares);
}

#[divan::bench(args = [Shares::Ladder, Shares::AllDifferent])]
fn continuous_metrics(bencher: Bencher<'_, '_>, shares: Shares) {
    judge(bencher, false, shares);
}

fn judge(bencher: Bencher<'_, '_>, binary: bool, shares: Shares) {
    let (experiment, evidence) = (experiment(binary), evidence(binary, shares));
    let now = Timestamp::from_micros(400 * 86_400_000_000);
    bencher
        .bench_local(|| judge::results::results(&experiment, &evidence, &History::default(), now));
}
